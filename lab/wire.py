"""One simulated connection: two ends, and on it streams that delay, stall, break and push back.

Nothing here runs as a task: what is on its way carries the time at which it arrives, and whoever waits, waits for that
time or for a change. So a world without readers does nothing, and trio's MockClock jumps over every delay. Not here:
names, addresses, cuts and kills (network.py).
"""

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

import trio

from node.network import Address, Link, PeerId, Stream
from protocol.faults import Unavailable

PIPE_BYTES_MAX = 256 * 1024  # unread bytes per stream and direction before the sender waits, as libp2p's first window
CHUNK_BYTES_MAX = 64 * 1024  # one piece on the way; a larger send becomes several, each with its own delay


@dataclass(slots=True)
class Pipe:
    """One direction of one stream. Times are trio's; inf is "never, unless the cable is mended"."""

    chunks: deque[tuple[float, bytes]] = field(default_factory=deque)  # (arrives at, bytes), in order
    size: int = 0  # bytes in chunks
    last_at: float = 0.0  # when the youngest chunk arrives: nothing overtakes inside a pipe
    end_at: float | None = None  # when the reader learns that the writer is done
    refused_at: float | None = None  # when the writer learns that the reader is done

    def push(self, at: float, data: bytes) -> None:
        """Puts data on its way, to arrive at `at` or right behind what is on its way already."""
        self.last_at = max(self.last_at, at)
        self.chunks.append((self.last_at, data))
        self.size += len(data)

    def take(self, now: float, bytes_max: int) -> bytes:
        """Returns what has arrived by now, at most bytes_max, or b""."""
        taken: list[bytes] = []
        room = bytes_max
        while room and self.chunks and self.chunks[0][0] <= now:
            at, data = self.chunks.popleft()
            if len(data) > room:
                self.chunks.appendleft((at, data[room:]))
                data = data[:room]
            taken.append(data)
            room -= len(data)
        self.size -= bytes_max - room
        return b"".join(taken)

    def next_at(self) -> float:
        """Returns when the reader has something to read or to learn."""
        if self.chunks:
            return self.chunks[0][0]
        return inf if self.end_at is None else self.end_at

    def stall(self, now: float) -> None:
        """Takes what has not arrived off the clock."""
        self.chunks = deque((at if at <= now else inf, data) for at, data in self.chunks)
        self.last_at = inf if self.last_at > now else self.last_at
        self.end_at = inf if self.end_at is not None and self.end_at > now else self.end_at
        self.refused_at = inf if self.refused_at is not None and self.refused_at > now else self.refused_at

    def resume(self, at: float) -> None:
        """Lets what was taken off the clock arrive at `at`."""
        self.chunks = deque((min(old, at), data) for old, data in self.chunks)
        self.last_at = min(self.last_at, at)
        self.end_at = None if self.end_at is None else min(self.end_at, at)
        self.refused_at = None if self.refused_at is None else min(self.refused_at, at)


class Laws(Protocol):
    """What a wire asks of the network it lies in."""

    def delay_s(self, sender: str, receiver: str) -> float:
        """Returns how long one piece takes from one host to another; each call draws anew."""

    def sent(self, stream: "SimStream", data: bytes) -> bool:
        """Is told of every piece; False when it broke the link and the piece is lost with it."""

    def closed(self, stream: "SimStream") -> None:
        """Is told when an end of a stream closes."""

    async def open_stream(self, opener: "End", protocol: str) -> "SimStream":
        """Returns the opener's end of a new stream. Raises: Unavailable."""


class End:
    """One end of a wire; to the host that dialled it is the Link. Made by lab/network.py in pairs."""

    def __init__(self, wire: "Wire", host: str, peer: PeerId, address: Address) -> None:
        """host: the name of the host at this end. peer, address: of the other end."""
        self.wire = wire
        self.host = host
        self.peer = peer
        self.address = address
        self.is_relayed = len(wire.route) > 2
        self.gone_at = inf  # when this end learns that the link is gone for good
        self.lost_at = inf  # when it gives up because of a cut; taken back if the cable is mended earlier
        self._changed = trio.Event()

    @property
    def is_gone(self) -> bool:
        """Returns whether this end knows by now that the link is gone."""
        return trio.current_time() >= min(self.gone_at, self.lost_at)

    def check(self) -> None:
        """Raises: Unavailable when this end knows that the link is gone."""
        if self.is_gone:
            raise Unavailable("the link is gone")

    def poke(self) -> None:
        """Wakes whoever waits at this end."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self, until: float) -> None:
        """Returns at `until`, when the link is gone, or earlier when anything changed at this end."""
        with trio.move_on_at(min(until, self.gone_at, self.lost_at)):
            await self._changed.wait()

    async def travel(self, towards: "End") -> None:
        """Waits as long as a message from this end takes. Raises: Unavailable when the link breaks meanwhile."""
        at = trio.current_time() + self.wire.draw_delay(self)
        while True:
            self.check()
            if not self.wire.is_cut and trio.current_time() >= at:
                towards.check()
                return
            await self.wait(inf if self.wire.is_cut else at)

    async def open(self, protocol: str) -> "SimStream":
        """Returns a stream on which the other host serves `protocol`. Raises: Unavailable."""
        return await self.wire.laws.open_stream(self, protocol)

    async def aclose(self) -> None:
        """Ends the link; the other end learns it after what was sent before."""
        self.wire.close(self)

    async def closed(self) -> None:
        """Returns when this end knows that the link is gone."""
        while not self.is_gone:
            await self.wait(inf)


class Wire:
    """What is between two ends: the streams on it, the cut cable, the break."""

    def __init__(self, laws: Laws, route: tuple[str, ...]) -> None:
        """route: the names of the dialler, of a relay if there is one, and of the listener."""
        self.laws = laws
        self.route = route
        self.ends: list[End] = []  # the dialler's, the listener's
        self.streams: list[SimStream] = []
        self.is_cut = False
        self.is_lost = False  # broken for good, though an end may not know yet

    def other(self, end: End) -> End:
        """Returns the opposite end."""
        first, second = self.ends
        return second if end is first else first

    def draw_delay(self, sender: End) -> float:
        """Returns how long something sent now by this end takes."""
        return self.laws.delay_s(sender.host, self.other(sender).host)

    def arrival(self, sender: End) -> float:
        """Returns when something sent now by this end arrives."""
        return inf if self.is_cut or self.is_lost else trio.current_time() + self.draw_delay(sender)

    def forget_closed(self) -> None:
        """Drops the streams that were closed at this or that end; what is under way lives on in the other's pipe."""
        self.streams = [stream for stream in self.streams if not stream.is_closed]

    def cut(self, notice_s: float) -> None:
        """Pulls the cable: nothing arrives any more, and both ends give up after notice_s."""
        now = trio.current_time()
        if self.is_cut or self.is_lost:
            return
        self.is_cut = True
        for stream in self.streams:
            stream.incoming.stall(now)
        for end in self.ends:
            end.lost_at = now + notice_s
            end.poke()

    def heal(self) -> None:
        """Puts the cable back: what was under way arrives, if the ends have not given up."""
        now = trio.current_time()
        if not self.is_cut or self.is_lost:
            return
        self.is_cut = False
        for end in self.ends:
            end.gone_at = min(end.gone_at, end.lost_at) if now >= end.lost_at else end.gone_at
            end.lost_at = inf
        for end in self.ends:
            other = self.other(end)
            if other.is_gone and end.gone_at == inf:  # it could not be told before
                end.gone_at = now + self.draw_delay(other)
            for stream in self.streams:
                if stream.end is end:
                    stream.incoming.resume(now + self.draw_delay(other))
        for end in self.ends:
            end.poke()

    def lose(self, notice_s: tuple[float, float]) -> None:
        """Breaks the link for good: what is under way never arrives, and each end learns it in its own time."""
        now = trio.current_time()
        if self.is_lost:
            return
        self.is_lost = True
        for stream in self.streams:
            stream.incoming.stall(now)
        for end, after_s in zip(self.ends, notice_s, strict=True):
            end.gone_at = min(end.gone_at, now + after_s)
            end.poke()

    def close(self, end: End) -> None:
        """Ends the link from one end: at once there; at the other after one delay, and after all that was sent."""
        sent = [stream.incoming.last_at for stream in self.streams if stream.end is not end]
        self._end(end, max([self.arrival(end), *sent]))

    def drop(self, end: End) -> None:
        """Ends the link from one end as a killed host does: what is under way may be lost."""
        self._end(end, self.arrival(end))

    def _end(self, end: End, learned_at: float) -> None:
        other = self.other(end)
        end.gone_at = min(end.gone_at, trio.current_time())
        if not self.is_cut:
            other.gone_at = min(other.gone_at, learned_at)
        end.poke()
        other.poke()


class SimStream:
    """One end of a stream: it reads `incoming` and writes the other end's."""

    def __init__(self, end: End, protocol: str) -> None:
        self.end = end
        self.protocol = protocol
        self.peer = end.peer
        self.is_relayed = end.is_relayed
        self.remote: Address | None = None
        self.link: Link | None = end
        self.incoming = Pipe()
        self.outgoing = Pipe()  # the other end's incoming; set by pair()
        self.is_closed = False
        self.recorded = bytearray()  # what a replaying attacker has of it; kept by the network

    def is_beside(self, other: Stream) -> bool:
        """Whether both are on one link."""
        return isinstance(other, SimStream) and other.end is self.end

    async def send_all(self, data: bytes) -> None:
        """Sends all of data, waiting while 256 KiB lie unread. Raises: Unavailable."""
        await trio.lowlevel.checkpoint()
        wire = self.end.wire
        for start in range(0, len(data), CHUNK_BYTES_MAX):
            self._check_sending()
            while self.outgoing.size >= PIPE_BYTES_MAX:
                await self.end.wait(inf if self.outgoing.refused_at is None else self.outgoing.refused_at)
                self._check_sending()
            piece = data[start : start + CHUNK_BYTES_MAX]
            arrives_at = wire.arrival(self.end)
            self.outgoing.push(arrives_at, piece)
            if wire.laws.sent(self, piece):
                wire.other(self.end).poke()

    async def receive_some(self, bytes_max: int) -> bytes:
        """Returns 1 to bytes_max bytes, b"" at the end. Raises: Unavailable."""
        await trio.lowlevel.checkpoint()
        while True:
            if self.is_closed:
                raise Unavailable("this stream is closed")
            now = trio.current_time()
            data = self.incoming.take(min(now, self.end.gone_at, self.end.lost_at), bytes_max)
            if data:
                self.end.wire.other(self.end).poke()
                return data
            self.end.check()
            if not self.incoming.chunks and self.incoming.end_at is not None and self.incoming.end_at <= now:
                return b""
            await self.end.wait(self.incoming.next_at())

    def vouch(self) -> None:
        """Changes nothing here: a simulated host has room for every link."""

    def welcome(self) -> None:
        """Changes nothing here, either."""

    async def aclose(self) -> None:
        """Ends both directions; what was sent before still arrives."""
        self.close()

    def close(self) -> None:
        """As aclose(), for those who may not wait."""
        if self.is_closed:
            return
        self.is_closed = True
        wire = self.end.wire
        self.end.poke()
        if self.end.is_gone:
            return  # a killed host says no goodbye
        arrives_at = wire.arrival(self.end)
        self.outgoing.end_at = max(self.outgoing.last_at, arrives_at)
        self.incoming.refused_at = arrives_at
        wire.other(self.end).poke()
        wire.laws.closed(self)

    def _check_sending(self) -> None:
        if self.is_closed:
            raise Unavailable("this stream is closed")
        self.end.check()
        refused_at = self.outgoing.refused_at
        if refused_at is not None and trio.current_time() >= refused_at:
            raise Unavailable("the peer closed this stream")


def pair(wire: Wire, opener: End, protocol: str) -> tuple[SimStream, SimStream]:
    """Returns the two ends of a new stream: the opener's, the server's."""
    mine = SimStream(opener, protocol)
    theirs = SimStream(wire.other(opener), protocol)
    mine.outgoing = theirs.incoming
    theirs.outgoing = mine.incoming
    wire.streams += (mine, theirs)
    return mine, theirs
