"""What comes between while a blob is fetched, served, made or saved: a full disk, a slow line, sources that hold it up.

As in test_hostile.py, mallory's and eve's nodes are real ones but for what answers on /weft/blobs/1.
"""

import errno
import os
from collections.abc import Iterator
from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from node import frames
from node.blobs.blobs import FROM_ONE_MAX, NOBODY, Blobs, NoRoomForBlob
from node.blobs.disk import NO_DISK, NO_ROOM
from node.core import Core
from node.network import Stream
from protocol import blob_stream, record
from protocol.blob_stream import Has, Names, NamesWanted, Want
from store import blobs
from store.database import Tx
from tests.node.blobs.test_hostile import KINDS, LENGTH, Given, Truth, gives, lies, tell, written
from tests.stories.test_media import content, file_of, is_in, more_than, put, saved


def core_of(person: Person) -> Core:
    assert person.node is not None
    return person.node.core


async def among(w: World, *names: str) -> list[Person]:
    """bo, and others who are his contacts."""
    bo = await w.person("bo")
    others = [await w.person(name) for name in names]
    for other in others:
        await befriend(bo, other)
    return [bo, *others]


def other_pieces(asking: object, truth: Truth) -> list[object]:
    """As many pieces as were wanted, but none of them"""
    if isinstance(asking, Want):
        return [Given(99, truth.pieces[0]) for _ in asking.places]
    return truth.answer(asking)


def test_two_who_give_what_nobody_asked_for_do_not_keep_pieces_from_others() -> None:
    async def story(w: World) -> None:
        data = content(21, LENGTH)
        truth = Truth(data)
        bo, mallory, eve, ana = await among(w, "mallory", "eve", "ana")
        asked = [lies(liar, truth, other_pieces) for liar in (mallory, eve)]
        for liar in (mallory, eve):
            await tell(liar, truth.blob)
        await trio.sleep(3600.0)
        assert all(1 <= len(one) <= 8 for one in asked)  # each was left for good
        await gives(ana, truth)
        await tell(ana, truth.blob)
        await w.until(partial(is_in, bo, "here"), patience_s=600.0)
        assert await saved(w, bo) == data

    world.run(story, seed=2421)


def test_names_that_come_one_by_one_do_not_hold_the_others_up() -> None:
    async def story(w: World) -> None:
        data = content(22, 4 * LENGTH)
        truth = Truth(data)
        bo, mallory, ana = await among(w, "mallory", "ana")

        async def accept(_: str, stream: Stream) -> None:
            reader = frames.FrameReader(stream, 4096)
            while (raw := await reader.read()) is not None:
                asking = record.decode_one_of(KINDS, raw, 4096)
                match asking:
                    case NamesWanted(first):
                        await trio.sleep(15.0)
                        answers: list[object] = [Names(first, truth.names[first * 32 :][:32])]
                    case _:
                        answers = truth.answer(asking)
                for one in answers:
                    await frames.write(stream, *written(one))

        core_of(mallory).network.serve((blob_stream.PROTOCOL,), accept)
        await gives(ana, truth)
        await ana.stop()
        await tell(mallory, truth.blob)
        await w.until(partial(is_in, bo, "fetching"))
        await trio.sleep(5.0)
        await ana.start()
        await w.until(partial(is_in, bo, "here"), patience_s=120.0)  # her names alone would take 465 s
        assert await saved(w, bo) == data

    world.run(story, seed=2422)


def test_a_piece_may_take_longer_than_silence_while_its_bytes_come() -> None:
    async def story(w: World) -> None:
        data = content(23, 300_000)
        truth = Truth(data)
        bo, mallory = await among(w, "mallory")

        async def accept(_: str, stream: Stream) -> None:
            reader = frames.FrameReader(stream, 4096)
            while (raw := await reader.read()) is not None:
                for one in truth.answer(record.decode_one_of(KINDS, raw, 4096)):
                    whole = b"".join(len(frame).to_bytes(4, "big") + frame for frame in written(one))
                    for part in (whole[:20], whole[20:30], whole[30:40], whole[40:]):
                        await trio.sleep(12.0 if isinstance(one, Given) else 0.0)
                        await stream.send_all(part)

        core_of(mallory).network.serve((blob_stream.PROTOCOL,), accept)
        await tell(mallory, truth.blob)
        await w.until(partial(is_in, bo, "here"), patience_s=180.0)
        assert await saved(w, bo) == data

    world.run(story, seed=2423)


def test_files_that_do_not_go_on_keep_no_other_of_the_same_contact_waiting() -> None:
    async def story(w: World) -> None:
        truths = [Truth(content(30 + n, LENGTH), bytes([n]) * 32) for n in range(FROM_ONE_MAX + 1)]
        bo, mallory = await among(w, "mallory")
        tags = {}
        me, him = core_of(bo).identity.account, core_of(mallory).identity.account
        for truth in truths:
            tags[blob_stream.tag(truth.blob.key, truth.blob.root, me, him)] = truth

        async def accept(_: str, stream: Stream) -> None:
            reader, truth = frames.FrameReader(stream, 4096), truths[0]
            while (raw := await reader.read()) is not None:
                asking = record.decode_one_of(KINDS, raw, 4096)
                answers = truth.answer(asking)
                if isinstance(asking, blob_stream.Ask):
                    truth = tags[asking.tag]
                    answers = [Has(b"", 1) if truth is truths[-1] else Has(b"\x01", 0)]
                else:
                    answers = truth.answer(asking)
                for one in answers:
                    await frames.write(stream, *written(one))

        core_of(mallory).network.serve((blob_stream.PROTOCOL,), accept)
        for truth in truths:
            await tell(mallory, truth.blob)
        await w.until(partial(is_in, bo, "here"), patience_s=300.0)
        assert await is_in(bo, "fetching", FROM_ONE_MAX)

    world.run(story, seed=2424)


def test_a_disk_that_is_full_pauses_what_is_fetched_and_what_is_told_again_does_not_begin_it() -> None:
    async def story(w: World) -> None:
        data = content(24, LENGTH)
        bo, ana = await among(w, "ana")
        core_of(bo).blobs.reserve_bytes = 2**60
        sent = await ana.call("media.send", to="bo", path=str(put(w, "a.bin", data)))
        await w.until(partial(is_in, bo, "paused"))
        assert (await file_of(bo))["reason"] == NO_ROOM
        assert not (w.folder / "bo.blobs").exists()
        await ana.call("media.forward", id=sent["id"], to="bo")
        await w.until(partial(is_in, bo, "paused", 2))
        await trio.sleep(600.0)
        assert (await file_of(bo))["here"] == 0
        (w.folder / "bo.blobs").write_bytes(b"no folder")  # a disk that fails in another way
        core_of(bo).blobs.reserve_bytes = 0
        one = await file_of(bo)
        await bo.call("media.get", id=one["id"])
        await w.until(partial(is_in, bo, "paused", 2))
        assert (await file_of(bo))["reason"] == NO_DISK
        await trio.sleep(60.0)
        assert await is_in(bo, "paused", 2)
        (w.folder / "bo.blobs").unlink()
        await w.until(partial(is_in, bo, "here", 2))  # by itself
        assert await saved(w, bo) == data

    world.run(story, seed=2425)


def test_what_waits_for_room_goes_on_when_there_is_and_what_a_person_paused_does_not() -> None:
    async def story(w: World) -> None:
        bo, ana = await among(w, "ana")
        core_of(bo).blobs.reserve_bytes = 2**60
        for n in range(3):
            await ana.call("media.send", to="bo", path=str(put(w, f"{n}.bin", content(40 + n, LENGTH))))
        await w.until(partial(is_in, bo, "paused", 3))
        assert {one["reason"] for one in await bo.call("media.list")} == {NO_ROOM}
        second = await file_of(bo, 1)
        assert (await bo.call("media.pause", id=second["id"]))["reason"] == ""
        assert (await bo.call("media.drop", id=(await file_of(bo, 0))["id"]))["state"] == "offered"
        core_of(bo).blobs.reserve_bytes = 0
        await w.until(partial(is_in, bo, "here"), patience_s=60.0)
        await trio.sleep(600.0)
        assert [one["state"] for one in await bo.call("media.list")] == ["offered", "paused", "here"]

    world.run(story, seed=2432)


def test_a_file_that_is_dropped_and_wanted_again_while_it_comes_arrives_as_it_was() -> None:
    async def story(w: World) -> None:
        data = content(25, 40 * LENGTH)
        bo, ana = await among(w, "ana")
        await ana.call("media.send", to="bo", path=str(put(w, "a.bin", data)))
        await w.until(partial(is_in, bo, "offered"))
        one, database = await file_of(bo), core_of(bo).database
        await bo.call("media.get", id=one["id"])
        await more_than(w, bo, 0)
        row = await database.transact(blobs.row, 1)
        assert row is not None

        def at_once(tx: Tx) -> None:
            """Both in one commit: nobody sees anything between"""
            blobs.drop(tx, row.number)
            blobs.want(tx, row.number)

        await database.transact(at_once)
        await w.until(partial(is_in, bo, "here"), patience_s=600.0)
        assert await saved(w, bo) == data
        assert not (w.folder / "bo.blobs" / row.file).exists()

    world.run(story, seed=2426)


def test_another_blob_under_the_same_key_is_not_given_for_it() -> None:
    """Mallory was told a blob, and tells ana another one under its key: bo still gets his from ana."""

    async def story(w: World) -> None:
        data = content(26, LENGTH)
        truth, other = Truth(data), Truth(content(27, LENGTH))
        bo, ana = await among(w, "ana")
        assert truth.blob.key == other.blob.key
        await gives(ana, other)
        core = core_of(ana)
        core.blobs.files.write("given too", list(enumerate(truth.pieces)))
        await core.database.transact(lambda tx: blobs.made(tx, truth.blob, truth.names, "given too", 0))
        await tell(ana, truth.blob)
        await w.until(partial(is_in, bo, "here"))
        assert await saved(w, bo) == data

    world.run(story, seed=2427)


def test_what_is_just_being_made_is_not_swept_and_what_was_left_is() -> None:
    async def story(w: World) -> None:
        (ana,) = [await w.person("ana")]
        core = core_of(ana)
        _, _, file = await core.blobs.make(4, iter([b"made"]))
        with trio.move_on_after(5.0):
            await core.blobs.run()  # as its supervisor does after a crash
        assert core.blobs.files.all_names() == [file]
        (w.folder / "ana.blobs" / "a folder").mkdir()  # cannot be removed as a file is
        await ana.kill()
        await ana.start()
        await trio.sleep(5.0)
        assert core.blobs.files.all_names() == ["a folder"]
        with trio.move_on_after(5.0) as going:
            await core_of(ana).blobs.run()
        assert going.cancelled_caught

    world.run(story, seed=2428)


def test_after_a_crash_every_fetch_begins_again() -> None:
    async def story(w: World) -> None:
        bo, ana = await among(w, "ana")
        truth = Truth(content(28, LENGTH))
        await ana.stop()
        core = core_of(bo)

        def want(tx: Tx) -> int:
            number = blobs.told(tx, truth.blob, 1, "x", 0)
            blobs.want(tx, number)
            return number

        await core.database.transact(want)
        again = Blobs(core.blobs.inward, core.blobs.talks, core.blobs.files)
        for _ in range(2):
            with trio.move_on_after(5.0):
                await again.run()
            assert not again._fetches

    world.run(story, seed=2429)


def test_a_disk_that_is_filled_while_a_file_is_sealed_and_a_blob_that_is_gone_before_it_is_saved() -> None:
    async def story(w: World) -> None:
        (ana,) = [await w.person("ana")]
        core = core_of(ana)

        def source() -> Iterator[bytes]:
            yield b"some"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(NoRoomForBlob):
            await core.blobs.make(8, source())
        assert core.blobs.files.all_names() == []
        with pytest.raises(blobs.BlobNotHere):
            await core.blobs.save(99, w.folder / "out")

    world.run(story, seed=2430)


def test_one_who_had_nothing_is_asked_at_once_when_he_tells_it() -> None:
    async def story(w: World) -> None:
        data = content(31, LENGTH)
        bo, ana, chen = await among(w, "ana", "chen")
        await befriend(ana, chen)
        await ana.call("media.send", to="chen", path=str(put(w, "a.bin", data)))
        await w.until(partial(is_in, chen, "here"))
        his = await file_of(chen)
        await chen.call("media.drop", id=his["id"])
        await chen.call("media.forward", id=his["id"], to="bo")  # he has nothing, and ana is no contact of bo
        await w.until(partial(is_in, bo, "fetching"))
        await ana.kill()
        await trio.sleep(60.0)
        assert (await file_of(bo))["reason"] == NOBODY
        await gives_again(chen, data)
        began = trio.current_time()
        await chen.call("media.forward", id=his["id"], to="bo")
        await w.until(partial(is_in, bo, "here", 2))
        assert trio.current_time() - began < 20.0

    world.run(story, seed=2431)


async def gives_again(person: Person, data: bytes) -> None:
    """What a person dropped is here again."""
    core = core_of(person)
    row = await core.database.transact(blobs.row, 1)
    assert row is not None
    truth = Truth(data, row.blob.key)
    assert truth.blob == row.blob
    core.blobs.files.write(row.file, list(enumerate(truth.pieces)))

    def put_back(tx: Tx) -> None:
        blobs.keep_names(tx, row.number, truth.names)
        blobs.want(tx, row.number)
        blobs.came(tx, row.number, row.file, (1 << row.blob.count) - 1, 0)

    await core.database.transact(put_back)
