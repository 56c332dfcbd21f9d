"""Fetches one blob, from all who have it and are there (docs/protocol/blobs.md 3, 4).

    sources ── pieces, checked one by one ──> a channel of a few ──> the writer: file, fsync, then bits in the database

A source that gives a wrong piece is asked for nothing more in this run of the node; one that says nothing is left for a
while. What was written is never asked for again, whatever is killed when. Not here: which blobs (blobs.py).
"""

import errno
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
import trio

from crypto import chunks
from crypto.faults import Forged, Malformed
from node import frames, ground
from node.bell import Bell
from node.blobs.files import Files
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
NOTHING_S = 600.0  # the same for a contact who had nothing of it
MORE_S = 15.0  # until a source that has not all is asked what it has by now
WRITTEN_MAX = 16  # pieces that wait for the disk: 4 MiB
GATHERED_MAX = 8  # pieces that are written at once: threads that take turns cost more than the writing
GATHER_S = 0.005  # how long the first of them waits for the others
SYNC_BYTES = 8 << 20  # written between two fsyncs: what a kill can cost
SYNC_S = 1.0  # the same, where pieces come slowly
AHEAD_BYTES_MAX = 32 << 20  # written and not on the disk: a slow disk slows the sources down

_KINDS = {cls.KIND: cls for cls in (Has, Names, Piece)}

A = TypeVar("A", bound=Answer)

log = structlog.get_logger("blobs")


class Nothing(Unavailable):
    """A contact has nothing of it."""


@dataclass
class Fetching:
    """One blob on its way. candidates: the talks on which it may be asked for, the best first, and why it waits where
    none of them has it; false: who lied; has_room: whether the disk has some left for pieces."""

    inward: Inward
    files: Files
    row: Row
    candidates: Callable[[int], Awaitable[tuple[list[Talk], str]]]
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
    _asked: dict[int, float] = field(default_factory=dict)  # contact -> when he may be asked again; inf while he is

    _told: set[int] = field(default_factory=set)  # who told it since he was asked

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
        if self._asked.get(contact_id, 0.0) != float("inf"):
            self._asked.pop(contact_id, None)
        self.bell.ring()

    async def _from_all(self, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        async with trio.open_nursery() as nursery:
            while self._handing or not self._getting.is_done:
                now = trio.current_time()
                talks, why = await self.candidates(self.row.number)
                for talk in talks:
                    if talk.contact not in self.false and self._asked.get(talk.contact, 0.0) <= now:
                        self._asked[talk.contact] = float("inf")
                        self._told.discard(talk.contact)
                        nursery.start_soon(self._from, talk, send)
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

    async def _from(self, talk: Talk, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        """One source, to its end."""
        again_s = AGAIN_S
        try:
            async with self.limiter(talk.contact):
                await self._ask(talk, send)
        except* Nothing:
            again_s = 0.0 if talk.contact in self._told else NOTHING_S
        except* (Forged, Malformed) as faults:
            log.warning("a source is left", contact=talk.contact, reason=repr(first(faults)))
            self.false.add(talk.contact)
        except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
            log.info("a source is gone", contact=talk.contact, reason=str(first(faults)))
        finally:
            self._getting.leave(talk.contact)
            self._asked[talk.contact] = trio.current_time() + again_s
            self._stir()

    async def _ask(self, talk: Talk, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
        if talk.link is None:
            raise Unavailable("this link cannot be asked")
        with trio.fail_after(OPEN_S):
            stream = await talk.link.open(blob_stream.PROTOCOL)
        try:
            stream.vouch()
            source = _Source(stream, FrameReader(stream, blob_stream.FRAME_BYTES_MAX))
            account = (await self.inward.database.read(people.contact, talk.contact)).account
            tag = blob_stream.tag(self.blob.key, self.blob.root, self.inward.identity.account, account)
            await self._join(talk.contact, source, tag)
            async with self._naming:
                if self._opening is None:
                    await self._name(source)
            while not self._getting.is_done:
                await self._some(talk.contact, source, tag, send)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await stream.aclose()

    async def _join(self, contact_id: int, source: "_Source", tag: bytes) -> None:
        """Hears what a source has. Raises: Nothing."""
        await source.write(Ask(tag, self.here))
        has = await source.read(Has)
        bits = None if has.whole else blob_stream.bits_of(has.bits)
        if bits == 0:
            raise Nothing
        self._getting.join(contact_id, bits, trio.current_time())

    async def _name(self, source: "_Source") -> None:
        """Takes the manifest from a source. Raises: Forged."""
        names = bytearray()
        while len(names) < self.blob.count * chunks.ID_BYTES:
            place = len(names) // chunks.ID_BYTES
            await source.write(NamesWanted(place))
            some = await source.read(Names)
            count = min(blob_stream.NAMES_MAX, self.blob.count - place)
            if some.first != place or len(some.names) != count * chunks.ID_BYTES:
                raise Malformed  # name by name it would take for ever, and others wait meanwhile
            names += some.names
        opening = Opening(self.blob, bytes(names))
        await self.inward.database.transact(blobs.keep_names, self.row.number, opening.manifest)
        self._opening = opening

    async def _some(
        self, contact_id: int, source: "_Source", tag: bytes, send: trio.MemorySendChannel[tuple[int, bytes]]
    ) -> None:
        """Asks a source for what it is to give now, and takes one piece."""
        assert self._opening is not None
        if source.asked <= AHEAD_MAX // 2 and (places := self._getting.ask(contact_id, trio.current_time())):
            await source.write(Want(tuple(places)))
            source.asked += len(places)
            source.is_idle = False
        if not source.asked:  # others are asked for all that it has
            with trio.move_on_after(MORE_S) as waiting:
                await self._moved.park()
            if waiting.cancelled_caught:
                if source.is_idle:  # others of its blobs wait for their turn
                    raise Unavailable("a source has nothing more of it for now")
                source.is_idle = True
                await self._join(contact_id, source, tag)
            return
        place, sealed = (await source.read(Piece)).place, await source.read_raw()
        source.asked -= 1
        if self._getting.came(contact_id, place, trio.current_time()):
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
    """A stream to somebody who has the blob. asked: pieces that are on their way; is_idle: it had nothing to give."""

    stream: Stream
    reader: FrameReader
    asked: int = 0
    is_idle: bool = False

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
