"""What a person can do as a shop and at shops: offer things by codes, order by such a code, look, show receipts.

What follows from an order is done by both nodes by themselves (counter.py, buying.py). A code is not signed: what is
paid is an invoice that the shop's node has signed. This records what people owe each other; it moves no bank money.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from crypto import hashing
from crypto.hashing import Label
from features.shop import purchases, sales, slips
from features.shop.buying import Buyer
from features.shop.content import NOTE_BYTES_MAX, QUANTITY_MAX, Order
from features.shop.counter import STALE_MS, Counter, unit_of
from features.shop.faults import (
    AmbiguousOffer,
    BadKey,
    BadOrderNote,
    BadPrice,
    BadQuantity,
    BadTitle,
    OrderOver,
    OverCredit,
    OwnShop,
    StrangeShop,
    TooManyOffers,
    UnknownOffer,
    UnknownOrder,
)
from features.shop.purchases import Bought, Purchase, Why
from features.shop.sales import Sale
from features.shop.slips import Offered, Paper, PurchaseLine, SaleLine
from ledger import commands, units
from ledger.terms import AMOUNT_MAX
from ledger.units import TooMuch, Unit
from node import speech, till
from node.core import Core
from protocol import ids, invite, pay_code
from protocol.faults import OverLimit, quoted
from protocol.pay_code import ShopOffer
from store import invitations, issued, payments, people, tabs
from store.database import Tx
from store.faults import LogFrozen, TabPaused
from store.people import ContactState

OFFERS_MAX = 500  # that are not closed
ORDER_S = 86_400  # for which an order waits for a shop that is away
LINK_S_MIN = 30 * 86_400  # a link that ends sooner is not put into another code
LIST_MAX = 1_000
OFFER_BYTES = 16
KEY_BYTES_MAX = 200
TOPICS = frozenset({sales.CHANGED, purchases.CHANGED, payments.CHANGED, tabs.CHANGED, people.CHANGED})

Rows = list[Offered]
SaleRows = list[SaleLine]
PurchaseRows = list[PurchaseLine]


class Shop:
    """Shops, ours and others'. Every public method is a call of the local API, `shop.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._counter = Counter(core)
        self._buyer = Buyer(core)

    # --- as a shop

    async def offer(self, title: str, amount: str = "", unit: str = "", link: str = "") -> Offered:
        """Sells something from now on: its code is for any number of customers; durable on return.

        amount: of one, "" or 0 where the customer says how much. link: a long-term invitation of this account, by which
        a stranger becomes a contact first; "" for none.
        Errors: shop.title, shop.offers, amount.unit, amount.malformed, amount.nothing, amount.decimals, amount.large,
        link.bad, link.newer.
        """
        raw = invite.link_bytes(invite.link_from(link)) if link else None
        core, offer = self._core, self._core.ground.entropy("shop")(OFFER_BYTES)

        def sell(tx: Tx) -> Offered:
            known = units.of(unit, issued.known(tx))
            price = units.parse(amount, known, least=0) if amount else 0
            try:
                pay_code.shop_text(ShopOffer(core.identity.account, offer, title.strip(), known.text, price, None))
            except (OverLimit, UnicodeEncodeError):
                raise BadTitle from None
            try:
                pay_code.shop_text(ShopOffer(core.identity.account, offer, title.strip(), known.text, price, raw))
            except OverLimit:
                raise invite.BadLink from None
            if sum(not one.closed for one in sales.wares(tx)) >= OFFERS_MAX:
                raise TooManyOffers
            made = sales.sell(tx, offer, title.strip(), known.text, price, raw or b"", core.ground.now_ms())
            return slips.offered(tx, made, core.identity.account)

        return await core.database.transact(sell)

    async def link(self) -> dict[str, str]:
        """Returns a link that stands in a code of ours and still lives for a month: {"link"}; "" for none."""

        def look(tx: Tx) -> str:
            now_ms = self._core.ground.now_ms()
            living = {one.secret for one in invitations.open_invitations(tx, now_ms)}
            for one in reversed(sales.wares(tx)):
                found = invite.link_of(one.link) if one.link else None
                if found and found.secret in living and found.expiry_s - now_ms // 1000 >= LINK_S_MIN:
                    return invite.link_text(found)
            return ""

        return {"link": await self._core.database.transact(look)}

    async def list(self) -> Rows:
        """Returns what we sell and sold, the oldest first, each with its code and what was sold of it."""
        account = self._core.identity.account
        return await self._core.database.transact(
            lambda tx: [slips.offered(tx, one, account) for one in sales.wares(tx)]
        )

    async def close(self, id: str) -> Offered:
        """Sells something no more; invoices that are out already can be paid. Durable on return.

        Errors: id.malformed, shop.unknown, shop.ambiguous.
        """
        wanted = ids.matches(id)

        def end(tx: Tx) -> Offered:
            found = [one for one in sales.wares(tx) if ids.ulid(one.offer).endswith(wanted)]
            if not found:
                raise UnknownOffer(f"You sell nothing whose id ends in {quoted(id)}; nothing was changed.")
            if len(found) > 1:
                raise AmbiguousOffer(f"{len(found)} things that you sell end in {quoted(id)}; give more of the id.")
            sales.close(tx, found[0].id)
            return slips.offered(tx, _there(sales.ware(tx, found[0].offer)), self._core.identity.account)

        return await self._core.database.transact(end)

    async def sales(self, limit: int = 50) -> SaleRows:
        """Returns who ordered what, the newest first, paid or not."""
        count = max(0, min(limit, LIST_MAX))
        return await self._core.database.transact(
            lambda tx: [slips.sale_line(tx, one) for one in sales.sales(tx, count)]
        )

    # --- as a customer

    async def buy(
        self,
        code: str,
        quantity: int = 1,
        tip: str = "",
        amount: str = "",
        unit: str = "",
        note: str = "",
        key: str = "",
    ) -> PurchaseLine:
        """Orders by the code of a shop; durable on return. The invoice is checked and paid when it comes.

        amount, unit: for a code without a price. key: an order of the same key is the same order for ever; without one,
        what is the same as an order that is not over is that order.
        Errors: pay.code, pay.newer, link.newer, contact.blocked, contact.account_changed, contact.not_yet,
        ledger.paused, shop.self, shop.stranger, shop.limit, shop.quantity, shop.price, shop.note, shop.key,
        amount.unit, amount.malformed, amount.nothing, amount.decimals, amount.large.
        """
        offer = pay_code.shop_of(code)
        if not 1 <= quantity <= QUANTITY_MAX:
            raise BadQuantity
        if not _fits(note, NOTE_BYTES_MAX):
            raise BadOrderNote
        if not _fits(key, KEY_BYTES_MAX):
            raise BadKey(f"A key is at most {KEY_BYTES_MAX} bytes; nothing was ordered.")
        known = units.read(offer.unit)
        if known is None:
            raise units.BadUnit("The unit in this code is of a newer weft, or none; nothing was ordered.")
        price, more = _price(offer, known, amount, unit), units.parse(tip, known, least=0) if tip else 0
        total = quantity * price + more
        if total > AMOUNT_MAX:
            raise TooMuch(f"One payment can be at most {units.shown(AMOUNT_MAX, known)}; nothing was ordered.")
        core = self._core
        drawn = ids.new_message_id(core.ground.now_ms(), core.ground.entropy("shop"))
        name = hashing.keyed_id(offer.offer, Label.INVOICE, b"order" + key.encode()) if key else drawn
        wanted = Order(name, offer.offer, quantity, price, more, note)

        def order(tx: Tx) -> tuple[Purchase, bool]:
            return self._order(tx, offer, wanted, total, by_key=bool(key))

        made, is_new = await core.database.transact(order)
        if is_new:
            core.delivery.stir(made.contact)
        return await core.database.transact(lambda tx: slips.purchase_line(tx, made))

    async def bought(self, limit: int = 50) -> PurchaseRows:
        """Returns what we ordered at shops, the newest first."""
        count = max(0, min(limit, LIST_MAX))
        return await self._core.database.transact(
            lambda tx: [slips.purchase_line(tx, one) for one in purchases.purchases(tx, count)]
        )

    async def cancel(self, id: str) -> PurchaseLine:
        """Waits for the invoice of an order no more: nothing is paid for it. Durable on return.

        Errors: id.malformed, shop.order, shop.order_over.
        """
        wanted = ids.matches(id)

        def end(tx: Tx) -> PurchaseLine:
            rows = purchases.purchases(tx, LIST_MAX)
            found = [one for one in rows if ids.ulid(one.name).endswith(wanted)]
            if len(found) != 1:
                raise UnknownOrder(f"{len(found) or 'None'} of your orders end in {quoted(id)}; nothing was changed.")
            if found[0].state not in (Bought.ORDERED, Bought.BILLED):
                raise OrderOver
            purchases.end(tx, found[0].id, Why.CANCELLED)
            return slips.purchase_line(tx, _there(purchases.purchase(tx, found[0].id)))

        return await self._core.database.transact(end)

    # --- as both

    async def receipt(self, id: str) -> Paper:
        """Returns the receipt for a payment that was made or received for an invoice.

        Errors: id.malformed, shop.receipt.
        """
        return await self._core.database.transact(slips.paper, id)

    # --- what follows

    async def tend(self) -> float:
        """Does what is due on both sides; returns in how many seconds an order waits no longer."""
        database, now_ms = self._core.database, self._core.ground.now_ms()
        due = await database.read(_due, now_ms)
        for one in due.asked:
            told = await database.transact(self._counter.answer, one)
            if told:
                self._core.delivery.stir(told)
        for bill in due.billed:
            await _try(database.transact, self._buyer.pay, bill)
        for sale, pay in due.settled:
            await _try(database.transact, self._counter.receipt, sale, pay)
        if due.stale:
            await database.transact(self._counter.forget)
        if due.late:
            await database.transact(self._buyer.let_go)
        return float("inf") if due.next_ms is None else max(1.0, (due.next_ms - now_ms) / 1000 + 1.0)

    def _order(self, tx: Tx, offer: ShopOffer, wanted: Order, total: int, *, by_key: bool) -> tuple[Purchase, bool]:
        """The order as it stands, and whether it is a new one."""
        core, contact = self._core, people.by_account(tx, offer.account)
        if offer.account == core.identity.account:
            raise OwnShop
        if contact is None or contact.state is ContactState.REFUSED:
            link = offer.invitation
            said = "You are no contact of this shop yet; nothing was ordered. Once it has let you in, order again."
            raise StrangeShop(None if link is None else said, next=None if link is None else _add(link))
        contact = till.contact(tx, ids.account_text(offer.account))
        known = purchases.named(tx, contact.id, wanted.order)
        if known is not None:
            if known.order != wanted:
                raise BadKey
            return known, False
        if not by_key:
            for before in purchases.same(tx, contact.id, wanted):
                if not slips.is_over(tx, before):
                    return before, False
        unit, one = unit_of(offer.unit), core.till.of(tx, contact.id)
        if one.pause is not None:
            raise TabPaused(f"Nothing was ordered: {one.pause.value.format(name=contact.name)}.")
        left = commands.room(one.tab, one.side, unit.text)
        if total > left:
            raise OverCredit(
                f"At {contact.name} you can pay {units.shown(max(0, left), unit)} now, and this is"
                f" {units.shown(total, unit)}; nothing was ordered. Pay in advance, use vouchers of the shop, or ask it"
                " to allow you more."
            )
        now_ms = core.ground.now_ms()
        until_ms = now_ms + ORDER_S * 1000
        made = purchases.order(tx, contact.id, wanted, offer.title, unit.text, total, now_ms, until_ms)
        speech.say(tx, contact.id, (wanted,), now_ms, core.ground.entropy("message"))
        return made, True


async def run(room: Shop) -> None:
    """Answers orders, pays invoices and writes receipts whenever something is new, until cancelled."""
    with room._core.database.watch(TOPICS) as changes:
        while True:
            wait_s = await room.tend()
            with trio.move_on_after(wait_s):
                await changes.receive()


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be done, as it was found in one look. next_ms: when the next order waits no longer."""

    asked: tuple[Sale, ...]
    settled: tuple[tuple[Sale, bytes], ...]
    stale: bool
    billed: tuple[Purchase, ...]
    late: bool
    next_ms: int | None


def _due(tx: Tx, now_ms: int) -> _Due:
    stale, late = bool(sales.stale(tx, now_ms - STALE_MS)), bool(purchases.late(tx, now_ms))
    return _Due(sales.asked(tx), sales.settled(tx), stale, purchases.billed(tx), late, purchases.next_late(tx))


async def _try(transact: Callable[..., Any], do: Callable[..., None], *what: object) -> None:
    """Writes into a ledger, or leaves it for later where it stands still now."""
    try:
        await transact(do, *what)
    except (TabPaused, LogFrozen):
        return


def _price(offer: ShopOffer, known: Unit, amount: str, unit: str) -> int:
    """The price of one. Raises: BadPrice, and what is wrong with an amount."""
    if offer.amount:
        if amount:
            said = f"This code has its price, {units.shown(offer.amount, known)}; leave the amount out, or add a tip."
            raise BadPrice(f"{said} Nothing was ordered.", next="weft pay code CODE --tip 0.50")
        return offer.amount
    if not amount:
        raise BadPrice
    if unit and units.of(unit, (known.text,)) != known:
        raise BadPrice(f"This shop takes {known.label} for it; nothing was ordered.")
    return units.parse(amount, known)


def _add(link: invite.Link) -> str:
    return f"weft add {invite.link_text(link)}"


def _fits(text: str, bytes_max: int) -> bool:
    try:
        return len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


def _there(found: Any) -> Any:
    assert found is not None
    return found
