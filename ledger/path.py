"""A payment over friends of friends, as each node on the way acts: payer, middle, payee (docs/protocol/ledger.md 11).

    A ── lock ──> B ── lock ──> C        C has the preimage: reveals it to B, B to A
    A <─ release ─ B <─ release ─ C      or C gives up, and B then does: a lock ends by its payee alone

    next_step(lines, routes, dues, secrets, now_ms) -> what is to be written next, or None

It looks at what stands in the tabs and at nothing else, so it says the same after a crash, however often it is asked.
Whoever writes what it says and keeps the route in the same transaction cannot lose in the middle: he locks onwards only
what was locked towards him and what his own log has acknowledged, once, and gives it up only when it was given up
behind him. No clock, no I/O. Not here: how a way is found (finding.py), what locks mean (tab.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ledger import commands
from ledger.payment import Payment, Side, Stage
from ledger.tab import Key, Tab, lock_of
from ledger.terms import Ackn, Lock, Release, Reveal
from protocol import probe
from protocol.invoice import Invoice

ROUTE_MS = 10 * 60 * 1000  # how long who answered yes still takes the lock


class Reason(Enum):
    """Why a lock is not passed on, not taken, or not begun."""

    UNASKED = "nobody asked about it before, or too long ago"
    OTHER = "it is another amount than was asked about"
    TWICE = "a lock with this hash is there already"
    LIMIT = "more would be owed than is allowed"
    CAP = "it is more than is passed on for others"
    ROOM = "the next one does not allow so much"
    LATE = "its time is over"
    GIVEN_UP = "it was given up further on"


@dataclass(frozen=True, slots=True)
class Cap:
    """What is passed on over a tab in a unit for others: of one payment, and of all together that are not over."""

    each: int
    total: int


@dataclass(frozen=True, slots=True)
class Line:
    """A tab as this node has it. side: its own; caps: by unit, none where it passes nothing on.

    over: the payments that open routes name and the tab does not hold any more. is_open: whether anything can be
    written; is_published: whether the other holds all that we wrote; is_whole: whether all that we ever wrote is here.
    """

    tab: Tab
    side: Side
    caps: Mapping[str, Cap] = field(default_factory=dict)
    over: Mapping[Key, Payment] = field(default_factory=dict)
    is_open: bool = True
    is_published: bool = True
    is_whole: bool = True

    def lock(self, payer: Side, pay: bytes) -> Payment | None:
        """The lock of this name."""
        key = Key(payer, pay)
        return self.tab.payments.get(key) or self.over.get(key)


Lines = Mapping[bytes, Line]  # by account of the contact


@dataclass(frozen=True, slots=True)
class Route:
    """What a node in the middle has promised: to pass on a lock of `before`, of at most so much, to `after`.

    search, mark, key: of the probe. hop: of the lock that comes. until_ms: by our clock, when the promise ends. came,
    onward: the names of both locks once it was passed on; from then on nothing ends it but the locks themselves.
    """

    search: bytes
    mark: bytes
    key: bytes
    before: bytes
    after: bytes
    unit: str
    amount: int
    hop: int
    is_ring: bool
    until_ms: int
    came: bytes | None = None
    onward: bytes | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What this node shows a preimage for, once: its invoice, or the end of a ring that it began.

    own: in a ring, the lock by which it begins, as contact and name; it must still stand.
    """

    preimage: bytes
    unit: str
    amount: int
    expires_ms: int
    own: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Append this to our half with a contact. reason: why it is released, None for anything else."""

    contact: bytes
    term: Ackn | Reveal | Release
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Onwards:
    """Append this lock to our half with a contact, under a new name of ours.

    route: as it was; None where we are the payer. came: the name of the lock that is passed on.
    """

    contact: bytes
    unit: str
    amount: int
    hash: bytes
    hop: int
    route: Route | None = None
    came: bytes | None = None

    def lock(self, pay: bytes) -> Lock:
        """The term. pay: a new name, 16 bytes, greater than those before on this tab."""
        return Lock(pay, self.unit, self.amount, self.hash, self.hop)

    def passed(self, pay: bytes) -> Route:
        """The route to keep, in the transaction that appends the lock."""
        assert self.route is not None
        return replace(self.route, came=self.came, onward=pay)


Step = Write | Onwards
Dues = Mapping[bytes, Due]  # by hash of the lock
Secrets = Mapping[bytes, bytes]  # every preimage that was heard or shown, by its hash


def next_step(lines: Lines, routes: tuple[Route, ...], dues: Dues, secrets: Secrets, now_ms: int) -> Step | None:
    """What this node writes next about locks towards it; None where it can only wait.

    The caller writes it, and asks again; what one call says is not true any more once something else was written.
    """
    for contact in sorted(lines):
        line = lines[contact]
        for one in _coming(line) if line.is_open else ():
            step = _judged(contact, one, lines, routes, dues, secrets, now_ms)
            if step is not None:
                return step
    return None


def begin(
    lines: Lines, contact: bytes, unit: str, amount: int, hash_: bytes, *, is_ring: bool, secrets: Secrets
) -> Onwards | Reason:
    """The payer's own lock, or why there must be none.

    One lock of a hash is begun at a time, and none after it was paid: so nobody pays twice for one invoice.
    """
    if hash_ in secrets or any(True for _ in _locked_with(lines, hash_)):
        return Reason.TWICE
    if not lines[contact].is_open or room(lines[contact], unit, is_ring=is_ring) < amount:
        return Reason.ROOM
    return Onwards(contact, unit, amount, hash_, 1)


def is_over(route: Route, lines: Lines, now_ms: int) -> bool:
    """Whether a route can be forgotten: nobody took the promise in time, or what came by it is answered."""
    if route.came is None:
        return now_ms > route.until_ms
    line = lines.get(route.before)
    came = None if line is None else line.lock(line.side.other, route.came)
    return came is None or came.stage is not Stage.LOCKED


def proves(invoice: Invoice, preimage: bytes) -> bool:
    """Whether this preimage and this invoice, which was checked, are a receipt: its payee has shown the one for it."""
    return lock_of(preimage) == invoice.lock


def unfit(
    lines: Lines,
    before: bytes,
    after: bytes,
    unit: str,
    amount: int,
    *,
    is_ring: bool,
    routes: tuple[Route, ...],
    is_counted: bool = False,
) -> Reason | None:
    """Why a lock of so much from one contact could not go on to another; None where it can.

    is_counted: it is there already, so that what the one before owes us counts it.
    """
    if before == after or before not in lines or after not in lines:
        return Reason.UNASKED
    if any(amount > spare(lines, contact, unit, routes) for contact in (before, after)):
        return Reason.CAP
    if not _is_within(lines[before], unit, 0 if is_counted else amount, is_ring=is_ring):
        return Reason.LIMIT
    is_shut = not lines[after].is_open
    return Reason.ROOM if is_shut or room(lines[after], unit, is_ring=is_ring) < amount else None


def passing(contact: bytes, line: Line, unit: str, routes: tuple[Route, ...]) -> int:
    """How much this node is passing on over a tab, towards it and away from it."""
    total = 0
    for route in routes:
        if route.unit != unit or route.came is None or route.onward is None:
            continue
        for at, payer, name in (
            (route.before, line.side.other, route.came),
            (route.after, line.side, route.onward),
        ):
            one = line.lock(payer, name) if at == contact else None
            if one is not None and one.stage is Stage.LOCKED:
                total += one.amount
    return total


def spare(lines: Lines, contact: bytes, unit: str, routes: tuple[Route, ...]) -> int:
    """How much more of one payment this node passes on over a tab; 0 where it passes nothing on."""
    cap = lines[contact].caps.get(unit)
    return 0 if cap is None else max(min(cap.each, cap.total - passing(contact, lines[contact], unit, routes)), 0)


# --- what comes


def _coming(line: Line) -> list[Payment]:
    """The locks towards us that are not over, by name."""
    found = (one for one in line.tab.open() if one.stage is Stage.LOCKED and one.payer is not line.side)
    return sorted(found, key=lambda one: one.pay)


def _judged(
    contact: bytes,
    one: Payment,
    lines: Lines,
    routes: tuple[Route, ...],
    dues: Dues,
    secrets: Secrets,
    now_ms: int,
) -> Step | None:
    assert one.lock is not None
    passed = next((route for route in routes if route.before == contact and route.came == one.pay), None)
    if passed is not None:
        return _answered(contact, one, passed, lines, secrets)
    due = dues.get(one.lock)
    if due is not None:
        reason = Reason.TWICE if one.lock in secrets else _undue(contact, one, due, lines, now_ms)
        if reason is None:
            return Write(contact, Reveal(one.pay, due.preimage))
        return Write(contact, Release(one.pay), reason)
    route = _route_of(contact, one, routes, now_ms)
    if route is None and not all(each.is_whole for each in lines.values()):
        return None  # we may have passed it on, before this device was set up
    reason = Reason.UNASKED if route is None else _unpassable(contact, one, route, lines, routes, secrets)
    if reason is not None:
        return Write(contact, Release(one.pay), reason)
    assert route is not None
    line = lines[contact]
    if line.tab.acked[line.side] <= one.offered:  # ledger 11.3: nothing is done about what our log has not acknowledged
        return Write(contact, Ackn())
    if not line.is_published:
        return None
    return Onwards(route.after, one.unit, one.amount, one.lock, route.hop + 1, route, one.pay)


def _answered(contact: bytes, one: Payment, route: Route, lines: Lines, secrets: Secrets) -> Step | None:
    """What is said to the one before, once the one after has answered."""
    assert one.lock is not None
    assert route.onward is not None
    line = lines.get(route.after)
    onward = None if line is None else line.lock(line.side, route.onward)
    match None if onward is None else onward.stage:
        case Stage.SETTLED:
            return Write(contact, Reveal(one.pay, secrets[one.lock]))
        case Stage.RELEASED:
            return Write(contact, Release(one.pay), Reason.GIVEN_UP)
        case _:
            return None


def _undue(contact: bytes, one: Payment, due: Due, lines: Lines, now_ms: int) -> Reason | None:
    """Why the payee does not show the preimage for this lock."""
    if now_ms > due.expires_ms:
        return Reason.LATE
    if (one.unit, one.amount) != (due.unit, due.amount):
        return Reason.OTHER
    line, is_ring = lines[contact], due.own is not None
    if due.own is not None:
        first, pay = due.own
        own = lines[first].lock(lines[first].side, pay) if first in lines else None
        if own is None or own.stage is not Stage.LOCKED or (own.unit, own.amount) != (one.unit, one.amount):
            return Reason.GIVEN_UP
    return None if _is_within(line, one.unit, 0, is_ring=is_ring) else Reason.LIMIT


def _route_of(contact: bytes, one: Payment, routes: tuple[Route, ...], now_ms: int) -> Route | None:
    """The promise that this lock is about and that nothing was passed on by yet."""
    assert one.lock is not None
    for route in routes:
        is_open = route.before == contact and route.came is None and now_ms <= route.until_ms
        if is_open and probe.mark(route.key, one.lock) == route.mark:
            return route
    return None


def _unpassable(
    contact: bytes, one: Payment, route: Route, lines: Lines, routes: tuple[Route, ...], secrets: Secrets
) -> Reason | None:
    """Why a lock that was asked about is not passed on after all."""
    assert one.lock is not None
    if one.unit != route.unit or one.amount > route.amount:
        return Reason.OTHER
    others = (two for at, two in _locked_with(lines, one.lock) if (at, two.payer, two.pay) != (contact, *_key(one)))
    if one.lock in secrets or any(True for _ in others):
        return Reason.TWICE
    fit = (lines, route.before, route.after, one.unit, one.amount)
    return unfit(*fit, is_ring=route.is_ring, routes=routes, is_counted=True)


# --- how much


def _is_within(line: Line, unit: str, more: int, *, is_ring: bool) -> bool:
    """Whether the other may owe us this: within our limit; in a ring he may owe us nothing when it is over."""
    most = 0 if is_ring else line.tab.limit(line.side, unit)
    return commands.exposure(line.tab, line.side, unit) + more <= most


def room(line: Line, unit: str, *, is_ring: bool = False) -> int:
    """How much we can lock towards the other: what he allows; in a ring, what he owes us."""
    found = commands.room(line.tab, line.side, unit)
    return found - line.tab.limit(line.side.other, unit) if is_ring else found


def owed_to(line: Line, unit: str) -> int:
    """What we owe the other, with all that he has locked towards us: what a ring may lower at most; 0 for nothing."""
    return max(-commands.exposure(line.tab, line.side, unit), 0)


def owed_by(line: Line, unit: str) -> int:
    """What the other owes us, without what we have on its way to him; 0 for nothing."""
    return max(room(line, unit, is_ring=True), 0)


def _locked_with(lines: Lines, hash_: bytes) -> Iterator[tuple[bytes, Payment]]:
    """All locks with a hash on all tabs that are not over, with the contact."""
    for contact in sorted(lines):
        for one in lines[contact].tab.open():
            if one.lock == hash_:
                yield contact, one


def _key(one: Payment) -> tuple[Side, bytes]:
    return one.payer, one.pay
