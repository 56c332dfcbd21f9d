"""How a way over friends of friends is found: contacts are asked, and may ask theirs (docs/protocol/ledger.md 10).

    payer:   begin, ring ──> asks ──> told ──> Way, or Nowhere
    middle:  asked ──> an answer at once, or a search of its own ──> told ──> a Route and the answer

A yes promises to pass on one lock for ten minutes, nothing else; no answer says what anybody owes or allows, and a no
does not say why. No clock, no I/O: how long an answer is waited for is the room's to say. Not here: locks (path.py).
"""

from dataclasses import dataclass, replace

from ledger import path
from ledger.path import Lines, Route
from protocol import probe
from protocol.invoice import Invoice
from protocol.probe import HOPS_MAX, Found, Probe

ASKED_MAX = 16  # contacts, of one search
SEARCHES_MAX = 64  # of others, at once
ROUTES_MAX = 256  # at once
SHARE_MAX = 8  # one contact has at most an eighth of both


@dataclass(frozen=True, slots=True)
class Search:
    """A question that waits for answers. probe: as it is asked on; to each with an amount of his own in a ring.

    before: who asked us, None for a payer. waiting: those who are asked, with the amount; rest: those who are asked
    when all of them have said no.
    """

    probe: Probe
    before: bytes | None
    waiting: tuple[tuple[bytes, int], ...]
    rest: tuple[tuple[bytes, int], ...] = ()
    came: Probe | None = None  # what `before` has asked


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this question to a contact."""

    contact: bytes
    probe: Probe


@dataclass(frozen=True, slots=True)
class Tell:
    """Send this answer to a contact. route: to keep before it is sent; None for a no."""

    contact: bytes
    found: Found
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A payer can lock so much towards this contact (`path.begin`)."""

    search: bytes
    contact: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Nobody who was asked knows a way."""

    search: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a node does next about a search. search: as it goes on, None where it is over."""

    search: Search | None
    effects: tuple[Ask | Tell | Way | Nowhere, ...]


def begin(lines: Lines, invoice: Invoice, search: bytes) -> Asked:
    """A payer's search for a way to the payee of an invoice. search: 16 random bytes.

    Contacts whom the invoice names are asked first, the others when none of those has a way. They are told the next
    round amount, not the exact one.
    """
    asked = Probe(
        search,
        probe.mark(invoice.key, invoice.lock),
        invoice.key,
        invoice.unit,
        probe.bucket(invoice.amount),
        probe.tag(invoice.key, invoice.payee),
        invoice.tags,
        1,
        0,
    )
    wanted = [
        (contact, asked.amount)
        for contact in _by_room(lines, invoice.unit)
        if contact != invoice.payee and path.room(lines[contact], invoice.unit) >= invoice.amount
    ]
    return _asking(_sorted_by_hint(asked, wanted), None)


def ring(lines: Lines, account: bytes, unit: str, search: bytes, key: bytes, lock: bytes) -> Asked:
    """A search for a ring of debts that begins and ends with this account, and which a lock around it can lower.

    account: our own. search, key: 16 random bytes each; lock: the hash of a preimage of ours. Each contact who owes us
    is asked for what he owes; who answers says how much can go around.
    """
    asked = Probe(search, probe.mark(key, lock), key, unit, 1, probe.tag(key, account), (), 1, 1)
    wanted = [(contact, path.owed_by(lines[contact], unit)) for contact in _by_room(lines, unit)]
    return _asking(Search(asked, None, tuple(one for one in wanted if one[1] > 0)[:ASKED_MAX]), None)


def asked(
    lines: Lines,
    before: bytes,
    question: Probe,
    searches: tuple[Search, ...],
    routes: tuple[Route, ...],
    now_ms: int,
) -> Asked:
    """What a node does that a contact has asked. searches: all that wait here; routes: all that are not over."""
    refusal = Tell(before, Found(question.search, 0))
    no = Asked(None, (refusal,))
    is_known = any(one.probe.search == question.search for one in searches)
    is_known = is_known or any(one.search == question.search for one in routes)
    if is_known or before not in lines or _is_full(before, searches, routes):
        return no
    is_ring = bool(question.is_ring)
    amount = question.amount
    if is_ring:
        amount = min(amount, path.owed_to(lines[before], question.unit))
    wanted = []
    for contact in _by_room(lines, question.unit):
        least = amount
        if is_ring:
            spare = min(path.spare(lines, one, question.unit, routes) for one in (before, contact))
            least = min(amount, path.owed_by(lines[contact], question.unit), spare)
        if least > 0 and not path.unfit(lines, before, contact, question.unit, least, is_ring=is_ring, routes=routes):
            wanted.append((contact, least))
    at_goal = next((one for one in wanted if probe.tag(question.key, one[0]) == question.target), None)
    if at_goal is not None:
        return Asked(None, (_yes(before, question, *at_goal, now_ms),))
    if question.hop + 1 > HOPS_MAX - 1:
        return no
    onward = replace(question, hop=question.hop + 1)
    return _asking(replace(_sorted_by_hint(onward, wanted), before=before, came=question), refusal)


def told(lines: Lines, search: Search, contact: bytes, found: Found, routes: tuple[Route, ...], now_ms: int) -> Asked:
    """What a node does that was told something about a search of its own. The first yes counts."""
    most = next((amount for account, amount in search.waiting if account == contact), None)
    if most is None or found.search != search.probe.search:
        return Asked(search, ())
    left = replace(search, waiting=tuple(one for one in search.waiting if one[0] != contact))
    is_enough = 0 < found.amount <= most if search.probe.is_ring else found.amount == most
    if is_enough:
        if search.before is None:
            return Asked(None, (Way(found.search, contact, found.amount),))
        assert search.came is not None
        terms = (search.before, contact, search.probe.unit, found.amount)
        if path.unfit(lines, *terms, is_ring=bool(search.probe.is_ring), routes=routes) is None:
            return Asked(None, (_yes(search.before, search.came, contact, found.amount, now_ms),))
    if left.waiting:
        return Asked(left, ())
    return given_up(left)


def given_up(search: Search) -> Asked:
    """What a node does when those who were asked do not answer, or all said no: it asks the rest, or says so."""
    name, before = search.probe.search, search.before
    over = Nowhere(name) if before is None else Tell(before, Found(name, 0))
    return _asking(replace(search, waiting=search.rest, rest=()), over)


def _is_full(before: bytes, searches: tuple[Search, ...], routes: tuple[Route, ...]) -> bool:
    """Whether this contact, or all together, have asked as much as a node keeps."""
    for askers, most in (
        ([one.before for one in searches if one.before is not None], SEARCHES_MAX),
        ([one.before for one in routes], ROUTES_MAX),
    ):
        if len(askers) >= most or askers.count(before) >= most // SHARE_MAX:
            return True
    return False


def _asking(search: Search, over: Tell | Nowhere | None) -> Asked:
    if not search.waiting and search.rest:
        search = replace(search, waiting=search.rest, rest=())
    if not search.waiting:
        return Asked(None, (over or Nowhere(search.probe.search),))
    asks = tuple(Ask(contact, replace(search.probe, amount=amount)) for contact, amount in search.waiting)
    return Asked(search, asks)


def _yes(before: bytes, question: Probe, after: bytes, amount: int, now_ms: int) -> Tell:
    route = Route(
        question.search,
        question.mark,
        question.key,
        before,
        after,
        question.unit,
        amount,
        question.hop,
        bool(question.is_ring),
        now_ms + path.ROUTE_MS,
    )
    return Tell(before, Found(question.search, amount), route)


def _sorted_by_hint(question: Probe, wanted: list[tuple[bytes, int]]) -> Search:
    """A search that asks those first whom the invoice names, at most 16 in all."""
    named = [one for one in wanted if probe.tag(question.key, one[0]) in question.tags][:ASKED_MAX]
    others = [one for one in wanted if one not in named][: ASKED_MAX - len(named)]
    return Search(question, None, tuple(named), tuple(others))


def _by_room(lines: Lines, unit: str) -> list[bytes]:
    """Contacts with the most room first: only we know."""
    return sorted(lines, key=lambda contact: (-path.room(lines[contact], unit), contact))
