"""One half of a ledger as it is read: the logs in which one side has written it, one after another.

docs/protocol/ledger.md 2. A side whose device was lost goes on in another log, whose first entry acknowledges the last
entry of the one before that counts. Not here: what the entries come to (tabs.py), what is written (tabs.py).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, get_args

from crypto.faults import Forged, Malformed
from ledger import terms
from ledger.terms import RULES, Open, Term
from protocol import entry, record, wire
from protocol import log as chains
from protocol.entry import Ack
from protocol.log import Head
from store import authoring, entries, spaces
from store.database import Tx
from store.spaces import Space

PAGE_ENTRIES = 1000
PAGE_BYTES = 1 << 20
_TERMS: Mapping[int, type[Any]] = {one.KIND: one for one in get_args(terms.Term)}


class Halt(Enum):
    """Why a half is read no further."""

    NEWER = "newer"  # it says what only a later version knows
    PARTED = "parted"  # it goes on from an earlier place than what was taken already


class Halted(Exception):
    """A half is read no further. reason: why."""

    def __init__(self, reason: Halt) -> None:
        super().__init__()
        self.reason = reason


class Item(NamedTuple):
    """An entry of a half. term: None where it says nothing; at_ms: its author's clock."""

    seq: int
    id: bytes
    at_ms: int
    acks: tuple[Ack, ...]
    term: Term | None


class Place(NamedTuple):
    """Up to where a half was taken: number of the log, entries of the logs before, and the newest entry of it."""

    log: int
    base: int
    head: Head | None


@dataclass
class Half:
    """A half and how far it was taken. parts: its logs, oldest first; base: entries of the parts before `at`."""

    parts: list[Space]
    at: int = 0
    base: int = 0
    head: Head | None = None  # the newest entry that was taken, of this part
    bases: dict[bytes, int] = field(default_factory=dict)  # id of a log -> entries before it, of those reached
    _ahead: deque[Item] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._reach()

    @property
    def taken(self) -> int:
        """How many entries were taken."""
        return self.base + self._seq + 1

    @property
    def place(self) -> Place | None:
        """Up to where it was taken."""
        return Place(self.parts[self.at].log.number, self.base, self.head) if self.parts else None

    def resume(self, place: Place) -> None:
        """Goes on from a place that was written down."""
        self.at = next(at for at, one in enumerate(self.parts) if one.log.number == place.log)
        self.base, self.head = place.base, place.head
        self._reach()

    def renew(self, tx: Tx, parts: list[Space]) -> bool:
        """Looks again at what is on the disk; returns whether what was taken is still there."""
        self._ahead.clear()
        same = [one.log.number for one in parts[: self.at + 1]] == [one.log.number for one in self.parts[: self.at + 1]]
        self.parts = parts
        self._reach()
        return (same or not self.taken) and self._stands(tx)

    def counted(self, acks: tuple[Ack, ...]) -> int:
        """How many entries of this half these acknowledge, of the logs that were reached."""
        return max((self.bases[one.log] + one.seq + 1 for one in acks if one.log in self.bases), default=0)

    def reaches(self, acks: tuple[Ack, ...], writer: "Half") -> bool:
        """Whether all that these acknowledge was taken of this half. writer: the half in which they stand.

        The first entry of a log acknowledges the log before it, too. Any other log is one that will be known.
        """
        own = {one.log.id for one in writer.parts}
        return self.counted(acks) <= self.taken and all(one.log in self.bases or one.log in own for one in acks)

    def peek(self, tx: Tx) -> Item | None:
        """The next entry; None where it is not here yet. Raises: Halted."""
        if not self.parts:
            return None
        while self.at + 1 < len(self.parts):
            last = self._last(tx)
            if last is None or self._seq < last:
                break
            self._turn(last)
        # What a lost device sends after it was given up may count for nothing: the new one says how far it does.
        if self.at + 1 < len(self.parts) and self._last(tx) is None and self.parts[0].contact != spaces.OURS:
            return None
        if not self._ahead:
            of = self.parts[self.at]
            for held in entries.read(tx, of.log.number, self._seq + 1, PAGE_ENTRIES, PAGE_BYTES):
                found = _item(of, held)
                if found is None:
                    break
                self._ahead.append(found)
        if not self._ahead:
            return None
        if self._ahead[0].term is NEWER:
            raise Halted(Halt.NEWER)
        return self._ahead[0]

    def step(self) -> None:
        """The entry that `peek` gave was taken."""
        one = self._ahead.popleft()
        self.head = Head(one.seq, one.id)

    @property
    def _seq(self) -> int:
        return -1 if self.head is None else self.head.seq

    def _stands(self, tx: Tx) -> bool:
        """Whether the newest entry that was taken still stands in its place."""
        if self.head is None:
            return True
        found = entries.entry_at(tx, self.parts[self.at].log.number, self.head.seq)
        return found is not None and found.id == self.head.id

    def _last(self, tx: Tx) -> int | None:
        """The newest entry of this log that counts, as the next one says; None while that has no entry here."""
        first = entries.entry_at(tx, self.parts[self.at + 1].log.number, 0)
        if first is None:
            return None
        before = self.parts[self.at].log.id
        return max((one.seq for one in first.body.acks if one.log == before), default=-1)

    def _turn(self, last: int) -> None:
        """Goes on in the next log: all that counts of this one was taken. Raises: Halted."""
        if last < self._seq:
            raise Halted(Halt.PARTED)
        self.base, self.at, self.head = self.taken, self.at + 1, None
        self._ahead.clear()
        self._reach()

    def _reach(self) -> None:
        if self.parts:
            self.bases[self.parts[self.at].log.id] = self.base


class _Newer(Enum):
    """Stands where a term of a later version does."""

    NEWER = 0


NEWER: Any = _Newer.NEWER


def chains_of(tx: Tx, contact_id: int) -> tuple[list[Space], list[Space]]:
    """The logs of our half and of theirs of the ledger with a contact, oldest first."""
    ours, theirs = spaces.ledger(tx, contact_id)
    return _chain(ours), _chain(theirs)


def _chain(found: tuple[Space, ...]) -> list[Space]:
    """The first log and those that go it on, each the first that was granted to do so."""
    chain = [one for one in found if not one.previous][:1]
    while chain:
        after = next((one for one in found if one.previous == chain[-1].log.number), None)
        if after is None:
            break
        chain.append(after)
    return chain


def _item(of: Space, held: entries.Held) -> Item | None:
    if held.content is None:
        return None
    body = chains.recall(held.raw).body
    return Item(held.seq, entry.id_of(held.raw), body.at_ms, body.acks, term(of, held))


def term(of: Space, held: entries.Held) -> Any:
    """What an entry says: None for nothing that anybody reads, NEWER for what this version does not."""
    try:
        said = authoring.read(of, held)
        assert said is not None
        return read(said)
    except (Forged, Malformed):
        return None


def read(said: bytes) -> Any:
    """As `term`, of what an entry says."""
    try:
        value: Any = wire.decode(said, entry.SAID_BYTES_MAX)
        kind = value[0] if type(value) is tuple and value else None
        if type(kind) is not int:
            return None
        cls = _TERMS.get(kind)
        if cls is None or len(value) - 1 > record.field_count(cls):
            return NEWER
        found = record.parse_fields(cls, value[1:])
    except (Forged, Malformed):
        return None
    return NEWER if isinstance(found, Open) and found.rules > RULES else found
