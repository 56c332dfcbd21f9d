"""Messages of libp2p's own protocols over a Stream: an unsigned varint, then that many bytes.

Source: https://github.com/multiformats/unsigned-varint. Not here: weft's own frames (frames.py), what the
messages say (identify.py, kad/messages.py).
"""

from crypto.faults import Malformed
from node.network import Stream

VARINT_BYTES_MAX = 5  # no message here is longer than 2^31
READ_BYTES = 16 * 1024


async def write(stream: Stream, message: bytes) -> None:
    """Sends one message. Raises: Unavailable when the stream is gone."""
    await stream.send_all(framed(message))


class Ended(Malformed):
    """A peer ended the stream instead of answering."""


class DelimitedReader:
    """Reads messages from one stream, for one task, in memory bounded by message_bytes_max + 16 KiB."""

    def __init__(self, stream: Stream, message_bytes_max: int) -> None:
        """message_bytes_max: of the longest message; its length is judged before its bytes are read."""
        self._stream = stream
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()

    async def read(self) -> bytes | None:
        """Returns the next message, None when the peer ended the stream after a whole one. Cancelled, loses nothing.

        Raises: Malformed for a length over the limit or an end inside a message; Unavailable when the stream is gone.
        """
        while (message := self._take()) is None:
            received = await self._stream.receive_some(READ_BYTES)
            if not received:
                if self._buffer:
                    raise Malformed("a stream ended in the middle of a message")
                return None
            self._buffer += received
        return message

    async def demand(self) -> bytes:
        """As read(), where a message has to come. Raises: Ended when the stream ends instead."""
        message = await self.read()
        if message is None:
            raise Ended
        return message

    def _take(self) -> bytes | None:
        head = read_varint(self._buffer)
        if head is None:
            return None
        length, begin = head
        if length > self._message_bytes_max:
            raise Malformed(f"a message claims {length} bytes, the limit is {self._message_bytes_max}")
        if len(self._buffer) < begin + length:
            return None
        message = bytes(memoryview(self._buffer)[begin : begin + length])
        del self._buffer[: begin + length]
        return message


def framed(message: bytes) -> bytes:
    """Returns a message behind its length."""
    return varint(len(message)) + message


def varint(number: int) -> bytes:
    """Returns a number as an unsigned varint, in its shortest form."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def read_varint(buffer: bytes | bytearray) -> tuple[int, int] | None:
    """Returns the number at the beginning and how many bytes it took; None while it is not all there.

    Raises: Malformed for one of more than 5 bytes, or not in its shortest form.
    """
    number = 0
    for place, byte in enumerate(buffer[:VARINT_BYTES_MAX]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if not byte and place:
                raise Malformed("a length is not in its shortest form")
            return number, place + 1
    if len(buffer) >= VARINT_BYTES_MAX:
        raise Malformed("a length has no end")
    return None
