"""What is said of a picture, a recording or a film before it is sent, and the copy of it that is: without metadata.

The copy lies in the profile, unsealed, as long as it is read: the workshop writes it, and it has no name any more when
it is sealed. Not here: the looking itself (node/workshop).
"""

import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from features.media import folders, names
from features.media.faults import BadFile, BadPreview, FileChanged, FileTooLarge, Unlooked
from node import ground
from node.blobs.blobs import NoRoomForBlob
from node.blobs.files import SourceChanged
from node.core import Core
from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from protocol.blobs import BYTES_MAX, Blob
from protocol.faults import quoted
from protocol.file import File, Shape
from protocol.workshop import PREVIEW_BYTES_MAX, Heard, Moving, Pictured


@dataclass(frozen=True, slots=True)
class Source:
    """A content that is to be sent: how it is called, what it is, how long, how it is read, what is said beside."""

    name: str
    mime: str
    shape: Shape
    length: int
    read: Callable[[], Iterator[bytes]]
    beside: dict[str, Any] = field(default_factory=dict)

    def said(self, blob: Blob) -> File:
        """What a message says of it."""
        return File(blob, self.name, self.mime, self.shape, **self.beside)


def source_at(place: Path, shape: str) -> Source:
    """What is at a place, ready to be read. shape: "auto" for what its name says.

    Raises: OSError, BadFile, FileTooLarge, TooManyFiles.
    """
    state = place.stat()
    if stat.S_ISDIR(state.st_mode):
        packed = folders.pack(place)
        name = f"{names.told(place)[:200]}.tar"
        source = Source(name, names.FOLDER, Shape.FOLDER, packed.length, packed.read)
    elif stat.S_ISREG(state.st_mode):
        with place.open("rb") as file:
            mime = names.mime_of(place, file.read(names.BEGINNING_BYTES))
        kind = names.shape_of(mime) if shape == "auto" else Shape[shape.upper()]
        source = Source(names.told(place), mime, kind, state.st_size, lambda: folders.read(place))
    else:
        raise BadFile
    if source.length > BYTES_MAX:
        raise FileTooLarge
    return source


async def sealed(
    core: Core, place: Path, shape: str, frame: Path | None, preview_bytes: int = PREVIEW_BYTES_MAX
) -> tuple[Source, tuple[Blob, bytes, str]]:
    """What is at a place, sealed (as `Blobs.make` gives it); nobody was told of it yet. As `source_at` and `prepared`.

    Raises: Unlooked, BadPreview, BadFile, FileTooLarge, TooManyFiles, FileChanged, NoRoomForBlob.
    """
    try:
        source = await ground.aside(core.ground, source_at, place, shape)
        async with prepared(core, source, place, frame, preview_bytes) as ready:
            return ready, await core.blobs.make(ready.length, ready.read())
    except SourceChanged:
        raise FileChanged from None
    except OSError as broken:
        why = f"The file {quoted(str(place))} cannot be read ({broken.strerror}); nothing was sent."
        raise BadFile(why) from None


@asynccontextmanager
async def prepared(
    core: Core, source: Source, place: Path, frame: Path | None, preview_bytes: int = PREVIEW_BYTES_MAX
) -> AsyncIterator[Source]:
    """What is sent of a file: a copy without metadata where it is something to look at or to hear, else itself.

    frame: a picture that is shown of a video; it is not sent itself. preview_bytes: what a preview may have.
    Raises: Unlooked, BadPreview, BadFile, NoRoomForBlob, OSError.
    """
    looks = _look(core, source.shape, preview_bytes)
    if frame is not None and source.shape is not Shape.VIDEO:
        raise BadPreview
    if looks is None:
        yield source
        return
    await ground.aside(core.ground, core.blobs.files.make_folder)
    seen = {} if frame is None else await _seen(core, frame, preview_bytes)
    clean = _plain(core)
    try:
        found = await looks(place, clean)
    except CannotOpen as broken:
        raise BadFile(str(broken)) from None
    except NoRoom:
        raise NoRoomForBlob from None
    except (Broken, Strange, TooMuch, Ended) as why:
        said = f"{str(why).partition(';')[0].rstrip('.')}. So where and with what it was taken would go along, if it "
        raise Unlooked(f"{said}says so; nothing was sent.") from None
    descriptor = os.open(clean, os.O_RDONLY | os.O_CLOEXEC)
    try:
        clean.unlink()
        length = os.fstat(descriptor).st_size
        beside, mime = _beside(found) | seen, found.format.mime
        yield replace(source, mime=mime, length=length, read=lambda: folders.read_open(descriptor), beside=beside)
    finally:
        os.close(descriptor)


async def _seen(core: Core, frame: Path, preview_bytes: int) -> dict[str, Any]:
    """What is shown of a video by a picture that its sender has chosen. Raises: BadPreview, NoRoomForBlob."""
    clean = _plain(core)
    try:
        found = await core.workshop.picture(frame, clean, preview_bytes)
    except NoRoom:
        raise NoRoomForBlob from None
    except (CannotOpen, Broken, Strange, TooMuch, Ended) as why:
        said = str(why).partition(";")[0].rstrip(".")
        raise BadPreview(f"The picture for the preview: {said[0].lower()}{said[1:]}; nothing was sent.") from None
    clean.unlink()
    return {"preview": found.preview, "blurhash": found.blurhash}


def _plain(core: Core) -> Path:
    """Where the workshop may write a copy."""
    return core.blobs.files.plain(core.ground.entropy("workshop"))


def _look(core: Core, shape: Shape, preview_bytes: int) -> Callable[[Path, Path], Any] | None:
    match shape:
        case Shape.PICTURE:
            return partial(core.workshop.picture, preview_bytes=preview_bytes)
        case Shape.VOICE:
            return core.workshop.sound
        case Shape.VIDEO:
            return core.workshop.moving
        case _:
            return None


def _beside(found: Pictured | Heard | Moving) -> dict[str, Any]:
    match found:
        case Pictured():
            sides = {"width": found.width, "height": found.height}
            return {"preview": found.preview, "blurhash": found.blurhash, **sides}
        case Heard():
            return {"length_ms": found.length_ms, "wave": found.waveform}
        case Moving():
            return {"length_ms": found.length_ms, "width": found.width, "height": found.height}
