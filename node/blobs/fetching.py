"""Fetches one blob, from all who have it and are there (docs/protocol/blobs.md 3, 4).

    sources ── pieces, checked one by one ──> a channel of a few ──> the writer: file, fsync, then bits in the database

A source that gives a wrong piece is asked for nothing more in this run of the node; one that says nothing is left for a
while. What was written is never asked for again, whatever is killed when. Not here: which blobs (blobs.py).
"""

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import structlog
import trio

from crypto import chunks
from crypto.faults import Forged, Malformed
from node import frames, ground
from node.bell import Bell
from node.blobs.files import Files
from node.blobs.kept import Kept, Nothing
from node.frames import FrameReader
from node.inward import Inward
from node.network import Stream
from node.supervisor import first
from node.talk import Talk
from protocol import blob_stream, record
from protocol.blob_stream import Answer, Ask, Has, Names, NamesWanted, Piece, Want
from protocol.blobs import Blob, Opening
from protocol.faults import PeerFault, Unavailable
from protocol.getting import AHEAD_MAX, Getting
from store import blobs, people
from store.blobs import Row

OPEN_S = 10.0
SILENT_S = 20.0  # a source that was asked and says nothing for so long is left
WHOLE_S = 60.0  # for one answer, however slow the line is: 35 kbit/s
AGAIN_S = 30.0  # until it is asked again; sooner where its owner has come back
NOTHING_S = 600.0  # the same for a contact who had nothing of it; a keeper comes to that by and by
MORE_S = 15.0  # until a source that has not all is asked what it has by now
WRITTEN_MAX = 16  # pieces that wait for the disk: 4 MiB
GATHERED_MAX = 8  # pieces that are written at once: threads that take turns cost more than the writing
GATHER_S = 0.005  # how long the first of them waits for the others
SYNC_BYTES = 8 << 20  # written between two fsyncs: what a kill can cost
SYNC_S = 1.0  # the same, where pieces come slowly
AHEAD_BYTES_MAX = 32 << 20  # written and not on the disk: a slow disk slows the sources down

_KINDS = {cls.KIND: cls for cls in (Has, Names, Piece)}

A = TypeVar("A", bound=Answer)
OpenSource = Callable[[], AbstractAsyncContextManager["Source"]]

log = structlog.get_logger("blobs")


class Source(Protocol):
    """Somebody who has pieces, whoever he is. asked: those on their way; is_idle: he had nothing to give."""

    asked: int
    is_idle: bool

    async def join(self) -> int | None:
        """What he has, as bits, None for all. Raises: Nothing."""

    async def names(self) -> bytes:
        """The manifest; nobody has checked it."""

    async def want(self, places: Sequence[int]) -> None:
        """Asks him for pieces."""

    async def piece(self) -> tuple[int, bytes]:
        """The next of them; nobody has checked it."""


@dataclass
class Fetching:
    """One blob on its way. candidates: the talks on which it may be asked for, the best first, and why it waits where
    none of them has it; kept: the keepers where it may lie; false: who lied; has_room: whether the disk has some."""

    inward: Inward
    files: Files
    row: Row
    candidates: Callable[[int], Awaitable[tuple[list[Talk], str]]]
    kept: Kept | None
    limiter: Callable[[int], trio.CapacityLimiter]
    false: set[int]
    has_room: Callable[[], bool]
    bell: Bell = field(default_factory=Bell)  # somebody may have come
    _getting: Getting = field(init=False)
    _opening: Opening | None = None  # holds the manifest, once it is here
    _naming: trio.Lock = field(default_factory=trio.Lock)
    _moved: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    _written: int = 0  # pieces in the file that may not be on the disk yet, as bits
    _written_bytes: int = 0
    _news: Bell = field(default_factory=Bell)  # something was written, or all was
    _full: trio.Event = field(default_factory=trio.Event)  # enough of it for one fsync, or all
    _synced: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    _handing: int = 0  # pieces that wait for room before the writer
    _why: str = ""
    _is_over: bool = False  # nothing more is written
    _asked: dict[int, float] = field(default_factory=dict)  # source -> when it may be asked again; inf while it is
    _keepers: dict[int, int] = field(default_factory=dict)  # source -> the contact who keeps, where it is a keeper
    _told: set[int] = field(default_factory=set)  # who told it since he was asked
    _vain: dict[int, int] = field(default_factory=dict)  # keeper -> how often it was asked and gave nothing

    def __post_init__(self) -> None:
        self._getting = Getting(self.row.blob.count, self.row.bits)

    @property
    def blob(self) -> Blob:
        return self.row.blob

    @property
    def here(self) -> int:
        """How many pieces are here, also those that are not on the disk yet."""
        return self._getting.done.bit_count()

    async def run(self) -> None:
        """Returns when all is here and on the disk. Raises: OSError where the disk fails."""
        if names := await self.inward.database.read(blobs.names, self.row.number):
            self._opening = Opening(self.blob, names)
        send, receive = trio.open_memory_channel[tuple[int, bytes]](WRITTEN_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, receive)
            nursery.start_soon(self._sync)
            async with send:
                await self._from_all(send)

    def told(self, contact_id: int) -> None:
        """A contact has told it just now: he may be asked, also where he said before that he has nothing."""
        self._told.add(contact_id)
        self.met(contact_id)

    def met(self, contact_id: int) -> None:
        """A contact is there: he may be asked, if he did not lie."""
        for key in (contact_id, *(key for key, one in self._keepers.items() if one == contact_id)):
            if self._asked.get(key, 0.0) != float("inf"):
                self._asked.pop(key, None)
                self._vain.pop(key, None)
        self.bell.ring()

    async def _from_all(self, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        async with trio.open_nursery() as nursery:
            while self._handing or not self._getting.is_done:
                talks, why = await self.candidates(self.row.number)
                sources: dict[int, OpenSource] = {one.contact: partial(self._of_contact, one) for one in talks}
                if self.kept is not None:
                    for desk in await self.kept.desks(self.row.number):
                        self._keepers[desk.key] = desk.keeper.contact
                        sources[desk.key] = partial(self.kept.open, desk, self.row.number, self.blob)
                now = trio.current_time()
                for key, source in sources.items():
                    if key not in self.false and self._asked.get(key, 0.0) <= now:
                        self._asked[key] = float("inf")
                        self._told.discard(key)
                        nursery.start_soon(self._from, key, source, send)
                await self._say_why("" if float("inf") in self._asked.values() else why)
                later = [at for at in self._asked.values() if now < at < float("inf")]
                with trio.move_on_at(min(later, default=float("inf"))):
                    await self.bell.wait()
            nursery.cancel_scope.cancel()

    async def _say_why(self, why: str) -> None:
        """Tells a person why it does not go on; "" where somebody is asked."""
        if why != self._why:
            self._why = why
            await self.inward.database.transact(blobs.waits, self.row.number, why)

    async def _from(self, key: int, source: "OpenSource", send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        """One source, to its end."""
        again_s, before = AGAIN_S, self.here
        try:
            async with self.limiter(key), source() as opened:
                await self._ask(key, opened, send)
        except* Nothing:
            again_s = 0.0 if key in self._told else NOTHING_S
        except* (Forged, Malformed) as faults:
            log.warning("a source is left", source=key, reason=repr(first(faults)))
            self.false.add(key)
        except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
            log.info("a source is gone", source=key, reason=str(first(faults)))
        finally:
            self._getting.leave(key)
            if key < 0:  # its sender may be leaving it now; and nobody says when one of our own is there again
                self._vain[key] = 0 if self.here > before else self._vain.get(key, -1) + 1
                again_s = min(AGAIN_S * 2 ** min(self._vain[key], 8), NOTHING_S)
            self._asked[key] = trio.current_time() + again_s
            self._stir()

    @asynccontextmanager
    async def _of_contact(self, talk: Talk) -> AsyncIterator["_Source"]:
        """A stream to a contact."""
        if talk.link is None:
            raise Unavailable("this link cannot be asked")
        with trio.fail_after(OPEN_S):
            stream = await talk.link.open(blob_stream.PROTOCOL)
        try:
            stream.vouch()
            account = (await self.inward.database.read(people.contact, talk.contact)).account
            tag = blob_stream.tag(self.blob.key, self.blob.root, self.inward.identity.account, account)
            yield _Source(stream, FrameReader(stream, blob_stream.FRAME_BYTES_MAX), tag, self)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await stream.aclose()

    async def _ask(self, key: int, source: Source, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        await self._join(key, source)
        async with self._naming:
            if self._opening is None:
                opening = Opening(self.blob, await source.names())
                await self.inward.database.transact(blobs.keep_names, self.row.number, opening.manifest)
                self._opening = opening
        while not self._getting.is_done:
            await self._some(key, source, send)

    async def _join(self, key: int, source: Source) -> None:
        """Hears what a source has. Raises: Nothing."""
        self._getting.join(key, await source.join(), trio.current_time())

    async def _some(self, key: int, source: Source, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        """Asks a source for what it is to give now, and takes one piece."""
        assert self._opening is not None
        if source.asked <= AHEAD_MAX // 2 and (places := self._getting.ask(key, trio.current_time())):
            await source.want(places)
            source.asked += len(places)
            source.is_idle = False
        if not source.asked:  # others are asked for all that it has
            with trio.move_on_after(MORE_S) as waiting:
                await self._moved.park()
            if waiting.cancelled_caught:
                if source.is_idle:  # others of its blobs wait for their turn
                    raise Unavailable("a source has nothing more of it for now")
                source.is_idle = True
                await self._join(key, source)
            return
        place, sealed = await source.piece()
        source.asked -= 1
        if self._getting.came(key, place, trio.current_time()):
            self._opening.check(place, sealed)
            self._getting.took(place)
            self._handing += 1  # nobody else is asked for it any more: it has to come through
            await send.send((place, sealed))
            self._handing -= 1
        if self._getting.is_done:
            self._stir()

    def _stir(self) -> None:
        self._moved.unpark_all()
        self.bell.ring()

    # --- to the disk

    async def _write(self, receive: trio.MemoryReceiveChannel[tuple[int, bytes]]) -> None:
        """Writes what comes, a few pieces at once, and is not far ahead of the disk."""
        async for piece in receive:
            pieces = [piece]
            with trio.move_on_after(GATHER_S), suppress(trio.EndOfChannel):
                while len(pieces) < GATHERED_MAX and not (self._getting.is_done and not self._handing):
                    pieces.append(await receive.receive())
            if not self.has_room():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            await ground.aside(self.inward.ground, self.files.write, self.row.file, pieces)
            for place, sealed in pieces:
                self._written |= 1 << place
                self._written_bytes += len(sealed)
            self._news.ring()
            if self._written_bytes >= SYNC_BYTES:
                self._full.set()
            while self._written_bytes >= AHEAD_BYTES_MAX:
                await self._synced.park()
        self._is_over = True
        self._full.set()
        self._news.ring()

    async def _sync(self) -> None:
        """Puts what was written on the disk, while more is written; a piece counts from then on."""
        while True:
            await self._news.wait()
            with trio.move_on_after(SYNC_S):
                await self._full.wait()
            if not self._is_over:
                self._full = trio.Event()
            while self._written:
                bits, self._written, self._written_bytes = self._written, 0, 0
                await ground.aside(self.inward.ground, self.files.sync, self.row.file)
                row, now_ms = self.row, self.inward.now()
                if not await self.inward.database.transact(blobs.came, row.number, row.file, bits, now_ms):
                    raise Unavailable("the file is another one by now")
                self._synced.unpark_all()
                if not self._is_over:
                    break
            if self._is_over and not self._written:
                return


@dataclass
class _Source:
    """A stream to a contact who has the blob. asked: pieces that are on their way; is_idle: it had nothing to give."""

    stream: Stream
    reader: FrameReader
    tag: bytes
    fetching: Fetching
    asked: int = 0
    is_idle: bool = False

    async def join(self) -> int | None:
        """What he has, as bits, None for all. Raises: Nothing."""
        await self.write(Ask(self.tag, self.fetching.here))
        has = await self.read(Has)
        bits = None if has.whole else blob_stream.bits_of(has.bits)
        if bits == 0:
            raise Nothing
        return bits

    async def names(self) -> bytes:
        """The manifest; nobody has checked it. Raises: Malformed."""
        names, blob = bytearray(), self.fetching.blob
        while len(names) < blob.count * chunks.ID_BYTES:
            place = len(names) // chunks.ID_BYTES
            await self.write(NamesWanted(place))
            some = await self.read(Names)
            count = min(blob_stream.NAMES_MAX, blob.count - place)
            if some.first != place or len(some.names) != count * chunks.ID_BYTES:
                raise Malformed  # name by name it would take for ever, and others wait meanwhile
            names += some.names
        return bytes(names)

    async def want(self, places: Sequence[int]) -> None:
        """Asks him for pieces."""
        await self.write(Want(tuple(places)))

    async def piece(self) -> tuple[int, bytes]:
        """The next of them; nobody has checked it."""
        return (await self.read(Piece)).place, await self.read_raw()

    async def write(self, asking: Ask | NamesWanted | Want) -> None:
        with trio.fail_after(SILENT_S):
            await frames.write(self.stream, record.encode(asking))

    async def read(self, cls: type[A]) -> A:
        """The next answer, which is one of this kind. Raises: Malformed, Unavailable, TooSlowError."""
        answer = record.decode_one_of(_KINDS, await self.read_raw(), blob_stream.FRAME_BYTES_MAX)
        if not isinstance(answer, cls):
            raise Malformed
        return answer

    async def read_raw(self) -> bytes:
        """The next frame as it is. Raises: Malformed, Unavailable, TooSlowError."""
        if (ready := self.reader.take()) is not None:
            return ready
        with trio.fail_after(WHOLE_S):
            raw = await self._frame()
        if raw is None:
            raise Unavailable("a source has ended the stream")
        return raw

    async def _frame(self) -> bytes | None:
        """The next frame, while any byte of it comes within SILENT_S. Raises: Unavailable, TooSlowError."""
        while True:
            before = self.reader.begun
            with trio.move_on_after(SILENT_S):
                return await self.reader.read()
            if self.reader.begun == before:
                raise trio.TooSlowError
