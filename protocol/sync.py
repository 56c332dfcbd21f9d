"""Frames of /weft/sync/1: how two peers find what each lacks of the logs that both know (docs/protocol/sync.md).

    [1 hello, nonce, digest]      [2 have, since, [tag, ...], [seq, ...], [mark, ...], part]
    [3 want, [tag, ...], [first, ...], [last, ...]]      [4 run, tag, first, [entry, ...], [content or null, ...]]
    [5 proof, proof]      [6 live, tag, seq, entry, content or null]      [7 done, digest]

A log is named by a tag that only those can make, or recognise, who have the secret of its space, and only in this
session; each side has its own. Not here: who says what when (sync_session.py), lengths on the stream (node/frames.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from crypto import hashing
from crypto.faults import Malformed
from crypto.hashing import Label
from protocol import entry, record
from protocol.evidence import Contradiction, Rollback, Seq
from protocol.log import Fork, Head, Raw
from protocol.record import Bytes16, Bytes32
from protocol.talk import Side

PROTOCOL = "/weft/sync/1"
NONCE_BYTES = 8  # of each side: both hellos with their lengths stay under 100 bytes, and no peer chooses both
ENDS_BYTES = 64
MARK_BYTES = 8
DATA_BYTES = (
    40 * 1024
)  # of entries and contents in one frame, but one that is larger alone; 60 KiB is where libp2p slows
FRAME_BYTES_MAX = 72 * 1024  # the largest entry with the largest content: 68,734, and its frame
HAVE_LOGS_MAX = 2_000  # in one frame: 62 KB
RANGES_MAX = 32  # in one frame, and in all that one side may have open
RANGE_ENTRIES_MAX = 1_024
DATA_ENTRIES_MAX = 256
PART_LAST, PART_MORE, PART_NEWS = range(3)
LOGS_MAX = 40_000  # shared by two peers: 5,000 contacts in common with 8 logs each

Nonce = Annotated[bytes, record.Size(NONCE_BYTES)]
Content = Annotated[bytes, record.Size(0, entry.CONTENT_BYTES_MAX)]
Proof = Fork | Contradiction | Rollback
_Tags = Annotated[tuple[Bytes16, ...], record.Count(HAVE_LOGS_MAX)]
_Seqs = Annotated[tuple[Seq, ...], record.Count(HAVE_LOGS_MAX)]
_Marks = Annotated[tuple[Annotated[bytes, record.Size(MARK_BYTES)], ...], record.Count(HAVE_LOGS_MAX)]
_RangeTags = Annotated[tuple[Bytes16, ...], record.Count(1, RANGES_MAX)]
_RangeSeqs = Annotated[tuple[Seq, ...], record.Count(1, RANGES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of both sides. digest: of the sender's frontier; as at the last time means nothing is new."""

    KIND: ClassVar[int] = 1

    nonce: Nonce
    digest: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Have:
    """Heads of the sender's logs: those that changed since this round, or all where it is null.

    seqs: veiled, each by `veil`. mark: of the head's id, 8 bytes. part: 0 the last of a round, 1 another follows at
    once, 2 news between rounds.
    """

    KIND: ClassVar[int] = 2

    since: Bytes16 | None
    tags: _Tags
    seqs: _Seqs
    marks: _Marks
    part: Annotated[int, record.Range(PART_LAST, PART_NEWS)]


@record.record
@dataclass(frozen=True, slots=True)
class Want:
    """Please give these entries, from the first to the last of each range, at most 1,024 each."""

    KIND: ClassVar[int] = 3

    tags: _RangeTags
    firsts: _RangeSeqs
    lasts: _RangeSeqs


@record.record
@dataclass(frozen=True, slots=True)
class Run:
    """A run of entries that was asked for, in order; none at all when the rest of the range is not to be had.

    contents: as many as entries, or none when there is none among them.
    """

    KIND: ClassVar[int] = 4

    tag: Bytes16
    first: Seq
    entries: Annotated[tuple[Raw, ...], record.Count(DATA_ENTRIES_MAX)]
    contents: Annotated[tuple[Content | None, ...], record.Count(DATA_ENTRIES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Proven:
    """A proof against the author of a log that both know. It goes before all else."""

    KIND: ClassVar[int] = 5

    proof: Proof


@record.record
@dataclass(frozen=True, slots=True)
class Live:
    """An entry that has just been written or come, the next after what the reader has."""

    KIND: ClassVar[int] = 6

    tag: Bytes16
    seq: Seq
    entry: Raw
    content: Content | None


@record.record
@dataclass(frozen=True, slots=True)
class Done:
    """The sender has all that he asked for. digest: of his frontier now."""

    KIND: ClassVar[int] = 7

    digest: Bytes32


Frame = Hello | Have | Want | Run | Proven | Live | Done

_FRAMES: Mapping[int, type[Frame]] = {cls.KIND: cls for cls in (Hello, Have, Want, Run, Proven, Live, Done)}


@dataclass(frozen=True, slots=True)
class Shared:
    """A log of which a peer may know. log: 16 bytes; author: 32; secret: of its space, 16 to 64 bytes.

    with_contents: whether this peer gets contents, or headers alone, which is all that a witness needs. own: whether
    this node writes it. head: the newest entry that may be shown to this peer; None for none. proof: what froze it.
    """

    log: bytes
    author: bytes
    secret: bytes
    with_contents: bool
    own: bool
    head: Head | None
    proof: Proof | None = None


class Standing(NamedTuple):
    """A log in a frontier. head: None for an empty log; is_frozen: proven, whatever the head."""

    log: bytes
    head: Head | None
    is_frozen: bool


class Memory(NamedTuple):
    """What is kept of the last round with a peer that both ended. It may be lost or old: then all is compared.

    round: its name, 16 bytes, the same at both ends; theirs: the digest of their frontier, of which everything had
    come; mine: our frontier as it was told.
    """

    round: bytes
    theirs: bytes
    mine: tuple[Standing, ...]


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, without the length before it."""
    return record.encode(frame)


def decode(raw: bytes) -> Frame:
    """The frame in these bytes. Raises: Malformed."""
    frame = record.decode_one_of(_FRAMES, raw, FRAME_BYTES_MAX)
    if not _is_even(frame):
        raise Malformed
    return frame


def tag(secret: bytes, log: bytes, side: Side, nonces: bytes) -> bytes:
    """The 16-byte name that one side has for a log in this session (sync 2.1).

    nonces: the dialler's, then the listener's, and the keys of their devices in this order; 80 bytes.
    """
    return hashing.keyed_id(secret, Label.LOG, b"tag" + _SIDES[side] + nonces + log)


def veil(secret: bytes, log: bytes, side: Side, nonces: bytes) -> int:
    """40 bits that one side lays over the seq of its head (sync 2.2): who does not know the log learns no length.

    nonces: as for `tag`.
    """
    return int.from_bytes(hashing.keyed_id(secret, Label.LOG, b"veil" + _SIDES[side] + nonces + log)[:5], "big")


def mark(secret: bytes, head: bytes, nonces: bytes) -> bytes:
    """8 bytes that tell whether two heads at one seq are the same (sync 2.2). head: an id, 32 bytes.

    An author who wants his two branches to look alike does not know the nonces when he signs them.
    """
    return hashing.keyed_id(secret, Label.LOG, b"mark" + nonces + head)[:MARK_BYTES]


def digest(frontier: Iterable[Standing]) -> bytes:
    """32 bytes over heads, sorted by log (sync 2.4); a log that is proven forked counts the same whatever its head."""
    return hashing.hash_of(Label.LOG, b"frontier" + b"".join(sorted(map(_told, frontier))))


def round_of(dialler: bytes, listener: bytes) -> bytes:
    """The 16-byte name of a round, from the digests with which both sides ended it (sync 3.5)."""
    return hashing.hash_of(Label.LOG, b"round" + dialler + listener)[:16]


_SIDES = {Side.DIALLER: b"\x01", Side.LISTENER: b"\x02"}
_FROZEN = 2**64 - 1  # no seq is so high


def _told(one: Standing) -> bytes:
    if one.is_frozen:
        return one.log + _FROZEN.to_bytes(8, "big") + bytes(entry.ID_BYTES)
    if one.head is None:
        return b""  # who has nothing of a log says the same as who has not heard of it
    return one.log + one.head.seq.to_bytes(8, "big") + one.head.id


def _is_even(frame: Frame) -> bool:
    """Whether lists that belong together are equally long, no log is named twice and ranges run forwards."""
    match frame:
        case Have(_, tags, seqs, marks):
            return len(tags) == len(seqs) == len(marks) == len(set(tags))
        case Want(tags, firsts, lasts):
            return len(tags) == len(firsts) == len(lasts) and all(
                first <= last < first + RANGE_ENTRIES_MAX for first, last in zip(firsts, lasts, strict=True)
            )
        case Run(_, first, entries, contents):
            return len(contents) in (0, len(entries)) and first + len(entries) <= entry.SEQ_MAX + 1
        case _:
            return True
