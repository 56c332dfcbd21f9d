"""One half of a ledger as it is read: the logs in which one side has written it, one after another.

docs/protocol/ledger.md 2. A side whose device was lost goes on in another log, whose first entry acknowledges the last
entry of the one before that counts. Not here: what the entries come to (tabs.py), what is written (tabs.py).
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, get_args

from crypto.faults import Forged, Malformed
from ledger import terms
from ledger.terms import RULES, Ackn, Open, Term
from protocol import entry, record, wire
from protocol.entry import Ack, Entry
from protocol.log import Head
from store import authoring, entries, spaces
from store.database import Tx
from store.logs import State
from store.spaces import Space

PAGE_ENTRIES = 1000
PAGE_FIRST = 8
PAGE_BYTES = 1 << 20
_TERMS: Mapping[int, type[Any]] = {one.KIND: one for one in get_args(terms.Term)}
_ACKN = Ackn()
_ACKN_SAID = record.encode(_ACKN)


class Newer(Exception):
    """A half says what only a later version knows, and is read no further."""


class Item(NamedTuple):
    """An entry of a half. term: None where it says nothing; at_ms: its author's clock."""

    seq: int
    id: bytes
    at_ms: int
    acks: tuple[Ack, ...]
    term: Term | None


class Place(NamedTuple):
    """Up to where a half was taken: the log (its row), and the newest entry of it."""

    number: int
    head: Head


@dataclass
class Half:
    """A half and how far it was taken. parts: its logs, oldest first; base: entries of the parts before `at`."""

    parts: list[Space]
    at: int = 0
    base: int = 0
    head: Head | None = None  # the newest entry that was taken, of this part
    bases: dict[bytes, int] = field(default_factory=dict)  # id of a log -> entries before it, of those reached
    is_parted: bool = False  # the next log goes on from an earlier place than the other side has acknowledged
    _ends: dict[bytes, int] = field(default_factory=dict)  # id of a log that was left -> entries up to its last
    _ids: OrderedDict[tuple[bytes, int], bytes] = field(default_factory=OrderedDict)  # taken, and not acknowledged
    _ahead: deque[Item] = field(default_factory=deque)
    _page: int = PAGE_FIRST
    _is_read: bool = False  # nothing more lies on the disk, as this transaction sees it
    _stand: tuple[Any, tuple[int, int]] | None = None  # of which heads of the other half, and up to where this counts
    _last: Ack | None = None  # what the next log says of this one, while that was not looked at anew

    is_forked: bool = field(init=False)  # whether one of its logs was proven to be

    def __post_init__(self) -> None:
        self._lie(self.parts)

    @property
    def taken(self) -> int:
        """How many entries were taken."""
        return self.base if self.head is None else self.base + self.head.seq + 1

    @property
    def place(self) -> Place | None:
        """The newest entry that was taken; None for none of the log that is read."""
        return Place(self.parts[self.at].log.number, self.head) if self.parts and self.head else None

    def resume(self, tx: Tx, place: Place) -> bool:
        """Goes on from a place that was written down; returns whether it still stands."""
        while self.parts and self.parts[self.at].log.number != place.number:
            last = self._last_of(tx) if self.at + 1 < len(self.parts) else None
            if last is None:
                return False
            self.head = Head(last.seq, last.id)
            self.turn(last)
        self.head = place.head
        return bool(self.parts) and self._stands(tx)

    def renew(self, tx: Tx, parts: list[Space]) -> bool:
        """Looks again at what is on the disk; returns whether what was taken is still there."""
        self._ahead.clear()
        self._page, self._last, self._is_read, self.is_parted = PAGE_FIRST, None, False, False
        same = [one.log.number for one in parts[: self.at + 1]] == [one.log.number for one in self.parts[: self.at + 1]]
        self._lie(parts)
        return (same or not self.taken) and self._stands(tx)

    def counted(self, tx: Tx, acks: tuple[Ack, ...], writer: "Half", acked: int) -> int | None:
        """How many entries of this half these acknowledge; None while not all of them were taken.

        writer: the half in which they stand. The first entry of a log acknowledges the log before it, too. Any other
        log is one that will be known, and any other entry in a place of ours one that will stand there, or whose author
        is wrong (ledger 2.3). acked: what was acknowledged before, which is not looked at again.
        """
        most = 0
        for one in acks:
            log, seq, _ = one
            base = self.bases.get(log)
            if base is None:
                if all(log != part.log.id for part in writer.parts):
                    return None
                continue
            place, end = base + seq, self._ends.get(log)
            is_taken = place < (self.taken if end is None else end)
            if not is_taken or (place >= acked and not self._is_here(tx, one)):
                return None
            most = max(most, place + 1)
        return most

    def was_acked(self, acks: tuple[Ack, ...]) -> None:
        """The other side has acknowledged these: they need not be known by heart any more."""
        for one in acks:
            at = one[:2]
            if at in self._ids:
                while self._ids.popitem(last=False)[0] != at:
                    pass

    def stands(self, tx: Tx, other: "Half") -> bool:
        """Whether the next entry of a half that was forked counts: the other side has acknowledged it (ledger 3.6)."""
        newest = tuple(entries.head(tx, part.log.number) for part in other.parts)
        if self._stand is None or self._stand[0] != newest:
            self._stand = newest, self._acknowledged(tx, other)
        return (self.at, self._seq) < self._stand[1]

    def next_log(self, tx: Tx) -> Ack | None:
        """What the next log says is the last entry of this one, once all up to there was taken."""
        last = self._last_of(tx) if self.at + 1 < len(self.parts) else None
        return None if last is None or self._seq < last.seq else last

    def parts_from(self, last: Ack, acks: tuple[Ack, ...]) -> bool:
        """Whether a next log that goes on after this leaves out what was taken. acks: of the other's next entry."""
        is_more = any(one.log == last.log and one.seq > last.seq for one in acks)
        return is_more or last.seq < self._seq or (self.head is not None and self.head.id != last.id)

    def is_too_far(self, tx: Tx, acked: int) -> bool:
        """Whether more was taken than the next log counts, none of which the other side has acknowledged."""
        last = self.next_log(tx)
        return last is not None and last.seq < self._seq and acked <= self.base + last.seq + 1

    def turn(self, last: Ack) -> None:
        """Goes on in the next log."""
        self._ends[last.log] = self.taken
        self.base, self.at, self.head, self._last, self._is_read = self.taken, self.at + 1, None, None, False
        self._ahead.clear()
        self._reach()

    def peek(self, tx: Tx) -> Item | None:
        """The next entry; None where it is not here yet. Raises: Newer."""
        if self._ahead:  # read since what follows was looked at
            return self._next()
        if self._is_read or not self.parts:
            return None
        # What a lost device sends after it was given up may count for nothing: the new one says how far it does.
        is_given_up = self.at + 1 < len(self.parts) and self._last_of(tx) is None
        if is_given_up and self.parts[0].contact != spaces.OURS:
            return None
        self._read(tx)
        self._is_read = not self._ahead
        return self._next() if self._ahead else None

    def wrote(self, number: int, made: Entry, term: Term) -> None:
        """An entry was appended to this log, the newest one of ours: all before it was taken."""
        if self.parts[self.at].log.number == number:
            self._ahead.append(Item(made.body.seq, made.id, made.body.at_ms, made.body.acks, term))

    def step(self) -> None:
        """The entry that `peek` gave was taken."""
        one = self._ahead.popleft()
        self.head = Head(one.seq, one.id)
        self._ids[self.parts[self.at].log.id, one.seq] = one.id

    @property
    def _seq(self) -> int:
        return -1 if self.head is None else self.head.seq

    def _next(self) -> Item:
        one = self._ahead[0]
        if one.term is NEWER:
            raise Newer
        return one

    def _read(self, tx: Tx) -> None:
        """Reads the next entries: few at first, since often there is one, or one that waits."""
        of = self.parts[self.at]
        said = authoring.reader(of)
        for held in entries.read(tx, of.log.number, self._seq + 1, self._page, PAGE_BYTES):
            if held.content is None:
                break
            at_ms, acks = entry.recall_acks(held.raw)
            self._ahead.append(Item(held.seq, entry.id_of(held.raw), at_ms, acks, _term(said, held)))
        self._page = min(2 * self._page, PAGE_ENTRIES)

    def _stands(self, tx: Tx) -> bool:
        """Whether the newest entry that was taken still stands in its place."""
        return self.head is None or entries.id_at(tx, self.parts[self.at].log.number, self.head.seq) == self.head.id

    def _acknowledged(self, tx: Tx, other: "Half") -> tuple[int, int]:
        """The last entry here that the other half acknowledges anywhere: number of the part, seq."""
        at = {part.log.id: number for number, part in enumerate(self.parts)}
        acks = {(at[one.log], one.seq): one for one in other.all_acks(tx) if one.log in at}
        return next((place for place in sorted(acks, reverse=True) if self._is_here(tx, acks[place])), (0, -1))

    def all_acks(self, tx: Tx) -> Iterator[Ack]:
        """All that the entries of this half acknowledge, as they lie on the disk."""
        for part in self.parts:
            seq = 0
            while found := entries.read(tx, part.log.number, seq, PAGE_ENTRIES, PAGE_BYTES):
                for held in found:
                    yield from entry.recall_acks(held.raw)[1]
                seq = found[-1].seq + 1

    def _is_here(self, tx: Tx, ack: Ack) -> bool:
        """Whether this entry, of a log that was reached, is the one in its place here."""
        known = self._ids.get(ack[:2])
        if known is None:
            number = next((part.log.number for part in self.parts if part.log.id == ack.log), None)
            known = None if number is None else entries.id_at(tx, number, ack.seq)
        return known == ack.id

    def _last_of(self, tx: Tx) -> Ack | None:
        """The newest entry of this log that counts, as the next one says; None while that has no entry here."""
        if self._last is None:
            first = entries.entry_at(tx, self.parts[self.at + 1].log.number, 0)
            if first is not None:
                before = self.parts[self.at].log.id
                said = (one for one in first.body.acks if one.log == before)
                self._last = max(said, key=lambda one: one.seq, default=Ack(before, -1, b""))
        return self._last

    def _lie(self, parts: list[Space]) -> None:
        self.parts = parts
        self.is_forked = any(part.log.state is State.FROZEN for part in parts)
        self._reach()

    def _reach(self) -> None:
        if self.parts:
            self.bases[self.parts[self.at].log.id] = self.base


class _Newer(Enum):
    """Stands where a term of a later version does."""

    NEWER = 0


NEWER: Any = _Newer.NEWER


def term(of: Space, held: entries.Held) -> Any:
    """What an entry says: None for nothing that anybody reads, NEWER for what this version does not."""
    return _term(authoring.reader(of), held)


def _term(reader: Callable[[entries.Held], bytes | None], held: entries.Held) -> Any:
    try:
        said = reader(held)
        assert said is not None
        return term_of(said)
    except (Forged, Malformed):
        return None


def term_of(said: bytes) -> Any:
    """As `term`, for what was sealed in an entry. Raises: Malformed, for nothing that anybody reads."""
    if said == _ACKN_SAID:  # a quarter of all entries say nothing else
        return _ACKN
    value: Any = wire.decode(said, entry.SAID_BYTES_MAX)
    kind = value[0] if type(value) is tuple and value else None
    if type(kind) is not int:
        return None
    cls = _TERMS.get(kind)
    if cls is None or len(value) - 1 > record.field_count(cls):
        return NEWER
    found = record.parse_fields(cls, value[1:])
    return NEWER if isinstance(found, Open) and found.rules > RULES else found
