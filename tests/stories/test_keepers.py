"""Mail for people who are away: left at a mutual contact's, collected later, receipted; never there together."""

from lab import world
from lab.world import World, befriend, texts
from tests.stories.crowd_kit import appoint, has_lines, states


async def _three(one: World) -> None:
    ana, bo, chen = [await one.person(name) for name in ("ana", "bo", "chen")]
    for first, second in ((ana, bo), (bo, chen), (ana, chen)):
        await befriend(first, second)
    await appoint(chen, bo)
    await appoint(chen, ana)
    await one.until(lambda: has_lines(ana, bo, 1))
    await one.until(lambda: has_lines(bo, ana, 1))


def test_two_who_are_never_there_together_talk_through_a_mutual_contact() -> None:
    async def story(one: World) -> None:
        await _three(one)
        ana, bo = one.people["ana"], one.people["bo"]
        await bo.stop()
        for n in range(20):
            await ana.call("chat.send", to="bo", text=f"hello {n}")

        async def kept() -> bool:
            return set(await states(ana, "bo")) == {"kept"}

        await one.until(kept)
        await ana.stop()
        await bo.start()

        async def read() -> bool:
            return len(await texts(bo, "ana")) == 20

        await one.until(read)
        assert await texts(bo, "ana") == [f"hello {n}" for n in range(20)]
        await bo.call("chat.send", to="ana", text="thanks")

        async def answered() -> bool:
            return set(await states(bo, "ana")) == {"kept"}

        await one.until(answered)
        await bo.stop()
        await ana.start()

        async def learnt() -> bool:
            return set(await states(ana, "bo")) == {"delivered"} and (await texts(ana, "bo"))[-1] == "thanks"

        await one.until(learnt)

    world.run(story, seed=1)
