"""The shop's side: orders are answered by invoices, and who has paid gets his receipt, all by itself.

    order ──checked──> invoice, its payment expected        payment settled ──> receipt, nothing expected any more

What the clerk of the ledgers accepts is what was expected (features/payments/clerk.py). Not here: the customer's side.
"""

from dataclasses import dataclass

from features.shop import arriving, sales
from features.shop.content import Reason
from features.shop.sales import Sale, Sold, Ware
from ledger import commands, units
from ledger.tab import lock_of
from ledger.terms import AMOUNT_MAX, Cause, Receipt
from ledger.units import Unit
from node import speech, till
from node.core import Core
from protocol import invoice, probe, record
from protocol.invoice import Invoice
from store import expected, people
from store.database import Tx

INVOICE_S = 86_400  # within which it can be paid, by a customer who may have gone away meanwhile
STALE_MS = 86_400_000  # after which an invoice that nobody has paid is forgotten
ID_BYTES, SECRET_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class Counter:
    """What a node does as a shop."""

    core: Core

    def answer(self, tx: Tx, one: Sale) -> int:
        """Answers an order; returns to whom something was said, 0 for nobody."""
        contact = people.contact(tx, one.contact)
        if not till.is_open_to(contact):
            sales.drop(tx, one.id)
            return 0
        ware = sales.ware(tx, one.offer)
        reason = self._refusal(tx, one, ware)
        if reason is None:
            assert ware is not None
            one = self._bill(tx, one, ware, contact.account)
        else:
            one = sales.refuse(tx, one.id, reason)
        entropy = self.core.ground.entropy("message")
        speech.say(tx, one.contact, arriving.answer(one), self.core.ground.now_ms(), entropy)
        return one.contact

    def receipt(self, tx: Tx, one: Sale, pay: bytes) -> None:
        """Writes the receipt for a sale that is paid. Raises: TabPaused, LogFrozen."""
        now = sales.sale(tx, one.id)
        if now is None or now.state is not Sold.OPEN:
            return  # the receipt is for another payment
        tab = self.core.till.of(tx, one.contact)
        said = Receipt(pay, one.invoice, lines(one.quantity, one.title, one.price, one.tip, one.unit))
        if self.core.till.write(tx, tab, lambda _: said):
            sales.paid(tx, one.id, pay)
            expected.expect_no_more(tx, one.contact, Cause.INVOICE, one.invoice)

    def forget(self, tx: Tx) -> None:
        """Forgets invoices that nobody has paid."""
        for one in sales.stale(tx, self.core.ground.now_ms() - STALE_MS):
            expected.expect_no_more(tx, one.contact, Cause.INVOICE, one.invoice)
            sales.drop(tx, one.id)

    def _refusal(self, tx: Tx, one: Sale, ware: Ware | None) -> Reason | None:
        """Why there is no invoice for an order."""
        if ware is None or ware.closed:
            return Reason.CLOSED
        amount = one.quantity * one.price + one.tip
        if (ware.amount and one.price != ware.amount) or amount > AMOUNT_MAX:
            return Reason.PRICE
        tab = self.core.till.of(tx, one.contact)
        if tab.pause is not None:
            return Reason.PAUSED
        owed = commands.exposure(tab.tab, tab.side, ware.unit) + amount
        return Reason.LIMIT if owed > tab.tab.limit(tab.side, ware.unit) else None

    def _bill(self, tx: Tx, one: Sale, ware: Ware, payer: bytes) -> Sale:
        amount = one.quantity * one.price + one.tip
        made = self._invoice(one, ware, amount, payer)
        name = invoice.name(made)
        expected.expect(tx, one.contact, Cause.INVOICE, name, ware.unit, amount)
        return sales.bill(tx, one.id, ware, amount, made.expires_ms, name, record.encode(made))

    def _invoice(self, one: Sale, ware: Ware, amount: int, payer: bytes) -> Invoice:
        """The invoice for an order. Its lock has no key: who is a contact pays by an offer."""
        me, entropy = self.core.identity, self.core.ground.entropy("invoice")
        key = entropy(ID_BYTES)
        return invoice.sign(
            me.device_key,
            me.certificate,
            invoice=entropy(ID_BYTES),
            unit=ware.unit,
            amount=amount,
            memo=lines(one.quantity, ware.title, one.price, one.tip, ware.unit),
            expires_ms=self.core.ground.now_ms() + INVOICE_S * 1000,
            lock=lock_of(entropy(SECRET_BYTES)),
            key=key,
            tags=probe.tags(key, (), entropy),
            offer=ware.offer,
            payer=payer,
        )


def unit_of(text: str) -> Unit:
    """The unit of a row, whatever it is."""
    return units.read(text) or units.foreign(text)


def lines(quantity: int, title: str, price: int, tip: int, unit: str) -> str:
    """What was sold, one thing a line: at most 300 bytes."""
    known = unit_of(unit)
    sold = f"{quantity} × {title}  {units.shown(quantity * price, known)}"
    return f"{sold}\ntip  {units.shown(tip, known)}" if tip else sold
