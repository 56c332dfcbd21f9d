"""A node whose disk takes nothing for a while, while mail waits to be left or collected: it goes on by itself."""

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from protocol import keep
from protocol.keep import Status
from store import people
from store.database import Tx
from tests.stories.crowd_kit import has_lines, states
from tests.stories.false_keepers import always, false_keeper, told
from tests.stories.stranger_kit import core_of, kept
from tests.stories.test_lying_keepers import blamed
from tests.stories.test_restores import copy_database


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


@pytest.mark.depth
def test_whose_disk_was_put_back_blames_no_keeper_for_what_is_forgotten() -> None:
    """What was said in both directions since then cannot be read with the old keys: by that she knows it."""

    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await befriend(ana, bo)
        await kept(bo, chen)
        await kept(ana, chen)
        await w.until(lambda: has_lines(ana, bo, 1))
        await w.until(lambda: has_lines(bo, ana, 1))

        async def leave_and_collect(sender: Person, reader: Person, text: str) -> None:
            await sender.start()
            await sender.call("chat.send", to=reader.name, text=text)

            async def is_kept() -> bool:
                return (await states(sender, reader.name))[-1] == "kept"

            await w.until(is_kept)
            await trio.sleep(60.0)
            await sender.stop()
            await reader.start()

            async def is_there() -> bool:
                return text in await texts(reader, sender.name)

            await w.until(is_there, patience_s=7200.0)
            await trio.sleep(1800.0)
            await reader.stop()

        await bo.stop()
        await ana.stop()
        await leave_and_collect(bo, ana, "one")
        copy_database(w, "ana", ".", "yesterday")
        for n in range(2):
            await leave_and_collect(bo, ana, f"two {n}")
            await leave_and_collect(ana, bo, f"thanks {n}")
        copy_database(w, "ana", "yesterday", ".")
        await bo.start()
        await bo.call("chat.send", to="ana", text="after")
        for _ in range(3):
            await trio.sleep(3600.0)
            await bo.stop()
            await ana.start()
            await trio.sleep(3600.0)
            assert await blamed(ana) == ""
            await ana.stop()
            await bo.start()
        await bo.stop()
        await ana.start()
        assert "after" in await texts(ana, "bo")

    world.run(story, seed=5)


def test_who_only_listened_since_her_disk_was_put_back_blames_no_keeper() -> None:
    """What came is forgotten, and what comes can be read: only the keeper knows better (keep 3.7)."""

    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await befriend(ana, bo)
        await kept(ana, chen)
        await w.until(lambda: has_lines(bo, ana, 1))
        await ana.stop()

        async def leave(*texts_: str) -> None:
            for text in texts_:
                await bo.call("chat.send", to="ana", text=text)

                async def is_kept() -> bool:
                    return (await states(bo, "ana"))[-1] == "kept"

                await w.until(is_kept)
            await bo.stop()  # so that he hears of no receipt, and she says nothing that could be noticed

        async def collect() -> None:
            await ana.start()
            await trio.sleep(3600.0)
            assert await blamed(ana) == ""
            await ana.stop()
            await bo.start()

        await leave("one", "two")
        await collect()
        await trio.sleep(3600.0)
        copy_database(w, "ana", ".", "yesterday")
        await leave("three", "four", "five")
        await collect()
        copy_database(w, "ana", "yesterday", ".")
        await leave("six", "seven")
        await collect()
        await leave("eight")
        await collect()
        await ana.start()
        assert {"one", "two", "six", "seven", "eight"} <= set(await texts(ana, "bo"))

    world.run(story, seed=6)


def _room(tx: Tx, pages: int) -> None:
    tx.execute(f"PRAGMA max_page_count = {pages}").fetchall()  # SQLite then says what it says of a full disk


def test_whose_disk_has_forgotten_the_last_offer_of_a_keeper_asks_for_it_again() -> None:
    """The permit is another one since: without it nobody knows whether it is the keeper who answers."""

    async def story(w: World) -> None:
        ana, chen = await w.person("ana"), await w.person("chen")
        await kept(ana, chen)
        await trio.sleep(3600.0)
        await ana.stop()
        copy_database(w, "ana", ".", "yesterday")
        await ana.start()
        contact = await core_of(chen).database.transact(people.find_contact, "ana")
        await core_of(chen).keeping.revoke(contact.id)
        await chen.call("keepers.offer", contacts=["ana"])
        await trio.sleep(3600.0)
        await ana.stop()
        copy_database(w, "ana", "yesterday", ".")
        await ana.start()

        async def is_back() -> bool:
            (one,) = (await ana.call("keepers.list"))["keepers"]
            return bool(one["online"] and not one["fault"])

        await w.until(is_back, 3600.0)

    world.run(story, seed=7)
