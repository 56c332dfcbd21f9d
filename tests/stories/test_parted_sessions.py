"""Two who are never there together, and one of them loses the sessions: by keepers alone they begin new ones."""

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from tests.stories.crowd_kit import DAY_S, HOUR_S, appoint, has_lines, states
from tests.stories.test_restores import copy_database

LONG_S = 20 * DAY_S  # longer than any bundle is good for
VISITS = 4  # of an hour each: one asks, the other begins a session, and what waited is read and receipted


async def parted(w: World) -> tuple[Person, Person]:
    """Ana and Bo, who have met once and never will again, and Kim, who keeps for both. Neither is on."""
    ana, bo, kim = [await w.person(name) for name in ("ana", "bo", "kim")]
    for first, second in ((ana, bo), (ana, kim), (bo, kim)):
        await befriend(first, second)
    for owner in (ana, bo):
        await appoint(kim, owner)
    await w.until(lambda: has_lines(ana, bo, 1))
    await w.until(lambda: has_lines(bo, ana, 1))
    await trio.sleep(HOUR_S)
    w.network.cut("ana", "bo")
    await ana.stop()
    await bo.stop()
    return ana, bo


async def visit(person: Person, *said: tuple[str, str], hours: float = 1.0) -> None:
    """Somebody is there for a while, and says (to whom, what)."""
    await person.start()
    for to, text in said:
        await person.call("chat.send", to=to, text=text)
    await trio.sleep(hours * HOUR_S)
    await person.stop()


@pytest.mark.parametrize("loses", ["ana", "bo"])
def test_two_who_never_meet_begin_anew_although_no_bundle_is_good_any_more(loses: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await parted(w)
        copy_database(w, loses, ".", "long ago")
        for n in range(3):  # so many turns that nothing which is said later can be read with what was known then
            await visit(ana, ("bo", f"to bo {n}"))
            await visit(bo, ("ana", f"to ana {n}"))
        await w.people["kim"].stop()
        await trio.sleep(LONG_S)
        await w.people["kim"].start()
        copy_database(w, loses, "long ago", ".")
        await visit(ana, ("bo", "to bo after"))
        await visit(bo, ("ana", "to ana after"))
        for _ in range(VISITS):
            await visit(ana)
            await visit(bo)
        await ana.start()
        await bo.start()
        assert "to ana after" in await texts(ana, "bo")
        assert "to bo after" in await texts(bo, "ana")
        await w.until(lambda: is_delivered(ana, "bo"))
        await w.until(lambda: is_delivered(bo, "ana"))

    world.run(story, seed=7)


async def is_delivered(sender: Person, to: str) -> bool:
    """Whether all that somebody said has arrived, as far as he knows."""
    return set(await states(sender, to)) == {"delivered"}
