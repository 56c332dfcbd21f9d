"""The rows of a tab: what its entries have changed of payments, requests, receipts and balances.

A fold notes each entry that it has taken, and writes what all of them have come to. One that begins with nothing meets
the rows of an earlier one: those of payments that it does not find are dropped, and watchers are told of those alone
that it finds otherwise. Not here: the fold (tabs.py), the tables (payments.py, locks.py, receipts.py, testimony.py).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.payment import Side, Stage
from ledger.tab import Key, Tab
from ledger.terms import Accept, Ackn, Attest, Dismiss, Lock, Offer, Receipt, Request, Reveal, Settle
from store import locks, payments, receipts, renewals, testimony
from store.database import Tx
from store.halves import Item
from store.payments import Asking

if TYPE_CHECKING:
    from store.tabs import OpenTab


@dataclass
class Moved:
    """What a catch-up has come to, before it is written. moved: payments, with the time of what moved each."""

    begun: dict[Key, tuple[Offer | Lock, int]] = field(default_factory=dict)
    moved: dict[Key, int] = field(default_factory=dict)
    is_any: bool = False

    def note(self, tx: Tx, one: "OpenTab", side: Side, item: Item) -> None:
        """Notes what an entry has changed. side: who has written it."""
        mine = side is one.side
        if not mine and not isinstance(item.term, Ackn):
            one.last_word = one.tab.heads[side]
        match item.term:
            case Ackn() | Accept() | Settle():
                pass
            case Offer(pay) | Lock(pay) if one.tab.touched.get(Key(side, pay), Stage.OFFERED) is None:
                self.begun[Key(side, pay)] = item.term, item.at_ms
                if isinstance(item.term, Lock):
                    locks.begun(tx, one.contact, mine, pay, item.term.hash)
            case Reveal(pay, preimage):
                locks.shown(tx, one.contact, not mine, pay, preimage)
            case Request(request, unit, amount, due_ms, memo, cause, of):
                row = (request, unit, amount, due_ms or payments.NO_DAY, memo, cause, of, item.at_ms)
                payments.ask(tx, one.contact, one.generation, mine, row)
            case Dismiss(request, is_mine):
                state = Asking.WITHDRAWN if is_mine else Asking.REFUSED
                payments.dismiss(tx, one.contact, one.generation, mine == bool(is_mine), request, state)
            case Attest(pay, _, seen) if _is_attested(one.tab, Key(side.other, pay)):
                testimony.settled(tx, one.contact, not mine, pay, seen.witness)
            case Receipt(pay, invoice, lines):
                receipts.keep(tx, one.contact, not mine, pay, receipts.Slip(invoice, lines, item.at_ms))
            case _:
                pass
        for key, before in one.tab.touched.items():
            if one.tab.payments[key].stage is not before:
                self.moved[key] = item.at_ms
        one.tab.touched.clear()

    def write(self, tx: Tx, one: "OpenTab") -> None:
        """Writes the rows of all that has moved, and the sums; a fresh fold drops what it has not found."""
        is_fresh = one.is_fresh
        told = {(one.is_mine(key), key.pay): one.tab.payments[key].stage for key in self.moved}
        if is_fresh:
            before = payments.stages(tx, one.contact, one.generation)
            payments.drop(tx, one.generation, [(one.contact, *name) for name in before.keys() - told.keys()])
            payments.drop_requests(tx, one.contact)
            renewals.turn(tx, one.contact, one.ledger)
            payments.drop_balances(tx, one.contact)
            told = {name: stage for name, stage in told.items() if before.get(name) is not stage}
            one.is_fresh = False
        self._write_payments(tx, one)
        payments.tell(tx, [(one.contact, *name) for name in [*told][-payments.TOLD_MAX :]])
        for unit in one.tab.units() if is_fresh else one.tab.touched_units:
            owed = one.tab.balance(one.side, unit)
            allowed, credit = one.tab.limit(one.side, unit), one.tab.limit(one.side.other, unit)
            payments.balance(tx, one.contact, unit, owed, allowed, credit)
        one.tab.touched_units.clear()
        tx.execute("INSERT OR REPLACE INTO tab_mark (contact, mark) VALUES (?, ?)", (one.contact, one.mark))

    def _write_payments(self, tx: Tx, one: "OpenTab") -> None:
        begun: list[Any] = []
        moved: list[Any] = []
        for key, at_ms in self.moved.items():
            found, mine = one.tab.payments[key], one.is_mine(key)
            if key in self.begun:
                term, offered_ms = self.begun[key]
                memo, hop = (term.memo, 0) if isinstance(term, Offer) else ("", term.hop)
                row: Any = (one.contact, mine, key.pay, found.unit, found.amount, found.stage, offered_ms)
                begun.append((*row, at_ms, found.expires_ms, memo, found.cause, found.of, hop))
            else:
                moved.append((one.contact, mine, key.pay, found.stage, at_ms))
        payments.begun(tx, one.generation, begun)
        payments.moved(tx, one.generation, moved)


def _is_attested(tab: Tab, key: Key) -> bool:
    """Whether the entry that was taken just now has settled this payment by the word of a witness."""
    return key in tab.touched and tab.payments[key].attested is not None
