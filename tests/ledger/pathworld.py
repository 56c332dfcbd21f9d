"""Every interleaving of a payment over others, by the production fold and the production machine (ledger 11).

Who is honest hears, and writes what `path.next_step` says; who lies writes anything of his role, as if he had seen any
part of what came, and liars tell each other every preimage. A link that is cut, and a node that is silent, are what
happens when a move is not made: so what must never be is looked for in every world, and what must come in those where
nothing honest moves any more. Not here: how the way was found (test_finding.py).
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from ledger import path
from ledger.path import Cap, Due, Line, Onwards, Route, Step
from ledger.payment import Side, Stage
from ledger.tab import Said, Tab, lock_of
from ledger.terms import Limit, Lock, Release, Reveal, Term, Void
from protocol import probe

UNIT, AMOUNT, EXPIRES_MS = "EUR", 5, 1_000
PREIMAGE, KEY, SEARCH = b"x" * 32, b"k" * 16, b"s" * 16
HASH = lock_of(PREIMAGE)
OLD = b"old" + bytes(29)  # of what was owed before
LIVE_MS = 0
CAPS = {UNIT: Cap(AMOUNT, AMOUNT)}

Half = tuple[tuple[Term, int], ...]  # what was said, and how much of the other half its author had taken
Rule = Callable[[Half, Half, Side, bytes], Stage | None]  # what a lock is under another law; None: as in ours
Next = Callable[[path.Lines, tuple[Route, ...], path.Dues, path.Secrets, int], Step | None]


def account(node: int) -> bytes:
    return bytes((node + 1,)) * 32


def name(number: int) -> bytes:
    return number.to_bytes(16, "big")


@dataclass(frozen=True)
class Setup:
    """Who is there. tabs: pairs of nodes, the lower first; start: what both halves of each say already, heard by both.

    ways: to whom the payer may lock, one after another; liars: nodes; says_max: how much a liar adds to a half.
    """

    tabs: tuple[tuple[int, int], ...]
    start: tuple[tuple[Half, Half], ...]
    routes: tuple[tuple[int, Route], ...]
    payee: int
    ways: tuple[int, ...]
    liars: tuple[int, ...] = ()
    says_max: int = 2
    next_step: Next = path.next_step
    is_ring: bool = False
    hops: int = 2
    stage: Rule = field(default=lambda *_: None)
    is_patient: bool = True  # the payer waits until his lock is over before he begins another

    @property
    def nodes(self) -> tuple[int, ...]:
        return tuple(sorted({node for tab in self.tabs for node in tab}))

    @property
    def middles(self) -> tuple[int, ...]:
        return tuple(node for node in self.nodes if node not in (0, self.payee, *self.liars))


class World(NamedTuple):
    """Where all stand. heard: how much of the other's half each has; tries: locks that the payer has begun."""

    halves: tuple[tuple[Half, Half], ...]
    heard: tuple[tuple[int, int], ...]
    routes: tuple[tuple[int, Route], ...]
    tries: int = 0
    is_late: bool = False


def limits(low: int = 0, high: int = 0) -> tuple[Half, Half]:
    """Both halves of a tab on which each has said how much the other may owe him."""
    return ((Limit(UNIT, low), 0),), ((Limit(UNIT, high), 1),)


def owing(debtor: Side, amount: int) -> tuple[Half, Half]:
    """Both halves of a tab on which one owes the other."""
    lock: Half = ((Lock(name(1), UNIT, amount, lock_of(OLD), 1), 0),)
    reveal: Half = ((Reveal(name(1), OLD), 1),)
    return (lock, reveal) if debtor is Side.LOW else (reveal, lock)


def route(before: int, after: int, hop: int, *, is_ring: bool = False) -> Route:
    """A promise that stands when the world begins."""
    of = (SEARCH, probe.mark(KEY, HASH), KEY, account(before), account(after), UNIT, AMOUNT, hop, is_ring, 10**9)
    return Route(*of)


@cache
def fold(low: Half, high: Half) -> Tab:
    """The tab of these entries; whoever gets it changes nothing."""
    halves, tab = (low, high), Tab()
    while tab.heads != [len(low), len(high)]:
        for at in Side:
            while tab.heads[at] < len(halves[at]) and halves[at][tab.heads[at]][1] <= tab.heads[at.other]:
                term, ack = halves[at][tab.heads[at]]
                tab.take(at, Said(ack, term, bytes(32)))
    return tab


def view(world: World, at: int, side: Side) -> tuple[Half, Half]:
    """What one side of a tab has of both halves."""
    low, high = world.halves[at]
    heard = world.heard[at][side]
    return (low, high[:heard]) if side is Side.LOW else (low[:heard], high)


def lines_of(setup: Setup, world: World, node: int) -> dict[bytes, Line]:
    """The tabs of a node, as it has them."""
    found = {}
    for at, (low, high) in enumerate(setup.tabs):
        if node in (low, high):
            side = Side.LOW if node == low else Side.HIGH
            other = high if side is Side.LOW else low
            found[account(other)] = Line(fold(*view(world, at, side)), side, CAPS)
    return found


def secrets_of(setup: Setup, world: World, node: int) -> dict[bytes, bytes]:
    """Every preimage that a node has heard or shown; liars have what one of them has."""
    found: dict[bytes, bytes] = {}
    for at, (low, high) in enumerate(setup.tabs):
        for side, who in ((Side.LOW, low), (Side.HIGH, high)):
            if who == node or (node in setup.liars and who in setup.liars):
                for term, _ in (said for half in view(world, at, side) for said in half):
                    if isinstance(term, Reveal):
                        found[lock_of(term.preimage)] = term.preimage
    if node in setup.liars and setup.payee in setup.liars:
        found[HASH] = PREIMAGE
    return found


def place(setup: Setup, node: int, contact: bytes) -> tuple[int, Side]:
    """Which tab a node has with a contact, and its side of it."""
    for at, (low, high) in enumerate(setup.tabs):
        if (node, contact) == (low, account(high)):
            return at, Side.LOW
        if (node, contact) == (high, account(low)):
            return at, Side.HIGH
    raise AssertionError(node, contact)


def new_name(setup: Setup, world: World, node: int, contact: bytes) -> bytes:
    """A name that is greater than those before."""
    at, side = place(setup, node, contact)
    return name(len(world.halves[at][side]) + 1)


def write(setup: Setup, world: World, node: int, contact: bytes, term: Term, ack: int | None = None) -> World:
    """A node appends to its half with a contact, and acknowledges all that it has, or as much as is said."""
    at, side = place(setup, node, contact)
    halves = list(world.halves[at])
    halves[side] = (*halves[side], (term, world.heard[at][side] if ack is None else ack))
    return world._replace(halves=(*world.halves[:at], (halves[0], halves[1]), *world.halves[at + 1 :]))


# --- who moves


def hears(setup: Setup, world: World, only: tuple[int, ...] | None = None) -> Iterator[World]:
    """Somebody, or one of these, takes the next entry of the other's."""
    for at, nodes in enumerate(setup.tabs):
        for side in Side:
            heard = world.heard[at]
            if (only is None or nodes[side] in only) and heard[side] < len(world.halves[at][side.other]):
                more = (heard[0] + (side is Side.LOW), heard[1] + (side is Side.HIGH))
                yield world._replace(heard=(*world.heard[:at], more, *world.heard[at + 1 :]))


def steps(setup: Setup, world: World) -> Iterator[World]:
    """What honest nodes write."""
    for node in setup.nodes:
        if node in setup.liars:
            continue
        lines = lines_of(setup, world, node)
        secrets = secrets_of(setup, world, node)
        mine = tuple(one for who, one in world.routes if who == node)
        now_ms = EXPIRES_MS + 1 if world.is_late and node == setup.payee else LIVE_MS
        found = setup.next_step(lines, mine, dues_of(setup, node), secrets, now_ms)
        if found is not None:
            yield _applied(setup, world, node, found)
        if node == 0 and world.tries < len(setup.ways):
            yield from _begun(setup, world, lines, secrets)


def dues_of(setup: Setup, node: int) -> Mapping[bytes, Due]:
    """What a node shows a preimage for."""
    if node != setup.payee:
        return {}
    own = (account(setup.ways[0]), name(2)) if setup.is_ring else None
    return {HASH: Due(PREIMAGE, UNIT, AMOUNT, EXPIRES_MS, own)}


def _begun(setup: Setup, world: World, lines: path.Lines, secrets: path.Secrets) -> Iterator[World]:
    contact = account(setup.ways[world.tries])
    seen: path.Lines = lines if setup.is_patient else {contact: lines[contact]}
    found = path.begin(seen, contact, UNIT, AMOUNT, HASH, is_ring=setup.is_ring, secrets=secrets)
    if isinstance(found, Onwards):
        lock = found.lock(new_name(setup, world, 0, contact))
        yield write(setup, world, 0, contact, lock)._replace(tries=world.tries + 1)


def _applied(setup: Setup, world: World, node: int, step: Step) -> World:
    if not isinstance(step, Onwards):
        return write(setup, world, node, step.contact, step.term)
    pay = new_name(setup, world, node, step.contact)
    after = write(setup, world, node, step.contact, step.lock(pay))
    assert step.route is not None
    others = tuple(one for one in world.routes if one != (node, step.route))
    return after._replace(routes=tuple(sorted((*others, (node, step.passed(pay))), key=repr)))


def lies(setup: Setup, world: World) -> Iterator[World]:
    """What liars write."""
    for at, nodes in enumerate(setup.tabs):
        for side in Side:
            node, contact = nodes[side], account(nodes[side.other])
            mine = world.halves[at][side]
            if node not in setup.liars or len(mine) - len(setup.start[at][side]) >= setup.says_max:
                continue
            if nodes[side.other] in setup.liars:
                continue  # what two of them write to each other harms nobody else, and they share what they know
            for term in _lies(setup, world, at, side):
                for ack in range(mine[-1][1] if mine else 0, world.heard[at][side] + 1):
                    yield write(setup, world, node, contact, term, ack)


def _lies(setup: Setup, world: World, at: int, side: Side) -> Iterator[Term]:
    new = name(len(world.halves[at][side]) + 1)
    mine = [term for term, _ in world.halves[at][side] if isinstance(term, Lock) and term.hash == HASH]
    yield Lock(new, UNIT, AMOUNT, HASH, 1)
    if side is Side.LOW and not mine:
        yield Lock(new, UNIT, 1, HASH, 1)
    for lock in mine:
        yield Void(lock.pay)
    others = world.halves[at][side.other][: world.heard[at][side]]
    known = secrets_of(setup, world, setup.tabs[at][side])
    for term, _ in others:
        if isinstance(term, Lock) and term.hash == HASH:
            yield Release(term.pay)
            yield Reveal(term.pay, known.get(HASH, bytes(32)))


# --- what must be


@dataclass(frozen=True)
class Found:
    """What was seen. states: how many; paid: in how many of those that stand still the payee has his money."""

    states: int
    paid: int
    wrong: tuple[str, ...]


def explore(setup: Setup) -> Found:
    """Every world that can come about."""
    start = World(setup.start, tuple((len(high), len(low)) for low, high in setup.start), setup.routes)
    wrong: list[str] = []
    seen, todo, paid = {start}, deque([start]), 0
    while todo and not wrong:  # a rule that is wrong may never come to an end
        world = todo.popleft()
        honest = tuple(node for node in setup.nodes if node not in setup.liars)
        moves = [*hears(setup, world), *steps(setup, world)]
        is_still = not any(True for _ in hears(setup, world, honest)) and not any(True for _ in steps(setup, world))
        wrong += [f"{what}: {world}" for what in _wrong(setup, world, is_still=is_still)]
        got = locks_of(setup, world, setup.payee)[Side.HIGH]
        paid += is_still and any(stage is Stage.SETTLED for stage, *_ in got)
        if not world.is_late:
            moves.append(world._replace(is_late=True))
        moves += lies(setup, world)
        for moved in moves:
            after = _listening(setup, moved)
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return Found(len(seen), paid, tuple(wrong))


def _listening(setup: Setup, world: World) -> World:
    """Liars have heard everything: they may still write as if they had not."""
    heard = []
    for (low, high), nodes, now in zip(world.halves, setup.tabs, world.heard, strict=True):
        heard.append(
            (len(high) if nodes[0] in setup.liars else now[0], len(low) if nodes[1] in setup.liars else now[1])
        )
    return world._replace(heard=tuple(heard))


def locks_of(setup: Setup, world: World, node: int) -> dict[Side, list[tuple[Stage, int, str, bytes]]]:
    """The locks by this hash, as somebody sees them who has everything: Side.LOW those that a node owes by."""
    found: dict[Side, list[tuple[Stage, int, str, bytes]]] = {Side.LOW: [], Side.HIGH: []}
    for at, nodes in enumerate(setup.tabs):
        if node not in nodes:
            continue
        mine = Side.LOW if node == nodes[0] else Side.HIGH
        for one in fold(*world.halves[at]).payments.values():
            if one.lock == HASH:
                stage = setup.stage(*world.halves[at], one.payer, one.pay) or one.stage
                found[Side.LOW if one.payer is mine else Side.HIGH].append((stage, one.amount, one.unit, one.pay))
    return found


def _wrong(setup: Setup, world: World, *, is_still: bool) -> Iterator[str]:
    for node in setup.nodes:
        if node in setup.liars:
            continue
        locks = locks_of(setup, world, node)
        owes = [one for one in locks[Side.LOW] if one[0] in (Stage.LOCKED, Stage.SETTLED)]
        gets = [one for one in locks[Side.HIGH] if one[0] in (Stage.LOCKED, Stage.SETTLED)]
        if len(owes) > 1:
            yield f"{node} owes twice"
        if node == 0 and owes and owes[0][1:3] != (AMOUNT, UNIT):
            yield f"{node} owes another amount"
        if any(stage is Stage.SETTLED for stage, *_ in owes) and HASH not in _revealed(world):
            yield f"{node} has paid and there is no receipt"
        if node in setup.middles and owes and not any(one[1] >= owes[0][1] for one in gets):
            yield f"{node} cannot get what he may have to give"
        if is_still and node in (*setup.middles, *((0,) if setup.is_ring else ())) and _net(setup, world, node) < 0:
            yield f"{node} has lost"
        if node == setup.payee and len([one for one in gets if one[0] is Stage.SETTLED]) > 1:
            yield f"{node} is paid twice"
    if setup.is_ring:
        yield from _grown(setup, world)
    if is_still and not setup.liars:
        stages = {stage for node in setup.nodes for stage, *_ in locks_of(setup, world, node)[Side.LOW]}
        if Stage.LOCKED in stages or (Stage.SETTLED in stages and _settled(setup, world) != setup.hops):
            yield "it is over for some and not for others"


def _settled(setup: Setup, world: World) -> int:
    return sum(stage is Stage.SETTLED for node in setup.nodes for stage, *_ in locks_of(setup, world, node)[Side.LOW])


def _grown(setup: Setup, world: World) -> Iterator[str]:
    """Where a debt is greater than it was, though the one who would be owed more is honest."""
    for at, nodes in enumerate(setup.tabs):
        before, now = fold(*setup.start[at]), fold(*world.halves[at])
        for side in Side:
            if nodes[side] not in setup.liars and now.balance(side, UNIT) > max(before.balance(side, UNIT), 0):
                yield f"{nodes[side.other]} owes {nodes[side]} more than before"


def _revealed(world: World) -> set[bytes]:
    terms = (term for halves in world.halves for half in halves for term, _ in half)
    return {lock_of(term.preimage) for term in terms if isinstance(term, Reveal)}


def _net(setup: Setup, world: World, node: int) -> int:
    """What a node has won or lost on all its tabs together since the world began."""
    total = 0
    for at, nodes in enumerate(setup.tabs):
        if node in nodes:
            side = Side.LOW if node == nodes[0] else Side.HIGH
            total += _owed(setup, world.halves[at], side) - fold(*setup.start[at]).balance(side, UNIT)
    return total


def _owed(setup: Setup, halves: tuple[Half, Half], side: Side) -> int:
    """What the other owes this side; under another rule, of the locks that are settled by it."""
    tab = fold(*halves)
    owed = tab.balance(side, UNIT)
    for one in tab.payments.values():
        stage = setup.stage(*halves, one.payer, one.pay)
        if stage is not None and stage is not one.stage and one.stage is Stage.SETTLED:
            owed -= one.amount if one.payer is side.other else -one.amount
    return owed
