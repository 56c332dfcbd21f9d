"""What a person can do about ways over others: let them go over a contact, ask to be paid, pay, and clear rings.

Each command is one transaction; what follows by itself is the clerk's (clerk.py). This records what people owe each
other; it moves no bank money.
"""

from dataclasses import asdict, replace

from crypto.faults import PeerFault
from features.paths import board, lines, view
from features.paths.clerk import Clerk
from features.paths.faults import (
    BadCaps,
    BadInvoice,
    BadTime,
    Counted,
    ForAnother,
    NotForwarding,
    OwnInvoice,
    PaidAlready,
)
from features.paths.lines import PathLine, Seen
from features.paths.view import Paying, State, Wanted, Why
from ledger import units
from ledger.path import Cap
from ledger.tab import lock_of
from node import till
from node.core import Core
from protocol import ids, pay_code, probe, record
from protocol import invoice as invoices
from protocol.invoice import Invoice
from store import issued, payments, people
from store.database import Tx

Rows = list[dict[str, object]]
SHORT_CHARS = 8  # of an id, its end: what one types
VALID_S = 86_400
VALID_S_MIN, VALID_S_MAX = 60, 90 * 86_400
LIST_MAX = 1000
RINGS_MAX = 16  # units in which rings are looked for at once


class Paths:
    """Payments over friends of friends. Every public async method is a call of the local API, `paths.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.clerk = Clerk(core.delivery.inward, core.till, core.delivery)

    # --- letting others pay over a contact

    async def forward(self, to: str, each: str, total: str, unit: str) -> dict[str, object]:
        """Passes on payments of others over a contact: at most so much each, and so much at once; durable on return.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        path.caps, amount.unit, amount.malformed, amount.nothing, amount.decimals, amount.large.
        """

        def allow(tx: Tx) -> dict[str, object]:
            contact = till.contact(tx, to)
            known = units.of(unit, self._core.till.of(tx, contact.id).tab.units())
            cap = Cap(units.parse(each, known), units.parse(total, known))
            if cap.each > cap.total:
                raise BadCaps
            view.put_cap(tx, contact.id, known.text, cap)
            return _cap_row(tx, contact.id, known.text, cap)

        return await self._core.database.transact(allow)

    async def unforward(self, to: str) -> dict[str, object]:
        """Passes nothing on over a contact any more; what is on its way goes on. Durable on return.

        Errors: contact.unknown, contact.ambiguous, path.off.
        """

        def end(tx: Tx) -> dict[str, object]:
            contact = people.find_contact(tx, to)
            if not view.drop_caps(tx, contact.id):
                raise NotForwarding(f"Nothing is passed on over {contact.name}, so nothing was changed.")
            return {"contact": contact.name}

        return await self._core.database.transact(end)

    async def forwards(self, to: str | None = None) -> Rows:
        """Returns over whom payments of others are passed on, or whether they are over a contact, with the caps.

        Errors: contact.unknown, contact.ambiguous.
        """

        def look(tx: Tx) -> Rows:
            found = view.caps(tx)
            if to is not None:
                contact_id = people.find_contact(tx, to).id
                found = {contact_id: found.get(contact_id, {})}
            return [
                _cap_row(tx, contact_id, unit, cap) for contact_id in found for unit, cap in found[contact_id].items()
            ]

        return await self._core.database.transact(look)

    # --- invoices of ours

    async def invoice(self, amount: str, unit: str, note: str = "", valid_s: int = VALID_S) -> dict[str, object]:
        """Makes an invoice as a code: whoever has it can pay it, once; durable on return.

        Errors: invoice.time, limit, amount.unit, amount.malformed, amount.nothing, amount.decimals, amount.large.
        """
        if not VALID_S_MIN <= valid_s <= VALID_S_MAX:
            raise BadTime
        me, now_ms = self._core.identity, self._core.ground.now_ms()
        draw = self._core.ground.entropy("paths")
        preimage, name, key = draw(32), draw(16), draw(16)

        def make(tx: Tx) -> dict[str, object]:
            known = units.of(unit, issued.known(tx))
            wanted, lock = units.parse(amount, known), lock_of(preimage)
            near = [people.contact(tx, one).account for one in board.paying_over(tx, known.text, wanted)]
            made = invoices.sign(
                me.device_key,
                me.certificate,
                invoice=name,
                unit=known.text,
                amount=wanted,
                memo=till.note(note),
                expires_ms=now_ms + valid_s * 1000,
                lock=lock,
                key=key,
                tags=probe.tags(key, near[: probe.TAGS_MAX], draw),
            )
            of = (invoices.name(made), record.encode(made), preimage, lock, known.text, wanted, made.expires_ms, now_ms)
            found = view.invoice(tx, view.keep_invoice(tx, of))
            assert found is not None
            return asdict(lines.asking(tx, found, now_ms))

        return await self._core.database.transact(make)

    async def invoices(self, limit: int = 50) -> Rows:
        """Returns our invoices, the newest first, and what became of each."""
        count, now_ms = max(0, min(limit, LIST_MAX)), self._core.ground.now_ms()

        def look(tx: Tx) -> Rows:
            return [asdict(lines.asking(tx, one, now_ms)) for one in view.invoices(tx, count)]

        return await self._core.database.transact(look)

    # --- paying

    async def look(self, code: str) -> Seen:
        """Returns what an invoice says, and how far our payment of it is, without paying it.

        Errors: pay.code, pay.newer, invoice.forged.
        """
        invoice = pay_code.invoice_of(code)

        def check(tx: Tx) -> Seen:
            self._check(tx, invoice)
            known = view.payment_called(tx, invoices.name(invoice))
            return lines.seen(tx, invoice, None if known is None else known.state)

        return await self._core.database.transact(check)

    async def pay(self, code: str) -> PathLine:
        """Pays an invoice: its payee where he is a contact who allows it, else over others; begun on return.

        What is on its way already is not paid again; what failed is tried anew.
        Errors: pay.code, pay.newer, invoice.forged, invoice.own, invoice.another, invoice.over, invoice.paid,
        invoice.counted.
        """
        invoice = pay_code.invoice_of(code)
        now_ms = self._core.ground.now_ms()

        def begin(tx: Tx) -> PathLine:
            self._check(tx, invoice)
            if invoice.payee == self._core.identity.account:
                raise OwnInvoice
            if invoice.payer not in (None, self._core.identity.account):
                raise ForAnother
            name = invoices.name(invoice)
            known = view.payment_called(tx, name)
            if board.is_offered(tx, name) if known is None else known.state is State.PAID:
                at_shop = known is None  # for an order there
                where = "weft shop bought" if at_shop else f"weft pay show {ids.ulid(name[:16])[-SHORT_CHARS:]}"
                raise PaidAlready(next=where)
            if known is not None and known.reason is Why.COUNTED:
                raise Counted
            if known is None or known.state is State.FAILED:
                invoices.check_alive(invoice, now_ms)
                of = (name, record.encode(invoice), invoice.lock, invoice.unit, invoice.amount)
                fresh = Paying(0, *of, State.SEARCHING, b"", b"", b"", 0, b"", (), now_ms, Why.NONE)
                known = view.keep_payment(tx, fresh if known is None else replace(fresh, id=known.id))
            return lines.path_line(tx, self._core.till, known)

        return await self._core.database.transact(begin)

    async def simplify(self, unit: str | None = None) -> Rows:
        """Looks for a ring of debts in each unit, or in one, and clears it; begun and durable on return.

        Errors: amount.unit.
        """
        draw, now_ms = self._core.ground.entropy("paths"), self._core.ground.now_ms()

        def begin(tx: Tx) -> Rows:
            rows = payments.balances(tx)
            wanted = None if unit is None else units.of(unit, {one.unit for one in rows}).text
            owed = {one.unit for one in rows if one.owed > 0} & {one.unit for one in rows if one.owed < 0}
            going = {one.unit: one for one in view.going(tx) if one.is_ring}
            found: Rows = []
            for each in sorted(owed if wanted is None else owed & {wanted})[:RINGS_MAX]:
                one = going.get(each)
                if one is None:
                    preimage = draw(32)
                    of = (draw(32), b"", lock_of(preimage), each, 0, State.SEARCHING, draw(16), preimage)
                    one = view.keep_payment(tx, Paying(0, *of, b"", 0, b"", (), now_ms, Why.NONE))
                found.append(asdict(lines.path_line(tx, self._core.till, one)))
            return found

        return await self._core.database.transact(begin)

    async def show(self, id: str) -> dict[str, object]:
        """Returns a payment by an invoice, a ring, or an invoice of ours, by the end of its id; with its receipt.

        Errors: id.malformed, path.unknown, path.ambiguous.
        """

        def look(tx: Tx) -> dict[str, object]:
            found = lines.find(tx, id)
            if isinstance(found, Wanted):
                return asdict(lines.asking(tx, found, self._core.ground.now_ms()))
            return asdict(lines.path_line(tx, self._core.till, found))

        return await self._core.database.transact(look)

    async def list(self, limit: int = 50) -> Rows:
        """Returns what was paid by invoices and cleared in rings, the newest first."""
        count = max(0, min(limit, LIST_MAX))

        def look(tx: Tx) -> Rows:
            return [asdict(lines.path_line(tx, self._core.till, one)) for one in view.all_payments(tx, count)]

        return await self._core.database.transact(look)

    def _check(self, tx: Tx, invoice: Invoice) -> None:
        """Raises: BadInvoice."""
        contact = people.by_account(tx, invoice.payee)
        newest = None if contact is None else people.newest_list(tx, contact.id)
        try:
            invoices.check(invoice, self._core.ground.now_ms() // 1000, newest)
        except PeerFault:
            raise BadInvoice from None


async def run(room: Paths) -> None:
    """The room's background work, until cancelled."""
    await room.clerk.run()


def _cap_row(tx: Tx, contact_id: int, unit: str, cap: Cap) -> dict[str, object]:
    known = lines.unit_of(unit)
    return {
        "contact": people.contact(tx, contact_id).name,
        "unit": known.label,
        "each": units.number(cap.each, known),
        "total": units.number(cap.total, known),
    }
