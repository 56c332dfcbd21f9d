"""What people write into logs of their own: notes. Entries and their seals are in protocol/entry.py."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record

NOTE_BYTES_MAX = 16 * 1024  # as a text in a chat


@record.record
@dataclass(frozen=True, slots=True)
class Note:
    """A line of text that its author has signed, for the readers of one of his logs; UTF-8, at most 16 KiB."""

    KIND: ClassVar[int] = 320
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.LOG})

    text: Annotated[str, record.Utf8(NOTE_BYTES_MAX)]
