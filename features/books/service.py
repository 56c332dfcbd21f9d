"""What a person takes out of his ledgers: books for other programs, statements of a month or a year, evidence.

What is made is handed out in parts that fit a line of the local API, all of one moment. Not here: the forms themselves
(ledger/journal.py, ledger/statement.py, pdf.py).
"""

from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from features.books import pdf, proving
from features.books.faults import BadZone, NoPart, PartGone
from ledger import days, journal, statement
from ledger.evidence import NoSuchPayment
from ledger.journal import Booking
from ledger.terms import Cause
from node import ground
from node.core import Core
from protocol import ids
from store import payments, people, renewals
from store.database import Tx
from store.payments import Paid

PART_BYTES = 384 * 1024  # base64 makes a third more of it, and a line of the local API holds 1 MiB
KEPT_MAX = 4  # made and not read to the end
TOKEN_BYTES = 8
EAST_MIN_MAX = 14 * 60
END_MS = 2**62
KINDS = {
    Cause.REFUND: "refund",
    Cause.BILL: "bill",
    Cause.PACKET: "packet",
    Cause.INVOICE: "invoice",
    Cause.HANDED_OVER: "settlement",
    Cause.VOUCHER: "voucher",
}

Format = Literal["hledger", "beancount", "csv"]
Form = Literal["text", "pdf"]
_WRITERS = {"hledger": journal.hledger, "beancount": journal.beancount, "csv": journal.csv}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what was made, as base64. next: with which offset the next begins, None for the last."""

    token: str
    part: str
    next: int | None
    bytes: int


class Books:
    """Books and statements. Every public method is a call of the local API, `books.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._made: OrderedDict[str, bytes] = OrderedDict()

    async def export(self, form: Format, to: str | None = None, east_min: int = 0) -> Part:
        """Returns the first part of all that was settled, with a contact or with all, as other programs read it.

        east_min: the zone of its days, in minutes east of UTC. Errors: contact.unknown, contact.ambiguous, books.zone.
        """
        east_min = _zone(east_min)
        found = await self._core.database.transact(bookings, to, END_MS)
        return await self._made_of(lambda: "".join(_WRITERS[form](found, east_min)).encode())

    async def statement(self, month: str, form: Form = "text", to: str | None = None, east_min: int = 0) -> Part:
        """Returns the first part of a statement of a month, "2026-11", or a year, "2026", as text or as PDF.

        Errors: contact.unknown, contact.ambiguous, statement.month, books.zone.
        """
        east_min = _zone(east_min)
        span = days.span(month, east_min)
        found = await self._core.database.transact(bookings, to, span.end_ms)

        def make() -> bytes:
            made = statement.of(found, month, east_min)
            return pdf.render(made) if form == "pdf" else "".join(f"{one}\n" for one in statement.text(made)).encode()

        return await self._made_of(make)

    async def evidence(self, id: str) -> Part:
        """Returns the first part of a file that shows to anybody what became of a payment (docs/protocol/ledger.md 13).

        Errors: id.malformed, payment.unknown, payment.ambiguous, ledger.unknown,
        ledger.unprovable.
        """

        def gather(tx: Tx) -> bytes:
            found = payments.find(tx, id)
            if not isinstance(found, Paid):
                raise NoSuchPayment("That is a request, of which there is nothing to show; nothing was written.")
            return proving.prove(tx, found.contact, found.mine, found.pay)

        made = await self._core.database.transact(gather)
        return await self._made_of(lambda: made)

    async def part(self, token: str, offset: int) -> Part:
        """Returns a further part of what was made. Errors: books.part, books.offset."""
        made = self._made.get(token)
        if made is None:
            raise PartGone
        if not 0 < offset < len(made):
            raise NoPart
        return self._part(token, made, offset)

    async def _made_of(self, make: Callable[[], bytes]) -> Part:
        made = await ground.aside(self._core.ground, make)
        token = self._core.ground.entropy("books")(TOKEN_BYTES).hex()
        self._made[token] = made
        if len(self._made) > KEPT_MAX:
            self._made.popitem(last=False)
        return self._part(token, made, 0)

    def _part(self, token: str, made: bytes, offset: int) -> Part:
        end = offset + PART_BYTES
        if end >= len(made):
            self._made.pop(token, None)
        part = b64encode(made[offset:end]).decode()
        return Part(token, part, end if end < len(made) else None, len(made))


def bookings(tx: Tx, to: str | None, end_ms: int) -> Sequence[Booking]:
    """What was settled before a moment, in order."""
    contact_id = None if to is None else people.find_contact(tx, to).id
    who: dict[int, tuple[str, str]] = {}
    found = []
    for one in payments.settled(tx, contact_id, 0, end_ms):
        if one.contact not in who:
            contact = people.contact(tx, one.contact)
            who[one.contact] = contact.name, ids.account_text(contact.account)
        found.append(_booking(one, payments.why(tx, one), *who[one.contact]))
    for each in renewals.renewals(tx, contact_id, end_ms):
        contact = people.contact(tx, each.contact)
        name, account = contact.name, ids.account_text(contact.account)
        reason = f"ledger begun anew: {each.reason}" if each.reason else "ledger begun anew"
        found.append(Booking(ids.ulid(each.log), each.at_ms, name, account, each.unit, each.amount, "reset", reason))
    return found


def _booking(one: Paid, why: int, name: str, account: str) -> Booking:
    amount = -one.amount if one.mine else one.amount
    kind = "path" if one.hop else KINDS.get(Cause(why), "payment") if why in [*Cause] else "payment"
    return Booking(ids.ulid(one.pay), one.changed_ms, name, account, one.unit, amount, kind, one.memo)


def _zone(east_min: int) -> int:
    """Minutes east of UTC. Raises: BadZone."""
    if not -EAST_MIN_MAX <= east_min <= EAST_MIN_MAX:
        raise BadZone
    return east_min
