"""Frames of /weft/deposit/1: pieces of a file that wait at a keeper for an absent owner (docs/protocol/keep.md 8).

    keeper: [1 hello]                         as in /weft/keep/1, and so are 2 claim, 12 answer and 18 shown (keep.py)
    sender: [3 leave, sender, name, size, ttl, manifest, mac]         ->  [4 lies, n, status, value, bits, proof]
            [5 piece, place], and the sealed chunk as a frame          ->  [12 answer, n, status]
            [6 withdraw, sender, name, mac]                            ->  [18 shown, n, status, value, proof]
    owner : [2 claim, ...] -> [18 shown, ...]        [7 seek, name]    ->  [8 found, bits, manifest]
            [9 want, [place, ...]] -> [5 piece, place] and the sealed chunk, each        [10 had, name] -> [12 answer]

Requests are numbered from 1 on each stream and answered in that order. What is shown is made here too. Pure. Not here:
what a claim is (keep_proof.py), what a keeper does (node/keep/depot.py), whether a piece is the right one (blobs.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import chunks, hashing, sealing
from crypto.faults import Malformed
from crypto.hashing import Label
from protocol import keep, record
from protocol.getting import AHEAD_MAX
from protocol.keep import Answer, Claim, Hello, Shown, Status, TtlS
from protocol.record import Bytes16, Bytes32, Counter

PROTOCOL = "/weft/deposit/1"
PIECES_MAX = 8000  # of one deposit, 2 GB: its manifest goes in one frame
FRAME_BYTES_MAX = chunks.SEALED_BYTES_MAX
BYTES_MAX = PIECES_MAX * chunks.SEALED_BYTES_MAX
BITS_BYTES_MAX = PIECES_MAX // 8
# keep 2: what stands in front of everything that is hashed or MACed here; 1 to 8: keep_proof.py, work.py, keep_note.py
_LEAVE, _LEAVE_SHOWN, _WITHDRAW, _WITHDRAW_SHOWN, _NAME = b"\x09", b"\x0a", b"\x0b", b"\x0c", b"\x0d"

Place = Annotated[int, record.Range(0, PIECES_MAX - 1)]
Manifest = Annotated[bytes, record.Size(chunks.ID_BYTES, PIECES_MAX * chunks.ID_BYTES)]
Bits = Annotated[bytes, record.Size(0, BITS_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Leave:
    """A file for whoever reads what comes in by this door: room for it is wanted, or what lies of it is asked.

    name: of the file, for this door; size: of all sealed pieces; manifest: 32 for each, by which they are checked.
    """

    KIND: ClassVar[int] = 3

    sender: Bytes16
    name: Bytes16
    size: Annotated[int, record.Range(1 + sealing.TAG_BYTES, BYTES_MAX)]
    ttl_s: TtlS
    manifest: Manifest
    mac: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Lies:
    """The answer to Leave. bits: the pieces that lie there, the lowest place first; value: for how many seconds.

    proof: that it comes from whoever has the key of the door; where it does not, it is noise.
    """

    KIND: ClassVar[int] = 4

    n: Counter
    status: Status
    value: Annotated[int, record.Range(0, 2**32 - 1)]
    bits: Bits
    proof: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Piece:
    """Which piece comes now, of what was left or found last on this stream. The next frame is the sealed chunk."""

    KIND: ClassVar[int] = 5

    place: Place


@record.record
@dataclass(frozen=True, slots=True)
class Withdraw:
    """Who left this file wants it to be there no more."""

    KIND: ClassVar[int] = 6

    sender: Bytes16
    name: Bytes16
    mac: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Seek:
    """Asks what lies there for the asker under this name."""

    KIND: ClassVar[int] = 7

    name: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Found:
    """The answer to Seek. bits: the pieces that lie there; no bits and no manifest: nothing lies there."""

    KIND: ClassVar[int] = 8

    bits: Bits
    manifest: Annotated[bytes, record.Size(0, PIECES_MAX * chunks.ID_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Want:
    """Pieces that are wanted of what was found last, in this order."""

    KIND: ClassVar[int] = 9

    places: Annotated[tuple[Place, ...], record.Count(1, AHEAD_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Had:
    """I have the file, or want it no more; delete it."""

    KIND: ClassVar[int] = 10

    name: Bytes16


Request = Claim | Leave | Piece | Withdraw | Seek | Want | Had
Reply = Hello | Lies | Piece | Found | Answer | Shown

FRAMES = (Leave, Lies, Piece, Withdraw, Seek, Found, Want, Had)

_REQUESTS: Mapping[int, type[Request]] = {cls.KIND: cls for cls in (Claim, Leave, Piece, Withdraw, Seek, Want, Had)}
_REPLIES: Mapping[int, type[Reply]] = {cls.KIND: cls for cls in (Hello, Lies, Piece, Found, Answer, Shown)}


def encode(frame: Request | Reply) -> bytes:
    """The bytes of a frame, without the length before it."""
    return record.encode(frame)


def decode_request(raw: bytes) -> Request:
    """What somebody asks of a keeper. Raises: Malformed."""
    asked = record.decode_one_of(_REQUESTS, raw, FRAME_BYTES_MAX)
    match asked:
        case Claim(_, permit, mac, _) if (permit is None) != (mac is None):
            raise Malformed
        case Leave() if not _is_even(asked):
            raise Malformed
        case Want(places) if len(set(places)) != len(places):
            raise Malformed
    return asked


def decode_reply(raw: bytes) -> Reply:
    """What a keeper says. Raises: Malformed."""
    said = record.decode_one_of(_REPLIES, raw, FRAME_BYTES_MAX)
    if isinstance(said, Found) and (bool(said.bits) > bool(said.manifest) or len(said.manifest) % chunks.ID_BYTES):
        raise Malformed
    return said


def count(size: int) -> int:
    """How many pieces there are of so many sealed bytes."""
    return -(-size // chunks.SEALED_BYTES_MAX)


def piece_length(size: int, place: int) -> int:
    """How long the piece in a place is, of so many sealed bytes."""
    return min(chunks.SEALED_BYTES_MAX, size - place * chunks.SEALED_BYTES_MAX)


def name_of(key: bytes, root: bytes, sender: bytes) -> bytes:
    """By what a file is called at a keeper, 16 bytes: it tells him nothing, and differs from door to door.

    key, root: the blob's, 32 bytes each; sender: the id of the door.
    """
    return hashing.keyed_id(key, Label.KEEP, _NAME + root + sender)


def leave(
    put_key: bytes, nonce: bytes, n: int, sender: bytes, name: bytes, size: int, ttl_s: int, manifest: bytes
) -> Leave:
    """Request n of a stream: a file through a door. put_key: the key of it."""
    return Leave(
        sender, name, size, ttl_s, manifest, _leave_mac(put_key, nonce, n, sender, name, size, ttl_s, manifest)
    )


def is_left_by(asked: Leave, put_key: bytes, nonce: bytes, n: int) -> bool:
    """Whether a Leave was made by somebody who has this key, as request n of this stream."""
    mac = _leave_mac(put_key, nonce, n, asked.sender, asked.name, asked.size, asked.ttl_s, asked.manifest)
    return hashing.same(mac, asked.mac)


def lies_proof(put_key: bytes, nonce: bytes, asked: Leave, n: int, status: Status, value: int, bits: bytes) -> bytes:
    """32 bytes that show the key of a door with the answer to request n of a stream, which was this Leave."""
    said = nonce + _u32(n) + bytes((status,)) + _u32(value) + asked.sender + asked.name + bits
    return hashing.mac(put_key, hashing.labelled(Label.KEEP, _LEAVE_SHOWN + said))


def withdraw(put_key: bytes, nonce: bytes, n: int, sender: bytes, name: bytes) -> Withdraw:
    """Request n of a stream: a file that was left through a door shall lie there no more."""
    return Withdraw(sender, name, _withdraw_mac(put_key, nonce, n, sender, name))


def is_withdrawn_by(asked: Withdraw, put_key: bytes, nonce: bytes, n: int) -> bool:
    """Whether a Withdraw was made by somebody who has this key, as request n of this stream."""
    return hashing.same(_withdraw_mac(put_key, nonce, n, asked.sender, asked.name), asked.mac)


def withdraw_proof(put_key: bytes, nonce: bytes, asked: Withdraw, n: int, status: Status) -> bytes:
    """32 bytes that show the key of a door with the answer to request n of a stream, which was this Withdraw."""
    said = nonce + _u32(n) + bytes((status,)) + asked.sender + asked.name
    return hashing.mac(put_key, hashing.labelled(Label.KEEP, _WITHDRAW_SHOWN + said))


def _is_even(asked: Leave) -> bool:
    """Whether there is a name for each piece, and something in the last one."""
    pieces = count(asked.size)
    last = piece_length(asked.size, pieces - 1)
    return len(asked.manifest) == pieces * chunks.ID_BYTES and last > sealing.TAG_BYTES


def _leave_mac(
    put_key: bytes, nonce: bytes, n: int, sender: bytes, name: bytes, size: int, ttl_s: int, manifest: bytes
) -> bytes:
    assert len(nonce) == keep.NONCE_BYTES
    said = nonce + _u32(n) + sender + name + size.to_bytes(8, "big") + _u32(ttl_s) + chunks.name(manifest)
    return hashing.mac(put_key, hashing.labelled(Label.KEEP, _LEAVE + said))


def _withdraw_mac(put_key: bytes, nonce: bytes, n: int, sender: bytes, name: bytes) -> bytes:
    assert len(nonce) == keep.NONCE_BYTES
    return hashing.mac(put_key, hashing.labelled(Label.KEEP, _WITHDRAW + nonce + _u32(n) + sender + name))


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")
