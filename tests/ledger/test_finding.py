"""How ways are found, and what many payments and rings at once come to: caps and limits hold, sums stay (ledger 10-12).

Not here: liars (test_path.py).
"""

import random
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import finding, path
from ledger.finding import Ask, Nowhere, Search, Tell
from ledger.path import Cap
from ledger.payment import Stage
from ledger.terms import Limit
from protocol import probe
from protocol.probe import Found, Probe
from tests import depth
from tests.ledger.town import PEOPLE, UNIT, Town, is_over, line_of_people

WIDE = Cap(100, 100)


def settled(town: Town, hash_: bytes) -> int:
    return sum(one.stage is Stage.SETTLED for _, one in town.locks(hash_))


# --- one after another


@pytest.mark.parametrize(("count", "hops"), [(3, 2), (4, 3), (5, 0)])
def test_a_way_has_at_most_three_locks(count: int, hops: int) -> None:
    town, names = line_of_people(count, 100, WIDE)
    made = town.bill(names[-1], names[0], 10)
    town.pay(made, names[0])
    town.settle()
    assert settled(town, made.lock) == hops
    assert town.net(names[-1]) == (10 if hops else 0)
    assert all(town.net(one) == 0 for one in names[1:-1])


def test_whom_the_invoice_names_is_asked_first_and_others_when_he_has_no_way() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    dee = town.add(PEOPLE[3])
    town.know(ana, dee, 100, WIDE)
    made = town.bill(chen, ana, 13)
    first = finding.begin(town.people[ana].lines, made, b"s" * 16)
    assert [(one.contact, one.probe.amount) for one in first.effects if isinstance(one, Ask)] == [(bo, 20)]
    assert first.search is not None
    rest = finding.told(town.people[ana].lines, first.search, bo, Found(b"s" * 16, 0), (), 0)
    assert [one.contact for one in rest.effects if isinstance(one, Ask)] == [dee]
    assert rest.search is not None
    assert finding.told(town.people[ana].lines, rest.search, dee, Found(b"s" * 16, 0), (), 0).effects == (
        Nowhere(b"s" * 16),
    )


def question(town: Town, payee: bytes, **changed: object) -> Probe:
    key = b"k" * 16
    asked = Probe(b"s" * 16, probe.mark(key, bytes(32)), key, UNIT, 20, probe.tag(key, payee), (), 1, 0)
    return replace(asked, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "cap", "amount", "is_yes"),
    [
        (100, WIDE, 100, True),
        (99, WIDE, 100, False),
        (100, Cap(99, 200), 100, False),
        (100, Cap(200, 99), 100, False),
        (100, None, 1, False),
    ],
)
def test_a_yes_is_within_limits_and_caps(limit: int, cap: Cap | None, amount: int, *, is_yes: bool) -> None:
    town, (ana, bo, chen) = line_of_people(3, limit, cap)
    asked = finding.asked(town.people[bo].lines, ana, question(town, chen, amount=amount), (), (), 0)
    (told,) = asked.effects
    assert isinstance(told, Tell)
    assert told.found.amount == (amount if is_yes else 0)
    assert (told.route is not None) == is_yes


def test_the_same_question_again_is_a_no() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    lines, asked = town.people[bo].lines, question(town, chen)
    (yes,) = finding.asked(lines, ana, asked, (), (), 0).effects
    assert isinstance(yes, Tell)
    assert yes.route is not None
    assert finding.asked(lines, chen, asked, (), (yes.route,), 0).effects == (Tell(chen, Found(b"s" * 16, 0)),)
    waiting = Search(asked, None, ((chen, 20),))
    assert finding.asked(lines, ana, asked, (waiting,), (), 0).effects == (Tell(ana, Found(b"s" * 16, 0)),)


def test_a_stranger_and_a_full_node_are_told_no() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    lines, asked = town.people[bo].lines, question(town, chen)
    (yes,) = finding.asked(lines, ana, asked, (), (), 0).effects
    assert isinstance(yes, Tell)
    assert yes.route is not None
    no = Tell(ana, Found(asked.search, 0))
    for count, before, is_full in ((256, chen, True), (255, b"x" * 32, False), (32, ana, True), (31, ana, False)):
        routes = tuple(replace(yes.route, search=bytes(15) + bytes((n,)), before=before) for n in range(count))
        assert (finding.asked(lines, ana, asked, (), routes, 0).effects == (no,)) == is_full
    for count, before, is_full in ((64, chen, True), (63, b"x" * 32, False), (8, ana, True), (7, ana, False)):
        searches = tuple(Search(question(town, chen, search=bytes(15) + bytes((n,))), before, ()) for n in range(count))
        assert (finding.asked(lines, ana, asked, searches, (), 0).effects == (no,)) == is_full
    assert finding.asked(lines, PEOPLE[5].account, asked, (), (), 0).effects == (
        Tell(PEOPLE[5].account, Found(asked.search, 0)),
    )


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    waiting = Search(question(town, chen), None, ((bo, 20),))
    for contact, found in ((chen, Found(b"s" * 16, 20)), (bo, Found(b"t" * 16, 20))):
        assert finding.told(town.people[ana].lines, waiting, contact, found, (), 0) == finding.Asked(waiting, ())
    for amount in (19, 21):  # a yes is to what was asked
        told = finding.told(town.people[ana].lines, waiting, bo, Found(b"s" * 16, amount), (), 0)
        assert told.effects == (Nowhere(b"s" * 16),)


def test_a_lock_that_nobody_asked_about_is_given_back() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    made = town.bill(chen, ana, 10)
    step = path.begin(town.people[ana].lines, bo, UNIT, 10, made.lock, is_ring=False, secrets={})
    assert isinstance(step, path.Onwards)
    town.write(ana, bo, step.lock(b"p" * 16))
    town.settle()
    assert [one.stage for _, one in town.locks(made.lock)] == [Stage.RELEASED]


def test_a_node_acknowledges_before_it_locks_onwards_and_takes_a_promise_once() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    made = town.bill(chen, ana, 10)
    town.pay(made, ana)
    while town.listen() or town.hear(ana, bo):
        pass
    bo_ = town.people[bo]
    (promised,) = bo_.routes
    step = path.next_step(bo_.lines, bo_.routes, {}, {}, promised.until_ms)
    assert isinstance(step, path.Write)
    assert step.reason is None
    late = path.next_step(bo_.lines, bo_.routes, {}, {}, promised.until_ms + 1)
    assert isinstance(late, path.Write)
    assert late.reason is path.Reason.UNASKED
    assert town.act(bo)
    onwards = path.next_step(bo_.lines, bo_.routes, {}, {}, 0)
    assert isinstance(onwards, path.Onwards)
    assert (onwards.contact, onwards.amount, onwards.hash, onwards.hop) == (chen, 10, made.lock, 2)
    assert town.act(bo)
    assert path.next_step(bo_.lines, bo_.routes, {}, {}, 0) is None


def test_a_limit_that_falls_while_a_lock_is_passed_on_takes_nothing_from_the_middle() -> None:
    town, (ana, bo, chen) = line_of_people(3, 100, WIDE)
    made = town.bill(chen, ana, 10)
    town.pay(made, ana)
    while town.listen() or town.hear(ana, bo) or town.act(bo):
        pass
    town.write(bo, ana, Limit(UNIT, 0))
    town.settle()
    assert settled(town, made.lock) == 2
    assert town.net(bo) == 0


# --- rings


def a_ring(*owed: int, cap: Cap | None = WIDE) -> tuple[Town, tuple[bytes, ...]]:
    """Three people, each of whom owes the one before."""
    town = Town(random.Random("ring"))
    ana, bo, chen = names = tuple(town.add(who) for who in PEOPLE[:3])
    for (debtor, creditor), amount in zip(((bo, ana), (chen, bo), (ana, chen)), owed, strict=True):
        town.know(debtor, creditor, 100, cap)
        town.owe(debtor, creditor, amount)
    return town, names


def test_a_ring_lowers_all_its_debts_by_the_smallest() -> None:
    town, (ana, bo, chen) = a_ring(7, 5, 9)
    town.ring(ana)
    town.settle()
    owed = town.owed()
    assert (owed[bo, ana], owed[chen, bo], owed[ana, chen]) == (2, 0, 4)


@pytest.mark.parametrize(("owed", "cap"), [((7, 0, 9), WIDE), ((7, 5, 9), None)])
def test_where_there_is_no_ring_nothing_is_locked(owed: tuple[int, ...], cap: Cap | None) -> None:
    town, (ana, *_) = a_ring(*(one or 1 for one in owed), cap=cap)
    if 0 in owed:
        chen, bo = PEOPLE[2].account, PEOPLE[1].account
        town.owe(bo, chen, 1)
    before = town.owed()
    town.ring(ana)
    town.settle()
    assert town.owed() == before


# --- many at once


AMOUNTS = st.integers(1, 40)


@settings(max_examples=depth.EXAMPLES * 2)
@given(seed=st.integers(0, 2**32), limit=st.integers(5, 60), each=AMOUNTS, total=AMOUNTS)
def test_many_at_once_end_well_for_everybody(seed: int, limit: int, each: int, total: int) -> None:
    town = Town(random.Random(seed))
    chance, names = town.chance, tuple(town.add(who) for who in PEOPLE)
    for one, other in combinations(names, 2):
        if chance.random() < 0.6:
            town.know(one, other, limit, Cap(each, total) if chance.random() < 0.8 else None)
            debtor, creditor = chance.sample((one, other), 2)
            town.owe(debtor, creditor, chance.randint(1, limit))
    before = {at: town.net(at) for at in names}
    for _ in range(120):
        at = chance.choice(names)
        match chance.randrange(9):
            case 0:
                payee = chance.choice([one for one in names if one != at])
                town.pay(town.bill(payee, at, chance.randint(1, limit)), at)
            case 1 if town.bills:
                town.pay(*chance.choice(town.bills))
            case 2:
                town.ring(at)
            case 3:
                town.people[at].is_silent = chance.random() < 0.3
            case 4 | 5:
                town.listen()
            case 6 if town.entries:
                town.hear(*chance.choice(sorted(town.entries)))
            case _:
                town.act(at)
        town.check()
    town.settle()
    town.check()
    due = dict(before)
    for made, payer in town.bills:
        paid = [one for at, one in town.locks(made.lock) if at == payer and one.stage is Stage.SETTLED]
        assert all(is_over(one) for _, one in town.locks(made.lock))
        assert len(paid) <= 1
        due[payer] -= sum(one.amount for one in paid)
        due[made.payee] += sum(one.amount for one in paid)
    assert {at: town.net(at) for at in names} == due


@settings(max_examples=depth.EXAMPLES)
@given(seed=st.integers(0, 2**32))
def test_rings_only_lower_debts(seed: int) -> None:
    town = Town(random.Random(seed))
    chance, names = town.chance, tuple(town.add(who) for who in PEOPLE)
    for one, other in combinations(names, 2):
        town.know(one, other, 50, WIDE)
        debtor, creditor = chance.sample((one, other), 2)
        town.owe(debtor, creditor, chance.randint(1, 50))
    before, nets = town.owed(), {at: town.net(at) for at in names}
    for _ in range(60):
        town.ring(chance.choice(names))
        for _ in range(chance.randrange(12)):
            town.listen()
            town.hear(*chance.choice(sorted(town.entries)))
            town.act(chance.choice(names))
        now = town.owed()
        assert all(now[pair] <= before[pair] for pair in before)
    town.settle()
    now = town.owed()
    assert all(now[pair] <= before[pair] for pair in before)
    assert {at: town.net(at) for at in names} == nets
