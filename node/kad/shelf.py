"""What this host keeps for others: records that verify, and who says that he is to be found under a key.

Nothing here outlives the program: a holder that ends is one of twenty, and the owner gives again. Pure: no link, no
clock.
Source: docs/protocol/dht.md 6. Not here: what a good record is (protocol/rendezvous.py, given as Rules), who pays
(rack.py), how often one may give (rates.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from node.kad import space
from node.kad.messages import ADDRESSES_MAX, PEERS_MAX, Peer
from node.kad.rack import Rack
from node.network import PeerId
from protocol.faults import PeerFault

RECORDS_MAX = 4096  # with 4 KiB each: 16 MiB
RECORDS_PER_PEER_MAX = 64  # one account publishes about ten a day
RECORDS_PER_PLACE_MAX = 512
RECORD_S_MAX = 26 * 3600  # the longest that a record may say it lives, and what a clock may be off
PROVIDERS_MAX = 4096
PROVIDERS_PER_PEER_MAX = 32  # nearby mode holds two cells at a time
PROVIDERS_PER_PLACE_MAX = 256
PROVIDERS_PER_KEY_MAX = 64  # of whom twenty are named
PROVIDERS_PER_KEY_AND_PLACE_MAX = 8  # a house full of people; a flood from one network leaves room for others
PROVIDER_S = 3600  # cells change every half hour; libp2p's 48 h would name people who left two days ago


class Record(Protocol):
    """A record that was found good."""

    @property
    def expiry_s(self) -> int:
        """The Unix second at which it ends."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What records are, as protocol/rendezvous.py says it.

    check(key, raw, now_s) returns the record or raises PeerFault; newer(one, other) says whether one comes after other.
    """

    check: Callable[[bytes, bytes, int], Any]
    newer: Callable[[Any, Any], bool]


class Outdated(PeerFault):
    """A peer gave a record for which a newer one is known already."""


class Crowded(PeerFault):
    """A peer gave more than there is room for."""


@dataclass(frozen=True, slots=True)
class _Record:
    raw: bytes
    record: Record
    expiry_s: int


@dataclass(frozen=True, slots=True)
class _Provider:
    peer: Peer
    expiry_s: int


class Shelf:
    """The records and providers of one host."""

    def __init__(self, own: PeerId, rules: Rules) -> None:
        self._own = space.position_of(own)
        self._rules = rules
        self._records: Rack[bytes, _Record] = Rack(RECORDS_MAX, RECORDS_PER_PEER_MAX, RECORDS_PER_PLACE_MAX)
        self._providers: Rack[tuple[bytes, PeerId], _Provider] = Rack(
            PROVIDERS_MAX, PROVIDERS_PER_PEER_MAX, PROVIDERS_PER_PLACE_MAX
        )
        self._by_key: dict[bytes, dict[PeerId, None]] = {}  # of the providers, the oldest first

    @property
    def records(self) -> int:
        """How many records lie here."""
        return len(self._records)

    @property
    def providers(self) -> int:
        """How many providers lie here, under all keys together."""
        return len(self._providers)

    def put(self, key: bytes, raw: bytes, giver: PeerId, place: str, now_s: int) -> None:
        """Keeps a record that is good and not older than what lies there.

        place: the network that the giver comes from. Raises: Outdated, Crowded, or what the rules raise.
        """
        record: Record = self._rules.check(key, raw, now_s)
        old = self._living(key, now_s)
        if old is not None and old.raw != raw and not self._rules.newer(record, old.record):
            raise Outdated
        kept = _Record(raw, record, min(record.expiry_s, now_s + RECORD_S_MAX))
        distance = space.target_of(space.record_key(key)) ^ self._own
        if key in self._records.lay(key, kept, distance, giver, place):
            raise Crowded

    def get(self, key: bytes, now_s: int) -> bytes | None:
        """The record that lies under a key, None where none lives."""
        kept = self._living(key, now_s)
        return None if kept is None else kept.raw

    def provide(self, key: bytes, provider: Peer, place: str, now_s: int) -> None:
        """Notes for an hour that a peer is to be found under a key. Raises: Crowded.

        provider: of whom the caller has seen that it is the giver himself.
        """
        told = _Provider(Peer(provider.id, provider.addresses[:ADDRESSES_MAX]), now_s + PROVIDER_S)
        self._take_away(key, provider.id)
        distance = space.target_of(space.provider_key(key)) ^ self._own
        self._by_key.setdefault(key, {})[provider.id] = None
        gone = self._providers.lay((key, provider.id), told, distance, provider.id, place)
        for where in gone:
            self._take_away(*where)
        here = self._by_place(key)
        while len(here.get(place, ())) > PROVIDERS_PER_KEY_AND_PLACE_MAX:
            self._take_away(key, here[place].pop(0))
        while sum(map(len, here.values())) > PROVIDERS_PER_KEY_MAX:
            fullest = max(here, key=lambda one: len(here[one]))
            self._take_away(key, here[fullest].pop(0))
        if (key, provider.id) in gone:
            raise Crowded

    def providers_of(self, key: bytes, now_s: int) -> tuple[Peer, ...]:
        """At most 20 who said that they are to be found under a key: the youngest of each network by turns."""
        ranked: list[tuple[int, int, Peer]] = []
        for network in self._by_place(key).values():
            for turn, peer in enumerate(reversed(network)):
                kept = self._providers.get((key, peer))
                if kept is not None and kept.expiry_s > now_s:
                    ranked.append((turn, -kept.expiry_s, kept.peer))
        return tuple(peer for _, _, peer in sorted(ranked, key=lambda one: one[:2])[:PEERS_MAX])

    def expire(self, now_s: int) -> None:
        """Forgets what has ended."""
        for key in self._records.places():
            if self._living(key, now_s) is None:
                self._records.drop(key)
        for where in self._providers.places():
            kept = self._providers.get(where)
            if kept is None or kept.expiry_s <= now_s:
                self._take_away(*where)

    def clear(self) -> None:
        """Forgets everything."""
        for key in self._records.places():
            self._records.drop(key)
        for where in self._providers.places():
            self._take_away(*where)

    def _living(self, key: bytes, now_s: int) -> _Record | None:
        kept = self._records.get(key)
        return kept if kept is not None and kept.expiry_s > now_s else None

    def _by_place(self, key: bytes) -> dict[str, list[PeerId]]:
        """The providers of a key by the networks they came from, the oldest first."""
        found: dict[str, list[PeerId]] = {}
        for peer in self._by_key.get(key, {}):
            for place in self._providers.payers_of((key, peer)):
                found.setdefault(place, []).append(peer)
        return found

    def _take_away(self, key: bytes, peer: PeerId) -> None:
        self._providers.drop((key, peer))
        here = self._by_key.get(key, {})
        here.pop(peer, None)
        if not here:
            self._by_key.pop(key, None)
