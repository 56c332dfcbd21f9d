"""What people say about red packets (docs/protocol/ledger.md 8): the promise, a claim, its answer, and the record.

    sender ──Packet──> all named       one of them ──Claim──> sender ──Granted or Refused──> him
    sender ──Closed──> all named       once all shares are taken, or the time is over

The shares are paid by offers in ledgers, which are no messages (ledger/terms.py).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from ledger import packet, terms
from protocol import content, record
from protocol.record import Bytes16, Bytes32

PATH_MAX = 7  # of the tree over 100 shares
_PAIR = frozenset({content.Channel.RATCHET})

Share = Annotated[int, record.Range(0, packet.SHARES_MAX - 1)]


class Reason(IntEnum):
    """Why a claim was refused. The numbers go over the wire; a later version may have more."""

    UNKNOWN = 1  # no such packet
    NOT_NAMED = 2  # it is for others
    TWICE = 3  # he has a share, or his first claim still waits
    OVER = 4  # the time was over when the claim came
    EMPTY = 5  # all shares are taken
    NONCE = 6  # the nonce is somebody else's
    PAUSED = 7  # nothing can be written into the ledger of these two now; he may claim again


@record.record
@dataclass(frozen=True, slots=True)
class Packet:
    """A packet lies here for the reader and others: each opens it once, as long as there are shares.

    root, seed_hash: what the sender is bound by. expires_ms: by his clock. note: "" for none.
    """

    KIND: ClassVar[int] = 400
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    packet: Bytes16
    unit: terms.Unit
    total: terms.Amount
    count: Annotated[int, record.Range(1, packet.SHARES_MAX)]
    is_random: record.Flag
    root: Bytes32
    seed_hash: Bytes32
    expires_ms: record.TimeMs
    note: terms.Memo = ""


@record.record
@dataclass(frozen=True, slots=True)
class Claim:
    """I open it, and take the share that falls to me. nonce: drawn for this claim."""

    KIND: ClassVar[int] = 401
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    packet: Bytes16
    nonce: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Granted:
    """This share is yours. place: as the how-maniest, from 0. salt, path: show that it was promised. pay: its offer."""

    KIND: ClassVar[int] = 402
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    packet: Bytes16
    nonce: Bytes16
    place: Share
    index: Share
    amount: terms.Amount
    salt: Bytes16
    path: Annotated[tuple[Bytes32, ...], record.Count(PATH_MAX)]
    pay: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Refused:
    """Your claim gets nothing. reason: see Reason."""

    KIND: ClassVar[int] = 403
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    packet: Bytes16
    nonce: Bytes16
    reason: Annotated[int, record.Range(1, 255)]


@record.record
@dataclass(frozen=True, slots=True)
class Given:
    """A share in the closing record. account: of who got it."""

    KIND: ClassVar[int] = 404

    account: Bytes32
    nonce: Bytes16
    index: Share


@record.record
@dataclass(frozen=True, slots=True)
class Closed:
    """It is over: the seed, and who got which share, in order. Everybody can compute all of it again."""

    KIND: ClassVar[int] = 405
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    packet: Bytes16
    seed: Bytes32
    grants: Annotated[tuple[Given, ...], record.Count(packet.SHARES_MAX)]
