"""The room of stickers of the command line's small node: it says what the test gave it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from features.stickers.faults import UnknownSticker
from tests.cli.media_room import file

WEBP = b"RIFF\x04\x00\x00\x00WEBP"  # of no picture
Row = dict[str, Any]
ID_CHARS = 26  # every message has one


@dataclass
class StickersRoom:
    """stickers.*; sent: what a message says, once a sticker was sent."""

    packs: list[Row] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    sent: Row = field(default_factory=dict)
    picture: bytes = WEBP
    gone: set[str] = field(default_factory=set)  # messages that are recalled

    async def pack(self, name: str, paths: list[str]) -> Row:
        """Made."""
        self.asked.append(("pack", name, *paths))
        self.packs.append(row := pack(name, [path.rpartition("/")[2].rpartition(".")[0] for path in paths]))
        return row

    async def list(self) -> list[Row]:
        """All."""
        return self.packs

    async def show(self, sticker: str) -> Row:
        """One."""
        return shown(self._named(sticker)) | {"webp": self.picture.hex()}

    async def send(self, to: str, sticker: str) -> dict[str, object]:
        """Sent."""
        self._named(sticker)
        self.asked.append(("send", to, sticker))
        return self.sent

    async def save(self, id: str, pack: str | None = None) -> Row:
        """Kept."""
        self.asked.append(("save", id, pack))
        return kept("wave", pack or "Cats")

    async def remove(self, sticker: str) -> dict[str, object]:
        """Gone."""
        self._named(sticker)
        return {"pack": "Cats", "removed": 2}

    async def share(self, to: str, pack: str) -> Row:
        """Told."""
        self.asked.append(("share", to, pack))
        return file(f"{pack}.weftpack", 1, mine=True, contact=to.title(), state="here")

    async def add(self, id: str, name: str | None = None) -> Row:
        """Taken in."""
        self.asked.append(("add", id, name))
        return pack(name or "Cats", ["wave"])

    def _named(self, sticker: str) -> str:
        if sticker in self.gone or (sticker not in ("wave", "Cats", "Cats/wave") and len(sticker) != ID_CHARS):
            raise UnknownSticker
        return sticker


def listed(name: str) -> Row:
    """A sticker of a pack."""
    return {"name": name, "alt": "👋", "bytes": 2000}


def pack(name: str, names: Sequence[str]) -> Row:
    """A pack."""
    return {"name": name, "bytes": 2000 * len(names), "stickers": [listed(one) for one in names]}


def shown(name: str) -> Row:
    """A sticker with its picture."""
    return {**listed(name), "pack": "Cats", "width": 512, "height": 400, "webp": WEBP.hex()}


def kept(name: str, of: str) -> Row:
    """A sticker that is in a pack now."""
    return {"name": name, "pack": of, "alt": "👋"}
