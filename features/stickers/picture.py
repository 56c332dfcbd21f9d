"""Pictures that become stickers: where they are found, and what the workshop makes of them.

A picture that came in a pack or a message is looked at like any other: it is laid into the profile for that moment. Not
here: what crops and scales it (node/workshop).
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from features.media import names as media_names
from features.stickers import names, view
from features.stickers.content import PACK_MAX, Piece
from features.stickers.faults import BadPicture, NoPictures, PictureUnreadable, TooMany
from node import ground
from node.blobs.blobs import NoRoomForBlob
from node.core import Core
from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from protocol.faults import quoted

ENTRIES_MAX = 10_000  # of a folder that are looked through for pictures


def files(places: Iterable[Path]) -> tuple[Path, ...]:
    """The files that are named, and of each folder the pictures in it, by name. Blocks on the disk.

    Raises: TooMany, NoPictures, PictureUnreadable.
    """
    found: list[Path] = []
    for place in places:
        try:
            found += _in_folder(place) if place.is_dir() else [place]
        except (OSError, ValueError) as broken:
            why = broken.strerror if isinstance(broken, OSError) else "it is no path"
            raise PictureUnreadable(
                f"The folder {quoted(str(place))} cannot be read ({why}); nothing was added."
            ) from None
        if len(found) > PACK_MAX:
            raise TooMany
    if not found:
        raise NoPictures
    return tuple(found)


async def of_file(core: Core, path: Path) -> Piece:
    """A sticker of a picture's file, called after it. Raises: BadPicture, PictureUnreadable."""
    name, alt = names.of_file(path)
    return Piece(name, alt, await _made(core, path, path.name))


async def of_bytes(core: Core, name: str, alt: str, raw: bytes) -> Piece:
    """A sticker of a picture that somebody else made. Raises: BadPicture, NoRoomForBlob."""
    name, place = names.cleaned(name), await laid(core, len(raw))
    with gone(place):
        try:
            await ground.aside(core.ground, _write, place, raw)
        except OSError:
            raise NoRoomForBlob from None
        return Piece(name, names.alt(alt), await _made(core, place, name))


async def laid(core: Core, length: int) -> Path:
    """A place in the profile where nothing lies yet, for so many bytes, for a moment. Raises: NoRoomForBlob."""
    if core.blobs.free_bytes() < length + core.blobs.reserve_bytes:
        raise NoRoomForBlob
    await ground.aside(core.ground, core.blobs.files.make_folder)
    return core.blobs.files.plain(core.ground.entropy("sticker"))


@contextmanager
def gone(place: Path) -> Iterator[None]:
    """What was laid there is gone afterwards."""
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


async def _made(core: Core, path: Path, called: str) -> bytes:
    try:
        picture = await core.workshop.sticker(path)
        view.measured(picture)
    except CannotOpen:
        raise PictureUnreadable(f"The file {quoted(str(path))} cannot be opened; nothing was added.") from None
    except (Broken, Strange, TooMuch, NoRoom, Ended, view.NotSticker):
        raise BadPicture(f"No sticker can be made of {quoted(called)}, so nothing was added.") from None
    return picture


def _in_folder(folder: Path) -> list[Path]:
    """The pictures of a folder by what they are called, without hidden ones. Raises: OSError, TooMany."""
    found: list[Path] = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= ENTRIES_MAX or len(found) > PACK_MAX:
                raise TooMany
            is_picture = media_names.mime_of(Path(entry.name)).startswith("image/")
            if is_picture and not entry.name.startswith(".") and stat.S_ISREG(entry.stat().st_mode):
                found.append(Path(entry.path))
    return sorted(found)


def _write(place: Path, raw: bytes) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(raw)
