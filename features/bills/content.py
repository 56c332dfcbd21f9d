"""What contacts say about requests beside their ledgers: a reminder, and how far a bill is.

The share of a bill is itself a request, a term of a ledger (ledger/terms.py).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.bill import PEOPLE_MAX
from protocol import content, record
from protocol.record import Bytes16

_PAIR = frozenset({content.Channel.RATCHET})


@record.record
@dataclass(frozen=True, slots=True)
class Reminder:
    """The sender reminds the reader of a request of his that is open. One a day counts."""

    KIND: ClassVar[int] = 216
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    request: Bytes16


@record.record
@dataclass(frozen=True, slots=True)
class Progress:
    """Of the bill of which this request is a share so many have paid, of so many who were asked; nobody is named."""

    KIND: ClassVar[int] = 217
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    request: Bytes16
    paid: Annotated[int, record.Range(0, PEOPLE_MAX)]
    people: Annotated[int, record.Range(1, PEOPLE_MAX)]
