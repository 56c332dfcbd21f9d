"""What was ordered at the shops of contacts, as rows.

    ORDERED ──invoice──> BILLED ──checked, offered──> PAYING
       └──> OVER <─────────┘

Not here: what is done about them (buying.py), how they are shown (slips.py), what we sell (sales.py).
"""

from dataclasses import dataclass
from enum import IntEnum

from features.shop.content import Order
from protocol import record
from store.database import Migration, Row, Tx

CHANGED = "shop.purchases"  # a topic: its key is the row of a purchase
SAME_MAX = 20
_PURCHASE = (
    "id, contact, name, offer, title, unit, quantity, price, tip, note, amount, at_ms, until_ms, state, reason,"
    " invoice, said, pay"
)

MIGRATIONS = (
    Migration(
        "purchases",
        1,
        """
        CREATE TABLE shop_purchase (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, name BLOB NOT NULL, offer BLOB NOT NULL,
          title TEXT NOT NULL, unit TEXT NOT NULL, quantity INTEGER NOT NULL, price INTEGER NOT NULL,
          tip INTEGER NOT NULL, note TEXT NOT NULL, amount INTEGER NOT NULL, at_ms INTEGER NOT NULL,
          until_ms INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL, invoice BLOB NOT NULL,
          said BLOB NOT NULL, pay BLOB NOT NULL, UNIQUE (contact, name)
        ) STRICT;
        CREATE INDEX shop_purchase_state ON shop_purchase (state, until_ms);
        CREATE INDEX shop_purchase_invoice ON shop_purchase (invoice) WHERE invoice != x'';
        CREATE INDEX shop_purchase_offer ON shop_purchase (contact, offer);
        CREATE INDEX shop_purchase_pay ON shop_purchase (pay) WHERE pay != x'';
        """,
    ),
)


class Bought(IntEnum):
    """How far a purchase is. The numbers are stored."""

    ORDERED = 0
    BILLED = 1  # the invoice is here, not looked at
    PAYING = 2  # what becomes of it is in the payment
    OVER = 3  # without a payment; `reason` says why


class Why(IntEnum):
    """Why nothing was paid, beside the shop's own reasons (content.Reason). The numbers are stored."""

    WRONG = 200  # the invoice is for something else
    FORGED = 201  # no device of the shop's has signed it
    EXPIRED = 202  # its time was over when it came
    LIMIT = 203  # by then more would have been owed than the shop allows
    LATE = 204  # there was no answer in time
    CANCELLED = 205


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order of ours at the shop of a contact. until_ms: when we stop waiting for its invoice."""

    id: int
    contact: int
    name: bytes
    offer: bytes
    title: str
    unit: str
    quantity: int
    price: int
    tip: int
    note: str
    amount: int
    at_ms: int
    until_ms: int
    state: Bought
    reason: int
    invoice: bytes
    said: bytes
    pay: bytes

    @property
    def order(self) -> Order:
        """As it is said."""
        return Order(self.name, self.offer, self.quantity, self.price, self.tip, self.note)


def order(tx: Tx, contact: int, said: Order, title: str, unit: str, amount: int, at_ms: int, until_ms: int) -> Purchase:
    """An order of ours, which waits for its invoice."""
    row = tx.insert(
        "INSERT INTO shop_purchase (contact, name, offer, quantity, price, tip, note, title, unit, amount, at_ms,"
        " until_ms, state, reason, invoice, said, pay)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, x'', x'', x'')",
        (contact, *record.fields(said), title, unit, amount, at_ms, until_ms),
    )
    tx.changed(CHANGED, row)
    found = purchase(tx, row)
    assert found is not None
    return found


def pay(tx: Tx, purchase_id: int, invoice: bytes, payment: bytes) -> None:
    """An order is being paid."""
    tx.execute(
        "UPDATE shop_purchase SET state = ?, invoice = ?, pay = ? WHERE id = ?",
        (Bought.PAYING, invoice, payment, purchase_id),
    )
    tx.changed(CHANGED, purchase_id)


def end(tx: Tx, purchase_id: int, why: int) -> None:
    """An order is over without a payment."""
    tx.execute("UPDATE shop_purchase SET state = ?, reason = ? WHERE id = ?", (Bought.OVER, why, purchase_id))
    tx.changed(CHANGED, purchase_id)


def purchase(tx: Tx, purchase_id: int) -> Purchase | None:
    """The purchase in this row."""
    return _purchase(tx, "id = ?", purchase_id)


def named(tx: Tx, contact: int, name: bytes) -> Purchase | None:
    """The purchase of this name."""
    return _purchase(tx, "contact = ? AND name = ?", contact, name)


def paid_by(tx: Tx, contact: int, payment: bytes) -> Purchase | None:
    """The purchase that a payment is for."""
    return _purchase(tx, "pay = ? AND pay != x'' AND contact = ?", payment, contact)


def is_invoice_used(tx: Tx, invoice: bytes) -> bool:
    """Whether this invoice is being paid already, for a purchase or by its code."""
    purchase = "SELECT 1 FROM shop_purchase WHERE invoice = ?1 AND invoice != x''"
    by_code = "SELECT 1 FROM payment WHERE of = ?1 AND of != x'' AND mine = 1 AND cause = 5 AND stage NOT IN (6, 7)"
    return tx.one(f"{purchase} UNION ALL {by_code} LIMIT 1", (invoice,)) is not None


def same(tx: Tx, contact: int, said: Order) -> tuple[Purchase, ...]:
    """The purchases of the same things that are not over, whatever they are called, the newest first."""
    rows = tx.all(
        f"SELECT {_PURCHASE} FROM shop_purchase WHERE contact = ? AND offer = ? AND quantity = ? AND price = ?"
        " AND tip = ? AND note = ? AND state != ? ORDER BY id DESC LIMIT ?",
        (contact, said.offer, said.quantity, said.price, said.tip, said.note, Bought.OVER, SAME_MAX),
    )
    return tuple(map(_as_purchase, rows))


def billed(tx: Tx) -> tuple[Purchase, ...]:
    """The purchases whose invoice nobody has looked at."""
    rows = tx.all(f"SELECT {_PURCHASE} FROM shop_purchase WHERE state = ? ORDER BY id", (Bought.BILLED,))
    return tuple(map(_as_purchase, rows))


def late(tx: Tx, now_ms: int) -> tuple[Purchase, ...]:
    """The purchases that wait no longer."""
    rows = tx.all(f"SELECT {_PURCHASE} FROM shop_purchase WHERE state <= ? AND until_ms < ?", (Bought.BILLED, now_ms))
    return tuple(map(_as_purchase, rows))


def next_late(tx: Tx) -> int | None:
    """When the next purchase waits no longer, ms since 1970."""
    row = tx.one("SELECT MIN(until_ms) FROM shop_purchase WHERE state <= ?", (Bought.BILLED,))
    return None if row is None or row[0] is None else int(row[0])


def purchases(tx: Tx, limit: int) -> tuple[Purchase, ...]:
    """The newest purchases, the newest first."""
    rows = tx.all(f"SELECT {_PURCHASE} FROM shop_purchase ORDER BY id DESC LIMIT ?", (limit,))
    return tuple(map(_as_purchase, rows))


def answered(tx: Tx, contact_id: int, name: bytes, state: Bought, reason: int, said: bytes) -> None:
    """Takes the first answer to an order that waits for one; any other is left."""
    row = tx.one(
        "UPDATE shop_purchase SET state = ?, reason = ?, said = ? WHERE contact = ? AND name = ? AND state = ?"
        " RETURNING id",
        (state, reason, said, contact_id, name, Bought.ORDERED),
    )
    if row is not None:
        tx.changed(CHANGED, row[0])


def _purchase(tx: Tx, where: str, *params: object) -> Purchase | None:
    row = tx.one(f"SELECT {_PURCHASE} FROM shop_purchase WHERE {where}", params)
    return None if row is None else _as_purchase(row)


def _as_purchase(row: Row) -> Purchase:
    purchase_id, contact, name, offer, title, unit, quantity, price, tip, note, amount, *rest = row
    at_ms, until_ms, state, reason, invoice, said, payment = rest
    about = (purchase_id, contact, name, offer, title, unit, quantity, price, tip, note, amount, at_ms, until_ms)
    return Purchase(*about, Bought(state), reason, invoice, said, payment)
