"""A preview of a link: its page is fetched, read by the workshop, and so is the picture that it names.

Nothing of either reaches the message but a checked answer of the workshop. Both lie in a file of the profile as long
as they are looked at. Not here: whether a person wants one (previewing.py).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from node import ground
from node.ground import Ground
from node.web import links
from node.web.faults import Unseen
from node.web.looking import Fetched, Wanted, Web
from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from node.workshop.looking import Looking
from protocol.preview import Preview
from protocol.url import Parts
from protocol.workshop import PAGE_BYTES_MAX

PICTURE_BYTES_MAX = 4 << 20
_PICTURES = ("image/webp", "image/png", "image/jpeg", "image/gif")
_PAGES = ("text/html", "application/xhtml+xml")
PAGE = Wanted(f"{','.join(_PAGES)},{','.join(_PICTURES)};q=0.5", PAGE_BYTES_MAX, is_cut=True)
PICTURE = Wanted(",".join(_PICTURES), PICTURE_BYTES_MAX, is_cut=False)
_REFUSED = (Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch)

Fresh = Callable[[], Path]
"""Names a file that does not exist yet, in a folder that does."""


async def seen(
    ground: Ground, web: Web, workshop: Looking, fresh: Fresh, at: Parts, proxy: str, deadline: float
) -> Preview:
    """What can be said of a page until the deadline (of trio's clock); a picture that is not here then is left out.

    Raises: Unseen, trio.TooSlowError.
    """
    with trio.fail_at(deadline):
        page = await web.fetch(at, proxy, PAGE)
        if page.mime in _PICTURES:
            page = await web.fetch(at, proxy, PICTURE) if len(page.raw) == PAGE_BYTES_MAX else page
            picture = await _picture(ground, workshop, fresh, page)
            return Preview(at.whole, None, None, picture)
        if page.mime not in _PAGES:
            raise Unseen(f"{page.at.shown} gives neither a page nor a picture")
        async with _laid(ground, fresh, page.raw) as path:
            try:
                told = await workshop.page(path, page.charset)
            except _REFUSED:
                raise Unseen(f"the page of {page.at.shown} cannot be read") from None
    picture = b""
    if told.picture:
        with trio.move_on_at(deadline):
            picture = await _named(ground, web, workshop, fresh, page, told.picture, proxy)
    if told.title is None and told.about is None and not picture:
        raise Unseen(f"the page of {page.at.shown} says nothing of itself")
    return Preview(at.whole, told.title, told.about, picture)


async def _named(
    ground: Ground, web: Web, workshop: Looking, fresh: Fresh, page: Fetched, place: str, proxy: str
) -> bytes:
    """The picture that a page names, small; empty where there is none to be had."""
    try:
        found = await web.fetch(links.onward(page.at, place), proxy, PICTURE)
        return await _picture(ground, workshop, fresh, found)
    except Unseen:
        return b""


async def _picture(ground: Ground, workshop: Looking, fresh: Fresh, found: Fetched) -> bytes:
    clean = fresh()
    async with _laid(ground, fresh, found.raw) as path:
        try:
            return (await workshop.picture(path, clean)).preview
        except _REFUSED:
            raise Unseen(f"the picture of {found.at.shown} cannot be read") from None
        finally:
            clean.unlink(missing_ok=True)


@asynccontextmanager
async def _laid(on: Ground, fresh: Fresh, raw: bytes) -> AsyncIterator[Path]:
    """The bytes as a file, which is gone afterwards. Raises: Unseen."""
    path = fresh()
    try:
        try:
            await ground.aside(on, path.write_bytes, raw)
        except OSError:
            raise Unseen("the disk takes nothing") from None
        yield path
    finally:
        path.unlink(missing_ok=True)
