"""Stories about debts between two people in simulated worlds: paid, declined, taken back, asked for, settled up."""

from functools import partial

from lab import world
from lab.world import World
from tests.stories.debt_kit import agree, both_see, owed, pair, waiting


def test_lunch_is_paid_and_both_know_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await bo.call("payments.limit", to="ana", amount="100", unit="EUR")
        await w.until(partial(_may_owe, ana, "100.00"))
        line = await ana.call("payments.pay", to="bo", amount="12.50", unit="EUR", note="lunch")
        assert (line["state"], line["amount"], line["unit"], line["reason"]) == (
            "offered",
            "12.50",
            "EUR",
            "waits for Bo to accept it",
        )
        await w.until(partial(_has_offers, bo, 1))
        (offer,) = (await waiting(bo))["offers"]
        assert (offer["contact"], offer["amount"], offer["note"]) == ("ana", "12.50", "lunch")
        await bo.call("payments.accept", id=line["id"][-8:])
        await w.until(partial(both_see, (ana, bo), line["id"], "settled"))
        assert (await owed(bo, ana), await owed(ana, bo)) == (1250, -1250)
        assert await agree((ana, bo))

    world.run(story, seed=11)


async def _may_owe(person: world.Person, amount: str) -> bool:
    rows = (await person.call("payments.balances"))["balances"]
    return any(row["credit"] == amount for row in rows)


async def _has_offers(person: world.Person, count: int) -> bool:
    return len((await waiting(person))["offers"]) == count


def test_what_nobody_accepted_in_time_comes_back_by_itself() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await bo.call("payments.limit", to="ana", amount="100", unit="EUR")
        await w.until(partial(_may_owe, ana, "100.00"))
        line = await ana.call("payments.pay", to="bo", amount="5", unit="EUR", within_s=120)
        await w.until(partial(_has_offers, bo, 1))
        await w.until(partial(both_see, (ana, bo), line["id"], "refunded"))
        assert await agree((ana, bo))

    world.run(story, seed=12)
