"""What a session of /weft/sync/1 knows of one log, and what it asks of whoever carries it (docs/protocol/sync.md).

Not here: when it asks (sync_session.py, sync_fetch.py, sync_serve.py).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from protocol.faults import PeerFault
from protocol.log import Head
from protocol.sync import Frame, Memory, Proof, Shared, Standing


class Unasked(PeerFault):
    """A contact sent entries that nobody had asked for; the connection was closed."""


class OutOfTurn(PeerFault):
    """A contact said something that has no place there when logs are compared; the connection was closed."""


class TooMuchAsked(PeerFault):
    """A contact asked for more entries than one may at a time, or for some that nobody had offered."""


class Send(NamedTuple):
    """Send this frame, before the next effect."""

    frame: Frame


class Read(NamedTuple):
    """Read entries of a log for the peer, and answer with `found`."""

    log: bytes
    first: int
    entries_max: int
    bytes_max: int


class Import(NamedTuple):
    """Take these in, and answer with `imported`, or `parted` where they do not follow; `froze` before it at a fork."""

    log: bytes
    first: int
    raws: tuple[bytes, ...]
    contents: tuple[bytes | None, ...]


class Accuse(NamedTuple):
    """A proof, checked: keep it, freeze the log, send it to the author's other contacts, tell the person."""

    log: bytes
    proof: Proof


class Progress(NamedTuple):
    """How far a long log has come: so many entries from its beginning, of so many."""

    log: bytes
    here: int
    total: int


class Checked(NamedTuple):
    """What the peer holds of our own logs is known now. ahead: those of which he has something that we have not."""

    ahead: tuple[bytes, ...]


class Held(NamedTuple):
    """The peer has our own log on his disk up to here."""

    log: bytes
    seq: int


class Unknown(NamedTuple):
    """The peer, who may have our own log, has shown all that he has and does not know this one, nor asked for it."""

    log: bytes


class Remember(NamedTuple):
    """Keep this as what is known of the peer, in place of what was."""

    memory: Memory


Effect = Send | Read | Import | Accuse | Progress | Checked | Held | Unknown | Remember
Effects = tuple[Effect, ...]
NONE = -1  # as a seq: nothing of a log
UNKNOWN = -2  # as a seq: not said yet


@dataclass(slots=True)
class Range:
    """Entries of a log from the first to the last, both included; the first moves as they come or go."""

    first: int
    last: int


@dataclass(slots=True)
class Log:
    """A log in this session. theirs: what he has said to have; told: up to where he has it or was sent it.

    served: the last he asked for and was sent; is_named: he was told of it, whether he knows it or not; todo: what we
    still have to ask for; asked: what we have asked for.
    """

    shared: Shared
    mine: bytes
    head: Head | None
    proof: Proof | None
    theirs: int = UNKNOWN
    mark: bytes = b""  # of his newest, in that place
    told: int = UNKNOWN
    served: int = UNKNOWN
    todo: list[Range] = field(default_factory=list)  # lists, not deques: mostly empty, and there are many logs
    asked: list[Range] = field(default_factory=list)
    asked_at: int = UNKNOWN  # our seq when we last asked: no progress since then means that he has no more for us
    is_named: bool = False
    is_shown: bool = False  # he has named it himself, so he knows its secret
    is_far: bool = False
    is_queued: bool = False
    is_probing: bool = False  # his entry in the place of our newest was asked for
    is_other: bool = False  # his newest is another than ours in the same place
    is_stuck: bool = False  # he has more and does not give it, or something else than a proof came of a probe

    @property
    def seq(self) -> int:
        """The seq of our newest entry, or NONE."""
        return NONE if self.head is None else self.head.seq

    @property
    def standing(self) -> Standing:
        """The log in our frontier."""
        return Standing(self.shared.log, self.head, self.proof is not None)
