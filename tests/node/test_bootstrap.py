"""Whom a node asks first to come into the DHT, and whom it keeps for the next start."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from lab.network import open_network
from node import bootstrap, config
from node.bootstrap import Bootstrap
from node.ground import Ground
from node.introductions import Introductions
from node.lookup import Provider
from node.network import Address, PeerId, peer_text
from protocol.faults import Unavailable
from store import peers
from store.database import Database
from tests.store import kit

HERE, THERE = Address("/ip4/192.0.2.1/tcp/4001"), Address("/ip4/192.0.2.2/tcp/4001")
ONE, TWO = PeerId(b"1" * 32), PeerId(b"2" * 32)


@dataclass
class State:
    is_serving: bool = False
    peers: int = 0
    records: int = 0
    answered_s: float | None = None


@dataclass
class FakeDht:
    """A Dht that only notes what it is told."""

    told: State = field(default_factory=State)
    noted: list[tuple[float, PeerId, tuple[Address, ...]]] = field(default_factory=list)
    reached: list[bool] = field(default_factory=list)
    answered: tuple[Provider, ...] = ()

    def note_peer(self, peer: PeerId, addresses: Sequence[Address]) -> None:
        self.noted.append((trio.current_time(), peer, tuple(addresses)))

    def note_reachability(self, is_reachable: bool) -> None:
        self.reached.append(is_reachable)

    def peers(self, count: int) -> tuple[Provider, ...]:
        return self.answered[:count]

    def state(self) -> State:
        return self.told

    async def run(self) -> None:
        await trio.sleep_forever()

    async def put(self, key: bytes, record: bytes) -> int:
        raise Unavailable

    async def get(self, key: bytes) -> bytes | None:
        raise Unavailable

    async def provide(self, key: bytes) -> int:
        raise Unavailable

    async def find(self, key: bytes) -> tuple[Provider, ...]:
        raise Unavailable


@dataclass
class Way:
    """A way into a fake DHT, which runs."""

    bootstrap: Bootstrap
    dht: FakeDht
    database: Database
    modes: list[str]
    reach: list[bool | None]


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with (
        kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana,
        open_network(seed=1) as sim,
        trio.open_nursery() as nursery,
    ):
        dht, modes, reach = FakeDht(), list[str](), list[bool | None]([None])
        ground = Ground(lambda: kit.START_MS, lambda _: ana.entropy, None, None)  # type: ignore[arg-type]
        introductions = Introductions(sim.node("ana", b"a" * 32))
        opened = Bootstrap(ground, ana.database, dht, modes.append, lambda: reach[-1], introductions, values())
        nursery.start_soon(opened.run)
        yield Way(opened, dht, ana.database, modes, reach)
        nursery.cancel_scope.cancel()


def values(**changed: str) -> Mapping[str, config.Value]:
    return config.effective({name.replace("_", "."): value for name, value in changed.items()})


async def test_while_few_are_known_all_are_named_again_and_again(way: Way, autojump_clock: MockClock) -> None:
    await way.database.transact(peers.remember, [peers.Peer(TWO, (THERE,))], 1)
    await trio.sleep(1)
    way.bootstrap.turn(values(dht_bootstrap=f"{HERE}/p2p/{peer_text(ONE)}"))
    await trio.sleep(300)
    assert {noted[1:] for noted in way.dht.noted} == {(ONE, (HERE,)), (TWO, (THERE,))}
    at = [time for time, peer, _ in way.dht.noted if peer == ONE]
    assert [round(later - at[0]) for later in at[:6]] == [0, 2, 5, 10, 30, 90]
    assert way.dht.noted[-1][1] == ONE, "who was set by hand is kept longest"


async def test_whoever_made_an_invitation_is_asked_at_once(way: Way, autojump_clock: MockClock) -> None:
    await trio.sleep(30)
    before = trio.current_time()
    way.bootstrap.meet(TWO, (THERE,))
    await trio.sleep(0.1)
    assert (before, TWO, (THERE,)) in way.dht.noted


async def test_when_enough_are_known_those_that_answered_are_kept(way: Way, autojump_clock: MockClock) -> None:
    way.dht.told = State(peers=bootstrap.FEW)
    way.dht.answered = (Provider(ONE, (HERE,)), Provider(TWO, (THERE,)))
    await trio.sleep(100)
    assert way.dht.noted == []
    assert await way.database.transact(peers.remembered) == (peers.Peer(ONE, (HERE,)), peers.Peer(TWO, (THERE,)))


async def test_the_mode_is_switched_at_once_and_off_asks_nobody(way: Way, autojump_clock: MockClock) -> None:
    await way.database.transact(peers.remember, [peers.Peer(TWO, (THERE,))], 1)
    way.bootstrap.turn(values(dht_mode="off"))
    assert way.modes[-1] == "off"
    assert "switched off" in way.bootstrap.why_not()
    await trio.sleep(1)
    way.dht.noted.clear()
    await trio.sleep(600)
    assert way.dht.noted == []
    way.bootstrap.turn(values(dht_mode="client"))
    await trio.sleep(1)
    assert way.modes[-1] == "client"
    assert way.dht.noted


async def test_how_we_are_reached_is_told_when_it_changes(way: Way, autojump_clock: MockClock) -> None:
    await trio.sleep(100)
    assert way.dht.reached == []
    for reached in (False, False, True):
        way.reach.append(reached)
        await trio.sleep(61)
    assert way.dht.reached == [False, True]


async def test_why_the_dht_is_of_no_use_is_said(way: Way, autojump_clock: MockClock) -> None:
    assert "no peer answered yet" in way.bootstrap.why_not()
    way.dht.told = State(answered_s=10.0)
    assert "any more" in way.bootstrap.why_not()
    way.dht.told = State(peers=1)
    assert way.bootstrap.why_not() == ""
