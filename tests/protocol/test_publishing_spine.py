"""Invariants 6 and 8 over several logs: out of what an honest author showed, nobody makes a proof against him.

One device, restored and copied at will: two logs with one reader each, a feed for three, and a spine that commits to
them; shown on streams and by mail, which comes late, more than once, and to any copy. Whatever contacts hold fits
together: one entry in each place, spines that never go back, and no entry beside what a spine has committed to.
"""

from copy import deepcopy
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol import publishing
from protocol.publishing import Desk, Retake, Tell
from tests import depth
from tests.protocol.explorer import name

CONTACTS = 3
SPINE = "spine"
ANCHORS = {"to 0": 0, "to 1": 1, "feed": 0, SPINE: 2}
READERS = {"to 0": (0,), "to 1": (1,), "feed": (0, 1, 2), SPINE: (0, 1, 2)}

contacts, machines = st.integers(0, CONTACTS - 1), st.integers(0, 1)
logs = st.sampled_from(sorted(ANCHORS))


@dataclass(frozen=True)
class Wrote:
    """An entry, told apart by its number. commits: in a spine, what it says of each log."""

    number: int
    commits: tuple[tuple[str, int, int], ...] = ()


@dataclass
class Disk:
    """What a machine keeps: its logs, what it knows their anchors to hold, and which logs are in doubt.

    doubts: the nonce with which the anchor was asked since, 0 where he was not.
    """

    logs: dict[str, list[Wrote]] = field(default_factory=lambda: {log: [] for log in ANCHORS})
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ANCHORS, publishing.NONE))
    doubts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Letter:
    """On its way by mail. contact: whom an offer is for; None in what the anchor of the log has said."""

    log: str
    nonce: int
    entries: tuple[Wrote, ...]
    contact: int | None = None


@dataclass
class Machine:
    """A run on a disk."""

    disk: Disk
    run: int
    desks: dict[str, Desk]


@dataclass
class Contact:
    """What he holds, and the run that he serves."""

    run: int = 0
    has_mail: bool = False  # since that run has asked
    logs: dict[str, list[Wrote]] = field(default_factory=lambda: {log: [] for log in ANCHORS})


class Device(RuleBasedStateMachine):
    """What may happen to one device and its copies."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = self.numbers = 0
        self.contacts = [Contact() for _ in range(CONTACTS)]
        self.machines = [self._started(Disk())]
        self.copies = [Disk()]
        self.mail: list[Letter] = []

    def _started(self, disk: Disk) -> Machine:
        self.runs += 1
        desks = {log: Desk(name(anchor), len(disk.logs[log]) - 1, disk.held[log]) for log, anchor in ANCHORS.items()}
        return Machine(deepcopy(disk), self.runs, desks)

    def _machine(self, which: int) -> Machine:
        return self.machines[which % len(self.machines)]

    def _wrote(self, commits: tuple[tuple[str, int, int], ...] = ()) -> Wrote:
        self.numbers += 1
        return Wrote(self.numbers, commits)

    @rule(which=machines, log=logs)
    def append(self, which: int, log: str) -> None:
        machine = self._machine(which)
        entries, desk = machine.disk.logs[log], machine.desks[log]
        commits = []
        if log == SPINE:
            for other, held in machine.desks.items():
                seq = publishing.committable(held)
                if other != SPINE and seq is not None and other not in machine.disk.doubts:
                    commits.append((other, seq, machine.disk.logs[other][seq].number))
        entries.append(self._wrote(tuple(commits)))
        machine.desks[log], _ = publishing.appended(desk, len(entries) - 1)

    @rule(which=machines, contact=contacts)
    def ask(self, which: int, contact: int) -> None:
        machine = self._machine(which)
        self.contacts[contact].run, self.contacts[contact].has_mail = machine.run, False
        for log, anchor in ANCHORS.items():
            if contact == anchor:
                machine.desks[log] = publishing.closed(machine.desks[log])
                self._compare(machine, contact, log)

    def _compare(self, machine: Machine, contact: int, log: str) -> None:
        ours, theirs = machine.disk.logs[log], self.contacts[contact].logs[log]
        is_ours = ours[: len(theirs)] == theirs
        desk, effects = publishing.compared(machine.desks[log], len(theirs) - 1, is_ours)
        if Retake() in effects:
            self._retake(machine, log, theirs)
            desk, effects = publishing.retaken(desk, len(ours) - 1, len(theirs) - 1)
        if any(isinstance(effect, Tell) for effect in effects):
            machine.desks = {other: publishing.closed(found) for other, found in machine.desks.items()}
        machine.desks[log] = desk
        machine.disk.held[log] = desk.held

    def _retake(self, machine: Machine, log: str, theirs: list[Wrote]) -> None:
        """Ours are taken back from where they part, and theirs taken in."""
        ours, same = machine.disk.logs[log], 0
        while same < min(len(ours), len(theirs)) and ours[same] == theirs[same]:
            same += 1
        assert same > machine.disk.held[log]  # what is published is never elsewhere another
        # A spine that was taken back says what is true no more; it is not written again.
        again = [] if log == SPINE else [self._wrote() for _ in ours[same:]]
        ours[:] = [*theirs, *again]
        if log == SPINE:
            machine.disk.doubts = {other: 0 for other in ANCHORS if other != SPINE}

    @rule(which=machines, log=logs)
    def offer(self, which: int, log: str) -> None:
        machine = self._machine(which)
        self.numbers += 1
        if log in machine.disk.doubts:
            machine.disk.doubts[log] = self.numbers
        shown = machine.disk.logs[log][: publishing.offered_to(machine.desks[log], name(ANCHORS[log])) + 1]
        self.mail.append(Letter(log, self.numbers, tuple(shown), ANCHORS[log]))

    @precondition(lambda self: self.mail)
    @rule(which=machines, newest=st.integers(0, 5))
    def deliver(self, which: int, newest: int) -> None:
        letter = self.mail[-1 - newest % len(self.mail)]
        if letter.contact is None:
            self._hear(self._machine(which), letter)
            return
        there = self.contacts[letter.contact]
        held = there.logs[letter.log]
        if len(letter.entries) > len(held) and [*letter.entries[: len(held)]] == held:
            held += letter.entries[len(held) :]
            there.has_mail = True
        self.mail.append(Letter(letter.log, letter.nonce, tuple(held)))

    def _hear(self, machine: Machine, letter: Letter) -> None:
        log, theirs = letter.log, [*letter.entries]
        ours = machine.disk.logs[log]
        if ours[: len(theirs)] == theirs:
            machine.desks[log], _ = publishing.told(machine.desks[log], len(theirs) - 1)
        else:
            self._retake(machine, log, theirs)
            machine.desks[log], _ = publishing.regained(machine.desks[log], len(ours) - 1, len(theirs) - 1)
        machine.disk.held[log] = machine.desks[log].held
        if machine.disk.doubts.get(log) == letter.nonce:
            del machine.disk.doubts[log]

    @rule(which=machines, contact=contacts, log=logs, is_acknowledged=st.booleans())
    def show(self, which: int, contact: int, log: str, is_acknowledged: bool) -> None:
        machine, there = self._machine(which), self.contacts[contact]
        if contact not in READERS[log] or (contact == ANCHORS[log] and there.run != machine.run):
            return
        shown = machine.disk.logs[log][: publishing.shown_to(machine.desks[log], name(contact)) + 1]
        held = there.logs[log]
        fits = shown[: len(held)] == held[: len(shown)]  # one entry in each place
        if not fits and there.has_mail and contact == ANCHORS[log]:
            there.run = 0  # his mail has brought something else: the stream ends, and nobody is accused
            return
        assert fits
        held += shown[len(held) :]
        if is_acknowledged and contact == ANCHORS[log] and shown:
            machine.desks[log], _ = publishing.held(machine.desks[log], len(shown) - 1)
            machine.disk.held[log] = machine.desks[log].held

    @rule(which=machines)
    def copy(self, which: int) -> None:
        self.copies.append(deepcopy(self._machine(which).disk))

    @rule(which=machines, back=st.integers(1, 4))
    def restore(self, which: int, back: int) -> None:
        self.machines[which % len(self.machines)] = self._started(self.copies[-back:][0])

    @precondition(lambda self: len(self.machines) == 1)
    @rule(back=st.integers(1, 4))
    def start_a_second(self, back: int) -> None:
        self.machines.append(self._started(self.copies[-back:][0]))

    @rule(which=machines, is_acknowledged=st.booleans(), shown=st.sampled_from([(*ANCHORS,), (SPINE,)]))
    def work(self, which: int, is_acknowledged: bool, shown: tuple[str, ...]) -> None:
        # What the others do in a row now and then: a day on which all are reached, or the spine's contacts alone.
        for _ in range(2):
            for contact in range(CONTACTS):
                self.ask(which, contact)
        for log in ("to 0", "to 1", "feed", SPINE):
            self.append(which, log)
            for contact in (ANCHORS[log], *range(CONTACTS)) if log in shown else ():
                self.show(which, contact, log, is_acknowledged)

    @rule(which=machines, back=st.integers(0, 3))
    def post(self, which: int, back: int) -> None:
        # A day on which all mail goes to and fro, and one of the machines, or both, hears it.
        for log in ("to 0", "to 1", "feed", SPINE):
            self.append(which, log)
            self.offer(which, log)
            self.deliver(which, 0)
            if back:
                self.deliver(which + back, 0)

    @precondition(lambda self: len(self.machines) == 2)
    @rule(which=machines, asked=contacts)
    def overtake(self, which: int, asked: int) -> None:
        # One has asked for some logs, the other goes on with all of them, and the first asks about the spine.
        self.ask(which, asked)
        self.work(1 - which, True, (*ANCHORS,))
        self.ask(which, ANCHORS[SPINE])
        self.append(which, SPINE)
        self.show(which, ANCHORS[SPINE], SPINE, True)

    @invariant()
    def all_that_was_shown_fits_together(self) -> None:
        longest = {log: max((one.logs[log] for one in self.contacts), key=len) for log in ANCHORS}
        for contact in self.contacts:
            for log, held in contact.logs.items():
                assert held == longest[log][: len(held)]
        committed: dict[str, int] = {}
        for one in longest[SPINE]:
            for log, seq, number in one.commits:
                assert seq >= committed.get(log, publishing.NONE)  # else evidence.Rollback
                committed[log] = seq
                assert longest[log][seq].number == number  # else evidence.Contradiction


Device.TestCase.settings = settings(max_examples=5 * depth.EXAMPLES, stateful_step_count=40, deadline=None)
TestDevice = Device.TestCase
