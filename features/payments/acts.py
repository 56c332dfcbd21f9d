"""The parts of commands: offers and requests are written and refused, within one transaction of the caller's.

Not here: the commands (service.py), what a node writes by itself (clerk.py).
"""

import shlex
from dataclasses import dataclass

from features.payments import view
from features.payments.faults import NotForYou, OverLimit, PaymentOver
from features.payments.view import Line, Wish
from ledger import commands, units
from ledger.commands import Refusal
from ledger.terms import Cause, Dismiss, Offer, Request
from ledger.units import Unit
from node import till
from node.ground import Ground
from node.till import Till
from protocol import ids
from store import payments
from store.database import Tx
from store.payments import Asked, Asking, Paid
from store.people import Contact
from store.tabs import OpenTab

EXPIRES_S = 86_400  # as people know it from transfers elsewhere


@dataclass(frozen=True, slots=True)
class Acts:
    """What commands of this room are made of."""

    ground: Ground
    till: Till

    def offer(
        self, tx: Tx, contact: Contact, one: OpenTab, known: Unit, amount: int, note: str, *, within_s: int
    ) -> Line:
        """Offers to owe so much, where the contact's limit allows it as far as we know. Raises: OverLimit, BadNote."""
        self.check_room(contact, one, known, amount)
        return self.write_offer(tx, one, known, amount, till.note(note), Cause.NONE, b"", within_s)

    def check_room(self, contact: Contact, one: OpenTab, known: Unit, amount: int) -> None:
        """Raises: OverLimit, with how much could be offered."""
        left = commands.room(one.tab, one.side, known.text)
        if amount <= left:
            return
        credit = one.tab.limit(one.side.other, known.text)
        if not credit:
            raise OverLimit(
                f"{contact.name} has not let you owe anything in {known.label} yet; nothing was written."
                f" He does so with weft ledger limit NAME 100 {known.label}."
            )
        raise OverLimit(
            f"{contact.name} lets you owe at most {units.shown(credit, known)}, so you can offer"
            f" {units.shown(max(0, left), known)} more; nothing was written."
        )

    def write_offer(
        self,
        tx: Tx,
        one: OpenTab,
        known: Unit,
        amount: int,
        note: str,
        cause: Cause,
        of: bytes,
        within_s: int = EXPIRES_S,
    ) -> Line:
        """Offers to owe so much, and why."""
        pay, expires_ms = self.till.new_pay(one), self.ground.now_ms() + within_s * 1000
        offer = Offer(pay, known.text, amount, expires_ms, till.witnesses(tx, one.contact), note, int(cause), of)
        self.till.write(tx, one, lambda _: offer)
        found = payments.found(tx, one.contact, True, pay)
        assert found is not None
        return self.line(tx, found)

    def answer(self, tx: Tx, contact: Contact, one: OpenTab, asked: Asked) -> Line:
        """Pays a request."""
        state = payments.became(asked, payments.by_request(tx, asked))
        if asked.mine:
            raise NotForYou
        if state != "open":
            raise PaymentOver(f"This request is {state} already; nothing was written.")
        known = view.unit_of(asked.unit)
        self.check_room(contact, one, known, asked.amount)
        return self.write_offer(tx, one, known, asked.amount, asked.memo, Cause.REQUEST, asked.request)

    def request(
        self,
        tx: Tx,
        one: OpenTab,
        known: Unit,
        amount: int,
        note: str,
        due_ms: int | None,
        cause: Cause = Cause.NONE,
        of: bytes = b"",
    ) -> Wish:
        """Asks for so much. Raises: BadNote."""
        request = ids.new_message_id(self.ground.now_ms(), self.ground.entropy("payment"))
        term = Request(request, known.text, amount, due_ms, till.note(note), int(cause), of)
        self.till.write(tx, one, lambda _: term)
        found = payments.asked(tx, one.contact, True, request)
        assert found is not None
        return view.wish(tx, found)

    def dismiss(self, tx: Tx, one: OpenTab, asked: Asked, *, mine: bool) -> Wish:
        """Ends a request: one of ours, or one of theirs."""
        if asked.mine is not mine:
            raise NotForYou
        if payments.became(asked, payments.by_request(tx, asked)) != "open":
            raise PaymentOver
        self.till.write(tx, one, lambda _: Dismiss(asked.request, int(mine)))
        found = payments.request(tx, asked.id)
        assert found is not None
        assert found.state is not Asking.OPEN
        return view.wish(tx, found)

    def refuse(self, contact: Contact, one: OpenTab, found: Paid, why: Refusal | None) -> None:
        """Raises: OverLimit, PaymentOver, where an offer cannot be accepted."""
        if why is None:
            return
        if why is not Refusal.LIMIT:
            raise PaymentOver
        known = view.unit_of(found.unit)
        allowed = one.tab.limit(one.side, found.unit)
        owed = commands.exposure(one.tab, one.side, found.unit)
        raise OverLimit(
            f"{contact.name} may owe you at most {units.shown(allowed, known)}, and {units.shown(max(0, owed), known)}"
            " is owed or accepted; nothing was written.",
            next=f"weft ledger limit {shlex.quote(contact.name)} {units.shown(owed + found.amount, known)}",
        )

    def line(self, tx: Tx, found: Paid) -> Line:
        """A payment as it stands now."""
        now = payments.payment(tx, found.id)
        assert now is not None
        return view.line(tx, now, self.ground.now_ms())
