"""Who knows of whom that they are contacts: three who all know each other, and a fourth whom only one knows."""

from collections.abc import Awaitable, Callable

import trio

from lab import world
from lab.world import Person, World, befriend
from store import mutual, people
from store.database import Tx
from tests.stories import log_kit

NAMES = ("ana", "bo", "chen", "dee")
Known = dict[str, dict[str, tuple[str, ...]]]

WANTED: Known = {
    "ana": {"bo": ("chen",), "chen": ("bo",), "dee": ()},
    "bo": {"ana": ("chen",), "chen": ("ana",)},
    "chen": {"ana": ("bo",), "bo": ("ana",)},
    "dee": {"ana": ()},
}


def shown(tx: Tx) -> dict[str, tuple[str, ...]]:
    """The contacts of a node by name, and which of them are contacts of each."""
    names = {one.id: one.name.casefold() for one in people.contacts(tx)}
    return {name: tuple(sorted(names[other] for other in mutual.of(tx, id_))) for id_, name in names.items()}


def all_know(everybody: list[Person], wanted: Known) -> Callable[[], Awaitable[bool]]:
    """The question whether each knows of each of his contacts who else is one of his."""

    async def so() -> bool:
        """all know who is a contact of whom"""
        found = {one.name: await one.node.core.database.transact(shown) for one in everybody if one.node is not None}
        return found == {one.name: wanted[one.name] for one in everybody}

    return so


async def begin(one: Person, reader: str) -> None:
    """Writes something, so that there is something in the spine."""
    await one.call("logs.begin", name="trip", readers=[reader], anchor=reader)
    await one.call("logs.write", log="trip", text="one")


def test_contacts_of_each_other_are_known_also_after_a_restart_and_nobody_else_is() -> None:
    async def story(w: World) -> None:
        everybody = await log_kit.circle(w, "ana", "bo", "chen")
        dee = await w.person("dee")
        await befriend(everybody[0], dee)
        everybody.append(dee)
        for one in everybody:
            await begin(one, "dee" if one is everybody[0] else "ana")
        await w.until(all_know(everybody, WANTED))
        await trio.sleep(600.0)
        assert await all_know(everybody, WANTED)()
        for one in everybody:
            await one.stop()
        for one in everybody:
            await one.start()
            assert await all_know([one], WANTED)()

    world.run(story, seed=7)


def test_who_blocks_a_mutual_contact_is_none_any_more() -> None:
    async def story(w: World) -> None:
        everybody = await log_kit.circle(w, "ana", "bo", "chen")
        ana, bo, chen = everybody
        for one in everybody:
            await begin(one, "bo" if one is ana else "ana")
        await w.until(all_know(everybody, {**WANTED, "ana": {"bo": ("chen",), "chen": ("bo",)}}))
        await chen.call("contacts.block", name="bo")

        async def parted() -> bool:
            """ana knows that chen has left out bo"""
            assert ana.node is not None
            return await ana.node.core.database.transact(shown) == {"bo": (), "chen": ()}

        await w.until(parted)
        assert chen.node is not None
        assert (await chen.node.core.database.transact(shown))["ana"] == ()
        await bo.stop()

    world.run(story, seed=8)
