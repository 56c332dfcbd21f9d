"""Seeded lives of people who share logs: writing, partitions, kills, disks that are set back, at random and for days.

However it goes: in the end all hold the same, everything that was signed and shown is there once, whatever a person was
told to be signed is there or was on a disk that was set back, and nobody is accused (invariants 5 to 8).
"""

import random
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World
from tests import depth
from tests.stories import log_kit
from tests.stories.log_kit import all_hold, circle, notes, proofs, row

NAMES = ("ana", "bo", "cy", "dee")
STEPS = 40
SEEDS = range(700, 700 + depth.WORLDS)


@dataclass
class Life:
    """What chance does to four people, and what has to be true of it."""

    world: World
    people: list[Person]
    chance: random.Random
    victim: Person  # the one whose disk is set back: of an author and his anchor never both (spine 6.6)
    signed: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    lost: set[str] = field(default_factory=set)  # was signed after a copy that was put back
    kept: dict[str, int] = field(default_factory=dict)  # who has an old disk, and how much he had signed then
    count: int = 0

    def name_of(self, reader: Person, author: Person) -> str:
        return "wall" if reader is author else f"{author.name}/wall"

    async def step(self) -> None:
        """One thing happens to somebody."""
        person = self.chance.choice(self.people)
        act = self.chance.choices(
            (self.write, self.part, self.heal, self.end, self.keep_disk, self.set_back, self.wait),
            weights=(10, 2, 3, 3, 2, 2, 3),
        )[0]
        await act(person)

    async def write(self, person: Person) -> None:
        for _ in range(self.chance.randint(1, 4) if person.node is not None else 0):
            self.count += 1
            text = f"{person.name} {self.count}"
            await person.call("logs.write", log="wall", text=text)
            self.signed[person.name].append(text)

    async def part(self, _: Person) -> None:
        names = [*NAMES]
        self.chance.shuffle(names)
        at = self.chance.randint(1, 3)
        self.world.network.partition(names[:at], names[at:])

    async def heal(self, _: Person) -> None:
        self.world.network.heal_all()

    async def end(self, person: Person) -> None:
        if person.node is None:
            await person.start()
        elif self.chance.random() < 0.5:
            await person.kill()
        else:
            await person.stop()

    async def keep_disk(self, _: Person) -> None:
        person = self.victim
        if person.node is not None:
            await person.stop()
        log_kit.keep_disk(person, "kept")
        self.kept[person.name] = len(self.signed[person.name])
        await person.start()

    async def set_back(self, _: Person) -> None:
        person = self.victim
        if person.name not in self.kept:
            return
        if person.node is not None:
            await person.kill()
        log_kit.put_disk_back(person, "kept")
        self.lost |= {*self.signed[person.name][self.kept[person.name] :]}
        await person.start()

    async def wait(self, _: Person) -> None:
        await trio.sleep(self.chance.choice((0.1, 2.0, 90.0, 4000.0)))

    async def end_well(self) -> None:
        """All cables are put back and everybody is there; then all must hold the same."""
        self.world.network.heal_all()
        for person in self.people:
            if person.node is None:
                await person.start()
        for author in self.people:
            await self.world.until(partial(self._is_whole, author), patience_s=7200.0)

    async def _is_whole(self, author: Person) -> bool:
        """all hold what its author holds, and nothing waits"""
        count = (await row(author, "wall"))["entries"]
        if count == 0:
            return True  # whether others know of it shows when there is something in it
        return await all_hold([(one, self.name_of(one, author)) for one in self.people], count)()

    async def check(self) -> None:
        """What was signed is there, once, in its order; what may be missing was on a disk that was set back."""
        for author in self.people:
            told = self.signed[author.name]
            held = await notes(self.people[0], self.name_of(self.people[0], author))
            assert len(held) == len({*held}), f"something of {author.name} stands twice"
            assert {*told} - {*held} <= self.lost
            assert {*held} <= {*told}
            firm = [text for text in held if text not in self.lost]
            assert firm == [text for text in told if text in {*firm}]
        for person in self.people:
            found = await proofs(person)
            assert (found["proofs"], found["doubts"]) == ([], [])


@pytest.mark.depth
@pytest.mark.parametrize("seed", SEEDS)
def test_however_it_goes_all_end_equal_and_nobody_is_accused(seed: int) -> None:
    async def story(w: World) -> None:
        people = await circle(w, *NAMES)
        for author in people:
            readers = [one for one in NAMES if one != author.name]
            await author.call("logs.begin", name="wall", readers=readers)
        chance = random.Random(seed)
        life = Life(w, people, chance, chance.choice(people))
        for _ in range(STEPS):
            await life.step()
        await life.end_well()
        await life.check()

    world.run(story, seed)
