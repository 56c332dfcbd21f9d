"""What moments do with pictures, in a simulated world with the nodes' own blobs; there are no moments yet in these."""

import io
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from PIL import Image

from features.media import storage, view
from features.media.faults import BadFile, BadPlace, BadPreview, PathNeeded, Unlooked
from features.moments import pictures
from features.moments.content import DEGREE, MEDIA_MAX, TEXT_BYTES_MAX, Post, Ref, Replace, Where
from features.moments.faults import NoPicture, TooManyPictures
from features.moments.shown import Picture
from lab import world
from lab.world import Person, World, befriend
from node.blobs.blobs import NoRoomForBlob
from node.core import Core
from node.workshop import pictures as decoder
from node.workshop.faults import Refused
from protocol import entry, record
from protocol.blobs import Blob
from protocol.faults import Malformed, UserFault
from protocol.file import PREVIEW_BYTES_MAX, File, Shape
from protocol.preview import Preview
from store import blobs, mutual, people, settings, uses
from store.database import Tx
from store.migrations import statements
from tests.features.photos import photo
from tests.stories.test_media import SAMPLES, content, file_of, put, read

HERE, AGAIN = 7, 8  # rows of moments, in a table that these tests do not have


def jpeg(seed: int, width: int = 900, height: int = 600) -> bytes:
    """A picture of noise: the worst of all for a preview."""
    raw = io.BytesIO()
    noise = random.Random(seed).randbytes(3 * width * height)
    Image.frombytes("RGB", (width, height), noise).save(raw, "JPEG", quality=60)
    return raw.getvalue()


def images(w: World, count: int) -> list[Path]:
    """So many pictures of somebody."""
    return [put(w, f"{number}.jpg", jpeg(number)) for number in range(1, count + 1)]


def core_of(person: Person) -> Core:
    """What runs at somebody's."""
    assert person.node is not None
    return person.node.core


async def in_db(person: Person, verb: Any, *args: object) -> Any:
    """In a transaction at somebody's, where there is a table of pictures."""

    def run(tx: Tx) -> Any:
        if tx.one("SELECT 1 FROM sqlite_master WHERE name = 'moment_picture'") is None:
            for statement in statements(pictures.PICTURES_SCHEMA.sql):
                tx.execute(statement)
        return verb(tx, *args)

    return await core_of(person).database.transact(run)


async def posted(w: World, person: Person, count: int, moment_id: int = HERE) -> tuple[File, ...]:
    """What a moment of somebody's tells."""
    async with pictures.prepared(core_of(person), images(w, count), None, None) as sealed:
        await in_db(person, pictures.keep, moment_id, sealed, person.now_ms())
    return tuple(one.said for one in sealed)


async def hears(person: Person, author: str, media: Sequence[File], moment_id: int = HERE) -> int:
    """Somebody reads a moment of a contact; returns the contact."""
    number: int = await in_db(person, lambda tx: people.find_contact(tx, author).id)
    await in_db(person, pictures.told, moment_id, number, media, person.now_ms())
    return number


async def seen(person: Person, media: Sequence[File], moment_id: int = HERE) -> tuple[Picture, ...]:
    """The pictures of a moment as somebody sees them."""
    found: tuple[Picture, ...] = await in_db(person, pictures.lines, moment_id, media)
    return found


async def are(person: Person, media: Sequence[File], *states: str) -> bool:
    """the pictures of the moment are so"""
    return [one.state for one in await seen(person, media)] == [*states]


async def files(person: Person) -> list[str]:
    """The files of pieces at somebody's."""
    return core_of(person).blobs.files.all_names()


async def limit(person: Person, megabytes: int) -> None:
    await in_db(person, settings.put, storage.QUOTA, str(megabytes))


def test_a_picture_comes_from_a_mutual_contact_while_its_author_is_away_and_only_when_it_is_looked_at() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        for one, other in ((ana, bo), (ana, chen), (bo, chen)):
            await befriend(one, other)
        for one, other in ((ana, bo), (bo, chen), (chen, ana)):  # so that each has a spine to be known by
            await one.call("logs.begin", name="trip", readers=[other.name], anchor=other.name)
            await one.call("logs.write", log="trip", text="one")
        media = await posted(w, ana, 2)
        assert [one.state for one in await seen(ana, media)] == ["here", "here"]
        author = await hears(bo, "ana", media)
        await trio.sleep(600.0)
        assert [one.state for one in await seen(bo, media)] == ["offered", "offered"]
        assert await files(bo) == []
        await pictures.get(core_of(bo), HERE, author, 1)
        await w.until(partial(are, bo, media, "here", "offered"))
        await trio.sleep(60.0)
        assert await in_db(ana, lambda tx: tx.all("SELECT * FROM blob_given")) == []  # she is not told who looked

        async def knows() -> bool:
            """chen knows that the two are contacts of each other"""
            of_ana = await in_db(chen, lambda tx: mutual.of(tx, people.find_contact(tx, "ana").id))
            return bool(of_ana)

        await w.until(knows, patience_s=7200.0)
        author = await hears(chen, "ana", media)
        await ana.stop()
        await pictures.get(core_of(chen), HERE, author, None)
        await w.until(partial(are, chen, media, "here", "fetching"))

        def sources(tx: Tx) -> Sequence[object]:
            known = blobs.find(tx, media[0].blob)
            assert known is not None
            return blobs.sources(tx, known.number)

        assert len(await in_db(chen, sources)) == 2
        folder = w.folder / "chen"
        folder.mkdir()
        with pytest.raises(blobs.BlobNotHere):
            await pictures.save(core_of(chen), HERE, media, None, str(folder))
        assert [*folder.iterdir()] == []
        (told,) = await pictures.save(core_of(chen), HERE, media, 1, str(folder))
        assert Image.open(io.BytesIO(read(str(told["file"])))).size == (900, 600)
        await ana.start()
        await w.until(partial(are, chen, media, "here", "here"), patience_s=7200.0)

    world.run(story, seed=7801)


def test_nine_previews_fit_beside_all_else_that_a_moment_can_say() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        media = await posted(w, ana, 9)
        assert max(len(one.preview) for one in media) <= pictures.PREVIEWS_BYTES // 9
        assert all(Image.open(io.BytesIO(one.preview)).format == "WEBP" for one in media)
        url = "https://example.org/" + "x" * 2028
        most = tuple(
            replace(one, name="n" * 255, preview=bytes(pictures.PREVIEWS_BYTES // 9), width=65_535, height=65_535)
            for one in media
        )
        preview = Preview(url, "t" * 300, "a" * 600, bytes(PREVIEW_BYTES_MAX))
        place = Where("p" * 200, -90 * DEGREE, -180 * DEGREE)
        post = Post("t" * TEXT_BYTES_MAX, 2**48 - 1, most, url, preview, place)
        said = record.encode(Replace(Ref(bytes(16), entry.SEQ_MAX), post))
        assert len(said) <= entry.SAID_BYTES_MAX
        (single,) = await posted(w, ana, 1, AGAIN)
        assert pictures.PREVIEWS_BYTES // 9 < len(single.preview) <= PREVIEW_BYTES_MAX

    world.run(story, seed=7802)


def test_what_is_not_kept_is_here_no_more_and_what_cannot_be_shown_is_said() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        core, some = core_of(ana), images(w, 10)
        film = put(w, "v.webm", (SAMPLES / "films" / "vp8-opus.webm").read_bytes())
        bad = put(w, "bad.jpg", b"no picture")

        async def fails(fault: type[UserFault], *how: Any) -> str:
            with pytest.raises(fault) as met:
                async with pictures.prepared(core, *how):
                    raise AssertionError
            assert await files(ana) == []
            return str(met.value)

        await fails(TooManyPictures, some, None, None)
        await fails(TooManyPictures, some[:1], film, None)
        assert (await fails(Unlooked, [*some[:2], bad], None, None)).endswith("nothing was posted.")
        await fails(BadPreview, some[:1], None, some[1])
        await fails(BadFile, [w.folder], None, None)
        await fails(BadFile, [w.folder / "none.jpg"], None, None)
        await fails(PathNeeded, [Path("1.jpg")], None, None)
        core.blobs.reserve_bytes = 2**60
        await fails(NoRoomForBlob, some[:1], None, None)
        core.blobs.reserve_bytes = 0
        async with pictures.prepared(core, some[:2], None, None) as sealed:
            assert len(sealed) == len(await files(ana)) == 2
        assert await files(ana) == []
        with pytest.raises(ZeroDivisionError):
            async with pictures.prepared(core, [], film, some[0]) as sealed:
                await in_db(ana, lambda tx: pictures.keep(tx, HERE, sealed, 1 // 0))
        assert await files(ana) == []
        async with pictures.prepared(core, [], film, some[0]) as sealed:
            await in_db(ana, pictures.keep, HERE, sealed, 0)
        (one,) = sealed
        assert (one.said.shape, bool(one.said.preview), len(await files(ana))) == (Shape.VIDEO, True, 1)
        async with pictures.prepared(core, [], None, None) as sealed:
            assert sealed == ()

    world.run(story, seed=7803)


def test_a_blob_stays_as_long_as_a_message_or_a_moment_tells_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await ana.call("media.send", to="bo", path=str(put(w, "a.jpg", jpeg(1))))

        async def came() -> bool:
            """bo has the file"""
            return [one["state"] for one in await bo.call("media.list")] == ["here"]

        await w.until(came)
        found = await in_db(bo, lambda tx: view.find(tx, tx.one("SELECT seq FROM media_file") and ids_of(tx)))
        media, number = (found.said,), found.row.number
        await hears(bo, "ana", media)
        await hears(bo, "ana", media, AGAIN)
        assert await in_db(bo, uses.rooms, number) == ("media", "moments")
        await bo.call("chat.delete", id=(await file_of(bo))["id"])
        assert await bo.call("media.list") == []
        assert [one.state for one in await seen(bo, media)] == ["here"]
        await in_db(bo, pictures.forget, HERE)
        assert await in_db(bo, pictures.moments_of, number) == (AGAIN,)
        assert await in_db(bo, blobs.row, number) is not None
        await in_db(bo, pictures.forget, AGAIN)
        assert await in_db(bo, blobs.row, number) is None
        assert await in_db(bo, lambda tx: tx.all("SELECT * FROM blob_use")) == []

        async def is_gone() -> bool:
            """nothing of it is on the disk"""
            return await files(bo) == []

        await w.until(is_gone)
        mine = await file_of(ana)
        of_ana = await in_db(ana, lambda tx: view.find(tx, str(mine["id"])))
        await hears(ana, "bo", media)  # who tells ours again
        await in_db(ana, pictures.forget, HERE)
        assert await in_db(ana, blobs.row, of_ana.row.number) == of_ana.row

    world.run(story, seed=7804)


def ids_of(tx: Tx) -> str:
    """The id of the only message with a file."""
    row = tx.one("SELECT seq FROM media_file")
    assert row is not None
    line = view.line(tx, row[0])
    assert line is not None
    return line.id


def test_the_quota_lets_others_pictures_go_and_never_ours_and_storage_names_them() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        media, own = await posted(w, ana, 9), await posted(w, bo, 4, AGAIN)
        author = await hears(bo, "ana", media)
        await pictures.get(core_of(bo), HERE, author, None)
        await w.until(partial(are, bo, media, *["here"] * 9))
        found = await bo.call("media.storage")
        (room,) = found["rooms"]
        assert (room["room"], room["files"], found["files"]) == ("moments", 13, 13)
        assert 0 < room["again_bytes"] < room["files_bytes"] == found["files_bytes"]
        assert found["again_bytes"] == room["again_bytes"]
        assert [one["files"] for one in found["conversations"]] == [0]
        await bo.call("media.keep", to="ana", seconds=86_400)  # how long files of a conversation stay: not these
        await w.pass_for(bo, seconds=3 * 86_400.0)
        assert [one.state for one in await seen(bo, media)] == ["here"] * 9
        await pictures.get(core_of(bo), HERE, author, 1)  # it is looked at
        await limit(bo, 1)
        await trio.sleep(1800.0)
        states = [one.state for one in await seen(bo, media)]
        assert states == ["here", *["offered"] * 8]
        await trio.sleep(7200.0)
        assert [one.state for one in await seen(bo, media)] == ["offered"] * 9
        assert [one.state for one in await seen(bo, own, AGAIN)] == ["here"] * 4
        assert (await bo.call("media.storage"))["over"] > 0
        await limit(bo, 0)
        await pictures.get(core_of(bo), HERE, author, 2)
        await w.until(partial(are, bo, media, "offered", "here", *["offered"] * 7))

    world.run(story, seed=7805)


def test_pictures_on_their_way_take_nothing_of_what_comes_unasked() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        absent = [
            File(Blob(bytes([n]) * 32, bytes(32), 8_000_000, bytes(32)), "p", "i", Shape.PICTURE) for n in range(9)
        ]
        author = await hears(bo, "ana", absent)
        await pictures.get(core_of(bo), HERE, author, None)
        await ana.call("media.send", to="bo", path=str(put(w, "a.bin", content(1, 1000))))

        async def came() -> bool:
            """bo has the file that he did not ask for"""
            return [one["state"] for one in await bo.call("media.list")] == ["here"]

        await w.until(came)

    world.run(story, seed=7806)


def test_a_picture_of_ours_that_the_disk_lost_is_said_and_after_a_restore_it_comes_from_who_has_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        media = await posted(w, ana, 1)
        author = await hears(bo, "ana", media)
        await pictures.get(core_of(bo), HERE, author, None)
        await w.until(partial(are, bo, media, "here"))
        for place in (w.folder / "ana.blobs").iterdir():
            place.unlink()
        with pytest.raises(UserFault) as met:
            await pictures.get(core_of(ana), HERE, None, 1)
        assert met.value.code == "media.gone"
        (line,) = await seen(ana, media)
        assert (line.state, line.reason) == ("offered", view.OURS_GONE)
        await in_db(ana, pictures.forget, HERE)
        await in_db(ana, pictures.told, HERE, None, media, 0)  # as it is read again
        await pictures.get(core_of(ana), HERE, None, 1)
        await w.until(partial(are, ana, media, "here"))
        await hears(ana, "bo", media, AGAIN)  # who tells it too has it, as far as he says; it is ours all the same
        assert await in_db(ana, loose) == ()
        await in_db(ana, pictures.forget, HERE)
        assert len(await in_db(ana, loose)) == 1

    world.run(story, seed=7807)


def loose(tx: Tx) -> tuple[storage.Loose, ...]:
    """What a quota may let go."""
    return storage.loose(tx, lambda _tx, _seq: False)


def test_who_has_files_from_before_needs_them_as_well() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        for one, other in ((ana, bo), (bo, ana), (bo, ana)):
            await one.call("media.send", to=other.name, path=str(put(w, "a.bin", content(1, 10))))

        async def came() -> bool:
            """ana has three files"""
            return len(await ana.call("media.list")) == 3

        await w.until(came)
        await ana.call("media.forward", id=(await file_of(ana, 1))["id"], to="bo")
        needed = await in_db(ana, lambda tx: tx.all("SELECT * FROM blob_use"))
        assert [ours for _, _, ours, _ in needed] == [1, 1, 0]

        def again(tx: Tx) -> list[tuple[object, ...]]:
            tx.execute("DELETE FROM blob_use")
            (third,) = [one for one in view.MIGRATIONS if one.number == 3]
            for statement in statements(third.sql):
                tx.execute(statement)
            return [*tx.all("SELECT * FROM blob_use")]

        assert await in_db(ana, again) == [*needed]

    world.run(story, seed=7811)


def test_a_hostile_author_is_held_to_what_a_moment_can_show() -> None:
    one = File(Blob(bytes(32), bytes(32), 5, bytes(32)), "p.jpg", "image/jpeg", Shape.PICTURE)
    pictures.check((one,) * MEDIA_MAX)
    pictures.check((replace(one, shape=Shape.VIDEO),))
    for wrong in (
        (one,) * (MEDIA_MAX + 1),
        (one, replace(one, shape=Shape.VIDEO)),
        (replace(one, shape=Shape.VIDEO),) * 2,
        *((replace(one, shape=shape),) for shape in (Shape.FILE, Shape.FOLDER, Shape.VOICE)),
    ):
        with pytest.raises(Malformed):
            pictures.check(wrong)
    raw = record.encode(Post("", 1, (one,)))
    assert record.decode(Post, raw, len(raw)).media == (one,)
    alone = record.encode(one)
    assert raw.count(alone) == 1
    for count in (MEDIA_MAX + 1, 10_000):
        many = raw.replace(b"\x81" + alone, b"\x99" + count.to_bytes(2, "big") + alone * count)
        with pytest.raises(Malformed):
            record.decode(Post, many, len(many))
    for name in ("\x1b]0;gotcha\x07.jpg", "a\nb", "\u202egpj.exe"):  # as many bytes as a name of ours
        with pytest.raises(UserFault):
            replace(one, name=name)
        evil = alone.replace(b"\x65p.jpg", bytes([0x60 + len(name.encode())]) + name.encode())
        assert evil != alone
        with pytest.raises(Malformed):
            record.decode(File, evil, len(evil))


def test_lying_sizes_false_contents_and_previews_that_are_none_do_no_harm() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        (true,) = await posted(w, ana, 1)
        lies = (
            replace(true, width=65_535, height=65_535, preview=b"no picture", name="../../etc/passwd"),
            replace(true, blob=replace(true.blob, length=true.blob.length - 1), preview=photo()),
            replace(true, blob=replace(true.blob, length=2**36), preview=b""),
        )
        author = await hears(bo, "ana", lies)
        core = core_of(bo)
        assert [one.has_preview for one in await seen(bo, lies)] == [True, True, False]
        for preview in (pictures.preview_of(lies, 1), pictures.preview_of(lies, 2)):
            with pytest.raises((Refused, *decoder_faults())):
                decoder.pixels(preview, 320, 320)  # which only the workshop's program does
        for number in (0, 3, 4):
            with pytest.raises(NoPicture):
                pictures.preview_of(lies, number)
        for number in (0, 4):
            with pytest.raises(NoPicture):
                await pictures.get(core, HERE, author, number)
        with pytest.raises(NoPicture):
            await pictures.get(core, 99, author, None)
        core.blobs.reserve_bytes = core.blobs.free_bytes() - 2**30
        with pytest.raises(NoRoomForBlob):
            await pictures.get(core, HERE, author, 3)
        assert [one.state for one in await seen(bo, lies)] == ["offered"] * 3
        for number in (1, 2):
            await pictures.get(core, HERE, author, number)
        await w.until(partial(are, bo, lies, "here", "here", "offered"))
        folder = w.folder / "bo"
        folder.mkdir()
        with pytest.raises(BadPlace):
            await pictures.save(core, HERE, lies, 1, str(w.folder / "none"))
        (told,) = await pictures.save(core, HERE, lies, 1, str(folder))
        assert Path(str(told["file"])).parent == folder
        with pytest.raises(blobs.BlobFalse):
            await pictures.save(core, HERE, lies, 2, str(folder))
        assert [one.state for one in await seen(bo, lies)] == ["here", "false", "offered"]
        with pytest.raises(Malformed):
            await in_db(bo, pictures.told, HERE, author, (replace(true, shape=Shape.FOLDER),), 0)
        await in_db(bo, pictures.told, HERE, author, lies[:1], 0)  # as when it was replaced
        assert await in_db(bo, lambda tx: tx.one("SELECT COUNT(*) FROM blob")) == (1,)

    world.run(story, seed=7808)


def decoder_faults() -> tuple[type[Exception], ...]:
    """What a decoder raises on what is no picture; the program makes one answer of them."""
    from node.workshop.program import BROKEN

    return BROKEN


def test_the_pictures_of_a_moment_and_the_moments_of_a_blob_are_found_by_an_index() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        await posted(w, ana, 1)
        for query in (
            "SELECT place, blob FROM moment_picture WHERE moment = 1",
            "SELECT DISTINCT moment FROM moment_picture WHERE blob = 1 ORDER BY moment",
            "SELECT MAX(ours) FROM moment_picture WHERE blob = 1",
            "SELECT MAX(ours) FROM blob_use WHERE blob = 1",
            "SELECT 1 FROM blob WHERE file = 'x'",
        ):
            (plan,) = await in_db(ana, lambda tx, asked=query: tx.all(f"EXPLAIN QUERY PLAN {asked}")[:1])
            assert "SEARCH" in plan[3]

    world.run(story, seed=7810)
