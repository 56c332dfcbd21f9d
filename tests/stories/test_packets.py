"""Stories about red packets in simulated worlds: opened in an order, parted, killed, expired, served by mail."""

from functools import partial

import pytest
import trio

from features.packets import view
from lab import world
from lab.world import Person, World, befriend
from tests.stories.debt_kit import agree
from tests.stories.packet_kit import all_closed, all_see, check, claims, database, kept, rows, shown, state

DAY_S = 86_400


async def star(w: World, *others: str) -> tuple[Person, ...]:
    """Ana, and others who are contacts of hers alone."""
    people = [await w.person(name) for name in ("ana", *others)]
    for one in people[1:]:
        await befriend(people[0], one)
    return tuple(people)


def test_three_open_in_some_order_and_all_compute_the_same() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dee = await star(w, "bo", "chen", "dee")
        await befriend(bo, chen)
        sent = await ana.call("packets.send", to=["bo", "chen", "dee"], amount="20", unit="EUR", note="new year")
        assert (sent["state"], sent["shares"], sent["largest"], sent["kind"]) == ("open", 3, "19.98", "random")
        packet = sent["id"]
        await w.until(partial(all_see, (bo, chen, dee), packet, "waiting"))
        for one in (chen, dee, bo):
            opened = await one.call("packets.open", id=packet[-8:])
            assert (opened["state"], opened["reason"]) == ("claimed", "waits for ana's node to grant a share")
            await w.until(partial(all_see, (one,), packet, "granted"))
        await w.until(partial(all_closed, (ana, bo, chen, dee), packet))
        own = await check(ana, (bo, chen, dee), packet)
        assert [each["who"] for each in own["grants"]] == ["Chen", "Dee", "Bo"]
        assert own["remainder"] == "0.00"
        lucky = [each for each in own["grants"] if each["luckiest"]]
        assert [each["minor"] for each in lucky] == [max(each["minor"] for each in own["grants"])]
        seen = [each["who"] for each in (await shown(bo, packet))["grants"]]
        assert seen[0] == "Chen"
        assert seen[1].startswith("wf1")  # Bo does not know Dee
        assert seen[2] == "you"
        assert await agree([ana, bo]) and await agree([ana, chen])
        assert await agree([ana, dee])
        (row,) = await ana.call("payments.history", to="bo")
        assert (row["kind"], row["note"], row["state"]) == ("packet", "new year", "settled")

    world.run(story, seed=21)
