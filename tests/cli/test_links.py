"""Links with previews in a terminal, a page and a script: whose word it is, where it leads, and nothing is loaded."""

from pathlib import Path
from typing import Any

import pytest

from cli import archive
from tests.cli import fake
from tests.cli.test_escapes import EVIL, steering
from tests.cli.test_export import Page

SEEN = {
    "url": "https://example.org/x",
    "host": "example.org",
    "title": "Cinema",
    "about": "Tonight at nine",
    "has_picture": True,
}


async def with_preview(world: fake.World, **changed: object) -> dict[str, Any]:
    line = await world.chat.receive("Bo", "look: https://example.org/x")
    line["preview"] = {**SEEN, **changed}
    return line


async def test_whether_there_is_one_is_said_with_the_message(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for flag, wish in ((None, None), ("--preview", True), ("--no-preview", False)):
            ran = await world.weft("send", "bo", "https://example.org", *([flag] if flag else []))
            assert (ran.code, ran.err, world.chat.wished[-1]) == (0, "", wish)
        world.chat.unseen = "No preview: example.org answers 404."
        ran = await world.weft("send", "bo", "https://example.org")
        assert (ran.code, ran.err) == (0, "! No preview: example.org answers 404.\n")
        assert ran.out.startswith("• queued")
        ran = await world.weft("send", "bo", "https://example.org", "--json", "-q")
        assert (ran.json["unseen"], ran.err) == ("No preview: example.org answers 404.", "")
        ran = await world.weft("chat", "bo", stdin="https://example.org\n")
        assert "! No preview: example.org answers 404.\n" in ran.out
        ran = await world.weft("send", "bo", "--lines", "--preview", stdin="a\n")
        assert (ran.code, "--preview does not go with --lines" in ran.err) == (2, True)
        ran = await world.weft("send", "bo", "https://example.org", "--file", "x", "--preview")
        assert (ran.code, world.chat.wished[-1]) == (0, True)


async def test_it_stands_below_the_message_as_the_senders_word_behind_the_true_host(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        line = await with_preview(world)
        for words in (("inbox",), ("read", "bo"), ("message", line["id"])):
            ran = await world.weft(*words)
            assert ran.out.splitlines()[1:] == [
                "       | example.org, as Bo shows it, with a picture:",
                "       |   Cinema",
                "       |   Tonight at nine",
            ]
        line["preview"] |= {"title": "", "about": "", "has_picture": False}
        assert (await world.weft("read", "bo")).out.splitlines()[1:] == ["       | example.org, as Bo shows it:"]
        line["mine"] = True
        assert "| example.org, as you saw it:" in (await world.weft("read", "bo")).out
        assert (await world.weft("read", "bo", "--json")).json["messages"][0]["preview"] == line["preview"]


@pytest.mark.parametrize("form", ["", "--json"])
async def test_what_a_preview_says_steers_no_terminal(tmp_path: Path, form: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await with_preview(world, host=EVIL, title=EVIL, about=EVIL, url=EVIL)
        for words in (("inbox",), ("read", "bo"), ("search", "look")):
            ran = await world.weft(*([form] if form else []), *words)
            assert steering(ran.out + ran.err) == []


@pytest.mark.parametrize("form", ["html", "txt", "json"])
async def test_an_exported_page_shows_it_as_text_and_loads_nothing(tmp_path: Path, form: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        script = "<script src=https://evil.example/></script>"
        await with_preview(world, title=script, about="</p><img src=https://evil.example/x>")
        file = tmp_path / f"bo.{form}"
        assert (await world.weft("export", "--chat", "bo", "--to", str(file))).code == 0
        text = file.read_text()
        match form:
            case "html":
                page = Page(text)
                assert page.tags & {"script", "img", "a", "link"} == set()
                assert page.texts == ["look: https://example.org/x"]
                assert '<p class="about">example.org, as Bo shows it, with a picture:</p>' in text
                assert "&lt;script src=https://evil.example/&gt;" in text
                assert archive._POLICY in text
            case "txt":
                lines = text.splitlines()[3:]
                assert lines[1] == f"{archive.BESIDE}example.org, as Bo shows it, with a picture:"
                assert [one.startswith(archive.ACROSS) for one in lines] == [False, False, True, True]
            case _:
                assert '"preview":{"url":"https://example.org/x"' in text


async def test_no_text_looks_like_what_stands_below_a_message(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        real = await with_preview(world, title="", about="", has_picture=False)
        real["reactions"] = [{"mine": True, "mark": "👍"}]
        shown = [(await world.weft("inbox")).out.splitlines()[1:]]
        file = tmp_path / "bo.txt"
        assert (await world.weft("export", "--chat", "bo", "--to", str(file))).code == 0
        shown.append(file.read_text().splitlines()[4:])
        told = "\n".join(one.strip() for lines in shown for one in lines)
        await world.chat.receive("Bo", f"look\n{told}")
        said = (await world.weft("inbox")).out.splitlines()[4:]
        assert (len(said), set(said) & set(shown[0])) == (len(told.splitlines()), set())
        assert (await world.weft("export", "--chat", "bo", "--to", str(file), "--force")).code == 0
        written = file.read_text().splitlines()
        assert [written.count(one) for one in shown[1]] == [1, 1]
        assert all(one.startswith(" " * 9) for one in said)
        assert all(one.startswith(archive.ACROSS) for one in written[7:])


async def test_who_switches_it_on_hears_what_others_learn(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("config", "set", "links.preview", "on")
        assert (ran.out, ran.err.startswith("! The site of each link that you send now sees")) == (
            "✔ links.preview = yes\n",
            True,
        )
        for words in (("links.preview", "off"), ("lan.beacon", "on"), ("links.preview", "")):
            assert (await world.weft("config", "set", *words)).err == ""
        ran = await world.weft("config", "set", "links.proxy", "socks5://h:1")
        assert (ran.code, "socks5h://HOST:PORT or http://HOST:PORT" in ran.err) == (2, True)
