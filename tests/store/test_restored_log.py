"""Invariant 6: an author whose disk is set back, at any moment and as often as it likes, never forks his own log.

The author appends and publishes to a contact; his database is copied and put back. After each start he shows nothing
before the contact has shown him what it holds of his log, and takes back what is in the way (log.md 5.5).
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol.entry import Kind
from store import entries, logs
from store.database import Tx
from store.entries import Draft
from store.logs import State
from tests import depth
from tests.protocol.chains import ANA, AT_MS, LOG
from tests.store import log_kit

counts = st.integers(1, 5)


def shown(tx: Tx, number: int, first: int = 0, count: int = 1000) -> tuple[list[bytes], list[bytes | None]]:
    """A run as it travels."""
    held = entries.read(tx, number, first, count, 1 << 30)
    return [one.raw for one in held], [one.content for one in held]


class Restored(RuleBasedStateMachine):
    """One author's disk, its copies, and one honest contact."""

    def __init__(self) -> None:
        super().__init__()
        self.doors = log_kit.open_tx(), log_kit.open_tx()
        self.author, self.contact = (door.__enter__() for door in self.doors)
        self.mine = logs.begin(self.author, LOG, ANA.public, b"", own=True).number
        self.theirs = log_kit.theirs(self.contact).number
        self.copies: list[tuple[list[Any], int]] = [([], logs.NEVER)]
        self.has_asked = True
        self.said = 0

    def teardown(self) -> None:
        for door in self.doors:
            door.__exit__(None, None, None)

    @rule(count=counts)
    def append(self, count: int) -> None:
        drafts = [Draft(Kind.PUBLIC, b"%d" % (self.said + n)) for n in range(count)]
        entries.append(self.author, self.mine, drafts, ANA, AT_MS)
        self.said += count

    @rule()
    def copy(self) -> None:
        rows = self.author.all("SELECT key, raw, kept, content FROM entry")
        self.copies.append((rows, logs.log(self.author, self.mine).published))

    @rule(which=st.integers(1, 3))
    def put_back(self, which: int) -> None:
        rows, published = self.copies[-which:][0]  # mostly a young one: the lost entries are soon written anew
        self.author.execute("DELETE FROM entry")
        self.author.executemany("INSERT INTO entry (key, raw, kept, content) VALUES (?, ?, ?, ?)", rows)
        self.author.execute("UPDATE log SET published = ?", (published,))
        self.has_asked = False

    @rule(lost=counts, written=counts, asks=st.booleans())
    def lose_a_day(self, lost: int, written: int, asks: bool) -> None:
        # What all the others do in a row now and then: with it no run goes without.
        self.ask()
        self.copy()
        self.append(lost)
        self.publish(lost)
        self.put_back(1)
        self.append(written)
        if asks:
            self.ask()

    @rule()
    def ask(self) -> None:
        raws, contents = shown(self.contact, self.theirs)
        if raws:
            taken = entries.take_in(self.author, self.mine, raws, contents, AT_MS)
            if taken.parted is not None:
                entries.take_back(self.author, self.mine, taken.parted)
                taken = entries.take_in(self.author, self.mine, raws, contents, AT_MS)
            assert taken.parted is None
            assert taken.fork is None
        self.has_asked = True

    @precondition(lambda self: self.has_asked)
    @rule(count=st.integers(1, 20))
    def publish(self, count: int) -> None:
        head = entries.head(self.contact, self.theirs)
        raws, contents = shown(self.author, self.mine, 0 if head is None else head.seq + 1, count)
        if raws:
            last = (-1 if head is None else head.seq) + len(raws)
            logs.publish(self.author, self.mine, last)
            taken = entries.take_in(self.contact, self.theirs, raws, contents, AT_MS)
            assert len(taken.entries) == len(raws)

    @invariant()
    def both_logs_are_whole_and_nobody_is_accused(self) -> None:
        ours, copies = log_kit.raws(self.author, self.mine), log_kit.raws(self.contact, self.theirs)
        for tx, number in ((self.author, self.mine), (self.contact, self.theirs)):
            assert logs.log(tx, number).state is State.OK
        if self.has_asked:
            assert ours[: len(copies)] == copies
            assert logs.log(self.author, self.mine).published == len(copies) - 1


Restored.TestCase.settings = settings(max_examples=max(10, depth.EXAMPLES // 2), stateful_step_count=40, deadline=None)
TestRestored = Restored.TestCase
