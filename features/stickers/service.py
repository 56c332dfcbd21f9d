"""What a person can do with stickers: make a pack of pictures, send one, keep one that came, hand packs on."""

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crypto.faults import Malformed
from features.media import service as media
from features.media import view as files
from features.media.looking import Source
from features.media.view import FileLine
from features.stickers import names, picture, view
from features.stickers.content import FILE_BYTES_MAX, MAGIC, Pack, Piece, Sticker
from features.stickers.faults import BadPicture, NoPack, PackExists, PathNeeded, PictureUnreadable, UnknownSticker
from features.stickers.view import PackLine
from node import ground, speech
from node.blobs.blobs import NoRoomForBlob
from node.core import Core
from protocol import ids, record
from protocol.faults import quoted
from protocol.file import Shape
from store import blobs, people
from store.blobs import State
from store.database import Tx

MIME = "application/vnd.weft.stickers"
ENDING = ".weftpack"
SLICE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Shown:
    """A sticker with its picture, in hexadecimal. pack: which it is from."""

    name: str
    pack: str
    alt: str
    bytes: int
    width: int
    height: int
    webp: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A sticker that is in a pack now."""

    name: str
    pack: str
    alt: str


class Stickers:
    """Packs of stickers. Every public method is a call of the local API, `stickers.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.lives: speech.Lives | None = None  # how long what is said stays; the room of chats says it

    async def pack(self, name: str, paths: list[str]) -> PackLine:
        """Makes a pack of pictures, or adds them to it: all or none, each made small and without metadata.

        paths: whole; of a folder the pictures in it. A sticker is called as its file, an emoji in that name is its own.
        Errors: sticker.name, sticker.path, sticker.unreadable, sticker.picture, sticker.none, limit.
        """
        called, places = names.checked(name), [Path(one) for one in paths]
        if not all(one.is_absolute() for one in places):
            raise PathNeeded
        found = await ground.aside(self._core.ground, picture.files, places)
        made = [await picture.of_file(self._core, one) for one in found]
        return await self._core.database.transact(_added, called, made)

    async def list(self) -> list[PackLine]:
        """Returns all packs, and what is in them."""
        return list(await self._core.database.read(view.packs))

    async def show(self, sticker: str) -> Shown:
        """Returns a sticker with its picture: of a pack (PACK/STICKER, its name, its emoji), or of a message by its id.

        Errors: sticker.unknown, sticker.ambiguous.
        """

        def look(tx: Tx) -> Sticker:
            try:
                own = view.find(tx, sticker)
            except UnknownSticker:
                said = view.in_message(tx, sticker)
                if said is None:
                    raise
                return said
            return Sticker(own.said.name, own.pack, own.said.alt, own.said.webp)

        said = await self._core.database.read(look)
        width, height = view.measured(said.webp)
        return Shown(said.name, said.pack, said.alt, len(said.webp), width, height, said.webp.hex())

    async def send(self, to: str, sticker: str) -> dict[str, object]:
        """Sends a contact a sticker: PACK/STICKER, its name or its emoji. Returns {"id", "seq"} of the message.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, sticker.unknown,
        sticker.ambiguous.
        """
        now_ms, entropy = self._core.ground.now_ms(), self._core.ground.entropy("message")

        def say(tx: Tx) -> tuple[int, speech.Spoken]:
            contact, own = people.find_contact(tx, to), view.find(tx, sticker)
            said = Sticker(own.said.name, own.pack, own.said.alt, own.said.webp)
            return contact.id, speech.say_as_lasting(tx, self.lives, contact.id, said, now_ms, entropy)

        contact_id, spoken = await self._core.database.transact(say)
        self._core.delivery.stir(contact_id)
        return {"id": ids.ulid(spoken.message_id), "seq": spoken.seq}

    async def save(self, id: str, pack: str | None = None) -> Kept:
        """Keeps the sticker of a message: in the pack that it is from, as it is called there, or in another one.

        Errors: sticker.unknown, sticker.name, sticker.picture, media.room, limit.
        """
        chosen = None if pack is None else names.checked(pack)
        said = await self._core.database.read(view.in_message, id)
        if said is None:
            raise UnknownSticker(f"No one message with a sticker ends with {quoted(id)}.")
        called = names.cleaned(said.pack) if chosen is None else chosen
        made = await self._looked_at(picture.of_bytes(self._core, said.name, said.alt, said.webp))

        def keep(tx: Tx) -> Kept:
            for one in view.pieces(tx, called)[1] if view.has_pack(tx, called) else ():
                if one.webp == made.webp:
                    return Kept(one.name, view.pack(tx, called).name, one.alt)
            after = _added(tx, called, [made])
            return Kept(after.stickers[-1].name, after.name, made.alt)

        return await self._core.database.transact(keep)

    async def remove(self, sticker: str) -> dict[str, object]:
        """Keeps a whole pack, or one sticker, no more: {"pack", "removed": how many stickers}.

        Errors: sticker.unknown, sticker.ambiguous.
        """
        name, count = await self._core.database.transact(view.drop, sticker)
        return {"pack": name, "removed": count}

    async def share(self, to: str, pack: str) -> FileLine:
        """Sends a contact a whole pack as a file, which he can take in.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, sticker.no_pack,
        media.room.
        """
        contact = await self._core.database.read(people.find_contact, to)
        name, pieces = await self._core.database.read(view.pieces, pack)
        raw = MAGIC + record.encode(Pack(name, pieces))
        source = Source(f"{name}{ENDING}", MIME, Shape.FILE, len(raw), lambda: _slices(raw))
        return await media.tell(self._core.services["media"], contact, source)

    async def add(self, id: str, name: str | None = None) -> PackLine:
        """Takes in the pack of a message's file, which is here, all or none; each picture is looked at. name: another.

        Errors: media.none, message.ambiguous, id.malformed, media.incomplete, media.false, media.room, sticker.file,
        sticker.picture, sticker.exists, sticker.name, limit.
        """
        chosen = None if name is None else names.checked(name)
        pack = _opened(await self._content(id))
        called = names.cleaned(pack.name) if chosen is None else chosen
        if await self._core.database.read(view.has_pack, called):
            raise PackExists(f"You have a pack {quoted(called)} already; nothing was added.")
        looked_at = [
            await self._looked_at(picture.of_bytes(self._core, one.name, one.alt, one.webp)) for one in pack.pieces
        ]

        def keep(tx: Tx) -> PackLine:
            if view.has_pack(tx, called):
                raise PackExists
            return _added(tx, called, looked_at)

        return await self._core.database.transact(keep)

    async def _looked_at(self, looking: Awaitable[Piece]) -> Piece:
        """What the workshop says of a picture of somebody else's: that it lies nowhere is no fault of a person."""
        try:
            return await looking
        except PictureUnreadable:
            raise BadPicture from None

    async def _content(self, id: str) -> bytes:
        """The content of a message's file. Raises: NoPack for one that is longer than any pack, and what `add` says."""
        core = self._core
        found = await core.database.read(files.find, id)
        if found.said.blob.length > FILE_BYTES_MAX:
            raise NoPack
        if found.row.state is State.FALSE:
            raise blobs.BlobFalse
        if found.row.state is not State.WHOLE:
            raise blobs.BlobNotHere
        place = await picture.laid(core, found.said.blob.length)
        with picture.gone(place):
            try:
                await core.blobs.save(found.row.number, place)
                return await ground.aside(core.ground, place.read_bytes)
            except OSError:
                raise NoRoomForBlob from None


def _opened(raw: bytes) -> Pack:
    """The pack in a file. Raises: NoPack."""
    if not raw.startswith(MAGIC):
        raise NoPack
    try:
        return record.decode(Pack, raw[len(MAGIC) :], FILE_BYTES_MAX)
    except Malformed:
        raise NoPack from None


def _added(tx: Tx, pack: str, made: Sequence[Piece]) -> PackLine:
    """A pack after these were added, each under a name that is free. Raises: TooMany."""
    taken = {one.name.casefold() for one in view.pieces(tx, pack)[1]} if view.has_pack(tx, pack) else set()
    named = []
    for one in made:
        name = names.free(one.name, taken)
        taken.add(name.casefold())
        named.append(replace(one, name=name))
    view.put(tx, pack, named)
    return view.pack(tx, pack)


def _slices(raw: bytes) -> Iterator[bytes]:
    yield from (raw[at : at + SLICE_BYTES] for at in range(0, len(raw), SLICE_BYTES))
