"""What the two halves of a tab say: the contents of entries of ledgers (docs/protocol/ledger.md 2).

    creditor: limit                                payer: offer, settle, void      payee: accept, decline, attest,
    both    : open, ackn, request, dismiss         payer: lock                            reveal, release, receipt

Not here: what follows from them (payment.py, tab.py), units and amounts for people (units.py), entries (protocol).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from protocol import content, record, spine
from protocol.record import Bytes16, Bytes32

AMOUNT_MAX = 2**53 - 1  # of the smallest unit, in one entry
UNIT_BYTES_MAX = 96  # a voucher's: v:, the issuer's account id, its name
MEMO_BYTES_MAX = 500
LINES_BYTES_MAX = 1_000  # of a receipt
WITNESSES_MAX = 8
UNITS_MAX = 32  # in which a ledger is begun anew
CAUSE_BYTES_MAX = 33
RULES = 1  # the number of what this page of the law says
LOG = frozenset({content.Channel.LOG})

Amount = Annotated[int, record.Range(1, AMOUNT_MAX)]
Owed = Annotated[int, record.Range(-AMOUNT_MAX, AMOUNT_MAX)]
Unit = Annotated[str, record.Line(UNIT_BYTES_MAX)]
Memo = Annotated[str, record.Utf8(MEMO_BYTES_MAX)]
CauseOf = Annotated[bytes, record.Size(0, CAUSE_BYTES_MAX)]


class Cause(IntEnum):
    """Why something is paid or asked for, and what its `of` names. A later version may have more."""

    NONE = 0  # of: nothing
    REFUND = 1  # of: the settled payment in the other direction, 16 bytes
    REQUEST = 2  # of: the request that is answered, 16
    BILL = 3  # of: the bill, 16
    PACKET = 4  # of: the packet, 16, and the number of the share, 1
    INVOICE = 5  # of: the hash of the invoice, 32
    HANDED_OVER = 6  # of: nothing; money or goods went from hand to hand, the memo says how
    VOUCHER = 7  # of: nothing; a unit of the issuer's own is given or taken back


@record.record
@dataclass(frozen=True, slots=True)
class Open:
    """This log is my half of the ledger with this account, and it keeps to rules of this number. Its first entry.

    generation: how often the ledger was begun anew (ledger 15); 0 at first. units, owed: what the other owes me in each
    unit as this generation begins, below 0 what I owe him. reason: why it is begun anew, for the two.
    """

    KIND: ClassVar[int] = 200
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    rules: Annotated[int, record.Range(1, record.SAFE_INT_MAX)]
    peer: Bytes32
    generation: record.Counter = 0
    units: Annotated[tuple[Unit, ...], record.Count(UNITS_MAX)] = ()
    owed: Annotated[tuple[Owed, ...], record.Count(UNITS_MAX)] = ()
    reason: Memo = ""


@record.record
@dataclass(frozen=True, slots=True)
class Limit:
    """The other may owe me at most so much of a unit, of what I accept from now on; 0 at first. By the creditor."""

    KIND: ClassVar[int] = 201
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    unit: Unit
    max: Annotated[int, record.Range(0, AMOUNT_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Offer:
    """I will owe this to you once you have accepted it and I have seen that. By the payer.

    pay: names the payment among all of its payer on this tab. expires_ms: after which the payer takes it back.
    witnesses: device keys whose word on the time of an acceptance counts. memo: "" for none. cause, of: see Cause.
    """

    KIND: ClassVar[int] = 202
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    unit: Unit
    amount: Amount
    expires_ms: record.TimeMs
    witnesses: Annotated[tuple[Bytes32, ...], record.Count(WITNESSES_MAX)] = ()
    memo: Memo = ""
    cause: Annotated[int, record.Range(0, 255)] = 0
    of: CauseOf = b""


@record.record
@dataclass(frozen=True, slots=True)
class Accept:
    """I take what you offer. By the payee. state: of the tab where I stood, before this entry (ledger 5)."""

    KIND: ClassVar[int] = 203
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    state: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Settle:
    """I have seen that you took it: it is owed from now on. By the payer. state: as in Accept."""

    KIND: ClassVar[int] = 204
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    state: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Decline:
    """I do not take it. By the payee."""

    KIND: ClassVar[int] = 205
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Void:
    """I take my offer back. By the payer, who has not settled it. It is over once the payee has acknowledged this."""

    KIND: ClassVar[int] = 206
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Attest:
    """A witness saw my acceptance in time. By the payee, who has not acknowledged a void.

    nonce: under which the witness was shown the acceptance (ledger 4); seen: what he signed.
    """

    KIND: ClassVar[int] = 207
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    nonce: Bytes32
    seen: spine.Cosignature


@record.record
@dataclass(frozen=True, slots=True)
class Ackn:
    """I have seen your entries; the entry around this says up to which."""

    KIND: ClassVar[int] = 208
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG


@record.record
@dataclass(frozen=True, slots=True)
class Lock:
    """I owe you this if you show me what hashes to it; there is no time limit (ledger 6). By the payer."""

    KIND: ClassVar[int] = 209
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    unit: Unit
    amount: Amount
    hash: Bytes32
    hop: Annotated[int, record.Range(1, 3)]


@record.record
@dataclass(frozen=True, slots=True)
class Reveal:
    """Here it is: it is owed from now on. By the payee. preimage: hashes to the hash of the lock (ledger 6)."""

    KIND: ClassVar[int] = 210
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    preimage: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Release:
    """I will never show it: nothing is owed. By the payee."""

    KIND: ClassVar[int] = 211
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Request:
    """Please pay me this. It changes nothing. due_ms: until when, if there is a day. cause, of: see Cause."""

    KIND: ClassVar[int] = 212
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    request: Bytes16
    unit: Unit
    amount: Amount
    due_ms: record.TimeMs | None = None
    memo: Memo = ""
    cause: Annotated[int, record.Range(0, 255)] = 0
    of: CauseOf = b""


@record.record
@dataclass(frozen=True, slots=True)
class Dismiss:
    """A request is over: who made it takes it back, or who was asked does not pay it.

    is_mine: the request of the one who writes this.
    """

    KIND: ClassVar[int] = 213
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    request: Bytes16
    is_mine: record.Flag


@record.record
@dataclass(frozen=True, slots=True)
class Receipt:
    """I was paid for this invoice, and these things are yours. By the payee, for one who is his contact (ledger 9).

    pay: the settled payment. invoice: the hash of the invoice. lines: what was sold, one thing a line. It changes
    nothing: that it was paid is in the payment, what was paid for is in the invoice; this says that the payee knows.
    """

    KIND: ClassVar[int] = 215
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    invoice: Bytes32
    lines: Annotated[str, record.Utf8(LINES_BYTES_MAX)] = ""


Term = (
    Open
    | Limit
    | Offer
    | Accept
    | Settle
    | Decline
    | Void
    | Attest
    | Ackn
    | Lock
    | Reveal
    | Release
    | Request
    | Dismiss
    | Receipt
)
