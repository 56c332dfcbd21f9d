"""What is said in a chat. Delivery, order and storage are not here: see protocol/content.py, store/ and view.py."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record

TEXT_BYTES_MAX = 16 * 1024  # one screenful many times over, and still one envelope; longer things are files


@record.record
@dataclass(frozen=True, slots=True)
class Text:
    """A line of text in the conversation of a pair, UTF-8, at most 16 KiB."""

    KIND: ClassVar[int] = 120
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]
