"""Frames of /weft/keep/1: envelopes that wait at a keeper for an absent owner (docs/protocol/keep.md).

    keeper: [1 hello, version, nonce]      [12 answer, n, status]      [18 shown, n, status, value, proof]
    owner : [2 claim, owner, permit id, permit mac, signature]      [3 open, [queue, ...]]    [4 close, [reader, ...]]
            [5 fetch, after, count, wait] -> [6 items, [item, ...], more]    [7 done, up to, note]
            [8 lay, [record, ...]]     [13 usage] -> [14 used, bytes, items, bytes max, queues, note]
    anyone: [9 put, sender, envelope, ttl, mac, work]      [10 look, name] -> [11 lying, record]

Requests are numbered from 1 on each stream and answered in that order. Pure. Not here: what shows who asks and who
answers (keep_proof.py), what is inside an envelope at a keeper (parcel.py), lengths on the stream (node/frames.py),
what a keeper does (node/keep/server.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Annotated, ClassVar, NamedTuple

from crypto import keys, sealing
from crypto.faults import Malformed
from protocol import record, rendezvous
from protocol.keep_note import Note
from protocol.record import Bytes16, Bytes32, Counter
from protocol.talk import Envelope

PROTOCOL = "/weft/keep/1"
VERSION = 1
FRAME_BYTES_MAX = 68 * 1024  # one envelope of the largest bucket and its frame
NONCE_BYTES = 32
PERMIT_BYTES = 32
PUT_KEY_BYTES = 32
ID_BYTES = 16  # of a reader, a sender, a permit
REFUSALS_MAX = 8  # on a stream, which then ends: an honest peer is refused once or twice, when something was revoked

QUEUES_MAX = 64  # in one frame
DOORS_MAX = 257  # of a queue: one contact's, or a stranger queue's, one for each of 256 invitations and the open one
READERS_MAX = 256  # in one frame
FETCH_ITEMS_MAX = 512
FETCH_BYTES_MAX = 60_000  # of envelopes in one frame, but one that is larger alone
WAIT_S_MAX = 300
RECORDS_MAX = 64  # in one frame
RECORDS_OWNER_MAX = 600  # that lie at a keeper for one owner
QUEUES_OWNER_MAX = 6_000  # 5,000 contacts, and room
WORK_BITS_MAX = 32  # an hour of a fast core: nobody asks for more in earnest

DAY_S = 86_400
TTL_S_MAX = 90 * DAY_S
QUEUE_ITEMS_MAX = 2_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024
_U32_MAX = 2**32 - 1
_U64_MAX = 2**64 - 1

Record = Annotated[bytes, record.Size(1, rendezvous.RECORD_BYTES_MAX)]
TtlS = Annotated[int, record.Range(1, _U32_MAX)]
Bits = Annotated[int, record.Range(0, WORK_BITS_MAX)]


class Limits(NamedTuple):
    """What a keeper lets a queue hold: items, bytes, and for how many seconds each."""

    items: int
    bytes: int
    ttl_s: int


FRIEND = Limits(500, 16 * 1024 * 1024, 30 * DAY_S)
OWN = Limits(QUEUE_ITEMS_MAX, QUEUE_BYTES_MAX, TTL_S_MAX)


class Status(IntEnum):
    """What became of a request (keep 4.1)."""

    OK = 0
    QUOTA = 1
    GONE = 2
    WORK = 3
    TOO_BIG = 4
    REFUSED = 5
    BUSY = 6
    FULL = 7


@record.record
@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of a stream, the keeper's. nonce: fresh for each stream."""

    KIND: ClassVar[int] = 1

    version: Annotated[int, record.Range(1, 255)]
    nonce: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Claim:
    """Whoever says this has the key of an owner. permit_id, permit_mac: together or not at all, to enrol a key."""

    KIND: ClassVar[int] = 2

    owner: Bytes32
    permit_id: Bytes16 | None
    permit_mac: Bytes32 | None
    signature: Annotated[bytes, record.Size(keys.SIGNATURE_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Door:
    """How somebody may put into a queue. items: of his that lie there at once; bits: of work, 0 for none."""

    KIND: ClassVar[int] = 15

    sender: Bytes16
    put_key: Bytes32
    items: Annotated[int, record.Range(1, QUEUE_ITEMS_MAX)]
    bits: Bits


@record.record
@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that an owner wants. The keeper grants as much of the limits as the permit allows."""

    KIND: ClassVar[int] = 16

    reader: Bytes16
    items: Annotated[int, record.Range(1, QUEUE_ITEMS_MAX)]
    bytes: Annotated[int, record.Range(sealing.BUCKETS[0], QUEUE_BYTES_MAX)]
    ttl_s: Annotated[int, record.Range(1, TTL_S_MAX)]
    doors: Annotated[tuple[Door, ...], record.Count(DOORS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Open:
    """Make these queues, or give those that are there these limits and doors; all of it or nothing."""

    KIND: ClassVar[int] = 3

    queues: Annotated[tuple[Queue, ...], record.Count(1, QUEUES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Close:
    """End these queues, with their doors and what lies in them."""

    KIND: ClassVar[int] = 4

    readers: Annotated[tuple[Bytes16, ...], record.Count(1, READERS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Fetch:
    """What lies there for me after this number? With nothing there, the answer may wait so long for something."""

    KIND: ClassVar[int] = 5

    after: Counter
    count: Annotated[int, record.Range(1, FETCH_ITEMS_MAX)]
    wait_s: Annotated[int, record.Range(0, WAIT_S_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Item:
    """A parcel. seq: its number among all of this owner, from 1, never given twice."""

    KIND: ClassVar[int] = 17

    seq: Counter
    reader: Bytes16
    envelope: Envelope


@record.record
@dataclass(frozen=True, slots=True)
class Items:
    """The answer to Fetch, in the order in which they were put. more: whether others lie there after these."""

    KIND: ClassVar[int] = 6

    items: Annotated[tuple[Item, ...], record.Count(FETCH_ITEMS_MAX)]
    more: record.Flag


@record.record
@dataclass(frozen=True, slots=True)
class Done:
    """I have everything up to this number; delete it. note: of keep_note.py, for Used; none leaves the one before."""

    KIND: ClassVar[int] = 7

    up_to: Counter
    note: Note = b""


@record.record
@dataclass(frozen=True, slots=True)
class Lay:
    """Records of the DHT that shall lie here too, until they expire."""

    KIND: ClassVar[int] = 8

    records: Annotated[tuple[Record, ...], record.Count(1, RECORDS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Put:
    """An envelope for whoever reads what comes in by this door. ttl_s: how long it is worth keeping."""

    KIND: ClassVar[int] = 9

    sender: Bytes16
    envelope: Envelope
    ttl_s: TtlS
    mac: Bytes32
    work: Annotated[int, record.Range(0, _U64_MAX)] | None


@record.record
@dataclass(frozen=True, slots=True)
class Look:
    """Which record lies here under this name? name: where it would lie in the DHT, SHA-256 of its key."""

    KIND: ClassVar[int] = 10

    name: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Lying:
    """The answer to Look: the newest record of that name, or nothing."""

    KIND: ClassVar[int] = 11

    raw: Annotated[bytes, record.Size(0, rendezvous.RECORD_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Answer:
    """What became of request n of this stream, where nothing else is the answer to it."""

    KIND: ClassVar[int] = 12

    n: Counter
    status: Status


@record.record
@dataclass(frozen=True, slots=True)
class Shown:
    """The answer to Claim and Put. proof: that it comes from whoever has the permit, or the key of the door.

    So nobody answers in a keeper's place; where it knows neither, the proof is noise.
    """

    KIND: ClassVar[int] = 18

    n: Counter
    status: Status
    value: Annotated[int, record.Range(0, _U32_MAX)]
    proof: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Usage:
    """How much do I use of what I may have? The answer is Used."""

    KIND: ClassVar[int] = 13


@record.record
@dataclass(frozen=True, slots=True)
class Used:
    """The answer to Usage. note: the newest of the owner's."""

    KIND: ClassVar[int] = 14

    bytes: Counter
    items: Counter
    bytes_max: Counter
    queues: Counter
    note: Note = b""


Request = Claim | Open | Close | Fetch | Done | Lay | Put | Look | Usage
Reply = Hello | Items | Lying | Answer | Shown | Used
OwnersRequest = Open | Close | Fetch | Done | Lay | Usage

FRAMES = (
    *(Hello, Claim, Open, Close, Fetch, Items, Done, Lay, Put, Look, Lying, Answer, Usage, Used, Door, Queue, Item),
    Shown,
)

_REQUESTS: Mapping[int, type[Request]] = {
    cls.KIND: cls for cls in (Claim, Open, Close, Fetch, Done, Lay, Put, Look, Usage)
}
_REPLIES: Mapping[int, type[Reply]] = {cls.KIND: cls for cls in (Hello, Items, Lying, Answer, Shown, Used)}


def encode(frame: Request | Reply) -> bytes:
    """The bytes of a frame, without the length before it."""
    return record.encode(frame)


def decode_request(raw: bytes) -> Request:
    """What somebody asks of a keeper. Raises: Malformed."""
    asked = record.decode_one_of(_REQUESTS, raw, FRAME_BYTES_MAX)
    if not _is_even(asked):
        raise Malformed
    return asked


def decode_reply(raw: bytes) -> Reply:
    """What a keeper says. Raises: Malformed."""
    said = record.decode_one_of(_REPLIES, raw, FRAME_BYTES_MAX)
    match said:
        case Items(items, more) if not _ascend(items) or (more and not items):
            raise Malformed
    return said


def _is_even(asked: Request) -> bool:
    """Whether what belongs together is there together, and nothing is named twice."""
    match asked:
        case Claim(_, permit, mac, _):
            return (permit is None) == (mac is None)
        case Open(queues):
            readers = {queue.reader for queue in queues}
            senders = [door.sender for queue in queues for door in queue.doors]
            return len(readers) == len(queues) and len(set(senders)) == len(senders)
        case Close(readers_):
            return len(set(readers_)) == len(readers_)
        case _:
            return True


def _ascend(items: tuple[Item, ...]) -> bool:
    return all(one.seq < other.seq for one, other in pairwise(items))
