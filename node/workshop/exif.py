"""Two things that EXIF says of a picture: how the camera was held, and when the picture was taken.

Read by walking over its directories: a block of EXIF is a small TIFF (TIFF 6.0, section 2; Exif 2.32, 4.6). Nothing
else in it is looked at, and whatever does not make sense says nothing. Not here: where a file has it (stripping.py).
"""

import re
from dataclasses import dataclass

UPRIGHT = 1
_TAGS_MAX = 512  # in a directory; cameras write some 20
_ASCII, _SHORT, _LONG = 2, 3, 4
_ORIENTATION = 0x0112
_EXIF = 0x8769  # where the directory of what only EXIF has stands
_TAKEN, _ZONE = 0x9003, 0x9011  # DateTimeOriginal, OffsetTimeOriginal
_TAKEN_BYTES, _ZONE_BYTES = 19, 6
# Some cameras write another mark between the numbers; one whose clock was never set says 0000 or blanks.
_DATE = re.compile(rb"([12]\d{3})[:/-](0[1-9]|1[0-2])[:/-](0[1-9]|[12]\d|3[01])[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)")
_OFFSET = re.compile(rb"[+-](?:0\d|1[0-4]):[0-5]\d")


def orientation(exif: bytes) -> int:
    """How the camera was held, from a block of EXIF; 1 where it does not say so, or says nonsense."""
    tiff = _opened(exif)
    value = None if tiff is None else tiff.tags(tiff.number(4, 4)).get((_ORIENTATION, _SHORT))
    turned = UPRIGHT if tiff is None or value is None else tiff.number(value, 2)
    return turned if 1 <= turned <= 8 else UPRIGHT


def taken(exif: bytes) -> str:
    """When it was taken: 2026-05-04T12:30:00 by the camera's clock, with +02:00 behind it where it says its zone.

    "" where it does not say so. That there is such a day is not checked.
    """
    tiff = _opened(exif)
    if tiff is None:
        return ""
    inner = tiff.tags(tiff.number(4, 4)).get((_EXIF, _LONG))
    tags = {} if inner is None else tiff.tags(tiff.number(inner, 4))
    date = _DATE.fullmatch(tiff.text(tags.get((_TAKEN, _ASCII)), _TAKEN_BYTES))
    if date is None:
        return ""
    year, month, day, hour, minute, second = (part.decode("ascii") for part in date.groups())
    zone = tiff.text(tags.get((_ZONE, _ASCII)), _ZONE_BYTES)
    ahead = zone.decode("ascii") if _OFFSET.fullmatch(zone) else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{ahead}"


@dataclass(frozen=True, slots=True)
class _Tiff:
    """What lies beyond its end is zero."""

    raw: bytes

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.raw[at : at + size], "little" if self.raw[:1] == b"I" else "big")

    def tags(self, at: int) -> dict[tuple[int, int], int]:
        """Where the value of each (tag, type) stands, or its place where it has over 4 bytes; the first one counts."""
        found: dict[tuple[int, int], int] = {}
        last = min(at + 2 + 12 * min(self.number(at, 2), _TAGS_MAX), len(self.raw))
        for place in range(at + 2, last, 12):
            found.setdefault((self.number(place, 2), self.number(place + 2, 2)), place + 8)
        return found

    def text(self, value: int | None, size: int) -> bytes:
        """The first so many bytes of a text that is longer than 4."""
        at = len(self.raw) if value is None else self.number(value, 4)
        return self.raw[at : at + size]


def _opened(exif: bytes) -> _Tiff | None:
    tiff = exif.removeprefix(b"Exif\x00\x00")
    return _Tiff(tiff) if tiff[:4] in (b"II*\x00", b"MM\x00*") else None
