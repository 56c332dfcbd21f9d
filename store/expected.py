"""What the person, or a room in his name, has asked to be paid, and is therefore taken without asking him again."""

from ledger.payment import Stage
from ledger.terms import CAUSE_BYTES_MAX, Cause
from store.database import Tx
from store.payments import Paid

_PACKET_BYTES = 16  # of a cause, before the number of the share


def expect(tx: Tx, contact: int, cause: Cause, of: bytes, unit: str, amount: int) -> None:
    """From now on a payment of this contact for this is taken without asking, up to the amount.

    of: as the offer will have it; of a packet its name alone, whichever share falls to us, and one share only.
    """
    tx.execute(
        "INSERT INTO expected (contact, cause, of, unit, amount) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (contact, cause, of) DO UPDATE SET unit = excluded.unit, amount = excluded.amount",
        (contact, int(cause), of, unit, amount),
    )


def expect_no_more(tx: Tx, contact: int, cause: Cause, of: bytes) -> None:
    """Takes an `expect` back."""
    tx.execute("DELETE FROM expected WHERE contact = ? AND cause = ? AND of = ?", (contact, int(cause), of))


def holds(tx: Tx, one: Paid) -> bool:
    """Whether a payment to us is one that was expected; an invoice is paid in whole and once, a packet opened once."""
    is_share = one.cause == Cause.PACKET
    of = one.of[:_PACKET_BYTES] if is_share else one.of
    row = tx.one(
        "SELECT amount FROM expected WHERE contact = ? AND cause = ? AND of = ? AND unit = ? AND amount >= ?",
        (one.contact, one.cause, of, one.unit, one.amount),
    )
    if row is None or (one.cause == Cause.INVOICE and row[0] != one.amount):
        return False
    return not is_taken(tx, one, of, of + b"\xff" * CAUSE_BYTES_MAX if is_share else of)


def is_taken(tx: Tx, one: Paid, first: bytes, last: bytes | None = None) -> bool:
    """Whether another payment of this contact for the same was taken already: it is asked for once.

    first, last: what its `of` is among, first alone without a last.
    """
    row = tx.one(
        "SELECT 1 FROM payment WHERE of >= ? AND of <= ? AND of != x'' AND contact = ? AND mine = 0 AND cause = ?"
        " AND id != ? AND stage NOT IN (?, ?, ?) AND (stage >= 5 OR lapsed = 0)",
        (first, last or first, one.contact, one.cause, one.id, Stage.OFFERED, Stage.DECLINED, Stage.REFUNDED),
    )
    return row is not None
