"""The guards around libp2p (node/guards.py): each one at work, and each reason for one still true of this libp2p.

When a test of the second half fails, a new libp2p has mended what the guard is for: take the guard away.
"""

import inspect
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import libp2p.network.connection.swarm_connection as swarm_connection
import pytest
import trio
import trio.testing
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.rsa import create_new_key_pair as create_rsa_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import DEFAULT_WINDOW_SIZE, Yamux
from libp2p.transport.tcp.tcp import TCP
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from crypto.faults import Malformed
from node import guards, guests, host
from node.network import Address, Stream, parts_of
from node.records import Socket
from protocol.faults import Unavailable

pytestmark = pytest.mark.socket

ALICE, BOB, STOCK = b"a" * 32, b"b" * 32, b"s" * 32
ECHO = "/echo/1"
LOOPBACK = Address("/ip4/127.0.0.1/tcp/0")
PATIENCE_S = 60  # for what must end; only a failing test waits so long


async def echo(protocol: str, stream: Stream) -> None:
    stream.vouch()  # a stranger may not say much
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[host.Host, Address]]:
    """Yields a host that serves ECHO, and its address."""
    with trio.fail_after(PATIENCE_S):
        async with host.open_host(BOB) as bob:
            assert isinstance(bob, host.Host)
            bob.serve([ECHO], echo)
            (address,) = await bob.listen([LOOPBACK])
            yield bob, address


@asynccontextmanager
async def stock_host() -> AsyncIterator[Any]:
    """Yields a host as libp2p makes it, with its own Noise records, Yamux and dialling."""
    keys = create_new_key_pair(STOCK)
    made = new_host(key_pair=keys, sec_opt={NOISE: Noise(keys, create_noise_key_pair().private_key)})
    async with made.run([Multiaddr(LOOPBACK)]):
        yield made


async def echoes(address: Address) -> None:
    """Asserts that a stranger can still dial this address and is answered."""
    async with host.open_host(ALICE) as alice:
        stream = await (await alice.dial(address, None)).open(ECHO)
        await stream.send_all(b"alive")
        assert await stream.receive_some(10) == b"alive"


async def test_a_bug_in_an_accept_ends_its_stream_only_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def buggy(protocol: str, stream: Stream) -> None:
        raise ZeroDivisionError("our bug")

    async with listening() as (bob, address), host.open_host(ALICE) as alice:
        bob.serve(["/bug/1"], buggy)
        link = await alice.dial(address, bob.peer)
        other = await link.open(ECHO)
        stream = await link.open("/bug/1")
        with pytest.raises(Unavailable):
            await stream.receive_some(1)
        await other.send_all(b"alive")
        assert await other.receive_some(10) == b"alive"
        await echoes(address)
    assert any(record.name == "weft.libp2p" and record.exc_info for record in caplog.records)


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("160301020001000"[:14]) + bytes(100),
    "zeros": bytes(1000),
    "a huge length": b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 1000,
    "hello, then nonsense": b"\x13/multistream/1.0.0\n" + b"\xff" * 500,
    "noise, then nonsense": b"\x13/multistream/1.0.0\n\x07/noise\n" + b"\x00\x20" + b"n" * 32 + b"\xff" * 300,
    "plaintext": b"\x13/multistream/1.0.0\n\x11/plaintext/2.0.0\n" + bytes(50),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_on_the_port_harms_nobody(garbage: bytes) -> None:
    async with listening() as (_, address):
        ip, port = parts_of(address)
        stream = await trio.open_tcp_stream(str(ip), port)
        await stream.send_all(garbage)
        with trio.move_on_after(0.1), suppress(trio.BrokenResourceError):
            while await stream.receive_some(1000):
                pass
        await stream.aclose()
        await echoes(address)


async def test_only_noise_is_spoken() -> None:
    async with listening() as (_, address):
        ip, port = parts_of(address)
        for offered in (b"/plaintext/2.0.0", b"/tls/1.0.0", b"/secio/1.0.0"):
            stream = await trio.open_tcp_stream(str(ip), port)
            await stream.send_all(b"\x13/multistream/1.0.0\n" + bytes([len(offered) + 1]) + offered + b"\n")
            answer = b""
            while not answer.endswith(b"na\n"):
                answer += await stream.receive_some(100)
            await stream.aclose()


@pytest.mark.parametrize("protocol", ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"])
async def test_no_identify_and_nothing_else_that_nobody_asked_for(protocol: str) -> None:
    async with listening() as (bob, address), host.open_host(ALICE) as alice:
        link = await alice.dial(address, bob.peer)
        with pytest.raises(Unavailable):
            await link.open(protocol)


async def test_libp2ps_own_host_speaks_with_ours_when_it_dials() -> None:
    async with listening() as (bob, address), stock_host() as stock:
        peer = guards.id_of(bob.peer)
        await stock.connect(PeerInfo(peer, [Multiaddr(address)]))
        stream = await stock.new_stream(peer, [TProtocol(ECHO)])
        await exchange(stream.write, stream.read)
        await stream.close()
        await stock.disconnect(peer)  # it would leave its socket open


async def test_libp2ps_own_host_speaks_with_ours_when_we_dial() -> None:
    async def serve(stream: Any) -> None:
        with suppress(Exception):  # the end of the stream, in several kinds
            while data := await stream.read(65_536):
                await stream.write(data)

    with trio.fail_after(PATIENCE_S):
        async with stock_host() as stock, host.open_host(ALICE) as alice:
            stock.set_stream_handler(TProtocol(ECHO), serve)
            address = Address(str(stock.get_addrs()[0]).partition("/p2p/")[0])
            link = await alice.dial(address, guards.peer_of(stock.get_id()))
            stream = await link.open(ECHO)
            await exchange(stream.send_all, stream.receive_some)
            await stream.aclose()
            await link.aclose()


async def exchange(send: Any, receive: Any) -> None:
    """Sends 2 MB in mixed sizes and asserts that they come back."""
    pieces = [bytes([place]) * size for place, size in enumerate((1, 100, 65_507, 70_000, 300_000, 500_000, 1_000_000))]
    received = bytearray()
    async with trio.open_nursery() as nursery:

        async def send_pieces() -> None:
            for piece in pieces:
                await send(piece)

        nursery.start_soon(send_pieces)
        while len(received) < sum(map(len, pieces)):
            received += await receive(65_536)
    assert received == b"".join(pieces)


async def test_a_dead_cable_is_noticed_by_the_kernel_on_both_sides() -> None:
    async with listening() as (bob, address), host.open_host(ALICE) as alice:
        await alice.dial(address, bob.peer)
        for side in (alice, bob):
            assert isinstance(side, host.Host)
            while not side._sessions:  # the accepting side may be a moment later
                await trio.lowlevel.checkpoint()
            (session,) = side._sessions
            wire = session.records.wire
            assert isinstance(wire, Socket)
            sock = wire.stream
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == guards.KEEPALIVE_S[0]
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == guards.USER_TIMEOUT_MS


async def test_one_address_cannot_take_every_slot() -> None:
    async with listening() as (_, address):
        ip, port = parts_of(address)
        for first_word, count_max in ((b"", guests.SILENT_MAX), (b"\x13", guests.STRANGERS_PER_PLACE_MAX)):
            idle = []
            for _ in range(count_max + 3):
                idle.append(await trio.open_tcp_stream(str(ip), port))
                await idle[-1].send_all(first_word)
            for gone in idle[:3]:
                with suppress(trio.BrokenResourceError):
                    while await gone.receive_some(100):
                        pass
            await echoes(address)
            for stream in idle:
                await stream.aclose()


async def test_a_port_that_is_taken_is_not_shared() -> None:
    async with listening() as (_, address), host.open_host(ALICE) as alice:
        with pytest.raises(Unavailable):
            await alice.listen([address])


async def test_what_libp2p_logs_shows_where_and_not_what(caplog: pytest.LogCaptureFixture) -> None:
    guards.quiet()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("libp2p.network.swarm").error("from 12D3KooWsecret: b'what a peer sent'")
    assert [record.name for record in caplog.records] == ["weft.libp2p"]
    assert "libp2p.network.swarm error at test_guards.py" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.process
def test_ctrl_c_ends_a_busy_host_cleanly() -> None:
    """A real process with ten streams and traffic gets SIGINT: nothing on stderr, nothing left hanging."""
    child = subprocess.Popen(
        [sys.executable, "-c", "from tests.node.test_guards import be_busy; be_busy()"],
        cwd=Path(host.__file__).parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "busy\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=PATIENCE_S)
    assert (out, err, child.returncode) == ("interrupted\n", "", 0)


def be_busy() -> None:
    """What that process runs."""

    async def talk_to_oneself() -> None:
        async with listening() as (bob, address), host.open_host(ALICE) as alice:
            link = await alice.dial(address, bob.peer)
            streams = [await link.open(ECHO) for _ in range(10)]
            print("busy", flush=True)
            while True:
                await streams[0].send_all(b"x")
                await streams[0].receive_some(1)

    async def until_interrupted() -> None:
        with trio.open_signal_receiver(signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(talk_to_oneself)
                await anext(signals)
                nursery.cancel_scope.cancel()
        print("interrupted")

    trio.run(until_interrupted)


def test_a_peer_id_is_an_ed25519_key_or_malformed() -> None:
    keys = create_new_key_pair(STOCK)
    own = ID.from_pubkey(keys.public_key)
    assert guards.peer_of(own) == keys.public_key.to_bytes()
    assert guards.id_of(guards.peer_of(own)) == own
    for other in (ID.from_pubkey(create_rsa_key_pair(2048).public_key), ID(b""), ID(own.to_bytes()[:-1])):
        with pytest.raises(Malformed):
            guards.peer_of(other)


# From here on: what libp2p does without the guards.


async def test_reason_libp2ps_host_dies_of_a_stream_handler() -> None:
    async def buggy(stream: Any) -> None:
        raise ZeroDivisionError

    async def meet_it() -> None:
        async with stock_host() as stock, host.open_host(ALICE) as alice:
            stock.set_stream_handler(TProtocol("/bug/1"), buggy)
            address = Address(str(stock.get_addrs()[0]).partition("/p2p/")[0])
            link = await alice.dial(address, None)
            with suppress(Unavailable):
                await link.open("/bug/1")
            await trio.sleep_forever()  # until the host takes us with it

    with trio.fail_after(PATIENCE_S), pytest.raises(BaseExceptionGroup):
        await meet_it()


async def test_reason_libp2ps_upgrader_refuses_an_unknown_peer() -> None:
    with pytest.raises(ValueError, match="peer_id must be provided"):
        await TransportUpgrader({}, {}).upgrade_security(RawConnection(None, True), True, None)  # type: ignore[arg-type]


class Script:
    """A secured connection that gives libp2p's Yamux prepared bytes and then nothing."""

    is_initiator = False

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self, n: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.data:
            await trio.sleep_forever()
        data, self.data = self.data[:n], self.data[n:]
        return data

    async def write(self, _data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        return


async def test_reason_libp2ps_yamux_keeps_no_window() -> None:
    count = 2 * DEFAULT_WINDOW_SIZE
    flood = (
        bytes.fromhex("000100010000000100000000") + bytes.fromhex("0000000000000001") + count.to_bytes(4) + bytes(count)
    )
    muxer = Yamux(Script(flood), ID(b"x"), is_initiator=False)  # type: ignore[arg-type]
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(muxer.start)
            await trio.testing.wait_all_tasks_blocked()
            assert len(muxer.stream_buffers[1]) == count
            nursery.cancel_scope.cancel()


async def test_reason_libp2ps_sockets_have_no_keepalive() -> None:
    async with listening() as (_, address):
        raw: Any = await TCP().dial(Multiaddr(address))
        assert raw.stream.stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        await raw.close()


def test_reason_libp2ps_tcp_stream_reads_as_much_as_a_peer_says() -> None:
    assert "receive_some(n)" in inspect.getsource(TrioTCPStream.read)


def test_reason_libp2p_logs_through_the_root_logger() -> None:
    assert "logging.warning(" in inspect.getsource(swarm_connection.SwarmConn)
