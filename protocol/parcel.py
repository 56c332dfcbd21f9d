"""What lies in a queue at a keeper: an envelope of a contact, wrapped for that queue alone (docs/protocol/parcel.md).

    nonce 24 || XChaCha20-Poly1305(wrap key, pad([1, run, number, sealing, [head, ...], inner]), AD = sender id)

The same inner is wrapped anew for each keeper, so that two of them cannot match their copies. What it says of itself
beside the inner lets the reader notice what a keeper drops, repeats, reorders or swaps (keeper_watch.py) and bring his
mail into order (arrivals.py). Not here: the inner and its seals (envelope.py), how a keeper is spoken with (keep.py).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import sealing
from protocol import record
from protocol.record import SAFE_INT_MAX, Bytes16, TimeMs

KEY_BYTES = 32
RUN_BYTES = 8
SENDER_BYTES = 16  # of the id by which a sender names a queue
HEADS_MAX = 3  # queues of one owner that one sender fills, the parcel's own among them
OVERHEAD_BYTES = sealing.NONCE_BYTES + sealing.TAG_BYTES
PADDED_BYTES = tuple(bucket - OVERHEAD_BYTES for bucket in sealing.BUCKETS)
PARCEL_BYTES_MAX = PADDED_BYTES[-1] - 1  # a byte for the mark of the padding

Run = Annotated[bytes, record.Size(RUN_BYTES)]
Number = Annotated[int, record.Range(1, SAFE_INT_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Head:
    """How far the sender has filled a queue of this owner, in this run: no number up to it is without an OK."""

    KIND: ClassVar[int] = 2

    sender: Bytes16
    number: Number


@record.record
@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing in a queue. run: of the sender, 8 random bytes; number: in this queue and run, without gaps, from 1.

    sealing: when the inner was sealed, by a clock that never stands still: the same in all its copies, and higher than
    in all that were sealed before it in this run. inner: what envelope.py encodes, without its padding.
    """

    KIND: ClassVar[int] = 1

    run: Run
    number: Number
    sealing: TimeMs
    heads: Annotated[tuple[Head, ...], record.Count(HEADS_MAX)]
    inner: Annotated[bytes, record.Size(1, PARCEL_BYTES_MAX)]


def wrap(key: bytes, sender_id: bytes, parcel: Parcel, nonce: bytes) -> bytes:
    """The envelope for a queue: 1, 4, 16 or 64 KiB, whichever fits.

    key: the wrap key of the queue, 32 bytes; sender_id: 16. nonce: 24 random bytes, used once.
    """
    return sealing.seal(key, nonce, sealing.pad(record.encode(parcel), PADDED_BYTES), sender_id)


def unwrap(key: bytes, sender_id: bytes, envelope: bytes) -> Parcel:
    """The parcel in an envelope of a queue.

    Raises: Forged when it does not open (garbage, another queue's), Malformed for what its sender did wrong.
    """
    padded = sealing.open_sealed(key, envelope, sender_id)
    return record.decode(Parcel, sealing.unpad(padded, PADDED_BYTES), PARCEL_BYTES_MAX)
