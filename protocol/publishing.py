"""When a device may show what it wrote into a log of its own, so that no copy of its disk ever makes it fork.

A disk that is put back, or runs on two machines, does not know what it has forgotten; others do (docs/protocol/spine.md
6). So each log names, when it begins, its **anchor**: a contact whose word is asked for after each start, and who gets
an entry before anybody else does. A contact serves one run of a device at a time, the one that asked it last.

    start ──> closed ──the anchor says what he holds──> open ──a new stream, another run is met──> closed
    entry:    appended ──open──> the anchor ──he has it on his disk──> everybody, and never taken back
                      └─by mail─> offered ──he takes it where it follows what he has──┘

Two who are never there together have no stream on which to ask. By mail nothing is asked before: the anchor takes what
follows his newest entry, drops all else without a word of blame, and says what he holds, which stays true however late
it is heard, and on whichever copy of the disk.

Pure: a log's desk and an event in, a desk and effects out. Not here: taking back and taking in (store/entries.py).
"""

from dataclasses import dataclass, replace
from enum import Enum

NONE = -1  # as a seq: no entry


class Trouble(Enum):
    """What a person is told, in plain words, by whoever shows it."""

    OLD_COPY = "This device had been set back to an older state; what it had said since then is back."
    TWO_MACHINES = "This profile also runs on another machine. End one of the two."
    FORKED = "Others hold something else than this device had told them; it goes on in a new log."


@dataclass(frozen=True, slots=True)
class Persist:
    """Note on the disk, before the next effect, that the anchor has the log up to here: it is published."""

    held: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The anchor, or all who may read the log, may be shown it up to here: `shown_to` says the same."""

    seq: int
    to_all: bool


@dataclass(frozen=True, slots=True)
class Retake:
    """The anchor holds entries of ours that are not here.

    In one transaction: take back ours from where they part, take in his, append again what was taken back. Then say
    `retaken`; or `parted`, with nothing done, where they part in what is published.
    """


@dataclass(frozen=True, slots=True)
class Reopen:
    """This log is over: begin another with an epoch drawn at random, which acknowledges the newest that others hold.

    At random, because a copy of this disk may be beginning one too.
    """


@dataclass(frozen=True, slots=True)
class Tell:
    """A person is told, and every other log of this device is closed (`closed`): it has forgotten something too."""

    trouble: Trouble


Effect = Persist | Offer | Retake | Reopen | Tell


@dataclass(frozen=True, slots=True)
class Desk:
    """One of our own logs in this run. anchor: an account, 32 bytes, fixed when the log began.

    seq: the newest entry here; held: as Persist has it, from the disk; is_open: the anchor was asked on the stream to
    him, and no other run was met since then; was_open: what is met now was not forgotten but written elsewhere.
    """

    anchor: bytes
    seq: int = NONE
    held: int = NONE
    is_open: bool = False
    was_open: bool = False
    is_over: bool = False

    def __post_init__(self) -> None:
        assert NONE <= self.held <= self.seq
        assert not (self.is_open and self.is_over)


Step = tuple[Desk, tuple[Effect, ...]]


def shown_to(desk: Desk, contact: bytes) -> int:
    """Up to which seq this contact may be shown the log; NONE for nothing. What the anchor holds anybody may have."""
    return desk.seq if desk.is_open and contact == desk.anchor else desk.held


def offered_to(desk: Desk, contact: bytes) -> int:
    """Up to which seq this contact may be sent the log by mail, whether it is open or not; NONE for nothing.

    The anchor is offered all: he takes what follows his newest entry, and accuses nobody of what does not.
    """
    return desk.seq if contact == desk.anchor and not desk.is_over else desk.held


def committable(desk: Desk) -> int | None:
    """The seq to which a spine may commit; None where the log is to be left out of it.

    What the anchor holds is never taken back, so a spine that was shown never turns into evidence against its author.
    A log that is in doubt (spine 3.1) is left out by whoever writes the spine.
    """
    return desk.held if desk.held > NONE and not desk.is_over else None


def appended(desk: Desk, seq: int) -> Step:
    """Our own entries up to here are on the disk. Whether they may be shown is another thing."""
    assert seq > desk.seq
    found = replace(desk, seq=seq)
    return found, _offered(found)


def closed(desk: Desk) -> Desk:
    """The anchor has to be asked anew: a new stream to him begins, on which nothing counts that came on the one before.

    Or another log of this device was Told of.
    """
    return replace(desk, is_open=False)


def compared(desk: Desk, theirs: int, is_ours: bool) -> Step:
    """The anchor has said, on the newest stream to him, what he holds of the log.

    theirs: his newest seq, or NONE. is_ours: whether that entry is here too, in its place (True for NONE). A lower one
    than he is known to have had is his loss, and what he lacks is offered again.
    """
    if desk.is_over:
        return desk, ()
    if not is_ours:
        return closed(desk), (Retake(),)
    return _opened(desk, theirs)


def retaken(desk: Desk, seq: int, theirs: int) -> Step:
    """What the anchor holds is here now. seq: our newest, with what was appended again; theirs: his."""
    assert theirs <= seq
    trouble = Trouble.TWO_MACHINES if desk.was_open else Trouble.OLD_COPY
    found, effects = _opened(replace(desk, seq=seq), theirs)
    return found, (Tell(trouble), *effects)


def told(desk: Desk, theirs: int) -> Step:
    """The anchor's word came by mail, and what he holds, up to `theirs`, is here in its place.

    It opens nothing: he may hold more by now. But what he held he holds, so the others may have it, in any run.
    """
    assert theirs <= desk.seq
    if theirs <= desk.held:
        return desk, ()
    return replace(desk, held=theirs), (Persist(theirs), Offer(theirs, to_all=True))


def regained(desk: Desk, seq: int, theirs: int) -> Step:
    """What the anchor holds came by mail, was not here, and is here now. seq, theirs: as in `retaken`.

    The log is closed: on the stream to him he has to be asked anew.
    """
    assert theirs <= seq
    trouble = Trouble.TWO_MACHINES if desk.was_open else Trouble.OLD_COPY
    found, effects = told(closed(replace(desk, seq=seq)), theirs)
    return found, (Tell(trouble), *effects)


def parted(desk: Desk) -> Step:
    """The anchor holds another entry than one that he was known to hold. Nobody is accused; the log is over."""
    return replace(desk, is_open=False, is_over=True), (Tell(Trouble.FORKED), Reopen())


def held(desk: Desk, seq: int) -> Step:
    """The anchor has the log on his disk up to here, as he said on the newest stream: now the others may have it."""
    assert seq <= desk.seq
    if seq <= desk.held or not desk.is_open:
        return desk, ()
    return replace(desk, held=seq), (Persist(seq), Offer(seq, to_all=True))


def give_up(desk: Desk) -> Step:
    """The anchor cannot be asked, and the person will not wait for him: what was not published goes to a new log."""
    return replace(desk, is_open=False, is_over=True), (Reopen(),)


def _opened(desk: Desk, theirs: int) -> Step:
    found = replace(desk, held=max(desk.held, theirs), is_open=True, was_open=True)
    noted: tuple[Effect, ...] = ()
    if found.held > desk.held:
        noted = (Persist(found.held), Offer(found.held, to_all=True))
    return found, (*noted, *_offered(found))


def _offered(desk: Desk) -> tuple[Effect, ...]:
    """Lets the anchor have what he has not yet, where the log is open."""
    return (Offer(desk.seq, to_all=False),) if desk.is_open and desk.seq > desk.held else ()
