"""Keepers that drop, hold back and repeat what lies with them: nothing is lost or shown twice, and they are named.

Case 48 among whole nodes; each lie alone is in tests/protocol/test_keeper_watch.py. The keeper's database is changed
under it, as somebody could who runs another program.
"""

from collections.abc import Awaitable, Callable

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from store.database import Tx
from tests.stories.stranger_kit import core_of, in_shelves, kept

TEXTS = [f"line {n}" for n in range(6)]
DAY_S = 86_400


async def in_shelf(keeper: Person, sql: str) -> None:
    """Changes what lies at a keeper."""
    await core_of(keeper).keeping.database.transact(lambda tx: tx.execute(sql))


async def drop(chen: Person) -> None:
    """One of those that Bo has left is gone."""
    await in_shelf(chen, "DELETE FROM parcel WHERE rowid = (SELECT MIN(rowid) + 1 FROM parcel)")


async def swap(chen: Person) -> None:
    """Two of those that Bo has left have changed places."""

    def change(tx: Tx) -> None:
        (first, one), *_, (last, other) = tx.all("SELECT rowid, envelope FROM parcel ORDER BY rowid")
        tx.execute("UPDATE parcel SET envelope = ? WHERE rowid = ?", (other, first))
        tx.execute("UPDATE parcel SET envelope = ? WHERE rowid = ?", (one, last))

    await core_of(chen).keeping.database.transact(change)


async def spoil(chen: Person) -> None:
    """One of those that Bo has left is another queue's."""
    await in_shelf(chen, "UPDATE parcel SET envelope = randomblob(1024) WHERE rowid = (SELECT MIN(rowid) FROM parcel)")


async def leave_alone(_: Person) -> None:
    """An honest keeper."""


LOST = "it lost 1 of what Bo left there, or Bo says falsely that it had them"
HELD = "it held back what Bo left there, and gave later things first"
NONSENSE = "it gave something as Bo's that does not open, or Bo left nonsense there"
LIES: dict[str, tuple[Callable[[Person], Awaitable[None]], str, str]] = {
    "drops": (drop, "", LOST),
    "reorders": (swap, HELD, HELD),
    "swaps": (spoil, NONSENSE, LOST),
    "is honest": (leave_alone, "", ""),
}


@pytest.mark.parametrize("name", LIES)
def test_case_48_a_keeper_that_lies_is_named_and_all_arrives_once(name: str) -> None:
    lie, at_once, later = LIES[name]

    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await befriend(ana, bo)
        await kept(ana, chen)
        await w.until(lambda: knows_where(bo))
        await ana.stop()
        for text in TEXTS[:-1]:
            await bo.call("chat.send", to="ana", text=text)
            await w.until(lambda: is_kept(bo))
        await lie(chen)
        await bo.call("chat.send", to="ana", text=TEXTS[-1])
        await w.until(lambda: is_kept(bo))
        await bo.stop()
        await trio.sleep(900.0)
        await ana.start()
        await w.until(lambda: nothing_lies(chen))
        assert await blamed(ana) == at_once
        await trio.sleep(1800.0)
        assert await blamed(ana) == later
        await bo.start()
        await w.until(lambda: has_all(ana), patience_s=2 * DAY_S)
        assert await blamed(ana) == later

    world.run(story, seed=11)


async def blamed(owner: Person) -> str:
    """What the list of keepers says of the one that there is."""
    (one,) = (await owner.call("keepers.list"))["keepers"]
    return str(one["fault"])


async def knows_where(sender: Person) -> bool:
    """Whether he was told where Ana can be left mail."""
    rows = await core_of(sender).database.transact(lambda tx: tx.one("SELECT COUNT(*) FROM inbox_line"))
    return bool(rows[0])


async def is_kept(sender: Person) -> bool:
    """Whether everything that he said lies at a keeper."""
    lines = [one for one in await core_of(sender).services["chat"].history("ana", 10) if one.mine]
    return all(one.state == "kept" for one in lines)


async def nothing_lies(keeper: Person) -> bool:
    return await in_shelves(keeper) == 0


async def has_all(reader: Person) -> bool:
    """Whether all texts are there, each once."""
    return sorted(await texts(reader, "bo")) == TEXTS
