"""Asking contacts for a way to somebody who is no contact: whom they know, in a form that names nobody.

    Probe   a payer asks his contacts, and they may ask theirs: is there a way, for so much, to whoever this tag is?
    Found   the answer: so much can go, or nothing

An account is named by a tag under a key of one invoice: who knows the account finds it among his contacts, nobody else
learns of whom is spoken. docs/protocol/ledger.md 10. Not here: when the answer is yes (ledger/finding.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

from crypto import hashing
from crypto.hashing import Label
from crypto.keys import Entropy
from protocol import content, record
from protocol.faults import OverLimit
from protocol.record import Bytes16

HOPS_MAX = 3  # locks from payer to payee
AMOUNT_MAX = record.SAFE_INT_MAX
UNIT_BYTES_MAX = 96
TAG_BYTES = 8  # among 5,000 contacts two have the same tag once in 10^12 invoices
TAGS_MAX = 64
TAG_COUNTS = (8, 16, 32, 64)  # how many tags there are, dummies among them: their number tells little

Tag = Annotated[bytes, record.Size(TAG_BYTES)]
Unit = Annotated[str, record.Line(UNIT_BYTES_MAX)]
_STEPS = (1, 2, 5)


@record.record
@dataclass(frozen=True, slots=True)
class Probe:
    """Can so much go over you to whoever this tag is? Nothing is promised by asking.

    search: names the question along its way, 16 random bytes. mark: `mark` of the lock that would come. key: of the
    invoice. target: the tag of the payee; tags: of contacts of his who pass on. hop: of the lock that would come.
    is_ring: the payee is the payer himself, and the amount only lowers what is owed.
    """

    KIND: ClassVar[int] = 360
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    search: Bytes16
    mark: Bytes16
    key: Bytes16
    unit: Unit
    amount: Annotated[int, record.Range(1, AMOUNT_MAX)]
    target: Tag
    tags: Annotated[tuple[Tag, ...], record.Count(TAGS_MAX)]
    hop: Annotated[int, record.Range(1, HOPS_MAX - 1)]
    is_ring: record.Flag


@record.record
@dataclass(frozen=True, slots=True)
class Found:
    """So much can go over the sender; 0: nothing, and he does not say why."""

    KIND: ClassVar[int] = 361
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    search: Bytes16
    amount: Annotated[int, record.Range(0, AMOUNT_MAX)]


def tag(key: bytes, account: bytes) -> bytes:
    """The 8 bytes that name an account under a key of 16 bytes to whoever knows the account."""
    return hashing.keyed_hash(key, Label.INVOICE, b"account" + account)[:TAG_BYTES]


def mark(key: bytes, lock: bytes) -> bytes:
    """The 16 bytes by which who is asked recognises the lock when it comes; until then he cannot lock by it himself."""
    return hashing.keyed_id(key, Label.INVOICE, b"lock" + lock)


def tags(key: bytes, accounts: Iterable[bytes], entropy: Entropy) -> tuple[bytes, ...]:
    """The tags of at most 64 accounts, in order, among as many random ones as make 8, 16, 32 or 64.

    Raises: OverLimit.
    """
    found = {tag(key, account) for account in accounts}
    if len(found) > TAGS_MAX:
        raise OverLimit("An invoice names at most 64 contacts.", count_max=TAGS_MAX)
    count = next(one for one in TAG_COUNTS if one >= len(found))
    while len(found) < count:
        found.add(entropy(TAG_BYTES))
    return tuple(sorted(found))


def are_tags(found: tuple[bytes, ...]) -> bool:
    """Whether these are as `tags` makes them: so many, in order, each once."""
    return len(found) in TAG_COUNTS and all(one < next_ for one, next_ in pairwise(found))


def bucket(amount: int) -> int:
    """The amount that those who are asked are told: the next of 1, 2, 5, 10, 20, 50, … at or above it."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= amount:
                return min(step * power, AMOUNT_MAX)
        power *= 10
