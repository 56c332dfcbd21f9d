"""Payments that are locked by a hash, and every preimage that was heard or shown: what outlives the tab in memory.

docs/protocol/ledger.md 6 and 11. Written in the transaction that takes the entry (tabs.py). Not here: what is done
about a lock (ledger/path.py).
"""

from collections.abc import Iterable
from typing import NamedTuple

from ledger.payment import Payment, Side, Stage
from ledger.tab import lock_of
from store import payments
from store.database import Tx
from store.payments import Paid

_STANDS = f"stage < 5 AND stage = {int(Stage.LOCKED)} AND lapsed = 0"  # the first for the index


class Named(NamedTuple):
    """A lock on a tab. mine: whether we pay."""

    contact: int
    mine: bool
    pay: bytes


def begun(tx: Tx, contact: int, mine: bool, pay: bytes, hash_: bytes) -> None:
    """A lock was written, by us or by the contact; a name may have been another lock's before a ledger began anew."""
    tx.execute("INSERT OR REPLACE INTO locked VALUES (?, ?, ?, ?)", (contact, int(mine), pay, hash_))


def shown(tx: Tx, contact: int, mine: bool, pay: bytes, preimage: bytes) -> None:
    """A preimage stands in an entry about this lock; one that does not fit is nothing. mine: whether we pay."""
    hash_ = hash_of(tx, contact, mine, pay)
    if hash_ is not None and lock_of(preimage) == hash_:
        tx.execute("INSERT OR IGNORE INTO preimage VALUES (?, ?)", (hash_, preimage))


def hash_of(tx: Tx, contact: int, mine: bool, pay: bytes) -> bytes | None:
    """By what a payment is locked; None for one that is not."""
    row = tx.one("SELECT hash FROM locked WHERE contact = ? AND mine = ? AND pay = ?", (contact, int(mine), pay))
    return None if row is None else row[0]


def preimages(tx: Tx, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Those of these hashes whose preimage was heard or shown, with it."""
    found = {}
    for hash_ in hashes:
        row = tx.one("SELECT preimage FROM preimage WHERE hash = ?", (hash_,))
        if row is not None:
            found[hash_] = row[0]
    return found


def by_hash(tx: Tx, hash_: bytes, *, mine: bool) -> tuple[Named, ...]:
    """The locks by a hash that stand in our ledgers, in the order in which they came."""
    rows = tx.all(
        "SELECT l.contact, l.pay FROM locked l JOIN payment p ON p.contact = l.contact AND p.mine = l.mine"
        " AND p.pay = l.pay WHERE l.hash = ? AND l.mine = ? ORDER BY p.id",
        (hash_, int(mine)),
    )
    return tuple(Named(contact, mine, pay) for contact, pay in rows)


def coming(tx: Tx) -> tuple[tuple[Paid, bytes], ...]:
    """The locks towards us that are not over, with their hashes, the oldest first."""
    found = []
    for (row_id,) in tx.all(f"SELECT id FROM payment WHERE {_STANDS} AND mine = 0 ORDER BY id"):
        one = payments.payment(tx, row_id)
        hash_ = None if one is None else hash_of(tx, one.contact, False, one.pay)
        if one is not None and hash_ is not None:
            found.append((one, hash_))
    return tuple(found)


def open_with(tx: Tx) -> tuple[int, ...]:
    """The contacts with whom a lock is not over."""
    rows = tx.all(f"SELECT DISTINCT contact FROM payment WHERE {_STANDS} ORDER BY contact")
    return tuple(row[0] for row in rows)


def as_payment(tx: Tx, named: Named, payer: Side) -> Payment | None:
    """A lock as its row tells it, where a tab does not hold it any more.

    One of a ledger that was begun anew is as good as released: nothing can be asked by it any more (ledger 15.11).
    """
    row, hash_ = payments.found(tx, *named), hash_of(tx, *named)
    if row is None or hash_ is None:
        return None
    is_over = row.stage is not Stage.LOCKED or bool(row.lapsed)
    answer = 0 if is_over else None
    one = Payment(payer, row.pay, row.unit, row.amount, 0, 0, lock=hash_, answer=answer)
    return one._replace(is_taken=row.stage is Stage.SETTLED)
