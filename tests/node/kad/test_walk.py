"""A walk among simulated peers: it comes to the nearest that live, asks few, waits for nobody, passes a ring by."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.kad import space
from node.kad.messages import Peer
from node.kad.table import NETWORK_PER_TABLE_MAX
from node.kad.walk import ASKED_MAX, CANDIDATES_MAX, NETWORK_MAX, OUT_MAX, SLOW_S, Walk
from node.network import Address, PeerId
from tests.node.kad.test_table import peer

OWN = PeerId(b"o" * 32)


@dataclass
class Net:
    """Peers that each know some others; how long each takes to answer, None for never."""

    peers: list[Peer]
    known: dict[PeerId, list[Peer]]
    takes_s: dict[PeerId, float | None]
    asked: list[PeerId] = field(default_factory=list)
    now: float = 0.0

    def answer(self, who: Peer, target: int) -> list[Peer]:
        return sorted(self.known[who.id], key=lambda one: space.position_of(one.id) ^ target)[:20]

    def nearest_alive(self, target: int, count: int) -> list[PeerId]:
        alive = [one for one in self.peers if self.takes_s[one.id] is not None]
        return [one.id for one in sorted(alive, key=lambda one: space.position_of(one.id) ^ target)[:count]]


def net(count: int, seed: int, dead: float = 0.0, refuses: bool = True) -> Net:
    """Each peer knows the 20 nearest to itself and 20 others."""
    random = Random(seed)
    every = [peer(number) for number in random.sample(range(1, 60_000), count)]
    known = {}
    for one in every:
        at = space.position_of(one.id)
        near = sorted(every, key=lambda other: space.position_of(other.id) ^ at)[1:21]
        known[one.id] = [*near, *random.sample(every, min(20, count))]
    takes: dict[PeerId, float | None] = {one.id: random.uniform(0.01, 0.3) for one in every}
    for one in random.sample(every, int(dead * count)):
        takes[one.id] = None
    return Net(every, known, takes)


def go(walk: Walk, among: Net, target: int, patience_s: float = 60.0, fails_s: float = 5.0) -> float:
    """Walks to the end; returns how long it took."""
    due: list[tuple[float, int, Peer, bool]] = []
    count = 0
    while not walk.is_settled(among.now):
        for one in walk.begin(among.now):
            among.asked.append(one.id)
            takes = among.takes_s[one.id]
            heapq.heappush(due, (among.now + (fails_s if takes is None else takes), count, one, takes is not None))
            count += 1
        if walk.is_settled(among.now):
            break
        assert due, "nobody is asked and it is not over"
        wakes = walk.next_at(among.now)
        assert wakes > among.now, "it wakes for nothing"
        if wakes < due[0][0]:
            among.now = wakes
            continue
        among.now, _, one, is_alive = heapq.heappop(due)
        if is_alive:
            walk.hear(one.id, among.answer(one, target))
        else:
            walk.fail(one.id)
        assert among.now < patience_s
    return among.now


@given(st.integers(0, 10_000), st.integers(0, 2**256 - 1), st.integers(1, 20))
def test_it_comes_to_the_nearest_that_live(seed: int, target: int, wanted: int) -> None:
    among = net(120, seed)
    walk = Walk(target, wanted, OWN)
    walk.learn(Random(seed).sample(among.peers, 3))
    go(walk, among, target)
    assert list(walk.heard())[:wanted] == among.nearest_alive(target, wanted)


@given(st.integers(0, 10_000), st.integers(0, 2**256 - 1))
def test_with_a_third_dead_it_comes_there_as_well(seed: int, target: int) -> None:
    among = net(120, seed, dead=0.3)
    walk = Walk(target, 4, OWN)
    walk.learn(Random(seed).sample(among.peers, 20))
    took_s = go(walk, among, target)
    assert set(among.nearest_alive(target, 4)) <= set(walk.heard())
    assert took_s < 12  # not five seconds for each dead one


def test_it_asks_few() -> None:
    counts = []
    for seed in range(20):
        among = net(200, seed)
        walk = Walk(seed << 240, 4, OWN)
        walk.learn(sorted(among.peers, key=lambda one: space.position_of(one.id) ^ seed << 240)[:20])
        go(walk, among, seed << 240)
        counts.append(len(among.asked))
    assert max(counts) <= 8


def test_who_is_slow_is_not_waited_for_and_counts_when_it_answers() -> None:
    among = net(60, 1)
    first, *_ = among.nearest_alive(0, 1)
    among.takes_s[first] = 4.0
    walk = Walk(0, 4, OWN)
    walk.learn(among.peers)
    assert go(walk, among, 0) < SLOW_S + 1
    assert first in [one.id for one in walk.slow(among.now)]
    walk.hear(first, ())
    assert walk.heard()[0] == first


def test_when_all_are_slow_it_still_ends_with_answers() -> None:
    among = net(60, 2)
    among.takes_s = dict.fromkeys(among.takes_s, 2.5)
    walk = Walk(0, 4, OWN)
    walk.learn(among.peers[:5])
    go(walk, among, 0)
    assert len(walk.heard()) >= 4


def test_when_all_are_dead_it_ends() -> None:
    among = net(60, 3, dead=1.0)
    walk = Walk(0, 4, OWN)
    walk.learn(among.peers)
    assert go(walk, among, 0, patience_s=120) < 120
    assert walk.heard() == ()


def test_questions_that_are_out_are_bounded() -> None:
    walk = Walk(0, 20, OWN)
    walk.learn(net(60, 4).peers)
    assert len(walk.begin(0.0)) == ASKED_MAX
    assert walk.begin(0.5) == ()
    assert len(walk.begin(SLOW_S)) == ASKED_MAX
    assert len(walk.begin(2 * SLOW_S)) == ASKED_MAX
    assert OUT_MAX == 3 * ASKED_MAX
    assert walk.begin(3 * SLOW_S) == ()


def test_a_flood_of_names_is_forgotten_but_for_the_nearest() -> None:
    walk = Walk(0, 4, OWN)
    named = [peer(number) for number in range(1, 2 * CANDIDATES_MAX)]
    walk.learn(named)
    kept = walk.nearest(10_000)
    assert len(kept) == CANDIDATES_MAX
    assert kept == tuple(sorted(named, key=lambda one: space.position_of(one.id))[:CANDIDATES_MAX])


def ring(target: int, count: int, addresses_of: Callable[[int], tuple[Address, ...]]) -> list[Peer]:
    """Hostile peers, ground so that they lie nearer to the target than others."""
    found = sorted(
        (peer(number) for number in range(10**6, 10**6 + 3000)), key=lambda p: space.position_of(p.id) ^ target
    )
    return [Peer(one.id, addresses_of(place)) for place, one in enumerate(found[:count])]


@pytest.mark.parametrize("shape", ["one address", "a made-up one before it"])
def test_a_ring_of_one_network_around_a_key_is_passed_by(shape: str) -> None:
    hostile_address = Address("/ip4/66.6.6.6/tcp/1")

    def addresses_of(place: int) -> tuple[Address, ...]:
        made_up = Address(f"/ip4/50.{place}.1.1/tcp/1")
        return (hostile_address,) if shape == "one address" else (made_up, hostile_address)

    among = net(100, 5)
    liars = ring(0, 20, addresses_of)
    in_tables = liars[:NETWORK_PER_TABLE_MAX]  # an honest table takes no more of one network
    among.known = {one: [*known, *in_tables] for one, known in among.known.items()}
    for liar in liars:
        among.known[liar.id] = liars
        among.takes_s[liar.id] = 0.01
    walk = Walk(0, 6, OWN)
    walk.learn(among.peers[:10] + liars)
    go(walk, among, 0)
    asked = [one for one in among.asked if one in {liar.id for liar in liars}]
    assert len(asked) <= NETWORK_MAX
    assert len(set(walk.heard()) & set(among.nearest_alive(0, 4))) == 4


def test_who_failed_lately_is_asked_last_but_asked() -> None:
    one, two = peer(1), peer(2)
    walk = Walk(space.position_of(one.id), 2, OWN, shunned={one.id})
    walk.learn([one, two])
    assert walk.begin(0.0) == (two, one)
    walk.hear(two.id, ())
    assert walk.is_content(0.1)
    assert not walk.is_settled(0.1)
