"""Feeds that go on in others while a reader is away, and their authors when he comes back: another reader tells him."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from lab import world
from lab.world import Person, World
from protocol.grant import Role
from store import handovers, people, spaces
from store.database import Tx
from tests.stories.log_kit import circle
from tests.stories.moments_kit import one, reads, sees, wall
from tests.stories.test_feed_logs import run

SETTLED_S = 120.0
DAY_S = 86_400.0


def feeds_of(tx: Tx, name: str) -> list[tuple[bytes, bool]]:
    """The feeds of a contact, by id, or "" for our own, in their order; and which was handed what the last one was."""
    contact_id = people.find_contact(tx, name).id if name else spaces.OURS
    found = [one for one in spaces.of(tx, contact_id) if one.role is Role.FEED]
    return [(one.log.id, handovers.of(tx, one.log.number) is not None) for one in found]


def by_account(*them: Person) -> dict[bytes, Person]:
    """People who are on, by their accounts."""
    return {one.node.core.identity.account: one for one in them if one.node is not None}


async def anchor(author: Person, others: dict[bytes, Person]) -> Person | None:
    """Who gets first what somebody posts, if he is one of these."""

    def newest(tx: Tx) -> bytes:
        return [one for one in spaces.of(tx, spaces.OURS) if one.role is Role.FEED][-1].anchor

    return others.get(await run(author, newest))


def feeds(person: Person, of: str, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether somebody has so many feeds of a contact."""

    async def true() -> bool:
        return len(await run(person, feeds_of, of)) == count

    return true


@pytest.mark.depth
def test_who_was_away_for_a_month_is_told_by_another_where_feeds_go_on_and_opens_them() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        for name in ("bo", "dee"):
            await ana.call("profile.tag", name=name, tag="family")
        await ana.call("moments.post", text="before")
        await ana.call("moments.post", text="family before", to=["family"])
        await w.until(sees([bo, dee], "before", "family before"))
        await bo.call("moments.like", id=(await one(bo, "before"))["id"])  # so his feed is known
        await trio.sleep(SETTLED_S)
        before = len(await run(dee, feeds_of, "ana"))
        await dee.stop()
        others = by_account(bo, cy)
        for at in range(3):
            away = await anchor(ana, others)
            if away is not None:
                await away.stop()
            here = [p for p in (bo, cy) if p is not away]
            await ana.call("moments.post", text=f"post {at}")
            await w.until(sees(here, f"post {at}"), patience_s=3600.0)
            if away is not None:
                await away.start()
                await w.until(sees([away], f"post {at}"), patience_s=3600.0)
        mine = await run(ana, feeds_of, "")
        assert len(mine) == before + 3
        assert [is_handed for _, is_handed in mine[before:]] == [True] * 3
        await ana.call("moments.post", text="family", to=["family"])
        await w.until(sees([bo], "family"), patience_s=3600.0)
        await bo.call("moments.comment", id=(await one(bo, "post 2"))["id"], text="of bo")
        await w.until(reads([ana, bo, cy], "post 2", ["of bo"]), patience_s=3600.0)
        for person in (ana, bo, cy):
            await person.stop()
        await trio.sleep(30 * DAY_S)
        await dee.start()
        await bo.start()
        await w.until(sees([dee], "post 0", "post 1", "post 2", "family"))
        await w.until(reads([dee], "post 2", ["of bo"]))
        assert await run(dee, feeds_of, "ana") == mine
        await bo.stop()
        await cy.start()  # who was told by a reader has it as those whom the author told
        await trio.sleep(SETTLED_S)
        assert "family" not in await wall(cy)
        await ana.start()
        await ana.call("moments.post", text="after")
        await w.until(sees([cy, dee], "after"), patience_s=3600.0)

    world.run(story, 911)


@pytest.mark.depth
def test_who_is_let_go_after_a_handover_is_told_of_it_by_nobody_else_and_opens_nothing_new() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        await ana.call("moments.post", text="before")
        await w.until(sees([bo, cy, dee], "before"))
        await trio.sleep(SETTLED_S)
        before = len(await run(dee, feeds_of, "ana"))
        away = await anchor(ana, by_account(bo, cy, dee))
        await dee.stop()
        if away in (bo, cy):
            await away.stop()
        await ana.call("moments.post", text="while dee was away")
        await w.until(feeds(ana, "", before + 1), patience_s=3600.0)
        if away in (bo, cy):
            await away.start()
        await w.until(sees([bo, cy], "while dee was away"), patience_s=3600.0)
        await ana.call("moments.rule", name="dee", hide_mine=True)
        await ana.call("moments.post", text="not to dee")
        await w.until(sees([bo, cy], "not to dee"), patience_s=3600.0)
        assert [is_handed for _, is_handed in await run(ana, feeds_of, "")][before:] == [True, False]
        await ana.stop()
        await dee.start()
        await w.until(feeds(dee, "ana", before + 1))
        await trio.sleep(SETTLED_S)
        assert await run(dee, feeds_of, "ana") == (await run(bo, feeds_of, "ana"))[: before + 1]
        assert "not to dee" not in await wall(dee)

    world.run(story, 912)
