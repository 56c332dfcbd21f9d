"""A block that does not come to its end while it waits: he has forgotten by then, so he is blocked all the same."""

from typing import Any

import trio

from lab import world
from lab.world import Person, World
from tests.stories.log_kit import circle, keep_disk, put_disk_back
from tests.stories.moments_kit import gone, sees, wall

SETTLED_S = 60.0


async def told(w: World, ana: Person, bo: Person, nursery: trio.Nursery) -> None:
    """Ana blocks Bo. He has forgotten what she posted, and she does not know it yet."""

    async def block() -> None:
        await ana.call("contacts.block", name="bo")

    await ana.call("moments.post", text="old")
    await w.until(sees([bo], "old"))
    nursery.start_soon(block)
    await w.until(gone([bo], "old"))
    assert await state(ana) == "active"


async def state(ana: Person) -> Any:
    return (await ana.call("contacts.show", name="bo"))["state"]


async def sees_all_again(w: World, ana: Person, bo: Person) -> None:
    """Nothing while he is blocked; once he is not, what was before and what came meanwhile."""
    await ana.call("moments.post", text="meanwhile")
    await trio.sleep(SETTLED_S)
    assert await wall(bo) == []
    await ana.call("contacts.unblock", name="bo")
    await w.until(sees([bo], "old", "meanwhile"))


def test_a_block_whose_caller_goes_while_it_waits_is_carried_out() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await circle(w, "ana", "bo", "cy")
        async with trio.open_nursery() as nursery:
            await told(w, ana, bo, nursery)
            nursery.cancel_scope.cancel()
        assert await state(ana) == "blocked"
        await sees_all_again(w, ana, bo)

    world.run(story, 961)


def test_a_block_during_which_the_node_is_killed_is_carried_out_when_it_starts_again() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await circle(w, "ana", "bo", "cy")
        async with trio.open_nursery() as nursery:
            await told(w, ana, bo, nursery)
            keep_disk(ana, "killed")  # as SIGKILL leaves it
            w.network.partition(["ana"], ["bo", "cy"])
        await ana.kill()
        put_disk_back(ana, "killed")
        w.network.heal_all()
        await ana.start()

        async def is_blocked() -> bool:
            return bool(await state(ana) == "blocked")

        await w.until(is_blocked)
        await sees_all_again(w, ana, bo)

    world.run(story, 962)
