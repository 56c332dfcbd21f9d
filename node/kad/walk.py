"""One walk towards a key: whom to ask next, and when enough is known. No link, no clock: effects out, answers in.

    learnt ──begin──> asked ──hear──> heard          in order of distance, so that few are asked:
                        └────fail──> failed          the nearest `wanted` that live, four at a time

Nobody waits for the dead: a question that is out for a second no longer counts as one of the four, and its peer no
longer as one of the nearest, until it answers after all. Of one network two count; others of it, and those that failed
a moment ago, come last: a ring of hostile peers around a key is walked through. Source: docs/protocol/dht.md 5. Not
here: sending (search.py), what answers say (lookups in dht.py).
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from node.kad import space
from node.kad.messages import Peer
from node.kad.places import PlaceOf, network_of
from node.network import PeerId

ASKED_MAX = 4  # at a time; alpha of the spec is 10, but four answers are what a lookup needs
SLOW_S = 1.0  # a dial, a handshake and a question take seven round trips: 0.7 s at 100 ms each
OUT_MAX = 12  # questions that are out, with those of slow peers
CANDIDATES_MAX = 256  # the farthest are forgotten; a hostile answer brings 20
NETWORK_MAX = 2  # of one network among those that count, as in a bucket


class _Is(Enum):
    LEARNT = auto()
    ASKED = auto()
    HEARD = auto()
    FAILED = auto()


@dataclass(slots=True)
class _Candidate:
    peer: Peer
    distance: int
    places: tuple[str, ...]  # all networks that it is said to be in: a made-up address beside the true one hides nobody
    state: _Is = _Is.LEARNT
    asked_at: float = 0.0


class Walk:
    """A walk towards one position. `wanted`, how many of the nearest have to answer, may grow on the way."""

    def __init__(
        self,
        target: int,
        wanted: int,
        own: PeerId,
        at_once: int = ASKED_MAX,
        shunned: Collection[PeerId] = (),
        place_of: PlaceOf = network_of,
    ) -> None:
        """at_once: how many are asked at a time. shunned: peers that failed a moment ago; they are asked last."""
        self.wanted = wanted
        self._target = target
        self._own = own
        self._at_once = at_once
        self._shunned = shunned
        self._place_of = place_of
        self._candidates: dict[PeerId, _Candidate] = {}  # the nearest first

    def learn(self, peers: Iterable[Peer]) -> None:
        """Takes peers that somebody knows; those that are known already keep their addresses."""
        for peer in peers:
            if peer.id not in self._candidates and peer.id != self._own and peer.addresses:
                distance = space.position_of(peer.id) ^ self._target
                places = tuple(
                    dict.fromkeys(place for place in map(self._place_of, peer.addresses) if place is not None)
                )
                self._candidates[peer.id] = _Candidate(peer, distance, places)
        ordered = sorted(self._candidates.values(), key=lambda one: one.distance)
        for far in [one for one in ordered[CANDIDATES_MAX:] if one.state is _Is.LEARNT]:
            ordered.remove(far)
        self._candidates = {one.peer.id: one for one in ordered}

    def begin(self, now: float) -> tuple[Peer, ...]:
        """Whom to ask now; they count as asked."""
        out = self._in_state(_Is.ASKED)
        room = min(self._at_once - sum(not _is_slow(one, now) for one in out), OUT_MAX - len(out))
        due = [one for one in self._counting(now) if one.state is _Is.LEARNT][: max(0, room)]
        for one in due:
            one.state = _Is.ASKED
            one.asked_at = now
        return tuple(one.peer for one in due)

    def hear(self, peer: PeerId, closer: Iterable[Peer]) -> None:
        """Takes an answer, with the peers that it names."""
        self._candidates[peer].state = _Is.HEARD
        self.learn(closer)

    def fail(self, peer: PeerId) -> None:
        """Takes it that a peer does not answer, or not well."""
        self._candidates[peer].state = _Is.FAILED

    def is_settled(self, now: float) -> bool:
        """Whether the nearest that count have all answered, or nobody is left who might."""
        counting = self._counting(now)
        if not all(one.state is _Is.HEARD for one in counting):
            return False
        return len(counting) >= self.wanted or not self._in_state(_Is.ASKED)

    def is_content(self, now: float) -> bool:
        """Whether the nearest have all answered, less those that are asked last: enough for who has what he wants."""
        counting = [one for one in self._ranked()[0] if not _is_slow(one, now)][: self.wanted]
        return bool(counting) and all(one.state is _Is.HEARD for one in counting)

    def slow(self, now: float) -> tuple[Peer, ...]:
        """Who has not answered for a second."""
        return tuple(one.peer for one in self._candidates.values() if _is_slow(one, now))

    def next_at(self, now: float) -> float:
        """When a question that is out becomes slow; infinite when none does."""
        times = (one.asked_at + SLOW_S for one in self._in_state(_Is.ASKED) if not _is_slow(one, now))
        return min(times, default=float("inf"))

    def nearest(self, count: int) -> tuple[Peer, ...]:
        """The nearest peers that did not fail, nearest first, whether they were asked or not."""
        first, last = self._ranked()
        return tuple(one.peer for one in (first + last)[:count])

    def heard(self) -> tuple[PeerId, ...]:
        """Who has answered, nearest first."""
        return tuple(one.peer.id for one in self._in_state(_Is.HEARD))

    def _counting(self, now: float) -> list[_Candidate]:
        """The nearest `wanted` of those who live; a slow one is left out until it answers."""
        first, last = self._ranked()
        return [one for one in first + last if not _is_slow(one, now)][: self.wanted]

    def _ranked(self) -> tuple[list[_Candidate], list[_Candidate]]:
        """Those who did not fail, by distance; and those of crowded networks, or who failed lately, who come last."""
        first: list[_Candidate] = []
        last: list[_Candidate] = []
        crowd: Counter[str] = Counter()
        for one in self._candidates.values():
            if one.state is _Is.FAILED:
                continue
            is_shunned = one.state is not _Is.HEARD and one.peer.id in self._shunned
            if is_shunned or any(crowd[place] >= NETWORK_MAX for place in one.places):
                last.append(one)
                continue
            crowd.update(one.places)
            first.append(one)
        return first, last

    def _in_state(self, state: _Is) -> list[_Candidate]:
        return [one for one in self._candidates.values() if one.state is state]


def _is_slow(one: _Candidate, now: float) -> bool:
    return one.state is _Is.ASKED and now >= one.asked_at + SLOW_S
