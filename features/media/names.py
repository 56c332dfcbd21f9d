"""Names of files: what is told of one of ours, and what one that a peer told becomes on this disk. Pure."""

import mimetypes
import re
import unicodedata
from pathlib import PurePath

from protocol.file import NAME_BYTES_MAX, Shape

SAVED_BYTES_MAX = 200  # room for " (99)" and for the name of a draft
NAMELESS = "file"
UNKNOWN = "application/octet-stream"
FOLDER = "application/x-tar"
_UNSAFE = frozenset('/\\:*?"<>|')  # on some file system each of them means something
_TAKEN = frozenset(
    ("con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10)))
)  # devices, on one of them

# What Python alone does not know, or not as such; what the system adds to its list differs.
_ENDINGS = {
    ".jfif": "image/jpeg",
    ".apng": "image/apng",
    ".jxl": "image/jxl",
    ".dng": "image/x-adobe-dng",
    ".cr2": "image/x-canon-cr2",
    ".nef": "image/x-nikon-nef",
    ".arw": "image/x-sony-arw",
    ".m4a": "audio/mp4",
    ".weba": "audio/webm",
    ".mka": "audio/x-matroska",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".3gp": "video/3gpp",
    ".3g2": "video/3gpp2",
    ".ogv": "video/ogg",
    ".wmv": "video/x-ms-wmv",
    ".flv": "video/x-flv",
    ".mts": "video/mp2t",
    ".m2ts": "video/mp2t",
}
BEGINNING_BYTES = 12
_BEGINNINGS = tuple(
    (re.compile(begins, re.DOTALL), mime)
    for begins, mime in (
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"....ftyp(?:hei|mif|avi)", "image/heic"),
        (rb"....ftyp(?!M4A)", "video/mp4"),
        (rb"\x1a\x45\xdf\xa3", "video/x-matroska"),
    )
)


def told(path: PurePath) -> str:
    """The name that is told of a file of ours: its last part, as one printable line."""
    line = "".join(one if one.isprintable() else " " for one in path.name).strip()
    while len(line.encode(errors="replace")) > NAME_BYTES_MAX:
        line = line[:-1].strip()
    return line.encode(errors="replace").decode() or NAMELESS


def saved(name: str) -> str:
    """What a told name becomes on this disk: no part of a path, nothing hidden, nothing that steers a terminal."""
    line = unicodedata.normalize("NFC", name)
    line = "".join("_" if one in _UNSAFE or not one.isprintable() else one for one in line)
    line = line.strip().lstrip(".").rstrip(". ")
    stem, dot, ending = line.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, dot, ending = line, "", ""
    while len(f"{stem}{dot}{ending}".encode()) > SAVED_BYTES_MAX:
        stem = stem[:-1]
    line = f"{stem.rstrip()}{dot}{ending}"
    if not stem.strip() or stem.partition(".")[0].casefold() in _TAKEN:
        line = f"{NAMELESS}-{line}" if line else NAMELESS
    return line


def numbered(name: str, number: int) -> str:
    """The same name for the second, third … file of it: "report (2).pdf"."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem} ({number}){dot}{ending}" if dot and stem else f"{name} ({number})"


def mime_of(path: PurePath, begins: bytes = b"") -> str:
    """The media type that a name suggests, or else the first bytes of a file."""
    known = _ENDINGS.get(path.suffix.lower()) or mimetypes.guess_type(path.name, strict=False)[0]
    return known or next((mime for form, mime in _BEGINNINGS if form.match(begins)), UNKNOWN)


def shape_of(mime: str) -> Shape:
    """What a file is, by its type; a recording is one where its sender says so."""
    match mime.partition("/")[0]:
        case "image":
            return Shape.PICTURE
        case "video":
            return Shape.VIDEO
        case _:
            return Shape.FILE
