"""What two accounts say to become and stay contacts: cards, secrets of the pair, comparison words.

The dialogue that carries the first of these is in protocol/invite.py, what they change in view.py.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, identity, record

GREETING_BYTES_MAX = 500  # a stranger's first words fit the smallest first-contact envelope beside his card
ADDRESSES_MAX = 8
ADDRESS_BYTES_MAX = 192  # a way through a relay names two PeerIds: 176 with IPv6

Bytes32 = Annotated[bytes, record.Size(32)]
Epoch = Annotated[int, record.Range(1, 2**32 - 1)]
Addresses = Annotated[tuple[Annotated[str, record.Utf8(ADDRESS_BYTES_MAX)], ...], record.Count(ADDRESSES_MAX)]

_INVITE = frozenset({content.Channel.INIT})
_PAIR = frozenset({content.Channel.RATCHET})


@record.record
@dataclass(frozen=True, slots=True)
class Introduction:
    """The asker's first words: who he is, a greeting, and where he can be reached (his PeerId of the moment)."""

    KIND: ClassVar[int] = 100
    CHANNELS: ClassVar[frozenset[content.Channel]] = _INVITE

    card: identity.Card
    greeting: Annotated[str, record.Utf8(GREETING_BYTES_MAX)]
    addresses: Addresses
    peer: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Welcome:
    """The inviter's first words: his card, the secret of the pair that he made, and his presence key."""

    KIND: ClassVar[int] = 101
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    card: identity.Card
    pair_epoch: Epoch
    pair_secret: Bytes32
    presence_epoch: Epoch
    presence: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Taken:
    """The asker's second words: the secret of that epoch is stored; and his presence key."""

    KIND: ClassVar[int] = 102
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    pair_epoch: Epoch
    presence_epoch: Epoch
    presence: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Presence:
    """A new presence key: somebody is no longer a contact, and shall not recognise the sender any more."""

    KIND: ClassVar[int] = 104
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    presence_epoch: Epoch
    presence: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class WordsCommit:
    """Start of a comparison by words: the hash of a nonce that is shown only after the other's is known."""

    KIND: ClassVar[int] = 106
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    commitment: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class WordsNonce:
    """The other side's nonce, chosen without knowledge of the committed one."""

    KIND: ClassVar[int] = 107
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    commitment: Bytes32
    nonce: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class WordsReveal:
    """The committed nonce itself: both sides can now show the same three words."""

    KIND: ClassVar[int] = 108
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    commitment: Bytes32
    nonce: Bytes32
