"""What moments do with pictures and films: seal them, note which moment tells which blob, fetch, save and forget them.

A picture is fetched when somebody looks at it: from its author, and from contacts of ours who are his too. Who gives
it away does not write down to whom. Not here: moments themselves, which are named by their rows; what is looked for in
a file, and how it is saved (features/media).
"""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from features.media import getting, looking, view
from features.media.faults import BadFile, BadPlace, BadPreview, FileChanged, FileTooLarge, PathNeeded, Unlooked
from features.moments.content import MEDIA_MAX
from features.moments.faults import NoPicture, TooManyPictures
from features.moments.shown import Picture
from node import ground
from node.core import Core
from protocol.faults import Malformed, quoted
from protocol.file import PREVIEW_BYTES_MAX, File, Shape
from store import blobs, mutual, uses
from store.blobs import Row, State
from store.database import Migration, Tx

PICTURES_SCHEMA = Migration(
    "moments",
    2,
    """
    CREATE TABLE moment_picture (
      moment INTEGER NOT NULL, place INTEGER NOT NULL, blob INTEGER NOT NULL, ours INTEGER NOT NULL,
      PRIMARY KEY (moment, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX moment_picture_blob ON moment_picture (blob);
    """,
)
ROOM = "moments"  # as which moments need a blob
PREVIEWS_BYTES = 30 * 1024  # of all pictures of a moment: beside all else at its longest they fit into 60 KiB
MUTUAL_MAX = 32  # contacts that are asked first beside the author, those whom he has shown last
DISCARD_S = 5.0


@dataclass(frozen=True, slots=True)
class Sealed:
    """A picture or film that lies here sealed. said: what the moment tells of it; manifest, file: as blobs keep it."""

    said: File
    manifest: bytes
    file: str


# --- making


@asynccontextmanager
async def prepared(
    core: Core, images: Sequence[Path], video: Path | None, frame: Path | None
) -> AsyncIterator[tuple[Sealed, ...]]:
    """Pictures or one film for a moment, without metadata and sealed; in the block `keep` keeps them, or they go.

    frame: a picture that is shown of the film. All whole paths.
    Raises: TooManyPictures, PathNeeded, BadPreview, BadFile, FileChanged, FileTooLarge, Unlooked, NoRoomForBlob.
    """
    if len(images) > MEDIA_MAX or (images and video is not None):
        raise TooManyPictures
    share = min(PREVIEW_BYTES_MAX, PREVIEWS_BYTES // max(1, len(images)))
    sealed: list[Sealed] = []
    try:
        with _posting():
            if frame is not None and video is None:
                raise BadPreview
            for place in images:  # each goes again where a later one fails
                sealed.append(await _sealed(core, place, Shape.PICTURE, None, share))  # noqa: PERF401
            if video is not None:
                sealed.append(await _sealed(core, video, Shape.VIDEO, frame, share))
        yield tuple(sealed)
    finally:
        if sealed:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + DISCARD_S):
                for one in sealed:
                    if not await core.database.read(uses.has_file, one.file):  # nobody was told of it
                        await core.blobs.discard(one.file)


async def _sealed(core: Core, place: Path, shape: Shape, frame: Path | None, preview_bytes: int) -> Sealed:
    if not place.is_absolute() or (frame is not None and not frame.is_absolute()):
        raise PathNeeded
    if not await ground.aside(core.ground, os.path.isfile, place):
        raise BadFile(f"No file can be read at {quoted(str(place))}; nothing was posted.")
    source, (blob, manifest, file) = await looking.sealed(core, place, shape.name.lower(), frame, preview_bytes)
    return Sealed(source.said(blob), manifest, file)


@contextmanager
def _posting() -> Iterator[None]:
    """What is wrong with a file is said of a moment."""
    try:
        yield
    except (BadFile, BadPreview, FileChanged, FileTooLarge, PathNeeded, Unlooked) as why:
        said = str(why).replace("nothing was sent", "nothing was posted")
        raise type(why)(said, next='weft moments post "…" --image FILE') from None


# --- noting


def keep(tx: Tx, moment_id: int, sealed: Sequence[Sealed], now_ms: int) -> None:
    """These are the pictures of a moment of ours."""
    numbers = [blobs.made(tx, one.said.blob, one.manifest, one.file, now_ms) for one in sealed]
    _note(tx, moment_id, numbers, is_ours=True)


def told(tx: Tx, moment_id: int, author: int | None, media: Sequence[File], now_ms: int) -> None:
    """A moment shows these, in place of those that it showed before; they are not fetched by that.

    author: None for one of ours that was read again, as after a restore. Raises: Malformed, with nothing done.
    """
    check(media)
    numbers = [blobs.told(tx, one.blob, author, view.file_of(one.blob), now_ms) for one in media]
    _note(tx, moment_id, numbers, is_ours=author is None)


def check(media: Sequence[File]) -> None:
    """Returns where a moment can show these: pictures, or one film. Raises: Malformed."""
    shapes = [one.shape for one in media]
    if len(shapes) > MEDIA_MAX:
        raise Malformed
    if shapes != [Shape.VIDEO] and any(shape is not Shape.PICTURE for shape in shapes):
        raise Malformed


def forget(tx: Tx, moment_id: int) -> None:
    """The moment is gone; its blobs too, where nothing else tells them."""
    _note(tx, moment_id, (), is_ours=False)


def moments_of(tx: Tx, number: int) -> tuple[int, ...]:
    """The moments that tell a blob, as when more of it is here (`store.blobs.CHANGED`)."""
    rows = tx.all("SELECT DISTINCT moment FROM moment_picture WHERE blob = ? ORDER BY moment", (number,))
    return tuple(moment for (moment,) in rows)


def _note(tx: Tx, moment_id: int, numbers: Sequence[int], is_ours: bool) -> None:
    before = tx.all("DELETE FROM moment_picture WHERE moment = ? RETURNING blob", (moment_id,))
    tx.executemany(
        "INSERT INTO moment_picture (moment, place, blob, ours) VALUES (?, ?, ?, ?)",
        [(moment_id, place, number, int(is_ours)) for place, number in enumerate(numbers)],
    )
    for number in sorted({*numbers, *(blob for (blob,) in before)}):
        found = tx.one("SELECT MAX(ours) FROM moment_picture WHERE blob = ?", (number,))
        if found is None or found[0] is None:
            uses.ended(tx, number, ROOM)
        else:
            uses.needed(tx, number, ROOM, is_ours=bool(found[0]), is_quiet=True)


# --- seeing


def lines(tx: Tx, moment_id: int, media: Sequence[File]) -> tuple[Picture, ...]:
    """The pictures of a moment for a person, and how much of each is here."""
    rows = _rows(tx, moment_id)
    return tuple(_line(tx, place, one, rows.get(place)) for place, one in enumerate(media))


def preview_of(media: Sequence[File], number: int) -> bytes:
    """What a moment shows of a picture before it is here: WebP, as its author says. Raises: NoPicture."""
    if not 1 <= number <= len(media):
        raise NoPicture
    if not media[number - 1].preview:
        raise NoPicture("There is no preview of this picture.")
    return media[number - 1].preview


async def get(core: Core, moment_id: int, author: int | None, number: int | None) -> None:
    """Begins to fetch a picture of a moment (from 1), or all; looking at what is here counts as its use.

    author: a contact, None for us. Raises: NoPicture, NoRoomForBlob, OriginalGone.
    """
    numbers = [row.number for _, row in await core.database.read(_wanted, moment_id, number)]
    for one in numbers:
        await getting.require_ready(core, one)
    await core.database.transact(_fetch, numbers, author, core.ground.now_ms())


async def save(
    core: Core, moment_id: int, media: Sequence[File], number: int | None, folder: str
) -> list[dict[str, object]]:
    """Writes a picture of a moment (from 1) or all into a folder: {"file", "bytes"} of each.

    Raises: NoPicture, BadPlace, BlobNotHere (also of one of several: then nothing was saved), BlobFalse, BlobGone.
    """
    wanted = await core.database.read(_wanted, moment_id, number)
    found = [(row, media[place]) for place, row in wanted if place < len(media)]
    if any(row.state is State.FALSE for row, _ in found):
        raise blobs.BlobFalse(next="weft moments show ID")
    if any(row.state is not State.WHOLE for row, _ in found):
        raise blobs.BlobNotHere(next="weft moments get ID")
    try:
        return [await getting.save(core, row, said, folder) for row, said in found]
    except BadPlace as why:
        raise BadPlace(str(why), next="weft moments get ID --to FOLDER") from None


def _fetch(tx: Tx, numbers: Sequence[int], author: int | None, now_ms: int) -> None:
    having = () if author is None else (author, *mutual.of(tx, author)[:MUTUAL_MAX])
    for number in numbers:
        row = blobs.row(tx, number)
        if row is None:
            continue  # the moment was forgotten meanwhile
        if row.state is not State.WHOLE:
            for contact_id in having:
                blobs.told(tx, row.blob, contact_id, row.file, now_ms)
        blobs.want(tx, number)
        blobs.used(tx, number, now_ms)


def _wanted(tx: Tx, moment_id: int, number: int | None) -> tuple[tuple[int, Row], ...]:
    """(place, row) of one picture, or of all. Raises: NoPicture."""
    rows = _rows(tx, moment_id)
    found = tuple((place, row) for place, row in sorted(rows.items()) if number in (None, place + 1))
    if not found:
        raise NoPicture
    return found


def _rows(tx: Tx, moment_id: int) -> dict[int, Row]:
    found = {}
    for place, number in tx.all("SELECT place, blob FROM moment_picture WHERE moment = ?", (moment_id,)):
        row = blobs.row(tx, number)
        assert row is not None
        found[place] = row
    return found


def _line(tx: Tx, place: int, said: File, row: Row | None) -> Picture:
    return Picture(
        number=place + 1,
        name=said.name,
        mime=said.mime,
        shape="video" if said.shape is Shape.VIDEO else "picture",
        bytes=said.blob.length,
        width=said.width,
        height=said.height,
        length_ms=said.length_ms,
        blurhash=said.blurhash,
        has_preview=bool(said.preview),
        state=view.STATES[State.TOLD if row is None else row.state],
        pieces=said.blob.count,
        here=0 if row is None else row.here,
        reason="" if row is None else view.why(tx, row, is_mine=True),  # only what nobody told us was made here
    )
