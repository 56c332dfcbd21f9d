"""What is said in a chat. Delivery, order and storage are not here: see protocol/content.py, store/ and view.py."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record

SEEN_IDS_MAX = 512  # as of receipts
TURN_MAX = 2**32 - 1
TIMER_S_MAX = 366 * 86_400  # who wants a message longer wants to keep it
TEXT_BYTES_MAX = 16 * 1024  # one screenful many times over, and still one envelope; longer things are files


@record.record
@dataclass(frozen=True, slots=True)
class Text:
    """A line of text in the conversation of a pair, UTF-8, at most 16 KiB."""

    KIND: ClassVar[int] = 120
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Timer:
    """From now on what is said in this conversation disappears so many seconds after it was read; 0: it stays.

    turn: one more than that of the newest of both sides that its author knew; the higher one counts, of two equal ones
    that of the bytewise greater account.
    """

    KIND: ClassVar[int] = 124
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    seconds: Annotated[int, record.Range(0, TIMER_S_MAX)]
    turn: Annotated[int, record.Range(1, TURN_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Seen:
    """These messages of yours were read. Said by who has switched that on alone. ids: 16 bytes each."""

    KIND: ClassVar[int] = 125
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    ids: Annotated[tuple[record.Bytes16, ...], record.Count(1, SEEN_IDS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Gone:
    """Here was something that has disappeared: the head alone stays, so that it does not come back. Never sent."""

    KIND: ClassVar[int] = 126
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})
