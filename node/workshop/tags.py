"""Sounds without titles, names, pictures and places: parts are left out or written over, nothing is encoded anew.

WAV keeps its format and samples; FLAC's other blocks become padding; MP3 loses ID3, APE and Lyrics3; in Ogg the
comments of Vorbis and Opus are written over in place. Not here: M4A (atoms.py), what the samples say (sounds.py).
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn

from node.workshop.faults import Refused
from protocol.workshop import Format, Why

_WAV_KEPT = frozenset((b"fmt ", b"fact", b"data"))
_FLAC_KEPT, _FLAC_PADDING, _FLAC_LAST = frozenset((0, 3)), 1, 0x80  # what the stream is, where to seek
_ID3_FOOTER = 0x10
_APE_HEADER = 1 << 31
_PAGE_BYTES = 27
_BEGINS = 0x02
_CODECS = {b"\x01vorbis": (b"\x03vorbis", b"\x01"), b"OpusHead": (b"OpusTags", b"")}  # comments: what begins, what ends
_FRAME = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]")  # of MP3: the bits that are always so, and a layer
_SLIP_BYTES_MAX = 4096  # by which some programs say their tag is shorter than it is
_CRC_POLYNOMIAL = 0x04C11DB7


@dataclass(frozen=True, slots=True)
class Untagged:
    """A sound without metadata."""

    format: Format
    raw: bytes


def strip(raw: bytes) -> Untagged:
    """The sound without metadata. Raises: Refused for what is no sound of these kinds, or a broken one."""
    start = _after_id3(raw)
    if raw[:4] == b"RIFF" and raw[8:12] == b"WAVE":
        return Untagged(Format.WAV, _wav(raw))
    if raw[:4] == b"OggS":
        return Untagged(Format.OGG, _ogg(raw))
    if raw[start : start + 4] == b"fLaC":
        return Untagged(Format.FLAC, _flac(raw, start))
    first = _FRAME.search(raw, start, start + _SLIP_BYTES_MAX) if start else _FRAME.match(raw)
    if first:
        return Untagged(Format.MP3, raw[first.start() : _before_tags(raw)])
    raise Refused(Why.STRANGE)


def silent(begins: bytes, ends: bytes, size: int) -> bytes:
    """A packet of so many bytes without comments, its encoder called by spaces. Raises: Refused if it is too short."""
    fill = size - len(begins) - 8 - len(ends)
    if fill < 0:
        _broken()
    return b"".join((begins, fill.to_bytes(4, "little"), b" " * fill, bytes(4), ends))


def _wav(raw: bytes) -> bytes:
    kept, at = [b"WAVE"], 12
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        body = raw[at + 8 : at + 8 + size]  # a recorder that was cut off promises more than there is
        if name in _WAV_KEPT:
            kept += (name, len(body).to_bytes(4, "little"), body, b"\x00" * (len(body) & 1))
        at += 8 + size + (size & 1)
    whole = b"".join(kept)
    return b"RIFF" + len(whole).to_bytes(4, "little") + whole


def _flac(raw: bytes, start: int) -> bytes:
    kept, at, head = [b"fLaC"], start + 4, 0
    while not head & _FLAC_LAST:
        head, end = (raw[at], at + 4 + int.from_bytes(raw[at + 1 : at + 4], "big")) if at < len(raw) else _broken()
        if end > len(raw):
            _broken()
        stays = head & 0x7F in _FLAC_KEPT
        kept += (raw[at:end],) if stays else (bytes((head & _FLAC_LAST | _FLAC_PADDING,)), raw[at + 1 : at + 4])
        kept += () if stays else (bytes(end - at - 4),)
        at = end
    return b"".join((*kept, raw[at : max(at, _before_tags(raw))]))


def _after_id3(raw: bytes) -> int:
    at = 0
    while raw[at : at + 3] == b"ID3" and len(raw) >= at + 10:
        size = 0
        for byte in raw[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if raw[at + 5] & _ID3_FOOTER else 0)
    return at


def _before_tags(raw: bytes) -> int:
    """Where the tags begin that stand behind a sound."""
    end = len(raw)
    while True:
        if raw[max(0, end - 128) : end].startswith(b"TAG") and end >= 128:
            end -= 128
        elif raw[max(0, end - 32) : end].startswith(b"APETAGEX") and end >= 32:
            size, flags = (int.from_bytes(raw[at : at + 4], "little") for at in (end - 20, end - 12))
            end = max(0, end - max(size, 32) - (32 if flags & _APE_HEADER else 0))
        elif raw[max(0, end - 9) : end] == b"LYRICS200" and raw[max(0, end - 15) : end - 9].isdigit():
            end = max(0, end - 15 - int(raw[end - 15 : end - 9]))
        else:
            return end


@dataclass(slots=True)
class _Stream:
    """One logical stream of an Ogg file on its way to its second packet, which has the comments."""

    begins: bytes = b""
    ends: bytes = b""
    packet: int = 0
    parts: list[tuple[int, int]] = field(default_factory=list)  # of the comments: where in the copy


def _ogg(raw: bytes) -> bytes:
    made, streams, at, touched = bytearray(), dict[bytes, _Stream](), 0, list[tuple[int, int]]()
    while (at := raw.find(b"OggS", at)) >= 0 and at + _PAGE_BYTES <= len(raw):
        lacing = raw[at + _PAGE_BYTES : at + _PAGE_BYTES + raw[at + 26]]
        first = at + _PAGE_BYTES + len(lacing)
        end = first + sum(lacing)
        if end > len(raw):
            break  # a recorder that was cut off
        serial = raw[at + 14 : at + 18]
        if raw[at + 5] & _BEGINS:
            codec = next((known for known in _CODECS if raw.startswith(known, first)), None)
            streams.pop(serial, None)
            if codec is not None:
                streams[serial] = _Stream(*_CODECS[codec])
        stream = streams.get(serial)
        if stream is not None:  # the pages of any other stream go
            if stream.packet < 2:
                touched.append((len(made), len(made) + end - at))
                _follow(made, stream, lacing, len(made) + first - at, raw[at:end])
            else:
                made += raw[at:end]
        at = end
    if not touched or any(stream.packet < 2 for stream in streams.values()):
        raise Refused(Why.BROKEN if touched else Why.STRANGE)
    for start, end in touched:
        made[start + 22 : start + 26] = bytes(4)
        made[start + 22 : start + 26] = checksum(made[start:end]).to_bytes(4, "little")
    return bytes(made)


def _follow(made: bytearray, stream: _Stream, lacing: bytes, at: int, page: bytes) -> None:
    """Takes a page of the headers into the copy, and writes the comments over once all of them are there."""
    made += page
    for size in lacing:
        if stream.packet == 1:
            stream.parts.append((at, size))
        at += size
        if size < 255:
            if stream.packet == 1:
                _blank(made, stream)
            stream.packet += 1


def _blank(made: bytearray, stream: _Stream) -> None:
    """No comments, in a packet that is as long as it was."""
    if not b"".join(made[at : at + size] for at, size in stream.parts[:1]).startswith(stream.begins):
        _broken()
    packet = silent(stream.begins, stream.ends, sum(size for _, size in stream.parts))
    done = 0
    for at, size in stream.parts:
        made[at : at + size] = packet[done : done + size]
        done += size


def _table() -> tuple[int, ...]:
    made = []
    for value in range(256):
        rest = value << 24
        for _ in range(8):
            rest = (rest << 1 ^ (_CRC_POLYNOMIAL if rest & 0x80000000 else 0)) & 0xFFFFFFFF
        made.append(rest)
    return tuple(made)


_CRC = _table()


def checksum(page: bytes | bytearray) -> int:
    """Ogg's own: from zero, not reflected (RFC 3533, section 6)."""
    rest = 0
    for byte in page:
        rest = (rest << 8 & 0xFFFFFFFF) ^ _CRC[rest >> 24 ^ byte]
    return rest


def _broken() -> NoReturn:
    raise Refused(Why.BROKEN)
