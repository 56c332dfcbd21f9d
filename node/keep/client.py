"""The asking end of /weft/keep/1: what an owner or a sender says to a keeper, and what comes back (keep.md).

    async with client.open_stream(link, network.peer) as keeper:
        if await keeper.claim(owner_key, permit, enrols=True) is Status.OK:
            page = await keeper.fetch(after, 58, 0)

What a keeper answers is returned, also where it refuses; a keeper that breaks the rules raises PeerFault. One task at a
time; deadlines are the caller's, and after a cancelled call a stream is good for nothing but to be closed. Not here:
which keepers, when, and what is in an envelope.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import trio

from crypto import hashing
from crypto.faults import Forged, Malformed
from crypto.keys import SigningKey
from node import frames
from node.frames import FrameReader
from node.network import Link, PeerId, Stream
from protocol import keep, keep_proof
from protocol.faults import Unavailable
from protocol.keep import Status

PIPELINE_MAX = 256  # puts that wait for their answers: 16 MiB of the largest, which the stream's window bounds
SAID_BYTES_MAX = 60_000  # of one frame that is packed from many

_ANOTHER = "a keeper answers something else than it was asked"
_ENDED = "a keeper has ended the stream"

T = TypeVar("T")
F = TypeVar("F", bound=keep.Items | keep.Lying | keep.Used)


class Posting(NamedTuple):
    """An envelope for a door: 16 bytes and its key of 32. ttl_s: how long it is worth keeping; work: if it asks."""

    sender: bytes
    put_key: bytes
    envelope: bytes
    ttl_s: int
    work: int | None = None


class Kept(NamedTuple):
    """What became of a posting. kept_s: for how many seconds it lies there, 0 where the status is not OK.

    GONE stands for every answer that does not show the key of the door: from a keeper that has no such door, or from
    somebody who answers in its place.
    """

    status: Status
    kept_s: int


@asynccontextmanager
async def open_stream(link: Link, mine: PeerId) -> AsyncIterator["KeeperStream"]:
    """A stream to the keeper at the other end of a link, greeted, until the block is left. mine: our own PeerId there.

    Raises: Unavailable when it keeps for nobody; PeerFault.
    """
    stream = await link.open(keep.PROTOCOL)
    try:
        yield await greet(stream, mine)
    finally:
        with trio.CancelScope(shield=True):  # closing a stream does not wait
            await stream.aclose()


async def greet(stream: Stream, mine: PeerId) -> "KeeperStream":
    """A stream that was just opened, once the keeper has said hello on it. Raises: Unavailable, PeerFault."""
    reader = FrameReader(stream, keep.FRAME_BYTES_MAX)
    hello = await _read(reader)
    if not isinstance(hello, keep.Hello):
        raise Malformed("a keeper says something before its hello")
    return KeeperStream(stream, reader, mine, hello.nonce)


class KeeperStream:
    """A stream to a keeper. Made by `open_stream` and `greet`."""

    def __init__(self, stream: Stream, reader: FrameReader, mine: PeerId, nonce: bytes) -> None:
        self._stream = stream
        self._reader = reader
        self._mine = mine
        self._nonce = nonce
        self._asked = 0  # requests of this stream
        self._heard = 0  # answers
        self._has_ended = False

    @property
    def peer(self) -> PeerId:
        """The keeper's PeerId."""
        return self._stream.peer

    async def claim(self, owner: SigningKey, permit: bytes, *, enrols: bool) -> Status:
        """Shows that we are this owner: from then on the stream is his. enrols: whether his key may be a new one.

        permit: 32 bytes, by which the keeper shows itself. Raises: Forged where it says yes and does not have it.
        """
        ends = (bytes(self.peer), bytes(self._mine), self._nonce)
        await self._say(keep_proof.claim(owner, *ends, permit if enrols else None))
        said = await self._shown()
        if said.status is Status.OK and not hashing.same(
            said.proof, keep_proof.claim_proof(permit, ends, owner.public, said.n, said.status)
        ):
            raise Forged("somebody answers in the place of the keeper")
        return said.status

    async def open_queues(self, queues: Sequence[keep.Queue]) -> Status:
        """Makes queues, or changes them, in as many requests as they need; the first that is not OK ends it."""
        return await self._request_each(queues, keep.QUEUES_MAX, lambda some: keep.Open(some))

    async def close_queues(self, readers: Sequence[bytes]) -> Status:
        """Ends queues with all that lies in them; those that are not there are well."""
        return await self._request_each(readers, keep.READERS_MAX, lambda some: keep.Close(some))

    async def lay(self, records: Sequence[bytes]) -> Status:
        """Leaves records of the DHT, until they expire."""
        return await self._request_each(records, keep.RECORDS_MAX, lambda some: keep.Lay(some))

    async def done(self, up_to: int, note: bytes = b"") -> Status:
        """Has every parcel up to this number deleted. note: what `usage` shall remind of (keep.note)."""
        return await self._request(keep.Done(up_to, note))

    async def fetch(self, after: int, count: int, wait_s: int) -> keep.Items | Status:
        """What lies there after a number, at most so much; with nothing there, what comes within so many seconds."""
        return await self._ask(keep.Fetch(after, count, wait_s), keep.Items)

    async def usage(self) -> keep.Used | Status:
        """How much of what we may have is used."""
        return await self._ask(keep.Usage(), keep.Used)

    async def look(self, name: bytes) -> bytes | Status:
        """The record that lies under a name, b"" for none; nobody has checked it yet."""
        found = await self._ask(keep.Look(name), keep.Lying)
        return found if isinstance(found, Status) else found.raw

    async def put(self, postings: Sequence[Posting]) -> tuple[Kept, ...]:
        """Leaves envelopes, many under way at once; what became of each, in their order.

        Only of the first ones where it refused one of them and then ended the stream, as it does after 8 refusals.
        Raises: Unavailable, PeerFault; then some of them may be kept, and to put them again does no harm.
        """
        answers: list[Kept] = []
        for start in range(0, len(postings), PIPELINE_MAX):
            some = postings[start : start + PIPELINE_MAX]
            puts = [self._put(one, n) for n, one in enumerate(some, self._asked + 1)]
            await self._say(*puts)
            for one, asked in zip(some, puts, strict=True):
                try:
                    answers.append(self._kept(one, asked, await self._shown()))
                except Unavailable:
                    self._has_ended = True
                    if all(answer.status is Status.OK for answer in answers):
                        raise
                    return tuple(answers)
        return tuple(answers)

    async def aclose(self) -> None:
        """Ends the stream, not its link."""
        await self._stream.aclose()

    def _put(self, one: Posting, n: int) -> keep.Put:
        return keep_proof.put(one.put_key, self._nonce, n, one.sender, one.envelope, one.ttl_s, one.work)

    def _kept(self, one: Posting, asked: keep.Put, said: keep.Shown) -> Kept:
        proof = keep_proof.put_proof(one.put_key, self._nonce, asked, said.n, said.status, said.value)
        if not hashing.same(proof, said.proof):
            return Kept(Status.GONE, 0)
        # keep 6.1: for no longer than was asked, whatever it says
        return Kept(said.status, min(said.value, one.ttl_s) if said.status is Status.OK else 0)

    async def _request(self, request: keep.Request) -> Status:
        await self._say(request)
        return (await self._answer()).status

    async def _request_each(
        self, parts: Sequence[T], count_max: int, request: Callable[[tuple[T, ...]], keep.Request]
    ) -> Status:
        """One request for as many of the parts as fit, again and again."""
        at = 0
        while at < len(parts):
            count = min(count_max, len(parts) - at)
            asked = request(tuple(parts[at : at + count]))
            while count > 1 and len(keep.encode(asked)) > SAID_BYTES_MAX:
                count = (count + 1) // 2
                asked = request(tuple(parts[at : at + count]))
            at += count
            status = await self._request(asked)
            if status is not Status.OK:
                return status
        return Status.OK

    async def _ask(self, request: keep.Request, cls: type[F]) -> F | Status:
        await self._say(request)
        reply = await _read(self._reader)
        self._heard += 1
        if isinstance(reply, cls):
            return reply
        return self._checked(reply).status

    async def _answer(self) -> keep.Answer:
        self._heard += 1
        return self._checked(await _read(self._reader))

    async def _shown(self) -> keep.Shown:
        """What shows that it is the keeper's answer, or does not. Raises: Malformed, Unavailable."""
        reply = await _read(self._reader)
        self._heard += 1
        if not isinstance(reply, keep.Shown) or reply.n != self._heard:
            raise Malformed(_ANOTHER)
        return reply

    def _checked(self, reply: keep.Reply) -> keep.Answer:
        """An answer to the request whose turn it is. Raises: Malformed."""
        if not isinstance(reply, keep.Answer) or reply.n != self._heard:
            raise Malformed(_ANOTHER)
        return reply

    async def _say(self, *requests: keep.Request) -> None:
        if self._has_ended:
            raise Unavailable(_ENDED)
        assert self._asked == self._heard  # after a cancelled call the stream is closed
        await frames.write(self._stream, *map(keep.encode, requests))
        self._asked += len(requests)


async def _read(reader: FrameReader) -> keep.Reply:
    raw = await reader.read()
    if raw is None:
        raise Unavailable(_ENDED)
    return keep.decode_reply(raw)
