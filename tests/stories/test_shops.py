"""Stories about shops in simulated worlds: ordered, paid, a receipt on both sides; away, killed, refunded, refused."""

from functools import partial
from typing import Any

import pytest
import trio

from features.shop.counter import INVOICE_S, STALE_MS
from features.shop.service import ORDER_S
from lab import world
from lab.world import Person, World
from tests import depth
from tests.features.kit import Faults
from tests.stories.debt_kit import agree, both_see, owed, waiting
from tests.stories.shop_kit import allow, bought, counter, has_receipt, is_sold, sold, stands


def test_two_coffees_with_a_tip_are_paid_and_both_have_the_receipt() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        made = await bo.call("shop.buy", code=code, quantity=2, tip="0.40", note="table 4")
        assert (made["state"], made["amount"], made["unit"], made["shop"]) == ("ordered", "6.00", "EUR", "shop")
        await w.until(stands(bo, "paid"))
        await w.until(is_sold(shop))
        payment = (await bought(bo))["payment"]
        await w.until(has_receipt(bo, payment))
        row = await sold(shop)
        what = (row["contact"], row["title"], row["quantity"], row["tip"], row["amount"], row["note"], row["payment"])
        assert what == ("Bo", "coffee", 2, "0.40", "6.00", "table 4", payment)
        theirs = await bo.call("shop.receipt", id=payment[-8:])
        ours = await shop.call("shop.receipt", id=payment[-8:])
        assert (theirs["mine"], ours["mine"], theirs["contact"], ours["contact"]) == (True, False, "shop", "Bo")
        assert theirs["lines"] == ours["lines"] == "2 × coffee  5.60 EUR\ntip  0.40 EUR"
        assert theirs["invoice"] == ours["invoice"]
        assert theirs["code"] == ours["code"]
        again = await Faults(bo).of("paths.pay", code=theirs["code"])
        assert (again.code, again.next) == ("invoice.paid", "weft shop bought")
        (offered,) = await shop.call("shop.list")
        assert (offered["sold"], offered["taken"], offered["code"]) == (2, "6.00", code)
        assert await owed(shop, bo) == 600
        assert await agree((shop, bo))

    world.run(story, seed=81)


def test_who_has_no_credit_pays_in_advance_or_with_vouchers_of_the_shop() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w, credit="")
        fault = await Faults(bo).of("shop.buy", code=code)
        assert str(fault).startswith("At shop you can pay 0.00 EUR now, and this is 2.80 EUR; nothing was ordered.")
        await allow(w, bo, shop, "10")
        advance = await shop.call("payments.pay", to="bo", amount="10", unit="EUR")
        await w.until(partial(has_offers, bo, 1))
        await bo.call("payments.accept", id=advance["id"])
        await w.until(partial(both_see, (shop, bo), advance["id"], "settled"))
        await bo.call("shop.buy", code=code, quantity=3)
        await w.until(is_sold(shop))
        assert (await owed(bo, shop), await Faults(bo).code("shop.buy", code=code)) == (160, "shop.limit")

        await shop.call("vouchers.issue", name="coffee")
        given = await shop.call("vouchers.give", to="bo", amount="2", name="coffee")
        await w.until(partial(has_offers, bo, 1))
        await bo.call("payments.accept", id=given["payment"])
        await w.until(partial(both_see, (shop, bo), given["payment"], "settled"))
        cups = (await shop.call("shop.offer", title="cup", amount="1", unit="v:coffee"))["code"]
        await bo.call("shop.buy", code=cups, quantity=2)
        await w.until(is_sold(shop, 2))
        assert (await bought(bo))["unit"] == "v:coffee"
        assert await Faults(bo).code("shop.buy", code=cups) == "shop.limit"
        assert await agree((shop, bo))

    world.run(story, seed=87)


def test_a_stranger_becomes_a_contact_by_the_code_and_buys() -> None:
    async def story(w: World) -> None:
        shop, dee = await w.person("shop"), await w.person("dee")
        link = (await shop.call("contacts.invite", kind="long-term", expires_s=365 * 86_400))["link"]
        code = (await shop.call("shop.offer", title="cake", unit="EUR", link=link))["code"]
        what: dict[str, Any] = {"code": code, "amount": "3", "unit": "eur"}
        words = (await Faults(dee).of("shop.buy", **what)).next
        await dee.call("contacts.add", link=words.removeprefix("weft add "), name="cafe")
        await w.until(partial(asks, shop))
        await shop.call("contacts.accept", id_or_name="Dee")
        await w.until(partial(has_contact, dee))
        await allow(w, shop, dee, "5")
        assert (await dee.call("shop.buy", **what))["amount"] == "3.00"
        await w.until(is_sold(shop))
        (row,) = await shop.call("shop.list")
        assert (row["sold"], row["taken"], row["amount"]) == (1, "3.00", "")

    world.run(story, seed=88)


async def has_offers(person: Person, count: int) -> bool:
    """Whether so many offers wait for somebody."""
    return len((await waiting(person))["offers"]) == count


async def asks(shop: Person) -> bool:
    """Whether somebody asks to be a contact."""
    return bool(await shop.call("contacts.requests"))


async def has_contact(person: Person) -> bool:
    """Whether somebody has a contact."""
    return await world.has_active(person, "cafe")


def test_an_order_waits_for_a_shop_that_is_away_a_day_and_no_longer() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        await shop.stop()
        made = await bo.call("shop.buy", code=code)
        assert (made["state"], made["reason"]) == ("ordered", "waits for shop's node to answer")
        await trio.sleep(ORDER_S - 3600)
        assert (await bought(bo))["state"] == "ordered"
        await trio.sleep(3700)
        late = await bought(bo)
        assert (late["state"], late["reason"]) == ("late", "shop did not answer in time, so nothing was paid")
        await shop.start()
        await w.until(partial(is_asked, shop))
        await trio.sleep(60)
        assert (await bought(bo))["state"] == "late"
        assert (await sold(shop))["state"] == "invoiced"
        await trio.sleep(INVOICE_S + STALE_MS // 1000 + 60)
        other = await bo.call("shop.buy", code=code, quantity=2)
        await w.until(is_sold(shop))
        (row,) = await shop.call("shop.sales")  # what nobody has paid is forgotten
        assert (row["id"], row["state"]) == (other["id"], "paid")

    world.run(story, seed=89)


async def is_asked(shop: Person) -> bool:
    """Whether an order has come."""
    return str((await sold(shop))["state"]) != ""


def test_a_shop_that_was_away_for_days_after_it_had_accepted_still_has_the_sale_and_writes_the_receipt() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        await bo.call("shop.buy", code=code)
        await w.until(stands(bo, "paid"))
        assert (await sold(shop))["state"] == "invoiced"
        await shop.kill()
        await trio.sleep(INVOICE_S + STALE_MS // 1000 + 60)
        await shop.start()
        await w.until(is_sold(shop))
        await w.until(has_receipt(bo, (await bought(bo))["payment"]))

    world.run(story, seed=91)


def test_a_refund_is_seen_on_both_sides() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        await bo.call("shop.buy", code=code, quantity=2)
        await w.until(is_sold(shop))
        payment = (await sold(shop))["payment"]
        await w.until(has_receipt(bo, payment))
        back = await shop.call("payments.refund", id=payment, amount="2.80")
        await w.until(partial(both_see, (shop, bo), back["id"], "settled"))
        assert [row["refunded"] for row in (await sold(shop), await bought(bo))] == ["2.80", "2.80"]
        assert [(await one.call("shop.receipt", id=payment))["refunded"] for one in (shop, bo)] == ["2.80", "2.80"]
        assert await owed(shop, bo) == 280

    world.run(story, seed=90)


@pytest.mark.parametrize("victim", ["shop", "bo"])
def test_killed_between_any_two_steps_it_is_paid_once_and_both_have_the_receipt(victim: str) -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        dies = shop if victim == "shop" else bo
        lives = 3 + depth.KILLS
        for life in range(lives):
            await bo.call("shop.buy", code=code, key=str(life))
            await trio.sleep(life * 0.9 / lives)
            await dies.kill()
            await dies.start()
            again = await bo.call("shop.buy", code=code, key=str(life))
            await w.until(is_sold(shop, life + 1))
            await w.until(stands(bo, "paid"))
            row = await bought(bo)
            assert row["id"] == again["id"]
            await w.until(has_receipt(bo, row["payment"]))
            await shop.call("shop.receipt", id=row["payment"])
        rows = await bo.call("payments.history")
        assert [(row["state"], row["amount"]) for row in rows] == [("settled", "2.80")] * lives
        assert await owed(shop, bo) == 280 * lives
        assert await agree((shop, bo))

    world.run(story, seed=91)
