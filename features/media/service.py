"""What a person can do with files: send one, fetch one, pause, save it to a folder, see how far each is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import trio

from features.media import aging, getting, keeping, looking, storage, view
from features.media.faults import (
    BadKeep,
    NoFile,
    PathNeeded,
)
from features.media.looking import Source
from features.media.storage import IsKept, Share, Storage
from features.media.view import FileLine, Found
from node import speech
from node.core import Core
from protocol.blobs import Blob
from protocol.file import File
from store import blobs, people
from store.database import Tx

DISCARD_S = 5.0
NAMES_MAX = 1000  # files of one name in one folder
SHAPES = ("auto", "file", "picture", "voice", "video")
Rows = list[FileLine]


class Media:
    """Files of conversations. Every public method is a call of the local API, `media.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.lives: speech.Lives | None = None  # how long what is said stays; the room of chats says it
        self.is_kept: IsKept = lambda _tx, _seq: False  # what stays whatever the quota is; so does this

    async def send(self, to: str, path: str, shape: str = "auto", preview: str | None = None) -> FileLine:
        """Seals a file or folder and tells a contact of it, durable on return; he fetches it when he likes.

        path: whole. shape: "auto" (by its name), "file" (as it is), "picture", "voice", "video"; the last three are
        looked into, and where and with what they were taken does not go along. preview: the whole path of a picture
        that is shown of a video before it is fetched; None: none is.
        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, limit, media.path,
        media.unreadable, media.changed, media.room, media.folder, media.strange, media.preview.
        """
        place, frame = Path(path), None if preview is None else Path(preview)
        if not place.is_absolute() or shape not in SHAPES or not (frame is None or frame.is_absolute()):
            raise PathNeeded
        contact = await self._core.database.read(people.find_contact, to)
        ready, sealed = await looking.sealed(self._core, place, shape, frame)
        return await _told(self, contact, ready, sealed)

    async def forward(self, id: str, to: str) -> FileLine:
        """Tells another contact the file of a message, without sealing it again; who sent it to us is not told.

        He gets it from us as far as it is here, and from whoever of his contacts has it.
        Errors: media.none, message.ambiguous, id.malformed, contact.unknown, contact.ambiguous, contact.blocked,
        contact.account_changed, media.gone.
        """
        await getting.require_standing(self._core, (await self._core.database.transact(view.find, id)).row.number)

        def post(tx: Tx) -> tuple[int, FileLine]:
            found, contact = view.find(tx, id), people.find_contact(tx, to)
            said = replace(found.said, forwarded=1)
            return contact.id, self._say(tx, contact.id, said, found.row.number)

        contact_id, line = await self._core.database.transact(post)
        self._core.delivery.stir(contact_id)
        return line

    async def get(self, id: str) -> FileLine:
        """Begins to fetch the file of a message, or goes on where it was paused.

        Errors: media.none, message.ambiguous, id.malformed, media.room, media.gone (of a file of ours).
        """
        found = await self._core.database.transact(view.find, id)
        await getting.require_ready(self._core, found.row.number)
        now_ms = self._core.ground.now_ms()

        def want(tx: Tx, number: int) -> None:
            blobs.want(tx, number)
            blobs.used(tx, number, now_ms)

        return await self._moved(id, want)

    async def pause(self, id: str) -> FileLine:
        """Fetches the file of a message no more, until it is wanted again; what is here of it stays.

        Errors: media.none, message.ambiguous, id.malformed.
        """
        return await self._moved(id, lambda tx, number: blobs.pause(tx, number, ""))

    async def drop(self, id: str) -> FileLine:
        """Keeps the file of a message here no more, to make room; it can be fetched again where somebody has it.

        Errors: media.none, message.ambiguous, id.malformed.
        """
        return await self._moved(id, blobs.drop)

    async def leave(self, id: str, withdraw: bool = False) -> FileLine:
        """Leaves a file of ours at a keeper of its reader whenever he is away, however large; a small one is anyway.

        withdraw: takes back what lies there instead, and leaves it nowhere.
        Errors: media.none, message.ambiguous, id.malformed, media.theirs, media.had, media.no_keeper.
        """
        now_ms = self._core.ground.now_ms()

        def move(tx: Tx) -> FileLine:
            found = view.find(tx, id)
            if withdraw:
                keeping.unwanted(tx, found.contact, found.row.number)
            else:
                keeping.wanted(tx, found.mine, found.contact, found.row.number, now_ms)
            return _line(tx, found)

        return await self._core.database.transact(move)

    async def save(self, id: str, folder: str) -> dict[str, object]:
        """Writes the whole file of a message into a folder, under its name or the next free one: {"file", "bytes"}.

        Errors: media.none, message.ambiguous, id.malformed, media.incomplete, media.false, media.gone,
        media.place.
        """
        found = await self._core.database.transact(view.find, id)
        return await getting.save(self._core, found.row, found.said, folder)

    async def list(self, contact: str | None = None, limit: int = 100) -> Rows:
        """Returns the newest files of all conversations or of one, the oldest first, and how far each is.

        Errors: contact.unknown, contact.ambiguous.
        """

        def look(tx: Tx) -> tuple[FileLine, ...]:
            return view.lines(tx, None if contact is None else people.find_contact(tx, contact).id, limit)

        return list(await self._core.database.transact(look))

    async def storage(self, contact: str | None = None) -> Storage:
        """Returns what takes room here: in the conversation with a contact, or in each, the largest first.

        Errors: contact.unknown, contact.ambiguous.
        """
        found = None if contact is None else await self._core.database.transact(people.find_contact, contact)
        return await storage.look(self._core, None if found is None else found.id, self.is_kept)

    async def keep(self, to: str, seconds: int | None = None) -> Share:
        """Lets files of a conversation that can be fetched again go, so long after their last use; texts are not meant.

        seconds: a day to a hundred years, 0: they stay as long as there is room, None: only says what is so.
        Errors: contact.unknown, contact.ambiguous, limit.
        """
        if seconds and not aging.KEEP_S_MIN <= seconds <= aging.KEEP_S_MAX:
            raise BadKeep

        def decide(tx: Tx) -> int:
            contact_id = people.find_contact(tx, to).id
            if seconds is not None:
                aging.keep(tx, contact_id, seconds)
            return contact_id

        contact_id = await self._core.database.transact(decide)
        return (await storage.look(self._core, contact_id, self.is_kept)).conversations[0]

    async def show(self, id: str) -> FileLine:
        """Returns the file of a message. Errors: media.none, message.ambiguous, id.malformed."""
        return await self._core.database.transact(lambda tx: _line(tx, view.find(tx, id)))

    async def preview(self, id: str) -> dict[str, object]:
        """Returns what the message shows of a picture or video: {"webp": hexadecimal}.

        Errors: media.none, message.ambiguous, id.malformed.
        """
        found = await self._core.database.transact(view.find, id)
        if not found.said.preview:
            raise NoFile("There is no preview in this message.")
        return {"webp": found.said.preview.hex()}

    def _say(self, tx: Tx, contact_id: int, said: File, number: int) -> FileLine:
        """Posts a file to a contact, and notes which blob it is."""
        now_ms, entropy = self._core.ground.now_ms(), self._core.ground.entropy("message")
        spoken = speech.say_as_lasting(tx, self.lives, contact_id, said, now_ms, entropy)
        view.note(tx, spoken.seq, contact_id, number)
        keeping.by_itself(tx, number, said.blob, contact_id, now_ms)
        line = view.line(tx, spoken.seq)
        assert line is not None
        return line

    async def _moved(self, id: str, step: Callable[[Tx, int], None]) -> FileLine:
        def move(tx: Tx) -> FileLine:
            found = view.find(tx, id)
            step(tx, found.row.number)
            return _line(tx, found)

        return await self._core.database.transact(move)


async def tell(media: Media, contact: people.Contact, source: Source) -> FileLine:
    """Seals what another room has made and tells a contact of it. Raises: NoRoomForBlob, and as `speech.say`."""
    return await _told(media, contact, source, await media._core.blobs.make(source.length, source.read()))


async def _told(media: Media, contact: people.Contact, source: Source, sealed: tuple[Blob, bytes, str]) -> FileLine:
    """Tells a contact of what was sealed; where that cannot be, nothing of it stays."""
    core, (blob, manifest, file) = media._core, sealed

    def post(tx: Tx) -> FileLine:
        number = blobs.made(tx, blob, manifest, file, core.ground.now_ms())
        return media._say(tx, contact.id, source.said(blob), number)

    line = None
    try:
        line = await core.database.transact(post)
    finally:
        if line is None:  # refused, or given up: nobody was told of it
            with trio.CancelScope(shield=True, deadline=trio.current_time() + DISCARD_S):
                await core.blobs.discard(file)
    core.delivery.stir(contact.id)
    return line


def _line(tx: Tx, found: Found) -> FileLine:
    line = view.line(tx, found.seq)
    assert line is not None
    return line


async def run(media: Media) -> None:
    """What the room does by itself, until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(storage.run, media._core, media.is_kept)
        nursery.start_soon(aging.run, media._core, media.is_kept)
