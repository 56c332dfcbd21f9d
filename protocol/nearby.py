"""Nearby mode: coarse cells of the earth, the packet of one who is visible, and the dialogue /weft/nearby/1.

Everything is between throw-away hosts, whose keys have nothing to do with accounts, devices or each other. The packet
has the form of the beacon's, under keys that everybody knows. Not here: when anything is sent (features/nearby), the
beacon of contacts (beacon.py), how two become contacts afterwards (invite.py). Source: docs/protocol/nearby.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, ClassVar, NamedTuple

from crypto import hashing, keys, sealing
from crypto.faults import Expired, Malformed
from crypto.hashing import Label
from protocol import beacon, record
from protocol.beacon import Announcement
from protocol.faults import UserFault
from protocol.ids import DeviceId
from protocol.record import Bytes16, Bytes32

PROTOCOL = "/weft/nearby/1"
SLOT_S = 1800  # a throw-away key and the key of a cell live half an hour, which begins with the clock's
CELL_CHARS = 5  # of a geohash: a cell of at most 4.9 km; a finer one is never computed
CLOCK_S_MAX = 900  # a packet this far from our clock is taken: what proves that somebody is there is his answer
NAME_BYTES_MAX = 64
TEXT_BYTES_MAX = 500  # of a greeting
LINK_CHARS_MAX = 173
WORDS_BYTES = 1024  # a greeting is padded to it,
DECISION_BYTES = 256  # and an answer to this
FRAME_BYTES_MAX = 1280  # a sealed greeting in its frame

_SEAL_BYTES = keys.PUBLIC_BYTES + sealing.NONCE_BYTES + sealing.TAG_BYTES
_LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"  # geohash's own base 32
_WIDE, _HIGH = 1 << 13, 1 << 12  # cells around the equator and from pole to pole: 25 bits, longitude first
_KEYS = beacon.keys_of(hashing.hash_of(Label.NEARBY, b"lan"))

Name = Annotated[str, record.Line(NAME_BYTES_MAX)]


class Cell(NamedTuple):
    """A cell of the earth: its column from 180° west, its row from the south pole."""

    column: int
    row: int


class BadPlace(UserFault):
    """A place is a latitude and a longitude in degrees, with a comma: 52.52,13.40; nothing was changed."""

    code = "nearby.place"
    next = "weft nearby on --help"
    exit = 2


class Verdict(IntEnum):
    """What became of a greeting."""

    TAKEN = 0  # it waits for a decision, or is of somebody who is not listened to
    FULL = 1  # too many wait already
    ANOTHER = 2  # an earlier one of the same host waits


@record.record
@dataclass(frozen=True, slots=True)
class CardWanted:
    """The question for the card of whoever is dialled."""

    KIND: ClassVar[int] = 1


@record.record
@dataclass(frozen=True, slots=True)
class Card:
    """What somebody visible shows: the name he claims, if any, and the throw-away key that greetings are sealed to."""

    KIND: ClassVar[int] = 2

    name: Name | None
    box: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Greeting:
    """A greeting: Words, sealed to the box of a card."""

    KIND: ClassVar[int] = 3

    sealed: Annotated[bytes, record.Size(_SEAL_BYTES + WORDS_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to a greeting, after it was stored."""

    KIND: ClassVar[int] = 4

    verdict: Verdict


@record.record
@dataclass(frozen=True, slots=True)
class Asking:
    """What became of my greeting? ticket: the one that was in it."""

    KIND: ClassVar[int] = 5

    ticket: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to Asking: a Decision, sealed to the box that was in the greeting."""

    KIND: ClassVar[int] = 6

    sealed: Annotated[bytes, record.Size(_SEAL_BYTES + DECISION_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Words:
    """A greeting, opened. ticket: random, names it. box: what the answer is sealed to. name: as the sender claims."""

    KIND: ClassVar[int] = 7

    ticket: Bytes16
    box: Bytes32
    name: Name | None
    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, opened. link: a one-time invitation when the greeting was accepted, None while it was not."""

    KIND: ClassVar[int] = 8

    link: Annotated[str, record.Utf8(LINK_CHARS_MAX)] | None


Question = CardWanted | Greeting | Asking

_QUESTIONS: Mapping[int, type[Any]] = {cls.KIND: cls for cls in (CardWanted, Greeting, Asking)}


def cell_of(place: str) -> Cell:
    """The cell of a place, a text such as "52.52,13.40": degrees north and east. Raises: BadPlace."""
    try:
        latitude, longitude = (float(part) for part in place.split(","))
    except ValueError:
        raise BadPlace from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # also refuses what is no number
        raise BadPlace
    column = int((longitude + 180) / 360 * _WIDE)
    row = int((latitude + 90) / 180 * _HIGH)
    return Cell(min(column, _WIDE - 1), min(row, _HIGH - 1))


def cell_text(cell: Cell) -> str:
    """The geohash of a cell, 5 characters."""
    number = 0
    for place in range(12, -1, -1):
        number = number << 1 | cell.column >> place & 1
        if place:
            number = number << 1 | cell.row >> (place - 1) & 1
    return "".join(_LETTERS[number >> shift & 31] for shift in range(20, -1, -5))


def cell_from(text: str) -> Cell:
    """The cell of a geohash that `cell_text` wrote."""
    number = 0
    for letter in text:
        number = number << 5 | _LETTERS.index(letter)
    column = row = 0
    for place in range(24, -1, -1):
        if place % 2 == 0:
            column = column << 1 | number >> place & 1
        else:
            row = row << 1 | number >> place & 1
    return Cell(column, row)


def around(cell: Cell) -> tuple[Cell, ...]:
    """The cells that touch this one, eight of them or, at a pole, five: from the north-west, row by row."""
    return tuple(
        Cell((cell.column + right) % _WIDE, cell.row + up)
        for up in (1, 0, -1)
        for right in (-1, 0, 1)
        if (up or right) and 0 <= cell.row + up < _HIGH
    )


def slot(now_s: int) -> int:
    """The number of the half hour of this time (seconds since 1970)."""
    return now_s // SLOT_S


def cell_key(cell: Cell, slot: int) -> bytes:
    """The key under which those are found who are visible in a cell in a half hour, 32 bytes."""
    return hashing.hash_of(Label.NEARBY, b"cell" + cell_text(cell).encode() + (slot & 0xFFFFFFFF).to_bytes(4, "big"))


def packet(said: Announcement, nonce: bytes) -> bytes:
    """The 160 bytes by which one who is visible announces a throw-away host. nonce: 24 random bytes."""
    return beacon.seal(_KEYS, DeviceId(said.peer), said, nonce)


def announced(raw: bytes, now_s: int) -> Announcement:
    """Who announces himself in a packet.

    Raises: Malformed, Forged (among them: the beacon of a contact or of a stranger), Expired.
    """
    said = beacon.open_sealed(_KEYS, raw)
    if beacon.id_of(raw) != beacon.beacon_id(_KEYS, DeviceId(said.peer), beacon.quarter(said.time_s)):
        raise Malformed
    if abs(said.time_s - now_s) > CLOCK_S_MAX:
        raise Expired
    return said


def question_of(raw: bytes) -> Question:
    """What the first frame of a stream asks. Raises: Malformed."""
    asked: Question = record.decode_one_of(_QUESTIONS, raw, FRAME_BYTES_MAX)
    return asked


def seal_words(words: Words, box: bytes, ends: bytes, ephemeral: keys.DhKey, nonce: bytes) -> Greeting:
    """A greeting for the owner of a box. ends: the sender's transport key and the receiver's, 32 bytes each.

    ephemeral: made for this alone. nonce: 24 random bytes. Raises: Forged when the box is no key.
    """
    return Greeting(_seal(record.encode(words), box, b"words" + ends, ephemeral, nonce, WORDS_BYTES))


def open_words(greeting: Greeting, box: keys.DhKey, ends: bytes) -> Words:
    """What a greeting says. Raises: Forged when it was for another or came from another host; Malformed."""
    return record.decode(Words, _open(greeting.sealed, box, b"words" + ends, WORDS_BYTES), WORDS_BYTES)


def seal_decision(decision: Decision, box: bytes, ticket: bytes, ephemeral: keys.DhKey, nonce: bytes) -> Reply:
    """An answer to the greeting of a ticket, for the owner of its box; always of one size. Raises: Forged."""
    return Reply(_seal(record.encode(decision), box, b"decision" + ticket, ephemeral, nonce, DECISION_BYTES))


def open_decision(reply: Reply, box: keys.DhKey, ticket: bytes) -> Decision:
    """What became of our greeting. Raises: Forged, Malformed."""
    return record.decode(Decision, _open(reply.sealed, box, b"decision" + ticket, DECISION_BYTES), DECISION_BYTES)


def _seal(plain: bytes, box: bytes, purpose: bytes, ephemeral: keys.DhKey, nonce: bytes, size: int) -> bytes:
    front = ephemeral.public
    key = hashing.subkey(keys.agree(ephemeral, box), Label.NEARBY, front + box + purpose)
    return front + sealing.seal(key, nonce, sealing.pad(plain, (size,)))


def _open(sealed: bytes, box: keys.DhKey, purpose: bytes, size: int) -> bytes:
    front, rest = sealed[: keys.PUBLIC_BYTES], sealed[keys.PUBLIC_BYTES :]
    key = hashing.subkey(keys.agree(box, front), Label.NEARBY, front + box.public + purpose)
    return sealing.unpad(sealing.open_sealed(key, rest), (size,))
