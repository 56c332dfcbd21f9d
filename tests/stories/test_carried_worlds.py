"""Seeded lives of people who share logs and mostly meet by mail alone: a keeper is there, the others come and go.

As test_log_worlds.py has it: in the end all hold the same, and nobody is accused.
"""

import random
from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from tests import depth
from tests.stories.crowd_kit import DAY_S, HOUR_S, appoint, has_lines
from tests.stories.log_kit import circle
from tests.stories.test_log_worlds import NAMES, Life

KEEPER = "kim"
STEPS = 40
SEEDS = range(800, 800 + max(1, depth.WORLDS // 2))  # mostly dials in vain: a day of five nodes costs a minute
PATIENCE_S = 2 * DAY_S


class Apart(Life):
    """A life in which cables lead to the keeper, and only sometimes to the others."""

    async def part(self, _: Person) -> None:
        for at, name in enumerate(NAMES):
            for other in NAMES[:at]:
                self.world.network.cut(name, other)

    async def wait(self, person: Person) -> None:
        if self.chance.random() < 0.15:
            await trio.sleep(self.chance.choice((HOUR_S, 6 * HOUR_S)))
        else:
            await super().wait(person)

    async def end_well(self) -> None:
        """Nobody but the keeper is ever met again; sessions that an old disk has broken are begun anew by mail."""
        await self.part(self.victim)
        for person in self.people:
            if person.node is None:
                await person.start()
        for person in self.people:
            await self.write(person)
        for author in self.people:
            await self.world.until(partial(self._is_whole, author), patience_s=PATIENCE_S)


@pytest.mark.depth
@pytest.mark.parametrize("seed", SEEDS)
def test_however_mail_comes_all_end_equal_and_nobody_is_accused(seed: int) -> None:
    async def story(w: World) -> None:
        people = await circle(w, *NAMES)
        keeper = await w.person(KEEPER)
        for person in people:
            await befriend(keeper, person)
            await appoint(keeper, person)
        for person in people:
            for other in people:
                if person is not other:
                    await w.until(partial(has_lines, person, other, 1))
        for author in people:
            readers = [one for one in NAMES if one != author.name]
            await author.call("logs.begin", name="wall", readers=readers)
        chance = random.Random(seed)
        life = Apart(w, people, chance, chance.choice(people))
        await life.part(keeper)
        for _ in range(STEPS):
            await life.step()
        await life.end_well()
        await life.check()

    world.run(story, seed)
