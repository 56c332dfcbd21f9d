"""The asking end of /weft/deposit/1: what a sender or an owner says to a keeper about files (keep.md 8).

    async with deposit_client.open_stream(link, network.peer) as keeper:
        left = await keeper.leave(Parting(...))            await keeper.give(place, sealed), await keeper.answer()
        await keeper.claim(owner_key, permit)              found = await keeper.seek(name), await keeper.want(places)

What a keeper answers is returned, also where it refuses; a keeper that breaks the rules raises PeerFault. One task at a
time; deadlines are the caller's. Not here: which keepers and when (leaver.py, node/blobs/kept.py).
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import trio

from crypto import hashing
from crypto.faults import Forged, Malformed
from crypto.keys import SigningKey
from node import frames
from node.frames import FrameReader
from node.network import Link, PeerId, Stream
from protocol import deposit, keep, keep_proof
from protocol.blob_stream import bits_of
from protocol.faults import Unavailable
from protocol.keep import Status

_ANOTHER = "a keeper answers something else than it was asked"

F = TypeVar("F", bound=deposit.Reply)


class Parting(NamedTuple):
    """A file for a door: 16 bytes and its key of 32. name: deposit.name_of; size: of all its sealed pieces."""

    sender: bytes
    put_key: bytes
    name: bytes
    size: int
    ttl_s: int
    manifest: bytes


class Left(NamedTuple):
    """What lies of a file. kept_s: for how many seconds; bits: the pieces that lie there. GONE: see client.Kept."""

    status: Status
    kept_s: int
    bits: int


@asynccontextmanager
async def open_stream(link: Link, mine: PeerId) -> AsyncIterator["DepositStream"]:
    """A stream to the keeper at the other end of a link, greeted, until the block is left. mine: our own PeerId there.

    Raises: Unavailable when it keeps no files; PeerFault.
    """
    stream = await link.open(deposit.PROTOCOL)
    try:
        reader = FrameReader(stream, deposit.FRAME_BYTES_MAX)
        hello = await _read(reader)
        if not isinstance(hello, keep.Hello):
            raise Malformed("a keeper says something before its hello")
        yield DepositStream(stream, reader, mine, hello.nonce)
    finally:
        with trio.CancelScope(shield=True):  # closing a stream does not wait
            await stream.aclose()


class DepositStream:
    """A stream to a keeper about files. Made by `open_stream`."""

    def __init__(self, stream: Stream, reader: FrameReader, mine: PeerId, nonce: bytes) -> None:
        self._stream = stream
        self._reader = reader
        self._mine = mine
        self._nonce = nonce
        self._asked = 0  # requests of this stream
        self._given: deque[int] = deque()  # the numbers of those that were pieces and are not answered

    @property
    def reader(self) -> FrameReader:
        """What comes, for whoever watches whether anything does."""
        return self._reader

    async def leave(self, one: Parting) -> Left:
        """Announces a file, and learns what lies of it; what `give` says from then on is about this one."""
        asked = deposit.leave(one.put_key, self._nonce, self._asked + 1, *_said(one))
        await self._say(asked)
        said = self._numbered(await self._hear(deposit.Lies))
        proof = deposit.lies_proof(one.put_key, self._nonce, asked, said.n, said.status, said.value, said.bits)
        if not hashing.same(proof, said.proof):
            return Left(Status.GONE, 0, 0)
        if said.status is not Status.OK:
            return Left(said.status, 0, 0)
        # keep 6.1: for no longer than was asked, whatever it says
        return Left(said.status, min(said.value, one.ttl_s), bits_of(said.bits))

    async def give(self, place: int, sealed: bytes) -> None:
        """Sends a piece; `answer` says what became of it, in the order of sending."""
        await self._say(deposit.Piece(place), sealed)
        self._given.append(self._asked)

    async def answer(self) -> Status:
        """What became of the oldest piece that was not answered."""
        said = await self._hear(keep.Answer)
        if said.n != self._given.popleft():
            raise Malformed(_ANOTHER)
        return said.status

    async def withdraw(self, sender: bytes, put_key: bytes, name: bytes) -> Status:
        """Has a file deleted that was left through a door; one that is not there is well."""
        asked = deposit.withdraw(put_key, self._nonce, self._asked + 1, sender, name)
        await self._say(asked)
        said = self._numbered(await self._hear(keep.Shown))
        proof = deposit.withdraw_proof(put_key, self._nonce, asked, said.n, said.status)
        return said.status if hashing.same(proof, said.proof) else Status.GONE

    async def claim(self, owner: SigningKey, permit: bytes) -> Status:
        """Shows that we are this owner, who is known there. Raises: Forged where it says yes and is another."""
        ends = (bytes(self._stream.peer), bytes(self._mine), self._nonce)
        await self._say(keep_proof.claim(owner, *ends))
        said = self._numbered(await self._hear(keep.Shown))
        if said.status is Status.OK and not hashing.same(
            said.proof, keep_proof.claim_proof(permit, ends, owner.public, said.n, said.status)
        ):
            raise Forged("somebody answers in the place of the keeper")
        return said.status

    async def seek(self, name: bytes) -> deposit.Found | Status:
        """What lies there under a name; `want` is about this from then on. Nobody has checked the manifest yet."""
        await self._say(deposit.Seek(name))
        reply = await _read(self._reader)
        if isinstance(reply, deposit.Found):
            return reply
        return self._numbered(_of(reply, keep.Answer)).status

    async def want(self, places: Sequence[int]) -> None:
        """Asks for pieces of what was found last."""
        await self._say(deposit.Want(tuple(places)))

    async def piece(self) -> tuple[int, bytes]:
        """The next piece that was asked for: its place, and the sealed chunk, which nobody has checked yet."""
        place = _of(await _read(self._reader), deposit.Piece).place
        sealed = await self._reader.read()
        if sealed is None:
            raise Unavailable("a keeper has ended the stream")
        return place, sealed

    async def had(self, name: bytes) -> Status:
        """Has a file deleted that lies there for us; one that is not there is well."""
        await self._say(deposit.Had(name))
        return self._numbered(await self._hear(keep.Answer)).status

    async def _say(self, request: deposit.Request, *sealed: bytes) -> None:
        await frames.write(self._stream, deposit.encode(request), *sealed)
        self._asked += 1

    async def _hear(self, cls: type[F]) -> F:
        return _of(await _read(self._reader), cls)

    def _numbered(self, said: "N") -> "N":
        """An answer to the last request; all before it are answered. Raises: Malformed."""
        if said.n != self._asked:
            raise Malformed(_ANOTHER)
        return said


N = TypeVar("N", deposit.Lies, keep.Answer, keep.Shown)


def _said(one: Parting) -> tuple[bytes, bytes, int, int, bytes]:
    return one.sender, one.name, one.size, one.ttl_s, one.manifest


def _of(reply: deposit.Reply, cls: type[F]) -> F:
    if not isinstance(reply, cls):
        raise Malformed(_ANOTHER)
    return reply


async def _read(reader: FrameReader) -> deposit.Reply:
    raw = await reader.read()
    if raw is None:
        raise Unavailable("a keeper has ended the stream")
    return deposit.decode_reply(raw)
