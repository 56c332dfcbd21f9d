"""The header of a WebP picture: what it is and how large, by a bounded walk over its chunks. Nothing is decoded.

The container is of RFC 9649. Not here: decoding, which is for a process of its own.
"""

from crypto.faults import Malformed

SIDE_MAX = 1024  # a photo of a person is shown small
CHUNKS_MAX = 8
_HEAD, _CHUNK = 12, 8
_VP8, _VP8L, _VP8X, _ALPHA, _COLOURS = b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"


class NotWebp(Malformed):
    """A peer's picture is no still WebP picture without metadata, of at most 1,024 on a side."""


def measure(raw: bytes) -> tuple[int, int]:
    """Width and height of a still picture, all of whose chunks are such as a plain picture has.

    Raises: NotWebp, also for an animation and for metadata (EXIF, XMP), which say where a picture was taken.
    """
    found: dict[bytes, bytes] = {}
    if raw[:4] != b"RIFF" or raw[8:_HEAD] != b"WEBP" or _int(raw[4:8]) + 8 != len(raw):
        raise NotWebp
    place = _HEAD
    while place < len(raw):
        name, size = raw[place : place + 4], _int(raw[place + 4 : place + _CHUNK])
        body = raw[place + _CHUNK : place + _CHUNK + size]
        place += _CHUNK + size + size % 2
        is_known = name in (_VP8, _VP8L, _VP8X, _ALPHA, _COLOURS) and name not in found
        if not is_known or len(body) != size or place > len(raw) or len(found) == CHUNKS_MAX:
            raise NotWebp
        found[name] = body
    if (_VP8 in found) == (_VP8L in found):
        raise NotWebp
    sides = _lossy(found[_VP8]) if _VP8 in found else _lossless(found[_VP8L])
    canvas = _canvas(found[_VP8X]) if _VP8X in found else sides
    if canvas != sides or not all(0 < side <= SIDE_MAX for side in sides):
        raise NotWebp
    return sides


def _lossy(body: bytes) -> tuple[int, int]:
    """RFC 6386 9.1: a key frame, its start code, two sides of 14 bits."""
    if len(body) < 10 or body[0] & 1 or body[3:6] != b"\x9d\x01\x2a":
        raise NotWebp
    return _int(body[6:8]) & 0x3FFF, _int(body[8:10]) & 0x3FFF


def _lossless(body: bytes) -> tuple[int, int]:
    bits = _int(body[1:5])
    if len(body) < 5 or body[0] != 0x2F or bits >> 29:
        raise NotWebp
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _canvas(body: bytes) -> tuple[int, int]:
    """The sides that the extended header names. Its flags of EXIF, XMP and animation must be off."""
    if len(body) != 10 or body[0] & 0x0E:
        raise NotWebp
    return _int(body[4:7]) + 1, _int(body[7:10]) + 1


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
