"""Seeded lives of people who owe each other: see debt_life.py. `make soak`: 20 people and 10,000 payments in one."""

import random

import pytest

from lab import world
from lab.world import World
from tests import depth
from tests.stories.debt_life import Life

SEEDS = range(1300, 1300 + (1, 2, 20)[depth.LEVEL])
STEPS = (40, 150, 600)[depth.LEVEL]
CROWD = ((4, 2, 40), (6, 2, 150), (20, 3, 10_000))[depth.LEVEL]  # people, friends of each, payments


@pytest.mark.depth
@pytest.mark.parametrize("seed", SEEDS)
def test_however_it_goes_each_two_count_the_same_and_nothing_is_lost(seed: int) -> None:
    async def story(w: World) -> None:
        life = Life(w, random.Random(seed), burst=2)
        await life.begin(count=4, friends=2)
        for _ in range(STEPS):
            await life.step()
        await life.end_well()
        ends = await life.check()
        assert ends["SETTLED"] > 0

    world.run(story, seed)


@pytest.mark.depth
def test_a_crowd_ends_with_nothing_open_and_all_sums_zero() -> None:
    async def story(w: World) -> None:
        count, friends, most = CROWD
        life = Life(w, random.Random(1299), burst=count * 2)
        await life.begin(count, friends)
        while life.count < most:
            await life.step()
        await life.end_well()
        ends = await life.check()
        print(life.count, dict(ends))
        assert ends["SETTLED"] > most // 4

    world.run(story, 1299)
