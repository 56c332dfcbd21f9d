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
    """Reads frames from one stream, for one task, in memory bounded by frame_bytes_max + 256 KiB."""

    def __init__(self, stream: Stream, frame_bytes_max: int) -> None:
        """frame_bytes_max: the longest frame the peer may send; its length is judged before its bytes are read."""
        self._stream = stream
        self._frame_bytes_max = frame_bytes_max
        self._buffer = bytearray()
        self._start = 0  # where the first unread frame begins in the buffer
        self._ended = False

    async def read(self) -> bytes | None:
        """Returns the next frame, or None when the peer ended the stream after a whole frame. Cancelled, loses nothing.

        Raises: Malformed for a length over the limit or an end inside a frame; Unavailable when the stream is gone.
        """
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            if not await self._fill():
                return None

    @property
    def begun(self) -> int:
        """How many bytes are here that no frame was made of yet."""
        return len(self._buffer) - self._start

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
                frame = self._take()
            except Malformed:
                if frames:
                    return frames  # the good ones first; the next call meets the bad length again
                raise
            if frame is None:
                return frames
            frames.append(frame)

    def _take(self) -> bytes | None:
        """Returns the first whole frame of the buffer, or None. Raises: Malformed for a length over the limit."""
        begin = self._start + _LENGTH_BYTES
        if len(self._buffer) < begin:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, self._start)
        if length > self._frame_bytes_max:
            raise Malformed(f"a frame claims {length} bytes, the limit is {self._frame_bytes_max}")
        end = begin + length
        if len(self._buffer) < end:
            return None
        frame = bytes(memoryview(self._buffer)[begin:end])
        self._start = end
        if end == len(self._buffer):
            self._buffer.clear()
            self._start = 0
        return frame

    async def _fill(self) -> bool:
        """Adds what the stream has to the buffer; False at its end. Raises: Malformed for half a frame."""
        if not self._ended:
            data = await self._stream.receive_some(READ_BYTES)
            if data:
                if self._start:
                    del self._buffer[: self._start]
                    self._start = 0
                self._buffer += data
                return True
            self._ended = True
        if len(self._buffer) > self._start:
            raise Malformed("a stream ended in the middle of a frame")
        return False


async def _send(stream: Stream, data: bytes) -> None:
    for start in range(0, len(data), WRITE_BYTES_MAX):
        await stream.send_all(data[start : start + WRITE_BYTES_MAX])
