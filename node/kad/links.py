"""Questions to peers of the DHT: one link for each, kept a little while, and streams that are used again.

A dial with its handshake costs ten times what a question does, so links and streams stay for the next one: streams for
5 s, because libp2p's own programs give up an idle one after 10 s and py-libp2p serves twelve in all; links for 25 s,
because a stranger's link ends after 30 s. Every question has a deadline, the dial included. Not here: whom to ask
(walk.py), what is asked (messages.py), dialling many addresses (node/dialler.py).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from node import delimited, dialler
from node.delimited import DelimitedReader
from node.kad import messages
from node.kad.messages import Message, Peer
from node.network import Address, Link, Network, PeerId, Stream
from protocol.faults import PeerFault, Unavailable

QUESTION_S = 5.0  # from the dial to the answer: seven round trips of 0.7 s
STREAM_IDLE_S = 5.0
LINK_IDLE_S = 25.0
STREAMS_PER_PEER_MAX = 4  # the other end takes eight
LINKS_MAX = 96  # eight lookups with twelve questions out; each costs 0.1 MB
SWEEP_S = 2.0


@dataclass(slots=True)
class _Open:
    """One stream on which questions are asked one after another."""

    stream: Stream
    reader: DelimitedReader
    idle_since: float = 0.0


@dataclass(slots=True)
class _Line:
    """What we have towards one peer: a link, once it stands, and streams that wait for a question."""

    dialling: trio.Lock = field(default_factory=trio.Lock)
    link: Link | None = None
    idle: list[_Open] = field(default_factory=list)
    users: int = 0
    idle_since: float = 0.0
    heard_at: float = float("-inf")  # the last answer


class Links:
    """All links of the DHT that we dialled."""

    def __init__(self, network: Network, now_s: Callable[[], int]) -> None:
        self._network = network
        self._now_s = now_s
        self._lines: dict[PeerId, _Line] = {}
        self._used = trio.lowlevel.ParkingLot()  # where run() waits for the first link

    async def ask(self, peer: Peer, *questions: Message) -> tuple[Message, Address]:
        """Returns the answer to the last of the questions, and the address at which the peer answered.

        Of those before it no answer is needed: js-libp2p gives none to ADD_PROVIDER.
        Raises: Unavailable when it does not answer within 5 s; PeerFault when it answers badly.
        """
        began = trio.current_time()
        used = link = None
        with trio.move_on_after(QUESTION_S):
            try:
                is_old = peer.id in self._lines
                async with self._line(peer) as (used, link):
                    answer = await self._ask(used, link, questions)
            except Unavailable:
                if not is_old:
                    raise
                async with self._line(peer) as (used, link):  # the old link had ended, or ends now
                    answer = await self._ask(used, link, questions)
            return answer, link.address
        if used is not None and self._lines.get(peer.id) is used and used.link is link and used.heard_at < began:
            await self._close(peer.id)  # its link is dead without knowing it, whoever else waits on it
        raise Unavailable("a peer of the DHT does not answer in time")

    async def run(self) -> None:
        """Closes what nobody needs, until cancelled; then everything."""
        try:
            while True:
                if not self._lines:
                    await self._used.park()
                await trio.sleep(SWEEP_S)
                await self._sweep(trio.current_time())
        finally:
            with trio.CancelScope(shield=True):  # a network closes a link within a second
                async with trio.open_nursery() as nursery:
                    for line in self._lines.values():
                        if line.link is not None:
                            nursery.start_soon(line.link.aclose)
                self._lines.clear()

    @asynccontextmanager
    async def _line(self, peer: Peer) -> AsyncIterator[tuple[_Line, Link]]:
        """A line whose link stands, in use as long as the block."""
        if peer.id not in self._lines and len(self._lines) >= LINKS_MAX:
            await self._close_longest_idle()
        line = self._lines.setdefault(peer.id, _Line())
        self._used.unpark_all()
        line.users += 1
        try:
            async with line.dialling:
                if line.link is None or line.link.is_gone:
                    line.idle.clear()
                    line.link = await dialler.dial(self._network, peer.addresses, peer.id)
                link = line.link
            yield line, link
        except PeerFault:
            if line.link is not None:
                await line.link.aclose()
            raise
        finally:
            line.users -= 1
            line.idle_since = trio.current_time()
            if not line.users:
                await self._leave(peer.id, line)

    async def _ask(self, line: _Line, link: Link, questions: tuple[Message, ...]) -> Message:
        """Asks on a stream that waits, and once more on a new one when that has ended meanwhile."""
        while line.idle:
            waiting = line.idle.pop()
            try:
                return await self._exchange(line, waiting, questions)
            except (Unavailable, delimited.Ended):
                continue
        stream = await link.open(messages.PROTOCOL)
        try:
            return await self._exchange(line, _Open(stream, _reader(stream)), questions)
        except delimited.Ended as fault:
            raise Unavailable("a peer of the DHT refuses the question") from fault

    async def _exchange(self, line: _Line, on: _Open, questions: tuple[Message, ...]) -> Message:
        """Writes the questions and reads up to the answer to the last; the stream waits for the next one then."""
        is_good = False
        try:
            now_s = self._now_s()
            await on.stream.send_all(b"".join(delimited.framed(messages.encode(one, now_s)) for one in questions))
            for _ in questions:
                answer = messages.decode(await on.reader.demand())
                if answer.kind == questions[-1].kind:
                    line.heard_at = trio.current_time()
                    is_good = True
                    return answer
            raise PeerFault("a peer of the DHT answers something else than it was asked")
        finally:
            if is_good and len(line.idle) < STREAMS_PER_PEER_MAX:
                on.idle_since = trio.current_time()
                line.idle.append(on)
            else:
                with trio.CancelScope(shield=True):  # closing a stream does not wait
                    await on.stream.aclose()

    async def _sweep(self, now: float) -> None:
        for peer, line in list(self._lines.items()):
            for old in [one for one in line.idle if now >= one.idle_since + STREAM_IDLE_S]:
                line.idle.remove(old)
                await old.stream.aclose()
            if not line.users and now >= line.idle_since + LINK_IDLE_S:
                await self._close(peer)

    async def _close_longest_idle(self) -> None:
        idle = [peer for peer, line in self._lines.items() if not line.users]
        if not idle:
            raise Unavailable("too many questions to the DHT are out")
        await self._close(min(idle, key=lambda peer: self._lines[peer].idle_since))

    async def _leave(self, peer: PeerId, line: _Line) -> None:
        """The last user of a line leaves it: it stays when it has a link, and nobody has closed it meanwhile."""
        if self._lines.get(peer) is line:
            if line.link is None:
                del self._lines[peer]
        elif line.link is not None:
            with trio.CancelScope(shield=True):  # a network closes a link within a second
                await line.link.aclose()

    async def _close(self, peer: PeerId) -> None:
        link = self._lines.pop(peer).link
        if link is not None:
            await link.aclose()


def _reader(stream: Stream) -> DelimitedReader:
    return DelimitedReader(stream, messages.ANSWER_BYTES_MAX)
