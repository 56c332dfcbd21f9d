"""Files for somebody who is away lie at a keeper of his: left there, fetched from there, and never more than that."""

import os
from functools import partial
from typing import Any

import trio

from features.media.view import MB
from lab import world
from lab.world import Person, World, befriend
from node.blobs.files import Files
from protocol import blob_stream
from protocol.keep import DAY_S
from store import settings
from store.database import Tx
from tests.stories.crowd_kit import appoint, has_lines
from tests.stories.stranger_kit import core_of
from tests.stories.test_media import content, file_of, is_in, more_than, put, saved

LENGTH = 3 * MB
PIECES = 12


async def three(w: World, *keepers: str) -> tuple[Person, ...]:
    """ana and bo know each other; those who keep for bo know him, and ana does not know them."""
    ana, bo, *others = [await w.person(name) for name in ("ana", "bo", *(keepers or ("chen",)))]
    await befriend(ana, bo)
    for one in others:
        await befriend(one, bo)
        await appoint(one, bo)
    await w.until(partial(has_lines, ana, bo, len(others)))
    return ana, bo, *others


async def is_kept(person: Person, state: str = "kept", pieces: int = PIECES) -> bool:
    """so many pieces of the newest file lie at a keeper"""
    one = await file_of(person)
    return (one["keeping"], one["kept"]) == (state, pieces)


async def left(w: World, ana: Person, seed: int = 1, length: int = LENGTH, name: str = "film.bin") -> bytes:
    """What ana sends to bo, who is away; returns once all of it lies at a keeper."""
    data = content(seed, length)
    await ana.call("media.send", to="bo", path=str(put(w, name, data)))
    await w.until(partial(is_kept, ana))
    return data


def at_keeper(w: World, name: str = "chen") -> list[str]:
    """The files that somebody keeps."""
    folder = w.folder / f"{name}.keeping.files"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


async def is_empty(w: World, name: str = "chen") -> bool:
    """somebody keeps no file any more"""
    return at_keeper(w, name) == []


async def configure(person: Person, name: str, value: str) -> None:
    """As `weft config set` does."""
    await core_of(person).database.transact(settings.put, name, value)


async def says(person: Person, reason: str) -> bool:
    """a person is told why a file is not left"""
    return reason in str((await file_of(person))["keep_reason"])


def test_a_file_whose_sender_has_gone_offline_comes_from_a_keeper() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await bo.stop()
        data = await left(w, ana)
        one = await file_of(ana)
        assert (one["keeper"], one["given"]) == ("a keeper of Bo's", 0)
        until_ms = one["kept_until_ms"]
        assert isinstance(until_ms, int)
        assert 29.9 < (until_ms - w.now_ms()) / 1000 / DAY_S <= 30
        await ana.stop()
        await bo.start()
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == data
        await w.until(partial(is_empty, w))  # he has said that he has it
        assert (await file_of(bo))["keeping"] == ""
        assert chen.node is not None

    world.run(story, seed=2301)


def test_what_lies_at_a_keeper_and_what_a_contact_has_make_one_file() -> None:
    """The keeper has half of it when the sender is gone; the rest comes from him when he is back."""

    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await bo.stop()
        data = content(2, 15 * MB)
        await ana.call("media.send", to="bo", path=str(put(w, "half.bin", data)))

        async def begun() -> bool:
            """some of it lies there"""
            return int(str((await file_of(ana))["kept"])) > 8

        await w.until(begun)
        await ana.kill()
        await bo.start()
        await w.until(lambda: _is_offered(bo))
        await bo.call("media.get", id=(await file_of(bo))["id"])
        here = await more_than(w, bo, 7)
        await trio.sleep(120.0)
        one = await file_of(bo)
        assert one["here"] != one["pieces"]
        assert (one["keeping"], one["keeper"]) == ("kept", "chen")
        await ana.start()
        await w.until(partial(is_in, bo, "here"), patience_s=1200.0)
        assert here
        assert await saved(w, bo) == data
        await w.until(partial(is_empty, w))

    world.run(story, seed=2302)


async def _is_offered(person: Person) -> bool:
    """a file was told"""
    return bool(await person.call("media.list"))


def test_a_keeper_that_gives_something_else_is_left_and_the_file_comes_from_elsewhere() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await bo.stop()
        data = await left(w, ana, seed=3)
        await ana.stop()
        (name,) = at_keeper(w)
        Files(w.folder / "chen.keeping.files").write(name, [(place, bytes(262_160)) for place in range(3, 6)])
        await bo.start()
        await w.until(partial(_is_offered, bo))
        await more_than(w, bo, 0)
        await trio.sleep(3600.0)
        one = await file_of(bo)
        assert one["state"] == "fetching"
        assert int(str(one["here"])) < PIECES
        assert [len(who) for who in core_of(bo).blobs._false.values()] == [1]  # it is asked for nothing more of it
        await ana.start()
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == data

    world.run(story, seed=2303)


def test_who_keeps_no_files_or_has_no_room_says_so_and_another_takes_it() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dana = await three(w, "chen", "dana")
        await configure(chen, "keeper.files", "0")
        await configure(dana, "keeper.files", "5")
        await bo.stop()
        await ana.call("media.send", to="bo", path=str(put(w, "film.bin", content(4, LENGTH))))
        await w.until(partial(says, ana, "takes no file"))
        assert (at_keeper(w), at_keeper(w, "dana")) == ([], [])
        await configure(dana, "keeper.files", "8")
        await w.until(partial(is_kept, ana), patience_s=3600.0)
        assert (at_keeper(w), len(at_keeper(w, "dana"))) == ([], 1)
        await ana.call("media.send", to="bo", path=str(put(w, "more.bin", content(5, LENGTH))))
        await w.until(partial(says, ana, "no room for more files"))
        await bo.start()
        await w.until(partial(is_in, bo, "here", 2))
        await w.until(partial(is_empty, w, "dana"))

    world.run(story, seed=2304)


def test_what_nobody_fetches_is_gone_after_a_month() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await bo.stop()
        await left(w, ana, seed=6)
        await ana.stop()
        await trio.sleep(29 * DAY_S)
        assert len(at_keeper(w)) == 1
        await trio.sleep(1.5 * DAY_S)
        assert at_keeper(w) == []
        await ana.start()
        await w.until(partial(is_kept, ana, "", 0))

    world.run(story, seed=2305)


def test_a_keeper_that_is_killed_between_pieces_loses_nothing_that_it_acknowledged() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await bo.stop()
        data = content(7, 15 * MB)
        await ana.call("media.send", to="bo", path=str(put(w, "film.bin", data)))
        seen = 0
        for _ in range(4):

            async def grown(least: int = seen) -> bool:
                """more of it lies there"""
                return int(str((await file_of(ana))["kept"])) > least

            await w.until(grown, patience_s=1200.0)
            seen = int(str((await file_of(ana))["kept"]))
            await chen.kill()
            await chen.start()
            assert await _pieces_at(chen) >= seen
        await w.until(partial(is_kept, ana, pieces=58), patience_s=3600.0)
        await ana.stop()
        await bo.start()
        await w.until(partial(_is_offered, bo))
        await bo.call("media.get", id=(await file_of(bo))["id"])
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == data

    world.run(story, seed=2306)


async def _pieces_at(keeper: Person) -> int:
    """How many pieces a keeper says that it has."""
    keeping = core_of(keeper).keeping
    await keeping.usage()

    def look(tx: Tx) -> int:
        (bits,) = tx.one("SELECT bits FROM deposit") or (b"",)
        return blob_stream.bits_of(bits).bit_count()

    count: int = await keeping.database.read(look)
    return count


def test_what_is_left_goes_where_it_is_not_needed_any_more() -> None:
    """A message that is forgotten, a file that its reader got from the sender, one that is taken back by hand."""

    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await bo.stop()
        await left(w, ana, seed=8)
        one = await file_of(ana)
        assert (await ana.call("media.leave", id=one["id"], withdraw=True))["keeping"] == "ending"
        await w.until(partial(is_empty, w))
        assert (await file_of(ana))["keeping"] == ""
        assert (await ana.call("media.leave", id=one["id"]))["keeping"] == "wanted"
        await w.until(partial(is_kept, ana))
        await ana.call("chat.recall", id=one["id"])
        await w.until(partial(is_empty, w))
        assert await core_of(ana).database.read(_rows) == 0

    world.run(story, seed=2307)


def test_what_is_taken_back_while_it_is_left_goes_no_further() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await bo.stop()
        await ana.call("media.send", to="bo", path=str(put(w, "film.bin", content(11, 15 * MB))))

        async def begun() -> bool:
            """some of it lies there"""
            return int(str((await file_of(ana))["kept"])) > 8

        await w.until(begun)
        await ana.call("media.leave", id=(await file_of(ana))["id"], withdraw=True)
        await w.until(partial(is_empty, w))
        assert w.network.sent_bytes["ana"] < 10 * MB

    world.run(story, seed=2311)


def _rows(tx: Tx) -> int:
    (count,) = tx.one("SELECT COUNT(*) FROM leaving") or (0,)
    return int(count)


def test_a_large_file_is_left_when_a_person_says_so_and_none_where_it_is_not_wanted() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen = await three(w)
        await configure(ana, "media.keep", "1")
        await bo.stop()
        await ana.call("media.send", to="bo", path=str(put(w, "film.bin", content(9, LENGTH))))
        await trio.sleep(600.0)
        one = await file_of(ana)
        assert (one["keeping"], at_keeper(w)) == ("", [])
        await ana.call("media.leave", id=one["id"])
        await w.until(partial(is_kept, ana))

    world.run(story, seed=2308)


def test_who_is_here_again_fetches_from_the_sender_and_nothing_more_is_left() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        await bo.stop()
        await chen.stop()
        await ana.call("media.send", to="bo", path=str(put(w, "film.bin", content(10, LENGTH))))
        await w.until(partial(says, ana, "is reached"))
        await bo.start()
        await w.until(partial(is_in, bo, "here"))

        async def settled() -> bool:
            """nothing of it is to be left any more"""
            rows: int = await core_of(ana).database.read(_rows)
            return rows == 0

        await w.until(settled)
        await chen.start()
        await trio.sleep(600.0)
        assert at_keeper(w) == []

    world.run(story, seed=2309)


def test_the_rows_of_what_is_left_are_found_by_an_index() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")

        def plans(tx: Tx) -> str:
            asked: list[tuple[str, tuple[Any, ...]]] = [
                ("SELECT id FROM leaving WHERE contact = ? AND state != ?", (1, 1)),
                ("SELECT id FROM leaving WHERE blob = ? AND contact = ?", (1, 1)),
                ("SELECT keeper FROM left_for_us WHERE blob = ?", (1,)),
            ]
            return " ".join(str(row) for sql, params in asked for row in tx.all(f"EXPLAIN QUERY PLAN {sql}", params))

        assert "SCAN" not in await core_of(ana).database.read(plans)

    world.run(story, seed=2310)
