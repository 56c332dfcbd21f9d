"""The photo of our own profile, from a file. Not here: what crops and scales it (node/workshop)."""

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from features.profile.content import PHOTO_BYTES_MAX
from features.profile.faults import BadPhoto, PhotoUnreadable
from node.ground import Ground, aside
from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from node.workshop.looking import Looking
from protocol import webp

Avatar = Callable[[Path], Awaitable[bytes]]
"""Makes a photo of a picture's file: WebP of at most 32 KiB. Raises: UserFault."""


async def made(ground: Ground, workshop: Looking, path: Path) -> bytes:
    """A photo of a file: itself, where it is a finished one, else its middle. Raises: PhotoUnreadable, BadPhoto."""
    raw = await aside(ground, _read, path)
    try:
        webp.measure(raw)
    except webp.NotWebp:
        return await _cut(workshop, path)
    return raw if len(raw) <= PHOTO_BYTES_MAX else await _cut(workshop, path)


async def _cut(workshop: Looking, path: Path) -> bytes:
    try:
        return await workshop.avatar(path)
    except CannotOpen:
        raise PhotoUnreadable from None
    except (Broken, Strange, TooMuch, NoRoom, Ended):
        raise BadPhoto from None


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise PhotoUnreadable
        with path.open("rb") as file:
            return file.read(PHOTO_BYTES_MAX + 1)
    except (OSError, ValueError):
        raise PhotoUnreadable from None
