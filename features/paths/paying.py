"""What a payer's node does for a payment by an invoice, or a ring: offers, searches, locks, and tries another way.

Everything is a function of the row of the payment and of the ledgers, so it is asked again after every change.
Not here: what is done for others (clerk.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from features.paths import board, view
from features.paths.view import Paying, State, Why
from ledger import finding, path
from ledger.finding import Asked
from ledger.path import Onwards
from ledger.payment import Stage
from ledger.terms import Cause, Offer
from node.inward import Inward
from node.till import Till, is_open_to
from protocol import ids, record
from protocol import invoice as invoices
from protocol.invoice import Invoice
from store import locks, payments, people
from store.database import Tx

TRIES_MAX = 5  # contacts that a payment is locked towards, one after another


@dataclass(frozen=True, slots=True)
class Payer:
    """The payer's part of the clerk. carry: carries out what a search asks for."""

    inward: Inward
    till: Till
    carry: Callable[[Tx, Asked], None]

    def go_on(self, tx: Tx) -> bool:
        """Does what is due for one payment; returns whether there may be more."""
        return any(self._advance(tx, one) for one in view.going(tx))

    def found(self, tx: Tx, search: bytes, account: bytes, amount: int) -> None:
        """A contact has said yes: locks towards him, if things stand as they did."""
        one = view.payment_of_search(tx, search)
        contact = people.by_account(tx, ids.AccountId(account))
        if one is None or contact is None or one.state is not State.SEARCHING:
            return
        one = replace(one, search=b"", tried=(*one.tried, contact.id))
        exact = amount if one.is_ring else one.amount
        if is_late(one, self.inward.now()):
            self._fail(tx, one, Why.LATE)
            return
        table = board.laid(tx, self.till, (contact.id,))
        step = path.begin(table.lines, account, one.unit, exact, one.hash, is_ring=one.is_ring, secrets=table.secrets)
        if not isinstance(step, Onwards) or (not one.is_ring and board.is_offered(tx, one.name)):
            view.keep_payment(tx, one)
            return
        tab = table.tabs[account]
        pay = self.till.new_pay(tab)
        self.till.write(tx, tab, lambda _: step.lock(pay))
        view.keep_payment(tx, replace(one, state=State.LOCKED, amount=exact, contact=contact.id, pay=pay))

    def missed(self, tx: Tx, search: bytes) -> None:
        """Nobody who was asked knows a way."""
        one = view.payment_of_search(tx, search)
        if one is not None and one.state is State.SEARCHING:
            self._fail(tx, replace(one, search=b""), _why(one, Why.NOWHERE))

    # --- one payment

    def _advance(self, tx: Tx, one: Paying) -> bool:
        """Does what is due; returns whether something was."""
        match one.state:
            case State.OFFERED | State.LOCKED:
                row = payments.found(tx, one.contact, True, one.pay)
                if row is None:
                    row = self._renamed(tx, one)
                if row is not None and not row.stage.is_final and row.lapsed:
                    self._lapse(tx, one)
                    return True
                if row is None or not row.stage.is_final:
                    return False
                if row.stage is Stage.SETTLED:
                    view.keep_payment(tx, replace(one, state=State.PAID, pay=row.pay))
                else:
                    view.keep_payment(tx, replace(one, state=State.SEARCHING, contact=0, pay=b"", search=b""))
                return True
            case State.SEARCHING if not one.search:
                self._search(tx, one)
                return True
        return False

    def _renamed(self, tx: Tx, one: Paying) -> payments.Paid | None:
        """Our lock or offer by the name that it has now: what was taken back is written again under another one."""
        if one.state is State.OFFERED:
            return board.newest_offer(tx, one.name)
        found = next(iter(reversed(locks.by_hash(tx, one.hash, mine=True))), None)
        return None if found is None else payments.found(tx, *found)

    def _search(self, tx: Tx, one: Paying) -> None:
        """Offers it to the payee where he is a contact and lets us owe so much; else looks for a way."""
        if is_late(one, self.inward.now()):
            self._fail(tx, one, Why.LATE)
            return
        search = self.inward.ground.entropy("paths")(16)
        if one.is_ring:
            self._search_ring(tx, one, search)
            return
        if not one.tried and self._offer(tx, one):
            return
        if len(one.tried) >= TRIES_MAX or board.is_offered(tx, one.name):
            self._fail(tx, one, Why.RELEASED)
            return
        table = board.laid(tx, self.till, board.with_room(tx, one.unit))
        fresh = {
            account: line
            for account, line in table.lines.items()
            if line.is_open and table.tabs[account].contact not in one.tried
        }
        invoice = read(one.raw)
        can = [account for account, line in fresh.items() if path.room(line, one.unit) >= one.amount]
        if not [account for account in can if account != invoice.payee]:
            self._fail(tx, one, _why(one, Why.NOBODY_ALLOWS))
            return
        view.keep_payment(tx, replace(one, search=search))
        self.carry(tx, finding.begin(fresh, invoice, search))

    def _search_ring(self, tx: Tx, one: Paying, search: bytes) -> None:
        if one.tried:
            self._fail(tx, one, Why.RELEASED)
            return
        table = board.laid(tx, self.till, board.owing(tx, one.unit))
        fresh = {account: line for account, line in table.lines.items() if line.is_open}
        view.keep_payment(tx, replace(one, search=search))
        account = bytes(self.inward.identity.account)
        self.carry(tx, finding.ring(fresh, account, one.unit, search, one.key, one.hash))

    def _offer(self, tx: Tx, one: Paying) -> bool:
        """Offers it directly, where that can be; returns whether it did."""
        invoice = read(one.raw)
        contact = people.by_account(tx, invoice.payee)
        if contact is None or not is_open_to(contact) or board.is_offered(tx, one.name):
            return False
        table = board.laid(tx, self.till, (contact.id,))
        account = bytes(contact.account)
        line, tab = table.lines[account], table.tabs[account]
        is_begun = is_shown(tx, one.hash) or bool(locks.by_hash(tx, one.hash, mine=True))
        if not line.is_open or is_begun or path.room(line, one.unit) < one.amount:
            return False
        pay = self.till.new_pay(tab)
        of = (one.unit, one.amount, invoice.expires_ms, (), invoice.memo, int(Cause.INVOICE), one.name)
        self.till.write(tx, tab, lambda _: Offer(pay, *of))
        row = replace(one, state=State.OFFERED, contact=contact.id, pay=pay, tried=(contact.id,))
        view.keep_payment(tx, row)
        return True

    def _lapse(self, tx: Tx, one: Paying) -> None:
        """Ends what stood in a ledger that was begun anew; a lock may still be what pays the payee (ledger 15.11)."""
        if one.state is State.OFFERED:
            self._fail(tx, one, Why.LAPSED)
        else:
            view.keep_payment(tx, replace(one, state=State.FAILED, reason=Why.COUNTED, search=b""))

    def _fail(self, tx: Tx, one: Paying, why: Why) -> None:
        view.keep_payment(tx, replace(one, state=State.FAILED, reason=why, contact=0, pay=b"", search=b""))


def read(raw: bytes) -> Invoice:
    """An invoice that was checked before it was kept."""
    return record.decode(Invoice, raw, invoices.BYTES_MAX)


def is_late(one: Paying, now_ms: int) -> bool:
    """Whether an invoice cannot be paid any more by our clock."""
    return not one.is_ring and now_ms > read(one.raw).expires_ms


def is_shown(tx: Tx, hash_: bytes) -> bool:
    """Whether the preimage of this hash was heard or shown."""
    return bool(locks.preimages(tx, (hash_,)))


def _why(one: Paying, otherwise: Why) -> Why:
    return Why.NO_RING if one.is_ring and not one.tried else Why.RELEASED if one.tried else otherwise
