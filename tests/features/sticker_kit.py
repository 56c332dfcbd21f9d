"""What the tests of stickers share: pictures, packs, and files of packs that nobody checks."""

from pathlib import Path
from typing import Any

from features.stickers.content import MAGIC, Pack, Piece
from lab.world import Person, World
from protocol import wire
from tests.node.workshop import made

Fields = tuple[wire.Value, ...]


def put(w: World, name: str, raw: bytes | None = None) -> str:
    """A picture of this name; where it is."""
    place = w.folder / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(made.encoded(made.halves(600, 300), "PNG") if raw is None else raw)
    return str(place)


def left(w: World, pattern: str = "*.plain") -> list[Path]:
    """Files that lie somewhere, by default pictures that the workshop was to look at."""
    return sorted(w.folder.rglob(pattern))


async def cats(w: World, person: Person, *files: str) -> Any:
    """A pack of these pictures."""
    return await person.call("stickers.pack", name="Cats", paths=[put(w, one) for one in files or ("wave 👋.png",)])


async def is_here(person: Person) -> bool:
    """the file has come"""
    return [one["state"] for one in await person.call("media.list", limit=1)] == ["here"]


PICTURE = made.encoded(made.halves(9, 9), "WEBP", lossless=True)


def packed(*pieces: Fields, name: wire.Value = "Evil", kind: int = Pack.KIND) -> bytes:
    """A pack's file as somebody would write it who checks nothing."""
    return MAGIC + wire.encode((kind, name, tuple((Piece.KIND, *one) for one in pieces)))
