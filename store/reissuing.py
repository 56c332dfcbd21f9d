"""What we had written into our half of a ledger, was taken back before anybody had it, and is written again.

docs/protocol/spine.md 6.4: whoever reads the half holds other entries of ours, which this disk had forgotten. What was
said is said again where it still can be, about the tab as it stands with those. Not here: logs of notes (authoring.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from crypto.keys import Entropy
from ledger import commands
from ledger.tab import Tab
from ledger.terms import Accept, Ackn, Attest, Lock, Offer, Open, Settle, Term, Void
from protocol import entry, record
from protocol.grant import Role
from store import authoring, entries, generations, halves, payments, spaces, tabs
from store.database import Tx
from store.entries import Held
from store.identity import Identity
from store.spaces import Space
from store.tabs import OpenTab, Tabs


def again(tx: Tx, of: Space, taken: Sequence[Held], me: Identity, now_ms: int, entropy: Entropy) -> None:
    """Writes again what these entries of our half said, as soon as something can be written.

    What took their places may acknowledge what this disk has forgotten of the other half: then it waits for that. What
    a ledger said that was begun anew since is given up with it.
    """
    (contact_id,) = spaces.readers(tx, of.log.number)
    is_over = generations.number(of) < generations.of(tx, contact_id, me.account).number
    terms = [] if is_over else [halves.term(of, held) for held in taken]
    rows = [(contact_id, record.encode(term)) for term in terms if term is not None and term is not halves.NEWER]
    tx.executemany("INSERT INTO unsaid (contact, term) VALUES (?, ?)", rows)
    tabs.forget_image(tx, contact_id)  # the rows say what was taken back
    book = Tabs(me.account)
    say(tx, book, book.of(tx, contact_id), me, now_ms, entropy)


def say(tx: Tx, book: Tabs, one: OpenTab, me: Identity, now_ms: int, entropy: Entropy) -> None:
    """Writes into a tab what waits for it to be whole again."""
    rows = [] if one.pause else tx.all("SELECT term FROM unsaid WHERE contact = ? ORDER BY number", (one.contact,))
    if not rows:
        return
    tx.execute("DELETE FROM unsaid WHERE contact = ?", (one.contact,))
    names: dict[bytes, bytes] = {}  # of offers that needed other ones
    for (said,) in rows:
        make = _again(tx, one, halves.term_of(said), names, now_ms, entropy)
        if make is not None:
            book.write(tx, one, make, me, now_ms, entropy)


def succeed(tx: Tx, of: Space, anchor: bytes, me: Identity, now_ms: int, entropy: Entropy) -> Space:
    """As authoring.succeed; what nobody had seen of a ledger is written again in the log that goes it on."""
    unseen: tuple[Held, ...] = ()
    if of.log.own and of.role is Role.LEDGER:
        unseen = entries.read(tx, of.log.number, of.log.published + 1, entry.SEQ_MAX, entries.MEMORY_BYTES_MAX)
    begun = authoring.succeed(tx, of, anchor, me.device_key, now_ms, entropy)
    if unseen:
        again(tx, of, unseen, me, now_ms, entropy)
    return begun


def _again(
    tx: Tx, one: OpenTab, term: Term, names: dict[bytes, bytes], now_ms: int, entropy: Entropy
) -> Callable[[Tab], Term] | None:
    """What to write in place of a term; None where nothing is left to say."""
    match term:
        case Open() | Ackn() | Attest():
            return None  # each belongs to its place, and is said anew when it is due
        case Offer(pay) | Lock(pay):
            if pay <= one.tab.newest[one.side]:
                if payments.found(tx, one.contact, True, pay) is not None:
                    return None
                names[pay] = commands.new_pay(one.tab, one.side, now_ms, entropy)
                renamed = replace(term, pay=names[pay])
                return lambda _: renamed
            return lambda _: term
        case Void(pay):
            return lambda _: Void(names.get(pay, pay))
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
