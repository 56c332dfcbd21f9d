"""Proofs that an author rolled his logs back: what he wrote contradicts what his spine says (docs/protocol/spine.md 5).

    [3 committed, spine entry, content, at, seq, head id, path]          a head that a spine commits to
    [4 contradiction, author, leaf key, committed, entry]                   an entry that cannot be in the same log
    [5 rollback, author, leaf key, log, earlier committed, later committed] a lower or another head, committed to later

Each can be checked by anybody without any other data. The proof that needs no spine, two entries in one place, also two
spines in one place, is log.Fork. Not here: what becomes of an author who was proven a liar (the rooms).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import hashing
from crypto.faults import PeerFault
from protocol import entry, merkle, record, spine
from protocol.entry import Entry
from protocol.log import Fork, Head, Raw
from protocol.record import Bytes16, Bytes32

Seq = Annotated[int, record.Range(0, entry.SEQ_MAX)]


class NoRollback(PeerFault):
    """What was shown as the proof of a rollback is none; nobody was accused."""


@record.record
@dataclass(frozen=True, slots=True)
class Committed:
    """A head that a spine commits to, and how this is seen. entry, content: of the spine; path: as merkle.path."""

    KIND: ClassVar[int] = 3

    entry: Raw
    content: Annotated[bytes, record.Size(1, spine.CONTENT_BYTES_MAX)]
    at: Annotated[int, record.Range(0, merkle.LEAVES_MAX - 1)]
    seq: Seq
    head: Bytes32
    path: Annotated[tuple[Bytes32, ...], record.Count(merkle.PATH_MAX)]

    def check(self, author: bytes, key: bytes, of: bytes) -> Entry:
        """The entry of the spine, when this author has committed in it to this head of this log.

        author, key: 32 bytes; of: a log, 16. Raises: Malformed, Forged.
        """
        header = entry.open(self.entry, author)
        spine.check_header(header)
        entry.check_content(header.body, self.content)
        line = spine.Line(key, of, Head(self.seq, self.head))
        spine.check_place(spine.decode(self.content), line, spine.Place(self.at, self.path))
        return header


@record.record
@dataclass(frozen=True, slots=True)
class Contradiction:
    """A spine commits to a head of a log, and its author has signed an entry there that cannot be in the same log."""

    KIND: ClassVar[int] = 4

    author: Bytes32
    key: Bytes32
    committed: Committed
    entry: Raw

    def encode(self) -> bytes:
        """The bytes of this proof, about 1,000."""
        return record.encode(self)

    def check(self) -> tuple[Entry, Entry]:
        """The entry of the spine and the one that contradicts it, when the author has signed both (spine 5.2).

        It has another id in the place of the head, or is the next and does not follow it.
        Raises: NoRollback, Forged, Malformed.
        """
        found = entry.open(self.entry, self.author)
        header = self.committed.check(self.author, self.key, found.body.log)
        is_other = found.body.seq == self.committed.seq and found.id != self.committed.head
        is_beside = found.body.seq == self.committed.seq + 1 and found.body.prev != self.committed.head
        if not (is_other or is_beside):
            raise NoRollback
        return header, found


@record.record
@dataclass(frozen=True, slots=True)
class Rollback:
    """Two entries of one spine: the later commits to a lower head of a log, or to another one in the same place."""

    KIND: ClassVar[int] = 5

    author: Bytes32
    key: Bytes32
    log: Bytes16
    earlier: Committed
    later: Committed

    def encode(self) -> bytes:
        """The bytes of this proof, about 1,300."""
        return record.encode(self)

    def check(self) -> tuple[Entry, Entry]:
        """Both entries of the spine, when the author has signed them and the log went back between them (spine 5.3).

        Raises: NoRollback, Forged, Malformed.
        """
        earlier = self.earlier.check(self.author, self.key, self.log)
        later = self.later.check(self.author, self.key, self.log)
        is_later = earlier.body.log == later.body.log and earlier.body.seq < later.body.seq
        is_lower = self.later.seq < self.earlier.seq
        is_other = self.later.seq == self.earlier.seq and not hashing.same(self.later.head, self.earlier.head)
        if not (is_later and (is_lower or is_other)):
            raise NoRollback
        return earlier, later


Proof = Fork | Contradiction | Rollback

PROOF_BYTES_MAX = 3 * entry.ENTRY_BYTES_MAX + 2 * 34 * merkle.PATH_MAX + 512
_PROOFS: Mapping[int, type[Proof]] = {cls.KIND: cls for cls in (Fork, Contradiction, Rollback)}


def decode(raw: bytes) -> Proof:
    """The proof in these bytes, unchecked: `check` says whether it is one. Raises: Malformed."""
    return record.decode_one_of(_PROOFS, raw, PROOF_BYTES_MAX)


def accused(proof: Proof) -> tuple[bytes, bytes]:
    """The author, 32 bytes, and the log, 16, whom a proof convicts. Raises: what `check` does."""
    _, last = proof.check()
    return last.body.author, proof.log if isinstance(proof, Rollback) else last.body.log


def committed(header: Entry, content: bytes, line: spine.Line, place: spine.Place) -> Committed:
    """The part of a proof that shows what a spine commits to. content: of the spine's entry. Raises: OverLimit."""
    return Committed(header.raw, content, place.at, line.head.seq, line.head.id, place.path)
