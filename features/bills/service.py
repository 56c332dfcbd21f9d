"""What a person can do with bills: split one, look who has paid, stop it, remind of a request.

To change a bill it is stopped, and split anew. Each command is one transaction: either everybody was asked or nobody.
What follows by itself is in tending.py; paying a share is paying a request (the room of payments).
"""

from dataclasses import asdict

from features.bills import tending, view
from features.bills.content import Reminder
from features.bills.faults import (
    AmbiguousRequest,
    BadWeights,
    BillOver,
    EmptyShare,
    LongReceipt,
    NamedTwice,
    NobodyAsked,
    NotOurs,
    NotWithoutMe,
    RemindedAlready,
    RequestOver,
    UnknownRequest,
)
from features.bills.view import Shown
from ledger import bill as ledger_bill
from ledger import units
from ledger.terms import Cause, Request
from node import speech, till
from node.core import Core
from protocol import ids
from protocol.faults import UserFault, quoted
from store import payments, people, reminders
from store.database import Tx
from store.payments import Asked
from store.people import Contact
from store.tabs import OpenTab

Names = list[str]
Numbers = list[int]
RECEIPT_BYTES_MAX = 400  # with the total behind it, it is the note of a request
LIST_MAX = 100
STATES = {
    "paying": "being paid",
    "paid": "paid",
    "refused": "refused",
    "withdrawn": "withdrawn",
    "lapsed": "given up with the old ledger",
}


class Bills:
    """Bills that we split. Every public method is a call of the local API, `bills.NAME`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def split(
        self,
        amount: str,
        unit: str,
        names: Names,
        weights: Numbers | None = None,
        with_me: bool = True,
        receipt: str = "",
    ) -> Shown:
        """Asks each of these contacts for his share of a bill that we have paid, all or none; durable on return.

        with_me: we bear a share ourselves. weights: one for each name, in order, and one more for us; ours is 1 where
        it is not given, and all are where none is. receipt: what it was for, which they all see beside the total and
        how many share it; nobody sees who the others are.
        Errors: bill.nobody, bill.twice, bill.without_me, bill.weights, bill.split, bill.share, limit, contact.unknown,
        contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet, ledger.paused, amount.unit,
        amount.malformed, amount.nothing, amount.decimals, amount.large.
        """
        receipt = _receipt(receipt)

        def write(tx: Tx) -> Shown:
            asked, weighed = self._weighed(tx, names, weights, with_me)
            tabs = [self.core.till.of(tx, one.id) for one in asked]
            known = units.of(unit, (each for tab in tabs for each in tab.tab.units()))
            total, bill = units.parse(amount, known), self._new_name()
            shares = ledger_bill.split(bill, total, weighed)
            for one in asked:
                if not shares[one.account]:
                    raise EmptyShare(f"{one.name}'s share would be nothing: leave it out; nothing was written.")
            own = shares.get(self._account, 0)
            note = _note(receipt, units.shown(total, known), len(asked) + (own > 0))
            row = view.add(tx, bill, known.text, total, own, receipt, self.core.ground.now_ms())
            for one, tab in zip(asked, tabs, strict=True):
                term = Request(self._new_name(), known.text, shares[one.account], None, note, int(Cause.BILL), bill)
                self._write(tx, tab, term)
                view.add_share(tx, row, one.id, term.request, term.amount)
            return self._shown(tx, row)

        return await self.core.database.transact(write)

    async def list(self, limit: int = 20, before: int | None = None) -> list[dict[str, object]]:
        """Returns our bills, the newest first, each with who has paid. `row` of the last one goes on as `before`."""

        def look(tx: Tx) -> list[dict[str, object]]:
            found = view.newest(tx, before, max(0, min(limit, LIST_MAX)))
            return [{"row": one.id, **asdict(self._shown(tx, one.id))} for one in found]

        return await self.core.database.transact(look)

    async def show(self, id: str) -> Shown:
        """Returns a bill by the end of its id: who has paid, who has not, who refused, and what is missing.

        Errors: id.malformed, bill.unknown, bill.ambiguous.
        """
        return await self.core.database.transact(lambda tx: self._shown(tx, view.find(tx, id).id))

    async def stop(self, id: str) -> Shown:
        """Takes back what nobody has paid of a bill; durable on return. What was paid stays, and can be given back.

        Where nothing can be written now, to a contact who is blocked or in a paused ledger, it is once it can.
        Errors: id.malformed, bill.unknown, bill.ambiguous, bill.over.
        """

        def end(tx: Tx) -> Shown:
            one = view.find(tx, id)
            if one.stopped_ms or not any(each.state in view.OPEN for each in view.shares(tx, one.id)):
                raise BillOver
            view.stop(tx, one.id, self.core.ground.now_ms())
            tending.withdraw(tx, self.core, one.id)
            return self._shown(tx, one.id)

        return await self.core.database.transact(end)

    async def remind(self, id: str) -> dict[str, object]:
        """Reminds a contact of a request of ours, of a bill or not; durable on return. One a day counts.

        Returns {"id", "contact", "reminded_ms"}.
        Errors: id.malformed, request.unknown, request.ambiguous, request.not_ours, request.over, request.reminded,
        contact.blocked, contact.account_changed, contact.not_yet.
        """
        now_ms = self.core.ground.now_ms()

        def say(tx: Tx) -> Contact:
            asked = _request(tx, id)
            if not asked.mine:
                raise NotOurs
            contact = till.checked(people.contact(tx, asked.contact))
            self.core.till.of(tx, contact.id)
            asked = _request(tx, id)  # as it has become meanwhile
            state = payments.became(asked, payments.by_request(tx, asked))
            if state != "open":
                raise RequestOver(f"This request is {STATES[state]} already; nothing was said.")
            if not reminders.remind(tx, contact.id, True, asked.request, now_ms):
                raise RemindedAlready(f"{contact.name} was reminded within a day already; nothing was said.")
            speech.say(tx, contact.id, (Reminder(asked.request),), now_ms, self.core.ground.entropy("message"))
            return contact

        contact = await self.core.database.transact(say)
        self.core.delivery.stir(contact.id)
        return {"id": id, "contact": contact.name, "reminded_ms": now_ms}

    # --- parts of commands, within one transaction

    @property
    def _account(self) -> bytes:
        return self.core.identity.account

    def _new_name(self) -> bytes:
        """A name for a bill or a request: 16 bytes."""
        return ids.new_message_id(self.core.ground.now_ms(), self.core.ground.entropy("bill"))

    def _write(self, tx: Tx, tab: OpenTab, term: Request) -> None:
        self.core.till.write(tx, tab, lambda _: term)

    def _shown(self, tx: Tx, bill_id: int) -> Shown:
        one = view.bill(tx, bill_id)
        assert one is not None
        return view.shown(tx, one, lambda contact_id: self.core.till.of(tx, contact_id))

    def _weighed(
        self, tx: Tx, names: Names, weights: Numbers | None, with_me: bool
    ) -> tuple[tuple[Contact, ...], tuple[tuple[bytes, int], ...]]:
        """Who is asked, and the weight of each account that bears a share, ours among them."""
        found = [self._named(tx, name) for name in names]
        accounts = [self._account if one is None else one.account for one in found]
        if not any(found):
            raise NobodyAsked
        for place, account in enumerate(accounts):
            if account in accounts[:place]:
                raise NamedTwice(f"{quoted(names[place])} is named twice; nothing was written.")
        if None in found and not with_me:
            raise NotWithoutMe
        if with_me and None not in found:
            accounts.append(self._account)
        given = [1] * len(accounts) if weights is None else weights
        if len(given) == len(accounts) - 1 == len(names):
            given = [*given, 1]
        if len(given) != len(accounts):
            raise BadWeights(
                f"Give one weight for each name, in order, and one more at the end for yourself, and not {len(given)}"
                " of them; nothing was written."
            )
        return tuple(one for one in found if one is not None), tuple(zip(accounts, given, strict=True))

    def _named(self, tx: Tx, name: str) -> Contact | None:
        """The contact of this name; None for ourselves."""
        me = self.core.identity
        if name.strip().casefold() not in (me.name.casefold(), ids.account_text(me.account)):
            return till.contact(tx, name)
        try:
            people.find_contact(tx, name)
        except UserFault:
            return None
        return till.contact(tx, name)


async def run(room: Bills) -> None:
    """The room's background work, until cancelled."""
    await tending.run(room.core)


def _receipt(text: str) -> str:
    """What a bill is for, as it is kept. Raises: LongReceipt."""
    try:
        if len(text.strip().encode()) <= RECEIPT_BYTES_MAX:
            return text.strip()
    except UnicodeEncodeError:
        pass
    raise LongReceipt


def _note(receipt: str, total: str, count: int) -> str:
    """What those who are asked read: what for, how much in all, among how many; never who the others are."""
    said = f"bill of {total} among {count}"
    return f"{receipt}: {said}" if receipt else said


def _request(tx: Tx, text: str) -> Asked:
    """The request whose id ends so. Raises: BadId, UnknownRequest, AmbiguousRequest."""
    wanted = ids.matches(text)
    found = [row for row, name in tx.all("SELECT id, request FROM request") if ids.ulid(name).endswith(wanted)]
    if not found:
        raise UnknownRequest(f"There is no request {quoted(text)} here.")
    if len(found) > 1:
        raise AmbiguousRequest(f"{len(found)} requests end in {quoted(text)}; give more of the id.")
    one = payments.request(tx, found[0])
    assert one is not None
    return one
