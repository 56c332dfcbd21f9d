"""Who is visible: throw-away hosts that were heard on the local network or found in a cell, and the cards they show.

In memory alone, and bounded: what is not looked at soon, or does not answer, makes room for others. Not here: packets
and lookups (session.py), greetings (view.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from features.nearby.question import place_at
from node.network import Address, PeerId
from protocol.nearby import Card

SIGHTINGS_MAX = 128
PER_PLACE_MAX = 16  # hosts of one address: people behind one router, or one who pretends to be many
ADDRESSES_MAX = 8  # of one host
HEARD_S = 150.0  # two packets of 60 s and their spread may be lost


class Near(IntEnum):
    """How far away somebody is, roughly."""

    NETWORK = 0
    CELL = 1
    NEXT = 2


DISTANCES = {Near.NETWORK: "same network", Near.CELL: "within about 5 km", Near.NEXT: "about 5-15 km"}


@dataclass
class Sighting:
    """A throw-away host. seen_at: when it was last heard or answered; card: None until it has shown one."""

    peer: PeerId
    near: Near
    place: str
    addresses: tuple[Address, ...]
    seen_at: float
    seen_ms: int
    card: Card | None = None
    is_looked_at: bool = False


class Sightings:
    """All of them, by throw-away key; the one that was seen last stands last."""

    def __init__(self) -> None:
        self._seen: dict[PeerId, Sighting] = {}

    def see(self, peer: PeerId, near: Near, addresses: tuple[Address, ...], now: float, now_ms: int) -> bool:
        """Notes that a host was heard or found at these addresses, at least one; whether it is a new one."""
        known = self._seen.pop(peer, None)
        if known is None:
            place = place_at(addresses[0])
            self._make_room(place, now)
            self._seen[peer] = Sighting(peer, near, place, addresses[:ADDRESSES_MAX], now, now_ms)
            return True
        self._seen[peer] = known
        known.near, known.seen_at, known.seen_ms = min(near, known.near), now, now_ms
        known.addresses = tuple(dict.fromkeys((*addresses, *known.addresses)))[:ADDRESSES_MAX]
        return False

    def get(self, peer: PeerId) -> Sighting | None:
        """The sighting of a host, if any."""
        return self._seen.get(peer)

    def place_of(self, peer: PeerId) -> str:
        """Where a host that has shown its card to us is; "" for any other."""
        known = self._seen.get(peer)
        return known.place if known is not None and known.card is not None else ""

    def show(self, peer: PeerId, card: Card, where: Address, now: float, now_ms: int) -> None:
        """Notes the card that a host showed, and where it did."""
        known = self._seen.get(peer)
        if known is not None:
            known.card, known.place, known.seen_at, known.seen_ms = card, place_at(where), now, now_ms

    def forget(self, peer: PeerId) -> None:
        """Forgets a host: it does not answer, or is not to be seen."""
        self._seen.pop(peer, None)

    def unseen(self) -> Sighting | None:
        """The one that was heard last of those whom nobody has looked at; from now on it counts as looked at."""
        found = next((one for one in reversed(self._seen.values()) if not one.is_looked_at), None)
        if found is not None:
            found.is_looked_at = True
        return found

    def everybody(self) -> tuple[Sighting, ...]:
        """All of them: first those who have shown a card, then the one that was heard last."""
        newest_first = [*reversed(self._seen.values())]
        return tuple(sorted(newest_first, key=lambda one: one.card is None))

    def visible(self) -> Iterator[Sighting]:
        """Those who have shown a card, the nearest first."""
        yield from sorted((one for one in self._seen.values() if one.card is not None), key=lambda one: one.near)

    def _make_room(self, place: str, now: float) -> None:
        """Makes room for one more of a place: others of that place make it, or those who have shown no card."""
        for old in [one for one in self._seen.values() if now - one.seen_at > HEARD_S]:
            del self._seen[old.peer]
        there = [one for one in self._seen.values() if one.place == place]
        if len(there) >= PER_PLACE_MAX:
            del self._seen[there[0].peer]
        elif len(self._seen) >= SIGHTINGS_MAX:
            del self._seen[min(self._seen.values(), key=lambda one: (one.card is not None, one.seen_at)).peer]
