"""Each reason for which a lock is not passed on, not taken, or not begun, made by changing one thing (ledger 11)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from ledger import path
from ledger.path import Cap, Due, Line, Onwards, Reason, Route, Write
from ledger.payment import Side
from ledger.tab import Key, Said, Tab, lock_of
from ledger.terms import Ackn, Limit, Lock, Release, Reveal, Term
from protocol import probe

UNIT, PREIMAGE, OTHER, KEY = "EUR", b"x" * 32, b"o" * 32, b"k" * 16
HASH = lock_of(PREIMAGE)
ANA, BO, CHEN = b"a" * 32, b"b" * 32, b"c" * 32
ROUTE = Route(b"s" * 16, probe.mark(KEY, HASH), KEY, ANA, CHEN, UNIT, 10, 1, False, 1_000)
COMING = Lock(b"p" * 16, UNIT, 10, HASH, 1)


def tab(*said: tuple[Side, Term]) -> Tab:
    """A tab on which this was said, each having heard everything."""
    made = Tab()
    for side, term in said:
        made.take(side, Said(made.heads[side.other], term, bytes(32)))
    return made


def owes(debtor: Side, amount: int) -> tuple[tuple[Side, Term], ...]:
    lock = Lock(b"a" * 16, UNIT, amount, lock_of(OTHER), 1)
    return (debtor, lock), (debtor.other, Reveal(lock.pay, OTHER))


@dataclass(frozen=True)
class At:
    """Where Bo stands, between Ana, who has locked something towards him, and Chen."""

    ana: tuple[tuple[Side, Term], ...] = ((Side.HIGH, Limit(UNIT, 10)), (Side.LOW, COMING))
    chen: tuple[tuple[Side, Term], ...] = ((Side.HIGH, Limit(UNIT, 10)),)
    caps: tuple[Cap | None, Cap | None] = (Cap(10, 10), Cap(10, 10))
    routes: tuple[Route, ...] = (ROUTE,)
    dues: dict[bytes, Due] = field(default_factory=dict)
    secrets: dict[bytes, bytes] = field(default_factory=dict)
    now_ms: int = 0

    def lines(self) -> path.Lines:
        one, other = ({} if cap is None else {UNIT: cap} for cap in self.caps)
        return {ANA: Line(tab(*self.ana), Side.HIGH, one), CHEN: Line(tab(*self.chen), Side.LOW, other)}

    def step(self) -> path.Step | None:
        return path.next_step(self.lines(), self.routes, self.dues, self.secrets, self.now_ms)


MIDDLE = At()
RING = At(
    ana=((Side.HIGH, Limit(UNIT, 10)), *owes(Side.HIGH, 10), (Side.LOW, COMING)),
    chen=((Side.HIGH, Limit(UNIT, 10)), *owes(Side.HIGH, 10)),
    routes=(replace(ROUTE, is_ring=True),),
)
PAYEE = At(dues={HASH: Due(PREIMAGE, UNIT, 10, 100)})
OWN = Lock(b"q" * 16, UNIT, 10, HASH, 1)
STARTER = At(
    ana=RING.ana,
    chen=(*RING.chen, (Side.LOW, OWN)),
    dues={HASH: Due(PREIMAGE, UNIT, 10, 100, (CHEN, OWN.pay))},
)


def limited(at: At, most: int) -> At:
    return replace(at, ana=((Side.HIGH, Limit(UNIT, most)), *at.ana[1:]))


def route(**changed: object) -> tuple[Route, ...]:
    return (replace(ROUTE, **changed),)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [MIDDLE, RING])
def test_a_lock_that_was_asked_about_is_acknowledged_and_passed_on(at: At) -> None:
    assert at.step() == Write(ANA, Ackn())
    acknowledged = replace(at, ana=(*at.ana, (Side.HIGH, Ackn())))
    step = acknowledged.step()
    assert step == Onwards(CHEN, UNIT, 10, HASH, 2, at.routes[0], COMING.pay)
    assert isinstance(step, Onwards)
    passed = step.passed(b"n" * 16)
    waits = replace(acknowledged, chen=(*at.chen, (Side.LOW, step.lock(b"n" * 16))), routes=(passed,))
    assert waits.step() is None
    told = replace(waits, chen=(*waits.chen, (Side.HIGH, Reveal(b"n" * 16, PREIMAGE))), secrets={HASH: PREIMAGE})
    assert told.step() == Write(ANA, Reveal(COMING.pay, PREIMAGE))
    given_up = replace(waits, chen=(*waits.chen, (Side.HIGH, Release(b"n" * 16))))
    assert given_up.step() == Write(ANA, Release(COMING.pay), Reason.GIVEN_UP)


def changed(at: At, contact: bytes, **fields: bool) -> path.Lines:
    """The lines, of which one is another."""
    return {account: replace(line, **fields) if account == contact else line for account, line in at.lines().items()}  # type: ignore[arg-type]


def test_it_goes_on_only_once_the_one_before_holds_that_it_was_acknowledged() -> None:
    at = replace(MIDDLE, ana=(*MIDDLE.ana, (Side.HIGH, Ackn())))
    rest = at.routes, at.dues, at.secrets, at.now_ms
    assert isinstance(path.next_step(at.lines(), *rest), Onwards)
    assert path.next_step(changed(at, ANA, is_published=False), *rest) is None
    assert isinstance(path.next_step(changed(at, CHEN, is_published=False), *rest), Onwards)


def test_nothing_is_written_into_a_tab_that_is_shut_and_nothing_goes_on_to_it() -> None:
    rest = MIDDLE.routes, MIDDLE.dues, MIDDLE.secrets, MIDDLE.now_ms
    assert path.next_step(changed(MIDDLE, ANA, is_open=False), *rest) is None
    assert path.next_step(changed(MIDDLE, CHEN, is_open=False), *rest) == Write(ANA, Release(COMING.pay), Reason.ROOM)
    shut = changed(MIDDLE, CHEN, is_open=False)
    found = path.begin(shut, CHEN, UNIT, 1, lock_of(OTHER), is_ring=False, secrets={})
    assert found is Reason.ROOM


def test_an_unasked_lock_stays_while_a_device_that_was_set_up_anew_knows_not_all() -> None:
    at = replace(MIDDLE, routes=())
    rest = at.routes, at.dues, at.secrets, at.now_ms
    assert path.next_step(at.lines(), *rest) == Write(ANA, Release(COMING.pay), Reason.UNASKED)
    assert path.next_step(changed(at, CHEN, is_whole=False), *rest) is None


def test_a_route_is_kept_until_what_came_by_it_is_answered() -> None:
    lines = MIDDLE.lines()
    assert [path.is_over(ROUTE, lines, now_ms) for now_ms in (0, 1_000, 1_001)] == [False, False, True]
    passed = replace(ROUTE, came=COMING.pay, onward=b"n" * 16)
    assert not path.is_over(passed, lines, 10**9)
    answered = replace(MIDDLE, ana=(*MIDDLE.ana, (Side.HIGH, Release(COMING.pay))))
    assert path.is_over(passed, answered.lines(), 0)


def test_what_the_tab_has_forgotten_is_still_answered() -> None:
    lines = dict(MIDDLE.lines())
    key = Key(Side.LOW, b"n" * 16)
    settled = tab(*owes(Side.LOW, 10)).payments[Key(Side.LOW, b"a" * 16)]
    lines[CHEN] = replace(lines[CHEN], over={key: settled._replace(pay=key.pay, lock=HASH)})
    routes = route(came=COMING.pay, onward=key.pay)
    step = path.next_step(lines, routes, {}, {HASH: PREIMAGE}, 0)
    assert step == Write(ANA, Reveal(COMING.pay, PREIMAGE))


REFUSALS: dict[str, tuple[At, Reason]] = {
    "no promise": (replace(MIDDLE, routes=()), Reason.UNASKED),
    "a promise to another": (replace(MIDDLE, routes=route(before=CHEN, after=ANA)), Reason.UNASKED),
    "a promise about another lock": (replace(MIDDLE, routes=route(mark=bytes(16))), Reason.UNASKED),
    "a promise that was taken": (replace(MIDDLE, routes=route(came=b"z" * 16, onward=b"z" * 16)), Reason.UNASKED),
    "a promise too old": (replace(MIDDLE, now_ms=1_001), Reason.UNASKED),
    "more than was asked": (replace(MIDDLE, routes=route(amount=9)), Reason.OTHER),
    "another unit": (replace(MIDDLE, routes=route(unit="USD")), Reason.OTHER),
    "the same hash again": (
        replace(MIDDLE, chen=(*MIDDLE.chen, (Side.HIGH, replace(COMING, pay=b"z" * 16)))),
        Reason.TWICE,
    ),
    "a hash that was shown": (replace(MIDDLE, secrets={HASH: PREIMAGE}), Reason.TWICE),
    "more than our limit": (limited(MIDDLE, 9), Reason.LIMIT),
    "more than the next allows": (replace(MIDDLE, chen=((Side.HIGH, Limit(UNIT, 9)),)), Reason.ROOM),
    "more than one may be": (replace(MIDDLE, caps=(Cap(9, 10), Cap(10, 10))), Reason.CAP),
    "more than one may be, onwards": (replace(MIDDLE, caps=(Cap(10, 10), Cap(9, 10))), Reason.CAP),
    "more than all may be": (replace(MIDDLE, caps=(Cap(10, 9), Cap(10, 10))), Reason.CAP),
    "nothing is passed on": (replace(MIDDLE, caps=(Cap(10, 10), None)), Reason.CAP),
    "a ring that would make him owe us": (
        replace(RING, ana=((Side.HIGH, Limit(UNIT, 10)), *owes(Side.HIGH, 9), (Side.LOW, COMING))),
        Reason.LIMIT,
    ),
    "a ring where the next owes us less": (
        replace(RING, chen=((Side.HIGH, Limit(UNIT, 10)), *owes(Side.HIGH, 9))),
        Reason.ROOM,
    ),
    "an invoice that is over": (replace(PAYEE, now_ms=101), Reason.LATE),
    "another amount than the invoice's": (
        replace(PAYEE, dues={HASH: Due(PREIMAGE, UNIT, 11, 100)}),
        Reason.OTHER,
    ),
    "another unit than the invoice's": (
        replace(PAYEE, dues={HASH: Due(PREIMAGE, "USD", 10, 100)}),
        Reason.OTHER,
    ),
    "more than a payee allows": (limited(PAYEE, 9), Reason.LIMIT),
    "an invoice that was paid": (replace(PAYEE, secrets={HASH: PREIMAGE}), Reason.TWICE),
    "a ring without its beginning": (replace(STARTER, chen=RING.chen), Reason.GIVEN_UP),
    "a ring that was given up": (
        replace(STARTER, chen=(*STARTER.chen, (Side.HIGH, Release(OWN.pay)))),
        Reason.GIVEN_UP,
    ),
    "a ring that would make the last owe its beginner": (
        replace(STARTER, ana=((Side.HIGH, Limit(UNIT, 10)), *owes(Side.HIGH, 9), (Side.LOW, COMING))),
        Reason.LIMIT,
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_it_is_given_back_with_the_reason(what: str) -> None:
    at, reason = REFUSALS[what]
    assert at.step() == Write(ANA, Release(COMING.pay), reason)


@pytest.mark.parametrize("at", [PAYEE, STARTER])
def test_a_payee_shows_the_preimage_for_what_is_due(at: At) -> None:
    assert at.step() == Write(ANA, Reveal(COMING.pay, PREIMAGE))


def test_all_together_stay_under_the_cap() -> None:
    """A second lock while the first is on its way."""
    other = lock_of(OTHER)
    first, second = Lock(b"f" * 16, UNIT, 6, other, 1), replace(COMING, amount=6)
    onward = Lock(b"g" * 16, UNIT, 6, other, 2)
    passed = replace(ROUTE, search=b"t" * 16, mark=bytes(16), came=first.pay, onward=onward.pay)
    for total, reason in ((12, None), (11, Reason.CAP)):
        for caps in ((Cap(6, total), Cap(6, 99)), (Cap(6, 99), Cap(6, total))):
            at = replace(
                MIDDLE,
                ana=((Side.HIGH, Limit(UNIT, 99)), (Side.LOW, first), (Side.HIGH, Ackn()), (Side.LOW, second)),
                chen=((Side.HIGH, Limit(UNIT, 99)), (Side.LOW, onward)),
                caps=caps,
                routes=(passed, ROUTE),
            )
            assert at.step() == (Write(ANA, Ackn()) if reason is None else Write(ANA, Release(second.pay), reason))


BEGUN: dict[str, tuple[Callable[[], path.Onwards | Reason], Reason | None]] = {
    "as it should": (lambda: begun(At(ana=MIDDLE.ana[:1])), None),
    "too much": (lambda: begun(At(ana=MIDDLE.ana[:1], chen=((Side.HIGH, Limit(UNIT, 9)),))), Reason.ROOM),
    "paid already": (lambda: begun(At(ana=MIDDLE.ana[:1], secrets={HASH: PREIMAGE})), Reason.TWICE),
    "on its way already": (
        lambda: begun(At(ana=MIDDLE.ana[:1], chen=STARTER.chen[:1] + STARTER.chen[-1:])),
        Reason.TWICE,
    ),
    "passed on for another": (lambda: begun(MIDDLE), Reason.TWICE),
    "a ring": (lambda: begun(replace(RING, ana=RING.ana[:-1]), is_ring=True), None),
    "a ring without a debt": (lambda: begun(At(ana=MIDDLE.ana[:1]), is_ring=True), Reason.ROOM),
}


def begun(at: At, *, is_ring: bool = False) -> path.Onwards | Reason:
    return path.begin(at.lines(), CHEN, UNIT, 10, HASH, is_ring=is_ring, secrets=at.secrets)


@pytest.mark.parametrize("what", BEGUN)
def test_a_payer_locks_once(what: str) -> None:
    begin, reason = BEGUN[what]
    assert begin() == (reason or Onwards(CHEN, UNIT, 10, HASH, 1))
