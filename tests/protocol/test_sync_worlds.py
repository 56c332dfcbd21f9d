"""Sessions between many peers, over links that are cut at any moment (invariants 7, 8 and 9 of the ledger's list).

Three authors, a liar who writes his log twice, and a reader whose disk is set back now and then. Whatever happened:
once all have met, all hold the same, the liar is proven one and nobody else is, and to meet again costs 98 bytes.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests import depth
from tests.protocol.replicas import Disk, Replica, World, disk_of, key_of, log_of, logs_of

AUTHORS = ("ana", "bo", "cy")
READER, LIAR = "dee", "mal"
NAMES = (*AUTHORS, READER)
names, pairs = st.sampled_from(NAMES), st.sampled_from([(a, b) for a in NAMES for b in NAMES if a != b])
NOTHING_NEW_BYTES_MAX = 100


class Worlds(RuleBasedStateMachine):
    """What may happen between nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(tuple(Replica(name, logs_of(*AUTHORS, LIAR)) for name in NAMES))
        self.copies: list[Disk] = [disk_of(self.world.nodes[READER])]
        self.written = 0

    @rule(name=st.sampled_from(AUTHORS), count=st.sampled_from([1, 1, 1, 2, 7]))
    def append(self, name: str, count: int) -> None:
        for _ in range(count):
            self.written += 1
            self.world.nodes[name].append(log_of(name), b"%d" % self.written)

    @rule(name=names)
    def lie(self, name: str) -> None:
        # The liar's log grows at every node by itself: it forks as soon as two of them had not met.
        node = self.world.nodes[name]
        if node.disk.logs[log_of(LIAR)].proof is None:
            self.written += 1
            node.append(log_of(LIAR), b"%d" % self.written, key_of(LIAR))

    @rule(pair=pairs)
    def connect(self, pair: tuple[str, str]) -> None:
        self.world.connect(*pair)

    @rule(pair=pairs)
    def cut(self, pair: tuple[str, str]) -> None:
        self.world.cut(*pair)

    @rule(choices=st.lists(st.integers(0, 11), max_size=12))
    def deliver(self, choices: list[int]) -> None:
        for choice in choices:
            self.world.step(choice)

    @rule()
    def settle(self) -> None:
        self.world.settle()
        for link in self.world.links:
            one, other = (self.world.nodes[name] for name in link)
            assert one.sessions[other.name].is_idle
            assert other.sessions[one.name].is_idle
            for of, kept in one.disk.logs.items():
                there = other.disk.logs[of]
                assert (kept.proof is None) == (there.proof is None)
                assert kept.proof is not None or kept.entries == there.entries

    @rule(pair=pairs, name=st.sampled_from(AUTHORS))
    def lose_a_day(self, pair: tuple[str, str], name: str) -> None:
        # What the others do in a row now and then: the reader forgets a round that his peer remembers.
        peer = pair[0] if pair[0] != READER else pair[1]
        for is_kept in (True, False):
            self.append(name, 1)
            if name != peer:
                self.world.connect(name, peer)
            self.world.settle()
            self.world.connect(READER, peer)
            self.world.settle()
            if is_kept:
                self.copy()
        self.restore(len(self.copies) - 1)
        self.append(name, 1)
        self.connect((READER, peer))
        self.settle()

    @rule()
    def copy(self) -> None:
        self.copies.append(disk_of(self.world.nodes[READER]))

    @rule(which=st.integers(0, 30))
    def restore(self, which: int) -> None:
        self.world.restore(READER, self.copies[which % len(self.copies)])

    def teardown(self) -> None:
        self.world.rest()
        disks = [node.disk for node in self.world.nodes.values()]
        for name in AUTHORS:
            kept = [disk.logs[log_of(name)] for disk in disks]
            assert all(one.entries == kept[0].entries for one in kept)
            assert all(one.proof is None for one in kept)
            assert not any(one.waiting for one in kept)
        lies = [disk.logs[log_of(LIAR)] for disk in disks]
        if any(one.proof is not None for one in lies):
            assert all(one.proof is not None for one in lies)
            for one in lies:
                assert one.proof is not None
                assert {found.body.author for found in one.proof.check()} == {key_of(LIAR).public}
        else:
            assert all(one.entries == lies[0].entries for one in lies)
        for node in self.world.nodes.values():
            node.sent_bytes = 0
        self.world.connect("ana", "bo")
        self.world.settle()
        assert self.world.nodes["ana"].sent_bytes + self.world.nodes["bo"].sent_bytes <= NOTHING_NEW_BYTES_MAX


Worlds.TestCase.settings = settings(max_examples=2 * depth.EXAMPLES, stateful_step_count=40, deadline=None)
TestWorlds = Worlds.TestCase
