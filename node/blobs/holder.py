"""The end of /weft/blobs/1 that has a blob: it answers a contact who was told it (docs/protocol/blobs.md 4).

Who asks shows by the tag that he knows the blob's key, so he was told it by somebody; what he gets is sealed. A piece
is read when it is asked for, and the next question when the answer is written: who does not read costs nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import trio

from crypto.faults import Malformed
from node import frames, ground
from node.bell import Bell
from node.blobs import disk, tags
from node.blobs.files import Files
from node.blobs.tags import Tags
from node.inward import Inward
from node.network import Stream
from node.talk import Talk
from protocol import blob_stream, record
from protocol.blob_stream import Answer, Ask, Asking, Has, Names, NamesWanted, Piece, Want
from protocol.faults import PeerFault, Unavailable
from protocol.ids import AccountId
from store import blobs, people, uses
from store.blobs import Row, State

ASKING_BYTES_MAX = 1024  # of one frame of an asker
STREAMS_MAX = 8  # of one contact at once: he gets as many blobs side by side
IDLE_S = 120.0  # an asker waits for others meanwhile, or has written what came; longer is a stream that nobody needs
WRITE_S = 60.0  # for one piece, over a slow line
ASK_GAP_S = 0.05  # between two questions of one contact what a tag stands for
NOTE_S = 1.0  # between two times of writing down how much contacts have

_KINDS: Mapping[int, type[Asking]] = {cls.KIND: cls for cls in (Ask, NamesWanted, Want)}


class TooManyAtOnce(PeerFault):
    """A contact asks for more at once than he may."""


@dataclass
class Holder:
    """Answers all contacts; `run` writes down how much each has, for a person to see."""

    inward: Inward
    files: Files
    _tags: Tags = field(default_factory=Tags)
    _given: dict[tuple[int, int], int] = field(default_factory=dict)  # (blob, contact) -> pieces that he has
    _news: dict[tuple[int, int], None] = field(default_factory=dict)  # what of these is to be written down
    _bell: Bell = field(default_factory=Bell)
    _streams: Counter[int] = field(default_factory=Counter)
    _asked_at: dict[int, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await self._bell.wait()
            news = [(*one, self._given[one]) for one in self._news]
            self._news.clear()
            await self.inward.database.transact(uses.gave, news)
            await trio.sleep(NOTE_S)

    async def serve(self, talk: Talk, stream: Stream) -> None:
        """One stream of a contact, to its end. Raises: PeerFault, Unavailable."""
        if self._streams[talk.contact] >= STREAMS_MAX:
            raise TooManyAtOnce
        self._streams[talk.contact] += 1
        try:
            await self._serve(talk.contact, stream)
        except OSError as fault:
            raise Unavailable("a file of pieces cannot be read") from fault
        finally:
            self._streams[talk.contact] -= 1

    async def _serve(self, contact_id: int, stream: Stream) -> None:
        reader = frames.FrameReader(stream, ASKING_BYTES_MAX)
        account = (await self.inward.database.read(people.contact, contact_id)).account
        number = 0
        while (asking := await self._read(reader)) is not None:
            if isinstance(asking, Ask):
                number = await self._find(contact_id, account, asking)
                if not number:
                    await self._write(stream, Has(b"", 0))
                    return  # he was not told it, or nothing of it is here
            if not number:
                raise Malformed  # nothing was asked for yet
            row = await self.inward.database.read(blobs.row, number)
            if row is None:
                raise Unavailable("a blob was forgotten while it was asked for")
            await self._answer(contact_id, stream, row, asking)

    async def _answer(self, contact_id: int, stream: Stream, row: Row, asking: Asking) -> None:
        match asking:
            case Ask():
                whole = row.state is State.WHOLE
                await self._write(stream, Has(b"" if whole else blob_stream.bytes_of(row.bits), int(whole)))
                self._note(row.number, contact_id, asking.here)
            case NamesWanted(first):
                if first >= row.blob.count:
                    raise Malformed
                some = await self.inward.database.read(blobs.some_names, row.number, first)
                if not some:
                    raise Unavailable("a blob was forgotten while it was asked for")
                await self._write(stream, Names(first, some))
            case Want(places):
                if any(place >= row.blob.count for place in places):
                    raise Malformed
                if not all(row.bits >> place & 1 for place in places):
                    raise Unavailable("a piece was asked for that is not here, or not any more")
                try:
                    read = await ground.aside(self.inward.ground, self.files.read, row.file, row.blob, places)
                except OSError as fault:
                    await disk.is_gone(self.inward, self.files, row.number)
                    raise Unavailable("a file of pieces cannot be read") from fault
                for place, sealed in zip(places, read, strict=True):
                    await self._write(stream, Piece(place), sealed)
                    self._note(row.number, contact_id, self._given.get((row.number, contact_id), 0) + 1)

    async def _find(self, contact_id: int, account: AccountId, asking: Ask) -> int:
        """The blob that a contact asks for, 0 where none that is here has this tag."""
        mine = self.inward.identity.account
        now = trio.current_time()
        at = max(now, self._asked_at.get(contact_id, now - ASK_GAP_S) + ASK_GAP_S)
        self._asked_at[contact_id] = at
        await trio.sleep_until(at)
        database = self.inward.database
        while news := await database.transact(blobs.held_after, seen := self._tags.seen(contact_id), tags.NEWS_MAX):
            more = ((turn, number, blob_stream.tag(key, root, account, mine)) for turn, number, key, root in news)
            self._tags.add(contact_id, seen, more)
            await trio.lowlevel.checkpoint()
        number = self._tags.find(contact_id, asking.tag)
        row = await database.read(blobs.row, number) if number else None
        return number if row is not None and row.here else 0

    def _note(self, number: int, contact_id: int, pieces: int) -> None:
        self._given[number, contact_id] = pieces
        self._news[number, contact_id] = None
        self._bell.ring()

    async def _read(self, reader: frames.FrameReader) -> Asking | None:
        with trio.move_on_after(IDLE_S):
            raw = await reader.read()
            if raw is None:
                return None
            return record.decode_one_of(_KINDS, raw, ASKING_BYTES_MAX)
        return None

    async def _write(self, stream: Stream, answer: Answer, *sealed: bytes) -> None:
        with trio.move_on_after(WRITE_S) as waiting:
            await frames.write(stream, record.encode(answer), *sealed)
        if waiting.cancelled_caught:
            raise Unavailable("the other end does not read")
