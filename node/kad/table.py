"""Who is known to serve the DHT: buckets of 20, one for each length of prefix that is shared with our own position.

Only who has answered us gets in; who does not answer once is out, and a spare takes its place. Who has answered for
longest stays (Maymounkov and Mazieres 2002, 2.2: they live longest, and a flood of newcomers displaces nobody). Of one
network two fit into a bucket and ten into the table. Pure: no link, no clock. Not here: asking (dht.py, walk.py).
Source: docs/protocol/dht.md 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from node.kad import space
from node.kad.messages import ADDRESSES_MAX, Peer
from node.kad.places import PlaceOf, network_of
from node.network import PeerId

BUCKET_PEERS_MAX = 20  # k of the spec
SPARES_MAX = 4  # of one bucket: they have answered too, and wait for room
NETWORK_PER_BUCKET_MAX = 2  # py-libp2p's number: an honest bucket of a real network seldom has two of one /24
NETWORK_PER_TABLE_MAX = 10


@dataclass(slots=True)
class Entry:
    """One peer of the table. place: the network of the address at which it answered."""

    peer: Peer
    position: int
    place: str | None
    heard_at: float


class Table:
    """The routing table of one host."""

    def __init__(self, own: PeerId, place_of: PlaceOf = network_of) -> None:
        self._own_id = own
        self._own = space.position_of(own)
        self._place_of = place_of
        self._buckets: dict[int, dict[PeerId, Entry]] = {}  # each in the order of being heard, the longest ago first
        self._spares: dict[int, dict[PeerId, Entry]] = {}

    def __len__(self) -> int:
        """How many peers are in it."""
        return sum(len(bucket) for bucket in self._buckets.values())

    def __contains__(self, peer: PeerId) -> bool:
        """Whether a peer is in it."""
        return peer in self._buckets.get(self.bucket_of(space.position_of(peer)), {})

    def hear(self, peer: Peer, now: float) -> None:
        """Takes a peer that has answered just now; its first address is the one at which it did."""
        if peer.id == self._own_id or not peer.addresses:
            return
        position = space.position_of(peer.id)
        number = self.bucket_of(position)
        bucket = self._buckets.setdefault(number, {})
        old = bucket.pop(peer.id, None)
        addresses = peer.addresses if old is None else (*peer.addresses, *old.peer.addresses)
        known = Peer(peer.id, tuple(dict.fromkeys(addresses))[:ADDRESSES_MAX])
        entry = Entry(known, position, self._place_of(known.addresses[0]), now)
        if (old is not None and old.place == entry.place) or self._has_room(number, entry):
            bucket[peer.id] = entry
            self._spares.get(number, {}).pop(peer.id, None)
            return
        spares = self._spares.setdefault(number, {})
        spares.pop(peer.id, None)
        spares[peer.id] = entry
        if len(spares) > SPARES_MAX:
            del spares[next(iter(spares))]

    def fail(self, peer: PeerId) -> None:
        """Puts out a peer that did not answer; the spare that was heard last and fits comes in."""
        number = self.bucket_of(space.position_of(peer))
        spares = self._spares.get(number, {})
        spares.pop(peer, None)
        if self._buckets.get(number, {}).pop(peer, None) is None:
            return
        for spare in reversed(tuple(spares.values())):
            if self._has_room(number, spare):
                self._buckets[number][spare.peer.id] = spares.pop(spare.peer.id)
                return

    def nearest(self, target: int, count: int) -> tuple[Peer, ...]:
        """The peers that lie nearest to a position, nearest first."""
        ordered = sorted(self._entries(), key=lambda entry: entry.position ^ target)
        return tuple(entry.peer for entry in ordered[:count])

    def wants(self, peer: PeerId) -> bool:
        """Whether a peer that is not in it might come in: there is room where it would lie."""
        number = self.bucket_of(space.position_of(peer))
        bucket = self._buckets.get(number, {})
        return peer not in bucket and peer != self._own_id and len(bucket) < BUCKET_PEERS_MAX

    def stalest(self) -> tuple[int, float] | None:
        """The bucket whose youngest answer lies back furthest, and when that was; None when all are empty."""
        heard = {number: max(entry.heard_at for entry in bucket.values()) for number, bucket in self._filled()}
        return min(heard.items(), key=lambda one: one[1], default=None)

    def recent(self, count: int) -> tuple[Peer, ...]:
        """The peers that answered last, for the next start."""
        ordered = sorted(self._entries(), key=lambda entry: entry.heard_at, reverse=True)
        return tuple(entry.peer for entry in ordered[:count])

    def bucket_of(self, position: int) -> int:
        """The number of the bucket in which a position lies."""
        return space.bucket_of(self._own, position)

    def _filled(self) -> Iterator[tuple[int, dict[PeerId, Entry]]]:
        return ((number, bucket) for number, bucket in self._buckets.items() if bucket)

    def _entries(self) -> Iterator[Entry]:
        return (entry for bucket in self._buckets.values() for entry in bucket.values())

    def _has_room(self, number: int, entry: Entry) -> bool:
        bucket = self._buckets.get(number, {})
        if len(bucket) >= BUCKET_PEERS_MAX:
            return False
        if entry.place is None:
            return True
        here = sum(other.place == entry.place for other in bucket.values())
        everywhere = sum(other.place == entry.place for other in self._entries())
        return here < NETWORK_PER_BUCKET_MAX and everywhere < NETWORK_PER_TABLE_MAX
