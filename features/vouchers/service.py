"""What a person can do with vouchers: issue a kind, give some to a contact, redeem some at who issued them.

A voucher is a unit of its issuer: to give five coffees to Bo is to owe Bo five of the unit coffee. So nobody but the
issuer can make more of them, and none is spent twice: each is booked between its holder and him (ledger 1.8).
"""

from dataclasses import dataclass

from features.vouchers.faults import NotSoMany, UnknownVoucher, VoucherTaken
from ledger import units
from ledger.terms import Cause, Offer
from ledger.units import BadUnit, Unit
from node import till
from node.core import Core
from protocol import ids
from store import issued, payments, people
from store.database import Tx
from store.people import Contact

GIVEN_S = 30 * 86_400  # for the other to take them
Rows = list["Held"]


@dataclass(frozen=True, slots=True)
class Held:
    """Vouchers of one kind between us and a contact. mine: we issue them, and the contact holds them.

    contact: "" for a kind that we issue and nobody holds. amount: as typed; unit: the whole text.
    """

    name: str
    unit: str
    mine: bool
    contact: str
    amount: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Vouchers that are on their way to a contact. payment: its id."""

    payment: str
    contact: str
    name: str
    amount: str


class Vouchers:
    """Vouchers and gift cards. Every public method is a call of the local API, `vouchers.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def issue(self, name: str, decimals: int = 0) -> Held:
        """Makes a kind of voucher of ours; durable on return. decimals: 2 for a gift card of an amount of money.

        Errors: amount.unit, voucher.taken.
        """
        try:
            made = units.voucher(self._core.identity.account, name, decimals)
        except BadUnit as wrong:
            raise BadUnit(str(wrong), next="weft voucher issue coffee") from None

        def keep(tx: Tx) -> Held:
            if any(one.label == made.label for one in _issued(tx)):
                raise VoucherTaken
            issued.keep(tx, made.text, self._core.ground.now_ms())
            return Held(made.name, made.text, True, "", "0")

        return await self._core.database.transact(keep)

    async def give(self, to: str, amount: str, name: str, note: str = "") -> Moved:
        """Offers a contact so many vouchers of ours; durable on return. He takes them with payments.accept.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        voucher.unknown, ledger.paused, limit, amount.malformed, amount.nothing, amount.decimals,
        amount.large.
        """

        def write(tx: Tx) -> Moved:
            contact = till.contact(tx, to)
            found = _called(name, _issued(tx))
            return self._offer(tx, contact, found, units.parse(amount, found), note)

        return await self._core.database.transact(write)

    async def redeem(self, amount: str, name: str, at: str | None = None, note: str = "") -> Moved:
        """Gives so many vouchers back to who issued them, for what they are good for; durable on return.

        It counts once he has accepted it. at: the issuer, where several have vouchers of this name.
        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        voucher.unknown, voucher.few, ledger.paused, limit, amount.unit, amount.malformed, amount.nothing,
        amount.decimals, amount.large.
        """

        def write(tx: Tx) -> Moved:
            asked = None if at is None else till.contact(tx, at)
            held = [one for one in payments.balances(tx) if one.owed > 0 and (asked is None or one.contact == asked.id)]
            found = _called(name, [unit for one in held if (unit := units.read(one.unit)) is not None])
            assert found.issuer is not None
            issuer = people.by_account(tx, found.issuer)
            wanted = units.parse(amount, found)
            if issuer is None:
                raise UnknownVoucher
            contact = till.checked(issuer)
            one = self._core.till.of(tx, contact.id)
            waiting = sum(each.amount for each in one.tab.open() if each.payer is one.side and each.unit == found.text)
            if wanted > one.tab.balance(one.side, found.text) - waiting:
                raise NotSoMany
            return self._offer(tx, contact, found, wanted, note)

        return await self._core.database.transact(write)

    async def list(self) -> Rows:
        """Returns the vouchers that we issue, with who holds how many, and those that we hold."""

        def look(tx: Tx) -> Rows:
            rows = []
            for one in payments.balances(tx):
                unit = units.read(one.unit)
                if unit is None or unit.issuer is None or not one.owed:
                    continue
                mine = unit.issuer == self._core.identity.account
                if mine is (one.owed > 0):
                    continue  # a debt in vouchers, which nobody holds
                amount = units.number(abs(one.owed), unit)
                rows.append(Held(unit.name, unit.text, mine, people.contact(tx, one.contact).name, amount))
            held = {row.unit for row in rows}
            return rows + [Held(one.name, one.text, True, "", "0") for one in _issued(tx) if one.text not in held]

        return await self._core.database.transact(look)

    def _offer(self, tx: Tx, contact: Contact, unit: Unit, amount: int, note: str) -> Moved:
        one = self._core.till.of(tx, contact.id)
        pay, expires_ms = self._core.till.new_pay(one), self._core.ground.now_ms() + GIVEN_S * 1000
        named = till.witnesses(tx, contact.id)
        offer = Offer(pay, unit.text, amount, expires_ms, named, till.note(note), int(Cause.VOUCHER))
        self._core.till.write(tx, one, lambda _: offer)
        return Moved(ids.ulid(pay), contact.name, unit.name, units.number(amount, unit))


def _issued(tx: Tx) -> list[Unit]:
    """The kinds of voucher that are ours."""
    found = (units.read(text) for text in issued.units(tx))
    return [one for one in found if one is not None]


def _called(name: str, among: list[Unit]) -> Unit:
    """The one kind of voucher that a person means. Raises: UnknownVoucher, BadUnit."""
    wanted = name.strip().removeprefix("v:")
    found = {
        one.text: one for one in among if one.issuer is not None and name.strip() in (one.text, one.name, one.label)
    }
    if not found:
        raise UnknownVoucher
    return units.of(f"v:{wanted}", found) if len(found) > 1 else next(iter(found.values()))
