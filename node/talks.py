"""The talks that are live, by the device at their other end, and what others ask about them.

Not here: how a talk comes to be and ends (delivery.py), what goes on one (talk.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import trio

from node.network import Address, PeerId
from node.silence import Attention
from node.talk import Talk
from node.typists import Typists

ALIVE_S = 1.0  # how long an older stream has to answer when a newer one of the same run appears, or somebody looks
SILENT = "asked a moment ago, and no answer yet"  # of a contact with whom a talk is live


@dataclass
class Talks:
    """Device -> its live talk."""

    attention: Attention = field(default_factory=Attention)
    typists: Typists = field(default_factory=Typists)
    _live: dict[int, Talk] = field(default_factory=dict)
    _scopes: dict[int, trio.CancelScope] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Talk]:
        return iter([*self._live.values()])

    def get(self, device_id: int) -> Talk | None:
        """The live talk with a device."""
        return self._live.get(device_id)

    def of(self, contact_id: int) -> list[Talk]:
        """The live talks with a contact's devices."""
        return [one for one in self._live.values() if one.contact == contact_id]

    def is_live(self, one: Talk) -> bool:
        """Whether this talk is the live one with its device."""
        return self._live.get(one.device.id) is one

    def begin(self, one: Talk, scope: trio.CancelScope) -> None:
        """From now on this is the live talk with its device. scope: its task's, which `end` cancels."""
        self._live[one.device.id], self._scopes[one.device.id] = one, scope

    def end(self, one: Talk) -> None:
        """Ends a live talk; its task notices."""
        self._scopes[one.device.id].cancel()

    def forget(self, one: Talk) -> None:
        """The talk is over: at once nobody is online through it, and nothing is handed to it."""
        del self._live[one.device.id], self._scopes[one.device.id]

    def tell_typing(self, contact_id: int) -> bool:
        """Tells a contact's connected devices that one types to him, or did a moment ago; False: nobody is told."""
        if not self.online(contact_id):
            return False
        if not self.typists.is_due(contact_id):
            return True
        told = [one.tell_typing() for one in self.of(contact_id)]
        if any(told):
            self.typists.told(contact_id)
        return any(told)

    async def look(self) -> frozenset[int]:
        """Somebody looks at who is there: who was silent for long is asked. Returns who does not answer at once."""
        self.attention.looked_at = trio.current_time()
        silent: set[int] = set()

        async def ask(one: Talk) -> None:
            if not await one.alive(ALIVE_S):
                silent.add(one.contact)

        async with trio.open_nursery() as nursery:
            for one in self:
                one.stir()
                if one.is_doubtful:
                    nursery.start_soon(ask, one)
        return frozenset(contact_id for contact_id in silent if self.online(contact_id))

    def online(self, contact_id: int) -> bool:
        """Whether a proven talk with a device of this contact is live."""
        return bool(self.of(contact_id))

    def peer_of(self, device_id: int) -> PeerId | None:
        """The PeerId that a device has proven on the talk that is live, None without one."""
        one = self._live.get(device_id)
        return None if one is None else one.stream.peer

    def path(self, contact_id: int) -> str:
        """How the contact is reached now: "direct", "relayed" where no device of his is direct, "" where he is away."""
        ways = [one.stream.is_relayed for one in self.of(contact_id)]
        return "" if not ways else "relayed" if all(ways) else "direct"

    def address_of(self, contact_id: int) -> Address:
        """Where the other end of the talk is, as far as it can be told: of two devices the direct one; "" for away."""
        mine = self.of(contact_id)
        return min(mine, key=lambda one: one.stream.is_relayed).way if mine else Address("")

    def relayed_with(self, peer: PeerId) -> int | None:
        """The contact with whom a proven talk is live through a relay, and who has this PeerId there."""
        there = (one for one in self if one.stream.peer == peer and one.stream.is_relayed)
        return next((one.contact for one in there), None)

    def addresses_of(self, contact_id: int) -> tuple[Address, ...]:
        """Where his connected devices said that they can be dialled."""
        hellos = [one.theirs for one in self.of(contact_id) if one.theirs is not None]
        return tuple(Address(address) for hello in hellos for address in hello.addresses)

    def versions(self, contact_id: int) -> tuple[int, ...]:
        """The versions of the talk's protocol that the connected devices of a contact speak, the newest first."""
        hellos = [one.theirs for one in self.of(contact_id) if one.theirs is not None]
        return tuple(sorted({version for hello in hellos for version in hello.versions}, reverse=True))
