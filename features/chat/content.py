"""What is said in a chat. Delivery, order and storage are not here: see protocol/content.py, store/ and view.py."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from protocol import content, ids, record
from protocol.preview import Preview

SEEN_IDS_MAX = 512  # as of receipts
TURN_MAX = 2**32 - 1
TIMER_S_MAX = 366 * 86_400  # who wants a message longer wants to keep it
TEXT_BYTES_MAX = 16 * 1024  # one screenful many times over, and still one envelope; longer things are files
MARK_BYTES_MAX = 32  # the longest emoji, a family of four with skin tones, has 41; all others and a word fit

_RATCHET = frozenset({content.Channel.RATCHET})


class How(IntEnum):
    """How a text is said: by itself, forwarded, or recalled before it left; DELETED only stands on the own disk."""

    SAID = 0
    FORWARDED = 1
    WITHDRAWN = 2
    DELETED = 3


@record.record
@dataclass(frozen=True, slots=True)
class Text:
    """A line of text in the conversation of a pair, UTF-8, at most 16 KiB. answers: the message it is an answer to.

    preview: what its sender says of a link in it.
    """

    KIND: ClassVar[int] = 120
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]
    answers: ids.Message | None = None
    how: How = How.SAID
    preview: Preview | None = None


@record.record
@dataclass(frozen=True, slots=True)
class React:
    """The sender's reaction to a message of either side, in place of an earlier one; null takes it away."""

    KIND: ClassVar[int] = 121
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    target: ids.Message
    mark: Annotated[str, record.Utf8(MARK_BYTES_MAX)] | None


@record.record
@dataclass(frozen=True, slots=True)
class Edit:
    """What a text of the sender's says from now on."""

    KIND: ClassVar[int] = 122
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    target: ids.Message
    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Recall:
    """The sender takes a message of his back: it is to be dropped, and a notice stays."""

    KIND: ClassVar[int] = 123
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    target: ids.Message


@record.record
@dataclass(frozen=True, slots=True)
class Timer:
    """From now on what is said in this conversation disappears so many seconds after it was read; 0: it stays.

    turn: one more than that of the newest of both sides that its author knew; the higher one counts, of two equal ones
    that of the bytewise greater account.
    """

    KIND: ClassVar[int] = 124
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    seconds: Annotated[int, record.Range(0, TIMER_S_MAX)]
    turn: Annotated[int, record.Range(1, TURN_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Seen:
    """These messages of yours were read. Said by who has switched that on alone. ids: 16 bytes each."""

    KIND: ClassVar[int] = 125
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    ids: Annotated[tuple[record.Bytes16, ...], record.Count(1, SEEN_IDS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Gone:
    """Here was something that has disappeared: the head alone stays, so that it does not come back. Never sent."""

    KIND: ClassVar[int] = 126
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET


@record.record
@dataclass(frozen=True, slots=True)
class Pin:
    """A message of either side stands among the pinned ones of the conversation, for both, or does not any more.

    turn: one more than the highest of both sides that its author knew for this message; the highest counts, of two
    equal ones that with the bytewise greater message id.
    """

    KIND: ClassVar[int] = 127
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    target: ids.Message
    pinned: Annotated[int, record.Range(0, 1)]
    turn: Annotated[int, record.Range(1, TURN_MAX)]
