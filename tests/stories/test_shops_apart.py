"""A shop and its customer who are never there together: a keeper between them carries all that there is to say."""

from functools import partial

import trio

from lab import world
from lab.world import Person, World, befriend
from tests.stories.debt_kit import agree, both_see, owed, pair, waiting
from tests.stories.shop_kit import allow, bought, has_receipt, is_sold, sold, stands

REST_S = 600.0  # in which a node that is alone has left at the keeper what it has to say


async def is_kept(*people: Person) -> bool:
    """whether the mail of all of them can be left at a keeper"""
    found = [await one.call("keepers.list") for one in people]
    return all(any(row["state"] == "used" and row["open"] for row in each["keepers"]) for each in found)


async def is_sale(shop: Person, wanted: str) -> bool:
    """whether the newest sale of a shop is so"""
    return str((await sold(shop))["state"]) == wanted


async def is_accepted(shop: Person) -> bool:
    """whether the shop has taken what was offered to it"""
    return [row["state"] for row in await shop.call("payments.history", limit=1)] == ["accepted"]


async def change_places(here: Person, away: Person) -> None:
    """One goes once he has left his mail, then the other comes."""
    await trio.sleep(REST_S)
    await here.stop()
    await away.start()


def test_who_never_meets_the_shop_orders_pays_and_has_the_receipt_and_a_refund() -> None:
    async def story(w: World) -> None:
        shop, bo = await pair(w, "shop", "bo")
        kim = await w.person("kim")
        for one in (shop, bo):
            await befriend(kim, one)
        await kim.call("keepers.offer", contacts=["shop", "bo"])
        await w.until(partial(is_kept, shop, bo))
        await allow(w, shop, bo, "100")
        code = (await shop.call("shop.offer", title="coffee", amount="2.80", unit="EUR"))["code"]
        await shop.stop()
        await bo.call("shop.buy", code=code, quantity=2, tip="0.40", note="table 4")
        await change_places(bo, shop)
        await w.until(partial(is_sale, shop, "invoiced"))
        await change_places(shop, bo)
        await w.until(stands(bo, "paying"))
        await change_places(bo, shop)
        await w.until(partial(is_accepted, shop))
        await change_places(shop, bo)
        await w.until(stands(bo, "paid"))
        payment = (await bought(bo))["payment"]
        await change_places(bo, shop)
        await w.until(is_sold(shop))
        ours = await shop.call("shop.receipt", id=payment)
        back = await shop.call("payments.refund", id=payment, amount="0.40")
        await change_places(shop, bo)
        await w.until(has_receipt(bo, payment))
        theirs = await bo.call("shop.receipt", id=payment)
        assert theirs["lines"] == ours["lines"] == "2 × coffee  5.60 EUR\ntip  0.40 EUR"
        assert (theirs["invoice"], theirs["code"]) == (ours["invoice"], ours["code"])
        await change_places(bo, shop)
        await w.until(partial(both_see, (shop,), back["id"], "settled"))
        await change_places(shop, bo)
        await w.until(partial(both_see, (bo,), back["id"], "settled"))
        assert (await bought(bo))["refunded"] == "0.40"
        await shop.start()
        assert [await owed(shop, bo), -await owed(bo, shop), await owed(kim, bo)] == [560, 560, 0]
        assert await agree((shop, bo))
        assert [any((await waiting(one)).values()) for one in (shop, bo)] == [False, False]

    world.run(story, seed=93)
