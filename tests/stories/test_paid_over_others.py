"""Stories about paying somebody who is no contact, over contacts of contacts, in simulated worlds."""

from functools import partial
from itertools import pairwise

from lab import world
from lab.world import World
from ledger.tab import lock_of
from protocol import pay_code
from tests.stories import path_kit
from tests.stories.path_kit import are_over, ended, invoice, is_in, owes, street


def test_somebody_who_is_no_contact_is_paid_over_one_who_is() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen, note="tickets")
        begun = await ana.call("paths.pay", code=made["code"])
        assert (begun["state"], begun["amount"], begun["unit"], begun["memo"]) == (
            "searching",
            "20.00",
            "EUR",
            "tickets",
        )
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["contact"], done["known"]) == ("paid", "Bo", False)
        await w.until(partial(are_over, (ana, bo, chen)))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((2000, 2000), (2000, 2000))
        receipt = pay_code.invoice_of(done["invoice"])
        assert lock_of(bytes.fromhex(done["preimage"])) == receipt.lock
        shown = await chen.call("paths.show", id=made["id"])
        assert (shown["state"], shown["payer"].casefold(), shown["direct"]) == ("paid", "bo", False)

    world.run(story, seed=501)


def test_three_locks_reach_the_friend_of_a_friend_of_a_friend() -> None:
    async def story(w: World) -> None:
        people = await street(w, "ana", "bo", "chen", "dee")
        made = await invoice(people[3])
        begun = await people[0].call("paths.pay", code=made["code"])
        assert (await ended(w, people[0], begun["id"]))["state"] == "paid"
        await w.until(partial(are_over, people))
        for payer, payee in pairwise(people):
            assert await owes(payer, payee) == (2000, 2000)

    world.run(story, seed=502)


def test_a_contact_is_paid_directly_and_his_node_accepts() -> None:
    async def story(w: World) -> None:
        ana, bo = await street(w, "ana", "bo")
        made = await invoice(bo)
        begun = await ana.call("paths.pay", code=made["code"].lower())
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["payee"], done["known"], done["preimage"]) == ("paid", "Bo", True, "")
        await w.until(partial(is_in, bo, made["id"], "paid"))
        assert (await path_kit.paid(bo, made["id"]))["direct"]
        assert await owes(ana, bo) == (2000, 2000)

    world.run(story, seed=503)
