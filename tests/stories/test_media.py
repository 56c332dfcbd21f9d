"""Files between people in a simulated world: sent, fetched, cut off, killed, forwarded, and saved as they were."""

import io
import random
import tarfile
import wave
from collections import Counter
from functools import partial
from pathlib import Path
from typing import cast

import trio
from PIL import Image

from features.media.view import MB
from lab import world
from lab.world import Person, World, befriend
from node.blobs.disk import NO_DISK
from protocol.blobs import Blob
from protocol.file import File, Shape
from store import people

SAMPLES = Path(__file__).parents[1] / "samples"
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


def test_a_link_that_is_cut_and_a_node_that_is_killed_cost_nothing_that_was_here() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        large = content(3, 60 * MB)
        await ana.call("media.send", to="bo", path=str(put(w, "large.bin", large)))
        await w.until(partial(is_in, bo, "offered"))
        one = await file_of(bo)
        await bo.call("media.get", id=one["id"])
        least = 0
        for breaks in (bo.kill, ana.kill, lambda: cut(w, bo)):
            here = await more_than(w, bo, least)
            await breaks()
            for person in (ana, bo):
                if person.node is None:
                    await person.start()
            now = (await file_of(bo))["here"]
            assert isinstance(now, int)
            assert now >= here  # what was said to be here is on the disk
            least = here
        await w.until(partial(is_in, bo, "here"), patience_s=600.0)
        assert await saved(w, bo) == large

    world.run(story, seed=2202)


async def cut(w: World, bo: Person) -> None:
    """Nobody reaches bo for a minute."""
    w.network.cut("ana", "bo")
    await trio.sleep(60.0)
    w.network.heal("ana", "bo")


async def more_than(w: World, person: Person, least: int) -> int:
    """How many pieces of his newest file a person has, once they are more than so many; they are not all."""

    async def grown() -> bool:
        """more of it is here"""
        here = (await file_of(person))["here"]
        assert isinstance(here, int)
        return here > least

    await w.until(grown)
    one = await file_of(person)
    here = one["here"]
    assert isinstance(here, int)
    assert here != one["pieces"]
    return here


def test_what_is_paused_stays_as_it_is_until_it_is_wanted_again() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await ana.call("media.send", to="bo", path=str(put(w, "large.bin", content(4, 24 * MB))))
        await w.until(partial(is_in, bo, "offered"))
        one = await file_of(bo)
        await bo.call("media.get", id=one["id"])
        await more_than(w, bo, 0)
        assert (await bo.call("media.pause", id=one["id"]))["state"] == "paused"
        before = (await file_of(bo))["here"]
        await trio.sleep(60.0)
        await bo.stop()
        await bo.start()
        await trio.sleep(60.0)
        after = await file_of(bo)
        assert (after["state"], after["here"]) == ("paused", before)
        await bo.call("media.get", id=one["id"])
        await w.until(partial(is_in, bo, "here"))

    world.run(story, seed=2203)


def test_a_file_goes_on_from_another_who_was_told_it_once_its_sender_is_gone() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        await befriend(ana, bo)
        await befriend(ana, chen)
        await befriend(bo, chen)
        large = content(5, 24 * MB)
        sent = await ana.call("media.send", to="bo", path=str(put(w, "large.bin", large)))
        await ana.call("media.forward", id=sent["id"], to="chen")
        for person in (bo, chen):
            await w.until(partial(is_in, person, "offered"))
        await bo.call("media.get", id=(await file_of(bo))["id"])
        await w.until(partial(is_in, bo, "here"))
        await chen.call("media.get", id=(await file_of(chen))["id"])
        await more_than(w, chen, 0)
        await bo.stop()
        await ana.stop()
        await trio.sleep(60.0)
        assert (await file_of(chen))["reason"] == "nobody who has it is there"
        await bo.start()
        await w.until(partial(is_in, chen, "here"), patience_s=1200.0)
        assert (await file_of(chen))["reason"] == ""
        assert await saved(w, chen) == large

    world.run(story, seed=2204)


def test_a_forwarded_file_does_not_say_who_sent_it_and_is_sealed_once() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        await befriend(ana, bo)
        await befriend(bo, chen)
        small = content(6, 300_000)
        await ana.call("media.send", to="bo", path=str(put(w, "small.bin", small)))
        await w.until(partial(is_in, bo, "here"))
        await bo.call("media.forward", id=(await file_of(bo))["id"], to="chen")
        await w.until(partial(is_in, chen, "here"))
        assert await saved(w, chen) == small
        assert len(list((w.folder / "bo.blobs").iterdir())) == 1

    world.run(story, seed=2205)


def test_a_folder_comes_as_one_archive_with_all_that_is_in_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        folder = w.folder / "trip"
        (folder / "day 1" / "empty").mkdir(parents=True)
        (folder / "day 1" / ("long name " * 20).strip()).write_bytes(b"one")
        (folder / "ü.txt").write_bytes(content(7, 1500))
        (folder / "out").symlink_to("/etc/passwd")
        sent = await ana.call("media.send", to="bo", path=str(folder))
        assert (sent["name"], sent["shape"]) == ("trip.tar", "folder")
        await w.until(partial(is_in, bo, "here"))
        with tarfile.open(fileobj=io.BytesIO(await saved(w, bo))) as archive:
            assert archive.getnames() == [
                "trip",
                "trip/day 1",
                "trip/ü.txt",
                "trip/day 1/empty",
                f"trip/day 1/{('long name ' * 20).strip()}",
            ]
            inside = archive.extractfile("trip/ü.txt")
            assert inside is not None
            assert inside.read() == content(7, 1500)

    world.run(story, seed=2206)


def test_ten_gigabytes_that_are_only_announced_take_no_room_and_many_small_ones_little() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        assert ana.node is not None
        core = ana.node.core
        (contact,) = await core.database.transact(people.contacts)
        huge = [Blob(bytes([n]) * 32, bytes(32), 10 * 1000 * MB, bytes(32)) for n in range(3)]
        small = [Blob(n.to_bytes(32, "big"), bytes(32), MB, bytes(32)) for n in range(1, 300)]
        for blob in (*huge, *small):
            await core.delivery.say(contact.id, (File(blob, "a.bin", "text/plain", Shape.FILE),))

        async def all_told() -> bool:
            """all of them were told"""
            return len(await bo.call("media.list", limit=1000)) == 302

        await w.until(all_told)
        states = Counter(one["state"] for one in await bo.call("media.list", limit=1000))
        assert states == {"offered": 302 - 64, "fetching": 64}  # 64 MB of one contact are on their way unasked
        assert not (w.folder / "bo.blobs").exists()

    world.run(story, seed=2207)


def test_a_file_that_is_recalled_or_deleted_leaves_nothing_but_the_notice() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await ana.call("media.send", to="bo", path=str(put(w, "secret name.bin", content(8, 600_000))))
        await w.until(partial(is_in, bo, "here"))
        await trio.sleep(2 * 3600.0)
        sent = (await ana.call("chat.history", to="bo"))[-1]
        assert (sent["text"], sent["file"]["bytes"]) == ("secret name.bin", 600_000)
        await ana.call("chat.react", id=sent["id"], mark="👍")
        await ana.call("chat.recall", id=sent["id"])

        async def recalled() -> bool:
            """bo has the notice"""
            return bool((await bo.call("chat.history", to="ana"))[-1]["recalled"])

        await w.until(recalled)
        for person, other in ((ana, "bo"), (bo, "ana")):
            last = (await person.call("chat.history", to=other))[-1]
            assert (last["text"], last["file"], last["reactions"]) == ("", None, ())
            assert await person.call("media.list") == []
            assert await person.call("chat.search", query="secret") == []
            await w.until(partial(no_files, person))
        await ana.call("media.send", to="bo", path=str(put(w, "second.bin", content(9, 600_000))))
        await w.until(partial(is_in, bo, "here"))
        await bo.call("chat.delete", id=(await file_of(bo))["id"])
        await w.until(partial(no_files, bo))
        assert await bo.call("media.list") == []
        assert await is_in(ana, "here")

    world.run(story, seed=2208)


async def no_files(person: Person) -> bool:
    """Nothing lies in a person's folder of files"""
    assert person.node is not None
    return person.node.core.blobs.files.all_names() == []


def test_a_forwarded_file_is_a_line_that_says_so_and_stays_when_the_first_is_recalled() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        await befriend(ana, bo)
        await befriend(ana, chen)
        small = content(10, 300_000)
        await ana.call("media.send", to="bo", path=str(put(w, "small.bin", small)))
        line = await ana.call("chat.forward", id=(await file_of(ana))["id"], to="chen")
        assert (line["contact"], line["forwarded"], line["file"]["name"]) == ("Chen", True, "small.bin")
        await ana.call("chat.recall", id=(await file_of(ana, 0))["id"])
        await w.until(partial(is_in, chen, "here"))
        assert (await chen.call("chat.history", to="ana"))[-1]["forwarded"]
        assert await saved(w, chen) == small

    world.run(story, seed=2209)


def with_gps(w: World, name: str) -> Path:
    """A picture, held sideways, that says where it was taken, by which camera, and by whom."""
    place = w.folder / name
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera of mine"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    picture = Image.new("RGB", (400, 300), (30, 120, 200))
    picture.paste((220, 40, 40), (0, 0, 200, 150))
    picture.save(place, exif=exif, comment=b"a comment of mine")
    assert b"A camera of mine" in place.read_bytes()
    return place


def test_a_picture_arrives_upright_without_where_it_was_taken_and_is_seen_before_it_is_here() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        sent = await ana.call("media.send", to="bo", path=str(with_gps(w, "holiday.jpg")))
        assert (sent["shape"], sent["mime"], sent["width"], sent["height"]) == ("picture", "image/jpeg", 300, 400)
        await w.until(partial(is_in, bo, "here"))
        one = await file_of(bo)
        preview = bytes.fromhex((await bo.call("media.preview", id=one["id"]))["webp"])
        with Image.open(io.BytesIO(preview)) as small:
            assert (small.format, small.size) == ("WEBP", (240, 320))
        assert len(str(one["blurhash"])) == 28
        data = await saved(w, bo)
        for mine in (b"A camera of mine", b"a comment of mine", b"Exif"):
            assert mine not in data
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (300, 400)
            assert dict(picture.getexif()) == {}
            red, _, blue = cast("tuple[int, int, int]", picture.getpixel((250, 50)))
            assert red > blue  # what was at the left above is at the right above
        assert not list((w.folder / "ana.blobs").glob("*.plain"))
        as_is = await ana.call("media.send", to="bo", path=str(w.folder / "holiday.jpg"), shape="file")
        assert (as_is["shape"], as_is["has_preview"]) == ("file", False)
        await w.until(partial(is_in, bo, "here", 2))
        assert await saved(w, bo, "as it was") == (w.folder / "holiday.jpg").read_bytes()

    world.run(story, seed=2210)


def test_a_video_is_seen_before_it_is_here_by_a_picture_that_its_sender_gives() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        film = put(w, "film.webm", (SAMPLES / "films" / "vp8-opus.webm").read_bytes())
        await ana.call("media.send", to="bo", path=str(film), preview=str(with_gps(w, "frame.jpg")))
        await w.until(partial(is_in, bo, "here"))
        one = await file_of(bo)
        assert (one["shape"], one["mime"], one["length_ms"]) == ("video", "video/webm", 1208)
        assert (one["width"], one["height"]) == (64, 48)  # of the video, not of the picture
        assert len(str(one["blurhash"])) == 28
        preview = bytes.fromhex((await bo.call("media.preview", id=one["id"]))["webp"])
        with Image.open(io.BytesIO(preview)) as small:
            assert (small.format, small.size) == ("WEBP", (240, 320))
        assert b"Secret" not in await saved(w, bo)
        assert not list((w.folder / "ana.blobs").glob("*.plain"))
        plain = await ana.call("media.send", to="bo", path=str(film))
        assert (plain["has_preview"], plain["blurhash"]) == (False, "")

    world.run(story, seed=2213)


def test_a_recording_shows_how_long_it_is_and_its_levels() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        place = w.folder / "note.wav"
        with wave.open(str(place), "wb") as out:
            out.setparams((1, 2, 8000, 0, "NONE", ""))
            out.writeframes(b"".join(int(n).to_bytes(2, "little") for n in range(0, 32_000, 2)))
        await ana.call("media.send", to="bo", path=str(place), shape="voice")
        await w.until(partial(is_in, bo, "here"))
        one = await file_of(bo)
        assert (one["shape"], one["mime"], one["length_ms"]) == ("voice", "audio/wav", 2000)
        levels = one["wave"]
        assert isinstance(levels, tuple)
        assert (len(levels), levels[-1]) == (64, 255)
        assert list(levels) == sorted(levels)

    world.run(story, seed=2211)


def test_a_disk_that_takes_no_file_pauses_it_and_says_so_and_it_goes_on_when_it_does() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        in_the_way = w.folder / "bo.blobs"
        in_the_way.write_bytes(b"no folder")
        small = content(11, 300_000)
        await ana.call("media.send", to="bo", path=str(put(w, "small.bin", small)))
        await w.until(partial(is_in, bo, "paused"))
        one = await file_of(bo)
        assert one["reason"] == NO_DISK
        await trio.sleep(60.0)
        assert (await file_of(bo))["state"] == "paused"
        in_the_way.unlink()
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == small

    world.run(story, seed=2212)
