"""What contacts say about keeping for each other: an offer, a wish, and that it is not needed any more.

Where one can be left mail at his keepers is protocol/mailbox.py; how a keeper is spoken with is protocol/keep.py.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record
from protocol.record import Bytes32, Counter

SPACE_MAX = 2**50  # bytes that a keeper may speak of: more than any disk that a person has
TTL_S_MAX = 90 * 86_400  # what anybody keeps, his own node included

_PAIR = frozenset({content.Channel.RATCHET})


@record.record
@dataclass(frozen=True, slots=True)
class Offer:
    """The sender keeps for the reader: so many bytes, each for so long. space 0: not any more.

    permit: with it the reader enrols at the sender's node. find: the secret of that node's record in the DHT. The
    higher version counts.
    """

    KIND: ClassVar[int] = 340
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    permit: Bytes32
    space: Annotated[int, record.Range(0, SPACE_MAX)]
    ttl_s: Annotated[int, record.Range(0, TTL_S_MAX)]
    find: Bytes32
    version: Counter


@record.record
@dataclass(frozen=True, slots=True)
class Asked:
    """The sender would like the reader to keep for him."""

    KIND: ClassVar[int] = 341
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR


@record.record
@dataclass(frozen=True, slots=True)
class Left:
    """The sender needs the reader as his keeper no more: what lies there for him is to be deleted."""

    KIND: ClassVar[int] = 342
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR
