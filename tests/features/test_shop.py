"""The room of shops in a simulated world: what it refuses, in words, and how often the same order is the same."""

from dataclasses import replace
from typing import Any

from features.shop import arriving, purchases, sales, service
from features.shop.content import QUANTITY_MAX, Order
from lab import world
from lab.world import World, befriend
from ledger.terms import AMOUNT_MAX
from protocol import ids, pay_code, record
from protocol.pay_code import ShopOffer
from store import logs, payments, people, spaces
from store.database import Tx
from tests.features.kit import Faults
from tests.protocol.test_pay_code import with_check
from tests.stories.shop_kit import bought, counter, is_sold, sold, stands

PROMISED_BY_OTHERS = {
    ("shop.buy", "contact.blocked"),
    ("shop.cancel", "shop.order_over"),
}  # met below, and by eve


def test_each_fault_that_is_promised_is_met_and_nothing_is_ordered() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        dee, eve = await w.person("dee"), await w.person("eve")
        selling, buying, strange = Faults(shop), Faults(bo), Faults(dee)
        await _offers(selling, bo)
        await _orders(selling, buying, code)
        await _strangers(selling, strange, code)
        await befriend(shop, eve)
        await eve.call("contacts.block", name="shop")
        assert await Faults(eve).code("shop.buy", code=code) == "contact.blocked"
        await _what_is_not_there(buying)
        for change, why in ((_freeze, "ledger.paused"), (_doubt, "contact.account_changed")):
            assert bo.node is not None
            await bo.node.core.database.transact(change)
            assert await buying.code("shop.buy", code=code) == why
        assert await bo.call("shop.bought") == await dee.call("shop.bought") == []
        assert await shop.call("shop.sales") == []
        await _as_many_as_can_be(selling)
        missing = selling.missing("shop") & buying.missing("shop") & strange.missing("shop")
        assert missing == PROMISED_BY_OTHERS

    world.run(story, seed=82)


TEA: dict[str, Any] = {"title": "tea", "amount": "2", "unit": "EUR"}


async def _offers(selling: Faults, other: world.Person) -> None:
    """What cannot be sold."""
    once = (await selling.person.call("contacts.invite"))["link"]
    theirs = (await other.call("contacts.invite", kind="long-term"))["link"]
    for title in ("", " ", "x" * 65, "two\nlines", "\ud800"):
        assert await selling.code("shop.offer", **(TEA | {"title": title})) == "shop.title"
    for unit in ("", "EURO", "v:nothing", "XXX"):
        assert await selling.code("shop.offer", **(TEA | {"unit": unit})) == "amount.unit"
    for amount, wrong in (("-1", "nothing"), ("1.234", "decimals"), ("1e3", "malformed"), ("9" * 20, "large")):
        assert await selling.code("shop.offer", **(TEA | {"amount": amount})) == f"amount.{wrong}"
    for bad in ("weft:i/AAAA", once, theirs, "\ud800"):
        assert await selling.code("shop.offer", **(TEA | {"link": bad})) == "link.bad"
    assert await selling.code("shop.offer", **(TEA | {"link": "weft:i/" + "_" * 160})) == "link.newer"


async def _orders(selling: Faults, buying: Faults, code: str) -> None:
    """What cannot be ordered by a contact."""
    for wrong in ("", "WEFT:S/", "bo", code[:-1], f"{code}A", "\ud800"):
        assert await buying.code("shop.buy", code=wrong) == "pay.code"
    cases: list[tuple[dict[str, Any], str]] = [
        *(({"quantity": count}, "shop.quantity") for count in (0, -1, QUANTITY_MAX + 1, 2**60)),
        ({"amount": "3", "unit": "EUR"}, "shop.price"),
        *(({"note": note}, "shop.note") for note in ("x" * 201, "\ud800")),
        *(({"key": key}, "shop.key") for key in ("x" * 201, "\ud800")),
        ({"tip": "-1"}, "amount.nothing"),
        ({"tip": "0.001"}, "amount.decimals"),
        ({"tip": "1,5"}, "amount.malformed"),
        ({"tip": "9" * 20}, "amount.large"),
        ({"tip": "90071992547409.91"}, "amount.large"),
        ({"quantity": 36}, "shop.limit"),
    ]
    for more, why in cases:
        assert await buying.code("shop.buy", code=code, **more) == why
    donation = (await selling.person.call("shop.offer", title="donation", unit="EUR"))["code"]
    for amount, unit, why in (
        ("", "", "shop.price"),
        ("3", "USD", "shop.price"),
        ("3", "EURO", "amount.unit"),
        ("0", "EUR", "amount.nothing"),
    ):
        assert await buying.code("shop.buy", code=donation, amount=amount, unit=unit) == why
    offer = pay_code.shop_of(code)
    foreign = pay_code.shop_text(replace(offer, unit="XXX"))
    assert await buying.code("shop.buy", code=foreign) == "amount.unit"
    assert await selling.code("shop.buy", code=code) == "shop.self"
    newer = record.encode(replace(offer, link=b"\x02" + bytes(85)))
    for raw, why in ((b"\x02" + record.encode(offer), "pay.newer"), (b"\x01" + newer, "link.newer")):
        assert await buying.code("shop.buy", code=with_check(pay_code.SHOP_PREFIX, raw)) == why


async def _strangers(selling: Faults, strange: Faults, code: str) -> None:
    """Who is no contact of the shop is told how to become one."""
    shop = selling.person
    assert await strange.code("shop.buy", code=code) == "shop.stranger"
    link = (await shop.call("contacts.invite", kind="long-term", expires_s=365 * 86_400))["link"]
    linked = (await shop.call("shop.offer", **(TEA | {"link": link})))["code"]
    fault = await strange.of("shop.buy", code=linked)
    assert (fault.code, fault.next) == ("shop.stranger", f"weft add {link}")
    assert (await shop.call("shop.link")) == {"link": link}
    (living,) = [one for one in await shop.call("contacts.invitations") if one["kind"] == "long-term"]
    await strange.person.call("contacts.add", link=link, name="shop")
    assert await strange.code("shop.buy", code=linked) == "contact.not_yet"
    await shop.call("contacts.revoke", id=living["id"])
    assert (await shop.call("shop.link")) == {"link": ""}


async def _what_is_not_there(buying: Faults) -> None:
    for method, why in (("close", "unknown"), ("cancel", "order"), ("receipt", "receipt")):
        assert await buying.code(f"shop.{method}", id="ZZZZ") == f"shop.{why}"
        assert await buying.code(f"shop.{method}", id="x") == "id.malformed"


async def _as_many_as_can_be(selling: Faults) -> None:
    """The ends of ids are alike, and a shop sells so many things and no more."""
    shop = selling.person
    assert shop.node is not None
    await shop.node.core.database.transact(_alike)
    assert await selling.code("shop.close", id=ids.ulid(bytes(16))[-4:]) == "shop.ambiguous"
    for _ in range(service.OFFERS_MAX - len(await shop.call("shop.list"))):
        await shop.call("shop.offer", title="tea", unit="EUR")
    assert await selling.code("shop.offer", **TEA) == "shop.offers"
    await shop.call("shop.close", id=(await shop.call("shop.list"))[-1]["id"])
    await shop.call("shop.offer", **TEA)


def _freeze(tx: Tx) -> None:
    (shop,) = people.contacts(tx)
    for half in spaces.ledger(tx, shop.id):
        for part in half:
            tx.execute("UPDATE log SET state = ? WHERE number = ?", (logs.State.FROZEN, part.log.number))


def _doubt(tx: Tx) -> None:
    (shop,) = people.contacts(tx)
    people.set_alarm(tx, shop.id, people.STOPS)


def _alike(tx: Tx) -> None:
    for place, (row,) in enumerate(tx.all("SELECT id FROM shop_offer ORDER BY id LIMIT 2")):
        tx.execute("UPDATE shop_offer SET offer = ? WHERE id = ?", (bytes([place]) + bytes(15), row))


def test_the_same_order_is_one_order_while_it_waits_and_a_key_is_one_for_ever() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        await shop.stop()
        first = await bo.call("shop.buy", code=code)
        again = await bo.call("shop.buy", code=f" {code.lower()}\n")
        other = await bo.call("shop.buy", code=code, quantity=2)
        keyed = await bo.call("shop.buy", code=code, key="order 7")
        assert first["id"] == again["id"]
        assert len({first["id"], other["id"], keyed["id"]}) == 3
        faults = Faults(bo)
        assert await faults.code("shop.buy", code=code, quantity=3, key="order 7") == "shop.key"
        cancelled = await bo.call("shop.cancel", id=other["id"][-6:])
        assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "you took it back")
        assert await faults.code("shop.cancel", id=other["id"]) == "shop.order_over"
        await shop.start()
        await w.until(is_sold(shop, 2))
        assert (await bo.call("shop.buy", code=code, key="order 7"))["state"] == "paid"
        (row,) = await shop.call("shop.list")
        assert (row["sold"], row["taken"]) == (2, "5.60")
        anew = await bo.call("shop.buy", code=code)  # another coffee: the first is paid
        assert anew["id"] != first["id"]
        await w.until(is_sold(shop, 3))

    world.run(story, seed=83)


def test_who_sells_no_more_is_not_asked_in_vain_and_a_price_is_the_shops() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        (row,) = await shop.call("shop.list")
        assert (await shop.call("shop.close", id=row["id"][-4:]))["closed"]
        await bo.call("shop.buy", code=code)
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"] == "shop sells no such thing any more"
        assert (await sold(shop))["reason"] == "your shop sells no such thing any more"
        offer = pay_code.shop_of((await shop.call("shop.offer", title="tea", amount="2", unit="EUR"))["code"])
        cheap = ShopOffer(offer.account, offer.offer, "tea", "EUR", 1, None)
        unknown = ShopOffer(offer.account, bytes(16), "tea", "EUR", 200, None)
        for false, why in ((cheap, "shop asks another price"), (unknown, "shop sells no such thing any more")):
            await bo.call("shop.buy", code=pay_code.shop_text(false))
            await w.until(stands(bo, "refused"))
            assert (await bought(bo))["reason"] == why
        other = ShopOffer(offer.account, offer.offer, "tea", "USD", 200, None)
        await shop.call("payments.limit", to="bo", amount="100", unit="USD")
        await w.until(lambda: credit(bo, "USD"))
        await bo.call("shop.buy", code=pay_code.shop_text(other))
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"].startswith("shop answered with an invoice for something else")
        assert await bo.call("payments.history") == []

    world.run(story, seed=84)


async def credit(person: world.Person, unit: str) -> bool:
    """whether somebody may owe in a unit"""
    return any(row["unit"] == unit for row in (await person.call("payments.balances"))["balances"])


def test_a_contact_has_so_many_orders_unpaid_and_no_more() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w, credit="100")
        await shop.call("payments.limit", to="bo", amount="0", unit="EUR")
        await shop.stop()
        for count in range(arriving.HOUR_MAX + 1):
            await bo.call("shop.buy", code=code, key=str(count))
        await shop.start()

        async def all_answered() -> bool:
            """all orders are answered"""
            return all(row["state"] == "refused" for row in await bo.call("shop.bought", limit=100))

        await w.until(all_answered)
        reasons = [row["reason"] for row in await bo.call("shop.bought", limit=100)]
        assert sum("too many" in one for one in reasons) >= 1
        assert sum("lets you owe no more" in one for one in reasons) >= arriving.UNPAID_MAX
        assert len(await shop.call("shop.sales", limit=100)) <= arriving.HOUR_MAX

    world.run(story, seed=85)


def test_no_list_walks_through_all_that_was_sold_and_bought() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        await bo.call("shop.buy", code=code)
        await w.until(is_sold(shop))
        for person in (shop, bo):
            assert person.node is not None
            seen = await person.node.core.database.transact(_looked)
            assert len(seen) > 15
            assert [one for one in seen if not _is_short(*one)] == []

    world.run(story, seed=110)


def _is_short(statement: str, step: str) -> bool:
    """Whether a step of a plan looks at no more rows than there is to do, or asked for."""
    few = "LIMIT" in statement or "FROM shop_offer" in statement
    return few or not step.startswith("SCAN") or step.startswith("SCAN CONSTANT")


def _looked(tx: Tx) -> list[tuple[str, str]]:
    """Every statement of this room that looks for something, with each step of its plan."""
    seen: list[str] = []
    connection: Any = tx._connection
    connection.set_trace_callback(seen.append)
    try:
        sales.asked_by(tx, 1, 0, 1)
        sales.asked(tx)
        sales.settled(tx)
        sales.stale(tx, 1)
        sales.sold(tx, bytes(16))
        sales.named(tx, 1, bytes(16))
        sales.paid_by(tx, 1, b"p" * 16)
        sales.sales(tx, 10)
        purchases.billed(tx)
        purchases.late(tx, 1)
        purchases.next_late(tx)
        purchases.named(tx, 1, bytes(16))
        purchases.paid_by(tx, 1, b"p" * 16)
        purchases.is_invoice_used(tx, b"i" * 32)
        purchases.same(tx, 1, Order(bytes(16), bytes(16), 1, 1, 0, ""))
        purchases.purchases(tx, 10)
    finally:
        connection.set_trace_callback(None)
    return [(one, row[3]) for one in seen for row in tx.all(f"EXPLAIN QUERY PLAN {one}")]


def test_an_order_whose_payment_was_given_up_with_the_old_ledger_is_over() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        first = await bo.call("shop.buy", code=code)
        await w.until(stands(bo, "paying"))
        await shop.kill()
        assert bo.node is not None
        assert (await bo.call("shop.buy", code=code))["id"] == first["id"]
        await bo.node.core.database.transact(_give_up)
        row = await bought(bo)
        assert (row["state"], row["reason"]) == ("returned", "given up with the old ledger")
        assert (await bo.call("shop.buy", code=code))["id"] != first["id"]

    world.run(story, seed=113)


def _give_up(tx: Tx) -> None:
    (shop,) = people.contacts(tx)
    payments.lapse(tx, shop.id, 1)


def test_a_thing_may_cost_a_voucher_that_nobody_holds_yet() -> None:
    async def story(w: World) -> None:
        shop = await w.person("shop")
        await shop.call("vouchers.issue", name="coffee")
        await shop.call("vouchers.issue", name="card", decimals=2)
        cup = await shop.call("shop.offer", title="cup", amount="1", unit="v:coffee")
        gift = await shop.call("shop.offer", title="gift", amount="2.50", unit="v:card")
        assert [(one["amount"], one["unit"]) for one in (cup, gift)] == [("1", "v:coffee"), ("2.50", "v:card")]
        assert (await shop.call("paths.invoice", amount="2", unit="v:coffee"))["unit"] == "v:coffee"
        assert await Faults(shop).code("shop.offer", title="tea", amount="1", unit="v:tea") == "amount.unit"

    world.run(story, seed=83)


def test_what_was_sold_is_added_up_to_the_last_cent() -> None:
    def sell(tx: Tx) -> tuple[int, int]:
        ware = sales.sell(tx, bytes(16), "house", "EUR", 0, b"", 1)
        assert sales.sold(tx, ware.offer) == (0, 0)
        for at in range(3):
            sales.ask(tx, 1, Order(bytes([at]) * 16, ware.offer, 1, AMOUNT_MAX, 0, ""), 1)
            row = sales.asked(tx)[-1].id
            sales.bill(tx, row, ware, AMOUNT_MAX, 2, bytes(32), b"")
            sales.paid(tx, row, bytes([at]) * 16)
        return sales.sold(tx, ware.offer)

    async def story(w: World) -> None:
        shop = await w.person("shop")
        assert shop.node is not None
        assert await shop.node.core.database.transact(sell) == (3, 3 * AMOUNT_MAX)

    world.run(story, seed=84)
