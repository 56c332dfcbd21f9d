"""The four lookups of node/lookup.py: put, get, provide, find. Each is a walk, and what its answers say.

    put, provide   find the 20 nearest, then give to each of them                     20 copies of a record
    get            ask the nearest 4, and more of them while less than 3 agree         the newest wins
    find           ask the nearest 8, and more of them while nobody is named

A record that we hold for others is never looked at here: it may be old. Peers that are asked and have an older record
or none get the newest afterwards (the spec's entry correction). Source: docs/protocol/dht.md 5. Not here: the walk
itself (walk.py, search.py), when to look what up (node/finder.py).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from node.kad import space
from node.kad.messages import Kind, Message, Peer
from node.kad.search import Ask, search
from node.kad.shelf import Rules
from node.kad.walk import ASKED_MAX, Walk
from node.lookup import PROVIDERS_MAX, RECORD_BYTES_MAX, Provider
from node.network import PeerId
from protocol.faults import Expired, PeerFault, Unavailable

COPIES = 20  # k of the spec: with 30 % of all peers dead at once, 14 are left
NEAR = 4  # that a get asks at first
AGREEING = 3  # of them, for a get to end: one hostile or outdated peer decides nothing
GIVEN_AT_ONCE = 8
NEAR_FOR_GIFT = 6  # that say who is near, before a put gives
NEAR_FOR_PROVIDERS = 8


@dataclass
class Tally:
    """What the peers that were asked for one record have said."""

    key: bytes
    rules: Rules
    now_s: int
    best: bytes | None = None
    _best_record: Any = None
    _said: dict[PeerId, tuple[Peer, bytes | None]] = field(default_factory=dict)

    def take(self, peer: Peer, raw: bytes | None) -> None:
        """Counts an answer; a record that is over is none. Raises: PeerFault for one that is no good."""
        record = None
        try:
            record = None if raw is None else self.rules.check(self.key, raw, self.now_s)
        except Expired:
            raw = None  # kept by one who does not look at expiries; the peers that he names are good
        self._said[peer.id] = (peer, raw)
        if record is not None and (self.best is None or self.rules.newer(record, self._best_record)):
            self.best, self._best_record = raw, record

    def agrees(self) -> bool:
        """Whether enough peers have the best record."""
        return self.best is not None and sum(raw == self.best for _, raw in self._said.values()) >= AGREEING

    def behind(self) -> tuple[Peer, ...]:
        """Those who have an older record or none."""
        return tuple(peer for peer, raw in self._said.values() if raw != self.best)


class Lookups:
    """Makes the lookups of one host. It is given how to walk and how to ask, and keeps nothing."""

    def __init__(
        self,
        start: Callable[[int, int, int], Walk],
        ask: Callable[..., Awaitable[Message]],
        give: Callable[..., Awaitable[Message]],
        late: Callable[[Sequence[Peer]], None],
        distrust: Callable[[PeerId], None],
        rules: Rules,
        now_s: Callable[[], int],
    ) -> None:
        """start(target, wanted, at once): a walk that knows the peers of the table. late: told who was not waited for.
        distrust: told who gave a record that is no good. ask, give: questions to one peer, of which the last is
        answered; who does not answer ask() leaves the table.
        """
        self._start = start
        self._ask = ask
        self._give = give
        self._late = late
        self._distrust = distrust
        self._rules = rules
        self._now_s = now_s

    async def put(self, key: bytes, record: bytes) -> int:
        """Gives a record to the 20 nearest; how many of them keep it."""
        assert len(record) <= RECORD_BYTES_MAX
        wire_key = space.record_key(key)
        kept: list[PeerId] = []

        async def give(peer: Peer) -> tuple[Peer, ...]:
            answer = await self._give(peer, Message(Kind.PUT_VALUE, wire_key, record))
            if answer.record == record:
                kept.append(peer.id)
            return ()

        await self._give_around(wire_key, give)
        return len(kept)

    async def get(self, key: bytes) -> Tally:
        """Asks for the newest record under a key."""
        wire_key = space.record_key(key)
        tally = Tally(key, self._rules, self._now_s())

        async def ask(peer: Peer) -> tuple[Peer, ...]:
            answer = await self._ask(peer, Message(Kind.GET_VALUE, wire_key))
            try:
                tally.take(peer, answer.record)
            except PeerFault:
                self._distrust(peer.id)
                raise
            return answer.closer

        walk = self._start(space.target_of(wire_key), NEAR, ASKED_MAX)
        await self._search(walk, ask, tally.agrees, COPIES)
        return tally

    async def provide(self, key: bytes, own: Callable[[Peer], Peer]) -> int:
        """Says to the 20 nearest that we are to be found; how many took it. own: we, as a peer may know us."""
        wire_key = space.provider_key(key)
        took: list[PeerId] = []

        async def give(peer: Peer) -> tuple[Peer, ...]:
            mine = own(peer)
            if not mine.addresses:
                raise Unavailable("no address of ours makes sense to that peer")
            said = Message(Kind.ADD_PROVIDER, wire_key, providers=(mine,))
            await self._give(peer, said, Message(Kind.GET_PROVIDERS, wire_key))  # js-libp2p answers to this alone
            took.append(peer.id)
            return ()

        await self._give_around(wire_key, give)
        return len(took)

    async def find(self, key: bytes) -> tuple[Provider, ...]:
        """Who is to be found under a key; who is named by more peers comes first."""
        wire_key = space.provider_key(key)
        named: Counter[PeerId] = Counter()
        found: dict[PeerId, Peer] = {}

        async def ask(peer: Peer) -> tuple[Peer, ...]:
            answer = await self._ask(peer, Message(Kind.GET_PROVIDERS, wire_key))
            for one in answer.providers:
                named[one.id] += 1
                found.setdefault(one.id, one)
            return answer.closer

        walk = self._start(space.target_of(wire_key), NEAR_FOR_PROVIDERS, ASKED_MAX)
        await self._search(walk, ask, lambda: bool(found), COPIES)
        ordered = (found[peer] for peer, _ in named.most_common(PROVIDERS_MAX))
        return tuple(Provider(one.id, one.addresses) for one in ordered)

    async def near(self, wire_key: bytes, wanted: int) -> Walk:
        """A walk that has come to the nearest peers of a key."""

        async def ask(peer: Peer) -> tuple[Peer, ...]:
            return (await self._ask(peer, Message(Kind.FIND_NODE, wire_key))).closer

        walk = self._start(space.target_of(wire_key), wanted, ASKED_MAX)
        await self._search(walk, ask, _never, wanted)
        return walk

    async def _give_around(self, wire_key: bytes, give: Ask) -> None:
        """Finds the nearest of a key, and gives to 20 of them; who does not take it is passed over."""
        near = await self.near(wire_key, NEAR_FOR_GIFT)
        walk = self._start(space.target_of(wire_key), COPIES, GIVEN_AT_ONCE)
        walk.learn(near.nearest(2 * COPIES))
        await self._search(walk, give, _never, COPIES)

    async def _search(self, walk: Walk, ask: Ask, is_enough: Callable[[], bool], wanted_max: int) -> None:
        self._late(await search(walk, ask, is_enough, wanted_max))


def _never() -> bool:
    return False
