"""Receipts as rows: what payees say in their halves of ledgers that they were paid for (docs/protocol/ledger.md 14.6).

All of it follows from the entries (tabs.py writes it). Not here: who writes a receipt (features/shop).
"""

from dataclasses import dataclass

from ledger.payment import Stage
from ledger.terms import Cause
from store.database import Tx
from store.payments import Paid


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt. invoice: the 32 bytes that name it. at_ms: by the clock of the payee."""

    invoice: bytes
    lines: str
    at_ms: int


def keep(tx: Tx, contact: int, mine: bool, pay: bytes, slip: Slip) -> None:
    """Keeps what the payee of a payment says; the first word counts. mine: whether we have paid it."""
    tx.execute(
        "INSERT INTO receipt (contact, mine, pay, invoice, lines, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (contact, mine, pay) DO NOTHING",
        (contact, int(mine), pay, slip.invoice, slip.lines, slip.at_ms),
    )


def forget(tx: Tx, contact: int, generation: int) -> None:
    """Forgets the receipts of a tab: all of it is read anew."""
    tx.execute(
        "DELETE FROM receipt WHERE contact = ?1 AND EXISTS (SELECT 1 FROM payment p WHERE p.contact = ?1"
        " AND p.mine = receipt.mine AND p.pay = receipt.pay AND p.generation = ?2)",
        (contact, generation),
    )


def of(tx: Tx, one: Paid) -> Slip | None:
    """The receipt for a payment; None for what is not settled, or where the payee names another invoice."""
    row = tx.one(
        "SELECT invoice, lines, at_ms FROM receipt WHERE contact = ? AND mine = ? AND pay = ?",
        (one.contact, int(one.mine), one.pay),
    )
    is_paid = one.stage is Stage.SETTLED and one.cause == Cause.INVOICE
    return Slip(*row) if row is not None and is_paid and row[0] == one.of else None
