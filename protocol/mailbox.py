"""Where a device can be left mail while it is away: its queues at keepers, told to one contact in the ratchet.

docs/protocol/mailbox.md. What lies in a queue is in parcel.py, how a keeper is spoken with in keep.py.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import hashing
from crypto.faults import Malformed
from crypto.hashing import Label
from protocol import content, identity, ids, record
from protocol.record import Bytes16, Bytes32, Counter

LINES_MAX = 3  # keepers of one device
ADDRESSES_MAX = 4
ADDRESS_BYTES_MAX = 192  # a way through a relay
COPIES = 2  # of a message, at different keepers
ANEW_BYTES_MAX = 4 * 1024
ID_BYTES = 16
KEY_BYTES = 32

_RATCHET = frozenset({content.Channel.RATCHET})

Addresses = Annotated[tuple[Annotated[str, record.Line(ADDRESS_BYTES_MAX)], ...], record.Count(ADDRESSES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Line:
    """A queue that the reader may fill. peer, addresses: the keeper's; find: the secret of its record in the DHT.

    sender: the id by which he names the queue there. put_key proves it to the keeper, wrap_key seals what is put. mark:
    `mark_of` whose keeper it is.
    """

    KIND: ClassVar[int] = 18

    peer: Bytes32
    addresses: Addresses
    find: Bytes32
    sender: Bytes16
    put_key: Bytes32
    wrap_key: Bytes32
    mark: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Inbox:
    """Where the sending device can be left mail by the reader, the best first. The higher version counts."""

    KIND: ClassVar[int] = 304
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    version: Counter
    lines: Annotated[tuple[Line, ...], record.Count(LINES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Prekeys:
    """A fresh bundle of the sending device: two who are never there together can so begin a new session."""

    KIND: ClassVar[int] = 305
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    bundle: identity.Bundle


CONTENTS = (Inbox, Prekeys)


@record.record
@dataclass(frozen=True, slots=True)
class Anew:
    """In place of an init or message in a parcel: the sending device cannot read the reader, and has no bundle of his.

    bundle: fresh, of the sending device; with it the reader begins a session. No ratchet seals it, the queue does.
    """

    KIND: ClassVar[int] = 4  # beside those of envelope.py

    bundle: identity.Bundle


def anew(inner: bytes) -> Anew | None:
    """The wish in a parcel; None where it carries what envelope.py knows, or nonsense."""
    try:
        return record.decode(Anew, inner, ANEW_BYTES_MAX)
    except Malformed:
        return None


def mark_of(put_key: bytes, account: ids.AccountId) -> bytes:
    """Whose keeper a line is at, for those who know that account; 16 bytes that tell everybody else nothing.

    account: of the contact who keeps, or the owner's own where his own node does.
    """
    return hashing.keyed_id(put_key, Label.KEEP, account)
