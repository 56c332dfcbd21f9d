"""Stories about shops in simulated worlds: ordered, paid, a receipt on both sides; away, killed, refunded, refused."""

from lab import world
from lab.world import World
from tests.stories.debt_kit import agree, owed
from tests.stories.shop_kit import bought, counter, has_receipt, is_sold, sold, stands


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
        (offered,) = await shop.call("shop.list")
        assert (offered["sold"], offered["taken"], offered["code"]) == (2, "6.00", code)
        assert await owed(shop, bo) == 600
        assert await agree((shop, bo))

    world.run(story, seed=81)
