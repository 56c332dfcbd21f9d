"""What a WebM or Matroska says of itself in its elements (RFC 9559), and which of them are metadata. Decodes nothing.

What stays is what a player needs, by a list; in the place of everything else stands an element Void of the same length,
full of zeros, so that every place in the file stays where it is. Not here: the copy itself (films.py, sounds.py).
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from node.workshop import tags
from node.workshop.faults import Refused
from protocol.workshop import LENGTH_MS_MAX, Why

BEGINS = b"\x1a\x45\xdf\xa3"
ELEMENTS_MAX = 2_000_000  # four hours of 60 pictures and 50 pieces of sound a second; they take 10 s
PRIVATE_BYTES_MAX = 1 << 20  # what a decoder is told first
_WINDOW_BYTES = 1 << 14
_HEAD_BYTES = 12
_EBML, _SEGMENT, _CLUSTER, _TRACKS, _SEEK_HEAD, _INFO, _CUES = (
    0x1A45DFA3,
    0x18538067,
    0x1F43B675,
    0x1654AE6B,
    0x114D9B74,
    0x1549A966,
    0x1C53BB6B,
)
_DOC_TYPE = 0x4282
_SEEK, _SEEK_ID = 0x4DBB, 0x53AB
_SCALE, _DURATION, _MUXING_APP, _WRITING_APP = 0x2AD7B1, 0x4489, 0x4D80, 0x5741
_TRACK, _NUMBER, _UID, _SORT, _CODEC, _PRIVATE = 0xAE, 0xD7, 0x73C5, 0x83, 0x86, 0x63A2
_VIDEO, _AUDIO, _PROJECTION, _ROLL = 0xE0, 0xE1, 0x7670, 0x7675
_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT = 0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2
_COLOUR, _MASTERING, _ENCODINGS, _ENCODING, _MAPPING = 0x55B0, 0x55D0, 0x6D80, 0x6240, 0x41E4
_TIME, _SIMPLE, _GROUP, _BLOCK, _MORES, _MORE = 0xE7, 0xA3, 0xA0, 0xA1, 0x75A1, 0xA6
_POINT, _POSITIONS = 0xBB, 0xB7
_LACED = 0x06  # several frames in one block
_IS_VIDEO, _IS_SOUND, _IS_SUBTITLES = 1, 2, 0x11
_XIPH = {b"A_VORBIS": (b"\x03vorbis", b"\x01"), b"V_THEORA": (b"\x81theora", b"")}  # comments: what begins, what ends

# What stays in each element that has others inside; no element is inside itself, so this is how deep a file can be.
_KEPT: dict[int, frozenset[int]] = {
    _EBML: frozenset((0x4286, 0x42F7, 0x42F2, 0x42F3, _DOC_TYPE, 0x4287, 0x4285)),
    _SEGMENT: frozenset((_SEEK_HEAD, _INFO, _TRACKS, _CUES, _CLUSTER)),
    _SEEK_HEAD: frozenset((_SEEK,)),
    _SEEK: frozenset((_SEEK_ID, 0x53AC)),
    _INFO: frozenset((_SCALE, _DURATION, _MUXING_APP, _WRITING_APP)),
    _TRACKS: frozenset((_TRACK,)),
    _TRACK: frozenset((_NUMBER, _UID, _SORT, _CODEC, _PRIVATE, _VIDEO, _AUDIO, _ENCODINGS, _MAPPING))
    | {0xB9, 0x88, 0x55AA, 0x55AB, 0x55AC, 0x55AD, 0x55AE, 0x55AF, 0x22B59C, 0x22B59D}  # which is played, its language
    | {0x9C, 0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x23314F, 0x55EE, 0xAA, 0x56AA, 0x56BB},  # how its frames follow
    _VIDEO: frozenset((_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT, _COLOUR, _PROJECTION))
    | {0x9A, 0x9D, 0x53B8, 0x53C0, 0x54AA, 0x54BB, 0x54CC, 0x54DD, 0x54B3, 0x2EB524},  # interlaced, stereo, cropped
    _COLOUR: frozenset((*range(0x55B1, 0x55BE), _MASTERING)),
    _MASTERING: frozenset(range(0x55D1, 0x55DB)),
    _PROJECTION: frozenset((0x7671, 0x7672, 0x7673, 0x7674, _ROLL)),
    _AUDIO: frozenset((0xB5, 0x78B5, 0x9F, 0x6264, 0x52F1)),
    _ENCODINGS: frozenset((_ENCODING,)),
    _ENCODING: frozenset((0x5031, 0x5032, 0x5033, 0x5034)),
    0x5034: frozenset((0x4254, 0x4255)),  # beginnings that all frames share
    _MAPPING: frozenset((0x41F0, 0x41E7, 0x41ED)),
    _CUES: frozenset((_POINT,)),
    _POINT: frozenset((0xB3, _POSITIONS)),
    _POSITIONS: frozenset((0xF7, 0xF1, 0xF0, 0xB2, 0x5378, 0xEA)),
    _CLUSTER: frozenset((_TIME, _SIMPLE, _GROUP, 0xA7, 0xAB)),
    _GROUP: frozenset((_BLOCK, 0x9B, 0xFA, 0xFB, 0xA4, 0x75A2, _MORES)),
    _MORES: frozenset((_MORE,)),  # what is transparent
    _MORE: frozenset((0xEE, 0xA5)),
}
_TOP = _KEPT[_SEGMENT] | {_EBML, _SEGMENT, 0x1941A469, 0x1043A770, 0x1254C367}  # what ends a cluster of unknown size

Read = Callable[[int, int], bytes]
_Told = dict[int, tuple[int, int]]  # of the elements of one track, or of the file: where their bodies begin and end


@dataclass(slots=True)
class Found:
    """What stands in a file. blank: runs of bytes to be zero, as (place, count); written: what is written then.

    end: where the copy ends, what stands behind it goes. width, height: 0 where there is no picture. opus, packets:
    what the decoder is told first, and where the packets lie, if there is nothing but one track of Opus.
    """

    end: int = 0
    is_webm: bool = False
    length_ms: int = 0
    width: int = 0
    height: int = 0
    opus: bytes = b""
    packets: list[tuple[int, int]] = field(default_factory=list)
    blank: list[tuple[int, int]] = field(default_factory=list)
    written: list[tuple[int, bytes]] = field(default_factory=list)


def examine(read: Read, size: int) -> Found:
    """What a WebM or Matroska of `size` bytes says of itself. Raises: Refused."""
    return _Film(read, size).examined()


@dataclass(slots=True)
class _Film:
    """One file on the way through it."""

    read: Read
    size: int
    found: Found = field(default_factory=Found)
    told: _Told = field(default_factory=dict)
    elements: int = 0
    tracks: set[int] = field(default_factory=set)  # numbers of those that stay
    has_tracks: bool = False
    ticks: int = 0  # when the last block begins
    window_at: int = 0
    window: bytes = b""

    def examined(self) -> Found:
        if self.take(0, 4) != BEGINS:
            raise Refused(Why.STRANGE)
        at = self.walk(*self.whole(0, self.size), self.told)
        sort = self.body(*self.told.get(_DOC_TYPE, (0, 0)), 16).rstrip(b"\x00")
        if sort not in (b"webm", b"matroska"):
            raise Refused(Why.STRANGE)
        self.found.is_webm = sort == b"webm"
        name, body, end = self.element(at, self.size)
        self.found.end = self.size if end is None else end
        if name != _SEGMENT or self.take(self.found.end, 4) == BEGINS:  # a second film, of which nobody would know
            _broken()
        self.segment(body, self.found.end)
        if not self.has_tracks:
            _broken()
        self.found.length_ms = self.length_ms()
        if self.found.length_ms > LENGTH_MS_MAX:
            raise Refused(Why.LARGE)
        return self.found

    def segment(self, at: int, end: int) -> None:
        while at < end:
            start, (name, body, last) = at, self.element(at, end)
            if name == _CLUSTER:
                if not self.has_tracks:  # nobody could say whose blocks these are
                    _broken()
                at = self.cluster(body, end if last is None else last, last is None)
                continue
            at = last if last is not None else _broken()
            if name not in _KEPT[_SEGMENT]:
                self.void(start, at)
            elif name == _TRACKS and self.has_tracks:
                _broken()
            else:
                self.walk(name, body, at, self.told)
                self.has_tracks |= name == _TRACKS

    def cluster(self, at: int, end: int, is_open: bool) -> int:
        """Where it ends: one of unknown size does before an element that is not inside clusters."""
        began = 0
        while at < end:
            start, (name, body, last) = at, self.element(at, end)
            if is_open and name in _TOP:
                return start
            at = last if last is not None else _broken()
            if name == _TIME:
                began = self.number(body, at)
            elif name == _SIMPLE:
                self.block(start, body, at, began)
            elif name == _GROUP:
                inside: _Told = {}
                self.walk(name, body, at, inside)
                self.block(start, *inside.get(_BLOCK, (body, body)), began, at)
            elif name not in _KEPT[_CLUSTER]:
                self.void(start, at)
        return at

    def block(self, start: int, body: int, end: int, began: int, last: int | None = None) -> None:
        """A piece of a track, which goes with its track; `last` where it stands in a group, which goes with it."""
        head = self.take(body, min(_HEAD_BYTES, end - body))
        wide = _width(head, 0)
        if wide > 8 or len(head) < wide + 3:
            _broken()
        if _value(head[:wide]) not in self.tracks:
            self.void(start, end if last is None else last)
        else:
            if self.found.opus and len(self.tracks) == 1 and not head[wide + 2] & _LACED:
                self.found.packets.append((body + wide + 3, end))
            self.ticks = max(self.ticks, began + int.from_bytes(head[wide : wide + 2], "big", signed=True))

    def walk(self, name: int, at: int, end: int, told: _Told) -> int:
        """Goes through the elements inside one, and notes where those that stay have their bodies; where it ends."""
        while at < end:
            start, (child, body, last) = at, self.element(at, end)
            at = last if last is not None else _broken()
            if child not in _KEPT[name]:
                self.void(start, at)
                continue
            told.setdefault(child, (body, at))
            if child == _TRACK:
                self.track(start, body, at)
            elif child in _KEPT:
                self.walk(child, body, at, told)
            else:
                self.leaf(child, body, at)
            if child == _SEEK and self.number(*told.pop(_SEEK_ID, (0, 0))) not in _KEPT[_SEGMENT]:
                self.void(start, at)  # it says where something stood that is gone
        return at

    def leaf(self, name: int, body: int, end: int) -> None:
        if name in (_MUXING_APP, _WRITING_APP):  # these must be there, and zeros are a text without letters
            self.found.blank.append((body, end - body))
        elif name == _PRIVATE and end - body > PRIVATE_BYTES_MAX:
            raise Refused(Why.LARGE)

    def track(self, start: int, at: int, end: int) -> None:
        told: _Told = {}
        self.walk(_TRACK, at, end, told)
        sort, number = (self.number(*told.get(name, (0, 0))) for name in (_SORT, _NUMBER))
        if sort not in (_IS_VIDEO, _IS_SOUND, _IS_SUBTITLES):
            self.void(start, end)
            return
        self.tracks.add(number)
        if _UID in told:  # drawn by chance when it was recorded
            place, last = told[_UID]
            self.found.written.append(
                (place, (number % 255 + 1).to_bytes(last - place, "big")) if last > place else _broken()
            )
        if _PRIVATE in told:
            self.private(
                self.body(*told.get(_CODEC, (0, 0)), 64).rstrip(b"\x00"), *told[_PRIVATE], _ENCODINGS not in told
            )
        if sort == _IS_VIDEO and not self.found.width:
            self.shape(told)

    def private(self, codec: bytes, at: int, end: int, is_plain: bool) -> None:
        """What a decoder is told first has comments of its own in some codecs."""
        raw = self.body(at, end, PRIVATE_BYTES_MAX)
        if codec == b"A_OPUS":
            self.found.opus = raw if is_plain else b""
        elif codec == b"A_FLAC":
            clean = tags.strip(raw).raw
            if len(clean) != len(raw):
                _broken()
            self.found.written.append((at, clean))
        elif codec in _XIPH:  # three packets; the first two have their lengths before them
            place, lengths = 1, [0, 0]
            for packet in (0, 1):
                while raw[place] == 255:
                    lengths[packet], place = lengths[packet] + 255, place + 1
                lengths[packet], place = lengths[packet] + raw[place], place + 1
            place += lengths[0]
            begins, ends = _XIPH[codec]
            if raw[0] != 2 or place + lengths[1] > len(raw) or not raw.startswith(begins, place):
                _broken()
            self.found.written.append((at + place, tags.silent(begins, ends, lengths[1])))

    def shape(self, told: _Told) -> None:
        """How many pixels are shown, upright."""
        numbers = [self.number(*told.get(name, (0, 0))) for name in (_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT)]
        coded, shown = numbers[:2], numbers[2:]
        are_pixels = not self.number(*told.get(_SHOWN_UNIT, (0, 0))) and all(shown)
        sides = shown if are_pixels else coded
        lies = abs(round(self.fraction(told.get(_ROLL)))) % 180 == 90
        self.found.width, self.found.height = sides[::-1] if lies else sides

    def length_ms(self) -> int:
        """As it is said, or else when the last block begins: who records live does not know it before."""
        scale = self.number(*self.told.get(_SCALE, (0, 0))) or 1_000_000
        return int((self.fraction(self.told.get(_DURATION)) or self.ticks) * scale) // 1_000_000

    def void(self, start: int, end: int) -> None:
        """Nothing, in the place of an element with all that is inside."""
        for noted in (self.found.blank, self.found.written):
            while noted and noted[-1][0] > start:  # of something inside
                noted.pop()
        total = end - start
        head = bytes((0xEC, 0x80 | total - 2)) if total < 0x7F + 2 else b"\xec\x01" + (total - 9).to_bytes(7, "big")
        self.found.blank.append((start, total))
        self.found.written.append((start, head))

    def whole(self, at: int, end: int) -> tuple[int, int, int]:
        name, body, last = self.element(at, end)
        return name, body, last if last is not None else _broken()

    def element(self, at: int, end: int) -> tuple[int, int, int | None]:
        """What stands at a place inside something that ends at `end`: its name, where its body begins, where it ends.

        None: it does not say how long it is, as films and clusters may. Raises: Refused where it is longer than what it
        stands in.
        """
        self.elements += 1
        if self.elements > ELEMENTS_MAX:
            raise Refused(Why.LARGE)
        head = self.take(at, _HEAD_BYTES)
        wide = _width(head, 0)
        long = _width(head, wide)
        if wide > 4 or long > 8 or len(head) < wide + long:
            _broken()
        name, size = int.from_bytes(head[:wide], "big"), _value(head[wide : wide + long])
        body = at + wide + long
        if size == (1 << 7 * long) - 1:
            return name, body, None if body <= end else _broken()
        return name, body, body + size if body + size <= end else _broken()

    def take(self, at: int, count: int) -> bytes:
        """A few bytes of the file, or as many as there are."""
        if not self.window_at <= at <= at + count <= self.window_at + len(self.window):
            self.window_at, self.window = at, self.read(at, max(count, _WINDOW_BYTES))
        return self.window[at - self.window_at : at - self.window_at + count]

    def body(self, at: int, end: int, bytes_max: int) -> bytes:
        return self.take(at, end - at) if end - at <= bytes_max else _broken()

    def number(self, at: int, end: int) -> int:
        return int.from_bytes(self.body(at, end, 8), "big")

    def fraction(self, place: tuple[int, int] | None) -> float:
        raw = b"" if place is None else self.body(*place, 8)
        form = {0: "", 4: ">f", 8: ">d"}.get(len(raw))
        value = sum(struct.unpack(form, raw)) if form is not None else math.nan
        return float(value) if math.isfinite(value) else _broken()


def _width(raw: bytes, at: int) -> int:
    """How many bytes a number of variable length has, by its first; 9 where there is none."""
    return 9 - raw[at].bit_length() if at < len(raw) else 9


def _value(raw: bytes) -> int:
    return int.from_bytes(raw, "big") & (1 << 7 * len(raw)) - 1


def _broken() -> NoReturn:
    raise Refused(Why.BROKEN)
