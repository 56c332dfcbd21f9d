"""What is sold, sales, purchases and receipts as people see them. Nothing is stored here."""

from dataclasses import dataclass

from features.shop import purchases, sales
from features.shop.content import Reason
from features.shop.counter import unit_of
from features.shop.faults import NoReceipt
from features.shop.purchases import Bought, Purchase, Why
from features.shop.sales import Sale, Sold, Ware
from ledger import units
from ledger.payment import Stage
from protocol import ids, pay_code, record
from protocol.faults import quoted
from protocol.invoice import BYTES_MAX, Invoice
from protocol.pay_code import ShopOffer
from store import payments, people, receipts
from store.database import Tx
from store.payments import Paid

WHY = {
    int(Reason.CLOSED): "{shop} sells no such thing any more",
    int(Reason.PRICE): "{shop} asks another price",
    int(Reason.LIMIT): "{shop} lets you owe no more; pay in advance, use vouchers of the shop, or ask it to allow more",
    int(Reason.MANY): "too many orders of yours wait at {shop}, or came within an hour",
    int(Reason.PAUSED): "your ledger with {shop} stands still",
    int(Reason.TAKEN): "{shop} knows an order of this key that was for something else",
    int(Why.WRONG): "{shop} answered with an invoice for something else, so nothing was paid",
    int(Why.FORGED): "the invoice was not signed by a device of {shop}, so nothing was paid",
    int(Why.EXPIRED): "the time of the invoice was over when it came, so nothing was paid",
    int(Why.LIMIT): "by now {shop} lets you owe no more, so nothing was paid",
    int(Why.LATE): "{shop} did not answer in time, so nothing was paid",
    int(Why.CANCELLED): "you took it back",
}
NO_WHY = "{shop} does not take it"
SOLD = {Sold.ASKED: "asked", Sold.OPEN: "invoiced", Sold.PAID: "paid", Sold.REFUSED: "refused"}
ENDS = {Stage.SETTLED: "paid", Stage.DECLINED: "declined", Stage.REFUNDED: "returned"}


@dataclass(frozen=True, slots=True)
class Offered:
    """What is sold. amount: of one, "" where the customer says it. sold, taken: how many were paid, and how much.

    code: to be shown to customers.
    """

    id: str
    title: str
    amount: str
    unit: str
    sold: int
    taken: str
    closed: bool
    made_ms: int
    code: str


@dataclass(frozen=True, slots=True)
class SaleLine:
    """A sale. state: "asked", "invoiced", "paid" or "refused"; reason: why refused. amount: with the tip.

    payment: its id, "" before it is paid. refunded: how much of it was given back.
    """

    id: str
    contact: str
    title: str
    quantity: int
    tip: str
    amount: str
    unit: str
    note: str
    at_ms: int
    state: str
    reason: str
    payment: str
    refunded: str


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """A purchase. state: "ordered", "paying", "paid", or how it ended: "refused", "cancelled", "late", "declined",
    "returned". reason: what it waits for, or why nothing was paid. amount: with the tip."""

    id: str
    shop: str
    title: str
    quantity: int
    tip: str
    amount: str
    unit: str
    note: str
    at_ms: int
    until_ms: int
    state: str
    reason: str
    payment: str
    refunded: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A receipt. mine: we have paid. invoice: its name, hexadecimal; code: the invoice itself, "" where it is not here.

    at_ms: when the payee has written it, by his clock. refunded: how much was given back since.
    """

    payment: str
    contact: str
    mine: bool
    amount: str
    unit: str
    refunded: str
    lines: str
    at_ms: int
    invoice: str
    code: str


def offered(tx: Tx, one: Ware, account: bytes) -> Offered:
    """Something that is sold, for people."""
    unit = unit_of(one.unit)
    count, taken = sales.sold(tx, one.offer)
    code = ShopOffer(ids.AccountId(account), one.offer, one.title, one.unit, one.amount, one.link or None)
    return Offered(
        id=ids.ulid(one.offer),
        title=one.title,
        amount=units.number(one.amount, unit) if one.amount else "",
        unit=unit.label,
        sold=count,
        taken=units.number(taken, unit),
        closed=one.closed,
        made_ms=one.made_ms,
        code=pay_code.shop_text(code),
    )


def sale_line(tx: Tx, one: Sale) -> SaleLine:
    """A sale for people."""
    ware = sales.ware(tx, one.offer)
    unit = unit_of(one.unit or ("" if ware is None else ware.unit))
    paid = payments.found(tx, one.contact, False, one.pay) if one.pay else None
    reason = WHY.get(one.reason, NO_WHY).format(shop="your shop") if one.state is Sold.REFUSED else ""
    return SaleLine(
        id=ids.ulid(one.name),
        contact=people.contact(tx, one.contact).name,
        title=one.title or ("" if ware is None else ware.title),
        quantity=one.quantity,
        tip=units.number(one.tip, unit),
        amount=units.number(one.quantity * one.price + one.tip, unit),
        unit=unit.label,
        note=one.note,
        at_ms=one.at_ms,
        state=SOLD[one.state],
        reason=reason,
        payment=ids.ulid(one.pay) if one.pay else "",
        refunded=units.number(0 if paid is None else payments.refunded(tx, paid), unit),
    )


def purchase_line(tx: Tx, one: Purchase) -> PurchaseLine:
    """A purchase for people."""
    unit, shop = unit_of(one.unit), people.contact(tx, one.contact).name
    paid = payments.found(tx, one.contact, True, one.pay) if one.pay else None
    state, reason = _stands(one, paid, shop)
    return PurchaseLine(
        id=ids.ulid(one.name),
        shop=shop,
        title=one.title,
        quantity=one.quantity,
        tip=units.number(one.tip, unit),
        amount=units.number(one.amount, unit),
        unit=unit.label,
        note=one.note,
        at_ms=one.at_ms,
        until_ms=one.until_ms,
        state=state,
        reason=reason,
        payment=ids.ulid(one.pay) if one.pay else "",
        refunded=units.number(0 if paid is None else payments.refunded(tx, paid), unit),
    )


def _stands(one: Purchase, paid: Paid | None, shop: str) -> tuple[str, str]:
    """How a purchase stands, and what it waits for or why it is over."""
    match one.state:
        case Bought.ORDERED:
            return "ordered", f"waits for {shop}'s node to answer"
        case Bought.BILLED:
            return "ordered", f"waits until the ledger with {shop} goes on; the invoice is here"
        case Bought.PAYING:
            if paid is not None and paid.stage in ENDS:
                return ENDS[paid.stage], ""
            if paid is not None and paid.lapsed:
                return "returned", "given up with the old ledger"
            return "paying", f"waits for {shop}'s node to take it"
        case Bought.OVER:
            state = {int(Why.CANCELLED): "cancelled", int(Why.LATE): "late"}.get(one.reason, "refused")
            return state, WHY.get(one.reason, NO_WHY).format(shop=shop)


def is_over(tx: Tx, one: Purchase) -> bool:
    """Whether nothing will become of a purchase any more."""
    paid = payments.found(tx, one.contact, True, one.pay) if one.pay else None
    return one.state is Bought.OVER or (paid is not None and not paid.is_open)


def paper(tx: Tx, text: str) -> Paper:
    """The receipt for the payment whose id ends so. Raises: BadId, NoReceipt."""
    wanted = ids.matches(text)
    found = [
        (one, slip)
        for one, name in payments.ending(tx, ids.last_bytes(wanted))
        if isinstance(one, Paid) and ids.ulid(name).endswith(wanted)
        for slip in (receipts.of(tx, one),)
        if slip is not None
    ]
    if len(found) != 1:
        several = f"{len(found)} receipts are for payments that end in {quoted(text)}; give more of the id."
        raise NoReceipt(several if found else None)
    one, slip = found[0]
    unit = unit_of(one.unit)
    of = (purchases.paid_by if one.mine else sales.paid_by)(tx, one.contact, one.pay)
    bill = pay_code.invoice_text(record.decode(Invoice, of.said, BYTES_MAX)) if of is not None else ""
    return Paper(
        payment=ids.ulid(one.pay),
        contact=people.contact(tx, one.contact).name,
        mine=one.mine,
        amount=units.number(one.amount, unit),
        unit=unit.label,
        refunded=units.number(payments.refunded(tx, one), unit),
        lines=slip.lines,
        at_ms=slip.at_ms,
        invoice=slip.invoice.hex(),
        code=bill,
    )
