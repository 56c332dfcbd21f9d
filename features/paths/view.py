"""What this room keeps: caps, promises, searches, invoices of ours, and what we pay by invoices or clear in rings.

    payment:  SEARCHING ──way──> LOCKED ──revealed──> PAID        OFFERED ──settled──> PAID
                 ^                 │ released            (the payee is a contact) │ declined, came back
                 └────another way──┘<─────────────────────────────────────────────┘      no way: FAILED

Locks themselves are entries of ledgers. Not here: what is done next (clerk.py), what people see (lines.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from crypto.faults import Malformed
from ledger.finding import Search
from ledger.path import Cap, Route
from protocol import record, wire
from protocol.probe import Found, Probe
from store.database import Migration, Tx
from store.inbox import Arrival

MIGRATIONS = (
    Migration(
        "paths",
        1,
        """
        CREATE TABLE path_cap (
          contact INTEGER NOT NULL, unit TEXT NOT NULL, each INTEGER NOT NULL, total INTEGER NOT NULL,
          PRIMARY KEY (contact, unit)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE path_route (
          id INTEGER PRIMARY KEY, search BLOB NOT NULL, mark BLOB NOT NULL, key BLOB NOT NULL, before BLOB NOT NULL,
          after BLOB NOT NULL, unit TEXT NOT NULL, amount INTEGER NOT NULL, hop INTEGER NOT NULL,
          is_ring INTEGER NOT NULL, until_ms INTEGER NOT NULL, came BLOB NOT NULL, onward BLOB NOT NULL
        ) STRICT;
        CREATE TABLE path_search (
          search BLOB NOT NULL PRIMARY KEY, asks BLOB NOT NULL, came BLOB NOT NULL, before BLOB NOT NULL,
          waiting BLOB NOT NULL, rest BLOB NOT NULL, until_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE path_word (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, is_question INTEGER NOT NULL, said BLOB NOT NULL
        ) STRICT;
        CREATE TABLE path_rate (
          contact INTEGER NOT NULL PRIMARY KEY, since_ms INTEGER NOT NULL, count INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE path_invoice (
          id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, raw BLOB NOT NULL, preimage BLOB NOT NULL,
          hash BLOB NOT NULL UNIQUE, unit TEXT NOT NULL, amount INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
          made_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE path_payment (
          id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, raw BLOB NOT NULL, hash BLOB NOT NULL, unit TEXT NOT NULL,
          amount INTEGER NOT NULL, state INTEGER NOT NULL, key BLOB NOT NULL, preimage BLOB NOT NULL,
          search BLOB NOT NULL, contact INTEGER NOT NULL, pay BLOB NOT NULL, tried BLOB NOT NULL,
          made_ms INTEGER NOT NULL, reason INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX path_payment_hash ON path_payment (hash);
        CREATE INDEX path_payment_open ON path_payment (id) WHERE state < 3;
        """,
    ),
)
CHANGED = "path"  # topic: a payment of this room; its key is its row
HEARD = "paths.heard"  # topic: a contact has asked or answered; its key is the contact
INVOICED = "invoice"  # topic: an invoice of ours; its key is its row
RATE_MS = 600_000
RATE_MAX = 60  # questions of one contact in that time; those beyond are answered with nothing
WORDS_MAX = 16  # of one contact that wait to be looked at
PROBE_BYTES_MAX = 2048
_ROUTE = "search, mark, key, before, after, unit, amount, hop, is_ring, until_ms, came, onward"
_PAYMENT = "id, name, raw, hash, unit, amount, state, key, preimage, search, contact, pay, tried, made_ms, reason"
_INVOICE = "id, name, raw, preimage, hash, unit, amount, expires_ms, made_ms"


class State(IntEnum):
    """How far a payment is. The numbers are stored; those below 3 go on."""

    SEARCHING = 0
    LOCKED = 1
    OFFERED = 2
    PAID = 3
    FAILED = 4


class Why(IntEnum):
    """Why a payment ended without being made. The numbers are stored."""

    NONE = 0
    NOBODY_ALLOWS = 1  # no contact lets us owe so much
    NOWHERE = 2  # nobody who was asked knows a way
    LATE = 3
    RELEASED = 4  # each way that was tried was given up further on
    NO_RING = 5
    LAPSED = 6  # the ledger in which it was offered was begun anew
    COUNTED = 7  # the ledger in which it was locked was: it may have been paid, and the sum stands for it


@dataclass(frozen=True, slots=True)
class Paying:
    """What we pay by an invoice, or a ring that we began: then raw is empty, and key and preimage are ours.

    search: that waits for answers, b"" for none. contact: who carries it, 0 for nobody; tried: who gave it up before.
    """

    id: int
    name: bytes
    raw: bytes = field(repr=False)
    hash: bytes
    unit: str
    amount: int
    state: State
    key: bytes = field(repr=False)
    preimage: bytes = field(repr=False)
    search: bytes
    contact: int
    pay: bytes
    tried: tuple[int, ...]
    made_ms: int
    reason: Why

    @property
    def is_ring(self) -> bool:
        return not self.raw


@dataclass(frozen=True, slots=True)
class Wanted:
    """An invoice of ours."""

    id: int
    name: bytes
    raw: bytes = field(repr=False)
    preimage: bytes = field(repr=False)
    hash: bytes
    unit: str
    amount: int
    expires_ms: int
    made_ms: int


# --- what contacts say


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Takes in a question or an answer about a way, to be looked at soon; answers at once who asks too often."""
    said, contact_id = arrival.said.content, arrival.contact.id
    is_question = isinstance(said, Probe)
    if not is_question and tx.one("SELECT 1 FROM path_search WHERE search = ?", (said.search,)) is None:
        return ()
    row = tx.one("SELECT COUNT(*) FROM path_word WHERE contact = ?", (contact_id,))
    assert row is not None
    if row[0] >= WORDS_MAX or (is_question and _is_too_often(tx, contact_id, arrival.now_ms)):
        return (Found(said.search, 0),) if is_question else ()
    raw = record.encode(said)
    tx.execute("INSERT INTO path_word (contact, is_question, said) VALUES (?, ?, ?)", (contact_id, is_question, raw))
    tx.changed(HEARD, contact_id)
    return ()


def _is_too_often(tx: Tx, contact_id: int, now_ms: int) -> bool:
    row = tx.one("SELECT since_ms, count FROM path_rate WHERE contact = ?", (contact_id,))
    since_ms, count = row if row is not None and 0 <= now_ms - row[0] < RATE_MS else (now_ms, 0)
    tx.execute("INSERT OR REPLACE INTO path_rate VALUES (?, ?, ?)", (contact_id, since_ms, count + 1))
    return bool(count >= RATE_MAX)


def next_word(tx: Tx) -> tuple[int, Probe | Found] | None:
    """The oldest word that nobody has looked at, with the contact who said it; it is taken away."""
    row = tx.one("SELECT id, contact, is_question, said FROM path_word ORDER BY id LIMIT 1")
    if row is None:
        return None
    number, contact_id, is_question, raw = row
    tx.execute("DELETE FROM path_word WHERE id = ?", (number,))
    kind: type[Probe | Found] = Probe if is_question else Found
    return contact_id, record.decode(kind, raw, PROBE_BYTES_MAX)


# --- caps, promises, searches


def caps(tx: Tx) -> dict[int, dict[str, Cap]]:
    """By contact and unit: what is passed on for others."""
    found: dict[int, dict[str, Cap]] = {}
    for contact_id, unit, each, total in tx.all("SELECT contact, unit, each, total FROM path_cap ORDER BY 1, 2"):
        found.setdefault(contact_id, {})[unit] = Cap(each, total)
    return found


def put_cap(tx: Tx, contact_id: int, unit: str, cap: Cap) -> None:
    """Passes on over a contact from now on."""
    row = (contact_id, unit, cap.each, cap.total)
    tx.execute("INSERT OR REPLACE INTO path_cap (contact, unit, each, total) VALUES (?, ?, ?, ?)", row)


def drop_caps(tx: Tx, contact_id: int) -> int:
    """Passes nothing on over a contact; returns for how many units something was."""
    found: int = tx.execute("DELETE FROM path_cap WHERE contact = ?", (contact_id,)).rowcount
    return found


def routes(tx: Tx) -> tuple[Route, ...]:
    """All promises and all that was passed on, the oldest first."""
    return tuple(map(_route, tx.all(f"SELECT {_ROUTE} FROM path_route ORDER BY id")))


def _route(row: Sequence[Any]) -> Route:
    search, mark, key, before, after, unit, amount, hop, is_ring, until_ms, came, onward = row
    of = (search, mark, key, before, after, unit, amount, hop)
    return Route(*of, bool(is_ring), until_ms, came or None, onward or None)


def keep_route(tx: Tx, route: Route) -> None:
    """Keeps a promise, or that it was used: in place of the promise."""
    drop_route(tx, route)
    values = (
        *(route.search, route.mark, route.key, route.before, route.after, route.unit, route.amount, route.hop),
        *(int(route.is_ring), route.until_ms, route.came or b"", route.onward or b""),
    )
    tx.execute(f"INSERT INTO path_route ({_ROUTE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def drop_route(tx: Tx, route: Route) -> None:
    """Forgets a promise."""
    of = (route.search, route.before, route.after, route.mark)
    tx.execute("DELETE FROM path_route WHERE search = ? AND before = ? AND after = ? AND mark = ?", of)


def searches(tx: Tx) -> tuple[tuple[Search, int], ...]:
    """All that wait for answers, with until when (ms)."""
    rows = tx.all("SELECT asks, came, before, waiting, rest, until_ms FROM path_search ORDER BY until_ms, search")
    return tuple((_search(*of), until_ms) for *of, until_ms in rows)


def keep_search(tx: Tx, one: Search, until_ms: int) -> None:
    """Keeps a search as it stands."""
    came = b"" if one.came is None else record.encode(one.came)
    row = (one.probe.search, record.encode(one.probe), came, one.before or b"", *map(_pairs, (one.waiting, one.rest)))
    tx.execute("INSERT OR REPLACE INTO path_search VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, until_ms))


def drop_search(tx: Tx, search: bytes) -> None:
    """A search is over."""
    tx.execute("DELETE FROM path_search WHERE search = ?", (search,))


def _search(asks: bytes, came: bytes, before: bytes, waiting: bytes, rest: bytes) -> Search:
    asked = record.decode(Probe, came, PROBE_BYTES_MAX) if came else None
    probe = record.decode(Probe, asks, PROBE_BYTES_MAX)
    return Search(probe, before or None, _pairs_of(waiting), _pairs_of(rest), asked)


def _pairs(found: Sequence[tuple[bytes, int]]) -> bytes:
    return wire.encode(tuple(found))


def _pairs_of(raw: bytes) -> tuple[tuple[bytes, int], ...]:
    found: Any = wire.decode(raw, PROBE_BYTES_MAX)
    if not isinstance(found, tuple):
        raise Malformed
    return found


# --- payments and invoices


def payment(tx: Tx, row_id: int) -> Paying | None:
    """The payment in this row."""
    row = tx.one(f"SELECT {_PAYMENT} FROM path_payment WHERE id = ?", (row_id,))
    return None if row is None else _paying(row)


def payment_called(tx: Tx, name: bytes) -> Paying | None:
    """The payment of an invoice, by its hash."""
    row = tx.one(f"SELECT {_PAYMENT} FROM path_payment WHERE name = ?", (name,))
    return None if row is None else _paying(row)


def payment_of_search(tx: Tx, search: bytes) -> Paying | None:
    """The payment for which a way is looked for."""
    return next((one for one in going(tx) if one.search == search), None)


def is_own(tx: Tx, hash_: bytes) -> bool:
    """Whether a payment of this room was ever locked by this hash."""
    return tx.one("SELECT 1 FROM path_payment WHERE hash = ?", (hash_,)) is not None


def going(tx: Tx) -> tuple[Paying, ...]:
    """The payments that are not over, the oldest first."""
    return tuple(map(_paying, tx.all(f"SELECT {_PAYMENT} FROM path_payment WHERE state < 3 ORDER BY id")))


def all_payments(tx: Tx, limit: int) -> tuple[Paying, ...]:
    """The payments of this room, the newest first."""
    return tuple(map(_paying, tx.all(f"SELECT {_PAYMENT} FROM path_payment ORDER BY id DESC LIMIT ?", (limit,))))


def keep_payment(tx: Tx, one: Paying) -> Paying:
    """Keeps a payment as it stands; row 0 is a new one."""
    tried = wire.encode(one.tried)
    values = (
        *(one.name, one.raw, one.hash, one.unit, one.amount, int(one.state), one.key, one.preimage, one.search),
        *(one.contact, one.pay, tried, one.made_ms, int(one.reason)),
    )
    if one.id:
        names = _PAYMENT.split(", ")[1:]
        tx.execute(f"UPDATE path_payment SET {' = ?, '.join(names)} = ? WHERE id = ?", (*values, one.id))
        row_id = one.id
    else:
        columns = _PAYMENT.removeprefix("id, ")
        row_id = tx.insert(f"INSERT INTO path_payment ({columns}) VALUES ({', '.join('?' * 14)})", values)
    tx.changed(CHANGED, row_id)
    found = payment(tx, row_id)
    assert found is not None
    return found


def invoices(tx: Tx, limit: int) -> tuple[Wanted, ...]:
    """Our invoices, the newest first."""
    return tuple(
        Wanted(*row) for row in tx.all(f"SELECT {_INVOICE} FROM path_invoice ORDER BY id DESC LIMIT ?", (limit,))
    )


def invoice(tx: Tx, row_id: int) -> Wanted | None:
    """The invoice in this row."""
    row = tx.one(f"SELECT {_INVOICE} FROM path_invoice WHERE id = ?", (row_id,))
    return None if row is None else Wanted(*row)


def invoice_called(tx: Tx, name: bytes) -> Wanted | None:
    """An invoice of ours by its hash."""
    row = tx.one(f"SELECT {_INVOICE} FROM path_invoice WHERE name = ?", (name,))
    return None if row is None else Wanted(*row)


def invoice_locked(tx: Tx, hash_: bytes) -> Wanted | None:
    """An invoice of ours by the hash of its lock."""
    row = tx.one(f"SELECT {_INVOICE} FROM path_invoice WHERE hash = ?", (hash_,))
    return None if row is None else Wanted(*row)


def tell_invoice(tx: Tx, row_id: int) -> None:
    """Something became of an invoice of ours."""
    tx.changed(INVOICED, row_id)


def keep_invoice(tx: Tx, row: Sequence[object]) -> int:
    """A new invoice of ours: all columns but the id, in order."""
    columns = _INVOICE.removeprefix("id, ")
    row_id: int = tx.insert(f"INSERT INTO path_invoice ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    tx.changed(INVOICED, row_id)
    return row_id


def _paying(row: Sequence[Any]) -> Paying:
    of: Any = wire.decode(row[12], PROBE_BYTES_MAX)
    row_id, name, raw, hash_, unit, amount, state, key, preimage, search, contact, pay, _, made_ms, reason = row
    begun = (row_id, name, raw, hash_, unit, amount, State(state), key, preimage, search, contact, pay)
    return Paying(*begun, of, made_ms, Why(reason))
