"""Bills as rows, and as people see them: who was asked for which share, and what became of it.

A share is a request in the ledger with its contact (store/payments.py), which says what became of it. Only what no
request says is kept here: the total, our own share, what it is for. Not here: who writes what when (service.py,
tending.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from features.bills.content import Progress, Reminder
from features.bills.faults import AmbiguousBill, UnknownBill
from ledger import commands, units
from ledger.payment import Stage
from ledger.units import Unit
from protocol import ids
from protocol.faults import quoted
from store import payments, people, reminders
from store.database import Migration, Row, Tx
from store.inbox import Arrival
from store.payments import Asked, Asking, Paid
from store.tabs import OpenTab

MIGRATIONS = (
    Migration(
        "bills",
        1,
        """
        CREATE TABLE bill (
          id INTEGER PRIMARY KEY, bill BLOB NOT NULL UNIQUE, unit TEXT NOT NULL, total INTEGER NOT NULL,
          own INTEGER NOT NULL, receipt TEXT NOT NULL, at_ms INTEGER NOT NULL, stopped_ms INTEGER NOT NULL,
          is_over INTEGER NOT NULL, told INTEGER NOT NULL, told_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX bill_open ON bill (id) WHERE is_over = 0;
        CREATE TABLE bill_share (
          bill INTEGER NOT NULL, contact INTEGER NOT NULL, request BLOB NOT NULL, amount INTEGER NOT NULL,
          is_reminded INTEGER NOT NULL, PRIMARY KEY (bill, contact)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
)
CHANGED = "bill"  # topic of changes; the key is the row of a bill
NEVER = 0
OPEN = ("open", "paying")  # of a share: it may still be paid
LOST = "lost"  # of a share whose request is in no ledger any more
_BILL = "id, bill, unit, total, own, receipt, at_ms, stopped_ms, is_over, told, told_ms"


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill of ours. own: what we bear ourselves. stopped_ms: 0 for never. told: how many had paid, as others know."""

    id: int
    bill: bytes
    unit: str
    total: int
    own: int
    receipt: str
    at_ms: int
    stopped_ms: int
    is_over: bool
    told: int
    told_ms: int


@dataclass(frozen=True, slots=True)
class Share:
    """What somebody was asked for. asked: None where the request is in no ledger. answer: the newest payment for it.

    is_reminded: the node has decided whether to remind by itself.
    """

    contact: int
    request: bytes
    amount: int
    is_reminded: bool
    asked: Asked | None
    answer: Paid | None
    state: str

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether it is asked for, and nobody has accepted a payment for it."""
        is_offered = self.answer is not None and self.answer.stage is Stage.OFFERED
        return self.state == "open" or (
            is_offered and self.asked is not None and self.asked.state is Asking.OPEN and self.state == "paying"
        )


@dataclass(frozen=True, slots=True)
class ShownShare:
    """A share as people see it. state: "open", "paying", "paid", "refused", "withdrawn", "lapsed" or "lost".

    id: of the request. allow: what the contact must be allowed to owe before he can pay it, "" where he is.
    """

    id: str
    contact: str
    amount: str
    minor: int
    state: str
    reminded_ms: int
    paid_by: str
    allow: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A bill as people see it. state: "open", "over" or "stopped". amount: the total; own: what we bear ourselves.

    paid, missing: of what was asked. Amounts as typed, minor ones in the smallest unit. people: with us, if we have a
    share.
    """

    id: str
    kind: str
    amount: str
    unit: str
    minor: int
    own: str
    own_minor: int
    people: int
    receipt: str
    at_ms: int
    state: str
    asked: str
    paid: str
    paid_minor: int
    missing: str
    missing_minor: int
    shares: tuple[ShownShare, ...]


def add(tx: Tx, bill: bytes, unit: str, total: int, own: int, receipt: str, now_ms: int) -> int:
    """Keeps a new bill; returns its row."""
    row = tx.insert(
        "INSERT INTO bill (bill, unit, total, own, receipt, at_ms, stopped_ms, is_over, told, told_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0)",
        (bill, unit, total, own, receipt, now_ms),
    )
    tx.changed(CHANGED, row)
    return row


def add_share(tx: Tx, bill_id: int, contact: int, request: bytes, amount: int) -> None:
    """Keeps by which request somebody was asked for his share."""
    tx.execute("INSERT INTO bill_share VALUES (?, ?, ?, ?, 0)", (bill_id, contact, request, amount))


def stop(tx: Tx, bill_id: int, now_ms: int) -> None:
    """Notes that nothing more of a bill is wanted."""
    tx.execute("UPDATE bill SET stopped_ms = ? WHERE id = ?", (now_ms, bill_id))
    tx.changed(CHANGED, bill_id)


def end(tx: Tx, bill_id: int) -> None:
    """Notes that no share of a bill is open any more."""
    tx.execute("UPDATE bill SET is_over = 1 WHERE id = ?", (bill_id,))
    tx.changed(CHANGED, bill_id)


def decided(tx: Tx, bill_id: int) -> None:
    """Notes that whoever was to be reminded of his share by himself has been."""
    tx.execute("UPDATE bill_share SET is_reminded = 1 WHERE bill = ?", (bill_id,))


def told(tx: Tx, bill_id: int, paid: int, now_ms: int) -> None:
    """Notes that others know how many have paid."""
    tx.execute("UPDATE bill SET told = ?, told_ms = ? WHERE id = ?", (paid, now_ms, bill_id))
    tx.changed(CHANGED, bill_id)


def bill(tx: Tx, bill_id: int) -> Bill | None:
    """The bill in this row."""
    row = tx.one(f"SELECT {_BILL} FROM bill WHERE id = ?", (bill_id,))
    return None if row is None else _bill(row)


def open_bills(tx: Tx) -> tuple[int, ...]:
    """The rows of bills of which something is open."""
    return tuple(row for (row,) in tx.all("SELECT id FROM bill WHERE is_over = 0 ORDER BY id"))


def newest(tx: Tx, before: int | None, limit: int) -> tuple[Bill, ...]:
    """Bills, the newest first. before: a row, to go on where the last answer ended."""
    rows = tx.all(
        f"SELECT {_BILL} FROM bill WHERE (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?", (before, before, limit)
    )
    return tuple(map(_bill, rows))


def find(tx: Tx, text: str) -> Bill:
    """The bill whose id ends so. Raises: BadId, UnknownBill, AmbiguousBill."""
    wanted = ids.matches(text)
    found = [row for row, name in tx.all("SELECT id, bill FROM bill") if ids.ulid(name).endswith(wanted)]
    if not found:
        raise UnknownBill(f"There is no bill {quoted(text)} here.")
    if len(found) > 1:
        raise AmbiguousBill(f"{len(found)} bills end in {quoted(text)}; give more of the id.")
    one = bill(tx, found[0])
    assert one is not None
    return one


def shares(tx: Tx, bill_id: int) -> Iterator[Share]:
    """The shares of a bill, as they stand in the ledgers."""
    rows = tx.all(
        "SELECT contact, request, amount, is_reminded FROM bill_share WHERE bill = ? ORDER BY contact", (bill_id,)
    )
    for contact, request, amount, is_reminded in rows:
        asked = payments.asked(tx, contact, True, request)
        answer = None if asked is None else payments.by_request(tx, asked)
        state = LOST if asked is None else payments.became(asked, answer)
        yield Share(contact, request, amount, bool(is_reminded), asked, answer, state)


def paid(tx: Tx, bill_id: int) -> tuple[int, int]:
    """How many have paid, of how many who were asked."""
    states = [one.state for one in shares(tx, bill_id)]
    return states.count("paid"), len(states)


def shown(tx: Tx, one: Bill, tab_of: Callable[[int], OpenTab]) -> Shown:
    """A bill for people. tab_of: the tab with a contact."""
    unit, found = unit_of(one.unit), tuple(shares(tx, one.id))
    asked = sum(each.amount for each in found)
    came = sum(each.amount for each in found if each.state == "paid")
    is_open = any(each.state in OPEN for each in found)
    return Shown(
        id=ids.ulid(one.bill),
        kind="bill",
        amount=units.number(one.total, unit),
        unit=unit.label,
        minor=one.total,
        own=units.number(one.own, unit),
        own_minor=one.own,
        people=len(found) + (one.own > 0),
        receipt=one.receipt,
        at_ms=one.at_ms,
        state="stopped" if one.stopped_ms else "open" if is_open else "over",
        asked=units.number(asked, unit),
        paid=units.number(came, unit),
        paid_minor=came,
        missing=units.number(asked - came, unit),
        missing_minor=asked - came,
        shares=tuple(_share(tx, each, unit, tab_of(each.contact)) for each in found),
    )


def apply(tx: Tx, arrival: Arrival) -> tuple[()]:
    """Takes in what somebody says about a request of his; what is not open is not spoken of any more."""
    said: Reminder | Progress = arrival.said.content
    contact_id = arrival.contact.id
    asked = payments.asked(tx, contact_id, False, said.request)
    if asked is not None and payments.became(asked, payments.by_request(tx, asked)) != "open":
        return ()
    match said:
        case Reminder(request):
            reminders.remind(tx, contact_id, False, request, arrival.now_ms)
        case Progress(request, so_many, count):
            reminders.progress(tx, contact_id, request, min(so_many, count), count)
    return ()


def unit_of(text: str) -> Unit:
    """The unit of an entry, whatever it is."""
    return units.read(text) or units.foreign(text)


def _share(tx: Tx, one: Share, unit: Unit, tab: OpenTab) -> ShownShare:
    wanted = commands.exposure(tab.tab, tab.side, one.asked.unit) + one.amount if one.asked is not None else 0
    is_short = one.state == "open" and one.asked is not None and wanted > tab.tab.limit(tab.side, one.asked.unit)
    return ShownShare(
        id=ids.ulid(one.request),
        contact=people.contact(tx, one.contact).name,
        amount=units.number(one.amount, unit),
        minor=one.amount,
        state=one.state,
        reminded_ms=reminders.word(tx, one.contact, True, one.request).reminded_ms,
        paid_by="" if one.answer is None else ids.ulid(one.answer.pay),
        allow=units.number(wanted, unit) if is_short else "",
    )


def _bill(row: Row) -> Bill:
    row_id, name, unit, total, own, receipt, at_ms, stopped_ms, is_over, told_, told_ms = row
    return Bill(row_id, name, unit, total, own, receipt, at_ms, stopped_ms, bool(is_over), told_, told_ms)
