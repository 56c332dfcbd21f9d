"""What a moment says beside text and pictures: a link with its preview, and a place. Limits and faults in words.

Not here: pictures (pictures.py), how a preview is made (node/web/previewing.py).
"""

from math import isfinite

from features.moments.content import DEGREE, LABEL_BYTES_MAX, Where
from features.moments.faults import BadLink, BadWhere
from features.moments.shown import PlaceLine
from node.core import Core
from node.web import links, previewing
from node.web.faults import Unseen
from protocol.preview import Preview, SeenLink


async def link(core: Core, url_text: str, preview: bool | None) -> tuple[str, Preview | None, str]:
    """An address as it was typed in its one form, its preview, and why there is none where one is wanted.

    preview: whether its site is asked; None for what `links.preview` says. Raises: BadLink.
    """
    try:
        whole = links.parts(url_text.strip()).whole
    except Unseen as why:
        said = str(why)
        raise BadLink(f"{said[:1].upper()}{said[1:]}; nothing was posted.") from None
    if not await previewing.is_wanted(core, preview):
        return whole, None, ""
    found, reason = await previewing.look(core, whole)
    return whole, found, reason


def seen(link: str | None, preview: Preview | None) -> SeenLink | None:
    """The preview of a moment as it is shown: only where it is of the moment's own link."""
    return preview.shown if preview is not None and preview.url == link else None


def where(label: str | None, latitude: float | None, longitude: float | None) -> Where | None:
    """A place by its name, its degrees or both; None where nothing is said. Raises: BadWhere."""
    named = " ".join((label or "").split())
    if not named.isprintable() or len(named.encode(errors="replace")) > LABEL_BYTES_MAX:
        raise BadWhere(f"The name of a place has at most {LABEL_BYTES_MAX} bytes; nothing was posted.")
    if (latitude is None) != (longitude is None):
        raise BadWhere("A place has a latitude and a longitude, or neither; nothing was posted.")
    if latitude is None or longitude is None:
        return Where(named) if named else None
    return Where(named, _millionths(latitude, 90), _millionths(longitude, 180))


def place_line(place: Where | None) -> PlaceLine | None:
    """A place as people see it; half a position is none."""
    if place is None:
        return None
    if place.latitude is None or place.longitude is None:
        return PlaceLine(place.label, None, None)
    return PlaceLine(place.label, place.latitude / DEGREE, place.longitude / DEGREE)


def _millionths(degrees: float, most: int) -> int:
    if not isfinite(degrees) or abs(degrees) > most:
        raise BadWhere
    return round(degrees * DEGREE)
