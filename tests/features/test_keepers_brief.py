"""An offer to keep for a short time only: it is shown, and not used."""

from functools import partial

import trio

from features.keepers.content import Offer
from lab import world
from lab.world import Person, World, befriend
from node import speech
from store import people
from tests.features.kit import Faults
from tests.features.test_keepers import SHARE, friends, knows, listed, run, stands, states


def test_who_would_keep_for_less_than_16_days_is_not_used_and_is_left_when_he_says_so_later() -> None:
    async def story(w: World) -> None:
        bo, ana, chen = await friends(w, "bo", "ana", "chen")
        await befriend(ana, chen)

        async def fault() -> str:
            (one,) = (await listed(ana))["keepers"]
            return str(one["fault"])

        await offer_for(bo, "ana", 15)
        await w.until(stands(ana, bo="offered"))
        assert await fault() == "it keeps for 15 days, and should for 16 at least; it is not used"
        assert await Faults(ana).code("keepers.use", who="bo") == "keeper.brief"
        await trio.sleep(60)
        assert await states(ana) == {"bo": "offered"}
        await offer_for(bo, "ana", 16)
        await w.until(stands(ana, bo="used"))
        assert await fault() == ""
        await w.until(partial(knows, chen, "ana", "bo"))
        await offer_for(bo, "ana", 15)
        await w.until(stands(ana, bo="offered"))
        await w.until(partial(knows, chen, "ana"))
        assert await run(ana, lambda tx: tx.all("SELECT id FROM queue")) == []
        await offer_for(bo, "ana", 30)
        await w.until(partial(knows, chen, "ana", "bo"))

    world.run(story, 642)


async def offer_for(person: Person, to: str, days: int) -> None:
    """Somebody says that he keeps for so many days, as another program could."""
    assert person.node is not None
    core = person.node.core
    contact: int = (await run(person, people.find_contact, to)).id
    permit = await core.keeping.permit(contact, SHARE, days * 86_400)
    offer = Offer(permit, SHARE, days * 86_400, bytes(32), person.now_ms())
    await run(person, lambda tx: speech.say(tx, contact, (offer,), person.now_ms(), person.entropy("offer")))
    core.delivery.stir(contact)
