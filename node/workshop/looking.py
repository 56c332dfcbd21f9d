"""What the rest of the node asks of a workshop: the real one starts a process for each file (workshop.py)."""

from pathlib import Path
from typing import Protocol

from protocol.workshop import PREVIEW_BYTES_MAX, Heard, Moving, Page, Pictured


class Looking(Protocol):
    """Opens files that others have made. The copy without metadata is written to `clean`, which must not exist.

    Each raises: CannotOpen, Broken, Strange, TooMuch, NoRoom, Ended.
    """

    async def picture(self, path: Path, clean: Path, preview_bytes: int = PREVIEW_BYTES_MAX) -> Pictured:
        """What is to be said of a picture, with a preview of at most so many bytes."""

    async def sound(self, path: Path, clean: Path) -> Heard:
        """Length and waveform of a sound."""

    async def moving(self, path: Path, clean: Path) -> Moving:
        """Length and size of a film."""

    async def avatar(self, path: Path) -> bytes:
        """The middle of a picture as a square WebP."""

    async def sticker(self, path: Path) -> bytes:
        """A picture as a small still WebP."""

    async def taken(self, path: Path) -> str:
        """When a picture was taken, as it says itself."""

    async def page(self, path: Path, charset: str) -> Page:
        """What a page of the web says of itself."""
