"""What the workshop's program is asked and what it may answer: the process that looks at pictures and sounds.

It opens files that others have made, so whatever it says counts as hostile: closed records with limits, read like bytes
from a peer. Not here: who starts it (node/workshop/workshop.py, cli/pictures.py), what it does (program.py there).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, TypeVar

from protocol import record
from protocol.faults import Malformed
from protocol.limits import Line, Range, Size, Utf8
from protocol.preview import ABOUT_BYTES_MAX, TITLE_BYTES_MAX
from protocol.url import URL_BYTES_MAX

WORD = "_workshop"  # the launcher's hidden word, beside `_node`
PICTURE_PIXELS_MAX = 64_000_000  # 256 MB decoded; the next step after a phone's 48 and 50 million
SIDE_MAX = 65_535  # what JPEG and GIF can say
PREVIEW_SIDE_MAX = 320
PREVIEW_BYTES_MAX = 12 * 1024  # travels inside a message of at most 60 KiB
AVATAR_SIDE = 256
PAGE_BYTES_MAX = 512 * 1024  # of a page of the web: what it says of itself stands at its beginning
AVATAR_BYTES_MAX = 32 * 1024
STICKER_SIDE = 512
STICKER_BYTES_MAX = 48 * 1024  # with its names it stays below what one message may say
STICKER_BYTES = 14 * 1024  # aimed at: with all around it the message fits 16 KiB
BLURHASH = (4, 3)  # components across and down: 28 characters
WAVEFORM_BYTES = 64
LENGTH_MS_MAX = 24 * 3600 * 1000  # a day of sound or film
_HASH_CHARS = 4 + 2 * BLURHASH[0] * BLURHASH[1]
_HASH = re.compile(rf"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{{|}}~]{{{_HASH_CHARS}}}")
_TAKEN_BYTES = 25
_TAKEN = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[+-][0-9]{2}:[0-9]{2})?)?")
# What this Python itself may need in order to start; nothing else of the environment goes to the program.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE")

A = TypeVar("A")


class Why(IntEnum):
    """Why a file was not worked on."""

    BROKEN = 1
    STRANGE = 2  # of no kind that the workshop knows
    LARGE = 3  # more pixels than PICTURE_PIXELS_MAX, or longer than LENGTH_MS_MAX
    MEMORY = 4  # wants more memory than the program has
    UNWRITTEN = 5  # the copy cannot be written


class Format(IntEnum):
    """What a file is, by its bytes and not by its name."""

    JPEG = 1
    PNG = 2
    WEBP = 3
    GIF = 4
    WAV = 10
    OGG = 11  # Vorbis or Opus
    MP3 = 12
    FLAC = 13
    M4A = 14
    WEBA = 15  # WebM without a picture
    MKA = 16
    MP4 = 20
    MOV = 21
    WEBM = 22
    MKV = 23

    @property
    def mime(self) -> str:
        """The media type, as mail and web name it."""
        return _MIME[self]


_MIME = {
    Format.JPEG: "image/jpeg",
    Format.PNG: "image/png",
    Format.WEBP: "image/webp",
    Format.GIF: "image/gif",
    Format.WAV: "audio/wav",
    Format.OGG: "audio/ogg",
    Format.MP3: "audio/mpeg",
    Format.FLAC: "audio/flac",
    Format.M4A: "audio/mp4",
    Format.WEBA: "audio/webm",
    Format.MKA: "audio/x-matroska",
    Format.MP4: "video/mp4",
    Format.MOV: "video/quicktime",
    Format.WEBM: "video/webm",
    Format.MKV: "video/x-matroska",
}


@record.record
@dataclass(frozen=True, slots=True)
class Failed:
    """The file was not worked on."""

    KIND: ClassVar[int] = 0
    why: Why


@record.record
@dataclass(frozen=True, slots=True)
class Pictured:
    """A picture, upright. preview: WebP of at most 320 px a side, empty where none is as small as was asked.

    blurhash: 28 characters of base 83.
    """

    KIND: ClassVar[int] = 1
    format: Format
    width: Annotated[int, Range(1, SIDE_MAX)]
    height: Annotated[int, Range(1, SIDE_MAX)]
    preview: Annotated[bytes, Size(0, PREVIEW_BYTES_MAX)]
    blurhash: Annotated[str, Line(_HASH_CHARS)]


@record.record
@dataclass(frozen=True, slots=True)
class Heard:
    """A sound. waveform: the peaks of 64 equal stretches, the highest 255; b"" where weft cannot decode it."""

    KIND: ClassVar[int] = 2
    format: Format
    length_ms: Annotated[int, Range(0, LENGTH_MS_MAX)]
    waveform: Annotated[bytes, Size(0, WAVEFORM_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Moving:
    """A film, upright."""

    KIND: ClassVar[int] = 3
    format: Format
    length_ms: Annotated[int, Range(0, LENGTH_MS_MAX)]
    width: Annotated[int, Range(1, SIDE_MAX)]
    height: Annotated[int, Range(1, SIDE_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Avatar:
    """A square picture of somebody: WebP, 256 px a side."""

    KIND: ClassVar[int] = 4
    webp: Annotated[bytes, Size(12, AVATAR_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Pixels:
    """A preview unpacked. rgb: three bytes a pixel, line by line from the top."""

    KIND: ClassVar[int] = 5
    width: Annotated[int, Range(1, PREVIEW_SIDE_MAX)]
    height: Annotated[int, Range(1, PREVIEW_SIDE_MAX)]
    rgb: Annotated[bytes, Size(3, 3 * PREVIEW_SIDE_MAX**2)]


@record.record
@dataclass(frozen=True, slots=True)
class Stamp:
    """A picture as a sticker: still WebP without metadata, at most 512 px a side."""

    KIND: ClassVar[int] = 7
    webp: Annotated[bytes, Size(12, STICKER_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Taken:
    """When a picture was taken, by its camera's clock: 2026-05-04T12:30:00, then +02:00 where its zone is known;
    "" where it does not say so. Whether there is such a day is not checked."""

    KIND: ClassVar[int] = 8
    at: Annotated[str, Utf8(_TAKEN_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Page:
    """What a page of the web says of itself. picture: an address as it stands there, "" for none."""

    KIND: ClassVar[int] = 6
    title: Annotated[str, Line(TITLE_BYTES_MAX)] | None
    about: Annotated[str, Line(ABOUT_BYTES_MAX)] | None
    picture: Annotated[str, Utf8(URL_BYTES_MAX)]


ANSWER_BYTES_MAX: Mapping[type, int] = {
    Pictured: PREVIEW_BYTES_MAX + 256,
    Heard: 256,
    Moving: 256,
    Avatar: AVATAR_BYTES_MAX + 256,
    Stamp: STICKER_BYTES_MAX + 256,
    Pixels: 3 * PREVIEW_SIDE_MAX**2 + 256,
    Taken: 64,
    Page: TITLE_BYTES_MAX + ABOUT_BYTES_MAX + URL_BYTES_MAX + 256,
}
_SOUNDS = (Format.WAV, Format.OGG, Format.MP3, Format.FLAC, Format.M4A, Format.WEBA, Format.MKA)
_FILMS = (Format.MP4, Format.MOV, Format.WEBM, Format.MKV)


def read(wanted: type[A], raw: bytes) -> A | Failed:
    """The program's answer to a question that asks for `wanted`.

    Raises: Malformed for anything else, also where the parts of an answer do not fit each other.
    """
    kinds: dict[int, type[A | Failed]] = {Failed.KIND: Failed, wanted.KIND: wanted}  # type: ignore[attr-defined]
    answer = record.decode_one_of(kinds, raw, ANSWER_BYTES_MAX[wanted])
    if not _is_whole(answer):
        raise Malformed
    return answer


def is_webp(raw: bytes) -> bool:
    """Whether these bytes say that they are one WebP file of this length; what is in it only a decoder finds out."""
    return raw[:4] == b"RIFF" and raw[8:12] == b"WEBP" and int.from_bytes(raw[4:8], "little") + 8 == len(raw)


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the program: nothing but what this Python may need in order to start."""
    kept = {name: environ[name] for name in _PASSED_ON if name in environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": environ.get("PYTHONDONTWRITEBYTECODE", ""), "LC_ALL": "C.UTF-8"}


def _is_whole(answer: object) -> bool:
    match answer:
        case Pictured():
            small = answer.width * answer.height <= PICTURE_PIXELS_MAX
            return (
                small
                and answer.format <= Format.GIF
                and (not answer.preview or is_webp(answer.preview))
                and _HASH.fullmatch(answer.blurhash) is not None
            )
        case Heard():
            return answer.format in _SOUNDS and len(answer.waveform) in (0, WAVEFORM_BYTES)
        case Moving():
            return answer.format in _FILMS
        case Avatar() | Stamp():
            return is_webp(answer.webp)
        case Taken():
            return _TAKEN.fullmatch(answer.at) is not None
        case Pixels():
            return len(answer.rgb) == 3 * answer.width * answer.height
        case _:
            return True
