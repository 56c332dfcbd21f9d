"""The photo of our own profile, from a file. Not here: cropping and scaling what a camera makes."""

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from features.profile.content import PHOTO_BYTES_MAX
from features.profile.faults import BadPhoto, PhotoUnreadable
from node.ground import Ground, aside
from protocol import webp

Avatar = Callable[[Path], Awaitable[bytes]]
"""Makes a photo of a picture's file: WebP of at most 32 KiB. Raises: UserFault."""


async def finished(ground: Ground, path: Path) -> bytes:
    """The file as it is: it must be a finished photo already. Raises: PhotoUnreadable, BadPhoto."""
    raw = await aside(ground, _read, path)
    if len(raw) > PHOTO_BYTES_MAX:
        raise BadPhoto
    try:
        webp.measure(raw)
    except webp.NotWebp:
        raise BadPhoto from None
    return raw


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise PhotoUnreadable
        with path.open("rb") as file:
            return file.read(PHOTO_BYTES_MAX + 1)
    except (OSError, ValueError):
        raise PhotoUnreadable from None
