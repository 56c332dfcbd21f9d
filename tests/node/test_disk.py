"""A node whose disk takes nothing, in a simulated world: it goes on by itself within seconds of there being room."""

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from node.disk import TRY_S
from store.database import Database, Tx
from store.faults import StoreUnwritable

SOON_S = TRY_S + 5.0  # the next try, a dial and the talk


def lock(tx: Tx, locked: int) -> None:
    """Makes SQLite refuse every write, as it does on a disk that is read-only, or take them again."""
    tx.execute(f"PRAGMA query_only = {locked}").fetchall()


def disk(person: Person) -> Database:
    assert person.node is not None
    return person.node.core.database


def test_mail_comes_within_seconds_of_a_disk_that_works_again() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        for said in (["one"], ["one", "two"], ["one", "two", "three"]):  # thrice: once may come by chance
            await disk(bo).read(lock, 1)
            await ana.call("chat.send", to="bo", text=said[-1])
            await w.until(lambda: troubled(bo))
            with pytest.raises(StoreUnwritable):
                await bo.call("chat.send", to="ana", text="never kept")
            await trio.sleep(600)  # both try once a minute by now
            assert [*await texts(bo, "ana")] == said[:-1]
            assert (await ana.call("chat.history", to="bo"))[-1]["state"] in ("queued", "sent")
            await disk(bo).read(lock, 0)
            await w.until(lambda wanted=said: has(bo, wanted), SOON_S)  # type: ignore[misc]
            assert disk(bo).trouble is None
        assert [*await texts(ana, "bo")] == said

    world.run(story, seed=51)


async def has(person: Person, wanted: list[str]) -> bool:
    return [*await texts(person, "ana")] == wanted


async def troubled(person: Person) -> bool:
    """Whether the disk has failed, and contacts are shown as not reached for this reason."""
    assert person.node is not None
    reasons = person.node.core.delivery.reasons.values()
    return isinstance(disk(person).trouble, StoreUnwritable) and "this node can keep nothing now" in reasons
