"""The ratchet under a network that drops, doubles, reorders and corrupts: random schedules, and a state machine.

The law: every genuine message opens exactly once, to its own text, in whatever order it comes; everything else is a
PeerFault that changes nothing.
"""

import random
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from crypto import keys, ratchet
from crypto.faults import PeerFault, Replayed
from crypto.ratchet import Ratchet
from tests import depth
from tests.crypto.pairs import NOW_MS, Sealed, entropy_of, flipped, session, state

STEP_MS = 20_000  # so that four corrupted messages fall into one minute of the failure budget, never five
STEPS = 40


class Flight(NamedTuple):
    """A message of one end on its way to the other, and its text."""

    to: int
    sealed: Sealed
    text: bytes


class Line:
    """Both ends and the messages between them; checks the law at each delivery."""

    def __init__(self, seed: object) -> None:
        self.ends = list(session(seed))
        self.entropy = entropy_of(seed)
        self.now_ms = NOW_MS
        self.written = 0
        self.opened: set[bytes] = set()

    def write(self, author: int) -> Flight | None:
        r = self.ends[author]
        if not ratchet.can_send(r):
            return None
        text = b"%d" % self.written
        self.written += 1
        sealed = Sealed(*ratchet.encrypt(r, text, self.entropy, keys.encapsulate, self.now_ms))
        return Flight(1 - author, sealed, text)

    def deliver(self, flight: Flight) -> None:
        reader = self.ends[flight.to]
        if flight.text in self.opened:
            self.refuse(flight, Replayed)
            return
        opened, mark = ratchet.decrypt(reader, *flight.sealed, self.now_ms)
        assert opened == flight.text
        assert len(mark.turn) == 8
        self.opened.add(flight.text)

    def refuse(self, flight: Flight, fault: type[PeerFault] = PeerFault) -> None:
        reader = self.ends[flight.to]
        before = state(reader)
        with pytest.raises(fault):
            ratchet.decrypt(reader, *flight.sealed, self.now_ms)
        assert state(reader) == before
        self.now_ms += STEP_MS

    def corrupt(self, flight: Flight, bit: int) -> None:
        whole = flipped(flight.sealed.header + flight.sealed.body, bit % (8 * sum(map(len, flight.sealed))))
        size = len(flight.sealed.header)
        self.refuse(flight._replace(sealed=Sealed(whole[:size], whole[size:])))

    def store_and_load(self, end: int) -> None:
        self.ends[end] = ratchet.thaw(ratchet.freeze(self.ends[end]))

    def agree(self, in_flight: list[Flight]) -> None:
        """What is still on its way arrives; then both ends talk and share one root."""
        for flight in in_flight:
            if flight.text not in self.opened:
                self.deliver(flight)
        for author in (0, 1, 0):
            written = self.write(author)
            if written is not None:
                self.deliver(written)
        assert self.ends[0].root == self.ends[1].root
        assert self.ends[0].mixed == self.ends[1].mixed


def _run(seed: int) -> None:
    chance = random.Random(seed)
    line = Line(seed)
    air: list[Flight] = []
    old: list[Flight] = []
    for _ in range(STEPS):
        match chance.choices(("write", "deliver", "double", "drop", "corrupt", "store", "wait"), (9, 9, 3, 1, 2, 1, 1))[
            0
        ]:
            case "write":
                author = chance.randrange(2)
                written = [line.write(author) for _ in range(chance.choice((1, 1, 2, 6)))]
                air += [flight for flight in written if flight is not None]
            case "deliver" if air:
                flight = air.pop(chance.randrange(len(air)))
                line.deliver(flight)
                old.append(flight)
            case "double" if old:
                line.deliver(chance.choice(old))
            case "drop" if air:
                air.pop(chance.randrange(len(air)))
            case "corrupt" if air or old:
                line.corrupt(chance.choice(air + old), chance.randrange(1 << 20))
            case "store":
                line.store_and_load(chance.randrange(2))
            case "wait":
                line.now_ms += chance.randrange(ratchet.DAY_MS)
            case _:
                pass
    chance.shuffle(air)
    line.agree(air)


def test_case_13_random_schedules_open_every_message_once_and_converge() -> None:
    for seed in range(depth.RATCHET_SCHEDULES):
        try:
            _run(seed)
        except (AssertionError, PeerFault, pytest.fail.Exception) as fault:
            fault.add_note(f"ratchet schedule of seed {seed}")
            raise


class RatchetMachine(RuleBasedStateMachine):
    """Hypothesis chooses the schedule, and finds the shortest one that breaks the law."""

    flights = Bundle("flights")

    def __init__(self) -> None:
        super().__init__()
        self.line = Line("machine")
        self.air: list[Flight] = []

    @rule(target=flights, author=st.integers(0, 1))
    def write(self, author: int) -> Flight | None:
        flight = self.line.write(author)
        if flight is not None:
            self.air.append(flight)
        return flight

    @rule(flight=flights)
    def deliver(self, flight: Flight | None) -> None:
        if flight is not None:
            self.line.deliver(flight)

    @rule(flight=flights, bit=st.integers(0, 1 << 16))
    def corrupt(self, flight: Flight | None, bit: int) -> None:
        if flight is not None:
            self.line.corrupt(flight, bit)

    @rule(flight=flights, other=flights)
    def mix(self, flight: Flight | None, other: Flight | None) -> None:
        """A header with the body of another message."""
        if flight is not None and other is not None and flight != other:
            self.line.refuse(flight._replace(sealed=Sealed(flight.sealed.header, other.sealed.body)))

    @rule(flight=flights)
    def mirror(self, flight: Flight | None) -> None:
        """A message comes back to its author."""
        if flight is not None:
            self.line.refuse(flight._replace(to=1 - flight.to))

    @rule(end=st.integers(0, 1))
    def store_and_load(self, end: int) -> None:
        self.line.store_and_load(end)

    @rule(end=st.integers(0, 1), days=st.integers(0, 3))
    def wait_and_confirm(self, end: int, days: int) -> None:
        self.line.now_ms += days * ratchet.DAY_MS
        author: Ratchet = self.line.ends[end]
        reader = self.line.ends[1 - end]
        if author.send_count and reader.theirs == author.mine_public:  # the peer has read a message of this turn
            ratchet.confirm(author, ratchet.last_sent(author).turn)

    @invariant()
    def secrets_are_where_they_should_be(self) -> None:
        for r in self.line.ends:
            assert bool(r.fields) <= bool(r.mine)
            assert bool(r.offer) <= bool(r.mine)
            assert abs(self.line.ends[0].mixed - self.line.ends[1].mixed) <= 1

    def teardown(self) -> None:
        self.line.agree(self.air)


TestRatchetMachine = RatchetMachine.TestCase
TestRatchetMachine.settings = settings(
    max_examples=max(10, depth.RATCHET_SCHEDULES // 10), stateful_step_count=30, deadline=None
)
