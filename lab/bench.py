"""The workshop of a simulated world: it does the work in the world's own process, on files that the story has made.

A process of its own would be waited for in real time, which a world has not. Not here: limits (node/workshop).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio

from node.workshop import films, pages, pictures, sounds, stripping
from node.workshop.faults import Broken, CannotOpen, Refused, Strange
from node.workshop.program import BROKEN, writer
from protocol.faults import quoted
from protocol.workshop import PREVIEW_BYTES_MAX, Heard, Moving, Page, Pictured, Why

T = TypeVar("T")


class Bench:
    """It is a `Looking` of node/workshop."""

    async def picture(self, path: Path, clean: Path, preview_bytes: int = PREVIEW_BYTES_MAX) -> Pictured:
        """What is to be said of a picture; its copy is written."""
        await trio.lowlevel.checkpoint()
        return _worked(clean, lambda out: pictures.picture(path.read_bytes(), writer(out), preview_bytes))

    async def sound(self, path: Path, clean: Path) -> Heard:
        """Length and waveform of a sound; its copy is written."""
        await trio.lowlevel.checkpoint()
        return _worked(clean, lambda out: sounds.sound(path.read_bytes(), writer(out)))

    async def moving(self, path: Path, clean: Path) -> Moving:
        """Length and size of a film; its copy is written."""
        await trio.lowlevel.checkpoint()
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _worked(clean, lambda out: films.film(file.fileno(), size, out))

    async def avatar(self, path: Path) -> bytes:
        """The middle of a picture as a square WebP."""
        await trio.lowlevel.checkpoint()
        return _small(path, pictures.avatar).webp

    async def sticker(self, path: Path) -> bytes:
        """A picture as a small still WebP."""
        await trio.lowlevel.checkpoint()
        return _small(path, pictures.sticker).webp

    async def taken(self, path: Path) -> str:
        """When a picture was taken."""
        await trio.lowlevel.checkpoint()
        return _small(path, stripping.taken).at

    async def page(self, path: Path, charset: str) -> Page:
        """What a page of the web says of itself."""
        await trio.lowlevel.checkpoint()
        return _page(path, charset)


def _page(path: Path, charset: str) -> Page:
    return pages.page(path.read_bytes(), charset)


def _small(path: Path, work: Callable[[bytes], T]) -> T:
    try:
        raw = path.read_bytes()
    except OSError as broken:
        raise CannotOpen(f"{quoted(str(path))} cannot be opened ({broken.strerror}).") from None
    except ValueError:  # a name with a zero in it
        raise CannotOpen from None
    try:
        return work(raw)
    except (Refused, *BROKEN):
        raise Broken from None


def _worked(clean: Path, work: Callable[[int], T]) -> T:
    descriptor = os.open(clean, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        return work(descriptor)
    except (Refused, *BROKEN) as refused:
        clean.unlink()
        is_strange = isinstance(refused, Refused) and refused.why is Why.STRANGE
        raise (Strange if is_strange else Broken) from None
    finally:
        os.close(descriptor)
