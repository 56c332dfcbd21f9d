"""Cards of people as other programs have them: vCard 4.0 out (RFC 6350), vCard 2.1 to 4.0 in, line by line.

A weft account stands in IMPP, as weft:wf1…. Of a card that is read only the name and the account are kept, whatever
else it says, so that an address book with a photo of everybody takes little memory. Files, and what is asked of the
node, are elsewhere (cli/address_book.py).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from protocol import bech32

FOLD_BYTES = 75  # RFC 6350 3.2: of a line, without its end
LINE_BYTES_MAX = 16 * 1024  # of an unfolded line of interest: a name or an address; more of it is not looked at
LINES_MAX = 2_000_000  # of a file, folded: a few seconds of reading
CARDS_MAX = 20_000  # four times the contacts that weft can have
BROKEN_MAX = 1_000  # lines that no card has; with more of them this is another file
NAME_CHARS_MAX = 200
SCHEME = "weft:"
_HRP, _ACCOUNT_BYTES = "wf", 32
_NAMED = ("FN", "N", "ORG", "EMAIL")  # by what a card without the one before is called
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


class NotCards(Exception):
    """A file holds more than an address book does, or something else."""


@dataclass(frozen=True, slots=True)
class Card:
    """A person in an address book. account: "" where the card has no weft account."""

    name: str
    account: str


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds. broken: lines that make no sense, and cards that do not end; they were left out."""

    cards: tuple[Card, ...]
    broken: int


# --- out


def written(
    name: str, account: str, nickname: str = "", note: str = "", tags: Sequence[str] = (), photo: bytes = b""
) -> str:
    """One card, with its line ends. photo: WebP, b"" for none."""
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"FN:{_escaped(name)}"]
    lines += [f"NICKNAME:{_escaped(nickname)}"] if nickname else []
    lines += [f"NOTE:{_escaped(note)}"] if note else []
    lines += [f"CATEGORIES:{','.join(map(_escaped, tags))}"] if tags else []
    lines.append(f"IMPP:{SCHEME}{account}")
    lines += [f"PHOTO:data:image/webp;base64,{base64.b64encode(photo).decode()}"] if photo else []
    return "".join(f"{folded(line)}\r\n" for line in (*lines, "END:VCARD"))


def folded(line: str) -> str:
    """A line as several of at most 75 bytes, no character cut in two."""
    parts, size = [""], 0
    for character in line:
        width = len(character.encode(errors="replace"))
        if size + width > FOLD_BYTES:
            parts.append("")
            size = 1  # the space that it begins with
        parts[-1] += character
        size += width
    return "\r\n ".join(parts)


def _escaped(text: str) -> str:
    """RFC 6350 3.4: text as a value. What is no text, such as a control character, is left out."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n"))
    return re.sub(r"([\\,;])", r"\\\1", text).replace("\n", "\\n")


# --- in


def read(lines: Iterable[bytes]) -> Read:
    """The cards of a file. lines: with their ends. Raises: NotCards."""
    cards: list[Card] = []
    broken = 0
    card: dict[str, str] | None = None
    for line in _unfolded(lines):
        name, parameters, value = _parts(line)
        match name, value.strip().upper():
            case "BEGIN", "VCARD":
                broken += card is not None  # the one before has no end
                card = {}
            case "END", "VCARD" if card is not None:
                cards.append(_card(card))
                card = None
            case _ if card is None or not name:
                broken += 1
            case _ if name in (*_NAMED, "IMPP", "URL", "X-JABBER"):
                _keep(card, name, _decoded(parameters, value))
        if len(cards) > CARDS_MAX or broken > BROKEN_MAX:
            raise NotCards
    return Read(tuple(cards), broken + (card is not None))


def account_of(value: str) -> str:
    """The account id in the value of an IMPP or URL, "" where there is none."""
    text = value.strip().lower()
    if not text.startswith(SCHEME):
        return ""
    try:
        hrp, account = bech32.decode(text.removeprefix(SCHEME).lstrip("/"))
    except bech32.BadChecksum:
        return ""
    return bech32.encode(hrp, account) if hrp == _HRP and len(account) == _ACCOUNT_BYTES else ""


def _unfolded(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file, each put together again, cut where it is too long. Raises: NotCards."""
    line, is_soft = b"", False
    for count, raw in enumerate(lines):
        if count >= LINES_MAX:
            raise NotCards
        piece = raw.rstrip(b"\r\n")
        is_soft = is_soft and not piece.upper().startswith((b"BEGIN:", b"END:"))
        if is_soft or piece[:1] in (b" ", b"\t"):
            line += (piece if is_soft else piece[1:])[: LINE_BYTES_MAX - len(line)]
        else:
            if line:
                yield line
            line = piece[:LINE_BYTES_MAX]
        # vCard 2.1 continues a quoted-printable value behind "="
        is_soft = piece[-1:] == b"=" and b"QUOTED-PRINTABLE" in line[:200].upper()
        line = line[:-1] if is_soft and line[-1:] == b"=" else line
    if line:
        yield line


def _parts(line: bytes) -> tuple[str, str, str]:
    """Name in upper case without its group, parameters and value of a line; name "" where it is none."""
    text = line.decode(errors="replace").removeprefix("\ufeff")
    is_quoted = False
    for place, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif character == ":" and not is_quoted:
            head, _, parameters = text[:place].partition(";")
            name = head.rpartition(".")[2].strip().upper()
            good = re.fullmatch(r"[A-Z0-9-]+", name)
            return (name if good else ""), parameters.upper(), text[place + 1 :]
    return "", "", ""


def _decoded(parameters: str, value: str) -> str:
    """A value as text."""
    if "QUOTED-PRINTABLE" in parameters:
        try:
            value = binascii.a2b_qp(value.encode(errors="replace")).decode(errors="replace")
        except (binascii.Error, ValueError):
            return ""
    return value


def _keep(card: dict[str, str], name: str, value: str) -> None:
    if name in _NAMED:
        parts = [_plain(part).strip() for part in _split(value)] if name in ("N", "ORG") else [_plain(value).strip()]
        called = " ".join(part for part in (parts[1::-1] if name == "N" else parts) if part)
        card.setdefault(name, called[:NAME_CHARS_MAX])
    elif account := account_of(_plain(value)):
        card.setdefault("account", account)


def _card(card: dict[str, str]) -> Card:
    return Card(next((card[name] for name in _NAMED if card.get(name)), ""), card.get("account", ""))


def _split(value: str) -> list[str]:
    """The components of a value, parted by semicolons that are not escaped."""
    return [part for part, _ in re.findall(r"((?:[^;\\]|\\.|\\$)*)(;|$)", value)]


def _plain(text: str) -> str:
    """A value without its escapes."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], text)
