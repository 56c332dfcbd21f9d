"""What takes room, by conversation, and the quota, in a simulated world."""

from functools import partial

import trio

from features.media import storage
from features.media.view import MB
from lab import world
from lab.world import Person, World, befriend
from store import settings
from tests.stories.test_media import content, file_of, is_in, put, saved

HOUR_S = 3600.0
DAY_S = 86_400
SMALL = 3_000_000  # takes 3,014,848 padded and sealed
TAKES = 3_014_656 + 12 * 16


async def limit(person: Person, megabytes: int) -> None:
    """As `weft config set media.quota` does."""
    assert person.node is not None
    await person.node.core.database.transact(settings.put, storage.QUOTA, str(megabytes))


async def states(person: Person) -> list[object]:
    """What the files of a person are, the oldest first."""
    return [one["state"] for one in await person.call("media.list")]


async def sends(w: World, one: Person, other: Person, seed: int, length: int = SMALL) -> None:
    """A small file, and it is there."""
    count = (await states(other)).count("here")
    await one.call("media.send", to=other.name, path=str(put(w, f"{seed}.bin", content(seed, length))))
    await w.until(partial(is_in, other, "here", count + 1))


def test_each_conversation_says_what_it_takes_and_what_can_be_fetched_again() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        await befriend(ana, bo)
        await befriend(bo, chen)
        await trio.sleep(60.0)  # whatever new contacts say to each other
        before = {one["contact"].lower(): one for one in (await bo.call("media.storage"))["conversations"]}
        for n in (1, 2):
            await sends(w, ana, bo, n)
        await bo.call("media.send", to="chen", path=str(put(w, "own.bin", content(3, SMALL))))
        await bo.call("chat.send", to="chen", text="x" * 1000)
        found = await bo.call("media.storage")
        assert [one["contact"].lower() for one in found["conversations"]] == ["ana", "chen"]
        of_ana, of_chen = found["conversations"]
        assert (of_ana["files"], of_ana["files_bytes"], of_ana["again_bytes"]) == (2, 2 * TAKES, 2 * TAKES)
        assert (of_chen["files"], of_chen["files_bytes"], of_chen["again_bytes"]) == (1, TAKES, 0)
        assert of_chen["messages"] == before["chen"]["messages"] + 2
        assert of_chen["text_bytes"] >= before["chen"]["text_bytes"] + 1000
        assert (found["files"], found["files_bytes"], found["again_bytes"]) == (3, 3 * TAKES, 2 * TAKES)
        assert (found["quota_bytes"], found["over"]) == (0, 0)
        assert found["database_bytes"] > 100_000
        assert found["free_bytes"] > 0
        assert bo.node is not None
        files = bo.node.core.blobs.files
        on_disk = sum(files.bytes_of(name) for name in files.all_names())
        assert 3 * TAKES <= on_disk <= 3 * (TAKES + 65_536)  # the last block of each is not full
        one = await bo.call("media.storage", contact="chen")
        assert one["conversations"] == [of_chen]
        await bo.call("media.forward", id=(await file_of(bo, 0))["id"], to="chen")  # she may have it from nobody else
        found = await bo.call("media.storage")
        assert (found["files"], found["files_bytes"], found["again_bytes"]) == (3, 3 * TAKES, TAKES)
        assert [one["files"] for one in found["conversations"]] == [2, 2]
        await bo.call("contacts.block", name="ana")
        assert (await bo.call("media.storage"))["again_bytes"] == 0  # who is blocked gives nothing

    world.run(story, seed=2321)


def test_messages_are_counted_over_all_slices() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        before = (await ana.call("media.storage"))["conversations"][0]["messages"]
        assert ana.node is not None
        more = "INSERT INTO message SELECT seq + ?, randomblob(16), contact, device, kind, state, at_ms, arrived_ms,"
        more += " state_ms, reason, body FROM message WHERE seq = (SELECT MIN(seq) FROM message)"
        for away in (storage.SLICE, storage.SLICE - 1, 3 * storage.SLICE):
            await ana.node.core.database.transact(lambda tx, n: tx.execute(more, (n,)), away)
        assert (await ana.call("media.storage"))["conversations"][0]["messages"] == before + 3

    world.run(story, seed=2322)


def test_beyond_the_quota_the_longest_unused_goes_and_can_be_fetched_again() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        for n in range(4):
            await sends(w, ana, bo, n)
            await trio.sleep(60.0)
        await saved_at(w, bo, 0)  # the oldest is not the longest unused
        await limit(bo, 7)
        await trio.sleep(HOUR_S / 2)
        assert await states(bo) == ["here"] * 4  # whoever fetched them may be about to save them
        await trio.sleep(HOUR_S)
        assert await states(bo) == ["here", "offered", "offered", "here"]
        found = await bo.call("media.storage")
        assert (found["files_bytes"], found["quota_bytes"], found["over"]) == (2 * TAKES, 7 * MB, 0)
        assert bo.node is not None
        assert len(bo.node.core.blobs.files.all_names()) == 2
        one = await file_of(bo, 1)
        await bo.call("media.get", id=one["id"])
        await w.until(partial(is_in, bo, "here", 3))
        await trio.sleep(HOUR_S / 2)
        place = w.folder / "again"
        place.mkdir()
        told = await bo.call("media.save", id=one["id"], folder=str(place))
        assert (place / "1.bin").read_bytes() == content(1, SMALL)
        assert told["bytes"] == SMALL
        await trio.sleep(2 * HOUR_S)
        assert await states(bo) == ["here", "here", "offered", "offered"]

    world.run(story, seed=2323)


async def saved_at(w: World, person: Person, number: int) -> None:
    """A person saves one of the files."""
    place = w.folder / "saved"
    place.mkdir()
    await person.call("media.save", id=(await file_of(person, number))["id"], folder=str(place))


def test_what_is_ours_was_forwarded_or_has_a_star_stays_and_the_rest_is_said() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        await befriend(ana, bo)
        await befriend(bo, chen)
        for n in range(3):
            await sends(w, ana, bo, n)
        await sends(w, bo, ana, 4)
        await ana.call("chat.forward", id=(await file_of(ana))["id"], to="bo")  # it comes back to who made it
        await w.until(partial(has_files, bo, 5))
        await bo.call("chat.delete", id=(await file_of(bo, 3))["id"])
        await bo.call("media.forward", id=(await file_of(bo, 0))["id"], to="chen")
        await bo.call("chat.star", id=(await file_of(bo, 1))["id"])
        await limit(bo, 1)
        await trio.sleep(2 * HOUR_S)
        shown = [(one["name"], one["state"]) for one in await bo.call("media.list")]
        assert shown == [
            ("0.bin", "here"),
            ("1.bin", "here"),
            ("2.bin", "offered"),
            ("4.bin", "here"),
            ("0.bin", "here"),
        ]
        found = await bo.call("media.storage")
        assert (found["again_bytes"], found["over"]) == (0, 3 * TAKES - MB)
        await bo.call("chat.star", id=(await file_of(bo, 0))["id"])
        await bo.call("chat.unstar", id=(await file_of(bo, 1))["id"])
        await limit(bo, 2)
        await trio.sleep(60.0)
        assert await states(bo) == ["here", "offered", "offered", "here", "here"]
        await limit(bo, 0)
        await sends(w, ana, bo, 5)
        await trio.sleep(3 * HOUR_S)
        assert (await states(bo))[-1] == "here"  # there is no quota any more

    world.run(story, seed=2324)


async def has_files(person: Person, count: int) -> bool:
    """So many files were told"""
    return len(await person.call("media.list")) == count


def test_a_file_that_is_larger_than_the_quota_can_still_be_fetched_and_saved() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await limit(bo, 1)
        await ana.call("media.send", to="bo", path=str(put(w, "large.bin", content(1, 9 * MB))))
        await w.until(partial(is_in, bo, "offered"))
        await ana.stop()
        await bo.call("media.get", id=(await file_of(bo))["id"])
        await trio.sleep(3 * HOUR_S)  # it was told and asked for long ago
        await ana.start()
        await w.until(partial(is_in, bo, "here"))
        await trio.sleep(HOUR_S * 3 / 4)
        assert await states(bo) == ["here"]
        await bo.call("media.get", id=(await file_of(bo))["id"])  # who asks for what is here wants it too
        await trio.sleep(HOUR_S / 2)
        assert await saved(w, bo) == content(1, 9 * MB)
        await trio.sleep(2 * HOUR_S)
        assert await states(bo) == ["offered"]

    world.run(story, seed=2325)


def test_files_of_one_conversation_go_after_a_time_and_those_of_others_stay() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        for other in (ana, chen):
            await befriend(other, bo)
        await befriend(ana, chen)
        share = await bo.call("media.keep", to="ana", seconds=2 * DAY_S)
        assert (share["contact"].lower(), share["keep_s"], share["files"]) == ("ana", 2 * DAY_S, 0)
        for n in (1, 2):
            await sends(w, ana, bo, n)
        await sends(w, chen, bo, 3)
        await ana.call("media.forward", id=(await file_of(ana))["id"], to="chen")
        await w.until(partial(is_in, chen, "here", 2))
        await chen.call("media.forward", id=(await file_of(chen))["id"], to="bo")  # so it is in two conversations
        await w.until(partial(has_files, bo, 4))
        await sends(w, bo, ana, 4)
        await w.pass_for(bo, seconds=1.5 * DAY_S)
        await sends(w, ana, bo, 5)
        assert await states(bo) == ["here"] * 6
        await w.pass_for(bo, seconds=0.6 * DAY_S)
        assert await states(bo) == ["offered", "here", "here", "here", "here", "here"]
        await w.pass_for(bo, seconds=1.5 * DAY_S)
        assert await states(bo) == ["offered", "here", "here", "here", "here", "offered"]
        assert (await bo.call("media.keep", to="chen", seconds=5 * DAY_S))["keep_s"] == 5 * DAY_S
        await trio.sleep(60.0)
        assert await states(bo) == ["offered", "here", "here", "here", "here", "offered"]
        await w.pass_for(bo, seconds=2 * DAY_S)
        assert await states(bo) == ["offered", "offered", "offered", "offered", "here", "offered"]
        assert (await bo.call("media.keep", to="ana", seconds=0))["keep_s"] == 0
        await sends(w, ana, bo, 6)
        await w.pass_for(bo, seconds=4 * DAY_S)
        assert (await states(bo))[-1] == "here"
        kept = {one["contact"].lower(): one["keep_s"] for one in (await bo.call("media.storage"))["conversations"]}
        assert kept == {"ana": 0, "chen": 5 * DAY_S}

    world.run(story, seed=2326)
