"""Stickers in a simulated world: packs of pictures, stickers as lines of a chat, packs that are handed on."""

import io
from pathlib import Path, PurePath
from typing import Any

import pytest
import trio
from PIL import Image

from features.chat import view as lines
from features.media import view as files
from features.media.view import LINE_KINDS
from features.stickers import names, picture, view
from features.stickers.content import ALT_BYTES_MAX, NAME_BYTES_MAX, PACK_MAX, Piece, Sticker
from features.stickers.faults import BadName, TooMany
from lab import world
from lab.world import Person, World, befriend
from node import speech
from protocol import content, wire
from protocol.workshop import STICKER_BYTES_MAX
from store import people
from store.blobs import State
from store.database import Tx
from tests.features.kit import Faults
from tests.features.photos import chunk, extended, lossless, photo, riff
from tests.features.sticker_kit import Fields, cats, is_here, packed, put
from tests.features.test_cards_as_lines import arrived, texts
from tests.features.test_chats import row
from tests.features.test_lasting import is_anywhere, set_timer
from tests.features.test_profile import pair, run
from tests.features.test_search import found
from tests.node.workshop import made
from tests.stories.test_backups import kept, lose_and_restore

WAVE = "[sticker] 👋 wave (Cats)"
# --- packs ------------------------------------------------------------------------------------------------------------


def test_a_pack_is_made_of_files_and_folders_and_grows() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        pack = await cats(w, ana, "wave 👋.png", "sleepy.png")
        assert [(one["name"], one["alt"]) for one in pack["stickers"]] == [("wave", "👋"), ("sleepy", "")]
        folder = w.folder / "more"
        for name in ("b.png", "a.png", ".hidden.png", "notes.txt"):
            put(w, f"more/{name}")
        (folder / "deep.png").mkdir()
        pack = await ana.call("stickers.pack", name="cats", paths=[str(folder)])
        assert (pack["name"], [one["name"] for one in pack["stickers"]]) == ("Cats", ["wave", "sleepy", "a", "b"])
        pack = await ana.call("stickers.pack", name="Cats", paths=[put(w, "WAVE.png"), put(w, "wave.png")])
        assert [one["name"] for one in pack["stickers"]][4:] == ["WAVE 2", "wave 3"]
        assert await ana.call("stickers.list") == [pack]
        shown = await ana.call("stickers.show", sticker="cats/Wave")
        assert (shown["pack"], shown["alt"], shown["width"], shown["height"]) == ("Cats", "👋", 512, 256)
        assert Image.open(io.BytesIO(bytes.fromhex(shown["webp"]))).size == (512, 256)
        assert made.SECRET not in bytes.fromhex(shown["webp"])
        assert await ana.call("stickers.remove", sticker="wave") == {"pack": "Cats", "removed": 1}
        assert await ana.call("stickers.remove", sticker="CATS") == {"pack": "Cats", "removed": 5}
        assert await ana.call("stickers.list") == []

    world.run(story, seed=460)


def test_a_sticker_is_found_by_name_pack_emoji_and_beginning() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        faults = Faults(ana)
        await cats(w, ana, "wave 👋.png", "waver.png", "sleepy.png")
        await ana.call("stickers.pack", name="Dogs", paths=[put(w, "wave.png"), put(w, "bark.png")])
        await ana.call("stickers.pack", name="Fu\u0308chse", paths=[put(w, "gru\u0308n.png")])
        for said, pack, name in (
            ("dogs/wave", "Dogs", "wave"),
            ("Cats/WAVE", "Cats", "wave"),
            ("bark", "Dogs", "bark"),
            ("ba", "Dogs", "bark"),
            ("👋", "Cats", "wave"),
            ("cats/s", "Cats", "sleepy"),
            ("waver", "Cats", "waver"),
            ("gr\u00fcn", "F\u00fcchse", "gr\u00fcn"),
            ("fu\u0308chse/gru\u0308n", "F\u00fcchse", "gr\u00fcn"),
        ):
            shown = await ana.call("stickers.show", sticker=said)
            assert (shown["pack"], shown["name"]) == (pack, name), said
        for said in ("wave", "w"):
            assert await faults.code("stickers.show", sticker=said) == "sticker.ambiguous"
        for said in ("", "/", "cats/", "birds/wave", "none"):
            assert await faults.code("stickers.show", sticker=said) == "sticker.unknown"
        assert await ana.call("stickers.remove", sticker="FU\u0308CHSE") == {"pack": "F\u00fcchse", "removed": 1}

    world.run(story, seed=461)


@pytest.mark.parametrize(
    ("file", "name", "alt"),
    [
        ("wave 👋.png", "wave", "👋"),
        ("👩‍👩‍👧.png", "sticker", "👩‍👩‍👧"),
        ("a👍🏽b.webp", "ab", "👍🏽"),
        ("..\\..\\evil\x1b[2J.png", ".._.._evil [2J", ""),
        ("\u202egpj.exe.png", "gpj.exe", ""),
        ("x" * 200 + ".png", "x" * NAME_BYTES_MAX, ""),
        ("ü" * 100 + ".png", "ü" * (NAME_BYTES_MAX // 2), ""),
        ("👋" * 30 + ".png", "sticker", ""),
        ("\udcff.png", "sticker", ""),
        ("- _.png", "sticker", ""),
    ],
)
def test_what_a_file_is_called_becomes_a_name(file: str, name: str, alt: str) -> None:
    assert names.of_file(PurePath(file)) == (name, alt)
    Piece(name, alt, b"x")  # can be said


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", "two\x07", "x" * 49, "\u202e", "\ud800"])
def test_what_cannot_be_the_name_of_a_pack_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        names.checked(name)


def test_names_that_are_taken_get_numbers_and_fit() -> None:
    long = "x" * NAME_BYTES_MAX
    assert names.free("a", {"a", "a 2"}) == "a 3"
    assert names.free(long, {long}) == f"{'x' * (NAME_BYTES_MAX - 2)} 2"
    with pytest.raises(BadName):
        names.free("a", {"a", *(f"a {n}" for n in range(names.NUMBERS_MAX))})


def test_a_folder_of_ten_thousand_pictures_is_refused_before_one_is_looked_at(tmp_path: Path) -> None:
    for n in range(PACK_MAX + 1):
        (tmp_path / f"{n}.png").touch()
    with pytest.raises(TooMany):
        picture.files([tmp_path])
    with pytest.raises(TooMany):
        picture.files([tmp_path / "0.png"] * (PACK_MAX + 1))
    (tmp_path / "0.png").unlink()
    assert len(picture.files([tmp_path])) == PACK_MAX
    many = tmp_path / "many"
    many.mkdir()
    for n in range(picture.ENTRIES_MAX + 1):
        (many / f"{n}.txt").touch()
    with pytest.raises(TooMany):
        picture.files([many])


@pytest.mark.parametrize("limit", ["PACK_MAX", "PACKS_MAX", "BYTES_MAX"])
def test_packs_have_limits_and_nothing_is_kept_beyond_one(limit: str) -> None:
    def piece(n: int, size: int = 10) -> Piece:
        return Piece(str(n), "", bytes(size))

    def over(tx: Tx) -> None:
        match limit:
            case "PACK_MAX":
                view.put(tx, "a", [piece(n) for n in range(PACK_MAX)])
                view.put(tx, "a", [piece(PACK_MAX)])
            case "PACKS_MAX":
                for n in range(view.PACKS_MAX + 1):
                    view.put(tx, f"p{n}", [piece(0)])
            case _:
                fits = view.BYTES_MAX // STICKER_BYTES_MAX
                for n in range(fits + 1):
                    view.put(tx, f"p{n % 60}", [piece(n, STICKER_BYTES_MAX)])

    async def story(w: World) -> None:
        ana, _ = await pair(w)
        with pytest.raises(TooMany):
            await run(ana, over)
        assert await ana.call("stickers.list") == []

    world.run(story, seed=462)


# --- stickers as lines ------------------------------------------------------------------------------------------------


def test_a_sticker_is_a_line_and_what_is_done_to_a_text_can_be_done_to_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        faults = Faults(ana)
        await cats(w, ana)
        sent = await ana.call("stickers.send", to="bo", sticker="wave")
        await w.until(lambda: arrived(ana))
        own = await ana.call("stickers.show", sticker="wave")
        assert await texts(ana, "bo") == await texts(bo, "ana") == [WAVE]
        listed = await row(bo, "ana")
        assert (listed["unread"], listed["excerpt"]) == (1, WAVE)
        line = await bo.call("chat.message", id=sent["id"])
        facts = {"name": "wave", "pack": "Cats", "alt": "👋", "bytes": own["bytes"], "width": 512, "height": 256}
        assert line["sticker"] == facts
        assert await bo.call("stickers.show", sticker=sent["id"][-8:]) == own
        assert (await bo.call("chat.send", to="ana", text="hi", reply=sent["id"]))["reply_to"]["excerpt"] == WAVE
        await bo.call("chat.react", id=sent["id"], mark="😀")
        await bo.call("chat.star", id=sent["id"])
        assert [one["id"] for one in await bo.call("chat.starred")] == [sent["id"]]
        assert await faults.code("chat.edit", id=sent["id"], text="x") == "message.no_text"
        for query, has, wanted in (("wav", None, [WAVE]), ("", "sticker", [WAVE]), ("cats", "place", [])):
            assert [one["text"] for one in await bo.call("chat.search", query=query, has=has)] == wanted
        forwarded = await bo.call("chat.forward", id=sent["id"], to="ana")
        assert (forwarded["text"], forwarded["forwarded"], forwarded["sticker"]) == (WAVE, True, facts)
        gone = await ana.call("chat.recall", id=sent["id"])
        assert (gone["said"], gone["sticker"]) == (WAVE, None)
        await w.until(lambda: arrived(ana))
        await w.until(lambda: arrived(bo))
        for person in (ana, bo):
            assert (await person.call("chat.message", id=sent["id"]))["recalled"]
            lost = await Faults(person).code("stickers.show", sticker=sent["id"])
            assert lost == "sticker.unknown"
        await ana.call("chat.delete", id=forwarded["id"])
        assert await texts(ana, "bo") == ["", "hi"]

    world.run(story, seed=463)


def test_stickers_disappear_and_come_back_with_a_backup() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await cats(w, ana, "wave 👋.png", "xyzzy7f3a.png")
        stays = await ana.call("stickers.send", to="bo", sticker="wave")
        await w.until(lambda: arrived(ana))
        file = w.folder / "bo.weft"
        await kept(bo, file)
        await bo.kill()
        await lose_and_restore(bo, file)
        await bo.start()
        assert (await bo.call("stickers.show", sticker=stays["id"]))["name"] == "wave"
        assert len(await bo.call("chat.search", has="sticker")) == 1
        await set_timer(ana, bo, 60)
        await ana.call("stickers.send", to="bo", sticker="xyzzy7f3a")
        await ana.call("stickers.remove", sticker="Cats")
        await w.until(lambda: arrived(ana))
        assert await found(bo, "xyzzy7f3a") == ["[sticker] xyzzy7f3a (Cats)"]
        assert [one["lasts_s"] for one in await bo.call("chat.search", has="sticker")] == [60, 0]
        await bo.call("chat.read", to="ana")
        await trio.sleep(120)
        for person in (ana, bo):
            assert [one["text"] for one in await person.call("chat.search", has="sticker")] == [WAVE]
            assert not await is_anywhere(w, person, "xyzzy7f3a")

    world.run(story, seed=464)


def test_the_ends_of_ids_of_all_lines_are_found_through_one_index() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        for sql in (view.ENDING, lines.ENDING):
            plan = await run(ana, lambda tx, sql=sql: tx.all(f"EXPLAIN QUERY PLAN {sql}", (bytes(2),)))
            assert "chat_line_end" in plan[0][3]
        assert ", ".join(map(str, sorted(content.Kinds(lines.SHOWN).classes))) == LINE_KINDS

    world.run(story, seed=465)


GOOD: Fields = ("wave", "Cats", "👋", photo(b"good"))


@pytest.mark.parametrize(
    "fields",
    [
        ("", *GOOD[1:]),
        ("x" * (NAME_BYTES_MAX + 1), *GOOD[1:]),
        ("wa\x1b[2Jve", *GOOD[1:]),
        ("two\nlines", *GOOD[1:]),
        ("wave", "", *GOOD[2:]),
        ("wave", "\u202eCats", *GOOD[2:]),
        ("wave", "Cats", "x" * (ALT_BYTES_MAX + 1), GOOD[3]),
        (*GOOD[:3], b""),
        (*GOOD[:3], b"GIF89a" + bytes(30)),
        (*GOOD[:3], photo(bytes(STICKER_BYTES_MAX))),
        (*GOOD[:3], photo(b"", 513)),
        (*GOOD[:3], riff(extended(9, 9, 0x02), chunk(b"ANIM", bytes(6)), chunk(b"ANMF", bytes(30)))),
        (*GOOD[:3], riff(extended(9, 9, 0x08), lossless(9, 9), chunk(b"EXIF", b"where"))),
        (*GOOD[:3], riff(extended(512, 512), lossless(9, 9))),
        (*GOOD, 2),
        GOOD[:3],
    ],
)
def test_a_hostile_sticker_is_dropped_and_the_talk_goes_on(fields: Fields) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        assert ana.node is not None
        core = ana.node.core

        def say(tx: Tx, said: Fields) -> None:
            """As a node would say it that checks nothing."""
            honest = Sticker("wave", "Cats", "", photo())
            (spoken,) = speech.say(tx, 1, (honest,), w.now_ms(), core.ground.entropy("message"))
            (body,) = tx.one("SELECT body FROM message WHERE seq = ?", (spoken.seq,)) or (b"",)
            head: Any = wire.decode(body, len(body))
            raw = wire.encode((*head[:6], said, head[7]))
            tx.execute("UPDATE message SET body = ? WHERE seq = ?", (raw, spoken.seq))

        await run(ana, say, fields)
        await run(ana, say, GOOD)
        core.delivery.stir(1)
        await w.until(lambda: arrived(ana))
        assert await texts(bo, "ana") == [WAVE]
        assert await run(bo, lambda tx: tx.all("SELECT COUNT(*) FROM message WHERE kind = 141")) == [(1,)]

    world.run(story, seed=466)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_each_fault_that_is_promised_is_met_and_changes_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await befriend(ana, await w.person("bobby"))
        faults = Faults(ana)
        good = put(w, "wave.png")
        for name in ("", "a/b"):
            assert await faults.code("stickers.pack", name=name, paths=[good]) == "sticker.name"
        for paths, code in (
            (["wave.png"], "sticker.path"),
            ([good, "/no/such/file.png"], "sticker.unreadable"),
            ([good, put(w, "bad.png", b"none")], "sticker.picture"),
            ([], "sticker.none"),
            ([good] * (PACK_MAX + 1), "limit"),
            (["/\0"], "sticker.unreadable"),
        ):
            assert await faults.code("stickers.pack", name="Cats", paths=paths) == code
        assert await ana.call("stickers.list") == []
        await cats(w, ana, "wave.png")
        await ana.call("stickers.pack", name="Dogs", paths=[good])
        for method in ("send", "show", "remove"):
            more = {"to": "bo"} if method == "send" else {}
            assert await faults.code(f"stickers.{method}", sticker="none", **more) == "sticker.unknown"
            assert await faults.code(f"stickers.{method}", sticker="wave", **more) == "sticker.ambiguous"
        what: tuple[tuple[str, dict[str, str]], ...] = (("send", {"sticker": "Cats/wave"}), ("share", {"pack": "Cats"}))
        for method, more in what:
            for who, code in (("nobody", "contact.unknown"), ("b", "contact.ambiguous")):
                assert await faults.code(f"stickers.{method}", to=who, **more) == code
        assert await faults.code("stickers.share", to="bo", pack="none") == "sticker.no_pack"
        await bo.call("chat.send", to="ana", text="no sticker")
        await w.until(lambda: arrived(bo))
        plain = (await ana.call("chat.inbox"))[-1]["id"]
        for wrong in ("ZZZZZZ", "!", plain):
            assert await faults.code("stickers.save", id=wrong) == "sticker.unknown"
        await met_with_what_came(w, ana, bo, faults)
        await ana.call("contacts.block", name="bo")
        for method, more in what:
            assert await faults.code(f"stickers.{method}", to="bo", **more) == "contact.blocked"
        await ana.call("contacts.unblock", name="bo")
        await run(ana, lambda tx: people.set_alarm(tx, people.find_contact(tx, "bo").id, people.STOPS))
        for method, more in what:
            assert await faults.code(f"stickers.{method}", to="bo", **more) == "contact.account_changed"
        assert faults.missing("stickers") == set()

    world.run(story, seed=473)


async def met_with_what_came(w: World, ana: Person, bo: Person, faults: Faults) -> None:
    """The faults of stickers and packs that bo has sent."""
    await bo.call("stickers.pack", name="Cats", paths=[put(w, "wave.png")])
    sent = await bo.call("stickers.send", to="ana", sticker="wave")
    shared = await bo.call("stickers.share", to="ana", pack="Cats")
    await w.until(lambda: arrived(bo))
    await w.until(lambda: is_here(ana))
    assert await faults.code("stickers.save", id=sent["id"], pack="a/b") == "sticker.name"
    assert await faults.code("stickers.add", id=shared["id"], name="a/b") == "sticker.name"
    assert await faults.code("stickers.add", id=shared["id"]) == "sticker.exists"
    assert await faults.code("stickers.add", id="ZZZZZZ") == "media.none"
    assert await faults.code("stickers.add", id="!") == "id.malformed"
    for raw, code in ((b"no pack", "sticker.file"), (packed(("a", "", b"none")), "sticker.picture")):
        file = await bo.call("media.send", to="ana", path=put(w, "x.weftpack", raw))
        await w.until(lambda: arrived(bo))
        await w.until(lambda: is_here(ana))
        assert await faults.code("stickers.add", id=file["id"]) == code
    await run(bo, lambda tx: tx.execute("UPDATE sticker SET webp = ?", (photo(b"no pixels"),)))
    broken = await bo.call("stickers.send", to="ana", sticker="wave")
    await w.until(lambda: arrived(bo))
    assert await faults.code("stickers.save", id=broken["id"]) == "sticker.picture"
    await met_without_room(ana, sent["id"], shared["id"], faults)
    await ana.call("media.drop", id=shared["id"])
    assert await faults.code("stickers.add", id=shared["id"]) == "media.incomplete"
    number = (await run(ana, files.find, shared["id"])).row.number
    await run(ana, lambda tx: tx.execute("UPDATE blob SET state = ? WHERE number = ?", (int(State.FALSE), number)))
    assert await faults.code("stickers.add", id=shared["id"]) == "media.false"

    def alike(tx: Tx) -> None:
        for (seq,) in tx.all("SELECT seq FROM media_file"):
            tx.execute("UPDATE message SET message_id = ? WHERE seq = ?", (bytes([seq]) * 8 + bytes(8), seq))

    await run(ana, alike)
    assert await faults.code("stickers.add", id="0000") == "message.ambiguous"


async def met_without_room(ana: Person, sent: str, shared: str, faults: Faults) -> None:
    """A disk that has to keep more free than it has; and as many packs as there may be."""
    assert ana.node is not None
    ana.node.core.blobs.reserve_bytes = 2**60
    assert await faults.code("stickers.save", id=sent) == "media.room"
    assert await faults.code("stickers.add", id=shared, name="New") == "media.room"
    assert await faults.code("stickers.share", to="bo", pack="Cats") == "media.room"
    ana.node.core.blobs.reserve_bytes = 0
    for n in range(view.PACKS_MAX - len(await ana.call("stickers.list"))):
        await run(ana, lambda tx, n=n: view.put(tx, f"p{n}", [Piece("x", "", photo())]))
    assert await faults.code("stickers.save", id=sent, pack="New") == "limit"
    assert await faults.code("stickers.add", id=shared, name="New") == "limit"
