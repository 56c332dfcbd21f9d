"""What is hinted of contacts' whereabouts beside what their devices said themselves, and who is looked for.

A hint costs a dial: nobody is believed before the channel proof. Not here: dialling (dialler.py, delivery.py), beacons
(beacon.py), records (finder.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from node.bell import Bell
from node.network import Address

FOUND_MAX = 8  # addresses of a contact that his record may add: dials cost time, and every contact of his can forge it


@dataclass(frozen=True, slots=True)
class Missing:
    """A contact who is being dialled now. is_new: he was there until now, or it is the first dial since the start.

    has_failed: that first dial reached nobody.
    """

    contact: int
    is_new: bool
    has_failed: bool


@dataclass(slots=True)
class Ways:
    """The hints by contact."""

    _near: dict[int, tuple[Address, ...]] = field(default_factory=dict)  # where his beacon was heard
    _found: dict[int, tuple[Address, ...]] = field(default_factory=dict)  # what his record said last
    _bells: dict[int, Bell] = field(default_factory=dict)  # of who waits for a hint

    def meet(self, contact_id: int, addresses: Sequence[Address]) -> None:
        """Keeps where a beacon was heard."""
        self._near[contact_id] = tuple(addresses)
        self._ring(contact_id)

    def find(self, contact_id: int, addresses: Sequence[Address]) -> None:
        """Keeps what a record said."""
        self._found[contact_id] = tuple(addresses)[:FOUND_MAX]
        self._ring(contact_id)

    def is_near(self, contact_id: int, address: Address) -> bool:
        """Whether his beacon was heard at this address, in the network where we are now."""
        return address in self._near.get(contact_id, ())

    def leave(self) -> None:
        """Forgets what beacons said: it was said in another network."""
        self._near.clear()

    def of(self, contact_id: int, told: Sequence[Address]) -> tuple[Address, ...]:
        """Where a contact is dialled, the likeliest first. told: what his devices said themselves."""
        return (*self._near.get(contact_id, ()), *self._found.get(contact_id, ()), *told)

    async def hint(self, contact_id: int) -> None:
        """Returns at the next hint of this contact. One task a contact may wait."""
        await self._bells.setdefault(contact_id, Bell()).wait()

    def _ring(self, contact_id: int) -> None:
        if contact_id in self._bells:
            self._bells[contact_id].ring()


@dataclass(slots=True)
class Missed:
    """The contacts who began to be dialled, until somebody takes note; each once."""

    _noted: dict[int, Missing] = field(default_factory=dict)
    _bell: Bell = field(default_factory=Bell)

    def note(self, contact_id: int, *, is_new: bool = False, has_failed: bool = False) -> None:
        """A dial begins that is not only the next of a row, or the first one has failed."""
        before = self._noted.get(contact_id, Missing(contact_id, is_new=False, has_failed=False))
        self._noted[contact_id] = Missing(contact_id, is_new or before.is_new, has_failed)
        self._bell.ring()

    async def take(self) -> tuple[Missing, ...]:
        """Returns those since this was asked last, at least one. One task asks."""
        while not self._noted:
            await self._bell.wait()
        taken = tuple(self._noted.values())
        self._noted.clear()
        return taken
