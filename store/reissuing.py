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
from store import halves, payments, spaces, tabs
from store.database import Tx
from store.entries import Held
from store.identity import Identity
from store.spaces import Space
from store.tabs import OpenTab, Tabs


def again(tx: Tx, of: Space, taken: Sequence[Held], me: Identity, now_ms: int, entropy: Entropy) -> None:
    """Writes again what these entries of our half said."""
    (contact_id,) = spaces.readers(tx, of.log.number)
    book = Tabs(me.account)
    one = book.of(tx, contact_id)
    if one.pause is not None:  # then it is over, and the person is told so
        return
    for held in taken:
        term = halves.term(of, held)
        make = None if term is None or term is halves.NEWER else _again(tx, one, term, now_ms, entropy)
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
