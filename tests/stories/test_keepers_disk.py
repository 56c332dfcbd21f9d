"""A node whose disk takes nothing for a while, while mail waits to be left or collected: it goes on by itself."""

import trio

from lab import world
from lab.world import World, befriend
from protocol import keep
from protocol.keep import Status
from store.database import Tx
from tests.stories.crowd_kit import states
from tests.stories.false_keepers import always, false_keeper, told
from tests.stories.stranger_kit import core_of


def test_what_waited_while_the_disk_was_full_is_left_as_soon_as_there_is_room() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        async with false_keeper(w, always(Status.OK, keep.DAY_S)) as keeper:
            await ana.call("chat.send", to="bo", text="hello")
            await trio.sleep(300.0)
            await told(ana, "bo", [keeper.line("bo")])
            await core_of(ana).database.transact(_room, 1)
            await trio.sleep(120.0)
            assert await states(ana, "bo") == ["queued"]
            await core_of(ana).database.transact(_room, 2**30)

            async def kept() -> bool:
                return await states(ana, "bo") == ["kept"]

            await w.until(kept, patience_s=120.0)

    world.run(story, seed=1)


def _room(tx: Tx, pages: int) -> None:
    tx.execute(f"PRAGMA max_page_count = {pages}").fetchall()  # SQLite then says what it says of a full disk
