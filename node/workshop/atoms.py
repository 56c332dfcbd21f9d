"""What an MP4 or MOV says of itself in its boxes, and which of its bytes are metadata. Reads boxes, decodes nothing.

Titles, places and whatever else programs add are written over with zeros, in boxes named `free`, so that every place in
the file stays where it is; so are the times of recording, what tracks and encoders are called (by which cameras name
themselves), and the samples of tracks that are neither picture, sound nor subtitles: that is where cameras put the way
they went, and as a time code the time of day. Not here: the copy itself (films.py, sounds.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from node.workshop.faults import Refused
from protocol.workshop import LENGTH_MS_MAX, Why

BOXES_MAX = 100_000
DEPTH_MAX = 8  # moov trak mdia minf stbl stsz has 6
INDEX_BYTES_MAX = 64 << 20  # the box that holds all others, of a film of many hours
_HOLDERS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex"))
_BLANKED = frozenset((b"udta", b"meta", b"uuid", b"free", b"skip"))
# What stays in the file, in its index and in a track, all else goes: there cameras put boxes of their own.
_KEPT = {
    b"": frozenset((b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"pdin")),
    b"moov": frozenset((b"mvhd", b"iods", b"trak", b"mvex", b"cmov", b"ctab", b"clip", b"rmra", b"pssh")),
    b"trak": frozenset((b"tkhd", b"mdia", b"edts", b"tref", b"trgr", b"tapt", b"load", b"clip", b"matt")),
}
_TIMED = frozenset((b"mvhd", b"tkhd", b"mdhd"))
_TRACKS = frozenset((b"vide", b"soun", b"text", b"sbtl", b"subt", b"clcp"))
_HEAD_BYTES = 8
_TAPE = 34  # behind how a time code counts
_BRANDS_OF_PICTURES = frozenset((b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"crx "))

Read = Callable[[int, int], bytes]


@dataclass(slots=True)
class Found:
    """What stands in a file. blank: runs of bytes to be zero, as (place, count); written: what is written then."""

    brand: bytes = b""
    length_ms: int = 0
    width: int = 0
    height: int = 0
    blank: list[tuple[int, int]] = field(default_factory=list)
    written: list[tuple[int, bytes]] = field(default_factory=list)
    boxes: int = 0
    has_index: bool = False
    has_fragments: bool = False
    drops: bool = False  # a track of another sort


@dataclass(slots=True)
class _Track:
    """One track as far as it was read."""

    sort: bytes = b""
    sizes: bytes = b""
    chunks: bytes = b""
    chunk_bytes: int = 4
    runs: bytes = b""
    described: bytes = b""  # by which its codec was made, and where that stands
    described_at: int = 0


def examine(read: Read, size: int) -> Found:
    """What an MP4 of `size` bytes says of itself. Raises: Refused."""
    found = Found(brand=read(8, 4))
    if read(4, 4) != b"ftyp" or found.brand in _BRANDS_OF_PICTURES:
        raise Refused(Why.STRANGE)
    for name, at, body, end in _boxes(read, 0, size, found):
        if name not in _KEPT[b""]:
            _blank(found, at, body, end)
        elif name in (b"moov", b"moof"):
            if end - body > INDEX_BYTES_MAX:
                raise Refused(Why.LARGE)
            _walk(name, read(body, end - body), body, found, _Track(), 1)
            found.has_index |= name == b"moov"
            found.has_fragments |= name == b"moof"
    if not found.has_index or any(at < 0 or at + count > size for at, count in found.blank):
        _broken()
    if found.has_fragments and found.drops:  # whose samples lie in the fragments: nobody here looks for them
        raise Refused(Why.STRANGE)
    if found.length_ms > LENGTH_MS_MAX:
        raise Refused(Why.LARGE)
    return found


def _boxes(read: Read, at: int, last: int, found: Found) -> Iterator[tuple[bytes, int, int, int]]:
    """Each box as its name, where it stands, where its body begins and ends."""
    while at < last:
        head = read(at, 16)
        length, body = int.from_bytes(head[:4], "big"), at + _HEAD_BYTES
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), at + 16
        end = at + length if length else last
        found.boxes += 1
        if len(head) < _HEAD_BYTES or end < body or end > last or found.boxes > BOXES_MAX:
            _broken()
        yield head[4:8], at, body, end
        at = end


def _walk(parent: bytes, held: bytes, place: int, found: Found, track: _Track, depth: int) -> None:
    """Goes through the boxes inside a box, whose body stands at `place` of the file."""
    for name, at, body, end in _boxes(lambda at, count: held[at : at + count], 0, len(held), found):
        inside = held[body:end]
        if name in _BLANKED or name not in _KEPT.get(parent, (name,)):
            _blank(found, place + at, place + body, place + end)
        elif name in _TIMED and len(inside) >= 24:
            _time(name, inside, place + body, found)
        elif name == b"hdlr":
            track.sort = track.sort or inside[8:12]
            found.blank.append((place + body + 12, max(0, len(inside) - 12)))
        elif name == b"stsd":
            track.described, track.described_at = inside, place + body
        elif name == b"stsz":
            track.sizes = inside[4:]
        elif name in (b"stco", b"co64"):
            track.chunks, track.chunk_bytes = inside[4:], 4 if name == b"stco" else 8
        elif name == b"stsc":
            track.runs = inside[4:]
        elif name in _HOLDERS:
            if depth == DEPTH_MAX:
                _broken()
            inner = _Track() if name == b"trak" else track
            _walk(name, inside, place + body, found, inner, depth + 1)
            if name == b"trak":
                found.drops |= inner.sort not in _TRACKS
                found.blank += (*_samples(inner), *_reels(inner)) if inner.sort not in _TRACKS else _makers(inner)


def _blank(found: Found, at: int, body: int, end: int) -> None:
    found.blank.append((body, end - body))
    found.written.append((at + 4, b"free"))


def _time(name: bytes, inside: bytes, place: int, found: Found) -> None:
    """Zeros for when it was made and changed; on the way the length, and the size of the picture."""
    wide = 8 if inside[0] == 1 else 4
    found.blank.append((place + 4, 2 * wide))
    after = 4 + 2 * wide
    if name == b"mvhd":
        scale = _number(inside, after, 4) or _broken()
        found.length_ms = _number(inside, after + 4, wide) * 1000 // scale
    elif name == b"tkhd":
        matrix = after + 8 + wide + 16
        width, height = (_number(inside, matrix + at, 4) >> 16 for at in (36, 40))
        if width and height and not found.width:
            lies = not _number(inside, matrix, 4) and not _number(inside, matrix + 16, 4)  # turned by a quarter
            found.width, found.height = (height, width) if lies else (width, height)


def _samples(track: _Track) -> Iterator[tuple[int, int]]:
    """Where the samples of a track lie: a run of bytes for each of its chunks."""
    each, count = _number(track.sizes, 0, 4), _number(track.sizes, 4, 4)
    chunks = _number(track.chunks, 0, 4)
    runs = [_run(track.runs, 4 + 12 * n) for n in range(min(_number(track.runs, 0, 4), len(track.runs) // 12))]
    if chunks * track.chunk_bytes > len(track.chunks) or (not each and count * 4 > len(track.sizes)):
        _broken()
    sample, run, per_chunk = 0, 0, 0
    for chunk in range(chunks):
        while run < len(runs) and runs[run][0] <= chunk + 1:
            per_chunk, run = runs[run][1], run + 1
        last = min(sample + per_chunk, count)
        long = each * (last - sample) or sum(_number(track.sizes, 8 + 4 * n, 4) for n in range(sample, last))
        yield _number(track.chunks, 4 + chunk * track.chunk_bytes, track.chunk_bytes), long
        sample = last


def _makers(track: _Track) -> Iterator[tuple[int, int]]:
    """Where it says who made the encoder of a track, and how that is called."""
    for at, end in _entries(track, 24):
        yield track.described_at + at + 20, 4
        if track.sort == b"vide" and end >= at + 82:
            yield track.described_at + at + 50, 32


def _reels(track: _Track) -> Iterator[tuple[int, int]]:
    """Where it says how the tape of a time code is called: cameras and people write their names there."""
    for at, end in _entries(track, 8):
        if track.described[at + 4 : at + 8] == b"tmcd" and end > at + _TAPE:
            yield track.described_at + at + _TAPE, end - at - _TAPE


def _entries(track: _Track, least: int) -> Iterator[tuple[int, int]]:
    """Where each thing that describes the codec of a track begins and ends."""
    at, last = 8, len(track.described)
    while at + least <= last:
        end = at + _number(track.described, at, 4)
        if end < at + least or end > last:
            _broken()
        yield at, end
        at = end


def _run(raw: bytes, at: int) -> tuple[int, int]:
    return _number(raw, at, 4), _number(raw, at + 4, 4)


def _number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "big")


def _broken() -> NoReturn:
    raise Refused(Why.BROKEN)
