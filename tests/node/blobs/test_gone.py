"""A file of pieces that somebody took from the disk: noticed when it is opened, said, fetched again where it can be."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from features.media.view import OURS_GONE
from lab import world
from lab.world import Person, World, befriend
from store import blobs
from tests.features.kit import Faults
from tests.node.blobs.test_races import core_of
from tests.stories.test_media import MORE, content, file_of, is_in, more_than, put, saved

Harm = Callable[[Path], None]


def removed(place: Path) -> None:
    """A person has deleted it"""
    place.unlink()


def cut(place: Path) -> None:
    """It is shorter than it was"""
    os.truncate(place, 1000)


def grown(place: Path) -> None:
    """It is longer than it was"""
    with place.open("ab") as file:
        file.write(b"more")


async def pieces_of(person: Person, number: int = 1) -> Path:
    """The file of a blob."""
    row = await core_of(person).database.transact(blobs.row, number)
    assert row is not None
    return core_of(person).blobs.files.folder / row.file


async def pair(w: World, length: int) -> tuple[Person, Person, bytes]:
    """ana has sent bo a file."""
    ana, bo = await w.person("ana"), await w.person("bo")
    await befriend(ana, bo)
    data = content(51, length)
    await ana.call("media.send", to="bo", path=str(put(w, "a.bin", data)))
    await w.until(partial(is_in, bo, "here" if length < MORE else "offered"))
    return ana, bo, data


def changed(place: Path) -> None:
    """The disk gives other bytes than it was given"""
    with place.open("r+b") as file:
        file.seek(300_000)
        file.write(b"rotten")


@pytest.mark.parametrize("harm", [removed, cut, changed], ids=lambda harm: harm.__name__)
def test_what_is_saved_and_gone_is_said_and_can_be_fetched_again(harm: Harm) -> None:
    async def story(w: World) -> None:
        _, bo, data = await pair(w, 600_000)
        one, faults = await file_of(bo), Faults(bo)
        harm(await pieces_of(bo))
        assert await faults.code("media.save", id=one["id"], folder=str(w.folder)) == "media.gone"
        assert ((await file_of(bo))["state"], (await file_of(bo))["here"]) == ("offered", 0)
        await bo.call("media.get", id=one["id"])
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == data

    world.run(story, seed=2441)


@pytest.mark.parametrize("harm", [removed, cut, grown], ids=lambda harm: harm.__name__)
def test_what_is_fetched_again_and_gone_comes_again(harm: Harm) -> None:
    async def story(w: World) -> None:
        _, bo, data = await pair(w, 600_000)
        harm(await pieces_of(bo))
        assert (await bo.call("media.get", id=(await file_of(bo))["id"]))["state"] == "fetching"
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == data

    world.run(story, seed=2442)


def test_an_own_file_that_is_gone_needs_the_original_and_whoever_asks_for_it_waits() -> None:
    async def story(w: World) -> None:
        ana, bo, data = await pair(w, MORE)
        chen = await w.person("chen")
        await befriend(ana, chen)
        mine, faults = await file_of(ana), Faults(ana)
        assert mine["reason"] == ""
        (await pieces_of(ana)).unlink()
        assert await faults.code("media.forward", id=mine["id"], to="chen") == "media.gone"
        assert ((await file_of(ana))["state"], (await file_of(ana))["reason"]) == ("offered", OURS_GONE)
        await ana.call("media.send", to="bo", path=str(put(w, "b.bin", data)))
        await w.until(partial(is_in, bo, "offered", 2))
        (await pieces_of(ana, 2)).unlink()
        await bo.call("media.get", id=(await file_of(bo))["id"])

        async def noticed() -> bool:
            """ana has been asked for it"""
            return (await file_of(ana))["reason"] == OURS_GONE

        await w.until(noticed)
        assert await is_in(bo, "fetching")
        await ana.call("media.send", to="bo", path=str(put(w, "c.bin", data)))
        (await pieces_of(ana, 3)).unlink()
        assert await faults.code("media.get", id=(await file_of(ana))["id"]) == "media.gone"

    world.run(story, seed=2443)


def test_half_a_file_that_is_gone_is_fetched_from_its_beginning() -> None:
    async def story(w: World) -> None:
        _, bo, data = await pair(w, 4 * MORE)
        one = await file_of(bo)
        await bo.call("media.get", id=one["id"])
        await more_than(w, bo, 0)
        await bo.kill()
        for place in (w.folder / "bo.blobs").iterdir():
            place.unlink()
        await bo.start()
        await w.until(partial(is_in, bo, "here"), patience_s=600.0)
        assert await saved(w, bo) == data

    world.run(story, seed=2444)
