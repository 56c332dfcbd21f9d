"""What a shop sells, and to whom, as rows.

    ASKED ──invoice──> OPEN ──paid, receipt──> PAID
      └──> REFUSED      └──not paid, a day after its time──> forgotten

Not here: what is done about them (counter.py), how they are shown (slips.py), what was bought elsewhere (purchases.py).
"""

from dataclasses import dataclass
from enum import IntEnum

from features.shop.content import Order
from ledger.payment import Stage
from protocol import record
from store.database import Migration, Row, Tx

CHANGED = "shop.sales"  # a topic: its key is the row of a sale
_OFFER = "id, offer, title, unit, amount, link, made_ms, closed"
_SALE = (
    "id, contact, name, offer, quantity, price, tip, note, at_ms, state, reason, title, unit, amount, expires_ms,"
    " invoice, said, pay"
)
_TAKEN = f"{int(Stage.ACCEPTED)}, {int(Stage.REFUNDING)}"
_SALES = ", ".join(f"s.{one}" for one in _SALE.split(", "))

MIGRATIONS = (
    Migration(
        "shop",
        1,
        """
        CREATE TABLE shop_offer (
          id INTEGER PRIMARY KEY, offer BLOB NOT NULL UNIQUE, title TEXT NOT NULL, unit TEXT NOT NULL,
          amount INTEGER NOT NULL, link BLOB NOT NULL, made_ms INTEGER NOT NULL, closed INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE shop_sale (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, name BLOB NOT NULL, offer BLOB NOT NULL,
          quantity INTEGER NOT NULL, price INTEGER NOT NULL, tip INTEGER NOT NULL, note TEXT NOT NULL,
          at_ms INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL, title TEXT NOT NULL,
          unit TEXT NOT NULL, amount INTEGER NOT NULL, expires_ms INTEGER NOT NULL, invoice BLOB NOT NULL,
          said BLOB NOT NULL, pay BLOB NOT NULL, UNIQUE (contact, name)
        ) STRICT;
        CREATE INDEX shop_sale_state ON shop_sale (state, expires_ms);
        CREATE INDEX shop_sale_contact ON shop_sale (contact, at_ms);
        CREATE INDEX shop_sale_offer ON shop_sale (offer) WHERE state = 2;
        CREATE INDEX shop_sale_pay ON shop_sale (pay) WHERE pay != x'';
        """,
    ),
)


class Sold(IntEnum):
    """How far a sale is. The numbers are stored."""

    ASKED = 0
    OPEN = 1  # the customer has its invoice
    PAID = 2  # and its receipt is written
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Ware:
    """What is sold. amount: of one, 0 where the customer says it. link: b"" for none."""

    id: int
    offer: bytes
    title: str
    unit: str
    amount: int
    link: bytes
    made_ms: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Sale:
    """An order at our shop. amount: all of it. said: the bytes of its invoice, invoice: their name; b"" before."""

    id: int
    contact: int
    name: bytes
    offer: bytes
    quantity: int
    price: int
    tip: int
    note: str
    at_ms: int
    state: Sold
    reason: int
    title: str
    unit: str
    amount: int
    expires_ms: int
    invoice: bytes
    said: bytes
    pay: bytes

    @property
    def order(self) -> Order:
        """As it was said."""
        return Order(self.name, self.offer, self.quantity, self.price, self.tip, self.note)


# --- rows: what is sold


def sell(tx: Tx, offer: bytes, title: str, unit: str, amount: int, link: bytes, now_ms: int) -> Ware:
    """Something is sold from now on."""
    row = tx.insert(
        "INSERT INTO shop_offer (offer, title, unit, amount, link, made_ms, closed) VALUES (?, ?, ?, ?, ?, ?, 0)",
        (offer, title, unit, amount, link, now_ms),
    )
    return Ware(row, offer, title, unit, amount, link, now_ms, closed=False)


def close(tx: Tx, ware_id: int) -> None:
    """It is sold no more."""
    tx.execute("UPDATE shop_offer SET closed = 1 WHERE id = ?", (ware_id,))


def wares(tx: Tx) -> tuple[Ware, ...]:
    """What is sold and was, the oldest first."""
    return tuple(map(_ware, tx.all(f"SELECT {_OFFER} FROM shop_offer ORDER BY id")))


def ware(tx: Tx, offer: bytes) -> Ware | None:
    """What is sold under this id."""
    row = tx.one(f"SELECT {_OFFER} FROM shop_offer WHERE offer = ?", (offer,))
    return None if row is None else _ware(row)


def sold(tx: Tx, offer: bytes) -> tuple[int, int]:
    """How many of it were paid for, and how much that was."""
    row = tx.one("SELECT SUM(quantity), SUM(amount) FROM shop_sale WHERE offer = ? AND state = 2", (offer,))
    assert row is not None
    return row[0] or 0, row[1] or 0


# --- rows: sales


def refuse(tx: Tx, sale_id: int, reason: int) -> Sale:
    """There is no invoice for this order."""
    tx.execute(
        "UPDATE shop_sale SET state = ?, reason = ?, expires_ms = at_ms WHERE id = ?", (Sold.REFUSED, reason, sale_id)
    )
    return _told(tx, sale_id)


def bill(tx: Tx, sale_id: int, of: Ware, amount: int, expires_ms: int, invoice: bytes, said: bytes) -> Sale:
    """An order has its invoice."""
    tx.execute(
        "UPDATE shop_sale SET state = ?, title = ?, unit = ?, amount = ?, expires_ms = ?, invoice = ?, said = ?"
        " WHERE id = ?",
        (Sold.OPEN, of.title, of.unit, amount, expires_ms, invoice, said, sale_id),
    )
    return _told(tx, sale_id)


def paid(tx: Tx, sale_id: int, pay: bytes) -> None:
    """It is paid, and the receipt is written."""
    tx.execute("UPDATE shop_sale SET state = ?, pay = ? WHERE id = ?", (Sold.PAID, pay, sale_id))
    tx.changed(CHANGED, sale_id)


def drop(tx: Tx, sale_id: int) -> None:
    """An order that nobody pays any more, or that was refused long ago."""
    tx.execute("DELETE FROM shop_sale WHERE id = ?", (sale_id,))


def sale(tx: Tx, sale_id: int) -> Sale | None:
    """The sale in this row."""
    return _sale(tx, "id = ?", sale_id)


def paid_by(tx: Tx, contact: int, pay: bytes) -> Sale | None:
    """The sale that a payment was for."""
    return _sale(tx, "pay = ? AND pay != x'' AND contact = ?", pay, contact)


def asked(tx: Tx) -> tuple[Sale, ...]:
    """The orders that nobody has looked at, the oldest first."""
    return tuple(map(_as_sale, tx.all(f"SELECT {_SALE} FROM shop_sale WHERE state = ? ORDER BY id", (Sold.ASKED,))))


def settled(tx: Tx) -> tuple[tuple[Sale, bytes], ...]:
    """The sales that are paid in whole and have no receipt yet, each with its payment."""
    rows = tx.all(
        f"SELECT {_SALES}, p.pay FROM shop_sale s CROSS JOIN payment p ON p.of = s.invoice AND p.of != x''"
        " WHERE s.state = 1 AND p.contact = s.contact AND p.mine = 0 AND p.cause = 5 AND p.stage = 5"
        " AND p.unit = s.unit AND p.amount = s.amount ORDER BY s.id, p.id"
    )
    return tuple((_as_sale(row[:-1]), row[-1]) for row in rows)


def stale(tx: Tx, before_ms: int) -> tuple[Sale, ...]:
    """The sales whose invoice was over before this moment, and the orders that came before it and were refused.

    One that was accepted is none of them: it is paid as soon as the customer's word for it comes.
    """
    rows = tx.all(
        f"SELECT {_SALES} FROM shop_sale s WHERE state IN (1, 3) AND expires_ms < ? AND NOT EXISTS ("
        "SELECT 1 FROM payment p WHERE p.of = s.invoice AND p.of != x'' AND p.contact = s.contact AND p.mine = 0"
        f" AND p.cause = 5 AND (p.stage = 5 OR (p.stage IN ({_TAKEN}) AND p.lapsed = 0)))",
        (before_ms,),
    )
    return tuple(map(_as_sale, rows))


def sales(tx: Tx, limit: int) -> tuple[Sale, ...]:
    """The newest sales, the newest first."""
    return tuple(map(_as_sale, tx.all(f"SELECT {_SALE} FROM shop_sale ORDER BY id DESC LIMIT ?", (limit,))))


def ask(tx: Tx, contact: int, said: Order, now_ms: int) -> None:
    """Keeps an order that nobody has looked at."""
    row = tx.insert(
        "INSERT INTO shop_sale (contact, name, offer, quantity, price, tip, note, at_ms, state, reason, title, unit,"
        " amount, expires_ms, invoice, said, pay)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', '', 0, 0, x'', x'', x'')",
        (contact, *record.fields(said), now_ms),
    )
    tx.changed(CHANGED, row)


def asked_by(tx: Tx, contact: int, since_ms: int, now_ms: int) -> tuple[int, int]:
    """How many orders of a contact came since a moment, and how many of all of his are not paid."""
    since = tx.one("SELECT COUNT(*) FROM shop_sale WHERE contact = ? AND at_ms > ?", (contact, since_ms))
    unpaid = tx.one(
        "SELECT COUNT(*) FROM shop_sale WHERE contact = ? AND (state = 0 OR (state = 1 AND expires_ms > ?))",
        (contact, now_ms),
    )
    assert since is not None
    assert unpaid is not None
    return int(since[0]), int(unpaid[0])


def named(tx: Tx, contact: int, name: bytes) -> Sale | None:
    """The order of this name."""
    return _sale(tx, "contact = ? AND name = ?", contact, name)


def _told(tx: Tx, sale_id: int) -> Sale:
    tx.changed(CHANGED, sale_id)
    found = sale(tx, sale_id)
    assert found is not None
    return found


def _sale(tx: Tx, where: str, *params: object) -> Sale | None:
    row = tx.one(f"SELECT {_SALE} FROM shop_sale WHERE {where}", params)
    return None if row is None else _as_sale(row)


def _ware(row: Row) -> Ware:
    ware_id, offer, title, unit, amount, link, made_ms, closed = row
    return Ware(ware_id, offer, title, unit, amount, link, made_ms, bool(closed))


def _as_sale(row: Row) -> Sale:
    sale_id, contact, name, offer, quantity, price, tip, note, at_ms, state, *rest = row
    return Sale(sale_id, contact, name, offer, quantity, price, tip, note, at_ms, Sold(state), *rest)
