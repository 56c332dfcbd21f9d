"""The customer's side: an order goes out, and the invoice that comes back is checked and paid, all by itself.

Nothing is paid but what was ordered: another price, another thing, another signer, another payer or an invoice that was
paid already ends the order in words. Not here: the shop's side (counter.py).
"""

from dataclasses import dataclass

from crypto.faults import Malformed
from features.shop import purchases
from features.shop.purchases import Bought, Purchase, Why
from ledger import commands
from ledger.terms import Cause, Offer
from node import till
from node.core import Core
from protocol import invoice, record
from protocol.faults import PeerFault
from protocol.invoice import BYTES_MAX, Invoice, InvoiceOver
from store import people
from store.database import Tx

OFFER_S = 86_400  # within which the shop's node takes what we pay


@dataclass(frozen=True, slots=True)
class Buyer:
    """What a node does as a customer."""

    core: Core

    def pay(self, tx: Tx, one: Purchase) -> None:
        """Pays an order whose invoice has come, or ends it. Raises: TabPaused, LogFrozen; then it is tried again."""
        now = purchases.purchase(tx, one.id)
        if now is None or now.state is not Bought.BILLED or not till.is_open_to(people.contact(tx, one.contact)):
            return  # it was taken back since it was looked for
        try:
            made = record.decode(Invoice, one.said, BYTES_MAX)
        except Malformed:
            purchases.end(tx, one.id, Why.WRONG)
            return
        why = self._fault(tx, one, made)
        tab = self.core.till.of(tx, one.contact)
        if why is None and commands.room(tab.tab, tab.side, one.unit) < one.amount:
            why = Why.LIMIT
        if why is not None:
            purchases.end(tx, one.id, why)
            return
        pay, name = self.core.till.new_pay(tab), invoice.name(made)
        until_ms = min(made.expires_ms, self.core.ground.now_ms() + OFFER_S * 1000)
        memo = f"{one.quantity} × {one.title}"
        offer = Offer(pay, one.unit, one.amount, until_ms, (), memo, int(Cause.INVOICE), name)
        self.core.till.write(tx, tab, lambda _: offer)
        purchases.pay(tx, one.id, name, pay)

    def let_go(self, tx: Tx) -> None:
        """Ends the orders that wait no longer."""
        for one in purchases.late(tx, self.core.ground.now_ms()):
            purchases.end(tx, one.id, Why.LATE)

    def _fault(self, tx: Tx, one: Purchase, made: Invoice) -> Why | None:
        """What is wrong with the invoice for an order."""
        now_ms = self.core.ground.now_ms()
        wanted = (people.contact(tx, one.contact).account, self.core.identity.account, one.offer, one.unit, one.amount)
        if (made.payee, made.payer, made.offer, made.unit, made.amount) != wanted:
            return Why.WRONG
        if purchases.is_invoice_used(tx, invoice.name(made)):
            return Why.WRONG
        try:
            invoice.check(made, now_ms // 1000, people.newest_list(tx, one.contact))
            invoice.check_alive(made, now_ms)
        except PeerFault:
            return Why.FORGED
        except InvoiceOver:
            return Why.EXPIRED
        return None
