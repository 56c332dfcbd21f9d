"""Stickers of others in a simulated world: one that came is kept, a pack is taken in, and what is hostile in either."""

import pytest

from features.stickers import view
from features.stickers.content import ALT_BYTES_MAX, MAGIC, PACK_MAX, Pack, Piece
from lab import world
from lab.world import World
from protocol import record, webp
from protocol.workshop import STICKER_BYTES_MAX
from tests.features.kit import Faults
from tests.features.photos import photo
from tests.features.sticker_kit import PICTURE, Fields, cats, is_here, left, packed, put
from tests.features.test_cards_as_lines import arrived, texts
from tests.features.test_profile import pair, run
from tests.node.workshop import made


def test_a_sticker_that_came_is_kept_once_and_sent_on() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await cats(w, ana)
        await ana.call("stickers.pack", name="Cats", paths=[put(w, "sleepy.png", made.jpeg())])
        sent = [await ana.call("stickers.send", to="bo", sticker=one) for one in ("wave", "wave", "sleepy")]
        await w.until(lambda: arrived(ana))
        for one in sent:
            assert (await bo.call("stickers.save", id=one["id"]))["pack"] == "Cats"
        (pack,) = await bo.call("stickers.list")
        assert [one["name"] for one in pack["stickers"]] == ["wave", "sleepy"]  # of one picture one sticker
        assert await bo.call("stickers.save", id=sent[0]["id"], pack="Mine") == {
            "name": "wave",
            "pack": "Mine",
            "alt": "👋",
        }
        await bo.call("stickers.send", to="ana", sticker="Mine/wave")
        await w.until(lambda: arrived(bo))
        assert (await texts(ana, "bo"))[-1] == "[sticker] 👋 wave (Mine)"

    world.run(story, seed=467)


def test_a_sticker_whose_picture_cannot_be_decoded_is_shown_as_words_and_not_kept() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        faults = Faults(bo)
        await run(ana, lambda tx: view.put(tx, "Cats", [Piece("../../wave", "", photo(b"no pixels", 9))]))
        await run(ana, lambda tx: tx.execute("UPDATE sticker SET folded = 'it'"))
        sent = await ana.call("stickers.send", to="bo", sticker="it")
        await w.until(lambda: arrived(ana))
        assert await texts(bo, "ana") == ["[sticker] ../../wave (Cats)"]
        assert await faults.code("stickers.save", id=sent["id"]) == "sticker.picture"
        assert await bo.call("stickers.list") == []
        assert left(w) == []

    world.run(story, seed=468)


def test_a_pack_is_handed_on_whole() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await cats(w, ana, "wave 👋.png", "sleepy.png")
        file = await ana.call("stickers.share", to="bo", pack="cats")
        assert file["name"] == "Cats.weftpack"
        await w.until(lambda: is_here(bo))
        for name, called in ((None, "Cats"), ("From ana", "From ana")):
            pack = await bo.call("stickers.add", id=file["id"], name=name)
            assert (pack["name"], [one["name"] for one in pack["stickers"]]) == (called, ["wave", "sleepy"])
        theirs, mine = [await one.call("stickers.show", sticker="Cats/wave") for one in (ana, bo)]
        assert theirs == mine
        assert left(w) == []

    world.run(story, seed=469)


ONE: Fields = ("wave", "👋", PICTURE)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "sticker.file"),
        (MAGIC, "sticker.file"),
        (b"weft stickers 2\n" + packed(ONE)[len(MAGIC) :], "sticker.file"),
        (packed(ONE)[:-1], "sticker.file"),
        (packed(ONE) + b"\x00", "sticker.file"),
        (packed(ONE, kind=141), "sticker.file"),
        (packed(), "sticker.file"),
        (packed(ONE, name="../x\n"), "sticker.file"),
        (packed(*[ONE] * (PACK_MAX + 1)), "sticker.file"),
        (packed(*[("", "", b"x")] * 10_000), "sticker.file"),
        (packed(("two\nlines", "", PICTURE)), "sticker.file"),
        (packed(("wave", "x" * (ALT_BYTES_MAX + 1), PICTURE)), "sticker.file"),
        (packed(("wave", "", bytes(STICKER_BYTES_MAX + 1))), "sticker.file"),
        (MAGIC + b"\x83\x18\x8f\x64Evil\x9a\xff\xff\xff\xff", "sticker.file"),
        (packed(ONE, ("bad", "", b"no picture")), "sticker.picture"),
        (packed(ONE, ("bad", "", photo(b"no pixels"))), "sticker.picture"),
        (packed(ONE, ("wall", "", made.png_announcing(60_000, 60_000))), "sticker.picture"),
    ],
)
def test_a_hostile_pack_is_refused_and_nothing_of_it_is_kept(raw: bytes, code: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        file = await ana.call("media.send", to="bo", path=put(w, "Cats.weftpack", raw))
        await w.until(lambda: is_here(bo))
        assert await Faults(bo).code("stickers.add", id=file["id"]) == code
        assert await bo.call("stickers.list") == []
        assert left(w) == []

    world.run(story, seed=470)


def test_names_in_a_pack_are_no_places_and_pictures_are_made_anew() -> None:
    big = made.jpeg()

    async def story(w: World) -> None:
        ana, bo = await pair(w)
        evil = packed(
            ("../../.bashrc", "", PICTURE),
            ("..\\x", "", PICTURE),
            (".._x", "a\nb", PICTURE),
            ("photo", "", big),
            name="../Cats",
        )
        file = await ana.call("media.send", to="bo", path=put(w, "x.weftpack", evil))
        await w.until(lambda: is_here(bo))
        before = left(w, "*")
        pack = await bo.call("stickers.add", id=file["id"])
        assert pack["name"] == ".._Cats"
        said = [(one["name"], one["alt"]) for one in pack["stickers"]]
        assert said == [(".._.._.bashrc", ""), (".._x", ""), (".._x 2", "a b"), ("photo", "")]
        clean = bytes.fromhex((await bo.call("stickers.show", sticker="photo"))["webp"])
        assert webp.measure(clean) == (60, 40)
        assert made.SECRET not in clean
        assert left(w, "*") == before

    world.run(story, seed=471)


def test_a_file_that_is_longer_than_any_pack_is_not_even_read() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        raw = packed(ONE) + bytes(7_000_000)
        file = await ana.call("media.send", to="bo", path=put(w, "big.weftpack", raw))
        await w.until(lambda: is_here(bo))
        await bo.call("media.drop", id=file["id"])  # nor does it have to be here for that
        assert await Faults(bo).code("stickers.add", id=file["id"]) == "sticker.file"

    world.run(story, seed=472)


def test_the_file_of_a_pack_stays_as_it_is() -> None:
    raw = MAGIC + record.encode(Pack("Cats", (Piece("wave", "👋", b"RIFF"), Piece("b", "", b"x"))))
    assert raw.hex() == (
        "7765667420737469636b65727320310a83188f64436174738284188e647761766564f09f918b445249464684188e6162604178"
    )
