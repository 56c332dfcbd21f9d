"""Stories about payments over others while two of the street begin their ledger anew (ledger 15.11)."""

from functools import partial

import pytest

from lab import world
from lab.world import Person, World
from protocol.faults import UserFault
from tests.stories.path_kit import are_over, ended, invoice, locks, owes, paid, street


async def _begin_anew(w: World, debtor: Person, creditor: Person, amount: str) -> None:
    """Two agree on what the one owes the other, and both ledgers are at that."""
    owed = [{"amount": amount, "unit": "EUR", "by": "them"}]
    assert (await creditor.call("payments.reset", to=debtor.name, owed=owed))["state"] == "proposed"

    async def is_proposed() -> bool:
        """the other knows the proposal"""
        return bool((await debtor.call("payments.balances"))["proposals"])

    await w.until(is_proposed)
    await debtor.call("payments.agree", to=creditor.name)

    async def is_begun() -> bool:
        """nothing is proposed any more"""
        return not any([(await one.call("payments.balances"))["proposals"] for one in (debtor, creditor)])

    await w.until(is_begun)


async def _has_locks(person: Person, count: int) -> bool:
    return len(await locks(person)) == count


def test_what_the_payer_had_locked_stands_in_the_sum_and_is_not_paid_again() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen)
        await chen.stop()
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(_has_locks, bo, 2))
        await _begin_anew(w, ana, bo, "20.00")
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["contact"].casefold()) == ("failed", "bo")
        assert done["reason"].endswith("the sum that you both signed stands for it")
        with pytest.raises(UserFault) as refused:
            await ana.call("paths.pay", code=made["code"])
        assert refused.value.code == "invoice.counted"
        await chen.start()
        await w.until(partial(_has_locks, bo, 0))
        await w.until(partial(are_over, (ana, bo, chen)))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((2000, 2000), (2000, 2000))
        assert (await paid(ana, begun["id"]))["state"] == "failed"

    world.run(story, seed=541)


def test_who_begins_anew_with_the_next_on_the_way_gives_back_what_came() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dee = await street(w, "ana", "bo", "chen", "dee")
        made = await invoice(dee)
        await dee.stop()
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(_has_locks, chen, 2))
        await _begin_anew(w, bo, chen, "20.00")
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["reason"]) == (
            "failed",
            "it was given up further on, and there is no other way now",
        )
        assert (await locks(bo), await owes(ana, bo), await owes(bo, chen)) == ([], (0, 0), (2000, 2000))
        await dee.start()
        await w.until(partial(_has_locks, chen, 0))
        await w.until(partial(are_over, (ana, bo, chen, dee)))
        assert (await owes(bo, chen), await owes(chen, dee)) == ((2000, 2000), (2000, 2000))

    world.run(story, seed=542)
