"""A contact who lies about a blob, one lie for each test: he is dropped, and the file comes from an honest one.

Mallory's node is a real one but for what answers on /weft/blobs/1, and for what she tells.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pytest
import trio

from crypto import chunks
from features.media.view import MB
from lab import world
from lab.world import Person, World, befriend
from node import frames
from node.blobs import fetching, holder
from node.network import Stream
from protocol import blob_stream, record
from protocol.blob_stream import Ask, Has, Names, NamesWanted, Piece, Want
from protocol.blobs import Blob, Making
from protocol.faults import Unavailable
from protocol.file import File, Shape
from store import blobs, people
from tests.stories.test_media import content, file_of, is_in, no_files, put, saved

KINDS = {cls.KIND: cls for cls in (Ask, NamesWanted, Want)}
LENGTH = 2 * MB


class Given(NamedTuple):
    """A piece as it travels: its place, and the sealed chunk."""

    place: int
    sealed: bytes


Lie = Callable[[object, "Truth"], "list[object] | None"]
"""What she answers to a question, None for silence."""


class Truth:
    """The blob as it is: what an honest holder answers."""

    def __init__(self, data: bytes, key: bytes = bytes(range(32))) -> None:
        making = Making(key, len(data))
        self.pieces, at = [], 0
        while not making.is_whole:
            wanted = making.wanted
            self.pieces.append(making.seal(data[at : at + wanted]))
            at += wanted
        self.blob, self.names = making.end()

    def answer(self, asking: object) -> list[object]:
        """What belongs to a question."""
        match asking:
            case Ask():
                return [Has(b"", 1)]
            case NamesWanted(first):
                names = self.names[first * 32 :]
                return [Names(first, names)] if names else []
            case Want(places):
                return [Given(place, self.pieces[place]) for place in places]
        raise AssertionError


def lies(person: Person, truth: Truth, lie: Lie) -> list[int]:
    """From now on a person's node answers so; returns the places that it is asked for, as they come."""
    asked: list[int] = []

    async def accept(_: str, stream: Stream) -> None:
        reader = frames.FrameReader(stream, 4096)
        while (raw := await reader.read()) is not None:
            asking: Any = record.decode_one_of(KINDS, raw, 4096)
            if isinstance(asking, Want):
                asked.extend(asking.places)
            answers = lie(asking, truth)
            if answers is None:
                await trio.sleep_forever()
            for one in answers or ():
                await frames.write(stream, *written(one))

    assert person.node is not None
    person.node.core.network.serve((blob_stream.PROTOCOL,), accept)
    return asked


def written(one: object) -> tuple[bytes, ...]:
    """The frames of an answer or a question."""
    match one:
        case Given(place, sealed):
            return record.encode(Piece(place)), sealed
        case bytes():
            return (one,)
        case _:
            return (record.encode(one),)


def changed(piece: Given) -> Given:
    return Given(piece.place, piece.sealed[:-1] + bytes([piece.sealed[-1] ^ 1]))


def wrong_piece(asking: object, truth: Truth) -> list[object]:
    """The third piece is not the one of its place"""
    return [changed(one) if isinstance(one, Given) and one.place == 2 else one for one in truth.answer(asking)]


def wrong_place(asking: object, truth: Truth) -> list[object]:
    """Pieces come under each other's places"""
    found = truth.answer(asking)
    return [Given((one.place + 1) % 8, one.sealed) if isinstance(one, Given) else one for one in found]


def short_piece(asking: object, truth: Truth) -> list[object]:
    """Pieces are shorter than they are"""
    return [Given(one.place, one.sealed[:100]) if isinstance(one, Given) else one for one in truth.answer(asking)]


def wrong_names(asking: object, truth: Truth) -> list[object]:
    """The manifest is another one"""
    return [
        replace(one, names=bytes(32) + one.names[32:]) if isinstance(one, Names) else one
        for one in truth.answer(asking)
    ]


def more_names(asking: object, truth: Truth) -> list[object]:
    """The manifest has more names than the content has pieces"""
    return [
        replace(one, names=one.names + bytes(32)) if isinstance(one, Names) else one for one in truth.answer(asking)
    ]


def garbage(asking: object, truth: Truth) -> list[object]:
    """Nothing that is a frame"""
    return [b"\xff" * 100]


def another_answer(asking: object, truth: Truth) -> list[object]:
    """Names where pieces were wanted"""
    return truth.answer(NamesWanted(0)) if isinstance(asking, Want) else truth.answer(asking)


LIES = (wrong_piece, wrong_place, short_piece, wrong_names, more_names, garbage, another_answer)


async def gives(person: Person, truth: Truth) -> None:
    """A person has all of the blob."""
    assert person.node is not None
    core = person.node.core
    core.blobs.files.write("given", list(enumerate(truth.pieces)))
    await core.database.transact(lambda tx: blobs.made(tx, truth.blob, truth.names, "given", 0))


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_who_lies_is_asked_no_more_and_the_file_comes_from_another(lie: Lie) -> None:
    async def story(w: World) -> None:
        data = content(1, LENGTH)
        truth = Truth(data)
        mallory = await w.person("mallory")
        asked = lies(mallory, truth, lie)
        bo, ana = await w.person("bo"), await w.person("ana")
        await befriend(bo, mallory)
        await befriend(bo, ana)
        await tell(mallory, truth.blob)
        await w.until(partial(is_in, bo, "fetching"))
        await trio.sleep(600.0)  # in which she is asked again, if ever
        assert (await file_of(bo))["state"] == "fetching"
        count = len(asked)
        await trio.sleep(3600.0)
        assert len(asked) == count  # she was left for good
        await gives(ana, truth)
        await tell(ana, truth.blob)
        await w.until(partial(is_in, bo, "here"), patience_s=1200.0)
        assert await saved(w, bo) == data

    world.run(story, seed=2401)


async def tell(person: Person, blob: Blob) -> None:
    """A person tells bo a blob."""
    assert person.node is not None
    core = person.node.core
    (contact,) = [one for one in await core.database.transact(people.contacts) if one.name.lower() == "bo"]
    await core.delivery.say(contact.id, (File(blob, "a.bin", "text/plain", Shape.FILE),))


def test_one_that_stalls_at_the_last_piece_does_not_hold_the_file_up() -> None:
    async def story(w: World) -> None:
        data = content(2, LENGTH)
        truth = Truth(data)
        bo, ana, mallory = await w.person("bo"), await w.person("ana"), await w.person("mallory")
        await befriend(bo, mallory)
        await befriend(bo, ana)
        last = truth.blob.count - 1

        def stalls(asking: object, truth: Truth) -> list[object] | None:
            return None if isinstance(asking, Want) and last in asking.places else truth.answer(asking)

        lies(mallory, truth, stalls)
        await tell(mallory, truth.blob)

        await gives(ana, truth)
        await tell(ana, truth.blob)
        began = trio.current_time()
        await w.until(partial(is_in, bo, "here"), patience_s=600.0)
        assert trio.current_time() - began < fetching.SILENT_S  # who stalls is not even waited for
        assert await saved(w, bo) == data

    world.run(story, seed=2402)


def test_one_that_says_nothing_is_left_and_asked_again_later() -> None:
    async def story(w: World) -> None:
        data = content(3, LENGTH)
        truth = Truth(data)
        bo, mallory = await w.person("bo"), await w.person("mallory")
        await befriend(bo, mallory)
        asked = lies(mallory, truth, lambda asking, truth: None if isinstance(asking, Want) else truth.answer(asking))
        await tell(mallory, truth.blob)
        await trio.sleep(10 * (fetching.SILENT_S + fetching.AGAIN_S))
        assert 5 * 8 <= len(asked) <= 11 * 8  # at most every 50 s, eight pieces each time
        lies(mallory, truth, lambda asking, truth: truth.answer(asking))
        await w.until(partial(is_in, bo, "here"), patience_s=600.0)
        assert await saved(w, bo) == data

    world.run(story, seed=2403)


def test_case_30_one_ciphertext_under_two_keys_is_shown_to_nobody() -> None:
    """XChaCha20-Poly1305 does not commit to its key. Whoever forges such a pair still has to meet the hash.

    The pieces here are honest, and so are manifest and root: what was told of the content is not. It is fetched, and
    found to be false when it is opened; nothing of it stays. encryption.md, case 30.
    """

    async def story(w: World) -> None:
        truth = Truth(content(4, LENGTH))
        bo, mallory = await w.person("bo"), await w.person("mallory")
        await befriend(bo, mallory)
        lies(mallory, truth, lambda asking, truth: truth.answer(asking))
        for told in (replace(truth.blob, hash=bytes(32)), replace(truth.blob, key=bytes(32))):
            await tell(mallory, told)
            await w.until(partial(is_in, bo, "here"))
            one = await file_of(bo)
            with pytest.raises(blobs.BlobFalse):
                await bo.call("media.save", id=one["id"], folder=str(w.folder))
            assert (await file_of(bo))["state"] == "false"
            assert not [*w.folder.glob("a*.bin")]
            assert bo.node is not None
            await w.until(partial(no_files, bo))

    world.run(story, seed=2404)


def test_a_wrong_length_is_found_before_a_byte_is_shown() -> None:
    """A content of another length has another number of pieces, or its last piece has another length."""

    async def story(w: World) -> None:
        truth = Truth(content(5, LENGTH))
        bo, mallory = await w.person("bo"), await w.person("mallory")
        await befriend(bo, mallory)
        lies(mallory, truth, lambda asking, truth: truth.answer(asking))
        await tell(mallory, replace(truth.blob, length=LENGTH - 1))  # padded to the same
        await w.until(partial(is_in, bo, "here"))
        one = await file_of(bo)
        with pytest.raises(blobs.BlobFalse):
            await bo.call("media.save", id=one["id"], folder=str(w.folder))
        await tell(mallory, replace(truth.blob, length=LENGTH + chunks.CHUNK_BYTES))
        await trio.sleep(600.0)
        assert (await file_of(bo))["state"] == "fetching"  # her manifest is not that of such a content

    world.run(story, seed=2405)


# --- who asks


async def asks(w: World, bo: Person, ana: Person, *frames_: object) -> list[Any]:
    """What ana's node answers bo on one stream."""
    assert bo.node is not None
    (talk,) = [*bo.node.core.delivery.talks]
    assert talk.link is not None
    stream = await talk.link.open(blob_stream.PROTOCOL)
    reader, found = frames.FrameReader(stream, blob_stream.FRAME_BYTES_MAX), []
    kinds = {cls.KIND: cls for cls in (Has, Names, Piece)}
    for one in frames_:
        try:
            await frames.write(stream, *written(one))
            raw = await reader.read()
        except Unavailable:
            break
        if raw is None:
            break
        answer: Any = record.decode_one_of(kinds, raw, blob_stream.FRAME_BYTES_MAX)
        found.append(Given(answer.place, await reader.read() or b"") if isinstance(answer, Piece) else answer)
    await stream.aclose()
    return found


def test_who_was_not_told_a_blob_learns_nothing_of_it_and_wrong_questions_end_the_stream() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
        await befriend(ana, chen)
        await befriend(ana, bo)
        await ana.call("media.send", to="chen", path=str(put(w, "a.bin", content(6, 600_000))))
        assert ana.node is not None
        assert bo.node is not None
        core = ana.node.core
        rows = await core.database.transact(blobs.held_after, 0, 10)
        (*_, key, root), mine, his = rows[0], core.identity.account, bo.node.core.identity.account
        good = Ask(blob_stream.tag(key, root, his, mine), 0)
        (has,) = await asks(w, bo, ana, Ask(bytes(32), 0))
        assert (has.bits, has.whole) == (b"", 0)
        (has,) = await asks(w, bo, ana, Ask(blob_stream.tag(key, root, mine, his), 0))  # what ana would ask him
        assert (has.bits, has.whole) == (b"", 0)
        assert await asks(w, bo, ana, Want((0,))) == []  # nothing was asked for yet
        assert len(await asks(w, bo, ana, good, Want((99,)), Want((0,)))) == 1
        assert len(await asks(w, bo, ana, good, NamesWanted(99), Want((0,)))) == 1
        assert len(await asks(w, bo, ana, good, b"\x00" * 40, Want((0,)))) == 1
        assert len(await asks(w, bo, ana, good, b"\x00" * (holder.ASKING_BYTES_MAX + 1))) == 1
        has, names, piece = await asks(w, bo, ana, good, NamesWanted(0), Want((2,)))
        assert (has.whole, len(names.names), piece.place) == (1, 3 * 32, 2)
        assert chunks.name(piece.sealed) == names.names[64:]

    world.run(story, seed=2406)


def test_a_stream_without_a_talk_is_nobodys() -> None:
    async def story(w: World) -> None:
        ana, eve = await w.person("ana"), await w.person("eve")
        await ana.call("media.list")
        assert eve.node is not None
        network = eve.node.core.network
        link = await network.dial(w.network.address("ana"), None)
        stream = await link.open(blob_stream.PROTOCOL)
        await frames.write(stream, record.encode(Ask(bytes(32), 0)))
        with trio.fail_after(60.0):
            assert await stream_end(stream) == b""

    world.run(story, seed=2407)


async def stream_end(stream: Stream) -> bytes:
    """What still comes on a stream."""
    try:
        return await stream.receive_some(100)
    except Unavailable:
        return b""
