"""Feeds below their room: what those who carry them give to whom, and what becomes of them while an anchor is away."""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from lab import world
from lab.world import Person, World
from node.logs.patience import PATIENCE_MS
from node.logs.pen import Pen
from protocol.entry import Entry
from protocol.grant import Role
from store import authoring, entries, people, spaces, windows
from store.database import Tx
from store.spaces import Space
from tests.stories import log_kit
from tests.stories.log_kit import all_hold, circle, row
from tests.stories.test_logs import held_by, nobody_is_accused

DAY_S = 86_400.0
HOUR_S = 3600.0
ROOM = frozenset({"moments"})  # it would write and share by itself


async def run(person: Person, f: Callable[..., Any], *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def begin(author: Person, *readers: str, anchor: str) -> Space:
    """A feed, as its room begins one."""
    assert author.node is not None
    core = author.node.core

    def who(tx: Tx) -> tuple[list[int], bytes]:
        return [people.find_contact(tx, one).id for one in readers], people.find_contact(tx, anchor).account

    numbers, account = await run(author, who)
    return await Pen(core.delivery.inward, core.sync.desks).begin(Role.FEED, "moments", numbers, account)


async def post(author: Person, said: bytes) -> Entry:
    """Something in the newest feed; how it is sealed is its room's."""
    assert author.node is not None
    key = author.node.core.identity.device_key

    def append(tx: Tx) -> Entry:
        return authoring.append(tx, log_kit.own(tx, "moments"), said, key, author.now_ms())

    found: Entry = await run(author, append)
    return found


async def contents(person: Person, log: str) -> list[bytes | None]:
    """What somebody has of a feed. log: its name, or id."""
    if person.node is None:
        return []

    def look(tx: Tx) -> list[bytes | None]:
        found = [one for one in spaces.every(tx) if log in (one.log.id.hex(), one.name) and one.role is Role.FEED]
        return [held.content for held in entries.read(tx, found[-1].log.number, 0, 100, 1 << 20)] if found else []

    found: list[bytes | None] = await run(person, look)
    return found


def has(person: Person, log: str, *wanted: bytes | None) -> Callable[[], Awaitable[bool]]:
    """The question whether somebody has exactly this of a feed."""

    async def so() -> bool:
        """somebody has of a feed what he is to have"""
        return await contents(person, log) == [*wanted]

    return so


async def limit(person: Person, window_ms: int) -> None:
    """What the room of a feed does when it reads its author's window."""

    def set_for(tx: Tx) -> None:
        (of,) = [one for one in spaces.every(tx) if one.role is Role.FEED]
        windows.limit(tx, of.log.number, window_ms)

    await run(person, set_for)


async def meet_again(one: Person) -> None:
    """Everybody who is there has a new session with this one."""
    await one.stop()
    await one.start()
    await trio.sleep(HOUR_S)


def test_what_is_beyond_the_window_is_given_to_nobody_by_the_author_or_by_who_carries_it() -> None:
    async def story(w: World) -> None:
        w.without = ROOM
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        begun = await begin(ana, "bo", anchor="bo")
        await post(ana, b"old")
        await w.until(has(bo, "moments", b"old"))
        await trio.sleep(2 * DAY_S)
        await post(ana, b"new")
        await w.until(has(bo, "moments", b"old", b"new"))
        for one in (ana, bo):
            await limit(one, int(DAY_S * 1000))
        his = (await run(ana, people.find_contact, "cy")).id
        await run(ana, spaces.add_reader, begun.log.number, his)
        await w.until(has(cy, "moments", None, b"new"))
        await w.until(all_hold(held_by(ana, [bo, cy], "moments"), 2))  # the chain is whole, and checked
        await ana.stop()
        await meet_again(cy)
        assert await contents(cy, "moments") == [
            None,
            b"new",
        ]  # bo has it, and is asked for it, and keeps to the window
        await limit(bo, windows.ALL)
        await meet_again(cy)
        assert await contents(cy, "moments") == [b"old", b"new"]

    world.run(story, 91)


def test_who_was_let_go_gets_of_what_is_over_no_content_from_those_who_read_on() -> None:
    async def story(w: World) -> None:
        w.without = ROOM
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        assert ana.node is not None
        begun = await begin(ana, "bo", "cy", "dee", anchor="cy")
        over = begun.log.id.hex()
        await w.until(all_hold(held_by(ana, [bo, cy, dee], "moments"), 0))
        await bo.stop()
        await dee.stop()
        await post(ana, b"before bo is let go")
        await w.until(has(cy, over, b"before bo is let go"))
        his = (await run(ana, people.find_contact, "bo")).id
        await ana.node.core.sync.desks.give_up(begun.log.number, begun.anchor, frozenset({his}))
        await post(ana, b"after")
        await run(ana, entries.detach, begun.log.number, [0])  # from her nobody gets it
        await w.until(all_hold(held_by(ana, [cy], "moments"), 1))
        await w.until(has(cy, "moments", b"after"))
        await bo.start()
        await dee.start()
        await w.until(has(dee, "moments", b"after"))
        await w.until(has(dee, over, b"before bo is let go"))  # from cy, to whom he has named the new one
        await meet_again(bo)
        assert await contents(bo, over) == [None]  # he may check what he was granted
        assert (await row(bo, over))["state"] == "ok"  # of the new one he knows nothing
        await nobody_is_accused(ana, bo, cy, dee)

    world.run(story, 92)


def test_a_feed_does_not_wait_for_an_anchor_who_is_away_while_others_are_here() -> None:
    async def story(w: World) -> None:
        w.without = ROOM
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        begun = await begin(ana, "bo", "cy", "dee", anchor="bo")
        over = begun.log.id.hex()
        await post(ana, b"one")
        await w.until(has(dee, over, b"one"))
        await dee.stop()
        await trio.sleep(HOUR_S)
        await bo.kill()
        await trio.sleep(HOUR_S)
        await post(ana, b"two")
        await trio.sleep(PATIENCE_MS / 1000 - 120.0)
        assert (await row(ana, over))["state"] == "ok"
        await trio.sleep(240.0)
        assert (await row(ana, over))["state"] == "over"
        found = await row(ana, "moments")
        assert (found["anchor"], found["previous"], found["entries"]) == ("Cy", over, 0)
        assert await contents(ana, over) == [b"one"]  # what nobody has is taken back: its room says it again
        await post(ana, b"two, in its new place")
        await w.until(has(cy, "moments", b"two, in its new place"), 60.0)
        await dee.start()
        await w.until(has(dee, "moments", b"two, in its new place"))
        await bo.start()
        await w.until(has(bo, "moments", b"two, in its new place"))
        await nobody_is_accused(ana, bo, cy, dee)

    world.run(story, 93)


def test_a_feed_waits_where_nobody_else_is_here() -> None:
    async def story(w: World) -> None:
        w.without = ROOM
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        begun = await begin(ana, "bo", "cy", anchor="bo")
        for one in (bo, cy):
            await w.until(has(one, "moments"))
            await one.stop()
        await post(ana, b"one")
        await trio.sleep(DAY_S)
        assert (await row(ana, "moments"))["id"] == begun.log.id.hex()
        await bo.start()
        await w.until(has(bo, "moments", b"one"))
        await cy.start()
        await w.until(has(cy, "moments", b"one"))

    world.run(story, 94)


def test_a_start_with_something_old_waits_until_who_is_there_is_met() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        begun = await begin(ana, "bo", "cy", anchor="bo")
        for one in (bo, cy):
            await w.until(has(one, "moments"))
        await bo.stop()
        await trio.sleep(HOUR_S)
        await post(ana, b"one")
        await cy.stop()
        await cy.start()
        await trio.sleep(60.0)
        await ana.stop()
        await trio.sleep(DAY_S)
        await ana.start()  # cy was met after it was written, and is here
        await trio.sleep(30.0)
        await bo.start()  # and so is bo, though it took a moment
        await w.until(has(cy, "moments", b"one"))
        await trio.sleep(HOUR_S)
        assert (await row(ana, "moments"))["id"] == begun.log.id.hex()

    world.run(story, 95)
