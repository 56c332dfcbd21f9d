"""Locks over three: A owes B if B owes C. Every interleaving, whatever A and C do: B never loses (ledger 6).

A rule by which A's lock ends when its time is over makes B lose, however the deadlines are set: so the test is not
blind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import pytest

from ledger.payment import Side, Stage
from ledger.tab import Key, Said, Tab, lock_of
from ledger.terms import Ackn, Lock, Release, Reveal, Term, Void

PAY, PREIMAGE = b"p" * 16, b"x" * 32
LOCK = Lock(PAY, "EUR", 5, lock_of(PREIMAGE), 1)
PAYER, PAYEE = Side.LOW, Side.HIGH
KEY = Key(PAYER, PAY)

Half = tuple[tuple[Term, int], ...]  # what was said, and how much of the other half its author had taken


@dataclass(frozen=True, slots=True)
class Two:
    """One tab. said: by payer and payee; heard: how much of the other's each has."""

    said: tuple[Half, Half] = ((), ())
    heard: tuple[int, int] = (0, 0)

    def after(self, side: Side, term: Term) -> "Two":
        said = list(self.said)
        said[side] = (*said[side], (term, self.heard[side]))
        return replace(self, said=(said[0], said[1]))

    def hearing(self) -> Iterator["Two"]:
        for side in Side:
            if self.heard[side] < len(self.said[side.other]):
                heard = list(self.heard)
                heard[side] += 1
                yield replace(self, heard=(heard[0], heard[1]))

    def stage(self, side: Side | None = None) -> Stage | None:
        """What the lock is to one of them, or to who has everything."""
        low, high = self.said
        if side is PAYER:
            high = high[: self.heard[PAYER]]
        elif side is PAYEE:
            low = low[: self.heard[PAYEE]]
        return _stage(low, high)


@cache
def _stage(low: Half, high: Half) -> Stage | None:
    halves, tab = (low, high), Tab()
    while tab.heads != [len(low), len(high)]:
        for at in Side:
            while tab.heads[at] < len(halves[at]) and halves[at][tab.heads[at]][1] <= tab.heads[at.other]:
                term, ack = halves[at][tab.heads[at]]
                tab.take(at, Said(ack, term, bytes(32)))
    one = tab.payments.get(KEY)
    return None if one is None else one.stage


@dataclass(frozen=True, slots=True)
class Three:
    """Both tabs. A clock may show anything, so what A does when a time is over can be done at any time."""

    above: Two = Two()  # A and B
    below: Two = Two()  # B and C


def explore(*, expires: bool) -> tuple[int, list[Three]]:
    """How many worlds there are, and those in which nothing moves any more and B has lost."""
    start = Three()
    seen, todo, lost = {start}, [start], []
    while todo:
        world = todo.pop()
        moves = list(_moves(world))
        is_still = not any(True for it in (_honest(world), world.above.hearing(), world.below.hearing()) for _ in it)
        if is_still and world.below.stage() is Stage.SETTLED and not _is_owed(world, expires=expires):
            lost.append(world)
        for after in moves:
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return len(seen), lost


def _is_owed(world: Three, *, expires: bool) -> bool:
    """Whether A owes B. Under the rule with a time, what A took back before B's preimage came is over."""
    payer = world.above.said[PAYER]
    void_at = next((n for n, (term, _) in enumerate(payer) if isinstance(term, Void)), None)
    if expires and void_at is not None:
        reveals = next((n for n, (term, _) in enumerate(world.above.said[PAYEE]) if isinstance(term, Reveal)), None)
        return reveals is not None and payer[void_at][1] > reveals  # A had it when he took the lock back
    return world.above.stage() is Stage.SETTLED


def _moves(world: Three) -> Iterator[Three]:
    for above in world.above.hearing():
        yield replace(world, above=above)
    for below in world.below.hearing():
        yield replace(world, below=below)
    yield from _honest(world)
    if len(world.above.said[PAYER]) < 2:  # A: whatever a payer can say
        yield replace(world, above=world.above.after(PAYER, LOCK))
        yield replace(world, above=world.above.after(PAYER, Void(PAY)))
    if len(world.below.said[PAYEE]) < 2:  # C: whatever a payee can say
        for term in (Reveal(PAY, PREIMAGE), Release(PAY)):
            yield replace(world, below=world.below.after(PAYEE, term))


def _honest(world: Three) -> Iterator[Three]:
    """B: locks onwards what he has acknowledged; passes the preimage on, or the release; keeps to nothing else."""
    above, below = world.above.stage(PAYEE), world.below.stage(PAYER)
    if above is Stage.LOCKED and not world.above.said[PAYEE]:
        yield replace(world, above=world.above.after(PAYEE, Ackn()))
    elif above is Stage.LOCKED and below is None:
        yield replace(world, below=world.below.after(PAYER, LOCK))
    elif above is Stage.LOCKED and below is Stage.SETTLED:
        yield replace(world, above=world.above.after(PAYEE, Reveal(PAY, PREIMAGE)))
    elif above is Stage.LOCKED and below is Stage.RELEASED:
        yield replace(world, above=world.above.after(PAYEE, Release(PAY)))


def test_who_stands_in_the_middle_never_loses() -> None:
    states, lost = explore(expires=False)
    assert lost == []
    assert states > 1_000, states


def test_with_a_time_after_which_a_lock_ends_he_does() -> None:
    assert explore(expires=True)[1]


@pytest.mark.parametrize("term", [Void(PAY), Lock(PAY, "EUR", 9, bytes(32), 1)])
def test_a_payer_cannot_end_or_change_a_lock(term: Term) -> None:
    two = Two().after(PAYER, LOCK).after(PAYER, term)
    two = replace(two, heard=(0, 2)).after(PAYEE, Reveal(PAY, PREIMAGE))
    assert two.stage() is Stage.SETTLED
