"""Many people who are hardly ever there, and keep for each other: everything arrives, once, and its sender learns it.

Each is there 5 to 20 % of the time, at random. Some keepers lose all that they have, some lie. What is measured is
printed: how long mail took, what was sent and what lay on disks.
"""

import random
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from tests import depth
from tests.stories import crowd_kit
from tests.stories.crowd_kit import DAY_S, HOUR_S, appoint, has_lines

pytestmark = pytest.mark.depth

PEOPLE = (5, 12, 50)[depth.LEVEL]
FEW = (5, 8, 50)[depth.LEVEL]  # a day of a person costs a third of a second
DAYS = (1, 1, 30)[depth.LEVEL]
MESSAGES = (8, 12, 200)[depth.LEVEL]  # that each says
SHARE = (0.05, 0.20)  # of the time that somebody is there
STAY_S = HOUR_S  # the mean of one visit
CALM_DAYS = 28  # at most, in which what is under way arrives
REACH = 2  # everybody knows so many to both sides, and three of them keep for him
LOSES = 0.02  # of all visits end with the loss of what the keeper kept


@dataclass
class Snapshot:
    """What somebody's node held when it was stopped last."""

    at: float = 0.0
    heard: dict[str, int] = field(default_factory=dict)  # text -> when it arrived, ms
    twice: list[str] = field(default_factory=list)
    unfinished: int = 0
    kept_bytes: int = 0
    caught: dict[str, str] = field(default_factory=dict)  # whom its person was warned of, and why


@dataclass
class Crowd:
    """The people, what they said, and what became of it."""

    world: World
    people: list[Person]
    chance: random.Random
    liars: frozenset[str] = frozenset()
    losers: set[str] = field(default_factory=set)  # who lost what they kept
    said: dict[str, int] = field(default_factory=dict)  # text -> when, ms
    seen: dict[str, Snapshot] = field(default_factory=dict)
    inbound: dict[str, trio.Event] = field(default_factory=dict)
    peak_bytes: int = 0
    is_over: bool = False

    def friends(self, person: Person) -> list[Person]:
        at = self.people.index(person)
        return [self.people[(at + by) % len(self.people)] for by in range(-REACH, REACH + 1) if by]

    async def meet(self) -> None:
        """All are there at once, this one time."""
        pairs = sorted({tuple(sorted((one.name, other.name))) for one in self.people for other in self.friends(one)})
        for first, second in pairs:
            await befriend(self.world.people[first], self.world.people[second])
        for one in self.people:
            for other in self.friends(one)[:3]:
                await appoint(other, one)
        for first, second in pairs:
            one, other = self.world.people[first], self.world.people[second]
            await self.world.until(partial(has_lines, one, other, 2))
            await self.world.until(partial(has_lines, other, one, 2))

    async def live(self, person: Person) -> None:
        """Comes and goes."""
        share = self.chance.uniform(*SHARE)
        away_s = STAY_S * (1 - share) / share
        await self.leave(person)
        while not self.is_over:
            await trio.sleep(self.chance.expovariate(1 / away_s))
            await person.start()
            self.inbound[person.name].set()
            self.inbound[person.name] = trio.Event()
            await trio.sleep(self.chance.expovariate(1 / STAY_S))
            await self.leave(person)

    async def leave(self, person: Person) -> None:
        """Stops, or is killed; what is on the disk is noted."""
        assert person.node is not None
        await self.note(person)
        if person.name in self.liars:
            await crowd_kit.tamper(person, self.chance)
        if self.chance.random() < LOSES:
            await crowd_kit.lose(person)
            self.losers.add(person.name)
        await (person.kill() if self.chance.random() < 0.3 else person.stop())

    async def note(self, person: Person) -> None:
        """Notes what a running node holds."""
        self.seen[person.name] = await crowd_kit.snapshot(person, Snapshot(trio.current_time()))
        self.peak_bytes = max(self.peak_bytes, self.seen[person.name].kept_bytes)

    async def talk(self, person: Person, count: int) -> None:
        """Says something now and then, when he is there."""
        begun = trio.current_time()
        for moment in sorted(self.chance.uniform(begun, begun + DAYS * DAY_S) for _ in range(count)):
            await trio.sleep_until(moment)
            if person.node is None:
                await self.inbound[person.name].wait()
            friend = self.chance.choice(self.friends(person))
            text = f"{person.name} {friend.name} {len(self.said)}"
            self.said[text] = self.world.now_ms()
            await person.call("chat.send", to=friend.name, text=text)

    async def settle(self) -> float:
        """Waits until nothing is under way any more; in how many days that was."""
        begun = trio.current_time()
        while any(one.unfinished or one.at < begun for one in self.seen.values()):
            if trio.current_time() > begun + CALM_DAYS * DAY_S:
                break
            await trio.sleep(HOUR_S)
        return (trio.current_time() - begun) / DAY_S

    def report(self, calm_days: float) -> str:
        took_h = sorted(
            (at - self.said[text]) / 3_600_000 for one in self.seen.values() for text, at in one.heard.items()
        )
        if not took_h:
            return "nothing arrived"
        at = [took_h[min(len(took_h) - 1, int(len(took_h) * share))] for share in (0.1, 0.5, 0.9, 0.99, 1.0)]
        sent = self.world.network.sent_bytes
        day_bytes = sum(sent.values()) / len(self.people) / (DAYS + calm_days)
        return (
            f"{len(self.people)} people, {DAYS} days, {len(self.said)} messages, {len(took_h)} arrived;"
            f" hours to arrive: 10% {at[0]:.1f}, 50% {at[1]:.1f}, 90% {at[2]:.1f}, 99% {at[3]:.1f}, all {at[4]:.1f};"
            f" calm after {calm_days:.1f} days; {day_bytes / 1e6:.2f} MB sent a node and day;"
            f" at most {self.peak_bytes / 1e6:.2f} MB kept at one node"
        )


def _live(seed: int, count: int, liars: int = 0) -> None:
    async def story(one: World) -> None:
        chance = random.Random(seed)
        people = [await one.person(f"p{n:02}") for n in range(count)]
        crowd = Crowd(one, people, chance, frozenset(each.name for each in chance.sample(people, liars)))
        crowd.inbound = {each.name: trio.Event() for each in people}
        await crowd.meet()
        one.network.sent_bytes.clear()
        async with trio.open_nursery() as nursery:
            for person in people:
                nursery.start_soon(crowd.live, person)
            async with trio.open_nursery() as talking:
                for person in people:
                    talking.start_soon(crowd.talk, person, MESSAGES)
            calm_days = await crowd.settle()
            nursery.cancel_scope.cancel()
        for person in people:
            if person.node is not None:
                await crowd.note(person)
        print(crowd.report(calm_days))
        heard = [text for each in crowd.seen.values() for text in each.heard]
        assert sorted(heard) == sorted(crowd.said), sorted({*crowd.said} - {*heard})
        assert [each.twice for each in crowd.seen.values() if each.twice] == []
        caught = {name: why for each in crowd.seen.values() for name, why in each.caught.items()}
        assert {*caught} <= crowd.liars | crowd.losers, caught
        assert not crowd.liars or caught
        assert sum(each.unfinished for each in crowd.seen.values()) == 0

    world.run(story, seed)


def test_everything_arrives_once_although_keepers_lose_what_they_have() -> None:
    _live(1, FEW)


def test_everything_arrives_once_although_keepers_lie() -> None:
    _live(2, PEOPLE, liars=PEOPLE // 4)
