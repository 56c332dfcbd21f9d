"""What an honest side may write now: limits and the order of things (docs/protocol/ledger.md 3.3 and 3.4). Pure.

The creditor alone holds the limit, against what he himself has accepted: so no interleaving exceeds it. What a payer is
told of his room is a courtesy, since the other may lower the limit at the same time. Not here: entries and their order.
"""

from enum import Enum

from crypto.keys import Entropy
from ledger.payment import Side, Stage
from ledger.tab import Key, Tab
from protocol import ids


class Refusal(Enum):
    """Why a payment is not accepted."""

    UNKNOWN = "there is no such offer"
    OVER = "it was answered or taken back already"
    LIMIT = "more would be owed than is allowed"


def exposure(tab: Tab, creditor: Side, unit: str) -> int:
    """What the other side owes the creditor, with all that he has accepted or may turn into a debt by himself.

    tab: as the creditor has it; what he writes now acknowledges all that is in it.
    """
    return tab.balance(creditor, unit) + tab.bound(creditor.other, unit)


def refusal(tab: Tab, payee: Side, key: Key) -> Refusal | None:
    """Why this offer is not to be accepted by an honest payee; None where it may be."""
    one = tab.payments.get(key)
    if one is None or one.payer is payee or one.lock is not None:
        return Refusal.UNKNOWN
    if one.stage is not Stage.OFFERED:
        return Refusal.OVER
    owed = exposure(tab, payee, one.unit) + one.amount
    return Refusal.LIMIT if owed > tab.limit(payee, one.unit) else None


def room(tab: Tab, payer: Side, unit: str) -> int:
    """How much more a payer can expect to be accepted: all that he has on its way counts against him."""
    return tab.limit(payer.other, unit) - tab.balance(payer.other, unit) - tab.reserved(payer, unit)


def may_settle(tab: Tab, key: Key) -> bool:
    """Whether the payer, who has taken all that came, may settle."""
    one = tab.payments.get(key)
    return one is not None and one.ending is None and one.stage is Stage.ACCEPTED


def may_void(tab: Tab, key: Key, now_ms: int) -> bool:
    """Whether the payer may take it back: before it was accepted at any time, afterwards when its time is over."""
    one = tab.payments.get(key)
    if one is None or one.ending is not None or one.lock is not None:
        return False
    return one.stage is Stage.OFFERED or (one.stage is Stage.ACCEPTED and now_ms > one.expires_ms)


def new_pay(tab: Tab, payer: Side, now_ms: int, entropy: Entropy) -> bytes:
    """The name of a new payment, greater than all that its payer has begun before (ledger 1.3): 16 bytes."""
    drawn: bytes = ids.new_message_id(now_ms, entropy)
    newest = tab.newest[payer]
    if drawn > newest:
        return drawn
    further = int.from_bytes(entropy(ids.CHANCE_BYTES - 1), "big")
    return (int.from_bytes(newest, "big") + 1 + further).to_bytes(len(drawn), "big")
