"""Files between people in a simulated world: sent, fetched, cut off, killed, forwarded, and saved as they were."""

import random
from functools import partial
from pathlib import Path

from features.media.view import MB
from lab import world
from lab.world import Person, World, befriend

MORE = 9 * MB  # more than what is fetched without asking


def content(seed: int, length: int) -> bytes:
    """Bytes of that length, the same for a seed."""
    return random.Random(seed).randbytes(length)


def put(w: World, name: str, data: bytes) -> Path:
    """A file of a person in this world."""
    place = w.folder / name
    place.write_bytes(data)
    return place


def read(file: str) -> bytes:
    """What is in a file."""
    return Path(file).read_bytes()


async def file_of(person: Person, number: int = -1) -> dict[str, object]:
    """One of the files that a person sees, the newest where nothing is said."""
    return dict((await person.call("media.list"))[number])


async def is_in(person: Person, state: str, count: int = 1) -> bool:
    """So many of a person's files are in that state"""
    return [one["state"] for one in await person.call("media.list")].count(state) >= count


async def saved(w: World, person: Person, name: str = "saved") -> bytes:
    """What the newest file of a person is when it is saved."""
    folder = w.folder / f"{person.name}-{name}"
    folder.mkdir(exist_ok=True)
    one = await file_of(person)
    told = await person.call("media.save", id=one["id"], folder=str(folder))
    return read(str(told["file"]))


def test_a_small_file_comes_by_itself_and_a_large_one_when_it_is_asked_for() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        small, large = content(1, 600_000), content(2, MORE)
        await ana.call("media.send", to="bo", path=str(put(w, "small.bin", small)))
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == small
        await ana.call("media.send", to="bo", path=str(put(w, "large.bin", large)))
        await w.until(partial(is_in, bo, "offered"))
        one = await file_of(bo)
        assert (one["name"], one["bytes"], one["here"], one["mine"]) == ("large.bin", MORE, 0, False)
        await bo.call("media.get", id=one["id"])
        await w.until(partial(is_in, bo, "here", 2))
        assert await saved(w, bo) == large

        async def seen() -> bool:
            """ana sees that he has all of it"""
            mine = await file_of(ana)
            return mine["given"] == mine["pieces"]

        await w.until(seen)

    world.run(story, seed=2201)
