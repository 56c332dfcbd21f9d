"""export: a conversation as HTML, JSON and text: complete, in order, harmless, and whole or not there."""

import html
import json
import os
import re
import stat
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from cli import archive, files, show
from cli.archive import Form, Heading
from cli.commands.export import PAGE
from cli.options import Door
from tests.cli import fake
from tests.cli.media_room import file
from tests.cli.test_escapes import EVIL, steering

FORMS = [*Form]
HOSTILE = (
    "<script>alert(1)</script>",
    "</p></article><img src=https://evil.example/x onerror=alert(1)>",
    "<!-- <style>@import url(//evil.example)</style>",
    "\"><iframe srcdoc='<script>'>",
    "]]>&lt;&amp;&#60;script&#62;\\u003cscript\\u003e",
    '"}]}{"mine":true,"text":"',
    "\n2026-01-01 00:00:00  You: I owe you a house  [delivered]",
    "line\r2026-01-01 00:00:00  You: again\x85\x0bYou: and again",
    EVIL,
    "می\u200cخواهم \U0001f469\u200d\U0001f4bb",
    " \n\n ",
)
TAGS = {"html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "main", "article", "b"} | {
    "footer",
    "time",
}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "dir", "datetime"}


class Page(HTMLParser):
    """What a browser makes of a page: the texts of its messages, and everything that is not text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.others: list[str] = []
        self.texts: list[str] = []
        self.authors: list[str] = []
        self.ids: list[str] = []
        self._into: list[str] | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._into = None
        match tag, dict(attrs):
            case "p", {"dir": "auto"}:
                self._into = self.texts
                self.texts.append("")
            case "b", _:
                self._into = self.authors
                self.authors.append("")
            case "article", {"id": str(id_)}:
                self.ids.append(id_)

    def handle_endtag(self, tag: str) -> None:
        self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def seen(text: str) -> str:
    return show.clean(text, keep_lines=True)


async def conversation(world: fake.World, name: str, *texts: str) -> None:
    """Texts of the contact and of mine in turn."""
    for number, text in enumerate(texts):
        if number % 2:
            await world.chat.send(name, text)
        else:
            await world.chat.receive(name, text)


@pytest.mark.parametrize("form", FORMS)
async def test_a_conversation_is_written_and_said_to_be(tmp_path: Path, form: Form) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await conversation(world, "Bo", "to the cinema", "gladly")
        await world.chat.receive("Chen", "something else")
        file = tmp_path / f"bo.{form}"
        ran = await world.weft("export", "--chat", "bo", "--to", str(file))  # the form is that of the name
        assert (ran.code, ran.err) == (0, "! It is not encrypted: whoever gets the file can read it.\n")
        size = file.stat().st_size
        assert ran.out == f"✔ Written: {file} (2 messages, {size:,} bytes)\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        text = file.read_text()
        assert "to the cinema" in text < text.replace("gladly", "~")
        assert "something else" not in text
        again = await world.weft("export", "--chat", "bo", "--to", str(file), "--json")
        assert (again.code, again.json["error"]["code"]) == (1, "file.exists")
        assert file.read_text() == text
        forced = await world.weft(*again.json["error"]["next"].split()[1:], "--json")
        assert forced.json == {"file": str(file), "format": form, "messages": 2, "bytes": size}


async def test_in_a_directory_it_is_called_after_the_contact_and_the_day(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "../Bö:/ X") as world:
        ran = await world.weft("export", "--chat", "../Bö:/ X", "--to", str(tmp_path), "--json")
        assert re.fullmatch(r"weft-Bö---X-\d{4}-\d\d-\d\d\.html", Path(ran.json["file"]).name)
        assert (ran.json["messages"], ran.json["format"]) == (0, "html")
        ran = await world.weft(
            "export", "--chat", "../Bö:/ X", "--format", "txt", "--to", f"{tmp_path}/x.html", "--json"
        )
        assert (tmp_path / "x.html").read_text().startswith("Conversation with ../Bö:/ X\n")


async def test_what_was_said_is_only_text(tmp_path: Path) -> None:
    name = f"Bo{EVIL}<script>x</script>"
    async with fake.node(tmp_path, name) as world:
        await conversation(world, name, *HOSTILE)
        await world.chat.become(2, "failed", EVIL + "<script>y</script>")
        written: dict[Form, str] = {}
        for form in FORMS:
            ran = await world.weft("export", "--chat", name, "--to", f"{tmp_path}/out.{form}")
            assert (ran.code, steering(ran.out + ran.err)) == (0, [])
            written[form] = (tmp_path / f"out.{form}").read_bytes().decode()
            assert {*steering(written[form])} <= {"0x200c", "0x200d"}  # joiners: Persian and emoji need them
        page = Page(written[Form.HTML])
        assert page.texts == [seen(text) for text in HOSTILE]
        assert {*page.authors} == {"You", show.clean(name)}
        assert page.ids == [line["id"] for line in world.chat.lines]
        assert (page.tags - TAGS, page.attributes - ATTRIBUTES, page.others) == (set(), set(), [])
        assert json.loads(written[Form.JSON])["messages"] == world.chat.lines
        check_txt(written[Form.TXT], name)


def check_txt(text: str, name: str) -> None:
    """Each line that does not begin with blanks is one of a message, and says truly whose."""
    _, about, blank, *lines = text.removesuffix("\n").split("\n")
    assert about.startswith("Account wf1")
    assert blank == ""
    heads = [line for line in lines if not line.startswith(archive.ACROSS)]
    assert len(heads) == len(HOSTILE)
    for number, head in enumerate(heads):
        who = "You" if number % 2 else show.clean(name)
        assert re.match(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  {re.escape(who)}: ", head)
    for said in HOSTILE:
        assert seen(said).replace("\n", f"\n{archive.ACROSS}") in text


def test_a_page_loads_nothing_and_says_so() -> None:
    page = b"".join(archive.parts(Form.HTML, Heading("Bo", "wf1q", 1), [])).decode()
    assert "default-src 'none'" in page
    for loads in ("<script", "<link", "src=", "href=", "url(", "@import", "http:", "https:"):
        assert loads not in page
    assert "prefers-color-scheme: dark" in page


def test_what_a_line_carries_stands_below_it(tmp_path: Path) -> None:
    line = {"id": "1", "mine": False, "contact": "Bo", "text": "see", "at_ms": 1, "state": "received", "reason": ""}
    carrying = {**line, "file": {"name": "<b>\x1b[2Jx.jpg"}}
    card = {**line, "text": "[card] Chen", "card": {"claims": "Chen", "account": "wf1<q", "known": ""}}
    place = {**line, "text": "[place] 1, 2", "place": {"geo": "geo:1,2"}}
    for form, said in (
        (
            Form.HTML,
            ("File: &lt;b&gt; [2Jx.jpg", "[card] Chen</p>", "Account: wf1&lt;q", "[place] 1, 2</p>", "geo:1,2"),
        ),
        (Form.TXT, (f"\n{archive.BESIDE}File: <b> [2Jx.jpg\n", f"[card] Chen\n{archive.BESIDE}Account: wf1<q\n")),
        (Form.TXT, (f"[place] 1, 2\n{archive.BESIDE}geo:1,2\n",)),
        (Form.JSON, ('"account":"wf1<q"', '"geo":"geo:1,2"')),
    ):
        written = b"".join(archive.parts(form, Heading("Bo", "wf1q", 1), [[carrying, card, place]])).decode()
        assert [one for one in said if one not in written] == []


async def with_files(world: fake.World, *files: tuple[str, str]) -> None:
    """Messages of bo with files: (name, state)."""
    for name, state in files:
        line = await world.chat.receive("Bo", name)
        line["file"] = file(name, line["seq"], id=line["id"], state=state)
        world.media.rows.append(line["file"])


EVIL_FILE = f'a"><script>x<\u2044script>%41#é {EVIL.replace("/", "")}.jpg'.replace("\n", "")


@pytest.mark.parametrize("form", FORMS)
async def test_files_that_are_here_are_saved_beside_it_and_the_others_are_named(tmp_path: Path, form: Form) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await with_files(
            world, (EVIL_FILE, "here"), ("page.html", "here"), ("later.jpg", "offered"), ("gone.jpg", "here")
        )
        world.media.rows.pop()  # it was recalled while the page was written
        (tmp_path / "bo-files").mkdir()  # somebody else's
        ran = await world.weft("export", "--chat", "bo", "--media", "--to", f"{tmp_path}/bo.{form}")
        folder = tmp_path / "bo-files-2"
        assert (ran.code, steering(ran.out + ran.err)) == (0, [])
        assert ran.out.splitlines()[1] == f"✔ Saved: {folder} (2 files)"
        assert ran.err.startswith("! Not here, so not saved: 2 files. Fetch what you want: weft get ID\n")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [one for one in world.media.asked if one[0] == "save"] == [
            ("save", world.media.rows[n]["id"], str(folder)) for n in (0, 1)
        ]
        again = await world.weft(
            "export", "--chat", "bo", "--media", "--to", f"{tmp_path}/bo.{form}", "--force", "--json"
        )
        assert (again.json["folder"], again.json["saved"], again.json["left"]) == (f"{tmp_path}/bo-files-3", 2, 2)
        check_saved(form, (tmp_path / f"bo.{form}").read_bytes().decode())


def check_saved(form: Form, text: str) -> None:
    """What a page says of the four files: one is linked, one is only named, two are not here."""
    match form:
        case Form.JSON:
            saved = [one["saved"] for one in json.loads(text)["messages"]]
            assert saved == [f"bo-files-3/{EVIL_FILE}", "bo-files-3/page.html", None, None]
        case Form.TXT:
            assert f"\n{archive.BESIDE}File: page.html (saved: bo-files-3/page.html)\n" in text
            assert text.count("(not here, so not saved)") == 2
        case Form.HTML:
            page = Page(text)
            assert (page.tags - TAGS, page.attributes - ATTRIBUTES) == (
                {"a", "img"},
                {"href", "rel", "src", "alt", "loading"},
            )
            (place,) = re.findall(r'<a href="([^"]*)"', text)
            assert re.findall(r'src="([^"]*)"', text) == [place]
            assert unquote(html.unescape(place)) == f"./bo-files-3/{EVIL_FILE}"
            assert "File: page.html (saved: bo-files-3/page.html)" in text  # what can run is not linked
            assert "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:\"" in text


async def test_what_breaks_on_the_way_leaves_no_saved_files(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await with_files(world, ("a.jpg", "here"))
        await world.chat.send_all("Bo", ["text"] * (3 * PAGE))
        world.chat.breaks_at = 2 * PAGE
        (tmp_path / "out").mkdir()
        ran = await world.weft("export", "--chat", "bo", "--media", "--to", f"{tmp_path}/out/bo.html")
        assert (ran.code, [one[0] for one in world.media.asked]) == (1, ["save"])
        assert os.listdir(tmp_path / "out") == []


async def test_ten_thousand_messages_come_in_pages_and_in_order(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        for number in range(0, 10_000, 80):  # so that pages end between two lines of one chat
            await world.chat.send_all("Bo", [f"number {n}" for n in range(number, number + 80)])
            await world.chat.receive("Chen", "between")
        for form in FORMS:
            world.chat.pages.clear()
            ran = await world.weft("export", "--chat", "bo", "--to", f"{tmp_path}/bo.{form}", "--json")
            assert ran.json["messages"] == 10_000
            assert world.chat.pages == [PAGE] * (10_000 // PAGE)
            text = (tmp_path / f"bo.{form}").read_text()
            assert re.findall(r"number (\d+)\b", text) == [str(n) for n in range(10_000)]
        told = json.loads((tmp_path / "bo.json").read_text())
        assert told["messages"] == [line for line in world.chat.lines if line["contact"] == "Bo"]
        assert told["contact"] == {"name": "Bo", "account": world.contacts.rows[0]["account"]}
        assert (told["format"], told["version"]) == ("weft conversation", 1)


@pytest.mark.parametrize("form", FORMS)
async def test_what_breaks_on_the_way_leaves_nothing(tmp_path: Path, form: Form) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.send_all("Bo", ["text"] * (3 * PAGE))
        world.chat.breaks_at = 2 * PAGE
        ran = await world.weft("export", "--chat", "bo", "--to", f"{folder}/bo.{form}")
        assert (ran.code, ran.out) == (1, "")
        assert len(world.chat.pages) == 2
        assert os.listdir(folder) == []
        (folder / f"bo.{form}").write_text("of before")
        ran = await world.weft("export", "--chat", "bo", "--to", f"{folder}/bo.{form}", "--force")
        assert (ran.code, os.listdir(folder)) == (1, [f"bo.{form}"])
        assert (folder / f"bo.{form}").read_text() == "of before"


def test_an_export_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def pages() -> Iterator[list[archive.Message]]:
        yield []
        raise KeyboardInterrupt

    for form in FORMS:
        parts = archive.parts(form, Heading("Bo", "wf1q", 1), pages())
        with pytest.raises(KeyboardInterrupt):
            files.store(Door(environ={}), tmp_path / "bo", parts, False, "")
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ((), 2, "Missing option '--chat'"),
        (("--chat", "bo", "--format", "pdf"), 2, "is not one of"),
        (("--chat", "eve"), 5, "No contact is called eve."),
        (("--chat", "bo", "--to", "/no/such/folder/file"), 1, "cannot be written"),
    ],
)
async def test_what_cannot_be_is_said(tmp_path: Path, words: tuple[str, ...], code: int, part: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("export", *words)
        assert (ran.code, part in ran.err, ran.out) == (code, True, "")


LOADING = re.compile(r"https?:|//|javascript:|data:|\burl\(|@import", re.IGNORECASE)


async def test_no_line_of_any_sort_runs_or_loads_anything(tmp_path: Path) -> None:
    """All that a line can carry, each of it by somebody who wants the page to run or to ask for something."""
    evil = f"\"'><script src=//evil.example>x</script><img src=x onerror=x>javascript:x {EVIL}"
    name = f"Bo{evil[:40]}"
    async with fake.node(tmp_path, name) as world:
        await with_files(world, (EVIL_FILE, "here"), (f"{EVIL_FILE}.svg", "here"), (evil.replace("/", ""), "offered"))
        for line in world.chat.lines:
            line["contact"] = name
        answered = {"short": "1", "excerpt": evil, "mine": False, "is_here": True}
        reaction = {"mark": evil, "mine": False}
        for more in (
            {"reply_to": answered, "reactions": [reaction, {"mark": "👍", "mine": True}], "edited": 2},
            {"forwarded": True},
            {"recalled": True, "text": ""},
            {"notice": evil, "mine": True},
        ):
            line = await world.chat.receive(name, evil)
            line.update(more)
        ran = await world.weft("export", "--chat", name, "--media", "--to", f"{tmp_path}/bo.html")
        assert ran.code == 0
        text = (tmp_path / "bo.html").read_text()
        page = Page(text)
        assert page.tags - TAGS == {"a", "img", "blockquote"}
        assert page.attributes - ATTRIBUTES == {"href", "rel", "src", "alt", "loading"}
        assert page.others == []
        targets = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert len(targets) == 2  # of the picture alone
        assert all(one.startswith("./bo-files/") and not LOADING.search(one) for one in targets)
        head = text[: text.index("<body>")]
        assert not LOADING.search(head.replace(html.escape(f"Conversation with {show.clean(name)}"), ""))
        for policy in ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src 'self' file:"):
            assert policy in head
        shown = html.escape(show.clean(evil))
        assert f"<blockquote>{html.escape(show.clean(name))}: “{shown}”</blockquote>" in text
        assert f'<p class="about">{shown} {html.escape(show.clean(name))}, 👍 You</p>' in text
        assert page.texts[-4].startswith("(edited) ")
        assert page.texts[-3].startswith("(forwarded) ")
        assert page.texts[-2] == "(recalled)"
        assert '<article class="notice"' in text
        assert EVIL_FILE not in page.texts  # the name of a file stands once, below
        ran = await world.weft("export", "--chat", name, "--to", f"{tmp_path}/bo.txt")
        said = (tmp_path / "bo.txt").read_text()
        assert f"\n{archive.BESIDE}> " in said
        assert ": (recalled)\n" in said


async def test_what_was_done_to_messages_stands_with_them(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        first = await world.chat.receive("Bo", "dinner?")
        first |= {"reactions": [{"mine": True, "mark": "👍<b>"}], "pinned": True, "edited": 2}
        await world.weft("send", "bo", "yes")
        answered = {"short": "00000001", "mine": False, "is_here": True, "excerpt": "dinner<i>?"}
        world.chat.lines[1] |= {"reply_to": answered, "forwarded": True}
        gone = await world.chat.receive("Bo", "")
        gone["recalled"] = True
        notice = await world.chat.receive("Bo", "What is said from now on stays.")
        notice["notice"] = "timer"
        for form in ("txt", "html"):
            assert (await world.weft("export", "--chat", "bo", "--to", str(tmp_path / f"bo.{form}"))).code == 0
        text = (tmp_path / "bo.txt").read_text()
        assert f"  Bo: (edited) (pinned) dinner?\n{archive.BESIDE}👍<b> You\n" in text
        assert f"  You: (forwarded) yes  [queued]\n{archive.BESIDE}> Bo: “dinner<i>?”\n" in text
        assert "  Bo: (recalled)\n" in text
        assert "  * Bo: What is said from now on stays.\n" in text
        page = (tmp_path / "bo.html").read_text()
        assert '<p class="about">👍&lt;b&gt; You</p>\n' in page
        assert "<blockquote>Bo: “dinner&lt;i&gt;?”</blockquote>\n" in page
        assert '<p dir="auto">(edited) (pinned) dinner?</p>' in page
