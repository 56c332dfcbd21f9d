"""Records and Yamux between two socket ends without libp2p: order, windows, cancellation, hostile peers."""

import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import pytest
import trio

from crypto.faults import Forged, Malformed
from node import allowance, streams, yamux
from node.network import STREAMS_OUTBOUND_MAX, PeerId
from node.records import PLAIN_BYTES_MAX, Records, Socket
from node.streams import MuxStream
from node.yamux import Session
from protocol.faults import Unavailable
from tests import depth

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
PATIENCE_S = 60  # for what must end; only a failing test waits so long
INBOUND_MAX = 4
TAG = b"sixteen byte tag"  # the test's cipher adds it and looks for it; a real one is in tests/node/test_guards.py


def seal(plain: bytes) -> bytes:
    assert len(plain) <= PLAIN_BYTES_MAX
    return plain + TAG


def unseal(record: bytes) -> bytes:
    if not record.endswith(TAG):
        raise Forged("no tag")
    return record[: -len(TAG)]


def frame(kind: int, flags: int, number: int, value: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBHII", 0, kind, flags, number, value) + body


async def socket_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    first, second = trio.socket.socketpair()
    return trio.SocketStream(first), trio.SocketStream(second)


@asynccontextmanager
async def two_sessions() -> AsyncIterator[tuple[Session, Session]]:
    """Yields a dialler's and a listener's session, running."""
    one, other = await socket_pair()
    dialler = Session(Records(Socket(one), seal, unseal), PeerId(b"l" * 32), True, INBOUND_MAX)
    listener = Session(Records(Socket(other), seal, unseal), PeerId(b"d" * 32), False, INBOUND_MAX)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dialler.run)
            nursery.start_soon(listener.run)
            yield dialler, listener
            nursery.cancel_scope.cancel()


@dataclass
class Hostile:
    """A peer of `session` that writes frames by hand; it is the dialler, so its streams have odd numbers."""

    session: Session
    records: Records
    received: bytes = b""

    async def send(self, *frames: bytes) -> None:
        self.records.put(b"".join(frames))
        await self.records.flush()

    async def expect(self, wanted: bytes) -> None:
        """Reads until these bytes came, behind those that an earlier call waited for."""
        while wanted not in self.received:
            data = await self.records.receive()
            assert data, f"the link ended without {wanted.hex()}: {self.received.hex()}"
            self.received += data
        self.received = self.received.partition(wanted)[2]


@asynccontextmanager
async def hostile() -> AsyncIterator[Hostile]:
    one, other = await socket_pair()
    session = Session(Records(Socket(one), seal, unseal), PeerId(b"h" * 32), False, INBOUND_MAX)
    with trio.fail_after(PATIENCE_S):
        async with other, trio.open_nursery() as nursery:
            nursery.start_soon(session.run)
            yield Hostile(session, Records(Socket(other), seal, unseal))
            nursery.cancel_scope.cancel()


async def connected(dialler: Session, listener: Session) -> tuple[MuxStream, MuxStream]:
    mine = await dialler.open()
    await mine.send_all(b"!")
    theirs = await listener.accept()
    theirs.vouch()  # what strangers may do is counted
    assert await theirs.receive_some(1) == b"!"
    return mine, theirs


async def test_cancelled_calls_tear_nothing() -> None:
    """Every call is cancelled again and again: a piece may come twice, but whole, in order, and none is missing.

    Pieces of 64 bytes divide every window, so that each is sent at once or not at all.
    """
    chance = random.Random(5)
    count = 1500

    async def send(stream: MuxStream) -> None:
        number = 0
        while number < count:
            with trio.move_on_after(chance.choice((0, 0.0005, 1))):
                await stream.send_all(number.to_bytes(4) * 16)
                number += 1

    async def receive(stream: MuxStream) -> None:
        got = b""
        while got[-4:] != (count - 1).to_bytes(4):
            with trio.move_on_after(chance.choice((0, 0.0005, 1))):
                got += await stream.receive_some(chance.choice((64, 640, 65_536)))
        numbers = [int.from_bytes(got[start : start + 4]) for start in range(0, len(got), 64)]
        assert got == b"".join(number.to_bytes(4) * 16 for number in numbers)
        assert list(dict.fromkeys(numbers)) == list(range(count))
        assert numbers == sorted(numbers)

    async with two_sessions() as (dialler, listener), trio.open_nursery() as nursery:
        for _ in range(INBOUND_MAX):
            for sending, receiving in (pair := await connected(dialler, listener), pair[::-1]):
                nursery.start_soon(send, sending)
                nursery.start_soon(receive, receiving)


async def test_a_window_is_renewed_and_grows_only_when_read() -> None:
    async with two_sessions() as (dialler, listener):
        mine, theirs = await connected(dialler, listener)
        with trio.move_on_after(0.05):
            await mine.send_all(bytes(2 * streams.WINDOW_BYTES_MAX))
        assert mine.send_window == 0  # exactly the first window went out: nobody read
        read = 0
        while read < streams.WINDOW_BYTES - 1:
            read += len(await theirs.receive_some(65_536))
        with trio.move_on_after(0.05):
            await mine.send_all(bytes(2 * streams.WINDOW_BYTES_MAX))
        unread = 0
        with trio.move_on_after(0.05):
            while True:
                unread += len(await theirs.receive_some(1))
                if theirs.receive_window > streams.WINDOW_BYTES:
                    break
        assert theirs.receive_window <= streams.WINDOW_BYTES_MAX


async def test_streams_we_open_are_counted() -> None:
    async with two_sessions() as (dialler, _):
        streams = [await dialler.open() for _ in range(STREAMS_OUTBOUND_MAX)]
        with pytest.raises(Unavailable):
            await dialler.open()
        await streams[0].aclose()
        await dialler.open()


async def test_opening_and_closing_for_ever_leaves_nothing_behind() -> None:
    async with two_sessions() as (dialler, listener):
        for _ in range(300):  # more than 255, where libp2p's own would wait for ever
            mine, theirs = await connected(dialler, listener)
            await mine.aclose()
            assert await theirs.receive_some(1) == b""
            await theirs.aclose()
        mine, theirs = await connected(dialler, listener)
        await theirs.send_all(b"x")  # all earlier frames have arrived with this one
        await mine.receive_some(1)
        assert len(dialler._streams) + len(listener._streams) == 2


async def test_a_peer_that_never_ends_its_side_takes_no_memory() -> None:
    async with hostile() as peer:
        for _ in range(yamux.STREAMS_CLOSING_MAX + 50):
            stream = await peer.session.open()
            await stream.aclose()
        assert len(peer.session._streams) <= yamux.STREAMS_CLOSING_MAX + 1


async def test_a_reset_is_told_from_an_end_and_comes_after_what_arrived() -> None:
    async with two_sessions() as (dialler, listener):
        mine, theirs = await connected(dialler, listener)
        await theirs.send_all(b"last words")
        theirs.reset()
        assert await mine.receive_some(100) == b"last words"
        with pytest.raises(Unavailable):
            await mine.receive_some(100)
        with pytest.raises(Unavailable):
            await mine.send_all(b"x")


async def test_who_ended_in_order_may_refuse_what_was_on_its_way_to_it() -> None:
    async with hostile() as peer:
        await peer.send(frame(WINDOW, SYN, 1, 0), frame(DATA, FIN, 1, 3, b"bye"), frame(WINDOW, RST, 1, 0))
        stream = await peer.session.accept()
        assert await stream.receive_some(10) == b"bye"
        assert await stream.receive_some(10) == b""
        with pytest.raises(Unavailable):
            await stream.send_all(b"x")


async def test_data_for_a_closed_stream_resets_it() -> None:
    async with hostile() as peer:
        await peer.send(frame(WINDOW, SYN, 1, 0))
        await (await peer.session.accept()).aclose()
        await peer.send(frame(DATA, 0, 1, 5, b"hello"), frame(DATA, 0, 1, 5, b"again"), frame(PING, SYN, 0, 7))
        await peer.expect(frame(WINDOW, RST, 1, 0))
        await peer.expect(frame(PING, ACK, 0, 7))  # and the link lives


async def test_data_may_come_with_the_first_frame_and_end_with_it() -> None:
    async with hostile() as peer:
        await peer.send(frame(DATA, SYN | FIN, 1, 5, b"hello"))
        stream = await peer.session.accept()
        assert await stream.receive_some(10) == b"hello"
        assert await stream.receive_some(10) == b""


@pytest.mark.parametrize("size", [1, 5, 11, 12, 13])
async def test_frames_may_be_cut_anywhere_by_records(size: int) -> None:
    data = frame(DATA, SYN, 1, 3, b"abc") + frame(DATA, 0, 1, 4, b"defg") + frame(DATA, FIN, 1, 0)
    async with hostile() as peer:
        for start in range(0, len(data), size):
            await peer.send(data[start : start + size])
        stream = await peer.session.accept()
        received = b""
        while piece := await stream.receive_some(100):
            received += piece
        assert received == b"abcdefg"


async def test_streams_beyond_the_count_are_reset_and_the_others_live() -> None:
    async with hostile() as peer:
        numbers = range(1, 2 * INBOUND_MAX + 2, 2)
        await peer.send(*(frame(WINDOW, SYN, number, 0) for number in numbers))
        await peer.expect(frame(WINDOW, RST, numbers[-1], 0))
        for number in numbers[:-1]:
            assert (await peer.session.accept()).number == number
        await peer.send(frame(DATA, 0, 1, 2, b"ok"))
        assert not peer.session.is_gone


WASTES = {"broken off": (RST,), "ended": (FIN,), "left alone": ()}


@pytest.mark.parametrize("ends", WASTES.values(), ids=WASTES.keys())
async def test_a_stranger_who_opens_streams_again_and_again_for_nothing_loses_the_link(ends: tuple[int, ...]) -> None:
    def churn(count: int) -> bytes:
        return b"".join(frame(WINDOW, flags, 2 * count + 1, 0) for flags in (SYN, *ends))

    async with hostile() as peer, trio.open_nursery() as nursery:

        async def serve() -> None:
            while True:
                with suppress(Unavailable):
                    (await peer.session.accept()).close()
                await trio.lowlevel.checkpoint()

        if FIN in ends:
            nursery.start_soon(serve)
        allowed = allowance.STREAMS_WASTED_MAX + (0 if ends else INBOUND_MAX)
        for count in range(allowed):
            await peer.send(churn(count), frame(PING, SYN, 0, count))
            await peer.expect(frame(PING, ACK, 0, count))
        assert not peer.session.is_gone
        await peer.send(churn(allowed))
        await peer.session.closed()
        nursery.cancel_scope.cancel()


async def test_a_stranger_says_as_much_as_a_proof_needs_and_whoever_is_known_says_more() -> None:
    piece = 32 * 1024
    async with hostile() as peer:
        await peer.send(frame(WINDOW, SYN, 1, 0), frame(WINDOW, SYN, 3, 0))
        known = await peer.session.accept()
        await peer.send(frame(DATA, 0, 1, piece, bytes(piece)))
        while await known.receive_some(piece) and known.unproven < piece:
            pass
        known.vouch()
        for number in (1, 1, 3, 1, 3, 3, 3):  # 128 KiB on the stranger's stream
            await peer.send(frame(DATA, 0, number, piece, bytes(piece)))
        await peer.send(frame(PING, SYN, 0, 9))
        await peer.expect(frame(PING, ACK, 0, 9))
        await peer.send(frame(DATA, 0, 3, 1, b"x"))
        await peer.session.closed()


async def test_data_for_streams_that_were_broken_off_is_taken_as_far_as_their_windows_went() -> None:
    async with hostile() as peer:
        await peer.send(frame(WINDOW, SYN, 1, 0))
        (await peer.session.accept()).reset()
        for _ in range(4):
            await peer.send(frame(DATA, 0, 1, streams.WINDOW_BYTES // 4, bytes(streams.WINDOW_BYTES // 4)))
        await peer.send(frame(PING, SYN, 0, 9))
        await peer.expect(frame(PING, ACK, 0, 9))
        await peer.send(frame(DATA, 0, 1, 1, b"x"))
        await peer.session.closed()


BREACHES: dict[str, Callable[[], bytes]] = {
    "another version": lambda: b"\1" + frame(PING, SYN, 0, 0)[1:],
    "an unknown type": lambda: frame(4, 0, 0, 0),
    "stream nought": lambda: frame(WINDOW, SYN, 0, 0),
    "our own parity": lambda: frame(WINDOW, SYN, 2, 0),
    "a number twice": lambda: frame(WINDOW, SYN, 1, 0) * 2,
    "more than the window": lambda: frame(DATA, SYN, 1, streams.WINDOW_BYTES + 1),
    "more than the window in two": lambda: (
        frame(DATA, SYN, 1, 60_000, bytes(60_000)) + frame(DATA, 0, 1, streams.WINDOW_BYTES - 59_999)
    ),
    "four gigabytes for nobody": lambda: frame(DATA, 0, 9, 2**32 - 1),
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES.keys())
async def test_a_breach_of_the_rules_ends_the_link(breach: Callable[[], bytes]) -> None:
    async with hostile() as peer:
        await peer.send(breach())
        await peer.expect(frame(GO_AWAY, 0, 0, 1))
        await peer.session.closed()


async def test_a_peer_that_asks_and_does_not_read_is_left() -> None:
    async with hostile() as peer:
        with suppress(Unavailable):
            while not peer.session.is_gone:
                await peer.send(frame(PING, SYN, 0, 1) * 5000)
        await peer.session.closed()


async def test_a_window_of_single_bytes_is_no_list_of_single_bytes() -> None:
    async with hostile() as peer:
        await peer.send(frame(WINDOW, SYN, 1, 0), *(frame(DATA, 0, 1, 1, b"x") for _ in range(20_000)))
        await peer.send(frame(PING, SYN, 0, 3))
        await peer.expect(frame(PING, ACK, 0, 3))
        stream = await peer.session.accept()
        assert len(stream._chunks) <= 20_000 // streams.MERGED_BYTES_MAX + 1


@pytest.mark.parametrize("wire", [b"\x00\x11" + b"x" * 17, b"\x00\x00", b"\x00\x20half"])
async def test_forged_and_torn_records_end_the_link(wire: bytes) -> None:
    one, other = await socket_pair()
    session = Session(Records(Socket(one), seal, unseal), PeerId(bytes(32)), False, INBOUND_MAX)
    with trio.fail_after(PATIENCE_S):
        async with other, trio.open_nursery() as nursery:
            nursery.start_soon(session.run)
            await other.send_all(wire)
            await other.send_eof()
            await session.closed()


async def test_a_go_away_ends_the_link_and_every_wait_on_it() -> None:
    async with hostile() as peer:
        stream = await peer.session.open()

        async def reader() -> None:
            with pytest.raises(Unavailable):
                await stream.receive_some(1)

        async def acceptor() -> None:
            with pytest.raises(Unavailable):
                await peer.session.accept()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader)
            nursery.start_soon(acceptor)
            await peer.send(frame(GO_AWAY, 0, 0, 0))
        await peer.session.closed()


class Nowhere:
    """Records that go nowhere: the decoder alone, no socket, no task."""

    backlog = 0

    def put(self, _data: bytes) -> None:
        return

    def kick(self) -> None:
        return


def any_piece(chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(40))
    value = chance.choice((0, 1, 3, 70_000, 2**32 - 1))
    return frame(chance.randrange(5), chance.randrange(16), chance.randrange(10), value, chance.randbytes(value % 5))


def test_any_bytes_are_frames_or_malformed() -> None:
    chance = random.Random(11)
    for _ in range(depth.INPUTS_PER_DECODER):
        session = Session(cast("Any", Nowhere()), PeerId(bytes(32)), False, INBOUND_MAX)
        with suppress(Malformed):
            for _ in range(chance.randrange(12)):
                session._feed(any_piece(chance))
        assert len(session._streams) <= INBOUND_MAX
