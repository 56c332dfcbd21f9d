"""One stream of a link: what a peer sent and nobody read yet, and the windows that keep both ends in step.

Not here: the frames on the wire and all that streams share (yamux.py).
"""

from collections import deque
from typing import TYPE_CHECKING

import trio

from node.network import Link, PeerId, Stream
from protocol.faults import Unavailable

if TYPE_CHECKING:
    from node.yamux import Session

WINDOW_BYTES = 256 * 1024  # the window every stream begins with, fixed by the spec
WINDOW_BYTES_MAX = 1024 * 1024  # the window of a stream that is being read; a stranger who is not read stays at 256 KiB
DATA_BYTES_MAX = 65_507  # with the header exactly one Noise record
MERGED_BYTES_MAX = 4096  # unread pieces are merged up to this: a window of 1-byte frames is no list of objects


class MuxStream:
    """One stream of a session; it is the Stream of node/network.py. One task reads, one task writes."""

    def __init__(self, session: "Session", number: int, send_window: int) -> None:
        self.peer: PeerId = session.peer
        self.remote, self.is_relayed = session.remote, session.is_relayed
        self.link: Link | None = None  # set by host.py for streams of the peer
        self.number = number
        self.is_ended = False  # the peer sends no more
        self.is_closed = False  # we neither send nor read any more
        self.is_reset = False  # the peer or the link broke it off
        self.is_vouched = self.is_welcome = False  # its peer has proven who he is; strangers may ask for this
        self.unproven = 0  # bytes received before either
        self.serving: trio.CancelScope | None = None  # of a stranger's stream: who serves it may wait for others
        self.receive_window = WINDOW_BYTES  # what the peer may still send
        self.send_window = send_window  # what we may still send
        self.window_bytes_max = WINDOW_BYTES_MAX  # how much the peer may be ahead of who reads
        self._session = session
        self._chunks: deque[bytes] = deque()
        self._window_bytes = WINDOW_BYTES
        self._consumed = 0  # read by us, not yet given back as window
        self._readers = trio.lowlevel.ParkingLot()
        self._senders = trio.lowlevel.ParkingLot()

    def is_beside(self, other: Stream) -> bool:
        """Whether both are on one link."""
        return isinstance(other, MuxStream) and other._session is self._session

    async def send_all(self, data: bytes) -> None:
        """Sends all of data, waiting while the peer does not read. Raises: Unavailable."""
        start = 0
        while start < len(data):
            start += await self._put_some(data[start : start + DATA_BYTES_MAX])
            await self._session.records.flush()

    async def send_some(self, data: memoryview) -> int:
        """Queues the beginning of data, returns how many bytes; a cancelled call has queued none. Raises: Unavailable.

        For records that must not be torn (it makes the stream a Wire): the link's own task sends what is queued.
        """
        count = await self._put_some(data[:DATA_BYTES_MAX])
        self._session.records.kick()
        return count

    async def receive_some(self, bytes_max: int) -> bytes:
        """Returns 1 to bytes_max bytes, or b"" at the end. Raises: Unavailable.

        It is no checkpoint when bytes are here: they came through the session's task, which is one. A peer that has
        said all may refuse, right after, what was on its way to it: for who reads that breaks nothing off.
        """
        while not self._chunks:
            if self.is_closed:
                raise Unavailable("the stream is closed")
            if self.is_ended:
                await trio.lowlevel.checkpoint()
                return b""
            if self.is_reset:
                raise Unavailable("the stream was reset")
            await self._readers.park()
        data = self._take(bytes_max)
        self._consumed += len(data)
        if self._consumed * 2 >= self._window_bytes and not self.is_ended and not self.is_reset:
            self._renew_window()
        return data

    def vouch(self) -> None:
        """Says that the other end has proven who it is: while this stream lives, its link is no stranger's."""
        self.is_vouched = True
        self.unproven = self._session.allowance.vouch(self.unproven)

    def welcome(self) -> None:
        """Says that strangers may ask for this: it counts against a limit of its own, and the link lives on."""
        self.is_welcome = True
        self.unproven = self._session.allowance.welcome(self.unproven)

    async def aclose(self) -> None:
        """Ends both directions; what was sent before still arrives. May be repeated."""
        self.close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    def close(self) -> None:
        """As aclose(), for those who may not wait."""
        if not self.is_closed:
            self.is_closed = True
            if not self.is_reset:
                self._session.finish(self)
            self.wake()

    def reset(self) -> None:
        """Breaks the stream off in both directions."""
        if not self.is_closed:
            self.is_closed = True
            if not self.is_reset:
                self._session.refuse(self.number)
            self.wake()

    def wake(self) -> None:
        """Lets whoever waits look again."""
        if self.is_closed:
            self._chunks.clear()
        if self.is_reset and self.serving is not None and not self.is_vouched:
            self.serving.cancel()
        self._readers.unpark_all()
        self._senders.unpark_all()

    def feed(self, data: bytes) -> None:
        """Takes bytes of the peer that its window allowed."""
        if self._chunks and len(self._chunks[-1]) + len(data) <= MERGED_BYTES_MAX:
            self._chunks[-1] += data
        else:
            self._chunks.append(data)
        if self._readers:
            self._readers.unpark_all()

    def grow(self, count: int) -> None:
        """Takes window that the peer gave."""
        self.send_window += count
        if self._senders:
            self._senders.unpark_all()

    async def _put_some(self, data: bytes | memoryview) -> int:
        """Queues as much of data as the peer's window takes, waiting for any; it waits for nothing afterwards."""
        records = self._session.records
        while True:
            if self.is_closed or self.is_reset:
                raise Unavailable("the stream is closed")
            if not self.send_window:
                await self._senders.park()
                continue
            if records.backlog:  # several streams share the link: none of them may fill it
                await records.wait_for_room()
                if self.is_closed or self.is_reset or not self.send_window:
                    continue
            count = min(len(data), self.send_window)
            self.send_window -= count
            self._session.put(self.number, bytes(data[:count]))
            return count

    def _take(self, bytes_max: int) -> bytes:
        first = self._chunks.popleft()
        if len(first) > bytes_max:
            self._chunks.appendleft(first[bytes_max:])
            return first[:bytes_max]
        if not self._chunks:
            return first
        taken, room = [first], bytes_max - len(first)
        while self._chunks and len(self._chunks[0]) <= room:
            taken.append(self._chunks.popleft())
            room -= len(taken[-1])
        return b"".join(taken)

    def _renew_window(self) -> None:
        increment = self._consumed + self.window_bytes_max - self._window_bytes
        self._window_bytes = self.window_bytes_max
        self._consumed = 0
        self.receive_window += increment
        self._session.give(self.number, increment)
