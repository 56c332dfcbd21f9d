"""Entries of a log, and what somebody holds of it, said by mail between two who are never there together.

docs/protocol/carrying.md. What is carried goes through the ratchet, like a message. Entries that travel on a stream are
in sync.py; what may be shown to whom in publishing.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto.faults import Malformed
from protocol import content, entry, record
from protocol.evidence import Seq
from protocol.log import Raw
from protocol.record import Bytes16, Bytes32

ENTRIES_MAX = 256  # in one content: what a gap lets wait (log 5.3)
BYTES_MAX = 56 * 1024  # of entries and contents in one: with its head and their lengths it stays within 60 KiB

_RATCHET = frozenset({content.Channel.RATCHET})

Entries = Sequence[tuple[bytes, bytes | None]]


@record.record
@dataclass(frozen=True, slots=True)
class Carried:
    """Entries of a log of the sender's, or, from its anchor, of the reader's own; none of them is a question.

    nonce: comes back with the answer. since: what the anchor holds from here on is not known to the author, who is to
    be given it where his own does not fit. contents: as many as entries, or none where there is none among them.
    """

    KIND: ClassVar[int] = 306
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    log: Bytes16
    nonce: Bytes16
    since: Seq
    entries: Annotated[tuple[Raw, ...], record.Count(ENTRIES_MAX)]
    contents: Annotated[
        tuple[Annotated[bytes, record.Size(0, entry.CONTENT_BYTES_MAX)] | None, ...], record.Count(ENTRIES_MAX)
    ]

    def even_contents(self) -> tuple[bytes | None, ...]:
        """As many contents as entries. Raises: Malformed."""
        if len(self.contents) not in (0, len(self.entries)):
            raise Malformed
        return self.contents or (None,) * len(self.entries)


@record.record
@dataclass(frozen=True, slots=True)
class Holding:
    """The sender has a log of the reader's on his disk: so many entries, the newest of this id; null for none.

    nonce: of the newest Carried about this log that he had taken in when he said this.
    """

    KIND: ClassVar[int] = 307
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    log: Bytes16
    nonce: Bytes16
    count: Annotated[int, record.Range(0, entry.SEQ_MAX + 1)]
    head: Bytes32 | None

    def check(self) -> None:
        """Raises: Malformed, where an empty log has a newest entry, or another one has none."""
        if (self.count == 0) != (self.head is None):
            raise Malformed


CONTENTS = (Carried, Holding)
PASSING = frozenset({Carried.KIND})  # what is in them is kept as entries: once it has passed, the message is empty


def packed(entries: Entries) -> Iterator[Entries]:
    """These entries in parts, each of which one Carried takes.

    An entry whose content alone is too large goes without it: the content is asked for when a stream is there.
    """
    part: list[tuple[bytes, bytes | None]] = []
    size = 0
    for raw, said in entries:
        kept = said if said is not None and len(raw) + len(said) <= BYTES_MAX else None
        added = len(raw) + len(kept or b"")
        if part and (size + added > BYTES_MAX or len(part) == ENTRIES_MAX):
            yield tuple(part)
            part, size = [], 0
        part.append((raw, kept))
        size += added
    if part:
        yield tuple(part)


def carried(log: bytes, nonce: bytes, since: int, part: Entries) -> Carried:
    """A part of a log as it is said. log, nonce: 16 bytes."""
    contents = tuple(said for _, said in part)
    is_bare = all(said is None for said in contents)
    return Carried(log, nonce, since, tuple(raw for raw, _ in part), () if is_bare else contents)
