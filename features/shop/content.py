"""What a customer's node and a shop's say to each other before one is paid (docs/protocol/ledger.md 14).

    customer  Order  ──>  shop        shop  Billed | NoInvoice  ──>  customer

That it is paid, and the receipt, are entries of the ledger of the two (ledger/terms.py).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from protocol import content, probe, record
from protocol.invoice import Invoice
from protocol.record import Bytes16

QUANTITY_MAX = 1_000
NOTE_BYTES_MAX = 200
REASON_MAX = 99

_PAIR = frozenset({content.Channel.RATCHET})


class Reason(IntEnum):
    """Why a shop makes no invoice. A later version may have more."""

    CLOSED = 1  # it sells no such thing, or not any more
    PRICE = 2  # it costs something else, or so much of it is more than one payment can say
    LIMIT = 3  # the customer would owe more than the shop allows him
    MANY = 4  # too many orders of his wait, or came within an hour
    PAUSED = 5  # nothing can be written into the ledger of the two now
    TAKEN = 6  # an order of this name was for something else


@record.record
@dataclass(frozen=True, slots=True)
class Order:
    """The sender wants so many of this, and asks for an invoice.

    order: 16 bytes, the same for the same order, however often it is said. offer: of the shop's code. price: of one, in
    the smallest unit of the code's, as the code has it or the customer says.
    """

    KIND: ClassVar[int] = 380
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    order: Bytes16
    offer: Bytes16
    quantity: Annotated[int, record.Range(1, QUANTITY_MAX)]
    price: Annotated[int, record.Range(1, probe.AMOUNT_MAX)]
    tip: Annotated[int, record.Range(0, probe.AMOUNT_MAX)]
    note: Annotated[str, record.Utf8(NOTE_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Billed:
    """The invoice for an order: the same one however often the order is said."""

    KIND: ClassVar[int] = 381
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    order: Bytes16
    invoice: Invoice


@record.record
@dataclass(frozen=True, slots=True)
class NoInvoice:
    """There is no invoice for an order. reason: see Reason."""

    KIND: ClassVar[int] = 382
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    order: Bytes16
    reason: Annotated[int, record.Range(1, REASON_MAX)]
