"""What a person can do with debts: allow them, pay, accept, decline, take back, ask, settle up, look.

Each command is one transaction: the tab is caught up with, the rule is checked, the entry is appended. What follows by
itself is the clerk's (clerk.py). This records what people owe each other; it moves no bank money.
"""

from dataclasses import asdict

from features.payments import anew, clerk, view
from features.payments.acts import EXPIRES_S, Acts
from features.payments.clerk import Clerk
from features.payments.faults import (
    BadTime,
    NotForYou,
    NothingOwed,
    NothingProposed,
    PaymentOver,
    StillBound,
    TooManyUnits,
    TooMuchBack,
    ToOneself,
)
from features.payments.view import Line, Standing, Wish
from ledger import commands, units
from ledger.commands import Refusal
from ledger.payment import Stage
from ledger.tab import Key
from ledger.terms import AMOUNT_MAX, MEMO_BYTES_MAX, Cause, Decline, Limit, Void
from ledger.units import Unit
from node import till
from node.core import Core
from protocol import ids
from protocol.faults import UserFault
from store import payments, people
from store.database import Tx
from store.faults import UnknownPayment
from store.payments import Asked, Balance, Paid
from store.people import Contact
from store.tabs import OpenTab

Rows = list[dict[str, object]]
EXPIRES_S_MIN, EXPIRES_S_MAX = 60, 90 * 86_400
HISTORY_MAX = 1000


class Payments:
    """Debts between contacts. Every public method is a call of the local API, `payments.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._acts = Acts(core.ground, core.till)
        self.clerk = Clerk(core.delivery, core.till)

    async def limit(self, to: str, amount: str, unit: str) -> Standing:
        """Lets a contact owe us at most so much, of what we accept from now on; durable on return. 0 for nothing.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        payment.self, limit, ledger.paused, amount.unit, amount.malformed, amount.nothing, amount.decimals,
        amount.large.
        """

        def change(tx: Tx) -> Standing:
            contact, one, known = self._tab(tx, to, unit)
            most = units.parse(amount, known, least=0)
            if not one.tab.may_limit(one.side, known.text):
                raise TooManyUnits
            self._core.till.write(tx, one, lambda _: Limit(known.text, most))
            return self._standing(tx, one, contact, known)

        return await self._core.database.transact(change)

    async def pay(self, to: str, amount: str, unit: str, note: str = "", expires_s: int = EXPIRES_S) -> Line:
        """Offers to owe a contact so much; durable on return. He accepts it within so long, or it comes back.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        payment.self, payment.limit, payment.time, limit, ledger.paused, amount.unit, amount.malformed,
        amount.nothing, amount.decimals, amount.large.
        """
        if not EXPIRES_S_MIN <= expires_s <= EXPIRES_S_MAX:
            raise BadTime

        def offer(tx: Tx) -> Line:
            contact, one, known = self._tab(tx, to, unit)
            return self._acts.offer(tx, contact, one, known, units.parse(amount, known), note, within_s=expires_s)

        return await self._core.database.transact(offer)

    async def accept(self, id: str) -> dict[str, object]:
        """Takes what a contact offers, or pays what he asks for: the line of the payment; durable on return.

        Errors: id.malformed, payment.unknown, payment.ambiguous, payment.not_for_you, payment.over, payment.limit,
        contact.blocked, contact.account_changed, contact.not_yet, ledger.paused.
        """

        def take(tx: Tx) -> Line:
            contact, one, found = self._found(tx, id)
            if isinstance(found, Asked):
                return self._acts.answer(tx, contact, one, found)
            key = _of_theirs(one, found)
            why = commands.refusal(one.tab, one.side, key)
            if why is Refusal.LIMIT and view.unit_of(found.unit).issuer == contact.account:
                # To take somebody's vouchers is to let him owe so many of them.
                most = commands.exposure(one.tab, one.side, found.unit) + found.amount
                if most <= AMOUNT_MAX:
                    self._core.till.write(tx, one, lambda _: Limit(found.unit, most))
                    why = None
            self._acts.refuse(contact, one, found, why)
            self._core.till.write(tx, one, lambda tab: clerk.accept(tab, one.side, key))
            return self._acts.line(tx, found)

        return asdict(await self._core.database.transact(take))

    async def decline(self, id: str) -> dict[str, object]:
        """Does not take what a contact offers, or does not pay what he asks for; durable on return.

        Errors: id.malformed, payment.unknown, payment.ambiguous, payment.not_for_you, payment.over, contact.blocked,
        contact.account_changed, contact.not_yet, ledger.paused.
        """

        def refuse(tx: Tx) -> Line | Wish:
            _, one, found = self._found(tx, id)
            if isinstance(found, Asked):
                return self._acts.dismiss(tx, one, found, mine=False)
            key = _of_theirs(one, found)
            if found.stage is not Stage.OFFERED or found.lapsed:
                raise PaymentOver
            self._core.till.write(tx, one, lambda _: Decline(key.pay))
            return self._acts.line(tx, found)

        return asdict(await self._core.database.transact(refuse))

    async def recall(self, id: str) -> dict[str, object]:
        """Takes back an offer that was not accepted, or a request; durable on return.

        Errors: id.malformed, payment.unknown, payment.ambiguous, payment.not_for_you, payment.over, payment.accepted,
        contact.blocked, contact.account_changed, contact.not_yet, ledger.paused.
        """

        def take_back(tx: Tx) -> Line | Wish:
            contact, one, found = self._found(tx, id)
            if isinstance(found, Asked):
                return self._acts.dismiss(tx, one, found, mine=True)
            if not found.mine:
                raise NotForYou
            if not commands.may_void(one.tab, one.key(True, found.pay), self._now()):
                if found.stage is Stage.ACCEPTED and not found.lapsed:
                    raise StillBound(f"{contact.name} has accepted it, and it is being confirmed; nothing was written.")
                raise PaymentOver
            self._core.till.write(tx, one, lambda _: Void(found.pay))
            return self._acts.line(tx, found)

        return asdict(await self._core.database.transact(take_back))

    async def refund(self, id: str, amount: str | None = None) -> Line:
        """Gives back a payment that we received, all that is left of it or a part; durable on return.

        Errors: id.malformed, payment.unknown, payment.ambiguous, payment.not_for_you, payment.over, payment.refund,
        contact.blocked, contact.account_changed, contact.not_yet, ledger.paused, amount.malformed,
        amount.nothing, amount.decimals, amount.large.
        """

        def give_back(tx: Tx) -> Line:
            _, one, found = self._found(tx, id)
            if isinstance(found, Asked) or found.mine:
                raise NotForYou
            if found.stage is not Stage.SETTLED:
                raise PaymentOver("It was not received, so there is nothing to give back; nothing was written.")
            known, left = view.unit_of(found.unit), found.amount - payments.refunded(tx, found)
            back = left if amount is None else units.parse(amount, known)
            if not 1 <= back <= left:
                raise TooMuchBack(f"Of it {units.shown(left, known)} can be given back; nothing was written.")
            note = f"refund: {found.memo}" if found.memo else ""
            return self._acts.write_offer(tx, one, known, back, note[: MEMO_BYTES_MAX // 4], Cause.REFUND, found.pay)

        return await self._core.database.transact(give_back)

    async def settle(self, to: str, amount: str, unit: str, how: str = "cash") -> dict[str, object]:
        """Notes that money or goods went from hand to hand, whoever owed; durable on return.

        Where the contact owed, it counts as soon as his node has seen it; where we owed, once he has confirmed it.
        how: cash, a bank transfer, goods; whatever both understand.
        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        payment.self, payment.not_owed, limit, ledger.paused, amount.unit, amount.malformed, amount.nothing,
        amount.decimals, amount.large.
        """

        def note(tx: Tx) -> Line | Wish:
            contact, one, known = self._tab(tx, to, unit)
            wanted, said = units.parse(amount, known), till.note(how)
            owed = one.tab.balance(one.side, known.text)
            noted = _noted(one, known) if owed > 0 else 0
            if wanted > abs(owed) - noted:
                who = f"{contact.name} owes you" if owed > 0 else f"you owe {contact.name}"
                less = f", of which {units.shown(noted, known)} are noted already" if noted else ""
                raise NothingOwed(f"Of that unit {who} {units.shown(abs(owed), known)}{less}; nothing was written.")
            if owed > 0:
                return self._acts.write_offer(tx, one, known, wanted, said, Cause.HANDED_OVER, b"")
            return self._acts.request(tx, one, known, wanted, said, None, Cause.HANDED_OVER)

        return asdict(await self._core.database.transact(note))

    async def ask(self, to: str, amount: str, unit: str, note: str = "", due_ms: int | None = None) -> Wish:
        """Asks a contact to pay us; durable on return. due_ms: by when, ms since 1970.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        payment.self, payment.time, limit, ledger.paused, amount.unit, amount.malformed, amount.nothing,
        amount.decimals, amount.large.
        """
        if due_ms is not None and not 0 < due_ms < 2**48:
            raise BadTime("That is no day that can be kept; nothing was written.")

        def request(tx: Tx) -> Wish:
            _, one, known = self._tab(tx, to, unit)
            return self._acts.request(tx, one, known, units.parse(amount, known), note, due_ms)

        return await self._core.database.transact(request)

    async def requests(self) -> dict[str, Rows]:
        """Returns what waits: {"offers": […], "open": […], "asked": […], "asking": […]}.

        offers: payments to us that we may accept; open: all others that are not over; asked: what we are asked to pay;
        asking: what we ask for.
        """

        def look(tx: Tx) -> dict[str, Rows]:
            now_ms = self._now()
            found: dict[str, Rows] = {"offers": [], "open": [], "asked": [], "asking": []}
            for one in payments.open_payments(tx):
                is_for_us = not one.mine and one.stage is Stage.OFFERED
                found["offers" if is_for_us else "open"].append(asdict(view.line(tx, one, now_ms)))
            for asked in payments.open_requests(tx):
                wish = view.wish(tx, asked)
                if wish.state in ("open", "paying"):
                    found["asking" if asked.mine else "asked"].append(asdict(wish))
            return found

        return await self._core.database.transact(look)

    async def balances(self) -> dict[str, Rows]:
        """Returns how it stands with each contact and unit: {"balances", "reserved", "paused", "proposals"}.

        reserved: payments that are not over; each takes a part of somebody's limit. paused: ledgers into which nothing
        can be written now, and why. proposals: ledgers that one of the two would begin anew.
        """

        def look(tx: Tx) -> dict[str, Rows]:
            now_ms = self._now()
            return {
                "balances": [asdict(view.standing(tx, one)) for one in payments.balances(tx)],
                "reserved": [asdict(view.line(tx, one, now_ms)) for one in payments.open_payments(tx)],
                "paused": [{"contact": name, "reason": reason} for name, reason in anew.paused(tx)],
                "proposals": anew.proposals(tx),
            }

        return await self._core.database.transact(look)

    def waiting(self, tx: Tx) -> dict[str, object]:
        """What waits for the person, for the status of the node: offers, requests, paused ledgers, proposals."""
        offers = sum(not one.mine and one.stage is Stage.OFFERED for one in payments.open_payments(tx))
        asked = (one for one in payments.open_requests(tx) if not one.mine)
        count = sum(payments.became(one, payments.by_request(tx, one)) == "open" for one in asked)
        paused = sorted({name for name, _ in anew.paused(tx)})
        found = [one for one in anew.proposals(tx) if not one["mine"] and one["state"] != "confirming"]
        return {"offers": offers, "asked": count, "paused": paused, "proposals": found}

    async def reset(self, to: str, owed: list[dict[str, object]], reason: str = "") -> anew.Answered:
        """Proposes to begin the ledger with a contact anew; durable on return. It is in force once both agree.

        owed: what is owed then, each {"amount", "unit", "by": "me" or "them"}; nothing else is. What is open in the old
        one is given up then.
        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        payment.self, limit, ledger.balances, amount.unit, amount.malformed, amount.nothing, amount.decimals,
        amount.large.
        """

        def propose(tx: Tx) -> anew.Answered:
            contact, one = self._with(tx, to)
            lines = anew.open_lines(tx, contact, self._now())
            self._core.till.propose(tx, one, anew.read(one, owed), till.note(reason))
            return anew.answered(tx, contact, one.generation, lines)

        return await self._core.database.transact(propose)

    async def agree(self, to: str) -> anew.Answered:
        """Agrees to begin the ledger anew as a contact proposes, or confirms that he has agreed; durable on return.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        payment.self, ledger.nothing_proposed.
        """

        def agree(tx: Tx) -> anew.Answered:
            contact, one = self._with(tx, to)
            lines = anew.open_lines(tx, contact, self._now())
            if not self._core.till.agree(tx, one):
                raise NothingProposed
            return anew.answered(tx, contact, one.generation, lines)

        return await self._core.database.transact(agree)

    async def history(self, to: str | None = None, limit: int = 50, before: int | None = None) -> Rows:
        """Returns payments, the newest first, of one contact or of all. `row` of the last one goes on as `before`.

        Errors: contact.unknown, contact.ambiguous.
        """

        def look(tx: Tx) -> Rows:
            contact_id = None if to is None else people.find_contact(tx, to).id
            found = payments.history(tx, contact_id, before, max(0, min(limit, HISTORY_MAX)))
            return [{"row": one.id, **asdict(view.line(tx, one, self._now()))} for one in found]

        return await self._core.database.transact(look)

    async def show(self, id: str) -> dict[str, object]:
        """Returns a payment or a request by the end of its id.

        Errors: id.malformed, payment.unknown, payment.ambiguous.
        """

        def look(tx: Tx) -> Line | Wish:
            found = payments.find(tx, id)
            return view.wish(tx, found) if isinstance(found, Asked) else view.line(tx, found, self._now())

        return asdict(await self._core.database.transact(look))

    # --- parts of commands, within one transaction

    def _tab(self, tx: Tx, to: str, unit: str) -> tuple[Contact, OpenTab, Unit]:
        """The contact, our tab with him, and the unit that a person names."""
        contact, one = self._with(tx, to)
        return contact, one, units.of(unit, one.tab.units())

    def _with(self, tx: Tx, to: str) -> tuple[Contact, OpenTab]:
        """The contact and our tab with him."""
        if to.strip().casefold() in (
            self._core.identity.name.casefold(),
            ids.account_text(self._core.identity.account),
        ):
            try:
                people.find_contact(tx, to)
            except UserFault:
                raise ToOneself from None
        contact = till.contact(tx, to)
        return contact, self._core.till.of(tx, contact.id)

    def _found(self, tx: Tx, text: str) -> tuple[Contact, OpenTab, Paid | Asked]:
        """A payment or request as it stands now, with whom, and the tab."""
        found = payments.find(tx, text)
        contact = till.checked(people.contact(tx, found.contact))
        one = self._core.till.of(tx, contact.id)  # which may have come on since the row was read
        now = payments.request(tx, found.id) if isinstance(found, Asked) else payments.payment(tx, found.id)
        if now is None:
            raise UnknownPayment
        return contact, one, now

    def _standing(self, tx: Tx, one: OpenTab, contact: Contact, known: Unit) -> Standing:
        tab, side = one.tab, one.side
        owed, allowed = tab.balance(side, known.text), tab.limit(side, known.text)
        return view.standing(tx, Balance(contact.id, known.text, owed, allowed, tab.limit(side.other, known.text)))

    def _now(self) -> int:
        return self._core.ground.now_ms()


async def run(room: Payments) -> None:
    """The room's background work, until cancelled."""
    await room.clerk.run()


def _of_theirs(one: OpenTab, found: Paid) -> Key:
    """The key of a payment to us. Raises: NotForYou."""
    if found.mine:
        raise NotForYou
    return one.key(False, found.pay)


def _noted(one: OpenTab, known: Unit) -> int:
    """What we have said to have been given, and the other's node has not counted yet."""
    mine = (each for each in one.tab.open() if each.payer is one.side and each.unit == known.text)
    return sum(each.amount for each in mine if each.cause == Cause.HANDED_OVER)
