"""sticker: what it asks of the node, what it shows, and how it ends."""

from pathlib import Path

from tests.cli import fake
from tests.cli.stickers_room import WEBP, pack, shown


async def test_a_pack_is_made_of_whole_paths(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("sticker", "pack", "Cats", "wave.png", "/tmp/../tmp/sleepy.webp")
        assert (ran.code, ran.out) == (0, "✔ Cats (2 stickers, 4 kB): 👋 wave, 👋 sleepy\n")
        assert world.stickers.asked == [("pack", "Cats", f"{Path.cwd()}/wave.png", "/tmp/sleepy.webp")]
        assert (await world.weft("sticker", "pack", "Cats")).code == 2


async def test_packs_are_listed_with_and_without_a_word(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        assert "weft sticker pack NAME FOLDER" in (await world.weft("sticker")).out
        world.stickers.packs = [pack("Ca\x1b[2Jts", ["wa\nve"])]
        for words in (("sticker",), ("sticker", "list")):
            ran = await world.weft(*words)
            assert ran.out == "Ca [2Jts (1 sticker, 2 kB): 👋 wa ve\n"
            assert (await world.weft(*words, "--json")).json == {"packs": world.stickers.packs}


async def test_a_sticker_is_sent_and_is_a_message(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.weft("send", "bo", "[sticker] 👋 wave (Cats)")
        line = world.chat.lines[0]
        world.stickers.sent = {"id": line["id"], "seq": line["seq"]}
        ran = await world.weft("sticker", "send", "bo", "wave")
        assert ran.out == "[sticker] 👋 wave (Cats)  • queued   (id …00000001)\n"
        assert world.stickers.asked == [("send", "bo", "wave")]
        assert (await world.weft("sticker", "send", "bo", "wave", "--json")).json["id"] == line["id"]
        ran = await world.weft("sticker", "send", "bo", "none")
        assert (ran.code, ran.err.endswith("Next: weft sticker list\n")) == (5, True)


async def test_one_is_shown_kept_shared_taken_in_and_removed(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("sticker", "show", "wave")
        assert ran.out == "👋 wave of Cats (2 kB, 512×400)\n"  # no terminal, so nothing is drawn
        assert (await world.weft("sticker", "show", "wave", "--json")).json == shown("wave")
        assert (await world.weft("sticker", "save", "7K2Q")).out == "✔ Kept: Cats/👋 wave\n"
        assert (await world.weft("sticker", "save", "7K2Q", "--in", "Mine")).out == "✔ Kept: Mine/👋 wave\n"
        ran = await world.weft("sticker", "share", "bo", "Cats")
        assert ran.out.startswith("• [file] Cats.weftpack (")
        assert "Over there: weft sticker add " in ran.err
        assert (await world.weft("sticker", "add", "7K2Q", "--as", "Dogs")).out == "✔ Dogs (1 sticker, 2 kB): 👋 wave\n"
        assert (await world.weft("sticker", "remove", "Cats")).out == "✔ Gone from Cats: 2 stickers\n"
        assert world.stickers.asked == [
            ("save", "7K2Q", None),
            ("save", "7K2Q", "Mine"),
            ("share", "bo", "Cats"),
            ("add", "7K2Q", "Dogs"),
        ]


async def test_an_export_saves_stickers_under_names_of_its_own(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", "[sticker] 👋 ../../wave (Cats)")
        line = world.chat.lines[0]
        line["sticker"] = {"name": "../../wave", "pack": "Cats", "alt": "👋", "bytes": 12, "width": 1, "height": 1}
        ran = await world.weft("export", "--chat", "bo", "--media", "--to", str(tmp_path / "bo.html"), "--json")
        assert (ran.code, ran.json["saved"], ran.json["left"]) == (0, 1, 0)
        name = f"sticker-{line['short']}.webp"
        assert [one.name for one in (tmp_path / "bo-files").iterdir()] == [name]
        assert (tmp_path / "bo-files" / name).read_bytes() == WEBP
        assert (tmp_path / "bo-files" / name).stat().st_mode & 0o777 == 0o600
        page = (tmp_path / "bo.html").read_text()
        assert f'<img src="./bo-files/{name}"' in page
        plain = await world.weft("export", "--chat", "bo", "--to", str(tmp_path / "plain.html"), "--json")
        assert (plain.code, "<img" in (tmp_path / "plain.html").read_text()) == (0, False)


async def test_a_sticker_that_goes_while_a_page_is_written_is_named_and_the_page_is_written(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for number in range(2):
            sticker = {"name": "wave", "pack": "Cats", "alt": "👋", "bytes": 12, "width": 1, "height": 1}
            await world.chat.receive("Bo", f"[sticker] 👋 wave {number} (Cats)", sticker=sticker)
        world.stickers.gone.add(world.chat.lines[0]["id"])
        ran = await world.weft("export", "--chat", "bo", "--media", "--to", str(tmp_path / "bo.html"), "--json")
        assert (ran.code, ran.json["saved"], ran.json["left"]) == (0, 1, 0)
        page = (tmp_path / "bo.html").read_text()
        assert ("wave 0 (Cats)" in page, page.count("<img")) == (True, 1)
