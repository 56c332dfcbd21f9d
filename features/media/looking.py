"""What is said of a picture, a recording or a film before it is sent, and the copy of it that is: without metadata.

The copy lies in the profile, unsealed, as long as it is read: the workshop writes it, and it has no name any more when
it is sealed. Not here: the looking itself (node/workshop).
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.media import folders
from features.media.faults import BadFile, BadPreview, Unlooked
from node import ground
from node.blobs.blobs import NoRoomForBlob
from node.core import Core
from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from protocol.blobs import Blob
from protocol.file import File, Shape
from protocol.workshop import Heard, Moving, Pictured


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


@asynccontextmanager
async def prepared(core: Core, source: Source, place: Path, frame: Path | None) -> AsyncIterator[Source]:
    """What is sent of a file: a copy without metadata where it is something to look at or to hear, else itself.

    frame: a picture that is shown of a video; it is not sent itself.
    Raises: Unlooked, BadPreview, BadFile, NoRoomForBlob, OSError.
    """
    looks = _look(core, source.shape)
    if frame is not None and source.shape is not Shape.VIDEO:
        raise BadPreview
    if looks is None:
        yield source
        return
    await ground.aside(core.ground, core.blobs.files.make_folder)
    seen = {} if frame is None else await _seen(core, frame)
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


async def _seen(core: Core, frame: Path) -> dict[str, Any]:
    """What is shown of a video by a picture that its sender has chosen. Raises: BadPreview, NoRoomForBlob."""
    clean = _plain(core)
    try:
        found = await core.workshop.picture(frame, clean)
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


def _look(core: Core, shape: Shape) -> Callable[[Path, Path], Any] | None:
    match shape:
        case Shape.PICTURE:
            return core.workshop.picture
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
