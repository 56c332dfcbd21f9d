"""Many payments on one tab, both ways, with limits that move: laws that hold whatever is delivered when (ledger 3).

Each draw is a life of two honest people; what one writes reaches the other in order, some time later. Not here: who
cheats (test_payment.py), entries.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.keys import SigningKey
from ledger import commands
from ledger.book import Book, Difference
from ledger.commands import Refusal
from ledger.payment import Payment, Side, Stage
from ledger.tab import UNITS_MAX, Key, Said, Tab, lock_of
from ledger.terms import Accept, Ackn, Attest, Decline, Limit, Lock, Offer, Release, Reveal, Settle, Term, Void
from protocol import spine
from tests import depth

UNIT = "EUR"
LATE_MS, EXPIRES_MS = 2_000, 1_000
PREIMAGE = b"x" * 32


@dataclass
class Person:
    """One side: his book, what he has written, the highest limit that he ever gave, and how far the other heard him."""

    book: Book
    written: list[Said] = field(default_factory=list)
    highest: int = 0
    heard: int = 0
    finals: dict[Key, Stage] = field(default_factory=dict)

    @property
    def side(self) -> Side:
        return self.book.side

    def write(self, term: Term) -> None:
        said = Said(self.book.tab.heads[self.side.other], term, len(self.written).to_bytes(32, "big"))
        self.written.append(said)
        self.book.write(said)

    def mine(self, stage: Stage) -> list[Payment]:
        """The payments of this payer in a stage."""
        return sorted(
            (one for one in self.book.tab.open() if one.payer is self.side and one.stage is stage),
            key=lambda one: one.pay,
        )

    def theirs(self, *stages: Stage) -> list[Payment]:
        """The payments to this side."""
        return sorted(
            (one for one in self.book.tab.open() if one.payer is not self.side and one.stage in stages),
            key=lambda one: one.pay,
        )


@dataclass
class Pair:
    """Two people and what they do."""

    people: tuple[Person, Person]
    numbers: Iterator[int] = field(default_factory=count)

    def step(self, kind: str, at: int, n: int) -> None:
        me, other = self.people[at], self.people[1 - at]
        pay = next(self.numbers).to_bytes(16, "big")
        match kind:
            case "limit":
                me.highest = max(me.highest, n * 10)
                me.write(Limit(UNIT, n * 10))
            case "offer":
                me.write(Offer(pay, UNIT, n, EXPIRES_MS))
            case "lock":
                me.write(Lock(pay, UNIT, n, lock_of(PREIMAGE), 1))
            case "answer":
                self.answer(me, n)
            case "settle":
                for one in me.mine(Stage.ACCEPTED)[:n]:
                    if commands.may_settle(me.book.tab, Key(one.payer, one.pay)):
                        me.write(Settle(one.pay, me.book.tab.state()))
            case "void":
                for one in (*me.mine(Stage.OFFERED), *me.mine(Stage.ACCEPTED))[:n]:
                    if commands.may_void(me.book.tab, Key(one.payer, one.pay), LATE_MS):
                        me.write(Void(one.pay))
            case "hear":
                self.hear(me, other, n)
        self.check()

    def answer(self, me: Person, n: int) -> None:
        for one in me.theirs(Stage.OFFERED, Stage.LOCKED)[:n]:
            if one.lock is not None:
                is_owed = commands.exposure(me.book.tab, me.side, UNIT) <= me.book.tab.limit(me.side, UNIT)
                me.write(Reveal(one.pay, PREIMAGE) if is_owed and n % 2 else Release(one.pay))
            elif commands.refusal(me.book.tab, me.side, Key(one.payer, one.pay)) is None and n % 3:
                me.write(Accept(one.pay, me.book.tab.state()))
            else:
                me.write(Decline(one.pay))

    def hear(self, me: Person, other: Person, most: int) -> None:
        for said in other.written[other.heard : other.heard + most]:
            me.book.hear(said)
            other.heard += 1

    def heal(self) -> None:
        """All is delivered, and what waits is ended."""
        while any(self._open(one) for one in self.people):
            for at in (0, 1):
                for kind in ("hear", "answer", "settle", "void"):
                    self.step(kind, at, 10**6)
                self.people[at].write(Ackn())
        for at in (0, 1):
            self.step("hear", at, 10**6)

    def _open(self, one: Person) -> bool:
        return any(True for _ in one.book.tab.open())

    def check(self) -> None:
        for me in self.people:
            tab = me.book.tab
            assert me.book.differences == []
            assert commands.exposure(tab, me.side, UNIT) - _locked(tab, me.side) <= max(me.highest, 0)
            assert tab.balance(Side.LOW, UNIT) == -tab.balance(Side.HIGH, UNIT)
            for key, stage in me.finals.items():
                assert tab.payments[key].stage is stage
            me.finals = {key: one.stage for key, one in tab.payments.items() if one.stage.is_final}
        (one, other) = self.people
        for key in one.finals.keys() & other.finals.keys():
            assert one.finals[key] is other.finals[key]


def _locked(tab: Tab, creditor: Side) -> int:
    """What is locked towards a creditor: he has not taken it, and gives up what is too much."""
    return sum(one.amount for one in tab.open() if one.lock is not None and one.payer is not creditor)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("limit", "lock", "answer", "settle", "void", *(("offer", "hear") * 3))),
        st.integers(0, 1),
        st.integers(1, 9),
    ),
    min_size=20,
    max_size=80,
)


def pair() -> Pair:
    return Pair((Person(Book(Side.LOW)), Person(Book(Side.HIGH))))


@settings(max_examples=5 * depth.EXAMPLES, deadline=None)
@given(STEPS)
def test_two_honest_people_agree_and_no_limit_is_exceeded(steps: list[tuple[str, int, int]]) -> None:
    two = pair()
    for kind, at, n in steps:
        two.step(kind, at, n)
    two.heal()
    one, other = (each.book.tab for each in two.people)
    assert one.heads == other.heads
    assert one.state() == other.state()
    assert {key: each.stage for key, each in one.payments.items()} == {
        key: each.stage for key, each in other.payments.items()
    }


@settings(max_examples=5 * depth.EXAMPLES, deadline=None)
@given(STEPS, st.data())
def test_the_fold_is_the_same_in_every_order_that_respects_what_was_acknowledged(
    steps: list[tuple[str, int, int]], draw: st.DataObject
) -> None:
    two = pair()
    for kind, at, n in steps:
        two.step(kind, at, n)
    halves = tuple(one.written for one in two.people)
    tab = Tab()
    while (rest := [side for side in Side if tab.heads[side] < len(halves[side])]) != []:
        able = [side for side in rest if halves[side][tab.heads[side]].ack <= tab.heads[side.other]]
        side = draw.draw(st.sampled_from(able))
        tab.take(side, halves[side][tab.heads[side]])
    again = Tab()
    for side in (Side.LOW, Side.HIGH, Side.LOW, Side.HIGH) * len(steps):
        while again.heads[side] < len(halves[side]) and (
            halves[side][again.heads[side]].ack <= again.heads[side.other]
        ):
            again.take(side, halves[side][again.heads[side]])
    assert again.heads == tab.heads
    assert again.state() == tab.state()


def test_who_counts_otherwise_is_found_at_the_first_entry_that_says_so() -> None:
    two = pair()
    ana, bo = two.people
    for kind, at, n in (("limit", 1, 5), ("hear", 0, 1), ("offer", 0, 7), ("hear", 1, 1)):
        two.step(kind, at, n)
    (offered,) = bo.theirs(Stage.OFFERED)
    right = bo.book.tab.state()
    bo.write(Accept(offered.pay, bytes(32)))
    two.hear(ana, bo, 1)
    assert ana.book.differences == [Difference(1, bytes(32), right)]


def test_an_offer_over_the_limit_is_not_accepted_and_what_pays_a_debt_back_is() -> None:
    two = pair()
    ana, bo = two.people
    for kind, at, n in (("limit", 1, 2), ("offer", 0, 9), ("hear", 1, 9), ("answer", 1, 1), ("hear", 0, 9)):
        two.step(kind, at, n)
    two.step("settle", 0, 9)
    assert ana.book.tab.balance(Side.HIGH, UNIT) == 9
    assert commands.room(ana.book.tab, Side.LOW, UNIT) == 11
    ana.write(Offer(b"l" * 16, UNIT, 12, EXPIRES_MS))
    bo.write(Offer(b"b" * 16, UNIT, 9, EXPIRES_MS))
    two.hear(bo, ana, 9)
    two.hear(ana, bo, 9)
    assert commands.refusal(bo.book.tab, Side.HIGH, Key(Side.LOW, b"l" * 16)) is Refusal.LIMIT
    assert commands.refusal(ana.book.tab, Side.LOW, Key(Side.HIGH, b"b" * 16)) is None  # ana allows nothing, and owes


WITNESS, STRANGER, NONCE = SigningKey(b"w" * 32), SigningKey(b"x" * 32), b"n" * 32
ACCEPT_ID = b"a" * 32
SEEN = spine.blinded_subject(ACCEPT_ID, NONCE)
GOOD = spine.cosign(WITNESS.public, EXPIRES_MS, SEEN, WITNESS)
HOSTILE_ATTESTS = {
    "a witness whom the payer has not named": spine.cosign(STRANGER.public, EXPIRES_MS, SEEN, STRANGER),
    "signed by somebody else": spine.cosign(WITNESS.public, EXPIRES_MS, SEEN, STRANGER),
    "after the time": spine.cosign(WITNESS.public, EXPIRES_MS + 1, SEEN, WITNESS),
    "another time than was signed": replace(GOOD, time_ms=EXPIRES_MS - 1),
    "of another acceptance": spine.cosign(WITNESS.public, 0, spine.blinded_subject(b"b" * 32, NONCE), WITNESS),
    "under another nonce": spine.cosign(WITNESS.public, 0, spine.blinded_subject(ACCEPT_ID, bytes(32)), WITNESS),
}


@pytest.mark.parametrize("case", ["good", *HOSTILE_ATTESTS])
def test_only_a_named_witness_who_saw_it_in_time_stands_against_a_void(case: str) -> None:
    tab = Tab()
    pay = b"p" * 16
    tab.take(Side.LOW, Said(0, Offer(pay, UNIT, 1, EXPIRES_MS, (WITNESS.public,)), bytes(32)))
    tab.take(Side.HIGH, Said(1, Accept(pay, bytes(32)), ACCEPT_ID))
    tab.take(Side.LOW, Said(0, Void(pay), bytes(32)))
    tab.take(Side.HIGH, Said(1, Attest(pay, NONCE, HOSTILE_ATTESTS.get(case, GOOD)), bytes(32)))
    tab.take(Side.HIGH, Said(2, Ackn(), bytes(32)))
    (one,) = tab.payments.values()
    assert one.stage is (Stage.SETTLED if case == "good" else Stage.REFUNDED)
    assert tab.balance(Side.HIGH, UNIT) == (case == "good")


@pytest.mark.parametrize("ack", [2, 3])
def test_an_attest_says_nothing_once_its_author_has_acknowledged_the_void(ack: int) -> None:
    tab = Tab()
    pay = b"p" * 16
    tab.take(Side.LOW, Said(0, Offer(pay, UNIT, 1, EXPIRES_MS, (WITNESS.public,)), bytes(32)))
    tab.take(Side.HIGH, Said(1, Accept(pay, bytes(32)), ACCEPT_ID))
    tab.take(Side.LOW, Said(0, Void(pay), bytes(32)))
    tab.take(Side.LOW, Said(0, Ackn(), bytes(32)))
    tab.take(Side.HIGH, Said(ack, Attest(pay, NONCE, GOOD), bytes(32)))
    (one,) = tab.payments.values()
    assert one.stage is Stage.REFUNDED


def test_facts_that_come_in_any_order_are_the_same_payment() -> None:
    """What two write at once: void beside accept, decline, attest; each way round."""
    offer = Said(0, Offer(b"p" * 16, UNIT, 1, EXPIRES_MS, (b"w" * 32,)), bytes(32))
    for answer in (Accept(b"p" * 16, bytes(32)), Decline(b"p" * 16)):
        tabs = []
        for order in ((Side.LOW, Side.HIGH), (Side.HIGH, Side.LOW)):
            tab = Tab()
            tab.take(Side.LOW, offer)
            for side in order:
                tab.take(side, Said(0, Void(b"p" * 16), bytes(32)) if side is Side.LOW else Said(1, answer, bytes(32)))
            tab.take(Side.HIGH, Said(2, Ackn(), bytes(32)))
            tabs.append(tab)
        assert tabs[0].payments == tabs[1].payments
        (one,) = tabs[0].payments.values()
        assert one.stage is (Stage.REFUNDED if isinstance(answer, Accept) else Stage.DECLINED)
        assert one._replace(seen=None).stage is not Stage.SETTLED


def test_a_limit_in_more_units_than_a_side_may_speak_of_says_nothing() -> None:
    tab = Tab()
    for number in range(UNITS_MAX + 1):
        tab.take(Side.LOW, Said(0, Limit(f"v:x/{number}", 5), bytes(32)))
    assert not tab.may_limit(Side.LOW, "EUR")
    assert tab.may_limit(Side.LOW, "v:x/7")
    assert tab.may_limit(Side.HIGH, "EUR")
    tab.take(Side.LOW, Said(0, Limit("v:x/7", 9), bytes(32)))
    tab.take(Side.HIGH, Said(0, Limit("EUR", 3), bytes(32)))
    assert tab.limit(Side.LOW, "v:x/7") == 9
    assert tab.limit(Side.HIGH, "EUR") == 3
    assert len(tab.units()) == UNITS_MAX + 1
    assert tab.limit(Side.LOW, f"v:x/{UNITS_MAX}") == 0
