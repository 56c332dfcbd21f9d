"""Pictures without their metadata, by leaving parts of the file out: no pixel is touched, no decoder runs.

What stays is what a picture needs in order to be shown, by a list; everything else goes, known or not: EXIF, GPS, XMP,
IPTC, comments, texts, thumbnails, what stands behind the end. A colour profile stays. Not here: turning a picture
upright (pictures.py), sounds (tags.py), films (atoms.py).
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from node.workshop import exif
from node.workshop.faults import Refused
from protocol.workshop import Format, Taken, Why

UPRIGHT = exif.UPRIGHT
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs cICP acTL fcTL fdAT".split()
)  # the last three are what moves in an APNG
_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_WEBP_TOLD = 0x08 | 0x04  # flags of VP8X: EXIF, XMP
_GIF_APPLICATIONS = frozenset((b"NETSCAPE2.0", b"ANIMEXTS1.0"))  # how often it repeats
_JFIF_BYTES = 14  # without the thumbnail that may follow
_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in a scan: anything but escaped bytes and restarts


@dataclass(frozen=True, slots=True)
class Stripped:
    """A picture without metadata. orientation: 1 to 8, as the EXIF said that is gone; exif: the first block of it."""

    format: Format
    raw: bytes
    orientation: int
    exif: bytes = b""


def strip(raw: bytes) -> Stripped:
    """The picture without metadata. Raises: Refused for what is no picture of the four kinds, or a broken one."""
    if raw.startswith(b"\xff\xd8\xff"):
        return _jpeg(raw)
    if raw.startswith(_PNG_HEAD):
        return _png(raw)
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return _webp(raw)
    if raw[:6] in (b"GIF87a", b"GIF89a"):
        return _gif(raw)
    raise Refused(Why.STRANGE)


def taken(raw: bytes) -> Taken:
    """When a picture was taken, as it says itself. Raises: as `strip`."""
    return Taken(exif.taken(strip(raw).exif))


def _jpeg(raw: bytes) -> Stripped:
    kept, turned, told, at = [raw[:2]], UPRIGHT, b"", 2
    while True:
        while raw[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        mark = raw[at + 1] if raw[at : at + 1] == b"\xff" and at + 1 < len(raw) else _broken()
        if mark == 0xD9:  # the end; what stands behind it goes too
            kept.append(b"\xff\xd9")
            return Stripped(Format.JPEG, b"".join(kept), turned, told)
        end = at + 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(raw) or mark in (0x00, 0x01, *range(0xD0, 0xD9)):
            _broken()
        body = raw[at + 4 : end]
        if mark == 0xE1 and body.startswith(b"Exif\x00\x00") and turned == UPRIGHT:
            turned, told = exif.orientation(body), told or body
        kept.append(_segment(mark, body, raw[at:end]))
        at = end
        if mark == 0xDA:
            found = _MARK.search(raw, at)
            at = found.start() if found else _broken()
            kept.append(raw[end:at])


def _segment(mark: int, body: bytes, whole: bytes) -> bytes:
    if mark == 0xE0 and body.startswith(b"JFIF\x00") and len(body) >= _JFIF_BYTES:
        return b"\xff\xe0" + (_JFIF_BYTES + 2).to_bytes(2, "big") + body[:12] + b"\x00\x00"
    shows = mark < 0xE0 or (mark == 0xE2 and body.startswith(b"ICC_PROFILE\x00"))
    # Adobe's mark says which colours the numbers mean
    return whole if shows or (mark == 0xEE and body.startswith(b"Adobe") and len(body) == 12) else b""


def _png(raw: bytes) -> Stripped:
    kept, turned, told, at = [_PNG_HEAD], UPRIGHT, b"", len(_PNG_HEAD)
    while at < len(raw):
        name, end = raw[at + 4 : at + 8], at + 12 + int.from_bytes(raw[at : at + 4], "big")
        if end > len(raw):
            _broken()
        if name in _PNG_KEPT:
            kept.append(raw[at:end])
        elif name == b"eXIf":
            told = raw[at + 8 : end - 4]
            turned = exif.orientation(told)
        at = end
        if name == b"IEND":
            return Stripped(Format.PNG, b"".join(kept), turned, told)
    return _broken()


def _webp(raw: bytes) -> Stripped:
    kept, turned, told, at = [b"WEBP"], UPRIGHT, b"", 12
    last = 8 + int.from_bytes(raw[4:8], "little")
    if last > len(raw):
        _broken()
    while at < last:
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        body = raw[at + 8 : at + 8 + size]
        if len(body) < size:
            _broken()
        if name == b"EXIF":
            turned, told = exif.orientation(body), body
        if name == b"VP8X" and size:
            body = bytes((body[0] & ~_WEBP_TOLD & 0xFF,)) + body[1:]
        if name in _WEBP_KEPT:
            kept += (name, size.to_bytes(4, "little"), body, b"\x00" * (size & 1))
        at += 8 + size + (size & 1)
    whole = b"".join(kept)
    return Stripped(Format.WEBP, b"RIFF" + len(whole).to_bytes(4, "little") + whole, turned, told)


def _gif(raw: bytes) -> Stripped:
    at = 13 + _table_bytes(raw[10:11])
    kept, frames = [raw[:at]], 0
    while True:
        start, kind = at, raw[at : at + 1]
        if kind == b";" or (not kind and frames):  # old programs left the end out
            kept.append(b";")
            return Stripped(Format.GIF, b"".join(kept), UPRIGHT)
        if kind == b",":
            at = _after_blocks(raw, at + 11 + _table_bytes(raw[at + 9 : at + 10]))
            kept.append(raw[start:at])
            frames += 1
        elif kind == b"!":
            at = _after_blocks(raw, at + 2)
            told = raw[start + 1 : start + 2]
            repeats = told == b"\xff" and raw[start + 3 : start + 14] in _GIF_APPLICATIONS
            if told == b"\xf9" or repeats:  # how a frame is shown
                kept.append(raw[start:at])
        else:
            _broken()


def _table_bytes(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(raw: bytes, at: int) -> int:
    size = len(raw)
    while at < size:
        block = raw[at]
        at += block + 1
        if not block:
            return at
    return _broken()


def _broken() -> NoReturn:
    raise Refused(Why.BROKEN)
