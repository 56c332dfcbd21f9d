"""Frames (docs/protocol/frames.md): packing, limits judged before reading, memory, every way a stream can end."""

import random
import tracemalloc
from contextlib import suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Malformed
from node import frames
from node.network import Address, Link, PeerId, Stream
from protocol.faults import Unavailable
from tests import depth

LIMIT = 68 * 1024


class Wire:
    """A Stream that plays back pieces and notes writes; past its last piece it is at its end, or reset."""

    peer = PeerId(bytes(32))
    is_relayed = False
    remote: Address | None = None
    link: Link | None = None

    def __init__(self, *pieces: bytes, is_reset: bool = False) -> None:
        self.pieces = list(pieces)
        self.is_reset = is_reset
        self.writes: list[bytes] = []

    def is_beside(self, other: Stream) -> bool:
        return other is self

    async def send_all(self, data: bytes) -> None:
        self.writes.append(data)

    async def receive_some(self, bytes_max: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.pieces:
            assert len(self.pieces[0]) <= bytes_max
            return self.pieces.pop(0)
        if self.is_reset:
            raise Unavailable("reset")
        return b""

    def vouch(self) -> None:
        return

    def welcome(self) -> None:
        return

    async def aclose(self) -> None:
        return


def framed(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(4) + message for message in messages)


async def all_of(reader: frames.FrameReader) -> list[bytes]:
    found = []
    while (frame := await reader.read()) is not None:
        found.append(frame)
    return found


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(messages: list[bytes], size: int) -> None:
    data = framed(*messages)
    wire = Wire(*(data[start : start + size] for start in range(0, len(data), size)))
    assert trio.run(all_of, frames.FrameReader(wire, LIMIT)) == messages


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=12))
def test_writes_hold_as_many_frames_as_fit(sizes: list[int]) -> None:
    messages = [bytes([place]) * size for place, size in enumerate(sizes)]
    wire = Wire()
    trio.run(frames.write, wire, *messages)
    assert b"".join(wire.writes) == framed(*messages)
    assert all(0 < len(write) <= frames.WRITE_BYTES_MAX for write in wire.writes)
    for earlier, later in zip(wire.writes, wire.writes[1:], strict=False):
        assert len(earlier) + len(later) > frames.WRITE_BYTES_MAX or len(later) + 70_004 > frames.WRITE_BYTES_MAX


async def test_exactly_one_write_for_what_just_fits() -> None:
    wire = Wire()
    await frames.write(wire, bytes(1000), bytes(frames.WRITE_BYTES_MAX - 1008))
    assert [len(write) for write in wire.writes] == [frames.WRITE_BYTES_MAX]
    await frames.write(wire)
    assert len(wire.writes) == 1


async def test_small_frames_share_a_write_and_a_large_one_takes_two() -> None:
    wire = Wire()
    await frames.write(wire, b"a", bytes(LIMIT), b"b")
    assert [len(write) for write in wire.writes] == [5, frames.WRITE_BYTES_MAX, LIMIT + 4 - frames.WRITE_BYTES_MAX, 5]


@pytest.mark.parametrize("length", [LIMIT + 1, 2**31, 2**32 - 1])
async def test_a_length_over_the_limit_is_refused_before_its_bytes_are_read(length: int) -> None:
    wire = Wire(length.to_bytes(4), b"never read")
    with pytest.raises(Malformed):
        await frames.FrameReader(wire, LIMIT).read()
    assert wire.pieces == [b"never read"]


async def test_the_limit_itself_is_allowed_and_so_is_nothing() -> None:
    data = framed(bytes(100), b"")
    assert await all_of(frames.FrameReader(Wire(data), 100)) == [bytes(100), b""]


@pytest.mark.parametrize("cut", [1, 3, 4, 6])
async def test_an_end_inside_a_frame_is_malformed(cut: int) -> None:
    reader = frames.FrameReader(Wire(framed(b"whole", b"half")[: 9 + cut]), LIMIT)
    assert await reader.read() == b"whole"
    for _ in range(2):
        with pytest.raises(Malformed):
            await reader.read()


async def test_the_end_stays_the_end() -> None:
    reader = frames.FrameReader(Wire(framed(b"last")), LIMIT)
    assert [await reader.read() for _ in range(3)] == [b"last", None, None]


async def test_what_arrived_together_is_read_together() -> None:
    reader = frames.FrameReader(Wire(framed(b"1", b"2", b"3") + b"\0", b"\0\0\1" + b"4"), LIMIT)
    assert reader.read_ready() == []
    assert await reader.read_some() == [b"1", b"2", b"3"]
    assert reader.read_ready() == []
    assert await reader.read_some() == [b"4"]
    assert await reader.read_some() is None


async def test_good_frames_before_a_bad_one_are_not_lost() -> None:
    reader = frames.FrameReader(Wire(framed(b"1", b"2") + b"\xff\xff\xff\xff"), LIMIT)
    assert await reader.read_some() == [b"1", b"2"]
    with pytest.raises(Malformed):
        reader.read_ready()
    with pytest.raises(Malformed):
        await reader.read()


async def test_a_frame_that_comes_byte_by_byte_takes_its_own_length_in_memory() -> None:
    class Drip(Wire):
        left = LIMIT + 4

        async def receive_some(self, bytes_max: int) -> bytes:
            self.left -= 1
            return LIMIT.to_bytes(4)[LIMIT + 3 - self.left :][:1] or bytes([self.left % 256])

    reader = frames.FrameReader(Drip(), LIMIT)
    tracemalloc.start()
    try:
        frame = await reader.read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert frame == bytes(left % 256 for left in range(LIMIT - 1, -1, -1))
    assert peak < 4 * LIMIT  # an object for each byte has twenty


async def test_a_frame_that_is_not_whole_is_not_taken() -> None:
    data = framed(b"", bytes(1000))
    reader = frames.FrameReader(Wire(data[:3], data[3:9], data[9:]), LIMIT)
    assert reader.take() is None
    assert await reader.read() == b""
    assert (reader.take(), reader.begun) == (None, 5)
    assert await reader.read() == bytes(1000)
    assert (reader.take(), reader.begun) == (None, 0)


async def test_a_reset_is_unavailable_not_an_end() -> None:
    reader = frames.FrameReader(Wire(framed(b"1"), is_reset=True), LIMIT)
    assert await reader.read() == b"1"
    with pytest.raises(Unavailable):
        await reader.read()


async def test_any_bytes_are_frames_or_malformed() -> None:
    chance = random.Random(3)
    for _ in range(depth.INPUTS_PER_DECODER // 10):  # ten pieces each
        pieces = [chance.choice((bytes(3), framed(b"ok"), b"\0\0\0", chance.randbytes(6))) for _ in range(10)]
        reader = frames.FrameReader(Wire(*pieces), 1 << 12)
        with suppress(Malformed):
            while (found := await reader.read_some()) is not None:
                assert all(len(frame) <= 1 << 12 for frame in found)
