"""A keeper in a node for the tests of the room: it gives permits and remembers what was asked; nothing lies there."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from features.keepers.service import Keepers
from lab.world import Person

GIB = 1 << 30


class Use(NamedTuple):
    """What a contact has there."""

    contact: int
    bytes: int
    items: int
    seen_ms: int


@dataclass
class FakeSide:
    """permits: (space, ttl_s, how often it was made anew) by contact; the permit itself says whose and which it is."""

    total: int = GIB
    permits: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    made: int = 0
    find: bytes = b"f" * 32
    revoked: list[int] = field(default_factory=list)

    async def space(self) -> int:
        return self.total

    async def give(self, space_bytes: int) -> None:
        self.total = space_bytes

    async def permit(self, contact_id: int, space_bytes: int, ttl_s: int) -> bytes:
        if contact_id not in self.permits:
            self.made += 1
        number = self.permits[contact_id][2] if contact_id in self.permits else self.made
        self.permits[contact_id] = (space_bytes, ttl_s, number)
        return bytes((number,)) * 32

    async def revoke(self, contact_id: int) -> None:
        self.permits.pop(contact_id, None)
        self.revoked.append(contact_id)

    async def usage(self) -> tuple[Use, ...]:
        return tuple(Use(contact_id, 1000 * contact_id, contact_id, 5) for contact_id in self.permits)


def give_side(person: Person) -> FakeSide:
    """The keeper of a person's node, in place of a real one."""
    side = FakeSide()
    room(person).side = side
    return side


def room(person: Person) -> Keepers:
    """The room of a person's node."""
    assert person.node is not None
    found: Any = person.node.core.services["keepers"]
    assert isinstance(found, Keepers)
    return found
