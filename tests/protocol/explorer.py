"""Every interleaving, within bounds, of a device that appends, is restored, is copied, and shows its log to contacts.

One log; its anchor, and readers who are none. A machine is a disk and a run of publishing.Desk, the production code.
What is on its way arrives at any later time, or never, also after the run that sent it has ended. An anchor serves the
run that asked it last, and ends the streams of others. Mail belongs to no run: it arrives at any time, on any copy of
the disk, as often as it likes. Two contacts with two branches are a violation, and so is an anchor who must accuse.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from protocol import publishing
from protocol.publishing import Desk, Retake

Entries = tuple[int, ...]
"""The log as numbers, each signed once: two different ones in one place are a fork."""

T = TypeVar("T")


class Message(NamedTuple):
    """On its way between a run and a contact. kind: data to him, reply and ack from him; by mail offer and word."""

    kind: str
    run: int
    contact: int
    entries: Entries


class Disk(NamedTuple):
    """What a machine keeps."""

    entries: Entries = ()
    held: int = publishing.NONE


class Machine(NamedTuple):
    """A disk and the run on it."""

    disk: Disk
    run: int
    desk: Desk


class Contact(NamedTuple):
    """What he holds, and which run may give him more. He is honest, and his disk is whole.

    has_mail: he took something by mail since that run has asked him.
    """

    entries: Entries = ()
    run: int = 0
    has_mail: bool = False


class State(NamedTuple):
    """Everything. copy: a disk that was copied at some time."""

    machines: tuple[Machine, ...]
    contacts: tuple[Contact, ...]
    wire: tuple[Message, ...] = ()
    mail: tuple[Message, ...] = ()
    copy: Disk = Disk()
    signed: int = 0
    runs: int = 1


@dataclass(frozen=True)
class Rule:
    """What is explored: the real rule, or one that lacks something. shown: (desk, contact) -> seq.

    anchors: so many contacts are asked; the first is the anchor, and any other's word is taken for his. is_compared:
    whether a word by mail counts only where what it says is here. is_yielding: whether what contradicts, on a stream,
    what came by mail since it began ends that stream, and accuses nobody.
    """

    anchors: int
    contacts: int
    shown: Callable[[Desk, bytes], int] = publishing.shown_to
    is_fencing: bool = True
    is_compared: bool = True
    is_yielding: bool = True


@dataclass(frozen=True)
class Bounds:
    """How far it goes."""

    signed: int
    runs: int
    wire: int
    machines: int
    mail: int = 0
    states: int = 400_000


class Violation(Exception):
    """Two contacts hold two branches."""


def name(contact: int) -> bytes:
    """The account of a contact."""
    return bytes((contact,)) * 32


def explore(rule: Rule, bounds: Bounds) -> tuple[int, list[str] | None]:
    """How many states there are, and the shortest way that was found to a violation, if there is one."""
    first = State((Machine(Disk(), 1, Desk(name(0))),), (Contact(),) * rule.contacts)
    came: dict[State, tuple[State, str] | None] = {first: None}
    level = [first]
    while level:
        following = []
        for state in level:
            try:
                for step, after in _steps(state, rule, bounds):
                    if after not in came:
                        came[after] = (state, step)
                        following.append(after)
            except Violation as violation:
                return len(came), [*_way(came, state), str(violation)]
        assert len(came) <= bounds.states, "the bounds are too wide"
        level = following
    return len(came), None


def _way(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    steps = []
    while (before := came[state]) is not None:
        state, step = before
        steps.append(step)
    return steps[::-1]


def _steps(state: State, rule: Rule, bounds: Bounds) -> Iterator[tuple[str, State]]:
    for at, machine in enumerate(state.machines):
        yield from _of_machine(state, at, machine, rule, bounds)
    if len(state.machines) < bounds.machines and state.runs < bounds.runs:
        yield "a second machine starts from the copy", _started(state, len(state.machines), state.copy)
    for at, message in enumerate(state.wire):
        rest = state._replace(wire=state.wire[:at] + state.wire[at + 1 :])
        yield f"lost: {message}", rest
        yield f"arrives: {message}", _arrived(rest, message, rule, bounds)
    for at, message in enumerate(state.mail):
        rest = state._replace(mail=state.mail[:at] + state.mail[at + 1 :])
        yield f"lost: {message}", rest
        for there in (rest, state):  # a keeper may give it once more
            if message.kind == "offer":
                yield f"arrives: {message}", _offered(there, message, bounds)
            for which in range(len(state.machines) if message.kind == "word" else 0):
                yield f"arrives at {which}: {message}", _told(there, which, message, rule, bounds)


def _of_machine(state: State, at: int, machine: Machine, rule: Rule, bounds: Bounds) -> Iterator[tuple[str, State]]:
    if state.signed < bounds.signed:
        yield f"{at} appends", _appended(state, at)
    if machine.disk != state.copy:
        yield f"the disk of {at} is copied", state._replace(copy=machine.disk)
    if state.runs < bounds.runs:
        yield f"{at} starts again", _started(state, at, machine.disk)
        if machine.disk != state.copy:
            yield f"{at} is restored and starts", _started(state, at, state.copy)
    offer = Message("offer", 0, 0, machine.disk.entries)
    if len(state.mail) < bounds.mail and machine.disk.entries and offer not in state.mail:
        yield f"{at} offers {offer.entries}", state._replace(mail=_sorted(*state.mail, offer))
    if len(state.wire) == bounds.wire:
        return
    for contact, there in enumerate(state.contacts):
        if contact < rule.anchors:
            yield f"{at} asks {contact}", _asked(state, at, contact, rule)
        shown = machine.disk.entries[: rule.shown(machine.desk, name(contact)) + 1]
        sent = Message("data", machine.run, contact, shown)
        if there.entries[: len(shown)] != shown and sent not in state.wire:
            yield f"{at} shows {contact} {shown}", state._replace(wire=_sorted(*state.wire, sent))


def _asked(state: State, at: int, contact: int, rule: Rule) -> State:
    """A new stream between a run and an anchor: it ends the one before, and those of other runs."""
    machine, there = state.machines[at], state.contacts[contact]
    asking = machine._replace(desk=publishing.closed(machine.desk))
    ended = [
        one
        for one in state.wire
        if one.contact == contact and (one.run == machine.run or (rule.is_fencing and one.kind == "data"))
    ]
    rest = [one for one in state.wire if one not in ended]
    return state._replace(
        machines=_with(state.machines, at, asking),
        contacts=_with(state.contacts, contact, there._replace(run=machine.run, has_mail=False)),
        wire=_sorted(*rest, Message("reply", machine.run, contact, there.entries)),
    )


def _arrived(state: State, message: Message, rule: Rule, bounds: Bounds) -> State:
    if message.kind == "data":
        return _taken(state, message, rule, bounds)
    at = next((at for at, machine in enumerate(state.machines) if machine.run == message.run), None)
    if at is None:
        return state  # the run is over, and with it the stream
    return _replied(state, at, message, bounds) if message.kind == "reply" else _acked(state, at, message)


def _taken(state: State, message: Message, rule: Rule, bounds: Bounds) -> State:
    """A contact takes what extends what he has; branches are what must never be."""
    there = state.contacts[message.contact]
    is_anchor = message.contact < rule.anchors
    if is_anchor and rule.is_fencing and there.run != message.run:
        return state
    fits = there.entries[: len(message.entries)] == message.entries[: len(there.entries)]
    if rule.is_yielding and there.has_mail and not fits:
        return state._replace(contacts=_with(state.contacts, message.contact, there._replace(run=0)))
    _check(state, message.entries)
    longest = max((there.entries, message.entries), key=len)
    wire = state.wire
    if is_anchor and len(wire) < bounds.wire:
        wire = _sorted(*wire, Message("ack", message.run, message.contact, message.entries))
    return state._replace(contacts=_with(state.contacts, message.contact, there._replace(entries=longest)), wire=wire)


def _offered(state: State, message: Message, bounds: Bounds) -> State:
    """The anchor takes by mail what follows what he has, and says what he holds."""
    there = state.contacts[message.contact]
    if len(there.entries) < len(message.entries) and message.entries[: len(there.entries)] == there.entries:
        there = there._replace(entries=message.entries, has_mail=True)
    mail, word = state.mail, Message("word", 0, message.contact, there.entries)
    if len(mail) < bounds.mail and word not in mail:
        mail = _sorted(*mail, word)
    _check(state, there.entries)
    return state._replace(contacts=_with(state.contacts, message.contact, there), mail=mail)


def _told(state: State, at: int, message: Message, rule: Rule, bounds: Bounds) -> State:
    """What the anchor said by mail comes to a machine, long after or once more."""
    machine, theirs = state.machines[at], message.entries
    ours = machine.disk.entries
    if ours[: len(theirs)] == theirs or (not rule.is_compared and len(theirs) <= len(ours)):
        desk, _ = publishing.told(machine.desk, len(theirs) - 1)
        found = Machine(Disk(ours, desk.held), machine.run, desk)
        return state._replace(machines=_with(state.machines, at, found))
    ours, signed = _retaken(machine, theirs, state.signed, bounds)
    desk, _ = publishing.regained(machine.desk, len(ours) - 1, len(theirs) - 1)
    found = Machine(Disk(ours, desk.held), machine.run, desk)
    return state._replace(machines=_with(state.machines, at, found), signed=signed)


def _replied(state: State, at: int, message: Message, bounds: Bounds) -> State:
    machine, theirs = state.machines[at], message.entries
    ours, signed = machine.disk.entries, state.signed
    is_ours = ours[: len(theirs)] == theirs
    desk, effects = publishing.compared(machine.desk, len(theirs) - 1, is_ours)
    if Retake() in effects:
        ours, signed = _retaken(machine, theirs, signed, bounds)
        desk, effects = publishing.retaken(desk, len(ours) - 1, len(theirs) - 1)
    found = Machine(Disk(ours, desk.held), machine.run, desk)
    return state._replace(machines=_with(state.machines, at, found), signed=signed)


def _retaken(machine: Machine, theirs: Entries, signed: int, bounds: Bounds) -> tuple[Entries, int]:
    """What a machine has when it took back what its anchor does not hold; and how much was signed by then."""
    ours, same = machine.disk.entries, 0
    while same < min(len(ours), len(theirs)) and ours[same] == theirs[same]:
        same += 1
    if same <= machine.disk.held:
        raise Violation(f"{ours} was published, and {theirs} is elsewhere")
    again = ours[same:][: bounds.signed - signed]  # chained anew, so signed anew
    return (*theirs, *range(signed + 1, signed + 1 + len(again))), signed + len(again)


def _check(state: State, entries: Entries) -> None:
    for one in state.contacts:
        if one.entries[: len(entries)] != entries[: len(one.entries)]:
            raise Violation(f"{entries} and {one.entries}")


def _acked(state: State, at: int, message: Message) -> State:
    machine = state.machines[at]
    if machine.disk.entries[: len(message.entries)] != message.entries:
        return state
    desk, _ = publishing.held(machine.desk, len(message.entries) - 1)
    found = Machine(machine.disk._replace(held=desk.held), machine.run, desk)
    return state._replace(machines=_with(state.machines, at, found))


def _appended(state: State, at: int) -> State:
    machine = state.machines[at]
    entries = (*machine.disk.entries, state.signed + 1)
    desk, _ = publishing.appended(machine.desk, len(entries) - 1)
    found = Machine(machine.disk._replace(entries=entries), machine.run, desk)
    return state._replace(machines=_with(state.machines, at, found), signed=state.signed + 1)


def _started(state: State, at: int, disk: Disk) -> State:
    desk = Desk(name(0), len(disk.entries) - 1, disk.held)
    started = Machine(disk, state.runs + 1, desk)
    return state._replace(machines=_with(state.machines, at, started), runs=state.runs + 1)


def _with(items: tuple[T, ...], at: int, item: T) -> tuple[T, ...]:
    return (*items[:at], item, *items[at + 1 :])


def _sorted(*messages: Message) -> tuple[Message, ...]:
    return tuple(sorted(messages))
