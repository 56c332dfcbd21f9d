"""Two honest people, whatever is delivered when, whose disks are set back and whose nodes start anew: laws of tabs.

Conservation, limits, what is final stays, equal cuts are equal states, no false alarm, and all that was acknowledged is
there in the end, once, but for what a disk forgot before anybody had it.
"""

from typing import Any

import outcome
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger import commands
from ledger.payment import Payment, Stage
from ledger.tab import Key
from ledger.terms import Accept, Ackn, Decline, Request, Settle, Void
from store import tabs
from store.faults import TabPaused
from tests import depth
from tests.store import tab_kit
from tests.store.tab_kit import UNIT, Holder, Pair

whose = st.integers(0, 1)
counts = st.integers(1, 6)


class Debts(RuleBasedStateMachine):
    """Ana and Bo on two disks. said: what each was told is written, as memos; copies: of each disk, and of `said`."""

    def __init__(self) -> None:
        super().__init__()
        self.door = tab_kit.blocking_pair()
        self.pair: Pair = self.door.__enter__()
        self.people = (self.pair.ana, self.pair.bo)
        self.said: tuple[set[str], set[str]] = (set(), set())
        self.copies: list[tuple[Any, set[str]] | None] = [None, None]
        self.highest = [0, 0]
        self.finals: list[dict[Any, Stage]] = [{}, {}]
        self.requests = 0

    def teardown(self) -> None:
        self.door.__exit__(None, None, None)

    @initialize(most=st.integers(0, 60))
    def begin(self, most: int) -> None:
        for at in (0, 1):
            self.limit(at, most)
        self.pair.sync()

    # --- what people do

    @rule(at=whose, most=st.integers(0, 60))
    def limit(self, at: int, most: int) -> None:
        if self.people[at].one.pause is None:
            self.people[at].allow(most)
            self.highest[at] = max(self.highest[at], most)

    @rule(at=whose, amount=st.integers(1, 30))
    def offer(self, at: int, amount: int) -> None:
        one = self.people[at]
        if one.one.pause is None:
            one.offer(amount)
            self.said[at].add(f"{one.side.name} {one.memos}")

    @rule(at=whose)
    def request(self, at: int) -> None:
        one = self.people[at]
        if one.one.pause is None:
            self.requests += 1
            one.say(Request(self.requests.to_bytes(16, "big"), UNIT, 5, memo=f"please {self.requests}"))
            self.said[at].add(f"please {self.requests}")

    @rule(at=whose, count=counts, is_kind=st.booleans())
    def answer(self, at: int, count: int, is_kind: bool) -> None:
        one = self.people[at]
        for each in self._open(one, mine=False, stages=(Stage.OFFERED,))[:count]:
            key = Key(each.payer, each.pay)
            if not is_kind:
                one.say(Decline(each.pay))
            elif commands.refusal(one.one.tab, one.one.side, key) is None:
                assert one.write(lambda tab, pay=each.pay: Accept(pay, tab.state()))  # type: ignore[misc]

    @rule(at=whose, count=counts)
    def settle(self, at: int, count: int) -> None:
        one = self.people[at]
        for each in self._open(one, mine=True, stages=(Stage.ACCEPTED,))[:count]:
            if commands.may_settle(one.one.tab, Key(each.payer, each.pay)):
                assert one.write(lambda tab, pay=each.pay: Settle(pay, tab.state()))  # type: ignore[misc]

    @rule(at=whose, is_late=st.booleans())
    def take_back(self, at: int, is_late: bool) -> None:
        one = self.people[at]
        now_ms = one.side.clock.ms + (2 * tab_kit.DAY_MS if is_late else 0)
        for each in self._open(one, mine=True, stages=(Stage.OFFERED, Stage.ACCEPTED))[:1]:
            if commands.may_void(one.one.tab, Key(each.payer, each.pay), now_ms):
                one.say(Void(each.pay))

    @rule(at=whose)
    def acknowledge(self, at: int) -> None:
        one = self.people[at]
        if one.one.owes_word and one.one.pause is None:
            one.say(Ackn())

    def _open(self, one: Holder, mine: bool, stages: tuple[Stage, ...]) -> list[Payment]:
        if one.one.pause is not None:
            return []
        side = one.one.side if mine else one.one.side.other
        return [each for each in one.one.tab.open() if each.payer is side and each.stage in stages]

    # --- what happens to them

    @rule(at=whose, count=counts)
    def deliver(self, at: int, count: int) -> None:
        one = self.people[at]
        if one.shown:
            self.pair.carry(one, count)
        self.people[1 - at].say_again()

    @rule(at=whose)
    def hear_of_ones_own(self, at: int) -> None:
        self.pair.ask(self.people[at])
        self.people[at].say_again()

    @rule(at=whose)
    def start_anew(self, at: int) -> None:
        self.people[at].restart()

    @rule(at=whose)
    def image(self, at: int) -> None:
        one = self.people[at].one
        one.since_image = tabs.IMAGE_ENTRIES
        self.people[at].one  # noqa: B018 - makes one where one can be made

    @rule(at=whose)
    def forget_images(self, at: int) -> None:
        self.people[at].forget_images()

    @rule(at=whose)
    def copy(self, at: int) -> None:
        assert self.people[at].one
        self.copies[at] = self.people[at].copy(), {*self.said[at]}

    @precondition(lambda self: any(self.copies))
    @rule(at=whose)
    def put_back(self, at: int) -> None:
        copied = self.copies[at]
        one, other = self.people[at], self.people[1 - at]
        # What both disks have forgotten nobody can bring back: then the tab waits for good (ledger 2.6).
        if copied is None or not other.shown or other.one.pause is not None:
            return
        held = self._memos(other)
        rows, before = copied
        one.put_back(rows)
        # What nobody had and no disk has is gone: nobody can know of it.
        self.said[at].intersection_update(before | held)
        self.finals[at] = {}

    @rule(at=whose)
    def lose_a_day(self, at: int) -> None:
        # What all the others do in a row now and then: with it no run goes without.
        self.heal()
        self.copy(at)
        self.offer(at, 1)
        self.deliver(at, 6)
        self.answer(1 - at, 6, is_kind=True)
        self.deliver(1 - at, 6)
        self.settle(at, 6)
        self.deliver(at, 6)
        self.put_back(at)
        self.offer(at, 2)
        self.request(at)
        self.hear_of_ones_own(at)

    @rule(at=whose, most=st.integers(0, 60))
    def change_ones_mind(self, at: int, most: int) -> None:
        def refused() -> None:
            self.limit(at, most)
            raise TabPaused

        one = self.people[at]
        highest = self.highest[at]
        assert isinstance(one.tx.attempt(refused), outcome.Error)
        self.highest[at] = highest

    def _memos(self, one: Holder) -> set[str]:
        assert one.one
        rows = one.tx.all("SELECT memo FROM payment UNION ALL SELECT memo FROM request")
        return {memo for (memo,) in rows}

    # --- laws

    @invariant()
    def laws(self) -> None:
        for at, one in enumerate(self.people):
            tab, side = one.one.tab, one.one.side
            assert one.one.book.differences == []
            assert commands.exposure(tab, side, UNIT) <= self.highest[at]
            assert one.owed == tab.balance(side, UNIT)
            stages = one.stages()
            for key, stage in self.finals[at].items():
                assert stages[key] is stage
            self.finals[at] = {key: stage for key, stage in stages.items() if stage.is_final}
        for (mine, pay), stage in self.finals[0].items():
            assert self.finals[1].get((not mine, pay), stage) is stage
        ana, bo = (one.one.tab for one in self.people)
        if ana.heads == bo.heads and all(one.shown for one in self.people):
            assert ana.state() == bo.state()

    @rule()
    def heal(self) -> None:
        for _ in range(4):
            for one in self.people:
                self.pair.ask(one)
                one.say_again()
            self.pair.sync()
        self.pair.agree()
        for at, one in enumerate(self.people):
            assert one.one.pause is None
            assert self.said[at] <= self._memos(one)
            rows = one.tx.all("SELECT memo FROM payment UNION ALL SELECT memo FROM request")
            assert len(rows) == len({*rows})
            assert one.tx.all("SELECT * FROM unsaid") == []


Debts.TestCase.settings = settings(max_examples=max(10, depth.EXAMPLES), stateful_step_count=50, deadline=None)
TestDebts = Debts.TestCase
