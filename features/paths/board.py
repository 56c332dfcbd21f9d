"""The tabs of a node as the rules of paths look at them: in one transaction, only those that matter for a question.

Not here: the rules (ledger/path.py, ledger/finding.py), what is done by them (clerk.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from features.paths import view
from features.paths.view import Paying, State
from ledger.path import Due, Line, Route
from ledger.payment import Payment, Stage
from ledger.tab import Key
from ledger.terms import Cause
from node import till
from node.till import Till
from protocol import ids
from protocol.grant import Role
from store import locks, logs, payments, people, spaces
from store.database import Tx
from store.locks import Named
from store.people import ContactState
from store.renewals import Pause
from store.tabs import OpenTab


@dataclass(frozen=True, slots=True)
class Board:
    """What is on the table. tabs: by account of the contact, as lines are; secrets: those of locks that stand."""

    lines: dict[bytes, Line]
    tabs: dict[bytes, OpenTab]
    routes: tuple[Route, ...]
    secrets: dict[bytes, bytes]


def laid(tx: Tx, till_: Till, more: Iterable[int] = ()) -> Board:
    """The tabs on which something is locked or promised, and those with `more` contacts."""
    routes = _found_again(tx, view.routes(tx))
    going = view.going(tx)
    accounts = [account for route in routes for account in (route.before, route.after)]
    known = (people.by_account(tx, ids.AccountId(account)) for account in accounts)
    named = [one.id for one in known if one is not None]
    wanted = {*locks.open_with(tx), *named, *more, *(one.contact for one in going if one.contact)}
    wanted |= {*_recovering(tx)}
    caps, lines, tabs = view.caps(tx), {}, {}
    for contact_id in sorted(wanted):
        contact, one = people.contact(tx, contact_id), till_.of(tx, contact_id)
        tabs[bytes(contact.account)] = one
        lines[bytes(contact.account)] = Line(
            one.tab,
            one.side,
            caps.get(contact_id, {}),
            is_open=one.pause is None and till.is_open_to(contact),
            is_published=_is_published(tx, one),
            is_whole=one.pause is not Pause.WAITS,
        )
    for account, one in tabs.items():
        lines[account] = replace(lines[account], over=_over(tx, account, one, routes, going))
    hashes = {one.lock for line in lines.values() for one in line.tab.open() if one.lock is not None}
    return Board(lines, tabs, routes, locks.preimages(tx, sorted(hashes | {one.hash for one in going})))


def dues(tx: Tx, board: Board) -> dict[bytes, Due]:
    """What this node shows a preimage for: its invoices that nobody has paid otherwise, and rings that it began."""
    found: dict[bytes, Due] = {}
    for line in board.lines.values():
        for one in line.tab.open():
            wanted = None if one.lock is None or one.payer is line.side else view.invoice_locked(tx, one.lock)
            if wanted is not None and not is_taken(tx, wanted.name):
                found[wanted.hash] = Due(wanted.preimage, wanted.unit, wanted.amount, wanted.expires_ms)
    for ring in view.going(tx):
        if ring.is_ring and ring.state is State.LOCKED:
            account = bytes(people.contact(tx, ring.contact).account)
            never_ms = 2**53
            found[ring.hash] = Due(ring.preimage, ring.unit, ring.amount, never_ms, (account, ring.pay))
    return found


def is_taken(tx: Tx, invoice: bytes) -> bool:
    """Whether an ordinary payment for this invoice of ours was accepted."""
    return any(stage in (Stage.ACCEPTED, Stage.REFUNDING, Stage.SETTLED) for stage in _offers(tx, invoice, mine=False))


def is_offered(tx: Tx, invoice: bytes) -> bool:
    """Whether an ordinary payment of ours for this invoice is open or settled: no lock may stand beside it."""
    over = (Stage.DECLINED, Stage.REFUNDED)
    return any(stage not in over for stage in _offers(tx, invoice, mine=True))


def newest_offer(tx: Tx, invoice: bytes) -> payments.Paid | None:
    """Our newest ordinary payment for an invoice."""
    row = tx.one(
        "SELECT id FROM payment WHERE of = ? AND of != x'' AND cause = ? AND mine = 1 ORDER BY id DESC LIMIT 1",
        (invoice, int(Cause.INVOICE)),
    )
    return None if row is None else payments.payment(tx, row[0])


def with_room(tx: Tx, unit: str) -> list[int]:
    """Contacts who let us owe something of a unit, as the rows have it."""
    found = (one for one in payments.balances(tx) if one.unit == unit and one.credit + one.owed > 0)
    return [one.contact for one in found if people.contact(tx, one.contact).state is ContactState.ACTIVE]


def owing(tx: Tx, unit: str) -> list[int]:
    """Contacts who owe us something of a unit, as the rows have it."""
    return [one.contact for one in payments.balances(tx) if one.unit == unit and one.owed > 0]


def paying_over(tx: Tx, unit: str, amount: int) -> list[int]:
    """Contacts who may owe us so much more, those with the most room first: an invoice names them by tags."""
    found = [(one.allowed - one.owed, one.contact) for one in payments.balances(tx) if one.unit == unit]
    return [contact_id for left, contact_id in sorted(found, reverse=True) if left >= amount]


def payer_of(tx: Tx, invoice: bytes) -> int | None:
    """The contact whose ordinary payment for an invoice of ours was settled."""
    row = tx.one(
        "SELECT contact FROM payment WHERE of = ? AND of != x'' AND cause = ? AND mine = 0 AND stage = ?",
        (invoice, int(Cause.INVOICE), int(Stage.SETTLED)),
    )
    return None if row is None else int(row[0])


def _offers(tx: Tx, invoice: bytes, *, mine: bool) -> list[Stage]:
    rows = tx.all(
        "SELECT stage FROM payment WHERE of = ? AND of != x'' AND cause = ? AND mine = ?",
        (invoice, int(Cause.INVOICE), int(mine)),
    )
    return [Stage(row[0]) for row in rows]


def _recovering(tx: Tx) -> list[int]:
    """With whom a lost device of ours had a ledger: what it had passed on is only in there."""
    rows = tx.all(
        "SELECT DISTINCT r.contact FROM space s JOIN log l ON l.number = s.log JOIN reader r ON r.log = s.log"
        " WHERE s.role = ? AND s.contact = ? AND l.own = 0 ORDER BY r.contact",
        (Role.LEDGER, spaces.OURS),
    )
    return [contact_id for (contact_id,) in rows]


def _is_published(tx: Tx, one: OpenTab) -> bool:
    """Whether the other has said that he holds all that we wrote (ledger 11.3)."""
    place = one.ours.place
    return place is None or logs.log(tx, place.number).published >= place.head.seq


def _over(
    tx: Tx, account: bytes, one: OpenTab, routes: tuple[Route, ...], going: tuple[Paying, ...]
) -> dict[Key, Payment]:
    """The locks that routes and rings name and that the tab has forgotten, as their rows have them."""
    names = [Named(one.contact, False, route.came) for route in routes if route.before == account and route.came]
    names += [Named(one.contact, True, route.onward) for route in routes if route.after == account and route.onward]
    names += [Named(one.contact, True, each.pay) for each in going if each.contact == one.contact and each.pay]
    found = {}
    for named in names:
        key = one.key(named.mine, named.pay)
        known = None if key in one.tab.payments else locks.as_payment(tx, named, key.payer)
        if known is not None:
            found[key] = known
    return found


def _found_again(tx: Tx, routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """The promises, with what was passed on by a device that is lost, or under a name that was changed since.

    Both locks of what was passed on stand in the ledgers, one hop apart, and have one hash.
    """
    found = list(routes)
    for one, hash_ in locks.coming(tx):
        before = bytes(people.contact(tx, one.contact).account)
        known = next((route for route in found if route.before == before and route.came == one.pay), None)
        if view.is_own(tx, hash_) or (known is not None and _stands(tx, known)):
            continue
        (first, *_), onwards = locks.by_hash(tx, hash_, mine=False), locks.by_hash(tx, hash_, mine=True)
        onward = next((two for two in reversed(onwards) if _hop(tx, two) == one.hop + 1), None)
        if onward is None or first[0::2] != (one.contact, one.pay):
            continue
        after = bytes(people.contact(tx, onward.contact).account)
        of = (one.pay, b"", b"", before, after, one.unit, one.amount, one.hop, False, 0, one.pay, onward.pay)
        if known is not None:
            view.drop_route(tx, known)
            found.remove(known)
        found.append(Route(*of) if known is None else replace(known, after=after, onward=onward.pay))
        view.keep_route(tx, found[-1])
    return tuple(found)


def _hop(tx: Tx, named: Named) -> int:
    row = payments.found(tx, *named)
    return 0 if row is None else row.hop


def _stands(tx: Tx, route: Route) -> bool:
    after = people.by_account(tx, ids.AccountId(route.after))
    if after is None or route.onward is None:
        return False
    return payments.found(tx, after.id, True, route.onward) is not None
