"""What a room asks of the keeper in this node: permits for contacts, and how much lies here for whom."""

from collections.abc import Sequence
from typing import Protocol


class Use(Protocol):
    """What a contact has here. seen_ms: when he was here for it last, 0 for never."""

    @property
    def contact(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    @property
    def items(self) -> int: ...

    @property
    def seen_ms(self) -> int: ...


class Side(Protocol):
    """The keeper in this node. find: the secret of its record in the DHT."""

    @property
    def find(self) -> bytes: ...

    async def space(self) -> int:
        """How many bytes may lie here in all."""
        ...

    async def give(self, space_bytes: int) -> None:
        """From now on so much may lie here, durable on return."""
        ...

    async def permit(self, contact_id: int, space_bytes: int, ttl_s: int) -> bytes:
        """Lets a contact enrol here, or changes what he may have; his permit (32 bytes), durable on return."""
        ...

    async def revoke(self, contact_id: int) -> None:
        """Lets a contact have nothing here any more, and deletes what lies here for him."""
        ...

    async def usage(self) -> Sequence[Use]:
        """What lies here, by contact."""
        ...
