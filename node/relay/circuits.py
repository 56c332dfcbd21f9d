"""Dialling through a relay: links to relays that circuits share, and the request for a circuit.

Source: docs/protocol/relay.md 2. Not here: the link on the circuit (host.py), reservations (reservations.py), the other
side of a circuit (stop.py), being the relay (hop.py).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from crypto.faults import Malformed
from node import delimited
from node.network import Address, PeerId, Stream
from node.relay import messages
from node.relay.carrier import Trunk
from node.relay.messages import Answer, Connect, Status
from protocol.faults import Unavailable

TRUNKS_MAX = 16  # relays at a time: each is a link of ours for as long as anything goes through it
ANSWER_S = 15.0  # a relay opens a stream to the other end meanwhile: libp2p's programs give it 10

Dial = Callable[[Address, PeerId | None], Awaitable[Trunk]]


@dataclass(slots=True)
class Shared:
    """A link to a relay. users: circuits and reservations on it; with the last of them it ends."""

    link: Trunk
    users: int = 0


class Trunks:
    """The links of this host to relays; one for each relay."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._shared: dict[PeerId, Shared] = {}  # to be used by who comes next
        self._all: list[Shared] = []
        self._dialling: dict[PeerId, trio.Lock] = {}

    @asynccontextmanager
    async def borrowed(self, relay: Address, peer: PeerId) -> AsyncIterator[Trunk]:
        """Yields a link to this relay, new or shared; afterwards it is given back. Raises: Unavailable."""
        lock = self._dialling.setdefault(peer, trio.Lock())
        try:
            async with lock:
                shared = self._shared.get(peer)
                if shared is None or shared.link.is_gone:
                    if len(self._all) >= TRUNKS_MAX:
                        raise Unavailable("too many relays are in use")
                    shared = self._shared[peer] = Shared(await self._dial(relay, peer))
                    self._all.append(shared)
                shared.users += 1
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self._dialling.pop(peer, None)
        try:
            yield shared.link
        finally:
            await self._leave(shared)

    def keep(self, link: Trunk) -> None:
        """Takes a borrowed link for longer than the block; `give_back` ends that."""
        for shared in self._all:
            if shared.link is link:
                shared.users += 1

    async def give_back(self, link: Trunk) -> None:
        """Ends what `keep` began."""
        for shared in [*self._all]:
            if shared.link is link:
                await self._leave(shared)

    def doubt(self) -> tuple[Trunk, ...]:
        """The network has changed: who comes next dials anew. Returns the links that are still used, to be tried."""
        self._shared.clear()
        return tuple(shared.link for shared in self._all)

    async def _leave(self, shared: Shared) -> None:
        shared.users -= 1
        if shared.users == 0:
            self._all.remove(shared)
            if self._shared.get(shared.link.peer) is shared:
                del self._shared[shared.link.peer]
            with trio.CancelScope(shield=True):  # closing a link is bounded by the host itself
                await shared.link.aclose()


async def connect(trunk: Trunk, target: PeerId) -> Stream:
    """Returns the stream of a circuit to `target`, on which its link begins. Raises: Unavailable, PeerFault."""
    stream = await trunk.open(messages.HOP)
    try:
        answer = await ask(stream, Connect(target))
        if answer.status != Status.OK:
            raise Unavailable(messages.reason(answer.status))
    except BaseException:
        with trio.CancelScope(shield=True):  # closing a stream does not wait
            await stream.aclose()
        raise
    return stream


async def ask(stream: Stream, request: messages.Reserve | Connect) -> Answer:
    """Returns what a relay answers to one request. Raises: Unavailable (also: no answer in time), PeerFault.

    It reads not a byte more than the answer: on a circuit, what follows is the other end's.
    """
    with trio.move_on_after(ANSWER_S):
        await delimited.write(stream, messages.encode_request(request))
        return messages.decode_answer(await read(stream), stream.peer)
    raise Unavailable("the relay did not answer in time")


async def read(stream: Stream) -> bytes:
    """Returns the next message of a stream and leaves what follows it there. Raises: Malformed, Unavailable."""
    head = b""
    while (found := delimited.read_varint(head)) is None:
        head += await _some(stream, 1)
    length, body = found[0], b""
    if length > messages.MESSAGE_BYTES_MAX:
        raise Malformed("a message of a relay is too long")
    while len(body) < length:
        body += await _some(stream, length - len(body))
    return body


async def _some(stream: Stream, bytes_max: int) -> bytes:
    received = await stream.receive_some(bytes_max)
    if not received:
        raise Malformed("a stream ended where a message of a relay had to come")
    return received
