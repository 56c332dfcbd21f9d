"""The spine: one log of a device that commits to the heads of its others, and who saw it when (docs/protocol/spine.md).

    content = [size, root]          root over sorted leaves: blinded log 32 || seq u64 || head id 32

A leaf is blinded under a key of its own log, so the tree names no log to whoever has not got that key, and showing one
key shows one leaf. Not here: whom a witness signs for (witness.py), proofs against an author (evidence.py), which heads
may be committed to (publishing.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from crypto import hashing, keys
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from protocol import entry, merkle, record, wire
from protocol.entry import Entry, Kind
from protocol.log import Head
from protocol.record import Bytes32, TimeMs

CONTENT_BYTES_MAX = 40
KEY_BYTES = 32  # of a leaf
NONCE_BYTES = 32  # that blinds the subject of a cosignature

Signature = Annotated[bytes, record.Size(keys.SIGNATURE_BYTES)]


class Commitment(NamedTuple):
    """What a spine entry says: so many logs, and the root over their heads, 32 bytes."""

    size: int
    root: bytes


class Line(NamedTuple):
    """A log that a spine commits to. key: 32 bytes, `leaf_key`; log: 16; head: its newest entry that others hold."""

    key: bytes
    log: bytes
    head: Head


class Place(NamedTuple):
    """Where a leaf is in a tree: how many leaves are before it, and the hashes beside its way up, lowest first."""

    at: int
    path: tuple[bytes, ...]


@record.record
@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's word that it saw something at a time.

    witness: an account, one of whose devices has signed, or a device. subject: the id of a spine entry, or another id
    blinded by `blinded_subject`. time_ms: by the witness's clock.
    """

    KIND: ClassVar[int] = 2

    witness: Bytes32
    time_ms: TimeMs
    subject: Bytes32
    signature: Signature


def leaf_key(secret: bytes, log: bytes) -> bytes:
    """The 32-byte key that blinds the leaf of one log (spine 2.1), and of no other: to show it shows nothing more.

    secret: of the log's space, as for its id; log: 16 bytes.
    """
    return hashing.subkey(secret, Label.SPINE, b"leaf" + log)


def leaf(key: bytes, log: bytes, head: Head) -> bytes:
    """The 72 bytes of a leaf (spine 2.2). key: 32 bytes, log: 16."""
    assert len(key) == KEY_BYTES
    assert len(log) == entry.LOG_BYTES
    return hashing.keyed_hash(key, Label.SPINE, log) + head.seq.to_bytes(8, "big") + head.id


def commit(lines: Iterable[Line]) -> Commitment:
    """The commitment to these heads, in whatever order they come; at most 2^20 lines, one of a log."""
    leaves = _leaves(lines)
    return Commitment(len(leaves), merkle.root(leaves, _hash))


def prove(lines: Sequence[Line], log: bytes) -> Place:
    """Where the leaf of one of these logs is, for who has the commitment to all of them. log: 16 bytes."""
    wanted = next(line for line in lines if line.log == log)
    leaves = _leaves(lines)
    at = leaves.index(leaf(*wanted))
    return Place(at, merkle.path(leaves, at, _hash))


def check_place(commitment: Commitment, line: Line, place: Place) -> None:
    """Returns when this commitment has this head of this log in this place (spine 2.4). Raises: Malformed, Forged."""
    merkle.check(leaf(*line), place.at, commitment.size, place.path, commitment.root, _hash)


def encode(commitment: Commitment) -> bytes:
    """The content of a spine entry: `[size, root]`, 36 to 40 bytes, in the clear."""
    return wire.encode(tuple(commitment))


def decode(content: bytes) -> Commitment:
    """The commitment in the content of a spine entry. Raises: Malformed."""
    match wire.decode(content, CONTENT_BYTES_MAX):
        case (int(size), bytes(found)) if 0 <= size <= merkle.LEAVES_MAX and len(found) == hashing.HASH_BYTES:
            return Commitment(size, found)
    raise Malformed


def check_header(header: Entry) -> None:
    """Returns when an entry may stand in a spine: its kind says so, and it acknowledges at most one other entry.

    Only the first of a spine acknowledges anything, the last of the one before it (spine 1.3): what else an author had
    seen would tell witnesses of his other logs. Raises: Malformed.
    """
    if header.body.kind is not Kind.SPINE or len(header.body.acks) > (1 if header.body.seq == 0 else 0):
        raise Malformed


def blinded_subject(id: bytes, nonce: bytes) -> bytes:
    """The 32-byte subject under which a witness signs an id without learning it (spine 4.2). id, nonce: 32 bytes."""
    return hidden_subject(hide(id, nonce))


def hide(id: bytes, nonce: bytes) -> bytes:
    """The 32 bytes by which a witness is asked about an id. id, nonce: 32 bytes."""
    assert len(id) == entry.ID_BYTES
    assert len(nonce) == NONCE_BYTES
    return hashing.hash_of(Label.COSIG, nonce + id)


def hidden_subject(hidden: bytes) -> bytes:
    """The subject that a witness makes of what he is asked about, 32 bytes each.

    A hash of his own: so nobody gets him to sign the id of a spine's entry, for which there is a rule (spine 4.3).
    """
    assert len(hidden) == hashing.HASH_BYTES
    return hashing.hash_of(Label.COSIG, hidden)


def cosign(witness: bytes, time_ms: int, subject: bytes, key: keys.SigningKey) -> Cosignature:
    """A cosignature by a device. witness: its account, or the device itself, 32 bytes; subject: 32 bytes.

    Raises: OverLimit.
    """
    unsigned = Cosignature(witness, time_ms, subject, bytes(keys.SIGNATURE_BYTES))
    return Cosignature(witness, time_ms, subject, key.sign(Label.COSIG, _said(unsigned)))


def check_cosignature(cosignature: Cosignature, subject: bytes, devices: Sequence[bytes]) -> None:
    """Returns when one of these devices has signed this about this subject (spine 4.1).

    devices: the keys, 32 bytes each, that the list of the witness's account names, or the witness itself; at most 8.
    Raises: Forged.
    """
    if cosignature.subject != subject:
        raise Forged
    for device in devices:
        try:
            keys.verify(device, Label.COSIG, _said(cosignature), cosignature.signature)
        except Forged:
            continue
        return
    raise Forged


def _said(cosignature: Cosignature) -> bytes:
    return wire.encode((Cosignature.KIND, *record.fields(cosignature)[:-1]))


def _leaves(lines: Iterable[Line]) -> list[bytes]:
    return sorted(leaf(*line) for line in lines)


def _hash(message: bytes) -> bytes:
    return hashing.hash_of(Label.SPINE, message)
