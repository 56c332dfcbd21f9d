"""Names of files: what is told of one of ours, and what one that a peer told becomes on this disk. Pure."""

import mimetypes
import unicodedata
from pathlib import PurePath

from features.media.content import NAME_BYTES_MAX, Shape

SAVED_BYTES_MAX = 200  # room for " (99)" and for the name of a draft
NAMELESS = "file"
UNKNOWN = "application/octet-stream"
FOLDER = "application/x-tar"
_UNSAFE = frozenset('/\\:*?"<>|')  # on some file system each of them means something
_TAKEN = frozenset(
    ("con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10)))
)  # devices, on one of them


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


def mime_of(path: PurePath) -> str:
    """The media type that a name suggests."""
    return mimetypes.guess_type(path.name, strict=False)[0] or UNKNOWN


def shape_of(mime: str) -> Shape:
    """What a file is, by its type; a recording is one where its sender says so."""
    match mime.partition("/")[0]:
        case "image":
            return Shape.PICTURE
        case "video":
            return Shape.VIDEO
        case _:
            return Shape.FILE
