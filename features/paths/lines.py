"""Payments over others, rings and invoices as people see them. Nothing is stored here: the rows are view.py's."""

from dataclasses import dataclass

from features.paths import board, paying, view
from features.paths.faults import AmbiguousPath, UnknownPath
from features.paths.view import Paying, State, Wanted, Why
from ledger import units
from ledger.payment import Stage
from ledger.units import Unit
from node.till import Till
from protocol import ids, pay_code
from protocol.faults import quoted
from protocol.invoice import Invoice
from store import locks, payments, people
from store.database import Tx

STATES = {
    State.SEARCHING: "searching",
    State.LOCKED: "waiting",
    State.OFFERED: "offered",
    State.PAID: "paid",
    State.FAILED: "failed",
}
WHYS = {
    Why.NONE: "",
    Why.NOBODY_ALLOWS: "none of your contacts lets you owe so much of it",
    Why.NOWHERE: "no way was found: none of your contacts passes on to somebody who knows the payee",
    Why.LATE: "the time of the invoice is over",
    Why.RELEASED: "it was given up further on, and there is no other way now",
    Why.NO_RING: "no ring of debts was found",
    Why.LAPSED: "it was given up with the old ledger",
    Why.COUNTED: "it was locked in a ledger that was begun anew; the sum that you both signed stands for it",
}


@dataclass(frozen=True, slots=True)
class PathLine:
    """A payment by an invoice, or a ring. payee: a contact's name, or his account; known: whether he is a contact.

    kind: "invoice" or "ring". contact: who carries it, "" for nobody. state: "searching", "waiting", "offered", "paid"
    or "failed"; reason: what it waits for, or why it failed. invoice, preimage: the receipt, "" before it was paid;
    without a preimage the settled payment in the ledger, `payment`, is the proof.
    """

    id: str
    kind: str
    payee: str
    known: bool
    contact: str
    amount: str
    unit: str
    minor: int
    memo: str
    state: str
    reason: str
    made_ms: int
    payment: str
    invoice: str
    preimage: str


@dataclass(frozen=True, slots=True)
class Asking:
    """An invoice of ours. state: "open", "paid" or "over". payer: the contact who paid, or over whom it came."""

    id: str
    amount: str
    unit: str
    minor: int
    memo: str
    made_ms: int
    until_ms: int
    state: str
    payer: str
    direct: bool
    code: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What an invoice says, before it is paid. state: of our own payment of it, "" where there is none."""

    payee: str
    known: bool
    amount: str
    unit: str
    minor: int
    memo: str
    until_ms: int
    state: str


def unit_of(text: str) -> Unit:
    """The unit of an entry, whatever it is."""
    return units.read(text) or units.foreign(text)


def seen(tx: Tx, invoice: Invoice, state: State | None) -> Seen:
    """An invoice for people."""
    unit, (payee, known) = unit_of(invoice.unit), _payee(tx, invoice)
    amount = units.number(invoice.amount, unit)
    word = "" if state is None else STATES[state]
    return Seen(payee, known, amount, unit.label, invoice.amount, invoice.memo, invoice.expires_ms, word)


def path_line(tx: Tx, till: Till, one: Paying) -> PathLine:
    """A payment for people, as it stands now."""
    unit = unit_of(one.unit)
    payee, known, memo = "yourself", True, ""
    if not one.is_ring:
        invoice = paying.read(one.raw)
        (payee, known), memo = _payee(tx, invoice), invoice.memo
    contact = people.contact(tx, one.contact).name if one.contact else ""
    is_paid = one.state is State.PAID
    preimage = locks.preimages(tx, (one.hash,)).get(one.hash, b"") if is_paid else b""
    return PathLine(
        id=ids.ulid(one.name[:16]),
        kind="ring" if one.is_ring else "invoice",
        payee=payee,
        known=known,
        contact=contact,
        amount=units.number(one.amount, unit),
        unit=unit.label,
        minor=one.amount,
        memo=memo,
        state=STATES[one.state],
        reason=_reason(tx, till, one, contact),
        made_ms=one.made_ms,
        payment=ids.ulid(one.pay) if one.pay else "",
        invoice=pay_code.invoice_text(paying.read(one.raw)) if is_paid and not one.is_ring else "",
        preimage=preimage.hex(),
    )


def asking(tx: Tx, one: Wanted, now_ms: int) -> Asking:
    """An invoice of ours for people."""
    unit, invoice = unit_of(one.unit), paying.read(one.raw)
    payer, direct = _paid_by(tx, one)
    state = "paid" if payer or paying.is_shown(tx, one.hash) else "over" if now_ms > one.expires_ms else "open"
    return Asking(
        id=ids.ulid(one.name[:16]),
        amount=units.number(one.amount, unit),
        unit=unit.label,
        minor=one.amount,
        memo=invoice.memo,
        made_ms=one.made_ms,
        until_ms=one.expires_ms,
        state=state,
        payer=payer,
        direct=direct,
        code=pay_code.invoice_text(invoice),
    )


def find(tx: Tx, text: str) -> Paying | Wanted:
    """The payment or invoice whose id ends so. Raises: BadId, UnknownPath, AmbiguousPath."""
    wanted = ids.matches(text)
    every: list[Paying | Wanted] = [*view.all_payments(tx, -1), *view.invoices(tx, -1)]
    found = [one for one in every if ids.ulid(one.name[:16]).endswith(wanted)]
    if not found:
        raise UnknownPath(f"No payment by an invoice, ring or invoice of yours ends in {quoted(text)}.")
    if len(found) > 1:
        raise AmbiguousPath(f"{len(found)} of them end in {quoted(text)}; give more of the id.")
    return found[0]


def _payee(tx: Tx, invoice: Invoice) -> tuple[str, bool]:
    contact = people.by_account(tx, invoice.payee)
    return (ids.account_text(invoice.payee), False) if contact is None else (contact.name, True)


def _paid_by(tx: Tx, one: Wanted) -> tuple[str, bool]:
    """The contact who owes us for an invoice, and whether he paid it himself; "" while nobody does."""
    direct = board.payer_of(tx, one.name)
    if direct is not None:
        return people.contact(tx, direct).name, True
    for named in locks.by_hash(tx, one.hash, mine=False):
        row = payments.found(tx, *named)
        if row is not None and row.stage is Stage.SETTLED:
            return people.contact(tx, named.contact).name, False
    return "", False


def _reason(tx: Tx, till: Till, one: Paying, contact: str) -> str:
    """What a payment waits for, or why it failed."""
    reserved = f"{units.shown(one.amount, unit_of(one.unit))} of your limit is reserved"
    match one.state:
        case State.SEARCHING:
            return "looking for a ring of debts" if one.is_ring else "asking your contacts for a way"
        case State.OFFERED:
            return f"waiting for {contact} to accept it; {reserved}"
        case State.LOCKED:
            tab = till.of(tx, one.contact)
            found = tab.tab.payments.get(tab.key(True, one.pay))
            is_seen = found is None or found.offered < tab.tab.acked[tab.side.other]
            who = f"somebody behind {contact}" if is_seen else f"{contact}'s node"
            return f"waiting for {who}; {reserved}"
    return WHYS[one.reason]
