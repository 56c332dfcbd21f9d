"""A payment over friends of friends in every interleaving: nobody honest loses, whoever lies wherever (ledger 11)."""

from dataclasses import replace

import pytest

from ledger import path
from ledger.path import Route, Step, Write
from ledger.payment import Side, Stage
from ledger.terms import Release, Reveal, Void
from tests import depth
from tests.ledger import pathworld
from tests.ledger.pathworld import AMOUNT, Half, Setup, limits, owing, route

A, B, C, D = 0, 1, 2, 3
BOTH = limits(AMOUNT, AMOUNT)
THREE = Setup(((A, B), (B, C)), (BOTH, BOTH), ((B, route(A, C, 1)),), payee=C, ways=(B, B))
FOUR = Setup(
    ((A, B), (B, C), (C, D)),
    (BOTH, BOTH, BOTH),
    ((B, route(A, C, 1)), (C, route(B, D, 2))),
    payee=D,
    ways=(B,),
    says_max=1,
)
FORKED = Setup(
    ((A, B), (A, C), (B, D), (C, D)),
    (BOTH, BOTH, BOTH, BOTH),
    ((B, route(A, D, 1)), (C, route(A, D, 1))),
    payee=D,
    ways=(B, C),
    says_max=1,
)
RING = Setup(
    ((A, B), (A, C), (B, C)),
    (owing(Side.HIGH, 7), owing(Side.LOW, AMOUNT), owing(Side.HIGH, 9)),  # B owes A, A owes C, C owes B
    ((B, route(A, C, 1, is_ring=True)), (C, route(B, A, 2, is_ring=True))),
    payee=A,
    ways=(B,),
    says_max=1,
    is_ring=True,
)
FORKED = replace(FORKED, hops=2)
FOUR, RING = replace(FOUR, hops=3), replace(RING, hops=3)
HONEST = {"over one": THREE, "over two": FOUR, "two ways": FORKED, "a ring": RING}
LYING = {
    "the payer": (THREE, (A,)),
    "the middle": (replace(THREE, says_max=1 + (depth.LEVEL > 0)), (B,)),
    "the payee": (THREE, (C,)),
    "the payer of two": (FOUR, (A,)),
    "the first of two": (FOUR, (B,)),
    "the second of two": (FOUR, (C,)),
    "the payee of two": (FOUR, (D,)),
    "both ends of two": (FOUR, (A, D)),
    "one of two ways": (FORKED, (B,)),
    "who began the ring": (RING, (A,)),
    "the first of the ring": (RING, (B,)),
    "the last of the ring": (RING, (C,)),
    "all others of the ring": (RING, (B, C)),
}
if depth.LEVEL:
    LYING |= {"payer and payee": (THREE, (A, C)), "both ways": (FORKED, (B, C))}


@pytest.mark.parametrize("world", HONEST)
def test_among_honest_people_it_is_over_for_all_or_for_none(world: str) -> None:
    found = pathworld.explore(HONEST[world])
    assert found.wrong == (), found.wrong[:3]
    assert found.paid
    assert found.states > 40, found.states


@pytest.mark.parametrize("who", LYING)
def test_whoever_lies_nobody_else_loses_or_pays_twice(who: str) -> None:
    setup, liars = LYING[who]
    found = pathworld.explore(replace(setup, liars=liars))
    assert found.wrong == (), found.wrong[:3]
    assert found.states > 100, found.states


# --- rules that look as good, and fail: so the explorer is not blind


def ends_when_its_payer_says_so(low: Half, high: Half, payer: Side, pay: bytes) -> Stage | None:
    """A lock that its payer took back before he had the preimage is over: what a time limit comes to."""
    mine, theirs = (low, high) if payer is Side.LOW else (high, low)
    void = next((ack for term, ack in mine if term == Void(pay)), None)
    reveal = next((n for n, (term, _) in enumerate(theirs) if isinstance(term, Reveal) and term.pay == pay), None)
    return Stage.RELEASED if void is not None and (reveal is None or reveal >= void) else None


def gives_up_while_it_waits(
    lines: path.Lines, routes: tuple[Route, ...], dues: path.Dues, secrets: path.Secrets, now_ms: int
) -> Step | None:
    """A node in the middle that answers the one before as soon as the one after is silent."""
    step = path.next_step(lines, routes, dues, secrets, now_ms)
    for one in routes:
        line = lines[one.before]
        came = None if one.came is None else line.lock(line.side.other, one.came)
        if step is None and came is not None and came.stage is Stage.LOCKED:
            return Write(one.before, Release(came.pay))
    return step


def forgets_what_it_passed_on(
    lines: path.Lines, routes: tuple[Route, ...], dues: path.Dues, secrets: path.Secrets, now_ms: int
) -> Step | None:
    """A node in the middle that keeps its routes in another transaction than its locks, and lost them."""
    lost = tuple(replace(one, came=None, onward=None) for one in routes)
    return path.next_step(lines, lost, dues, secrets, now_ms)


MUTANTS = {
    "a time limit": replace(THREE, liars=(A,), stage=ends_when_its_payer_says_so),
    "a middle that gives up": replace(THREE, next_step=gives_up_while_it_waits),
    "a middle that forgets": replace(THREE, next_step=forgets_what_it_passed_on),
    "a payer in a hurry": replace(FORKED, is_patient=False),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_rules_that_lack_something_lose_money(mutant: str) -> None:
    assert pathworld.explore(MUTANTS[mutant]).wrong
