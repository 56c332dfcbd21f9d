"""One payment: what its payer and its payee have said of it, and what it therefore is (docs/protocol/ledger.md 3).

            offer          accept             settle
    none ─────────> OFFERED ─────> ACCEPTED ─────────> SETTLED
                      │ decline       │ attest, before the payee has acknowledged a void ──> SETTLED
                      │               │
                      │ void          │ void                    the payee acknowledges the void
                      └──> REFUNDING <┘ ──────────────────────────────────────────────────────────> REFUNDED
                      └──> DECLINED
            lock           reveal
    none ─────────> LOCKED ───────> SETTLED        release ──> RELEASED

It is a function of facts, each of which one of the two has written, and not of the order in which a reader heard of
them: so both come to the same. No clock. Not here: which entries are facts (tab.py), when an honest node writes them.
"""

from enum import IntEnum
from typing import NamedTuple


class Side(IntEnum):
    """The two halves of a tab: LOW is the one of the bytewise smaller account."""

    LOW = 0
    HIGH = 1

    @property
    def other(self) -> "Side":
        """The side across."""
        return _OTHERS[self]


_OTHERS = (Side.HIGH, Side.LOW)


class Stage(IntEnum):
    """What a payment is. The numbers are hashed (ledger 5)."""

    OFFERED = 1
    ACCEPTED = 2
    REFUNDING = 3  # taken back, and the payee may still show that he had accepted in time
    LOCKED = 4
    SETTLED = 5
    DECLINED = 6
    REFUNDED = 7
    RELEASED = 8

    @property
    def is_final(self) -> bool:
        """Whether it never changes again, in anybody's view."""
        return self >= Stage.SETTLED


class Payment(NamedTuple):
    """A payment. lock: 32 bytes, None where it needs no preimage. cause, of: as in Offer.

    Numbers of entries: offered, ending: of the payer, the latter of the first settle or void. answer, attested, seen:
    of the payee: of the first accept, decline, reveal or release; of the attest; of the first entry that acknowledges
    the void. None: not yet.
    """

    payer: Side
    pay: bytes
    unit: str
    amount: int
    offered: int
    expires_ms: int
    witnesses: tuple[bytes, ...] = ()
    lock: bytes | None = None
    cause: int = 0
    of: bytes = b""
    answer: int | None = None
    is_taken: bool = False  # the answer is accept or reveal
    ending: int | None = None
    is_settled: bool = False  # the ending is settle
    attested: int | None = None
    seen: int | None = None

    @property
    def stage(self) -> Stage:
        """What follows from all that was said (ledger 3.2)."""
        if self.lock is not None:
            return Stage.LOCKED if self.answer is None else Stage.SETTLED if self.is_taken else Stage.RELEASED
        if self.is_settled or self.attested is not None:
            return Stage.SETTLED
        if self.answer is not None and not self.is_taken:
            return Stage.DECLINED
        if self.ending is not None:
            return Stage.REFUNDING if self.seen is None else Stage.REFUNDED
        return Stage.OFFERED if self.answer is None else Stage.ACCEPTED

    @property
    def is_voided(self) -> bool:
        """Whether its payer has taken it back."""
        return self.ending is not None and not self.is_settled
