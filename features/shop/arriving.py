"""What contacts say to this room, taken in within the transaction in which it comes.

Not here: what follows from it (counter.py, buying.py).
"""

from typing import assert_never

from features.shop import purchases, sales
from features.shop.content import Billed, NoInvoice, Order, Reason
from features.shop.purchases import Bought
from features.shop.sales import Sale, Sold
from protocol import record
from protocol.invoice import BYTES_MAX, Invoice
from store.database import Tx
from store.inbox import Arrival

UNPAID_MAX = 20  # orders of one contact that are not paid
HOUR_MAX = 60  # orders of one contact within an hour: more than anybody buys by hand
HOUR_MS = 3_600_000


def apply(tx: Tx, arrival: Arrival) -> tuple[Billed | NoInvoice, ...]:
    """Takes in what a contact says; returns what to answer at once."""
    said: Order | Billed | NoInvoice = arrival.said.content
    contact_id = arrival.contact.id
    match said:
        case Order():
            return _ordered(tx, contact_id, said, arrival.now_ms)
        case Billed(name, bill):
            purchases.answered(tx, contact_id, name, Bought.BILLED, 0, record.encode(bill))
            return ()
        case NoInvoice(name, reason):
            purchases.answered(tx, contact_id, name, Bought.OVER, reason, b"")
            return ()
        case _:
            assert_never(said)


def _ordered(tx: Tx, contact_id: int, said: Order, now_ms: int) -> tuple[Billed | NoInvoice, ...]:
    known = sales.named(tx, contact_id, said.order)
    if known is not None:
        return answer(known) if known.order == said else (NoInvoice(said.order, int(Reason.TAKEN)),)
    lately, unpaid = sales.asked_by(tx, contact_id, now_ms - HOUR_MS, now_ms)
    if lately >= HOUR_MAX or unpaid >= UNPAID_MAX:
        return (NoInvoice(said.order, int(Reason.MANY)),)
    sales.ask(tx, contact_id, said, now_ms)
    return ()


def answer(one: Sale) -> tuple[Billed | NoInvoice, ...]:
    """What a customer is told about his order: nothing as long as nobody has looked at it."""
    match one.state:
        case Sold.ASKED:
            return ()
        case Sold.REFUSED:
            return (NoInvoice(one.name, one.reason),)
        case _:
            return (Billed(one.name, record.decode(Invoice, one.said, BYTES_MAX)),)
