"""Shops and customers who cheat: false invoices, answers that nobody wanted, orders of nonsense, less or twice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import trio

from features.shop import arriving, purchases, sales
from features.shop.arriving import HOUR_MAX, UNPAID_MAX
from features.shop.buying import Buyer
from features.shop.content import QUANTITY_MAX, Billed, NoInvoice, Order, Reason
from features.shop.counter import INVOICE_S
from features.shop.purchases import Bought, Why
from lab import world
from lab.world import Person, World
from ledger.terms import AMOUNT_MAX, Cause, Offer, Receipt
from protocol import identity, ids, invoice, pay_code, probe, record
from protocol.content import Channel, Said
from protocol.invoice import Invoice
from store import payments, people
from store.database import Tx
from store.identity import Identity
from store.inbox import Arrival
from tests.crypto.pairs import entropy_of
from tests.features.kit import Faults
from tests.stories.debt_kit import owed, waiting
from tests.stories.shop_kit import bought, counter, has_receipt, is_sold, sold, stands


@dataclass(frozen=True)
class Case:
    """Who is who when an invoice is forged: the shop's keys, a stranger's, what was ordered."""

    shop: Identity
    stranger: Identity
    customer: bytes
    offer: bytes
    now_ms: int

    def bill(self, by: Identity | None = None, **changed: Any) -> Invoice:
        """The invoice as it should be; what is named is another."""
        me, key = by or self.shop, b"k" * 16
        said: dict[str, Any] = {
            "invoice": b"i" * 16,
            "unit": "EUR",
            "amount": 280,
            "memo": "coffee",
            "expires_ms": self.now_ms + 60_000,
            "lock": b"h" * 32,
            "key": key,
            "tags": probe.tags(key, (), entropy_of("tags")),
            "offer": self.offer,
            "payer": self.customer,
        }
        return invoice.sign(me.device_key, me.certificate, **(said | changed))


def _unlisted(case: Case) -> Invoice:
    """By a device that the shop's account has certified and not listed."""
    shop, other = case.shop, case.stranger
    listed = shop.certificate
    made = identity.certify(
        shop.account_key(), other.device, other.identity_key.public, 9, listed.not_before_s, listed.not_after_s
    )
    return case.bill(replace(other, account=shop.account, certificate=made))


WRONG = "shop answered with an invoice for something else, so nothing was paid"
FORGED = "the invoice was not signed by a device of shop, so nothing was paid"
OVER = "the time of the invoice was over when it came, so nothing was paid"
FALSE: dict[str, tuple[Callable[[Case], Invoice], str]] = {
    "dearer": (lambda case: case.bill(amount=281), WRONG),
    "cheaper": (lambda case: case.bill(amount=279), WRONG),
    "another unit": (lambda case: case.bill(unit="USD"), WRONG),
    "another thing": (lambda case: case.bill(offer=bytes(16)), WRONG),
    "no thing": (lambda case: case.bill(offer=None), WRONG),
    "another payer": (lambda case: case.bill(payer=case.stranger.account), WRONG),
    "any payer": (lambda case: case.bill(payer=None), WRONG),
    "another payee": (lambda case: case.bill(case.stranger), WRONG),
    "a strange key": (lambda case: replace(case.bill(case.stranger), certificate=case.shop.certificate), FORGED),
    "a device that is not listed": (_unlisted, FORGED),
    "changed after it was signed": (lambda case: replace(case.bill(), memo="two coffees"), FORGED),
    "tags out of order": (lambda case: replace(case.bill(), tags=case.bill().tags[::-1]), FORGED),
    "too late": (lambda case: case.bill(expires_ms=case.now_ms - 1), OVER),
}


async def apart(w: World, **more: Any) -> tuple[Person, Person, str, Case]:
    """A shop that is away, whose keys we have, and its customer."""
    shop, bo, code = await counter(w, **more)
    dee = await w.person("dee")
    assert shop.node is not None
    assert bo.node is not None
    assert dee.node is not None
    me, stranger, customer = (one.node.core.identity for one in (shop, dee, bo))  # type: ignore[union-attr]
    await shop.stop()
    return shop, bo, code, Case(me, stranger, customer.account, pay_code.shop_of(code).offer, bo.now_ms())


async def arrive(at: Person, of: str, content: Any) -> tuple[Any, ...]:
    """A content of a contact comes to a node; what it answers at once."""
    assert at.node is not None

    def take(tx: Tx) -> tuple[Any, ...]:
        contact = people.find_contact(tx, of)
        said = Said(content.KIND, ids.MessageId(bytes(16)), None, 0, 0, (), None, content, b"")
        device: Any = None
        return arriving.apply(tx, Arrival(contact, device, 0, said, Channel.RATCHET, at.now_ms()))

    found: tuple[Any, ...] = await at.node.core.database.transact(take)
    return found


async def ordered(bo: Person, code: str, **more: Any) -> bytes:
    """An order of bo's; its name."""
    await bo.call("shop.buy", code=code, **more)
    assert bo.node is not None
    (found,) = await bo.node.core.database.transact(purchases.purchases, 1)
    name: bytes = found.name
    return name


@pytest.mark.parametrize("kind", FALSE)
def test_nothing_is_paid_but_what_was_ordered(kind: str) -> None:
    make, why = FALSE[kind]

    async def story(w: World) -> None:
        _, bo, code, case = await apart(w)
        name = await ordered(bo, code)
        await arrive(bo, "shop", Billed(name, make(case)))
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"] == why
        assert await bo.call("payments.history") == []

    world.run(story, seed=101)


def test_the_invoice_as_it_should_be_is_paid_which_shows_that_the_others_fail_for_their_reason() -> None:
    async def story(w: World) -> None:
        _, bo, code, case = await apart(w)
        name = await ordered(bo, code)
        await arrive(bo, "shop", Billed(name, case.bill()))
        await w.until(stands(bo, "paying"))
        (row,) = await bo.call("payments.history")
        assert (row["state"], row["amount"], row["kind"]) == ("offered", "2.80", "invoice")

        other = await ordered(bo, code, quantity=1, note="again")  # one invoice for two orders
        await arrive(bo, "shop", Billed(other, case.bill()))
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"] == WRONG
        assert len(await bo.call("payments.history")) == 1

    world.run(story, seed=102)


def test_only_the_first_answer_to_an_order_of_ours_counts() -> None:
    async def story(w: World) -> None:
        _, bo, code, case = await apart(w)
        name = await ordered(bo, code)
        for answer in (Billed(bytes(16), case.bill()), NoInvoice(bytes(16), 1)):  # nobody has asked
            assert await arrive(bo, "shop", answer) == ()
        assert (await bought(bo))["state"] == "ordered"
        await arrive(bo, "shop", NoInvoice(name, 99))
        await arrive(bo, "shop", Billed(name, case.bill()))
        await trio.sleep(5)
        assert ((await bought(bo))["state"], (await bought(bo))["reason"]) == ("refused", "shop does not take it")
        third = await ordered(bo, code, quantity=2)
        await arrive(bo, "shop", Billed(third, case.bill(amount=560)))
        await w.until(stands(bo, "paying"))
        await arrive(bo, "shop", Billed(third, case.bill(amount=560, invoice=bytes(16))))
        await arrive(bo, "shop", NoInvoice(third, 1))
        await trio.sleep(5)
        assert (await bought(bo))["state"] == "paying"
        assert [row["amount"] for row in await bo.call("payments.history")] == ["5.60"]

    world.run(story, seed=103)


def test_an_answer_of_somebody_else_is_none() -> None:
    async def story(w: World) -> None:
        shop, bo, code, case = await apart(w)
        dee = w.people["dee"]
        await world.befriend(bo, dee)
        name = await ordered(bo, code)
        await arrive(bo, "dee", Billed(name, case.bill()))
        await arrive(bo, "dee", NoInvoice(name, 1))
        await trio.sleep(5)
        assert (await bought(bo))["state"] == "ordered"
        del shop

    world.run(story, seed=104)


def test_by_the_time_the_invoice_comes_there_may_be_no_room_for_it() -> None:
    async def story(w: World) -> None:
        _, bo, code, case = await apart(w, credit="3")
        name = await ordered(bo, code)
        await bo.call("payments.pay", to="shop", amount="1", unit="EUR")
        await arrive(bo, "shop", Billed(name, case.bill()))
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"] == "by now shop lets you owe no more, so nothing was paid"
        assert [row["amount"] for row in await bo.call("payments.history")] == ["1.00"]

    world.run(story, seed=105)


def test_what_was_taken_back_while_it_was_being_paid_is_not_paid() -> None:
    async def story(w: World) -> None:
        _, bo, code, case = await apart(w)
        name = await ordered(bo, code)
        assert bo.node is not None
        core = bo.node.core

        def race(tx: Tx) -> None:
            """The invoice has come, its payer has seen it, and then the person takes the order back."""
            (found,) = purchases.purchases(tx, 1)
            purchases.answered(tx, found.contact, name, Bought.BILLED, 0, record.encode(case.bill()))
            (seen,) = purchases.billed(tx)
            purchases.end(tx, seen.id, Why.CANCELLED)
            Buyer(core).pay(tx, seen)

        await core.database.transact(race)
        assert (await bought(bo))["state"] == "cancelled"
        assert await bo.call("payments.history") == []

    world.run(story, seed=111)


# --- the customer cheats


def test_orders_of_nonsense_are_answered_by_no_invoice() -> None:
    async def story(w: World) -> None:
        shop, _, code = await counter(w)
        open_ = (await shop.call("shop.offer", title="donation", unit="EUR"))["code"]
        coffee, donation = (pay_code.shop_of(one).offer for one in (code, open_))
        good = Order(b"n" * 16, coffee, 1, 280, 0, "")
        reasons = {
            replace(good, order=b"1" * 16, offer=bytes(16)): Reason.CLOSED,
            replace(good, order=b"2" * 16, price=279): Reason.PRICE,
            replace(good, order=b"3" * 16, tip=AMOUNT_MAX): Reason.PRICE,
            Order(b"4" * 16, donation, QUANTITY_MAX, AMOUNT_MAX, AMOUNT_MAX, ""): Reason.PRICE,
            replace(good, order=b"5" * 16, quantity=36): Reason.LIMIT,
        }
        assert shop.node is not None
        database = shop.node.core.database
        for order, why in reasons.items():
            assert await arrive(shop, "bo", order) == ()
            await w.until(partial(is_answered, shop))
            assert await arrive(shop, "bo", order) == (NoInvoice(order.order, int(why)),)
        assert await arrive(shop, "bo", good) == ()
        await w.until(partial(is_answered, shop))
        first = await arrive(shop, "bo", good)
        assert first == await arrive(shop, "bo", good)
        assert isinstance(first[0], Billed)
        assert await arrive(shop, "bo", replace(good, tip=1)) == (NoInvoice(good.order, int(Reason.TAKEN)),)
        assert await database.transact(sales.sold, coffee) == (0, 0)

    world.run(story, seed=106)


def test_so_many_orders_of_a_contact_are_unpaid_or_come_within_an_hour() -> None:
    async def story(w: World) -> None:
        shop, _, code = await counter(w)
        good = Order(b"n" * 16, pay_code.shop_of(code).offer, 1, 280, 0, "")
        for n in range(UNPAID_MAX):
            await arrive(shop, "bo", replace(good, order=bytes(15) + bytes([n])))
        many = replace(good, order=b"m" * 16)
        assert await arrive(shop, "bo", many) == (NoInvoice(many.order, int(Reason.MANY)),)
        await trio.sleep(INVOICE_S + 60)
        for n in range(HOUR_MAX):
            await arrive(shop, "bo", replace(good, order=bytes([1, *bytes(14), n]), offer=bytes(16)))
            await w.until(partial(is_answered, shop))
        assert await arrive(shop, "bo", many) == (NoInvoice(many.order, int(Reason.MANY)),)
        await trio.sleep(3_600)
        assert await arrive(shop, "bo", many) == ()

    world.run(story, seed=109)


async def is_answered(shop: Person) -> bool:
    """Whether no order waits to be looked at."""
    return all(row["state"] != "asked" for row in await shop.call("shop.sales", limit=1000))


async def offer(bo: Person, amount: int, of: bytes, count: int = 1) -> bytes:
    """Bo offers so much for an invoice, whatever it says, so often; the name of the last payment."""
    assert bo.node is not None
    core = bo.node.core

    def write(tx: Tx) -> bytes:
        one = core.till.of(tx, people.find_contact(tx, "shop").id)

        def say(said: Offer) -> None:
            core.till.write(tx, one, lambda _: said)

        for _ in range(count):
            pay = core.till.new_pay(one)
            say(Offer(pay, "EUR", amount, core.ground.now_ms() + 600_000, (), "", int(Cause.INVOICE), of))
        return pay

    pay: bytes = await core.database.transact(write)
    return pay


def test_an_invoice_that_is_paid_by_its_code_is_not_paid_for_an_order_too() -> None:
    async def story(w: World) -> None:
        _, bo, code, case = await apart(w)
        name = await ordered(bo, code)
        bill = case.bill(expires_ms=case.now_ms + 600_000)
        await bo.call("paths.pay", code=pay_code.invoice_text(bill))
        await w.until(partial(_has_offered, bo))
        await arrive(bo, "shop", Billed(name, bill))
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"] == WRONG
        assert len((await waiting(bo))["open"]) == 1

    world.run(story, seed=112)


async def _has_offered(bo: Person) -> bool:
    """Whether an offer of his waits."""
    return bool((await waiting(bo))["open"])


def test_less_is_not_taken_for_an_invoice_and_twice_is_not_either() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        assert shop.node is not None
        order = Order(b"n" * 16, pay_code.shop_of(code).offer, 1, 280, 0, "")
        await arrive(shop, "bo", order)
        await w.until(partial(is_answered, shop))
        (bill,) = await arrive(shop, "bo", order)
        name = invoice.name(bill.invoice)
        for amount in (1, 279):
            await offer(bo, amount, name)
        await trio.sleep(30)
        assert len((await waiting(shop))["offers"]) == 2
        await offer(bo, 280, name)
        await w.until(is_sold(shop))
        await offer(bo, 280, name)
        await trio.sleep(30)
        assert len((await waiting(shop))["offers"]) == 3
        assert await owed(shop, bo) == 280
        assert len(await shop.call("shop.sales")) == 1

    world.run(story, seed=107)


def test_of_two_offers_at_once_for_one_invoice_one_is_taken() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        order = Order(b"n" * 16, pay_code.shop_of(code).offer, 1, 280, 0, "")
        await arrive(shop, "bo", order)
        await w.until(partial(is_answered, shop))
        (bill,) = await arrive(shop, "bo", order)
        name = invoice.name(bill.invoice)
        await offer(bo, 280, name, count=2)
        await w.until(is_sold(shop))
        await trio.sleep(30)
        assert await owed(shop, bo) == 280
        assert len((await waiting(shop))["offers"]) == 1

    world.run(story, seed=111)


def test_a_receipt_for_another_payment_or_another_invoice_is_none() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        assert shop.node is not None
        core = shop.node.core
        plain = await bo.call("payments.pay", to="shop", amount="1", unit="EUR")
        await w.until(partial(_offered, shop))
        await shop.call("payments.accept", id=plain["id"])

        def lie(tx: Tx) -> None:
            one = core.till.of(tx, people.find_contact(tx, "bo").id)
            (paid,) = payments.history(tx, one.contact, None, 10)
            core.till.write(tx, one, lambda _: Receipt(paid.pay, b"i" * 32, "a yacht"))
            core.till.write(tx, one, lambda _: Receipt(bytes(16), b"i" * 32, "a yacht"))

        await core.database.transact(lie)
        await bo.call("shop.buy", code=code)
        await w.until(is_sold(shop))
        await w.until(has_receipt(bo, (await sold(shop))["payment"]))
        assert await Faults(bo).code("shop.receipt", id=plain["id"]) == "shop.receipt"
        assert await Faults(bo).code("shop.receipt", id=ids.ulid(bytes(16))) == "shop.receipt"

    world.run(story, seed=108)


async def _offered(shop: Person) -> bool:
    """Whether an offer waits for the shop."""
    return len((await waiting(shop))["offers"]) == 1
