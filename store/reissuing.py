"""What we had written into our half of a ledger, was taken back before anybody had it, and is written again.

docs/protocol/spine.md 6.4: whoever reads the half holds other entries of ours, which this disk had forgotten. What was
said is said again where it still can be, about the tab as it stands with those. Not here: logs of notes (authoring.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from crypto.keys import Entropy
from ledger import commands
from ledger.tab import Tab
from ledger.terms import Accept, Ackn, Attest, Lock, Offer, Open, Settle, Term
from protocol import record
from store import halves, payments, spaces, tabs
from store.database import Tx
from store.entries import Held
from store.identity import Identity
from store.spaces import Space
from store.tabs import OpenTab, Pause, Tabs

HALTED = (Pause.WAITS, Pause.NEWER)  # something is to come first


def again(tx: Tx, of: Space, taken: Sequence[Held], me: Identity, now_ms: int, entropy: Entropy) -> None:
    """Writes again what these entries of our half said: at once, or by `resume` where the tab has to be whole first.

    What came back may acknowledge entries of the other half that are not here yet.
    """
    (contact_id,) = spaces.readers(tx, of.log.number)
    book = Tabs(me.account)
    one = book.of(tx, contact_id)
    if one.pause is not None and one.pause not in HALTED:  # then it is over, and the person is told so
        return
    said = [term for held in taken if (term := halves.term(of, held)) is not None and term is not halves.NEWER]
    tx.executemany(
        "INSERT INTO unsaid (contact, term) VALUES (?, ?)", [(contact_id, record.encode(term)) for term in said]
    )
    resume(tx, book, one, me, now_ms, entropy)


def resume(tx: Tx, book: Tabs, one: OpenTab, me: Identity, now_ms: int, entropy: Entropy) -> None:
    """Writes again what waited for this tab to be whole, if it is. one: of this transaction, caught up."""
    rows = (
        ()
        if one.pause is not None
        else tx.all("SELECT term FROM unsaid WHERE contact = ? ORDER BY number", (one.contact,))
    )
    if not rows:
        return
    tx.execute("DELETE FROM unsaid WHERE contact = ?", (one.contact,))
    for (said,) in rows:
        make = _again(tx, one, halves.read(said), now_ms, entropy)
        if make is not None:
            book.write(tx, one, make, me, now_ms, entropy)


def _again(tx: Tx, one: OpenTab, term: Term, now_ms: int, entropy: Entropy) -> Callable[[Tab], Term] | None:
    """What to write in place of a term; None where nothing is left to say."""
    match term:
        case Open() | Ackn() | Attest():
            return None  # each belongs to its place, and is said anew when it is due
        case Offer(pay) | Lock(pay):
            if pay <= one.tab.newest[one.side]:
                if payments.found(tx, one.contact, True, pay) is not None:
                    return None
                renamed = replace(term, pay=tabs.new_pay(one, now_ms, entropy))
                return lambda _: renamed
            return lambda _: term
        case Accept(pay):
            if commands.refusal(one.tab, one.side, one.key(False, pay)) is not None:
                return None
            return lambda tab: Accept(pay, tab.state())
        case Settle(pay):
            if not commands.may_settle(one.tab, one.key(True, pay)):
                return None
            return lambda tab: Settle(pay, tab.state())
        case _:
            return lambda _: term
