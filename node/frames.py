"""Frames over a Stream: u32 big-endian length, then that many bytes (docs/protocol/frames.md).

Frames are packed into writes of at most 65,507 bytes, because such a write is exactly one Yamux frame in one Noise
record (65,535 less 16 of the seal and 12 of the Yamux header). Not here: what the frames say (protocol/), numbers and
windows (node/delivery).
"""

from struct import Struct

from crypto.faults import Malformed
from node.network import Stream

WRITE_BYTES_MAX = 65_507  # one Yamux frame in one Noise record; 65,536 would split into two records
READ_BYTES = 256 * 1024  # asked of the stream at once: all that libp2p's first window can hold
PART_BYTES_MIN = 4096  # parts are merged up to this: a frame that comes byte by byte is no list of objects

_LENGTH = Struct(">I")
_LENGTH_BYTES = 4


async def write(stream: Stream, *frames: bytes) -> None:
    """Sends the frames in order, as many per write as fit into 65,507 bytes; a larger frame in as many as it needs.

    Cancelled, it may have sent half a frame: the stream is then good for nothing but aclose().
    Raises: Unavailable when the stream is gone.
    """
    pending: list[bytes] = []
    size = 0
    for frame in frames:
        length = _LENGTH.pack(len(frame))
        if size and size + _LENGTH_BYTES + len(frame) > WRITE_BYTES_MAX:
            await _send(stream, b"".join(pending))
            pending.clear()
            size = 0
        pending += (length, frame)
        size += _LENGTH_BYTES + len(frame)
    if pending:
        await _send(stream, b"".join(pending))


class FrameReader:
    """Reads frames from one stream, for one task, in memory bounded by frame_bytes_max + 256 KiB.

    The parts of a large frame wait as they came until it is whole: a buffer that grows with each of them costs five
    times as much.
    """

    def __init__(self, stream: Stream, frame_bytes_max: int) -> None:
        """frame_bytes_max: the longest frame the peer may send; its length is judged before its bytes are read."""
        self._stream = stream
        self._frame_bytes_max = frame_bytes_max
        self._data = b""
        self._start = 0  # where the first unread frame begins in the data
        self._parts: list[bytes] = []  # what came since
        self._bytes = 0  # unread, in the data and the parts
        self._wanted = _LENGTH_BYTES  # so many have to be here before there is more to see
        self._ended = False

    async def read(self) -> bytes | None:
        """Returns the next frame, or None when the peer ended the stream after a whole frame. Cancelled, loses nothing.

        Raises: Malformed for a length over the limit or an end inside a frame; Unavailable when the stream is gone.
        """
        while True:
            frame = self.take()
            if frame is not None:
                return frame
            if not await self._fill():
                return None

    @property
    def begun(self) -> int:
        """How many bytes are here that no frame was made of yet."""
        return self._bytes

    async def read_some(self) -> list[bytes] | None:
        """Returns all frames that arrived together (one read of 256 KiB), waiting for the first; None at the end.

        One transaction can so take what one write of the peer brought. Raises: as read().
        """
        first = await self.read()
        if first is None:
            return None
        return [first, *self.read_ready()]

    def read_ready(self) -> list[bytes]:
        """Returns the frames that are already buffered, possibly none, without waiting.

        Raises: Malformed for a length over the limit, but only when no good frame stands before it.
        """
        frames: list[bytes] = []
        while True:
            try:
                frame = self.take()
            except Malformed:
                if frames:
                    return frames  # the good ones first; the next call meets the bad length again
                raise
            if frame is None:
                return frames
            frames.append(frame)

    def take(self) -> bytes | None:
        """Returns the next frame if it is here, None if not, without waiting.

        Raises: Malformed for a length over the limit.
        """
        if self._bytes < self._wanted:
            return None
        if self._parts:
            self._data = b"".join((memoryview(self._data)[self._start :], *self._parts))
            self._start = 0
            self._parts.clear()
        begin = self._start + _LENGTH_BYTES
        (length,) = _LENGTH.unpack_from(self._data, self._start)
        if length > self._frame_bytes_max:
            raise Malformed(f"a frame claims {length} bytes, the limit is {self._frame_bytes_max}")
        if self._bytes < _LENGTH_BYTES + length:
            self._wanted = _LENGTH_BYTES + length
            return None
        frame = self._data[begin : begin + length]
        self._start = begin + length
        self._bytes -= _LENGTH_BYTES + length
        self._wanted = _LENGTH_BYTES
        if not self._bytes:
            self._data, self._start = b"", 0
        return frame

    async def _fill(self) -> bool:
        """Adds what the stream has to the parts; False at its end. Raises: Malformed for half a frame."""
        if not self._ended:
            data = await self._stream.receive_some(READ_BYTES)
            if data:
                if self._parts and len(self._parts[-1]) + len(data) <= PART_BYTES_MIN:
                    self._parts[-1] += data
                else:
                    self._parts.append(data)
                self._bytes += len(data)
                return True
            self._ended = True
        if self._bytes:
            raise Malformed("a stream ended in the middle of a frame")
        return False


async def _send(stream: Stream, data: bytes) -> None:
    for start in range(0, len(data), WRITE_BYTES_MAX):
        await stream.send_all(data[start : start + WRITE_BYTES_MAX])
