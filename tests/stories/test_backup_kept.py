"""What a person finds again after a lost disk beside her messages: profile, marks, drafts; files from who has them."""

import shutil
from functools import partial
from typing import Any

from features.media.view import OURS_GONE
from lab import world
from lab.world import Person, World, befriend
from tests.features.photos import photo
from tests.stories.test_backups import kept, lose_and_restore
from tests.stories.test_conversations import settled
from tests.stories.test_media import content, file_of, is_in, put, saved

DAY_S = 86_400


async def comes_back(person: Person) -> None:
    """A backup is made, the whole disk is lost, and the backup brought to another."""
    w = person.world
    file = w.folder / f"{person.name}.weft"
    await kept(person, file)
    await person.kill()
    await lose_and_restore(person, file)
    shutil.rmtree(w.folder / f"{person.name}.blobs", ignore_errors=True)
    await person.start()


async def row(person: Person, of: str) -> dict[str, Any]:
    return dict(await person.call("chat.draft", to=of))


def test_a_profile_that_nobody_was_told_comes_back_and_is_told_then() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        place = str(put(w, "me.webp", photo(b"ana")))
        await ana.call("profile.set", about="by the sea", photo=place)
        before = await ana.call("profile.show")
        await comes_back(ana)
        after = await ana.call("profile.show")
        for key in ("name", "about", "photo"):
            assert after[key] == before[key]
        assert after["version"] > before["version"]
        bo = await w.person("bo")
        await befriend(ana, bo)

        async def told() -> bool:
            """bo has her profile"""
            (contact,) = await bo.call("contacts.list")
            return bool((await bo.call("profile.show", name=contact["name"]))["about"] == "by the sea")

        await w.until(told)

    world.run(story, seed=2451)


def test_what_was_decided_of_conversations_comes_back() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        for other in (bo, chen):
            await befriend(ana, other)
            await other.call("chat.send", to="ana", text=f"from {other.name}")
            await w.until(partial(settled, other, ana))
        draft = "half a " + "thought " * 1900
        await ana.call("chat.draft", to="bo", text=draft)
        await ana.call("chat.pin", to="bo")
        await ana.call("chat.mute", to="bo")
        await ana.call("media.keep", to="bo", seconds=30 * DAY_S)
        await ana.call("profile.remark", name="bo", text="the neighbour")
        await ana.call("profile.tag", name="bo", tag="street")
        (line,) = await ana.call("chat.history", to="chen")
        await ana.call("chat.star", id=line["id"])
        await ana.call("chat.archive", to="chen")
        await ana.call("chat.timer", to="chen", seconds=3600)
        await ana.call("chat.draft", to="chen", text="what is to be gone in an hour")
        await w.until(lambda: settled(ana, chen))
        await comes_back(ana)
        of_bo, of_chen = await row(ana, "bo"), await row(ana, "chen")
        assert (of_bo["draft"], of_bo["pinned"], of_bo["muted"]) == (draft, True, True)
        assert (await ana.call("media.keep", to="bo"))["keep_s"] == 30 * DAY_S
        assert (await ana.call("media.keep", to="chen"))["keep_s"] == 0
        marked = await ana.call("profile.show", name="the neighbour")
        assert (marked["remark"], marked["tags"]) == ("the neighbour", ["street"])
        assert [one["id"] for one in await ana.call("chat.starred")] == [line["id"]]
        assert (of_chen["timer_s"], of_chen["draft"]) == (3600, "")  # no file that lies about holds what is to be gone

    world.run(story, seed=2452)


def test_files_are_fetched_again_from_who_has_them() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        for one, other in ((ana, bo), (ana, chen), (bo, chen)):
            await befriend(one, other)
        his, hers = content(61, 600_000), content(62, 700_000)
        sent = await bo.call("media.send", to="ana", path=str(put(w, "his.bin", his)))
        await w.until(partial(is_in, ana, "here"))
        await bo.call("media.forward", id=sent["id"], to="chen")
        await ana.call("media.send", to="chen", path=str(put(w, "hers.bin", hers)))
        await w.until(partial(is_in, chen, "here", 2))
        await w.until(lambda: settled(ana, bo))
        await w.until(lambda: settled(ana, chen))
        await bo.kill()  # who sent it is not there: chen has it too
        await comes_back(ana)
        came, mine = await file_of(ana, 0), await file_of(ana, 1)
        assert (came["state"], came["here"], came["reason"], came["name"]) == ("offered", 0, "", "his.bin")
        assert (mine["state"], mine["mine"], mine["reason"]) == ("offered", True, OURS_GONE)
        for count, told in enumerate((came, mine), 1):  # her own too: he was sent it
            await ana.call("media.get", id=told["id"])
            await w.until(partial(is_in, ana, "here", count), patience_s=600.0)
        assert await saved(w, ana) == hers
        assert await saved_of(w, ana, 0) == his

    world.run(story, seed=2453)


async def saved_of(w: World, person: Person, number: int) -> bytes:
    """What a file is when it is saved."""
    folder = w.folder / "again"
    folder.mkdir()
    told = await person.call("media.save", id=(await file_of(person, number))["id"], folder=str(folder))
    return (folder / str(told["file"]).rpartition("/")[2]).read_bytes()
