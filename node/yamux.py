"""Yamux: many streams over one link (https://github.com/hashicorp/yamux/blob/master/spec.md, as in libp2p).

It stands in for py-libp2p's, with the same bytes on the wire, because that one does not enforce the receive window
(memory without limit), resets a stream whose reader pauses for 5 s, waits for ever for the 255th stream, breaks the
link when a write is cancelled, and answers every read with a frame. Here a window is enforced, a slow reader only slows
its sender, streams are counted, any call may be cancelled, and a window is renewed when half is used (frames.md 5). Not
here: one stream (streams.py), records (records.py), what strangers may cost (allowance.py), protocols (host.py).
"""

from contextlib import suppress
from struct import Struct

import trio

from crypto.faults import Malformed
from node.allowance import Allowance
from node.network import STREAMS_OUTBOUND_MAX, Address, PeerId
from node.records import FLOOD_BYTES_MAX, Records
from node.streams import WINDOW_BYTES, MuxStream
from protocol.faults import PeerFault, Unavailable

STREAMS_CLOSING_MAX = 32  # streams we ended and the peer did not yet; the oldest is reset, so that none stays for ever
UNREAD_BYTES_MAX = 128 * 1024  # of our answers that a stranger leaves unread; whoever is known may leave 1 MiB
GOODBYE_S = 1.0  # for the last bytes of a link that we close

_HEADER, _HEADER_BYTES = Struct(">BBHII"), 12  # version 0, type, flags, stream, length
_DATA, _WINDOW, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8
_NORMAL, _PROTOCOL_ERROR = range(2)  # reasons of a go-away


class Session:
    """One link: its streams and the task that reads for all of them. Made and run by host.py."""

    def __init__(self, records: Records, peer: PeerId, is_dialler: bool, inbound_max: int, early: bytes = b"") -> None:
        """inbound_max: streams the peer may have open at once; one more is reset. early: bytes it sent already."""
        self.records = records
        self.peer = peer
        self.remote: Address | None = None  # set by guards.py before it runs, as is the next
        self.is_relayed = False
        self.via = Address("")  # what was dialled, or the circuit through which it came; set by host.py
        self.held_until = float("-inf")  # trio's time to which somebody answers for this link, as for one that is known
        self.is_inbound = not is_dialler
        self.is_gone = False
        self._next = 1 if is_dialler else 2  # diallers take odd numbers, listeners even ones
        self._theirs = self._next % 2 ^ 1  # the parity of the peer's numbers
        self._inbound_max = inbound_max
        self._streams: dict[int, MuxStream] = {}
        self.allowance = Allowance()
        self._stray = 0  # bytes that may still come for streams that we have broken off: what their windows allowed
        self._gone = trio.Event()
        self._accept_in, self._accept_out = trio.open_memory_channel[MuxStream](inbound_max)
        self._partial = early  # received, not yet looked at: the beginning of a header, mostly
        self._body: MuxStream | None = None  # whose data frame is being read; None: nobody wants it
        self._body_left = 0
        self._body_ends = False  # that frame carries FIN

    @property
    def is_vouched(self) -> bool:
        """Whether the other end has proven who it is, on a stream that lives, or somebody answers for it."""
        return trio.current_time() < self.held_until or any(
            stream.is_vouched and not stream.is_closed for stream in self._streams.values()
        )

    @property
    def _is_strangers(self) -> bool:
        return self._theirs == 1 and not self.is_vouched  # odd numbers are a dialler's

    async def run(self) -> None:
        """Reads and writes until the link is gone; then every stream on it is. Raises no fault; aclose() ends it."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._finish()
            await self.records.aclose()

    async def open(self) -> MuxStream:
        """Returns a new stream; the peer may still refuse it. Raises: Unavailable when the link is gone or full."""
        if self.is_gone:
            raise Unavailable("the link is gone")
        mine = sum(not stream.is_closed and number % 2 != self._theirs for number, stream in self._streams.items())
        if mine >= STREAMS_OUTBOUND_MAX:
            raise Unavailable("too many streams are open on this link")
        stream = self._streams[self._next] = MuxStream(self, self._next, WINDOW_BYTES)
        self._next += 2
        self.records.put(_HEADER.pack(0, _WINDOW, _SYN, stream.number, 0))  # travels with the first bytes sent
        return stream

    async def accept(self) -> MuxStream:
        """Returns the next stream the peer opened. Raises: Unavailable when the link is gone."""
        try:
            return await self._accept_out.receive()
        except trio.EndOfChannel as error:
            raise Unavailable("the link is gone") from error

    async def closed(self) -> None:
        """Returns when the link is gone."""
        await self._gone.wait()

    async def aclose(self) -> None:
        """Says goodbye, bounded by 1 s, and ends the link. May be repeated; raises no fault."""
        if not self.is_gone:
            self._finish()
            self.records.put(_HEADER.pack(0, _GO_AWAY, 0, 0, _NORMAL))
            with trio.CancelScope(deadline=trio.current_time() + GOODBYE_S, shield=True), suppress(Unavailable):
                await self.records.drain()
        with trio.CancelScope(shield=True):  # closing a socket does not wait
            await self.records.aclose()

    def finish(self, stream: MuxStream) -> None:
        """Tells the peer that we are done with a stream, and forgets it when the peer is done too."""
        if self.is_gone:
            return
        self.control(_WINDOW, _FIN, stream.number, 0)
        if stream.is_ended:
            self._forget(stream)
            return
        closing = [number for number, other in self._streams.items() if other.is_closed]
        if len(closing) > STREAMS_CLOSING_MAX:
            self.refuse(closing[0])

    def refuse(self, number: int) -> None:
        """Tells the peer that a stream is broken off, and forgets it."""
        stream = self._streams.get(number)
        self._stray += WINDOW_BYTES if stream is None else stream.receive_window
        if stream is not None:
            self._forget(stream)
        if not self.is_gone:
            self.control(_WINDOW, _RST, number, 0)

    def put(self, number: int, data: bytes) -> None:
        """Queues data of a stream, as much as one frame holds, behind what is queued."""
        self.records.put(_HEADER.pack(0, _DATA, 0, number, len(data)) + data)

    def give(self, number: int, increment: int) -> None:
        """Lets the peer send so much more on a stream."""
        self.control(_WINDOW, 0, number, increment)

    def control(self, kind: int, flags: int, number: int, value: int) -> None:
        """Queues a frame without data and lets it go without waiting."""
        self.records.put(_HEADER.pack(0, kind, flags, number, value))
        self.records.kick()

    async def _write(self) -> None:
        try:
            await self.records.write_rest()
        except Unavailable:
            await self.records.aclose()  # the reader learns it from the socket

    async def _read(self) -> None:
        data = b""
        try:
            while True:
                self._feed(data)
                if self.is_gone:
                    return
                if self.records.backlog > (UNREAD_BYTES_MAX if self._is_strangers else FLOOD_BYTES_MAX):
                    raise Malformed("a peer asks for more answers than it reads")
                data = await self.records.receive()
                if not data:
                    return
        except Unavailable:
            return
        except PeerFault:
            self.control(_GO_AWAY, 0, 0, _PROTOCOL_ERROR)
            with trio.move_on_after(GOODBYE_S), suppress(Unavailable):
                await self.records.drain()

    def _finish(self) -> None:
        self.is_gone = True
        for stream in self._streams.values():
            stream.is_reset = True
            stream.wake()
        self._streams.clear()
        self._accept_in.close()
        self._gone.set()

    def _feed(self, data: bytes) -> None:
        """Takes what a record brought, of any length. Raises: Malformed when it breaks the rules of Yamux."""
        if self._partial:
            data = self._partial + data
        start = 0
        while start < len(data) and not self.is_gone:
            if self._body_left:
                piece = data[start : start + self._body_left]
                start += len(piece)
                self._body_left -= len(piece)
                if self._body is not None and not self._body.is_closed:
                    self._body.feed(piece)
                if not self._body_left and self._body is not None and self._body_ends:
                    self._end(self._body)
                continue
            if len(data) - start < _HEADER_BYTES:
                break
            self._frame(*_HEADER.unpack_from(data, start))
            start += _HEADER_BYTES
        self._partial = data[start:]

    def _frame(self, version: int, kind: int, flags: int, number: int, length: int) -> None:
        if version != 0 or kind > _GO_AWAY:
            raise Malformed("a peer does not speak this version of Yamux")
        if kind == _GO_AWAY:
            self._finish()
        elif kind == _PING:
            if flags & _SYN:
                self.control(_PING, _ACK, 0, length)
        else:
            self._stream_frame(kind, flags, number, length)

    def _stream_frame(self, kind: int, flags: int, number: int, length: int) -> None:
        if flags & _SYN:
            self._begin(number)
        stream = self._streams.get(number)
        if kind == _DATA and length:
            self._expect(stream, length, bool(flags & _FIN))
        if stream is None:
            return
        if kind == _WINDOW and length:
            stream.grow(length)
        if flags & _RST:
            stream.is_reset = True
            self._forget(stream)
            stream.wake()
        elif flags & _FIN and not self._body_left:
            self._end(stream)

    def _begin(self, number: int) -> None:
        """Takes a stream that the peer opens, or refuses it."""
        if number == 0 or number % 2 != self._theirs or number in self._streams:
            raise Malformed("a peer opens a stream under a number that is not free")
        self.allowance.begin()
        stream = MuxStream(self, number, WINDOW_BYTES)
        try:
            if sum(other % 2 == self._theirs for other in self._streams) >= self._inbound_max:
                raise trio.WouldBlock
            self._accept_in.send_nowait(stream)
        except trio.WouldBlock:
            self.refuse(number)
            self.allowance.waste()
        else:
            self._streams[number] = stream
            self.control(_WINDOW, _ACK, number, 0)

    def _forget(self, stream: MuxStream) -> None:
        known = self._streams.pop(stream.number, None) is not None
        if known and stream.number % 2 == self._theirs and not (stream.is_vouched or stream.is_welcome):
            self.allowance.waste()

    def _expect(self, stream: MuxStream | None, length: int, ends: bool) -> None:
        """Makes ready for the data of a frame. Raises: Malformed when it is more than the stream's window."""
        if stream is not None and stream.is_closed:
            self.refuse(stream.number)  # we told it that we do not read any more
            stream = None
        if length > (self._stray if stream is None else stream.receive_window):
            raise Malformed("a peer sends more than its window allows")
        if stream is None:
            self._stray -= length
        else:
            stream.receive_window -= length
            if stream.number % 2 == self._theirs and not stream.is_vouched:
                stream.unproven += self.allowance.hear(length, stream.is_welcome)
        self._body, self._body_left, self._body_ends = stream, length, ends

    def _end(self, stream: MuxStream) -> None:
        stream.is_ended = True
        if stream.is_closed:
            self._forget(stream)
        stream.wake()
