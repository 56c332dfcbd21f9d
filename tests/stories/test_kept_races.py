"""Files at keepers where one thing stands in the way of another: none is held up, forgotten or left lying."""

import os
from functools import partial

import trio

from features.media.view import MB
from lab import world
from lab.world import Person, World, befriend
from node.blobs.files import Files
from node.network import Stream
from protocol import deposit
from protocol.keep import Status
from store import blobs, leaving
from store.database import Tx
from tests.stories.crowd_kit import has_lines
from tests.stories.false_keepers import always, false_keeper, used
from tests.stories.stranger_kit import core_of
from tests.stories.test_kept_files import (
    LENGTH,
    PIECES,
    at_keeper,
    configure,
    is_empty,
    is_kept,
    left,
    says,
    three,
)
from tests.stories.test_media import content, file_of, is_in, put, saved


async def send(w: World, person: Person, name: str, seed: int, length: int = LENGTH) -> None:
    """A file for bo."""
    await person.call("media.send", to="bo", path=str(put(w, name, content(seed, length))))


async def is_lying(person: Person, number: int, state: str) -> bool:
    """so it stands with one of the files of a person"""
    return str((await file_of(person, number))["keeping"]) == state


def test_what_is_recalled_for_one_is_taken_back_although_another_was_told_it_too() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await befriend(ana, chen)
        await bo.stop()
        await left(w, ana)
        one = await file_of(ana)
        await ana.call("chat.forward", id=one["id"], to="chen")
        await ana.call("chat.forward", id=one["id"], to="bo")
        again = await file_of(ana)
        await ana.call("chat.recall", id=again["id"])
        await trio.sleep(600.0)
        assert len(at_keeper(w)) == 1  # another message to bo still tells it
        await ana.call("chat.recall", id=one["id"])
        await w.until(partial(is_empty, w))
        assert (await file_of(ana))["state"] == "here"

    world.run(story, seed=2401)


def test_what_lies_there_for_somebody_who_was_blocked_since_can_be_taken_back() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await bo.stop()
        await left(w, ana)
        await ana.call("contacts.block", name="bo")
        await trio.sleep(600.0)
        assert len(at_keeper(w)) == 1
        await ana.call("media.leave", id=(await file_of(ana))["id"], withdraw=True)
        await w.until(partial(is_empty, w))

    world.run(story, seed=2408)


def test_of_what_several_keepers_say_a_person_is_told_what_helps() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dana, emil = await three(w, "chen", "dana", "emil")
        await configure(chen, "keeper.files", "5")
        await configure(dana, "keeper.files", "0")
        await bo.stop()
        await emil.stop()
        await send(w, ana, "film.bin", 80)
        await w.until(partial(says, ana, "takes no file so large"))
        await configure(chen, "keeper.files", "0")
        await w.until(partial(says, ana, "no keeper of theirs that takes files is reached"), patience_s=3600.0)

    world.run(story, seed=2409)


def test_a_file_that_the_disk_of_its_sender_has_lost_or_changed_keeps_no_other_back() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await bo.stop()
        await chen.stop()
        folder = w.folder / "ana.blobs"
        for number in range(3):
            there = set(os.listdir(folder)) if folder.is_dir() else set()
            await send(w, ana, f"film-{number}.bin", 20 + number)
            (name,) = set(os.listdir(folder)) - there
            if number == 0:
                os.unlink(folder / name)
            if number == 1:
                Files(folder).write(name, [(1, bytes(262_160))])
        await w.until(partial(says, ana, "is reached"))
        await chen.start()
        await w.until(partial(is_lying, ana, 2, "kept"), patience_s=3600.0)
        assert [(await file_of(ana, number))["keeping"] for number in range(2)] == ["wanted", "wanted"]

        async def is_said() -> bool:
            """a person is told that the first is gone"""
            return "not all of it is here" in str((await file_of(ana, 0))["keep_reason"])

        await w.until(is_said, patience_s=3600.0)

    world.run(story, seed=2402)


def test_a_file_does_not_wait_as_long_as_another_that_nobody_takes() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await configure(chen, "keeper.files", "8")
        await bo.stop()
        await send(w, ana, "large.bin", 30, 5 * MB)
        await w.until(partial(says, ana, "takes no file so large"))
        await trio.sleep(6 * 3600.0)  # by now it is tried every two hours
        await chen.stop()
        await send(w, ana, "film.bin", 31)
        await w.until(partial(says, ana, "is reached"))
        await chen.start()
        await w.until(partial(is_kept, ana), patience_s=100.0)

    world.run(story, seed=2412)


def test_what_is_recalled_while_it_is_announced_takes_no_room_at_the_keeper() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await bo.stop()
        database = core_of(chen).keeping.database
        await send(w, ana, "film.bin", 40)
        for _ in range(20_000):  # nobody says so there
            if await database.read(_announced):
                break
            await trio.sleep(0.0005)
        assert await core_of(ana).database.read(_nothing_noted)
        await ana.call("chat.recall", id=(await file_of(ana))["id"])
        await trio.sleep(60.0)
        assert await database.read(_announced) == 0

    world.run(story, seed=2404)


def _announced(tx: Tx) -> int:
    (count,) = tx.one("SELECT COUNT(*) FROM deposit") or (0,)
    return int(count)


def _nothing_noted(tx: Tx) -> bool:
    return tx.one("SELECT sender FROM leaving") == (b"",)


async def told_by_two(w: World) -> tuple[Person, Person, Person, Person, bytes]:
    """ana, bo, chen, and dana who has a file of ana's; both know bo, who is away, and at whom chen keeps for him."""
    ana, bo, chen = await three(w)
    dana = await w.person("dana")
    await befriend(dana, bo)
    await befriend(ana, dana)
    await w.until(partial(has_lines, dana, bo, 1))
    await bo.stop()
    data = content(50, 15 * MB)
    await ana.call("media.send", to="dana", path=str(put(w, "film.bin", data)))
    await w.until(partial(_has, dana, 1))
    await dana.call("media.get", id=(await file_of(dana))["id"])
    await w.until(partial(is_in, dana, "here"))
    await ana.call("chat.forward", id=(await file_of(ana))["id"], to="bo")
    return ana, bo, chen, dana, data


async def comes_from_the_keeper(w: World, bo: Person, data: bytes) -> None:
    """The file of both of them, who are away."""
    await bo.start()
    await w.until(partial(_has, bo, 2))
    await bo.call("media.get", id=(await file_of(bo))["id"])
    await w.until(partial(is_in, bo, "here", 2), patience_s=600.0)
    assert await saved(w, bo) == data


def test_a_part_that_one_has_left_does_not_hide_the_whole_file_of_another() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen, dana, data = await told_by_two(w)

        async def begun() -> bool:
            """some of it lies there"""
            return int(str((await file_of(ana))["kept"])) > 8

        await w.until(begun)
        await ana.stop()
        await dana.call("chat.forward", id=(await file_of(dana))["id"], to="bo")
        await w.until(partial(is_kept, dana, pieces=58))
        await dana.stop()
        await comes_from_the_keeper(w, bo, data)

    world.run(story, seed=2405)


def test_who_leaves_something_else_under_his_name_keeps_nobody_from_what_another_left() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dana, data = await told_by_two(w)
        await w.until(partial(is_kept, ana, pieces=58))
        await dana.call("chat.forward", id=(await file_of(dana))["id"], to="bo")
        await w.until(partial(is_kept, dana, pieces=58))
        await ana.stop()
        await dana.stop()
        await core_of(chen).keeping.database.transact(_is_another_at_first)
        await comes_from_the_keeper(w, bo, data)

    world.run(story, seed=2411)


def _is_another_at_first(tx: Tx) -> None:
    """What ana has left has a manifest of other pieces."""
    tx.execute("UPDATE deposit SET manifest = zeroblob(length(manifest)) WHERE id = (SELECT MIN(id) FROM deposit)")


async def _has(person: Person, count: int) -> bool:
    """so many messages tell files"""
    found = await person.call("media.list")
    return len(found) == count


def test_a_file_that_comes_to_the_keeper_after_its_message_is_fetched_soon() -> None:
    """They are there at one time, and reach only the keeper."""

    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await configure(ana, "media.keep", "0")
        w.network.cut("ana", "bo")
        await send(w, ana, "film.bin", 60)
        await w.until(partial(is_in, bo, "fetching"), patience_s=3600.0)
        await trio.sleep(20.0)  # the keeper was asked, and has nothing
        await ana.call("media.leave", id=(await file_of(ana))["id"])
        await w.until(partial(is_kept, ana))
        assert (await file_of(bo))["here"] == 0
        await w.until(partial(is_in, bo, "here"), patience_s=90.0)
        assert (await file_of(bo))["pieces"] == PIECES
        assert await saved(w, bo) == content(60, LENGTH)

    world.run(story, seed=2406)


def test_a_keeper_that_breaks_is_not_told_again_at_every_piece_of_another_file() -> None:
    async def story(w: World) -> None:
        bo = await w.person("bo")
        async with false_keeper(w, always(Status.OK)) as keeper:
            streams: list[Stream] = []

            async def accept(_protocol: str, stream: Stream) -> None:
                streams.append(stream)
                await stream.aclose()

            keeper.host.serve((deposit.PROTOCOL,), accept)
            keeper_id = await used(bo, keeper)
            await core_of(bo).database.transact(leaving.found, keeper_id, b"n" * 16, 4711, 3)
            for _ in range(60):
                await core_of(bo).database.transact(lambda tx: tx.changed(blobs.CHANGED, 4711))
                await trio.sleep(1.0)
            assert len(streams) == 1
            await trio.sleep(400.0)
            assert len(streams) == 2

    world.run(story, seed=2407)
