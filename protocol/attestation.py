"""A contact is asked to sign that he saw something, and when; he does not learn what (docs/protocol/attestation.md).

These contents belong to no room. What a witness signs is made by spine.py; whom to ask about what is for rooms to say.
"""

from dataclasses import dataclass
from typing import ClassVar

from protocol import content, record, spine
from protocol.record import Bytes32

_RATCHET = frozenset({content.Channel.RATCHET})


@record.record
@dataclass(frozen=True, slots=True)
class Behold:
    """Sign that you have seen this, and when. hidden: an id under a nonce; what is signed is a hash of it."""

    KIND: ClassVar[int] = 308
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    hidden: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Beheld:
    """The sending device has seen what it was asked to look at. The cosignature's witness is its own key."""

    KIND: ClassVar[int] = 309
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    cosignature: spine.Cosignature


CONTENTS = (Behold, Beheld)
