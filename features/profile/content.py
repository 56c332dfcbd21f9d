"""What contacts say of themselves and of others: a profile, the card of somebody else, a place.

Not here: the card by which two become contacts (protocol/identity.py), remarks and tags, which nobody is told.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, identity, record
from protocol.record import Bytes32, TimeMs

ABOUT_CHARS_MAX = 280
ABOUT_BYTES_MAX = 4 * ABOUT_CHARS_MAX
DEGREE = 1_000_000  # parts of a degree; one is at most 11 cm
ACCURACY_M_MAX = 100_000
LABEL_BYTES_MAX = 200
LOCATIONS_MAX = 1_000  # of one conversation that are kept
CARDS_MAX = 100  # cards of others that one contact can have us keep
PHOTO_BYTES_MAX = 32 * 1024  # with all else it stays below what one message may say

_PAIR = frozenset({content.Channel.RATCHET})


@record.record
@dataclass(frozen=True, slots=True)
class Profile:
    """How the sender presents himself from now on. The higher version counts, whichever comes first.

    photo: a WebP picture without metadata, at most 1,024 on a side; null for none.
    """

    KIND: ClassVar[int] = 410
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    version: Annotated[int, record.Range(1, record.SAFE_INT_MAX)]
    name: Annotated[str, record.Line(identity.NAME_BYTES_MAX)]
    about: Annotated[str, record.Utf8(ABOUT_BYTES_MAX)]
    photo: Annotated[bytes, record.Size(1, PHOTO_BYTES_MAX)] | None


@record.record
@dataclass(frozen=True, slots=True)
class ContactCard:
    """The sender introduces somebody whom the reader can ask to become a contact: an account, and what it is called.

    forwarded: somebody else introduced him to the sender.
    """

    KIND: ClassVar[int] = 411
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    account: Bytes32
    name: Annotated[str, record.Line(identity.NAME_BYTES_MAX)]
    forwarded: record.Flag = 0


@record.record
@dataclass(frozen=True, slots=True)
class Location:
    """A place on earth (WGS 84), once. latitude, longitude: in millionths of a degree.

    accuracy_m: how far it may be off, 0 where nobody says. at_ms: of when it is, by the sender's clock. forwarded: it
    was said to the sender by somebody else.
    """

    KIND: ClassVar[int] = 412
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    latitude: Annotated[int, record.Range(-90 * DEGREE, 90 * DEGREE)]
    longitude: Annotated[int, record.Range(-180 * DEGREE, 180 * DEGREE)]
    accuracy_m: Annotated[int, record.Range(0, ACCURACY_M_MAX)]
    label: Annotated[str, record.Utf8(LABEL_BYTES_MAX)]
    at_ms: TimeMs
    forwarded: record.Flag = 0
