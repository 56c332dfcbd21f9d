"""Places on earth as people type and see them: decimal degrees, and a geo: URI (RFC 5870). Nothing is looked up."""

import re
from dataclasses import dataclass
from decimal import Decimal

from features.profile import view
from features.profile.content import DEGREE
from features.profile.faults import BadPlace
from features.profile.view import Placed
from protocol import ids
from store import people
from store.database import Tx

_DEGREES = re.compile(r"([+−-]?)(\d{1,3}(?:\.\d{0,15})?)")


@dataclass(frozen=True, slots=True)
class Seen:
    """A place that was sent, in decimal degrees. accuracy_m: 0 where nobody says. message: the id of its line."""

    id: int
    contact: str
    mine: bool
    latitude: str
    longitude: str
    accuracy_m: int
    label: str
    at_ms: int
    geo: str
    message: str


def microdegrees(text: str, degrees_max: int) -> int:
    """Decimal degrees, such as 52.52 or -13.4, in millionths. Raises: BadPlace."""
    found = _DEGREES.fullmatch(text.strip()) if text.isascii() or "−" in text else None
    if found is None:
        raise BadPlace
    value = round(Decimal(found[2]) * DEGREE)
    if value > degrees_max * DEGREE:
        raise BadPlace
    return -value if found[1] in ("-", "−") and found[1] else value


def seen(tx: Tx, one: Placed) -> Seen:
    """A place as people see it."""
    place, who = view.place_line(one.said), people.contact(tx, one.contact).name
    where = (
        place.latitude,
        place.longitude,
        place.accuracy_m,
        place.label,
        place.at_ms,
        place.geo,
        ids.ulid(one.message),
    )
    return Seen(one.id, who, one.mine, *where)
