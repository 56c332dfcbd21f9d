"""What a keeper was caught at: shown until the person uses it again."""

from lab import world
from lab.world import World
from store import keepers
from tests.features.test_keepers import friends, listed, run, stands


def test_what_a_keeper_was_caught_at_is_forgiven_when_the_person_uses_it_again() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        (one,) = await run(bo, keepers.used)
        await run(bo, keepers.caught, one.id, "it held back what Chen left there")
        assert [each["fault"] for each in (await listed(bo))["keepers"]] == ["it held back what Chen left there"]
        assert (await bo.call("keepers.use", who="ana"))["state"] == "used"
        assert [each["fault"] for each in (await listed(bo))["keepers"]] == [""]
        (same,) = await run(bo, keepers.used)
        assert (same.id, same.owner_seed) == (one.id, one.owner_seed)

    world.run(story, 640)
