"""Payments, requests and balances as rows, for lists, statements and sums: what the tabs have come to.

All of it follows from the entries of the ledgers (tabs.py writes it). Not here: what is taken without asking the person
(expected.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ledger.payment import Stage
from ledger.terms import Cause
from protocol import ids
from protocol.faults import quoted
from protocol.grant import Role
from store import spaces
from store.database import Row, Tx
from store.faults import AmbiguousPayment, UnknownPayment

CHANGED = "payment"  # a topic: its key is the row of a payment
ASKED = "request"  # a topic: its key is the row of a request
_PAYMENT = (
    "id, contact, mine, pay, unit, amount, stage, offered_ms, changed_ms, expires_ms, memo, cause, of, hop,"
    " generation, lapsed"
)
_REQUEST = "id, contact, mine, request, unit, amount, due_ms, memo, cause, of, at_ms, state"
NO_DAY = 0  # due_ms


class Asking(IntEnum):
    """What a request is. Whether it was paid, its payment says."""

    OPEN = 0
    WITHDRAWN = 1
    REFUSED = 2
    LAPSED = 3  # the ledger was begun anew


_SETTLED, _OPEN = int(Stage.SETTLED), int(Asking.OPEN)  # literals: a partial index is not found by a parameter
_IS_OPEN = f"stage < {_SETTLED} AND lapsed = 0"
_UNFOUND = -1
TOLD_MAX = 1000  # payments of which watchers are told at once; who was away reads lists anyway
_ROW_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment. mine: whether we pay it; changed_ms: when its stage became this one, by the clock of who wrote so.

    hop: of a lock, 0 for what needs no preimage. generation: of the ledger; lapsed: another one is in force, so that a
    stage that is not final stays what it was.
    """

    id: int
    contact: int
    mine: bool
    pay: bytes
    unit: str
    amount: int
    stage: Stage
    offered_ms: int
    changed_ms: int
    expires_ms: int
    memo: str
    cause: int
    of: bytes
    hop: int
    generation: int
    lapsed: int

    @property
    def is_open(self) -> bool:
        """Whether it can still come to something."""
        return not self.stage.is_final and not self.lapsed


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. mine: whether we ask. due_ms: 0 for no day."""

    id: int
    contact: int
    mine: bool
    request: bytes
    unit: str
    amount: int
    due_ms: int
    memo: str
    cause: int
    of: bytes
    at_ms: int
    state: Asking


@dataclass(frozen=True, slots=True)
class Balance:
    """What a contact owes us of a unit, negative where we owe him; allowed: by us to him; credit: by him to us."""

    contact: int
    unit: str
    owed: int
    allowed: int
    credit: int


def begun(
    tx: Tx,
    generation: int,
    rows: Sequence[tuple[int, bool, bytes, str, int, Stage, int, int, int, str, int, bytes, int]],
) -> None:
    """Keeps payments that began: all columns from contact to hop, in order."""
    tx.executemany(
        "INSERT INTO payment (contact, mine, pay, unit, amount, stage, offered_ms, changed_ms, expires_ms, memo, cause,"
        " of, hop, generation, lapsed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (contact, mine, pay, generation)"
        " DO UPDATE SET stage = excluded.stage, changed_ms = excluded.changed_ms",
        [
            (contact, int(mine), pay, unit, amount, int(stage), *rest, generation)
            for contact, mine, pay, unit, amount, stage, *rest in rows
        ],
    )


def moved(tx: Tx, generation: int, rows: Sequence[tuple[int, bool, bytes, Stage, int]]) -> None:
    """Notes new stages, and since when (ms): (contact, mine, pay, stage, changed_ms)."""
    tx.executemany(
        "UPDATE payment SET stage = ?, changed_ms = ? WHERE contact = ? AND mine = ? AND pay = ? AND generation = ?",
        [(int(stage), at_ms, contact, int(mine), pay, generation) for contact, mine, pay, stage, at_ms in rows],
    )


def tell(tx: Tx, keys: Iterable[tuple[int, bool, bytes]]) -> None:
    """Tells watchers of these payments: (contact, mine, pay)."""
    for contact, mine, pay in keys:
        row = found(tx, contact, mine, pay)
        assert row is not None
        tx.changed(CHANGED, row.id)


def lapse(tx: Tx, contact: int, generation: int) -> None:
    """This generation of the ledger with a contact is in force: what is open in others stays as it was last seen."""
    rows = tx.all(
        "UPDATE payment SET lapsed = generation != ?2 WHERE contact = ?1 AND lapsed != (generation != ?2) RETURNING id",
        (contact, generation),
    )
    for (payment_id,) in rows[-TOLD_MAX:]:
        tx.changed(CHANGED, payment_id)
    over, back = (int(Asking.LAPSED), int(Asking.OPEN)), (int(Asking.OPEN), int(Asking.LAPSED))
    for to, state, is_other in ((*over, 1), (*back, 0)):
        tx.execute(
            "UPDATE request SET state = ? WHERE contact = ? AND state = ? AND (generation != ?) = ?",
            (to, contact, state, generation, is_other),
        )


def stages(tx: Tx, contact: int, generation: int) -> dict[tuple[bool, bytes], Stage]:
    """The payments of a tab as they stand here: (mine, pay) -> stage."""
    rows = tx.all(
        "SELECT mine, pay, stage FROM payment WHERE contact = ? AND generation = ?",
        (contact, generation),
    )
    return {(bool(mine), pay): Stage(stage) for mine, pay, stage in rows}


def drop(tx: Tx, generation: int, keys: Iterable[tuple[int, bool, bytes]]) -> None:
    """Payments that are in no ledger any more: nobody had been shown them."""
    tx.executemany(
        "DELETE FROM payment WHERE contact = ? AND mine = ? AND pay = ? AND generation = ?",
        [(contact, int(mine), pay, generation) for contact, mine, pay in keys],
    )


def forget_requests(tx: Tx, contact: int, generation: int) -> None:
    """Marks the requests of a tab as in no ledger; `ask` finds them again, `drop_requests` drops the others."""
    tx.execute(
        "UPDATE request SET state = ? WHERE contact = ? AND generation = ?",
        (_UNFOUND, contact, generation),
    )


def drop_requests(tx: Tx, contact: int) -> None:
    """See `forget_requests`."""
    tx.execute("DELETE FROM request WHERE contact = ? AND state = ?", (contact, _UNFOUND))


def ask(
    tx: Tx, contact: int, generation: int, mine: bool, row: tuple[bytes, str, int, int, str, int, bytes, int]
) -> None:
    """Keeps a request: id, unit, amount, due_ms, memo, cause, of, at_ms. One that is there already stays."""
    found = tx.one(
        "INSERT INTO request (contact, mine, request, unit, amount, due_ms, memo, cause, of, at_ms, state, generation)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (contact, mine, request, generation)"
        f" DO UPDATE SET state = excluded.state WHERE state = {_UNFOUND} RETURNING id",
        (contact, int(mine), *row, int(Asking.OPEN), generation),
    )
    if found is not None:
        tx.changed(ASKED, found[0])


def dismiss(tx: Tx, contact: int, generation: int, mine: bool, request: bytes, state: Asking) -> None:
    """A request is over."""
    row = tx.one(
        "UPDATE request SET state = ? WHERE contact = ? AND mine = ? AND request = ? AND state = ? AND generation = ?"
        " RETURNING id",
        (int(state), contact, int(mine), request, int(Asking.OPEN), generation),
    )
    if row is not None:
        tx.changed(ASKED, row[0])


def drop_balances(tx: Tx, contact: int) -> None:
    """Forgets how a tab stands: all of it is written anew."""
    tx.execute("DELETE FROM balance WHERE contact = ?", (contact,))


def balance(tx: Tx, contact: int, unit: str, owed: int, allowed: int, credit: int) -> None:
    """Notes how a tab stands in a unit."""
    tx.execute(
        "INSERT INTO balance (contact, unit, owed, allowed, credit) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (contact, unit) DO UPDATE SET owed = excluded.owed, allowed = excluded.allowed,"
        " credit = excluded.credit",
        (contact, unit, owed, allowed, credit),
    )


def balances(tx: Tx) -> tuple[Balance, ...]:
    """All that is owed or allowed, by contact and unit."""
    return tuple(
        Balance(*row) for row in tx.all("SELECT contact, unit, owed, allowed, credit FROM balance ORDER BY 1, 2")
    )


def partners(tx: Tx) -> tuple[int, ...]:
    """The contacts with whom a ledger was begun, by either side."""
    rows = tx.all(
        "SELECT contact FROM space WHERE role = ? AND contact != ? UNION"
        " SELECT r.contact FROM space s JOIN reader r ON r.log = s.log WHERE s.role = ? AND s.contact = ?",
        (Role.LEDGER, spaces.OURS, Role.LEDGER, spaces.OURS),
    )
    return tuple(row[0] for row in rows)


def payment(tx: Tx, payment_id: int) -> Paid | None:
    """The payment in this row."""
    row = tx.one(f"SELECT {_PAYMENT} FROM payment WHERE id = ?", (payment_id,))
    return None if row is None else _paid(row)


def request(tx: Tx, request_id: int) -> Asked | None:
    """The request in this row."""
    row = tx.one(f"SELECT {_REQUEST} FROM request WHERE id = ?", (request_id,))
    return None if row is None else _asked(row)


def found(tx: Tx, contact: int, mine: bool, pay: bytes) -> Paid | None:
    """A payment by its name, of the newest generation that has one."""
    row = tx.one(
        f"SELECT {_PAYMENT} FROM payment WHERE contact = ? AND mine = ? AND pay = ? ORDER BY generation DESC LIMIT 1",
        (contact, int(mine), pay),
    )
    return None if row is None else _paid(row)


def asked(tx: Tx, contact: int, mine: bool, request: bytes) -> Asked | None:
    """A request by its name, of the newest generation that has one."""
    row = tx.one(
        f"SELECT {_REQUEST} FROM request WHERE contact = ? AND mine = ? AND request = ?"
        " ORDER BY generation DESC LIMIT 1",
        (contact, int(mine), request),
    )
    return None if row is None else _asked(row)


def open_payments(tx: Tx) -> tuple[Paid, ...]:
    """The payments that are not over, the oldest first."""
    return tuple(map(_paid, tx.all(f"SELECT {_PAYMENT} FROM payment WHERE {_IS_OPEN} ORDER BY id")))


def open_requests(tx: Tx) -> tuple[Asked, ...]:
    """The requests that nobody has dismissed, the oldest first; those that were paid are among them."""
    return tuple(map(_asked, tx.all(f"SELECT {_REQUEST} FROM request WHERE state = {_OPEN} ORDER BY id")))


def asked_beyond(tx: Tx, contact: int, count: int, limit: int) -> tuple[bytes, ...]:
    """Names of requests of a contact that nobody has paid or dismissed: of those beyond so many, the oldest."""
    of = f"FROM request r WHERE contact = ? AND mine = 0 AND state = {_OPEN}"
    if tx.one(f"SELECT 1 {of} LIMIT 1 OFFSET ?", (contact, count)) is None:
        return ()
    rows = tx.all(
        f"SELECT request {of} AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.of = r.request AND p.of != x''"
        f" AND p.contact = r.contact AND p.mine = 1 AND p.cause = ? AND p.stage = {_SETTLED})"
        " ORDER BY id LIMIT ? OFFSET ?",
        (contact, int(Cause.REQUEST), limit, count),
    )
    return tuple(name for (name,) in rows)


def offered(tx: Tx, cause: Cause) -> tuple[Paid, ...]:
    """Offers to us of this cause that nobody has answered, the oldest first."""
    of = f"stage < {_SETTLED} AND stage = {int(Stage.OFFERED)} AND mine = 0 AND cause = {int(cause)}"
    return tuple(map(_paid, tx.all(f"SELECT {_PAYMENT} FROM payment WHERE {of} ORDER BY id")))


def by_request(tx: Tx, one: Asked) -> Paid | None:
    """The newest payment that answers a request, of those that are settled where there is one."""
    sql = f"SELECT {_PAYMENT} FROM payment WHERE of = ? AND of != x'' AND contact = ? AND mine = ? AND cause = ?"
    of = (one.request, one.contact, int(not one.mine), Cause.REQUEST)
    settled = tx.one(f"{sql} AND +stage = {_SETTLED} ORDER BY id DESC LIMIT 1", of)
    row = settled or tx.one(f"{sql} ORDER BY id DESC LIMIT 1", of)
    return None if row is None else _paid(row)


def became(one: Asked, answer: Paid | None) -> str:
    """What became of a request, by the payment that answers it (`by_request`).

    "open", "paying", "paid", "withdrawn", "refused" or "lapsed".
    """
    if answer is not None and answer.stage is Stage.SETTLED:
        return "paid"
    if one.state is not Asking.OPEN:
        return one.state.name.lower()
    return "paying" if answer is not None and answer.is_open else "open"


def why(tx: Tx, one: Paid) -> int:
    """Why a payment is made: of one that answers a request, why it was asked for."""
    if one.cause != Cause.REQUEST:
        return one.cause
    found = asked(tx, one.contact, not one.mine, one.of)
    return one.cause if found is None or not found.cause else found.cause


def refunded(tx: Tx, original: Paid) -> int:
    """How much of a payment was given back, or is on its way back."""
    row = tx.one(
        "SELECT TOTAL(amount) FROM payment WHERE of = ? AND of != x'' AND contact = ? AND mine = ? AND cause = ?"
        " AND stage NOT IN (?, ?) AND (stage >= 5 OR lapsed = 0)",
        (original.pay, original.contact, int(not original.mine), Cause.REFUND, Stage.DECLINED, Stage.REFUNDED),
    )
    assert row is not None
    return int(row[0])


def history(tx: Tx, contact: int | None, before: int | None, limit: int) -> tuple[Paid, ...]:
    """Payments, the newest first. before: a row, to go on where the last answer ended."""
    of, whose = ("contact = ? AND", (contact,)) if contact is not None else ("", ())
    rows = tx.all(
        f"SELECT {_PAYMENT} FROM payment WHERE {of} id < ? ORDER BY id DESC LIMIT ?",
        (*whose, _ROW_MAX if before is None else before, limit),
    )
    return tuple(map(_paid, rows))


def ending(tx: Tx, last: bytes) -> tuple[tuple[Paid | Asked, bytes], ...]:
    """The payments and requests whose names end in these two bytes, each with its name."""
    paid = tx.all(f"SELECT {_PAYMENT} FROM payment WHERE substr(pay, 15) = ?", (last,))
    asked = tx.all(f"SELECT {_REQUEST} FROM request WHERE substr(request, 15) = ?", (last,))
    found = [(one, one.pay) for one in map(_paid, paid)]
    return (*found, *((one, one.request) for one in map(_asked, asked)))


def find(tx: Tx, text: str) -> Paid | Asked:
    """The payment or request whose id ends so. Raises: BadId, UnknownPayment, AmbiguousPayment."""
    try:
        wanted = ids.matches(text)
    except ids.BadId:
        raise ids.BadId(next="weft pay requests") from None
    found = [one for one, name in ending(tx, ids.last_bytes(wanted)) if ids.ulid(name).endswith(wanted)]
    if not found:
        raise UnknownPayment(f"There is no payment or request {quoted(text)} here.")
    if len(found) > 1:
        raise AmbiguousPayment(f"{len(found)} payments and requests end in {quoted(text)}; give more of the id.")
    return found[0]


def settled(tx: Tx, contact: int | None, first_ms: int, end_ms: int) -> tuple[Paid, ...]:
    """What was settled from one moment up to another, which is left out, in that order."""
    rows = tx.all(
        f"SELECT {_PAYMENT} FROM payment WHERE stage = {_SETTLED} AND changed_ms >= ? AND changed_ms < ?"
        " AND (? IS NULL OR contact = ?) ORDER BY changed_ms, id",
        (first_ms, end_ms, contact, contact),
    )
    return tuple(map(_paid, rows))


def _paid(row: Row) -> Paid:
    payment_id, contact, mine, pay, unit, amount, stage, *rest = row
    return Paid(payment_id, contact, bool(mine), pay, unit, amount, Stage(stage), *rest)


def _asked(row: Row) -> Asked:
    request_id, contact, mine, request, unit, amount, due_ms, memo, cause, of, at_ms, state = row
    return Asked(request_id, contact, bool(mine), request, unit, amount, due_ms, memo, cause, of, at_ms, Asking(state))
