"""Payments, requests and balances as people see them. Nothing is stored here: the rows are store/payments.py's."""

from dataclasses import dataclass

from ledger import units
from ledger.book import Difference
from ledger.payment import Stage
from ledger.terms import Cause
from ledger.units import Unit
from protocol import ids
from store import payments, people, reminders, testimony
from store.database import Tx
from store.payments import Asked, Balance, Paid

KINDS = {
    Cause.NONE: "payment",
    Cause.REFUND: "refund",
    Cause.REQUEST: "payment",
    Cause.BILL: "bill",
    Cause.PACKET: "packet",
    Cause.INVOICE: "invoice",
    Cause.HANDED_OVER: "settlement",
    Cause.VOUCHER: "voucher",
}
STAGES = {
    Stage.OFFERED: "offered",
    Stage.ACCEPTED: "accepted",
    Stage.REFUNDING: "refunding",
    Stage.LOCKED: "locked",
    Stage.SETTLED: "settled",
    Stage.DECLINED: "declined",
    Stage.REFUNDED: "refunded",
    Stage.RELEASED: "released",
}

TAKEN = (Cause.REFUND, Cause.REQUEST, Cause.HANDED_OVER)  # whose payee's node asks nobody: clerk.is_wanted


@dataclass(frozen=True, slots=True)
class Line:
    """A payment as people see it. mine: we pay it. amount: as typed; minor: in the smallest unit.

    reason: what it waits for, "" where it waits for nothing. until_ms: when an offer goes back. at_ms: of the stage.
    witness: by whose word it was settled, "" where its payer has confirmed it.
    """

    id: str
    contact: str
    mine: bool
    kind: str
    amount: str
    unit: str
    minor: int
    state: str
    note: str
    offered_ms: int
    at_ms: int
    until_ms: int
    reason: str
    witness: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as people see it. mine: we ask. state: "open", "paying", "paid", "withdrawn", "refused", "lapsed".

    reminded_ms: of the last reminder, 0 for none. bill_paid, bill_people: how many have paid of those who were asked
    for a share of this bill, as its maker counts, 0 unless he has said so.
    """

    id: str
    contact: str
    mine: bool
    kind: str
    amount: str
    unit: str
    minor: int
    due_ms: int
    note: str
    at_ms: int
    state: str
    paid_by: str
    reminded_ms: int
    bill_paid: int
    bill_people: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a contact in one unit. owed: what he owes us, negative where we owe him.

    allowed: up to how much he may owe us; credit: up to how much we may owe him, as he says. Amounts as typed.
    """

    contact: str
    unit: str
    owed: str
    minor: int
    allowed: str
    credit: str


def unit_of(text: str) -> Unit:
    """The unit of an entry, whatever it is."""
    return units.read(text) or units.foreign(text)


def line(tx: Tx, one: Paid, now_ms: int) -> Line:
    """A payment for people."""
    unit, name = unit_of(one.unit), people.contact(tx, one.contact).name
    return Line(
        id=ids.ulid(one.pay),
        contact=name,
        mine=one.mine,
        kind="path" if one.hop else _kind(payments.why(tx, one)),
        amount=units.number(one.amount, unit),
        unit=unit.label,
        minor=one.amount,
        state=STAGES[one.stage] if one.is_open or one.stage.is_final else "lapsed",
        note=one.memo,
        offered_ms=one.offered_ms,
        at_ms=one.changed_ms,
        until_ms=one.expires_ms,
        reason=_reason(tx, one, name, now_ms),
        witness=_witness(tx, one),
    )


def wish(tx: Tx, one: Asked) -> Wish:
    """A request for people."""
    unit, answer, said = unit_of(one.unit), payments.by_request(tx, one), reminders.of(tx, one)
    return Wish(
        id=ids.ulid(one.request),
        contact=people.contact(tx, one.contact).name,
        mine=one.mine,
        kind="settlement" if one.cause == Cause.HANDED_OVER else "bill" if one.cause == Cause.BILL else "request",
        amount=units.number(one.amount, unit),
        unit=unit.label,
        minor=one.amount,
        due_ms=one.due_ms,
        note=one.memo,
        at_ms=one.at_ms,
        state=payments.became(one, answer),
        paid_by="" if answer is None else ids.ulid(answer.pay),
        reminded_ms=said.reminded_ms,
        bill_paid=said.paid,
        bill_people=said.people,
    )


def standing(tx: Tx, one: Balance) -> Standing:
    """A balance for people."""
    unit = unit_of(one.unit)
    return Standing(
        contact=people.contact(tx, one.contact).name,
        unit=unit.label,
        owed=units.number(one.owed, unit),
        minor=one.owed,
        allowed=units.number(one.allowed, unit),
        credit=units.number(one.credit, unit),
    )


def difference(name: str, first: Difference) -> str:
    """That two count otherwise, with both views (ledger 5.2)."""
    return (
        f"at entry {first.seq} {name}'s node counted otherwise than yours: it says {first.said.hex()[:16]}, and yours"
        f" finds {first.found.hex()[:16]}; compare weft ledger history"
    )


def _witness(tx: Tx, one: Paid) -> str:
    """By whose word it was settled."""
    key = testimony.witness(tx, one.contact, one.mine, one.pay) if one.stage is Stage.SETTLED else None
    if key is None:
        return ""
    device = people.device_by_key(tx, ids.DeviceId(key))
    return "somebody" if device is None else people.contact(tx, device.contact).name


def _kind(cause: int) -> str:
    return KINDS.get(Cause(cause), "payment") if cause in Cause.__members__.values() else "payment"


def _fits(tx: Tx, one: Paid) -> bool:
    """Whether a payment of ours is within what its payee lets us owe, as far as we know."""
    found = next((row for row in payments.balances(tx) if (row.contact, row.unit) == (one.contact, one.unit)), None)
    return found is not None and one.amount <= found.credit + found.owed


def _reason(tx: Tx, one: Paid, name: str, now_ms: int) -> str:
    """What a payment waits for."""
    if one.lapsed and not one.stage.is_final:
        return f"given up as {STAGES[one.stage]}, when the ledger was begun anew"
    is_late = one.expires_ms <= now_ms
    match one.stage, one.mine:
        case Stage.OFFERED, True:
            if is_late:
                return "its time is over, and it comes back"
            if one.cause not in TAKEN:
                return f"waits for {name} to accept it"
            fits = one.cause == Cause.HANDED_OVER or _fits(tx, one)
            return f"waits for {name}'s node to take it" if fits else f"waits until {name} lets you owe so much"
        case Stage.OFFERED, False:
            return "its time is over" if is_late else "waits for you"
        case Stage.ACCEPTED, True:
            return "being confirmed"
        case Stage.ACCEPTED, False:
            return f"accepted; waits for {name}'s node to confirm it"
        case Stage.REFUNDING, True:
            return f"refunding: waiting for {name}"
        case Stage.REFUNDING, False:
            return f"{name} has taken it back"
        case Stage.LOCKED, True:
            return f"waits for {name}, or for somebody behind"
        case Stage.LOCKED, False:
            return "waits for its key"
    return ""
