"""What the two halves of a tab say: the contents of entries of ledgers (docs/protocol/ledger.md 2).

    creditor: limit                                payer: offer, settle, void      payee: accept, decline, attest
    both    : ackn, request                        payer: lock                     payee: reveal, release

Not here: what follows from them (payment.py, tab.py), units and amounts for people (units.py), entries (protocol).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record, spine
from protocol.record import Bytes16, Bytes32

AMOUNT_MAX = 2**53 - 1  # of the smallest unit, in one entry
UNIT_BYTES_MAX = 96  # a voucher's: v:, the issuer's account id, its name
MEMO_BYTES_MAX = 500
WITNESSES_MAX = 8
LOG = frozenset({content.Channel.LOG})

Amount = Annotated[int, record.Range(1, AMOUNT_MAX)]
Unit = Annotated[str, record.Line(UNIT_BYTES_MAX)]


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
    witnesses: device keys whose word on the time of an acceptance counts. memo: "" for none. refund_of: a settled
    payment in the other direction.
    """

    KIND: ClassVar[int] = 202
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    pay: Bytes16
    unit: Unit
    amount: Amount
    expires_ms: record.TimeMs
    witnesses: Annotated[tuple[Bytes32, ...], record.Count(WITNESSES_MAX)] = ()
    memo: Annotated[str, record.Utf8(MEMO_BYTES_MAX)] = ""
    refund_of: Bytes16 | None = None


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
    """Here it is: it is owed from now on. By the payee. preimage: its SHA-256 is the hash of the lock."""

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
    """Please pay me this. It changes nothing. due_ms: until when, if there is a day."""

    KIND: ClassVar[int] = 212
    CHANNELS: ClassVar[frozenset[content.Channel]] = LOG

    request: Bytes16
    unit: Unit
    amount: Amount
    due_ms: record.TimeMs | None = None
    memo: Annotated[str, record.Utf8(MEMO_BYTES_MAX)] = ""


Term = Limit | Offer | Accept | Settle | Decline | Void | Attest | Ackn | Lock | Reveal | Release | Request
