"""Logs: ids, the chain rule, runs of entries, and the proof that an author has forked (docs/protocol/log.md 2 and 4).

A log has one author, a device, and his entries count from 0, each naming the id of the one before. Not here: single
entries (entry.py), what is stored (store/entries.py), the log over logs (spine.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, NamedTuple, Self

from crypto import hashing
from crypto.faults import Forged, Malformed, PeerFault
from crypto.hashing import Label
from protocol import entry, record
from protocol.entry import Entry

EPOCH_MAX = 2**53 - 1  # as other counters
RUN_ENTRIES_MAX = 1024  # checked at once: about 10 ms of work
SECRET_BYTES_MIN = 16

Raw = Annotated[bytes, record.Size(entry.ENTRY_BYTES_MIN, entry.ENTRY_BYTES_MAX)]


class BrokenChain(PeerFault):
    """An entry does not follow from the one before it in its log; it was not taken."""


class NoFork(PeerFault):
    """What was shown as the proof of a fork is none; nobody was accused."""


class Head(NamedTuple):
    """The newest entry of a log, of those that somebody holds. id: 32 bytes."""

    seq: int
    id: bytes


def log_id(secret: bytes, author: bytes, epoch: int) -> bytes:
    """The 16-byte id of a log (log 2.1): nobody without the secret can tell whose it is, or that two are of one author.

    secret: 16 to 64 bytes, of the space in which the log lives; author: the device key, 32; epoch: counts the logs that
    one device has begun there.
    """
    assert SECRET_BYTES_MIN <= len(secret) <= 64
    assert len(author) == 32
    assert 0 <= epoch <= EPOCH_MAX
    return hashing.keyed_id(secret, Label.LOG, author + epoch.to_bytes(8, "big"))


def follow(head: Head | None, entry: Entry) -> Head:
    """The head after an entry of the same log (log 2.2). head: None for an empty log. Raises: BrokenChain."""
    body = entry.body
    if body.seq != (0 if head is None else head.seq + 1) or body.prev != (None if head is None else head.id):
        raise BrokenChain
    return Head(body.seq, entry.id)


def check_run(raws: Sequence[bytes], head: Head | None, author: bytes, log: bytes) -> tuple[Entry, ...]:
    """Entries that follow a head, checked by the signature of the last (log 2.3).

    The last names the bytes of the one before, signature included, and so on back: its author vouches for all of them.
    A single one of them serves as evidence for others only after `entry.open`. raws: 1 to 1,024.
    Raises: Malformed, BrokenChain, Forged (another author, another log, a bad signature).
    """
    found = _run(raws, author, log)
    for one in found:
        head = follow(head, one)
    entry.verify(found[-1])
    return found


def check_piece(raws: Sequence[bytes], author: bytes, log: bytes) -> tuple[Entry, ...]:
    """As `check_run`, for a run that begins anywhere: whether it follows what the reader holds is his to find out.

    raws: 1 to 1,024. Raises: Malformed, BrokenChain, Forged.
    """
    found = _run(raws, author, log)
    for before, one in pairwise(found):  # `follow`, without a head for each of them
        if one.body.seq != before.body.seq + 1 or one.body.prev != before.id:
            raise BrokenChain
    entry.verify(found[-1])
    return found


def recall(raw: bytes) -> Entry:
    """An entry of our own disk, which was checked, alone or in a run, before it was stored. Never for peers' bytes."""
    return entry.parse_without_looking_at_the_signature(raw)


@record.record
@dataclass(frozen=True, slots=True)
class Fork:
    """Two entries of one author for one place of one log, the bytewise smaller first: a proof needs no more."""

    KIND: ClassVar[int] = 1

    first: Raw
    second: Raw

    @classmethod
    def of(cls, one: bytes, other: bytes) -> Self:
        """The proof of two entries in either order; whether it is one is `check`'s to say. Raises: OverLimit."""
        return cls(min(one, other), max(one, other))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """The proof in these bytes, unchecked. Raises: Malformed."""
        return record.decode(cls, raw, FORK_BYTES_MAX)

    def encode(self) -> bytes:
        """The bytes of a proof: `[1, entry, entry]`, about 600."""
        return record.encode(self)

    def check(self) -> tuple[Entry, Entry]:
        """The two entries, when their author has forked his log (log 4.1).

        Raises: NoFork (one entry twice, two places, logs or authors, the greater first), Forged, Malformed.
        """
        one, other = (entry.parse_without_looking_at_the_signature(raw) for raw in (self.first, self.second))
        if self.first >= self.second or _place(one) != _place(other):
            raise NoFork
        entry.verify(one)
        entry.verify(other)
        return one, other


FORK_BYTES_MAX = 2 * entry.ENTRY_BYTES_MAX + 16


def _run(raws: Sequence[bytes], author: bytes, log: bytes) -> tuple[Entry, ...]:
    """Entries of one author and one log, whose signatures and order nobody has looked at."""
    if not 0 < len(raws) <= RUN_ENTRIES_MAX:
        raise Malformed
    found = tuple(map(entry.parse_without_looking_at_the_signature, raws))
    if any(one.body.log != log or one.body.author != author for one in found):
        raise Forged
    return found


def _place(one: Entry) -> tuple[bytes, bytes, int]:
    return one.body.author, one.body.log, one.body.seq
