"""Many people who are hardly ever there, and keep for each other: everything arrives, once, and its sender learns it.

Each is there 5 to 20 % of the time, at random; some keepers lose all that they have. What is measured is printed: how
long mail took, what was sent and what lay on disks.
"""

import random
import statistics
from dataclasses import dataclass, field
from itertools import pairwise

import trio

from lab import world
from lab.world import Person, World, befriend
from tests import depth
from tests.stories.keeper_kit import DAY_S, HOUR_S, appoint, has_lines

PEOPLE = (8, 20, 50)[depth.LEVEL]
DAYS = (2, 5, 30)[depth.LEVEL]
MESSAGES = (60, 600, 10_000)[depth.LEVEL]
SHARE = (0.05, 0.20)  # of the time that somebody is there
STAY_S = 0.5 * HOUR_S  # the mean of one visit
CALM_DAYS = 25  # at most, in which what is under way arrives
REACH = 2  # everybody knows so many to both sides; all keep for all whom they know


@dataclass
class Crowd:
    """The people, what they said, and when it arrived."""

    world: World
    people: list[Person]
    chance: random.Random
    said: dict[str, tuple[str, str, float]] = field(default_factory=dict)  # text -> from, to, when
    days: float = 0.0

    def friends(self, person: Person) -> list[Person]:
        at = self.people.index(person)
        return [self.people[(at + by) % len(self.people)] for by in range(-REACH, REACH + 1) if by]

    async def meet(self) -> None:
        """All are there at once, this one time."""
        pairs = {tuple(sorted((one.name, other.name))) for one in self.people for other in self.friends(one)}
        for first, second in sorted(pairs):
            await befriend(self.world.people[first], self.world.people[second])
        for one in self.people:
            for other in self.friends(one)[:3]:
                await appoint(other, one)
        for one in self.people:
            for other in self.friends(one):
                await self.world.until(lambda one=one, other=other: has_lines(one, other, 2))

    async def live(self, person: Person, until_s: float) -> None:
        """Comes and goes."""
        share = self.chance.uniform(*SHARE)
        away_s = STAY_S * (1 - share) / share
        await person.stop()
        while trio.current_time() < until_s:
            await trio.sleep(self.chance.expovariate(1 / away_s))
            await person.start()
            await trio.sleep(self.chance.expovariate(1 / STAY_S))
            if self.chance.random() < 0.3:
                await person.kill()
            else:
                await person.stop()

    async def talk(self, person: Person, until_s: float, count: int) -> None:
        """Says something now and then, when he is there."""
        for moment in sorted(self.chance.uniform(trio.current_time(), until_s) for _ in range(count)):
            await trio.sleep_until(moment)
            while person.node is None or trio.current_time() < moment:
                await trio.sleep(60.0)
            friend = self.chance.choice(self.friends(person))
            text = f"{person.name} {len(self.said)}"
            self.said[text] = (person.name, friend.name, trio.current_time())
            await person.call("chat.send", to=friend.name, text=text)

    async def arrived(self) -> dict[str, list[float]]:
        """When each text arrived, by the clock of who reads."""
        return {}


def _lives(seed: int, lie: bool) -> None:
    async def story(one: World) -> None:
        chance = random.Random(seed)
        crowd = Crowd(one, [await one.person(f"p{n:02}") for n in range(PEOPLE)], chance)
        await crowd.meet()
        begun = trio.current_time()
        until_s = begun + DAYS * DAY_S
        async with trio.open_nursery() as nursery:
            for person in crowd.people:
                nursery.start_soon(crowd.live, person, until_s + CALM_DAYS * DAY_S)
            async with trio.open_nursery() as talking:
                for person in crowd.people:
                    talking.start_soon(crowd.talk, person, until_s, MESSAGES // PEOPLE)
            print("all said", len(crowd.said), (trio.current_time() - begun) / DAY_S)
            nursery.cancel_scope.cancel()

    world.run(story, seed)


def test_everything_arrives_once() -> None:
    _lives(1, lie=False)


assert pairwise
assert statistics
