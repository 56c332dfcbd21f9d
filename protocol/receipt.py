"""The in-ratchet receipt: messages that were held and are readable now (docs/protocol/delivery.md 4).

Mail that is readable at once needs none: the stream's acknowledgement says so. It belongs to no room.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record

IDS_MAX = 512  # one window of a talk; 9 KiB


@record.record
@dataclass(frozen=True, slots=True)
class Receipt:
    """These messages of yours are durable and readable on my device. ids: 16 bytes each."""

    KIND: ClassVar[int] = 300
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    ids: Annotated[tuple[record.Bytes16, ...], record.Count(1, IDS_MAX)]
