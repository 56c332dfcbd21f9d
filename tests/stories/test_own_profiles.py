"""Two people change how they present themselves, at random, on a bad network; each sees the newest in the end."""

import base64
import random

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from tests import depth
from tests.features.photos import photo

STEPS = 25


async def agree(one: Person, other: Person) -> bool:
    """each shows the other's newest profile"""
    for person, friend in ((one, other), (other, one)):
        if person.node is None or friend.node is None:
            return False
        seen, mine = await person.call("profile.show", name=friend.name), await friend.call("profile.show")
        for part in ("announced", "about", "photo", "version"):
            if seen[part] != mine[part]:
                return False
        if mine["photo"] and await person.call("profile.photo", name=friend.name) != await friend.call("profile.photo"):
            return False
    return True


async def change(w: World, person: Person, chance: random.Random, n: int) -> None:
    """One more version, of some of its parts."""
    what: dict[str, str] = {"about": f"{person.name} at step {n}"}
    if chance.random() < 0.3:
        what["name"] = f"{person.name} {n}"
    if chance.random() < 0.3:
        place = w.folder / f"{person.name}.webp"
        place.write_bytes(photo(chance.randbytes(chance.randrange(32_000))))
        what["photo"] = str(place)
    elif chance.random() < 0.2:
        what["photo"] = ""
    await person.call("profile.set", **what)


@pytest.mark.parametrize("seed", range(410, 410 + depth.WORLDS))
def test_whatever_happens_each_shows_the_others_newest(seed: int) -> None:
    chance = random.Random(seed)

    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        w.network.loss, w.network.delay, w.network.replay = 0.05, (0.001, 2.0), 0.3
        for n in range(STEPS):
            person = chance.choice((ana, bo))
            match chance.randrange(6):
                case 0:
                    w.network.cut("ana", "bo")
                case 1:
                    w.network.heal("ana", "bo")
                case 2:
                    await person.kill()
                    await person.start()
                case _:
                    await change(w, person, chance, n)
            await trio.sleep(chance.choice((0, 0.1, 3, 60)))
        w.network.heal_all()
        w.network.loss = 0.0
        await w.until(lambda: agree(ana, bo), patience_s=7200)
        for person in (ana, bo):
            assert person.node is not None
            (count,) = await person.node.core.database.transact(
                lambda tx: tx.one("SELECT COUNT(*) FROM message WHERE kind = 410") or (0,)
            )
            assert count <= 2  # his newest and ours: older ones are kept nowhere

    world.run(story, seed)


def test_the_photo_that_came_is_the_one_that_was_sent() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        place = w.folder / "me.webp"
        place.write_bytes(photo(bytes(32 * 1024 - 25)))
        assert (await ana.call("profile.set", photo=str(place)))["photo"] == 32 * 1024
        await w.until(lambda: agree(ana, bo))
        seen = await bo.call("profile.photo", name="ana")
        assert base64.b64decode(seen["webp"]) == place.read_bytes()

    world.run(story, seed=409)
