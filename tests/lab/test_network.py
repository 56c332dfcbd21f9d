"""The simulated network's misfortunes, each by itself, and that a seed repeats them."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from lab import network
from lab.network import SimHost, SimNetwork
from node.network import Address, Stream
from protocol.faults import Unavailable

ECHO = "/echo/1"
ALICE, BOB, CAROL = b"a" * 32, b"b" * 32, b"c" * 32
HOUR_S = 3600


@dataclass(frozen=True)
class Town:
    """Alice and Bob on a network; Bob echoes."""

    sim: SimNetwork
    alice: SimHost
    bob: SimHost

    async def echoing(self) -> Stream:
        """Returns a new stream on a new link from Alice to Bob."""
        return await (await self.alice.dial(self.sim.address("bob"), self.bob.peer)).open(ECHO)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with network.open_network(seed=3) as sim:
        alice, bob = sim.node("alice", ALICE), sim.node("bob", BOB)
        await listen_and_echo(sim, bob)
        yield Town(sim, alice, bob)


async def listen_and_echo(sim: SimNetwork, listener: SimHost) -> None:
    listener.serve([ECHO], echo)
    await listener.listen([sim.address(listener.name)])


async def echo(protocol: str, stream: Stream) -> None:
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


async def answered(stream: Stream, word: bytes) -> bool:
    """Whether Bob echoes a word before the link is given up."""
    try:
        await stream.send_all(word)
        return await stream.receive_some(100) == word
    except Unavailable:
        return False


async def test_addresses_belong_to_names_for_ever(autojump_clock: MockClock, town: Town) -> None:
    assert town.sim.address("alice") == Address("/ip4/10.0.0.1/tcp/4001")
    assert town.sim.address("bob") == Address("/ip4/10.0.0.2/tcp/4001")
    again = town.sim.node("alice", CAROL)
    await again.listen([Address("/ip4/0.0.0.0/tcp/0")])
    assert again.addresses() == (town.sim.address("alice"),)


async def test_a_round_trip_takes_as_long_as_the_delay_says(autojump_clock: MockClock, town: Town) -> None:
    stream = await town.echoing()
    town.sim.delay = (0.2, 0.4)
    spans = []
    for _ in range(20):
        began = trio.current_time()
        assert await answered(stream, b"x")
        spans.append(trio.current_time() - began)
    assert min(spans) >= 0.4
    assert max(spans) <= 0.8 + 1e-9
    assert max(spans) - min(spans) > 0.1


async def test_streams_overtake_each_other_but_bytes_of_one_do_not(autojump_clock: MockClock, town: Town) -> None:
    arrived: list[bytes] = []

    async def note(protocol: str, stream: Stream) -> None:
        while data := await stream.receive_some(1):
            arrived.append(data)

    town.bob.serve(["/note/1"], note)
    town.sim.delay = (0.01, 1.0)
    link = await town.alice.dial(town.sim.address("bob"), None)
    first, second = await link.open("/note/1"), await link.open("/note/1")
    for number in range(20):
        await first.send_all(bytes([number]))
        await second.send_all(bytes([100 + number]))
    await trio.sleep(60)
    assert [byte for byte in arrived if byte < bytes([100])] == [bytes([number]) for number in range(20)]
    assert [byte for byte in arrived if byte >= bytes([100])] == [bytes([100 + number]) for number in range(20)]
    assert arrived != sorted(arrived, key=lambda byte: byte[0] % 100)


async def test_a_short_cut_only_delays(autojump_clock: MockClock, town: Town) -> None:
    stream = await town.echoing()
    await stream.send_all(b"under way")
    town.sim.cut("alice", "bob")
    await stream.send_all(b", later")
    with trio.move_on_after(network.NOTICE_S - 1):
        await stream.receive_some(100)
        pytest.fail("it got through a cut cable")
    town.sim.heal("bob", "alice")
    received = b""
    while received != b"under way, later":
        received += await stream.receive_some(100)


async def test_a_long_cut_is_noticed_at_both_ends_after_15_s(autojump_clock: MockClock, town: Town) -> None:
    ended: list[float] = []

    async def until_gone(protocol: str, stream: Stream) -> None:
        try:
            await stream.receive_some(1)
        finally:
            ended.append(trio.current_time())

    town.bob.serve(["/wait/1"], until_gone)
    link = await town.alice.dial(town.sim.address("bob"), None)
    await link.open("/wait/1")
    began = trio.current_time()
    town.sim.cut("alice", "bob")
    await link.closed()
    await trio.testing.wait_all_tasks_blocked()
    assert trio.current_time() - began == pytest.approx(network.NOTICE_S)
    assert ended == [pytest.approx(began + network.NOTICE_S)]
    town.sim.heal("alice", "bob")
    with pytest.raises(Unavailable):
        await link.open(ECHO)  # it was given up
    assert await answered(await town.echoing(), b"anew")


async def test_a_dial_over_a_cut_cable_hangs_until_it_is_mended_or_given_up(
    autojump_clock: MockClock, town: Town
) -> None:
    town.sim.cut("alice", "bob")
    began = trio.current_time()
    with pytest.raises(Unavailable):
        await town.echoing()
    assert trio.current_time() - began == pytest.approx(network.NOTICE_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(town.echoing)
        await trio.sleep(5)
        town.sim.heal_all()


async def test_a_partition_cuts_between_groups_only(autojump_clock: MockClock, town: Town) -> None:
    carol = town.sim.node("carol", CAROL)
    await listen_and_echo(town.sim, carol)
    town.sim.partition(["alice", "bob"], ["carol"])
    assert await answered(await town.echoing(), b"inside")
    for dialler in (town.alice, town.bob):
        with pytest.raises(Unavailable):
            await dialler.dial(town.sim.address("carol"), None)
    town.sim.heal_all()
    await town.bob.dial(town.sim.address("carol"), carol.peer)


async def test_a_killed_host_is_gone_at_once_and_its_peers_learn_it(autojump_clock: MockClock, town: Town) -> None:
    serving = trio.Event()
    cancelled = trio.Event()

    async def busy(protocol: str, stream: Stream) -> None:
        serving.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    town.bob.serve(["/busy/1"], busy)
    link = await town.alice.dial(town.sim.address("bob"), None)
    stream = await link.open("/busy/1")
    await serving.wait()
    town.sim.kill("bob")
    await cancelled.wait()
    with pytest.raises(Unavailable):
        await stream.receive_some(1)
    await link.closed()
    with pytest.raises(Unavailable):
        await town.alice.dial(town.sim.address("bob"), None)
    with pytest.raises(Unavailable):
        await town.bob.dial(town.sim.address("alice"), None)


async def test_a_host_killed_behind_a_cut_is_missed_only_after_15_s(autojump_clock: MockClock, town: Town) -> None:
    link = await town.alice.dial(town.sim.address("bob"), None)
    town.sim.cut("alice", "bob")
    began = trio.current_time()
    town.sim.kill("bob")
    await link.closed()
    assert trio.current_time() - began == pytest.approx(network.NOTICE_S)


async def test_a_restart_takes_the_address_with_the_same_key_or_another(autojump_clock: MockClock, town: Town) -> None:
    for seed in (BOB, CAROL):
        bob = town.sim.node("bob", seed)
        await listen_and_echo(town.sim, bob)
        link = await town.alice.dial(town.sim.address("bob"), bob.peer)
        assert (link.peer == town.bob.peer) == (seed == BOB)
        assert await answered(await link.open(ECHO), b"back")


async def test_loss_breaks_links_for_good_and_each_end_learns_it_by_itself(
    autojump_clock: MockClock, town: Town
) -> None:
    rounds = 0
    for _ in range(20):
        town.sim.loss = 0.0
        stream = await town.echoing()
        town.sim.loss = 0.05
        while await answered(stream, b"x" * 10):
            rounds += 1
        assert not await answered(stream, b"again")
    assert 20 < rounds < 20 * 40  # about ten round trips each: two pieces, each lost with one in twenty


async def test_no_more_than_a_window_is_under_way(autojump_clock: MockClock, town: Town) -> None:
    async def never_reads(protocol: str, stream: Stream) -> None:
        await trio.sleep_forever()

    town.bob.serve(["/stuck/1"], never_reads)
    stream = await (await town.alice.dial(town.sim.address("bob"), None)).open("/stuck/1")
    sent = 0
    with trio.move_on_after(HOUR_S):
        while True:
            await stream.send_all(bytes(1000))
            sent += 1000
    assert 256 * 1024 <= sent <= 257 * 1024


async def test_a_replaying_stranger_plays_what_alice_sent(autojump_clock: MockClock, town: Town) -> None:
    heard: list[tuple[bytes, bytes]] = []

    async def note(protocol: str, stream: Stream) -> None:
        heard.append((stream.peer, await stream.receive_some(100)))

    town.bob.serve(["/note/1"], note)
    town.sim.replay = 1.0
    stream = await (await town.alice.dial(town.sim.address("bob"), None)).open("/note/1")
    await stream.send_all(b"once")
    await trio.sleep(1)
    await stream.aclose()
    await trio.sleep(60)
    assert [word for _, word in heard] == [b"once", b"once"]
    assert heard[0][0] == town.alice.peer != heard[1][0]


async def test_an_observer_sees_who_sends_what_to_whom(autojump_clock: MockClock, town: Town) -> None:
    stream = await town.echoing()
    town.sim.tap = []
    assert await answered(stream, b"seen")
    assert [entry[1:] for entry in town.sim.tap] == [("alice", "bob", b"seen"), ("bob", "alice", b"seen")]


async def test_a_bug_in_an_accept_is_not_hidden(autojump_clock: MockClock) -> None:
    async def buggy(protocol: str, stream: Stream) -> None:
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError):
        async with network.open_network(seed=1) as sim:
            bob = sim.node("bob", BOB)
            bob.serve(["/bug/1"], buggy)
            await bob.listen([sim.address("bob")])
            link = await sim.node("alice", ALICE).dial(sim.address("bob"), None)
            await link.open("/bug/1")
            await trio.sleep_forever()


async def rough_day(seed: int) -> str:
    """Returns a hash of all that three hosts sent each other on a bad network."""
    transcript = hashlib.sha256()
    async with network.open_network(seed) as sim:
        sim.delay, sim.loss, sim.replay, sim.tap = (0.01, 0.2), 0.02, 0.2, []
        hosts = [sim.node(name, name.encode().ljust(32)) for name in ("alice", "bob", "carol")]
        for host in hosts:
            await listen_and_echo(sim, host)

        async def chatter(host: SimHost, number: int) -> None:
            chance = random.Random(number)
            while True:
                await trio.sleep(chance.uniform(0, 2))
                other = chance.choice([other for other in hosts if other is not host])
                try:
                    stream = await (await host.dial(sim.address(other.name), None)).open(ECHO)
                    for _ in range(chance.randrange(5)):
                        await stream.send_all(chance.randbytes(chance.randrange(2000)))
                        await stream.receive_some(1000)
                    await stream.aclose()
                except Unavailable:
                    pass

        async with trio.open_nursery() as nursery:
            for number, host in enumerate(hosts):
                nursery.start_soon(chatter, host, number)
            for _ in range(5):
                await trio.sleep(10)
                sim.cut("alice", "bob")
                await trio.sleep(10)
                sim.heal_all()
            nursery.cancel_scope.cancel()
        for entry in sim.tap:
            transcript.update(repr(entry).encode())
        assert len(sim.tap) > 200
    return transcript.hexdigest()


def repeatable(seed: int) -> str:
    """Runs rough_day with trio's own scheduler seeded, as worlds do."""
    core = sys.modules["trio._core._run"]
    core._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[attr-defined]
    core._r.seed(seed)
    return trio.run(rough_day, seed, clock=MockClock(autojump_threshold=0))


@pytest.mark.process
def test_a_seed_repeats_everything_under_any_hash_seed() -> None:
    """Two processes with different PYTHONHASHSEED see the same bytes at the same times; another seed, others."""
    code = "from tests.lab.test_network import repeatable; print(repeatable(7), repeatable(8))"
    root = Path(network.__file__).parent.parent
    seen = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)},
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for hash_seed in ("1", "2")
    ]
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]


async def test_a_machine_may_have_several_hosts_and_each_answers_at_its_own_port() -> None:
    async with network.open_network(seed=5) as sim, sim.open_host("alice", ALICE) as alice:
        async with sim.open_host("bob", BOB) as first, sim.open_beside("bob", CAROL) as second:
            for number, host in enumerate((first, second)):

                async def answer(_: str, stream: Stream, peer: bytes = host.peer) -> None:
                    await stream.send_all(peer)

                host.serve((ECHO,), answer)
                await host.listen((Address("/ip4/0.0.0.0/tcp/0"),))
                (there,) = host.addresses()
                assert there.endswith(f"/tcp/{4001 + number}")
                stream = await (await alice.dial(there, host.peer)).open(ECHO)
                assert await stream.receive_some(32) == host.peer
        with pytest.raises(Unavailable):
            await alice.dial(there, None)
