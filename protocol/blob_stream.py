"""Frames of /weft/blobs/1: how one contact gets a blob from another (docs/protocol/blobs.md 4).

    asker:   [1 ask, tag, here]        [3 names wanted, first]        [5 want, [place, ...]]
    holder:  [2 has, bits, whole]      [4 names, first, names]        [6 piece, place], and the sealed chunk as a frame

One stream is about one blob, and stands on the link of a proven talk. The holder answers in the order of asking. Pure.
Not here: which source is asked for what (getting.py), whether a piece is the right one (blobs.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import chunks, hashing
from crypto.hashing import Label
from protocol import record
from protocol.blobs import BYTES_MAX
from protocol.getting import AHEAD_MAX
from protocol.ids import AccountId
from protocol.record import Bytes32

PROTOCOL = "/weft/blobs/1"
COUNT_MAX = BYTES_MAX // chunks.CHUNK_BYTES
NAMES_MAX = 2048  # in one frame: 64 KiB, for half a gigabyte of content
FRAME_BYTES_MAX = chunks.SEALED_BYTES_MAX

Place = Annotated[int, record.Range(0, COUNT_MAX - 1)]


@record.record
@dataclass(frozen=True, slots=True)
class Ask:
    """Who was told a blob asks who may have it. tag: of the blob between the two; here: pieces that the asker has."""

    KIND: ClassVar[int] = 1

    tag: Bytes32
    here: Annotated[int, record.Range(0, COUNT_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Has:
    """What the other has of it. bits: a bit for each place, the lowest first, none where all is there or nothing."""

    KIND: ClassVar[int] = 2

    bits: Annotated[bytes, record.Size(0, COUNT_MAX // 8)]
    whole: record.Flag


@record.record
@dataclass(frozen=True, slots=True)
class NamesWanted:
    """The names of pieces are wanted, from this place on: as many as a frame takes."""

    KIND: ClassVar[int] = 3

    first: Place


@record.record
@dataclass(frozen=True, slots=True)
class Names:
    """Names of pieces from a place on, 32 bytes each: a part of the manifest."""

    KIND: ClassVar[int] = 4

    first: Place
    names: Annotated[bytes, record.Size(chunks.ID_BYTES, NAMES_MAX * chunks.ID_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Want:
    """Pieces that are wanted, in this order."""

    KIND: ClassVar[int] = 5

    places: Annotated[tuple[Place, ...], record.Count(1, AHEAD_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Piece:
    """Which piece comes now. The next frame is the sealed chunk itself: nobody decodes so much CBOR."""

    KIND: ClassVar[int] = 6

    place: Place


FRAMES = (Ask, Has, NamesWanted, Names, Want, Piece)
_CLASSES: Mapping[int, type] = {cls.KIND: cls for cls in FRAMES}

Asking = Ask | NamesWanted | Want
Answer = Has | Names | Piece


def tag(key: bytes, root: bytes, asker: AccountId, holder: AccountId) -> bytes:
    """By what an asker names a blob to a holder, 32 bytes: who was not told the blob learns nothing from it.

    key, root: 32 bytes each, the blob's; somebody may tell another blob under the same key. It differs for each pair
    and direction, so it is of no use to anybody else.
    """
    return hashing.keyed_hash(key, Label.BLOB_ASK, root + asker + holder)


def bits_of(raw: bytes) -> int:
    """Places as bits, from the bytes of a frame or a row."""
    return int.from_bytes(raw, "little")


def bytes_of(bits: int) -> bytes:
    """The reverse; nothing for no place."""
    return bits.to_bytes(-(-bits.bit_length() // 8), "little")
