"""The promises of node/network.py, kept alike by the simulated network and by libp2p over loopback sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
import trio

from crypto.faults import Malformed
from lab import network as lab_network
from node.network import (
    STREAMS_INBOUND_MAX,
    STREAMS_OUTBOUND_MAX,
    Address,
    Link,
    Network,
    PeerId,
    Stream,
    parts_of,
)
from protocol.faults import Unavailable

ECHO = "/echo/1"
SINK = "/sink/1"
ALICE, BOB, EVE = b"a" * 32, b"b" * 32, b"e" * 32
PATIENCE_S = 20  # for anything that must end; a test never waits that long unless it fails


@dataclass(frozen=True)
class Two:
    """Alice, who dials, Bob, who listens and serves ECHO and SINK, and Eve, who listens nowhere yet."""

    alice: Network
    bob: Network
    eve: Network
    bob_address: Address


@asynccontextmanager
async def open_simulated() -> AsyncIterator[Two]:
    async with lab_network.open_network(seed=1) as sim:
        sim.notice_s = 0.2
        alice, bob, eve = sim.node("alice", ALICE), sim.node("bob", BOB), sim.node("eve", EVE)
        yield await introduced(alice, bob, eve, sim.address("bob"))


@asynccontextmanager
async def open_real() -> AsyncIterator[Two]:
    from node import host  # imports libp2p: 2.2 s that the simulated half does not need

    async with host.open_host(ALICE) as alice, host.open_host(BOB) as bob, host.open_host(EVE) as eve:
        yield await introduced(alice, bob, eve, Address("/ip4/127.0.0.1/tcp/0"))


async def introduced(alice: Network, bob: Network, eve: Network, address: Address) -> Two:
    bob.serve([ECHO], echo)
    bob.serve([SINK], wait_for_ever)
    (bound,) = await bob.listen([address])
    return Two(alice, bob, eve, bound)


@pytest.fixture(params=["simulated", pytest.param("libp2p", marks=pytest.mark.socket)])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    async with open_simulated() if request.param == "simulated" else open_real() as both:
        yield both


async def echo(protocol: str, stream: Stream) -> None:
    stream.vouch()  # a stranger may not say much
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


async def wait_for_ever(protocol: str, stream: Stream) -> None:
    stream.vouch()
    await trio.sleep_forever()


async def receive_exactly(stream: Stream, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = await stream.receive_some(count - len(received))
        assert data, "the stream ended too early"
        received += data
    return received


async def test_bytes_come_back_in_order_and_whole(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, two.bob.peer)
        stream = await link.open(ECHO)
        assert (link.peer, link.address, stream.peer) == (two.bob.peer, two.bob_address, two.bob.peer)
        sent = bytes(range(256)) * 4096  # 1 MiB: more than every window and buffer between them
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, sent)
            assert await receive_exactly(stream, len(sent)) == sent


async def test_a_host_knows_its_own_peer_id_and_where_it_can_be_dialled(two: Two) -> None:
    assert (len(two.alice.peer), len(two.bob.peer)) == (32, 32)
    assert two.alice.peer != two.bob.peer
    assert two.bob.addresses() == (two.bob_address,)
    assert two.alice.addresses() == ()


async def test_the_accepting_side_sees_who_dialled(two: Two) -> None:
    seen: list[PeerId] = []

    async def note(protocol: str, stream: Stream) -> None:
        assert protocol == "/note/1"
        seen.append(stream.peer)

    two.bob.serve(["/note/1"], note)
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        stream = await link.open("/note/1")
        assert await stream.receive_some(10) == b""  # the accept returned, so the stream is closed
    assert seen == [two.alice.peer]


async def test_what_is_no_longer_served_is_refused(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        stream = await link.open(ECHO)
        two.bob.unserve([ECHO])
        with pytest.raises(Unavailable):
            await link.open(ECHO)
        await stream.send_all(b"the open one goes on")
        assert await stream.receive_some(4) == b"the "
        two.bob.serve([ECHO], echo)
        await link.open(ECHO)


async def test_whoever_answers_is_taken_when_nobody_is_expected(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
    assert link.peer == two.bob.peer


async def test_another_peer_than_the_expected_one_is_refused(two: Two) -> None:
    with trio.fail_after(PATIENCE_S), pytest.raises(Unavailable):
        await two.alice.dial(two.bob_address, two.eve.peer)


async def test_our_own_address_is_refused(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        with pytest.raises(Unavailable):
            await two.bob.dial(two.bob_address, None)
        with pytest.raises(Unavailable):
            await two.bob.dial(two.bob_address, two.bob.peer)


async def test_an_address_where_nobody_listens_is_unavailable(two: Two) -> None:
    ip, port = parts_of(two.bob_address)
    with trio.fail_after(PATIENCE_S), pytest.raises(Unavailable):
        await two.alice.dial(Address(f"/ip4/{ip}/tcp/{port - 1 if port > 1 else 2}"), None)


@pytest.mark.parametrize(
    "text", ["", "/ip4/127.0.0.1", "/ip4/x/tcp/1", "/ip4/127.0.0.1/tcp/99999", "/ip4/1.2.3.4/udp/1"]
)
async def test_what_is_no_address_is_malformed(two: Two, text: str) -> None:
    with pytest.raises(Malformed):
        await two.alice.dial(Address(text), None)


async def test_a_protocol_that_is_not_served_is_unavailable_and_the_link_lives(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        with pytest.raises(Unavailable):
            await link.open("/nobody/1")
        stream = await link.open(ECHO)
        await stream.send_all(b"still here")
        assert await receive_exactly(stream, 10) == b"still here"


async def test_what_was_sent_before_a_close_arrives_and_then_the_end(two: Two) -> None:
    async def three_words(protocol: str, stream: Stream) -> None:
        await stream.send_all(b"one two three")
        await stream.aclose()
        await stream.aclose()  # once more does nothing

    two.bob.serve(["/words/1"], three_words)
    with trio.fail_after(PATIENCE_S):
        stream = await (await two.alice.dial(two.bob_address, None)).open("/words/1")
        assert await receive_exactly(stream, 13) == b"one two three"
        assert await stream.receive_some(10) == b""
        assert await stream.receive_some(10) == b""


async def test_a_closed_stream_neither_sends_nor_receives(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        stream = await (await two.alice.dial(two.bob_address, None)).open(ECHO)
        await stream.aclose()
        with pytest.raises(Unavailable):
            await stream.send_all(b"x")
        with pytest.raises(Unavailable):
            await stream.receive_some(1)


async def test_sending_to_a_peer_that_closed_fails_soon(two: Two) -> None:
    async def leave(protocol: str, stream: Stream) -> None:
        return

    two.bob.serve(["/leave/1"], leave)
    with trio.fail_after(PATIENCE_S):
        stream = await (await two.alice.dial(two.bob_address, None)).open("/leave/1")
        with pytest.raises(Unavailable):
            await send_until_cancelled(stream)


async def test_a_slow_reader_slows_its_sender_and_loses_nothing(two: Two) -> None:
    """Also the promise that no reader pause breaks a stream: libp2p's own Yamux resets it after 5 s."""
    gate, ended = trio.Event(), trio.Event()
    received: list[int] = []

    async def late(protocol: str, stream: Stream) -> None:
        stream.vouch()
        await gate.wait()
        while data := await stream.receive_some(65_536):
            received.append(len(data))
        ended.set()

    two.bob.serve(["/late/1"], late)
    with trio.fail_after(PATIENCE_S):
        stream = await (await two.alice.dial(two.bob_address, None)).open("/late/1")
        sent = 0
        with trio.move_on_after(0.3):
            while True:
                await stream.send_all(bytes(10_000))
                sent += 10_000
        assert 0 < sent < 4_000_000  # it stopped: the memory on both sides is bounded
        gate.set()
        await stream.aclose()
        await ended.wait()
    assert sent <= sum(received) <= sent + 10_000  # the cancelled send may have got through, in part


async def test_a_cancelled_receive_loses_nothing_and_a_cancelled_send_spares_the_link(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        stalled = await link.open(SINK)
        with trio.move_on_after(0.1):
            while True:
                await stalled.send_all(bytes(65_507))
        await stalled.aclose()
        stream = await link.open(ECHO)
        with trio.move_on_after(0.02):
            await stream.receive_some(10)
        await stream.send_all(b"hello")
        assert await receive_exactly(stream, 5) == b"hello"


async def test_streams_of_one_link_do_not_wait_for_each_other(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        stalled = await link.open(SINK)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_until_cancelled, stalled)
            await trio.sleep(0.1)
            stream = await link.open(ECHO)
            await stream.send_all(b"overtakes")
            assert await receive_exactly(stream, 9) == b"overtakes"
            nursery.cancel_scope.cancel()


async def send_until_cancelled(stream: Stream) -> None:
    while True:
        await stream.send_all(bytes(65_507))


async def test_a_closed_link_ends_its_streams_at_both_ends(two: Two) -> None:
    ended = trio.Event()

    async def until_the_end(protocol: str, stream: Stream) -> None:
        try:
            while await stream.receive_some(1000):
                pass
        finally:
            ended.set()

    two.bob.serve(["/end/1"], until_the_end)
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        stream = await link.open("/end/1")
        await link.aclose()
        await link.aclose()
        await link.closed()
        with pytest.raises(Unavailable):
            await stream.send_all(b"x")
        with pytest.raises(Unavailable):
            await link.open(ECHO)
        await ended.wait()


async def test_what_was_sent_before_the_link_was_closed_arrives(two: Two) -> None:
    received: list[bytes] = []
    ended = trio.Event()

    async def collect(protocol: str, stream: Stream) -> None:
        try:
            while data := await stream.receive_some(65_536):
                received.append(data)
        finally:
            ended.set()

    two.bob.serve(["/collect/1"], collect)
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        stream = await link.open("/collect/1")
        await stream.send_all(bytes(100_000))
        await link.aclose()
        await ended.wait()
    assert sum(map(len, received)) == 100_000


async def test_a_fault_in_an_accept_closes_its_stream_and_nothing_else(two: Two) -> None:
    async def faulty(protocol: str, stream: Stream) -> None:
        async with trio.open_nursery():  # wraps it in a group
            raise Malformed("for the test")

    two.bob.serve(["/faulty/1"], faulty)
    with trio.fail_after(PATIENCE_S):
        link = await two.alice.dial(two.bob_address, None)
        other = await link.open(ECHO)
        stream = await link.open("/faulty/1")
        with suppress(Unavailable):  # a reset says the same as the end
            assert await stream.receive_some(1) == b""
        await other.send_all(b"alive")
        assert await receive_exactly(other, 5) == b"alive"


async def test_streams_towards_a_peer_are_counted_over_all_links(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        links = [await two.alice.dial(two.bob_address, None) for _ in range(2)]
        streams = [await links[place % 2].open(SINK) for place in range(STREAMS_INBOUND_MAX)]
        with pytest.raises(Unavailable):
            await links[0].open(SINK)
        await links[1].aclose()
        await streams[0].aclose()
    assert STREAMS_OUTBOUND_MAX > STREAMS_INBOUND_MAX


async def test_two_links_between_the_same_two_live_side_by_side(two: Two) -> None:
    with trio.fail_after(PATIENCE_S):
        links: list[Link] = [await two.alice.dial(two.bob_address, two.bob.peer) for _ in range(2)]
        await links[0].aclose()
        stream = await links[1].open(ECHO)
        await stream.send_all(b"second")
        assert await receive_exactly(stream, 6) == b"second"


async def test_listening_nowhere_is_unavailable_and_everywhere_has_addresses(two: Two) -> None:
    with pytest.raises(Unavailable):
        await two.eve.listen([])
    with pytest.raises(Unavailable):
        await two.eve.listen([Address("/ip4/203.0.113.7/tcp/4001")])  # not an address of this host
    bound = await two.eve.listen([Address("/ip4/203.0.113.7/tcp/4001"), Address("/ip4/0.0.0.0/tcp/0")])
    assert len(bound) == 1
    assert two.eve.addresses()
    assert all(not parts_of(address)[0].is_unspecified for address in two.eve.addresses())
