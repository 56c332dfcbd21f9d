"""What a contact can write into his feed that no honest weft writes: garbage, too much, hostile text, false times."""

import random
from dataclasses import dataclass
from typing import Annotated, ClassVar

from features.moments.content import (
    MEDIA_MAX,
    TEXT_BYTES_MAX,
    Drop,
    Key,
    Keys,
    Like,
    Post,
    Ref,
    Where,
    Window,
)
from lab import world
from lab.world import World
from protocol import record
from protocol.blobs import Blob
from protocol.content import Channel
from protocol.file import File, Shape
from protocol.preview import Preview
from tests import depth
from tests.stories import feed_forger as forger
from tests.stories.feed_forger import content_of, put, rows
from tests.stories.log_kit import circle
from tests.stories.moments_kit import sees, wall
from tests.stories.test_moments_hostile import end

GARBAGE = (40, 400, 4_000)[depth.LEVEL]
HTML = '<script>alert(1)</script><img src="http://evil.example/x.png" onerror="x()">&amp;'
STEERING = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\u200f"


@record.record
@dataclass(frozen=True, slots=True)
class LoosePost:
    """A post without limits."""

    KIND: ClassVar[int] = Post.KIND
    CHANNELS: ClassVar[frozenset[Channel]] = Post.CHANNELS

    text: Annotated[str, record.Utf8(60_000)]
    at_ms: Annotated[int, record.Range(0, 2**60)]
    media: Annotated[tuple[File, ...], record.Count(100)] = ()
    link: Annotated[str, record.Utf8(60_000)] | None = None
    preview: Preview | None = None
    place: Where | None = None


def test_garbage_in_a_feed_is_passed_over_and_what_follows_is_read() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        chance = random.Random(933)
        good = record.encode(Post("good", w.now_ms()))
        (first,) = await put(mal, forger.post(good))
        sound = await content_of(mal, first)
        assert sound
        made = [forger.raw(b""), forger.raw(sound), forger.raw(sound[:-1])]
        for _ in range(GARBAGE):
            made.append(forger.raw(chance.randbytes(chance.choice((1, 191, 192, 248, 500, 5000)))))
            wrong = bytearray(good)
            wrong[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
            made.append(chance.choice((forger.post, forger.carried))(bytes(wrong[: chance.randint(0, len(good))])))
        for what in (
            Like(Ref(bytes(16), 0)),
            Window(5),
            Drop((Ref(bytes(16), 0),)),
            Keys((Key(bytes(16), 0, bytes(32)),)),
        ):
            made += [forger.post(what), forger.post(record.encode(what))]
        made += [forger.carried(Post("told to carriers", 1)), forger.carried(Like(Ref(bytes(16), 0)))]
        await put(mal, *made)
        await end(mal, ana, bo)
        for person in (ana, bo):
            assert {text for text in await wall(person) if not text.startswith("last")} <= {"good"}
            assert await rows(person, "moment_answer") == 0

    world.run(story, 933)


def test_a_post_of_too_much_is_not_shown_and_hostile_text_is_text() -> None:
    async def story(w: World) -> None:
        ana, mal = await circle(w, "ana", "mal")
        picture = File(Blob(bytes(32), bytes(32), 5, bytes(32)), "x.webp", "image/webp", Shape.PICTURE)
        now_ms = w.now_ms()
        await put(
            mal,
            forger.post(LoosePost("ten pictures", now_ms, (picture,) * (MEDIA_MAX + 1))),
            forger.post(LoosePost("x" * (TEXT_BYTES_MAX + 1), now_ms), b"1" * 32),
            forger.post(LoosePost("a link that is none", now_ms, (), "javascript:alert(1)"), b"2" * 32),
            forger.post(LoosePost("nine pictures", now_ms, (picture,) * MEDIA_MAX), b"3" * 32),
            forger.post(Post(HTML, now_ms), b"4" * 32),
            forger.post(Post(STEERING, now_ms), b"5" * 32),
            forger.post(Post("", now_ms), b"6" * 32),
        )
        await end(mal, ana)
        assert [text for text in await wall(ana) if not text.startswith("last")] == [
            "nine pictures",
            HTML,
            STEERING,
            "",
        ]

    world.run(story, 934)


def test_no_clock_of_another_puts_a_post_into_the_future_or_breaks_the_wall() -> None:
    async def story(w: World) -> None:
        ana, mal = await circle(w, "ana", "mal")
        await put(
            mal,
            forger.post(Post("far ahead", 2**48 - 1)),
            forger.post(Post("at the beginning", 0), b"2" * 32),
            forger.post(LoosePost("beyond time", 2**60), b"3" * 32),
        )
        await end(mal, ana)
        lines = await ana.call("moments.list")
        assert lines[0]["text"] == "at the beginning"
        assert all(line["at_ms"] <= w.now_ms() for line in lines)
        assert "far ahead" in [line["text"] for line in lines]
        older = await ana.call("moments.list", before=lines[1]["id"])
        assert [line["text"] for line in older] == ["at the beginning"]

    world.run(story, 935)


def test_edits_are_read_in_the_order_in_which_they_were_written_whatever_the_clock_says() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        posted = await ana.call("moments.post", text="one")
        await w.until(sees([bo], "one"))
        await ana.call("moments.edit", id=posted["id"], text="two")
        await w.until(sees([bo], "two"))
        ana.clock_off_ms = -3_600_000  # she had it wrong, and sets it
        await ana.call("moments.edit", id=posted["id"], text="three")
        await w.until(sees([bo], "three"))
        assert await wall(bo) == ["three"]

    world.run(story, 936)
