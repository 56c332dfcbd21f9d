"""A log on the disk against a plain model, under any order of appends, runs, gaps, branches, contents and deletions."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crypto.faults import PeerFault
from protocol.entry import Entry, Kind
from protocol.log import BrokenChain
from store import entries, logs
from store.entries import Draft, Taken
from store.logs import State
from tests import depth
from tests.protocol import chains
from tests.protocol.chains import ANA, AT_MS, CONTENT, chain, head_of
from tests.store import log_kit

LENGTH_MAX = 40
places, counts = st.integers(0, LENGTH_MAX), st.integers(1, 8)


class Model:
    """What a reader of a log ought to hold: lists and dicts, no database."""

    def __init__(self) -> None:
        self.held: list[Entry] = []
        self.contents: list[str] = []  # here, awaited, deleted
        self.waiting: dict[int, tuple[Entry, str]] = {}
        self.fork: tuple[Entry, Entry] | None = None

    def take(self, run: tuple[Entry, ...], content: str) -> type[PeerFault] | None:
        """Takes a run that its author has signed; returns the fault that it must raise."""
        if self.fork:
            return None
        first = run[0].body.seq
        for one in run:
            if one.body.seq < len(self.held) and self.held[one.body.seq] != one:
                self.freeze(self.held[one.body.seq], one)
                return None
        if first > len(self.held):
            self.wait(run, content)
            return None
        rest = run[len(self.held) - first :]
        if rest and self.held and rest[0].body.prev != self.held[-1].id:
            return BrokenChain
        for one in run[: len(run) - len(rest)]:
            self.fill(one.body.seq, content)
        for one in rest:
            self.append(one, content)
        if rest:
            self.chain_on()
        return None

    def wait(self, run: tuple[Entry, ...], content: str) -> None:
        new = {}
        for one in run:
            known = self.waiting.get(one.body.seq)
            if known and known[0] != one:
                self.freeze(known[0], one)
                return
            if not known:
                new[one.body.seq] = (one, content)
        self.waiting |= new

    def chain_on(self) -> None:
        for seq in sorted(self.waiting):
            one, content = self.waiting[seq]
            if seq < len(self.held):
                if self.held[seq] != one:
                    self.freeze(self.held[seq], one)
                    return
                self.fill(seq, content)
            elif seq > len(self.held) or one.body.prev != self.held[-1].id:
                return
            else:
                self.append(one, content)
            del self.waiting[seq]

    def append(self, one: Entry, content: str) -> None:
        self.held.append(one)
        self.contents.append(content)

    def fill(self, seq: int, content: str) -> None:
        if content == "here" and self.contents[seq] == "awaited":
            self.contents[seq] = "here"

    def freeze(self, one: Entry, other: Entry) -> None:
        self.fork = (one, other)
        self.waiting = {}


class Logs(RuleBasedStateMachine):
    """A reader of Ana's log, who meets her chain and, once she forks, two; and a log that the reader writes himself."""

    def __init__(self) -> None:
        super().__init__()
        self.door = log_kit.open_tx()
        self.tx = self.door.__enter__()
        self.number = log_kit.theirs(self.tx).number
        self.mine = log_kit.mine(self.tx).number
        self.model = Model()
        self.truth = chain(6)
        self.branch: tuple[Entry, ...] = ()
        self.appended: list[Entry] = []
        self.published = -1

    def teardown(self) -> None:
        self.door.__exit__(None, None, None)

    # --- the author

    @rule(count=counts)
    def grow(self, count: int) -> None:
        if len(self.truth) + count <= LENGTH_MAX:
            self.truth += chain(count, head_of(self.truth[-1]))

    @initialize(at=st.none() | places, count=counts)
    def fork(self, at: int | None, count: int) -> None:
        # Half of all authors are honest. The other branch has the same contents at another time.
        if at is not None:
            self.branch = self.truth[: at % len(self.truth)]
            for _ in range(count):
                head = head_of(self.branch[-1]) if self.branch else None
                self.branch += (chains.next_entry(head, at_ms=AT_MS + 1),)

    # --- the reader

    @rule(at=places, count=counts, content=st.sampled_from(("here", "awaited")), other=st.booleans())
    def take(self, at: int, count: int, content: str, other: bool) -> None:
        source = self.branch if other and self.branch else self.truth
        at %= len(source)
        self.meet(source[at : at + count], content)

    @rule(count=counts, content=st.sampled_from(("here", "awaited")), other=st.booleans())
    def take_the_next(self, count: int, content: str, other: bool) -> None:
        source = self.branch if other and self.branch else self.truth
        at = len(self.model.held)
        if source[at:]:
            self.meet(source[at : at + count], content)

    def meet(self, run: tuple[Entry, ...], content: str) -> None:
        fault = self.model.take(run, content)
        content_raw = CONTENT if content == "here" else None
        if fault is not None:
            with pytest.raises(fault):
                log_kit.take(self.tx, self.number, run, content_raw)
            return
        taken = log_kit.take(self.tx, self.number, run, content_raw)
        assert taken.waiting == len(self.model.waiting) or taken == Taken()
        assert taken.parted is None

    @rule(at=places, count=counts, bit=st.integers(0, 1600))
    def take_a_changed_run(self, at: int, count: int, bit: int) -> None:
        at %= len(self.truth)
        run = list(chains.raws(self.truth[at : at + count]))
        changed = bytearray(run[bit % len(run)])
        changed[bit % len(changed)] ^= 1 << bit % 8
        run[bit % len(run)] = bytes(changed)
        result: Any = self.tx.attempt(entries.take_in, self.tx, self.number, run, [None] * len(run), AT_MS)
        if self.model.fork:
            assert result.unwrap() == Taken()
        else:
            assert isinstance(result.error, PeerFault)

    @rule(at=places, count=st.integers(1, 2))
    def detach(self, at: int, count: int) -> None:
        at %= len(self.truth)
        entries.detach(self.tx, self.number, range(at, at + count))
        for seq in range(at, min(at + count, len(self.model.held))):
            self.model.contents[seq] = "deleted"

    @rule(at=places)
    def fill(self, at: int) -> None:
        at %= len(self.truth)
        is_awaited = at < len(self.model.held) and self.model.contents[at] == "awaited"
        assert entries.fill(self.tx, self.number, at, CONTENT) == is_awaited
        if is_awaited:
            self.model.contents[at] = "here"

    # --- his own log

    @rule(count=counts)
    def append(self, count: int) -> None:
        drafts = [Draft(Kind.PUBLIC, CONTENT)] * count
        self.appended += entries.append(self.tx, self.mine, drafts, ANA, AT_MS)

    @rule(at=places)
    def publish(self, at: int) -> None:
        if self.appended:
            at %= len(self.appended)
            logs.publish(self.tx, self.mine, at)
            self.published = max(self.published, at)

    @rule(at=places)
    def take_back(self, at: int) -> None:
        at = self.published + 1 + at % 4
        if at < len(self.appended):
            assert entries.take_back(self.tx, self.mine, at) == len(self.appended) - at
            del self.appended[at:]

    # --- what must hold

    @invariant()
    def the_log_is_what_the_model_says(self) -> None:
        held = log_kit.held(self.tx, self.number)
        assert [one.raw for one in held] == [one.raw for one in self.model.held]
        assert ["here" if one.content == CONTENT else "not" for one in held] == [
            "here" if content == "here" else "not" for content in self.model.contents
        ]
        is_awaited = tuple(seq for seq, content in enumerate(self.model.contents) if content == "awaited")
        assert entries.awaited(self.tx, self.number, 0, LENGTH_MAX) == is_awaited
        assert log_kit.waiting(self.tx, self.number) == sorted(self.model.waiting)

    @invariant()
    def a_log_is_frozen_by_a_proof_of_a_fork_and_by_nothing_else(self) -> None:
        proof = logs.proof(self.tx, self.number)
        is_frozen = logs.log(self.tx, self.number).state is State.FROZEN
        assert is_frozen == (proof is not None) == (self.model.fork is not None)
        if proof is not None:
            assert self.branch  # an honest author is never accused
            assert set(proof.check()) == set(self.model.fork or ())

    @invariant()
    def his_own_log_is_what_he_appended(self) -> None:
        assert list(log_kit.raws(self.tx, self.mine)) == [one.raw for one in self.appended]
        assert logs.log(self.tx, self.mine).published == self.published


Logs.TestCase.settings = settings(max_examples=max(10, depth.EXAMPLES // 2), stateful_step_count=40, deadline=None)
TestLogs = Logs.TestCase
