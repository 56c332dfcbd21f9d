"""Names of stickers and packs: what becomes of one that a file or a contact gives. Pure."""

import unicodedata
from pathlib import PurePath

from features.stickers.content import ALT_BYTES_MAX, NAME_BYTES_MAX
from features.stickers.faults import BadName

NAMELESS = "sticker"
_PICTURED = frozenset(("So", "Sk"))  # emoji, and the tones of skin
_JOINED = frozenset("\u200d\ufe0f\u20e3")  # what makes one emoji of several
NUMBERS_MAX = 1000


def cleaned(name: str) -> str:
    """A name as it is kept: one printable line of at most 48 bytes, without a slash, which parts pack and sticker."""
    line = "".join("_" if one in "/\\" else one if one.isprintable() else " " for one in name)
    line = " ".join(unicodedata.normalize("NFC", line.encode(errors="replace").decode()).split())
    return _cut(line, NAME_BYTES_MAX) or NAMELESS


def checked(name: str) -> str:
    """The name that a person gives a pack. Raises: BadName where it would be kept as another one."""
    line = " ".join(name.split())
    if not line or cleaned(line) != unicodedata.normalize("NFC", line):
        raise BadName
    return cleaned(line)


def of_file(path: PurePath) -> tuple[str, str]:
    """The name and the emoji that the name of a picture's file gives it: "wave 👋.png" is wave, 👋."""
    stem = path.stem
    emoji = "".join(one for one in stem if unicodedata.category(one) in _PICTURED or one in _JOINED)
    rest = "".join(one for one in stem if one not in emoji)
    return cleaned(rest.strip(" -_") or NAMELESS), alt(emoji)


def alt(text: str) -> str:
    """An emoji or word as it is kept: on one line, at most 32 bytes, or none."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line.encode()) <= ALT_BYTES_MAX else ""


def free(name: str, taken: set[str]) -> str:
    """The name, or the next one with a number that is not taken. taken: casefolded."""
    for number in range(1, NUMBERS_MAX):
        ending = "" if number == 1 else f" {number}"
        one = _cut(name, NAME_BYTES_MAX - len(ending)) + ending
        if one.casefold() not in taken:
            return one
    raise BadName


def _cut(line: str, bytes_max: int) -> str:
    while len(line.encode()) > bytes_max:
        line = line[:-1].strip()
    return line
