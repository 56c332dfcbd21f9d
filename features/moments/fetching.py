"""Calls of the local API on pictures of moments: `moments.NAME`, methods of the class in service.py."""

from typing import Protocol

from features.moments import importing, pictures, wall
from features.moments.importing import Dated
from features.moments.shown import Picture
from features.moments.view import OURS, Moment
from node.core import Core
from store.database import Tx


class Room(Protocol):
    """The service, as far as these need it."""

    _core: Core


async def get(room: Room, id: str, number: int | None = None) -> list[Picture]:
    """Begins to fetch a picture of a moment, or all: from its author, and from contacts who may see it. number: from 1.
    Returns those that were asked for.

    Errors: moment.unknown, moment.ambiguous, moment.no_picture, media.room, media.gone.
    """
    one = await _found(room, id)
    await pictures.get(room._core, one.id, one.contact if one.contact != OURS else None, number)
    found = await room._core.database.read(pictures.lines, one.id, one.said.media)
    return [picture for picture in found if number in (None, picture.number)]


async def save(room: Room, id: str, folder: str, number: int | None = None) -> list[dict[str, object]]:
    """Writes a picture of a moment, or all, into a folder, under its name or the next free one: [{"file", "bytes"}].

    Errors: moment.unknown, moment.ambiguous, moment.no_picture, media.incomplete, media.false, media.gone, media.place.
    """
    one = await _found(room, id)
    return await pictures.save(room._core, one.id, one.said.media, number, folder)


async def preview(room: Room, id: str, number: int = 1) -> dict[str, object]:
    """Returns what a moment shows of a picture before it is here: {"webp": hexadecimal}.

    Errors: moment.unknown, moment.ambiguous, moment.no_picture.
    """
    one = await _found(room, id)
    return {"webp": pictures.preview_of(one.said.media, number).hex()}


async def dates(room: Room, paths: list[str]) -> list[Dated]:
    """Returns when pictures were taken, of at most 64, and in which moments they were taken in. Errors: limit."""
    return await importing.dates(room._core, paths)


async def _found(room: Room, text: str) -> Moment:
    now_ms = room._core.ground.now_ms()

    def look(tx: Tx) -> Moment:
        return wall.find(tx, text, now_ms)

    return await room._core.database.read(look)
