"""What somebody who is no contact yet leaves at a keeper of whom he asks, who is away (docs/protocol/parcel.md 4).

    sender id 16 || HPKE(X-Wing, the invitation's inbox key, pad([3, init, inbox | null])), exactly 4 or 16 KiB

Each invitation has a door at its maker's keepers, whose id and key whoever holds the link can derive. The inbox key is
not derived: who has the link cannot read what others leave. Not here: where the doors are told (door_record.py), how a
keeper is spoken with (keep.py), what is decided (features/contacts/inviting.py).
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from crypto import hashing, sealing, xwing
from crypto.faults import Forged
from crypto.hashing import Label
from crypto.keys import DhKey, Encapsulate
from crypto.xwing import InboxKey
from protocol import envelope, mailbox, record
from protocol.parcel import SENDER_BYTES

BUCKETS = sealing.BUCKETS[1:3]  # 4 and 16 KiB: an init with all that belongs to it fits no less, and no more is heard
PADDED_BYTES = tuple(bucket - SENDER_BYTES - xwing.OVERHEAD_BYTES for bucket in BUCKETS)
KNOCK_BYTES_MAX = PADDED_BYTES[-1] - 1

TTL_S = 14 * 86_400  # as long as a one-time invitation lives at most
QUEUE_ITEMS = 64  # of all strangers together: as many as may wait for a decision
QUEUE_BYTES = QUEUE_ITEMS * BUCKETS[-1]
ONCE_ITEMS = 3  # at a door: the asker's own, and room for one whose link was seen by others
LONG_TERM_ITEMS = 16  # at the door of a link that many have, and at the one for whoever knows the account


class Door(NamedTuple):
    """How an invitation is knocked for at one keeper: the id there, 16 bytes, and its key of 32."""

    sender: bytes
    put_key: bytes


@record.record
@dataclass(frozen=True, slots=True)
class Knock:
    """What a stranger leaves: the init of the invitation's dialogue, and where he himself can be left mail, if at all.

    inbox: for the device that answers, as contacts are told theirs.
    """

    KIND: ClassVar[int] = 3

    init: envelope.Init
    inbox: mailbox.Inbox | None


def door_of(secret: bytes, find: bytes) -> Door:
    """The door of an invitation at one keeper. secret: of the link, 16 bytes; find: of the keeper's record, 32.

    Two keepers have nothing in common by which they could tell that their doors belong to one invitation.
    """
    sender = hashing.subkey(secret, Label.INVITE, b"keep-id" + find)[:SENDER_BYTES]
    return Door(sender, hashing.subkey(secret, Label.INVITE, b"keep-put" + find))


def seal(public: bytes, sender: bytes, knock: Knock, ephemeral: DhKey, encapsulate: Encapsulate) -> bytes:
    """The envelope for a door: 4 or 16 KiB, whichever fits.

    public: the invitation's inbox key, 1,216 bytes. ephemeral: fresh, used once. Raises: Forged for a bad key.
    """
    padded = sealing.pad(record.encode(knock), PADDED_BYTES)
    return sender + xwing.seal(public, _bound_to(sender), padded, ephemeral, encapsulate)


def sender_of(raw: bytes) -> bytes:
    """The door that an envelope was sealed for, unproven. Raises: Forged when it is no such envelope."""
    if len(raw) not in BUCKETS:
        raise Forged
    return raw[:SENDER_BYTES]


def open_sealed(mine: InboxKey, raw: bytes) -> Knock:
    """What a stranger left. mine: the inbox key of the invitation at that door. Raises: Forged, Malformed."""
    sender = sender_of(raw)
    padded = xwing.open_sealed(mine, _bound_to(sender), raw[SENDER_BYTES:])
    return record.decode(Knock, sealing.unpad(padded, PADDED_BYTES), KNOCK_BYTES_MAX)


def _bound_to(sender: bytes) -> bytes:
    return hashing.labelled(Label.KEEP, b"inbox" + sender)
