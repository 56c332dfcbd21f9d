"""Two honest people who begin their ledger anew again and again, whatever comes when: laws of generations.

A sum in force was signed by both, and each saw the other's word before; nobody goes back; in the end both count the
same, in the same generation, and what is booked comes to what is owed.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from store import generations, payments, renewals
from tests import depth
from tests.store import tab_kit
from tests.store.tab_kit import UNIT, Holder, Pair

whose = st.integers(0, 1)
counts = st.integers(1, 4)
sums = st.integers(-3, 3)


class Generations(RuleBasedStateMachine):
    """Ana and Bo on two disks. words: the sums to which each has given his word; reached: their generations."""

    def __init__(self) -> None:
        super().__init__()
        self.door = tab_kit.blocking_pair()
        self.pair: Pair = self.door.__enter__()
        self.people = (self.pair.ana, self.pair.bo)
        self.reached = [0, 0]
        self.words: tuple[set[int], set[int]] = ({0}, {0})

    def teardown(self) -> None:
        self.door.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        for one in self.people:
            one.allow(1000)
        self.pair.sync()

    @rule(at=whose, owed=sums)
    def propose(self, at: int, owed: int) -> None:
        self.people[at].propose(EUR=owed)
        self.words[at].add(owed)

    @rule(at=whose)
    def agree(self, at: int) -> None:
        one = self.people[at]
        offered = generations.of(one.tx, 1, one.tabs.account).offered
        if one.agree():
            assert offered is not None
            self.words[at].add(-offered.owed.get(UNIT, 0))

    @rule(at=whose, amount=st.integers(1, 3))
    def offer(self, at: int, amount: int) -> None:
        if self.people[at].one.pause is None:
            self.people[at].offer(amount)

    @rule(at=whose)
    def answer(self, at: int) -> None:
        one = self.people[at]
        for each in payments.open_payments(one.tx):
            key = one.one.key(each.mine, each.pay)
            if one.one.pause is None and not each.mine and each.stage == 1 and key in one.one.tab.payments:
                one.accept(each.pay)
                return

    @rule(at=whose)
    def settle(self, at: int) -> None:
        one = self.people[at]
        for each in payments.open_payments(one.tx):
            key = one.one.key(each.mine, each.pay)
            if one.one.pause is None and each.mine and each.stage == 2 and key in one.one.tab.payments:
                one.settle(each.pay)
                return

    @rule(at=whose, count=counts)
    def carry(self, at: int, count: int) -> None:
        self.pair.carry(self.people[at], count)

    @rule(at=whose)
    def serve(self, at: int) -> None:
        self.people[at].go_on()
        self.people[at].say_again()

    @rule(at=whose)
    def restart(self, at: int) -> None:
        self.people[at].forget_images()

    @rule()
    def all_comes(self) -> None:
        self.pair.sync()

    @rule()
    def they_come_to_terms(self) -> None:
        """Whatever was said before, one proposes and the other agrees, and both are there again."""
        self.pair.sync()
        self.propose(0, 2)
        self.pair.sync()
        self.agree(1)
        self.pair.sync()
        ana, bo = self.people
        assert ana.one.generation == bo.one.generation > 0
        assert ana.one.pause is None is bo.one.pause
        assert ana.one.tab.state() == bo.one.tab.state()
        assert ana.owed == 2 == -bo.owed

    @invariant()
    def what_is_in_force_was_signed_by_both(self) -> None:
        for at, one in enumerate(self.people):
            ledger = generations.of(one.tx, 1, one.tabs.account)
            assert ledger.number >= self.reached[at]
            self.reached[at] = ledger.number
            if ledger.begun is not None:
                assert ledger.begun.owed.get(UNIT, 0) in self.words[at]
                assert -ledger.begun.owed.get(UNIT, 0) in self.words[1 - at]

    @invariant()
    def what_is_booked_comes_to_what_is_owed(self) -> None:
        for one in self.people:
            self.check(one)

    def check(self, one: Holder) -> None:
        booked = sum(row.amount for row in renewals.renewals(one.tx, None, 2**60))
        booked += sum(-row.amount if row.mine else row.amount for row in payments.settled(one.tx, None, 0, 2**60))
        assert booked == one.owed
        assert one.one.book.differences == []
        assert not any(row.generation != one.one.generation for row in payments.open_payments(one.tx))


Generations.TestCase.settings = settings(max_examples=depth.EXAMPLES, stateful_step_count=20, deadline=None)
TestGenerations = Generations.TestCase
