"""Room that givers pay for: each PeerId and each network may fill so much of it, and pushes out only what it pays for.

A thing may have several payers, one of each network: who gives again what somebody else gave first cannot let it go by
flooding, and neither can the first. When the whole rack is full, the network that pays for most loses what lies
farthest from us. Pure. Not here: what the things are (shelf.py).
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from node.network import PeerId

PAYERS_MAX = 4  # of one thing, each of another network

T = TypeVar("T")
Where = TypeVar("Where", bound=Hashable)
Payer = TypeVar("Payer", bound=Hashable)


@dataclass(slots=True)
class _Kept(Generic[T]):
    thing: T
    distance: int
    payers: dict[str, PeerId] = field(default_factory=dict)  # by their networks


class Rack(Generic[Where, T]):
    """Things by where they lie, in the order in which they were laid there first."""

    def __init__(self, count_max: int, per_peer_max: int, per_place_max: int) -> None:
        self._count_max = count_max
        self._per_peer_max = per_peer_max
        self._per_place_max = per_place_max
        self._kept: dict[Where, _Kept[T]] = {}
        self._of_peer: dict[PeerId, dict[Where, None]] = {}  # what each pays for, the oldest first
        self._of_place: dict[str, dict[Where, None]] = {}

    def __len__(self) -> int:
        """How many things lie here."""
        return len(self._kept)

    def get(self, where: Where) -> T | None:
        """What lies there, None for nothing."""
        kept = self._kept.get(where)
        return None if kept is None else kept.thing

    def lay(self, where: Where, thing: T, distance: int, giver: PeerId, place: str) -> tuple[Where, ...]:
        """Lays a thing down in place of what lies there; returns where there is nothing any more, maybe here.

        The payers of what lay there pay on, and the giver with them. place: the network that the giver came from.
        """
        kept = self._kept.setdefault(where, _Kept(thing, distance))
        kept.thing = thing
        if place not in kept.payers and len(kept.payers) < PAYERS_MAX:
            kept.payers[place] = giver
            self._of_peer.setdefault(giver, {})[where] = None
            self._of_place.setdefault(place, {})[where] = None
        touched: list[Where] = []
        while len(self._of_peer.get(giver, ())) > self._per_peer_max:
            touched.append(next(iter(self._of_peer[giver])))
            self._release(touched[-1], giver)
        while len(self._of_place.get(place, ())) > self._per_place_max:
            touched.append(next(iter(self._of_place[place])))
            self._release(touched[-1], self._kept[touched[-1]].payers[place])
        while len(self._kept) > self._count_max:
            fullest = max(self._of_place, key=lambda one: len(self._of_place[one]))
            touched.append(max(self._of_place[fullest], key=lambda one: self._kept[one].distance))
            self.drop(touched[-1])
        return tuple(one for one in dict.fromkeys(touched) if one not in self._kept)

    def drop(self, where: Where) -> None:
        """Takes away what lies there, if anything does."""
        kept = self._kept.get(where)
        if kept is not None:
            for giver in dict.fromkeys(kept.payers.values()):  # who moved pays once, from all his networks
                self._release(where, giver)

    def places(self) -> list[Where]:
        """Where things lie."""
        return list(self._kept)

    def payers_of(self, where: Where) -> tuple[str, ...]:
        """The networks that pay for what lies there."""
        kept = self._kept.get(where)
        return () if kept is None else tuple(kept.payers)

    def _release(self, where: Where, giver: PeerId) -> None:
        """Lets a peer pay no longer; what nobody pays for is gone."""
        kept = self._kept[where]
        for place in [place for place, payer in kept.payers.items() if payer == giver]:
            del kept.payers[place]
            _forget(self._of_place, place, where)
        _forget(self._of_peer, giver, where)
        if not kept.payers:
            del self._kept[where]


def _forget(paid: dict[Payer, dict[Where, None]], payer: Payer, where: Where) -> None:
    paid[payer].pop(where, None)
    if not paid[payer]:
        del paid[payer]
