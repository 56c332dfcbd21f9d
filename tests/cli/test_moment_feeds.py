"""moments export: a feed that other programs read, with nothing in it but one's own words and pictures, as text."""

import html
import json
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import feedparser
import pytest

from cli import feeds, files, show
from cli.commands.moment_files import PAGE
from cli.feeds import Form, Heading
from cli.options import Door
from features.media.faults import BadPlace
from tests.cli import fake
from tests.cli.moments_room import AT_MS, moment, picture, place
from tests.cli.test_escapes import EVIL, steering
from tests.cli.test_export import HOSTILE

FORMS = [*Form]
HEADING = Heading("Ana", "wf1q", AT_MS)
ATOM = "{http://www.w3.org/2005/Atom}"
NEVER_XML = "\x00\x01\x08\x0b\x1f\x7f\x9f\ufffe\uffff\ud800"
NAMED = {"feed", "id", "title", "updated", "author", "name", "generator", "entry", "published", "content"} | {
    "rss",
    "channel",
    "link",
    "description",
    "lastBuildDate",
    "docs",
    "item",
    "guid",
    "pubDate",
}
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # RFC 3339, in one of its forms


def written(form: Form, *moments: feeds.Moment, heading: Heading = HEADING) -> str:
    return b"".join(feeds.parts(form, heading, [moments])).decode()


def own(text: str, number: int = 1, **said: Any) -> dict[str, Any]:
    return moment(text, number, **{"author": "", "mine": True, "audience": "all"} | said)


def seen(text: str) -> str:
    """As it stands in a feed."""
    return show.clean(text, keep_lines=True).replace("\ufffe", " ").replace("\uffff", " ")


def texts(form: Form, feed: str) -> list[str]:
    """What a reader of this form finds that each moment says."""
    match form:
        case Form.ATOM:
            found = [entry.find(f"{ATOM}content") for entry in ElementTree.fromstring(feed).iter(f"{ATOM}entry")]
            assert all(one is not None and one.get("type") == "text" and len(one) == 0 for one in found)
            return [one.text or "" for one in found if one is not None]
        case Form.RSS:
            shown = [item.findtext("description") or "" for item in ElementTree.fromstring(feed).iter("item")]
            assert {tag for one in shown for tag in re.findall(r"<[^>]*>?", one)} <= {"<br>"}  # what is no text in HTML
            return [html.unescape(one.replace("<br>\n", "\n")) for one in shown]
        case Form.JSON:
            return [item["content_text"] for item in json.loads(feed)["items"]]


async def test_ones_own_moments_are_written_newest_first_and_it_is_said_for_whom_they_were(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        rows = [
            own("one", 1),
            moment("bo's", 2),
            own("two", 3, audience="family, work"),
            own("me", 4, audience="private"),
        ]
        world.moments.rows = [*rows, own("three", 5)]
        for form in FORMS:
            file = tmp_path / f"ana.{form}"
            ran = await world.weft("moments", "export", str(file))  # the form is that of the name
            size = file.stat().st_size
            assert ran.out == f"✔ Written: {file} (3 moments, {size:,} bytes)\n"
            assert ran.err == (
                "• Left out: 1 private moment. To take it in: --private\n"
                "! In weft they are: 2 for all; 1 for family, work. Whoever gets the file sees them all: it is not"
                " encrypted.\n"
            )
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert texts(form, file.read_text()) == ["three", "two", "one"]
            assert "family" not in file.read_text()
            again = await world.weft("moments", "export", str(file), "--private", "--json")
            assert (again.code, again.json["error"]["code"]) == (1, "file.exists")
            forced = await world.weft(*again.json["error"]["next"].split()[1:], "--json")
            assert texts(form, file.read_text()) == ["three", "me", "two", "one"]
            audiences = {"all": 2, "private": 1, "family, work": 1}
            wrote = {"file": str(file), "format": str(form), "bytes": file.stat().st_size, "moments": 4}
            assert forced.json == wrote | {"audiences": audiences, "private_left": 0}
        ran = await world.weft("moments", "export", str(tmp_path), "--format", "rss", "--json")
        assert re.fullmatch(r"weft-moments-\d{4}-\d\d-\d\d\.rss", Path(ran.json["file"]).name)
        ran = await world.weft("moments", "export", f"{tmp_path}/x.html", "--json")
        assert ran.json["format"] == "atom"


async def test_only_days_that_were_asked_for_are_written(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        day = 24 * 3600 * 1000
        world.moments.rows = [
            own(str(number), number + 1, at_ms=AT_MS + number * day) for number in range(2 * PAGE + 5)
        ]
        since, until = (time.strftime("%Y-%m-%d", time.localtime((AT_MS + n * day) / 1000)) for n in (3, 70))
        ran = await world.weft(
            "moments", "export", f"{tmp_path}/a.json", "--since", since, "--until", until, "--json", "--force"
        )
        assert ran.json["moments"] == 68
        assert texts(Form.JSON, (tmp_path / "a.json").read_text()) == [str(number) for number in range(70, 2, -1)]
        assert next(one for one in world.moments.asked if one[0] == "list") == ("list", "me", PAGE, None)
        ran = await world.weft("moments", "export", f"{tmp_path}/b.json", "--since", "someday")
        assert (ran.code, (tmp_path / "b.json").exists()) == (2, False)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_is_only_text(form: Form) -> None:
    hostile = [*HOSTILE, NEVER_XML, "]]>", "&amp;&#0;&#x1b;", "<![CDATA[x", "a\tb", "<?xml?>", "<br>", "&lt;br&gt;"]
    heading = Heading(f"Ana{EVIL}<script>x</script>&amp;]]>", "wf1q", AT_MS)
    moments = [own(text, number + 1, place=place(text)) for number, text in enumerate(hostile)]
    feed = written(form, *moments, heading=heading)
    assert {*steering(feed)} <= {"0x200c", "0x200d"}
    labels = [seen(text).replace("\n", " ").strip() for text in hostile]
    assert texts(form, feed) == [f"{seen(text)}\nAt: {label}" for text, label in zip(hostile, labels, strict=True)]
    if form is not Form.JSON:
        assert "<!" not in feed  # neither CDATA nor a type of document
        assert "<script" not in feed
        assert {one.tag.removeprefix(ATOM) for one in ElementTree.fromstring(feed).iter()} <= NAMED


@pytest.mark.parametrize("form", FORMS)
def test_another_program_reads_it_as_it_is(form: Form) -> None:
    saved = [{"place": "ana-files/lake é&<'\".jpg", "name": "lake é&<'\".jpg", "mime": "image/jpeg", "bytes": 1234}]
    rows = [
        own("At the lake\nwith <b>bo</b> & co", 1, pictures=[picture(1, "a"), picture(2, "b")], saved=saved),
        own("", 2, at_ms=253_402_300_800_000, edited_ms=1, link="https://example.org/?a=1&b=2"),
        own("old", 3, at_ms=0, link="javascript:alert(1)", edited_ms=AT_MS),
    ]
    feed = written(form, *rows)
    if form is Form.JSON:
        check_json_feed(json.loads(feed))
        return
    read = feedparser.parse(feed, sanitize_html=False, resolve_relative_uris=False)
    assert (read.bozo, read.version) == (False, {Form.ATOM: "atom10", Form.RSS: "rss20"}[form])
    assert read.feed.title == "Moments of Ana"
    assert [one.id for one in read.entries] == [
        uuid.uuid5(uuid.NAMESPACE_URL, f"weft:moment:{row['id']}").urn for row in rows
    ]
    assert [one.published_parsed[:3] for one in read.entries] == [(2026, 9, 21), (9999, 12, 31), (1970, 1, 1)]
    (beside,) = read.entries[0].enclosures
    assert (unquote(beside.href), beside.length, beside.type) == (f"./{saved[0]['place']}", "1234", "image/jpeg")
    assert [one.get("enclosures", []) for one in read.entries[1:]] == [[], []]
    shown = "At the lake\nwith <b>bo</b> & co\n(1 picture or film is not in this file)"
    linked = [[link.href for link in one.get("links", []) if link.rel != "enclosure"] for one in read.entries]
    assert linked == [[], ["https://example.org/?a=1&b=2"], []]
    if form is Form.ATOM:
        assert read.entries[0].content[0].type == "text/plain"
        assert read.entries[0].content[0].value == shown
        assert [one.title for one in read.entries] == ["At the lake", "Moment of 9999-12-31", "old"]
        assert read.entries[2].updated_parsed[:1] == (2026,)
    else:
        assert html.unescape(read.entries[0].summary.replace("<br>\n", "\n")) == shown
        assert "&lt;b&gt;bo&lt;/b&gt; &amp; co" in read.entries[0].summary
        assert all(one.guidislink is False for one in read.entries)


def check_json_feed(feed: dict[str, Any]) -> None:
    """https://www.jsonfeed.org/version/1.1, by hand."""
    kinds = {"version": str, "title": str, "authors": list, "_weft": dict, "items": list}
    assert {name: type(value) for name, value in feed.items()} == kinds
    assert (feed["version"], feed["authors"]) == ("https://jsonfeed.org/version/1.1", [{"name": "Ana"}])
    for item in feed["items"]:
        assert {"id", "content_text", "date_published"} <= set(item)
        assert all(DATE.fullmatch(item[name]) for name in ("date_published", "date_modified") if name in item)
    (beside,) = feed["items"][0]["attachments"]
    assert (beside["mime_type"], beside["size_in_bytes"]) == ("image/jpeg", 1234)
    assert unquote(beside["url"]) == "./ana-files/lake é&<'\".jpg"
    assert [item.get("external_url") for item in feed["items"]] == [None, "https://example.org/?a=1&b=2", None]


def test_a_feed_has_all_that_its_form_demands() -> None:
    rows = [own("one", 1), own("two", 2), own("", 3)]
    atom = ElementTree.fromstring(written(Form.ATOM, *rows))
    assert atom.tag == f"{ATOM}feed"
    for one in (atom, *atom.iter(f"{ATOM}entry")):  # RFC 4287, 4.1.1 and 4.1.2
        for name in ("id", "title", "updated"):
            assert len(one.findall(f"{ATOM}{name}")) == 1
        assert DATE.fullmatch(one.findtext(f"{ATOM}updated") or "")
        assert uuid.UUID(one.findtext(f"{ATOM}id"))
    assert atom.findtext(f"{ATOM}author/{ATOM}name") == "Ana"
    rss = ElementTree.fromstring(written(Form.RSS, *rows))
    assert (rss.tag, rss.get("version"), len(rss)) == ("rss", "2.0", 1)
    assert all(rss.findtext(f"channel/{name}") for name in ("title", "link", "description"))
    for item in rss.iter("item"):
        assert item.findtext("description")
        assert parsedate_to_datetime(item.findtext("pubDate") or "").timestamp() == AT_MS // 1000
    for form in FORMS:
        assert texts(form, written(form)) == []
        assert written(form, *rows) == written(form, *rows)  # of the same the same, so a reader knows what is new
    where = own("", 1, place=place("Lake", latitude=52.5, longitude=13.25))
    assert json.loads(written(Form.JSON, where))["items"][0]["_weft"] == {"place": where["place"]}
    assert texts(Form.ATOM, written(Form.ATOM, where)) == ["At: Lake (52.5, 13.25)"]


@pytest.mark.parametrize("form", FORMS)
async def test_pictures_that_are_here_are_saved_beside_it(tmp_path: Path, form: Form) -> None:
    async with fake.node(tmp_path) as world:
        shots = [picture(1, "a&b.jpg", state="here"), picture(2, "later.jpg"), picture(3, "c.mp4", state="here")]
        world.moments.rows = [own("words", 1), own("", 2, pictures=shots)]
        (tmp_path / "ana-files").mkdir()  # somebody else's
        ran = await world.weft("moments", "export", f"{tmp_path}/ana.{form}", "--media")
        folder = tmp_path / "ana-files-2"
        assert ran.out.splitlines()[1] == f"✔ Saved: {folder} (2 files)"
        assert ran.err.startswith("! Not here, so not saved: 1 file. Fetch what you want: weft moments get ID\n")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        saved = [one for one in world.moments.asked if one[0] == "save"]
        assert saved == [("save", world.moments.rows[1]["id"], str(folder), number) for number in (1, 3)]
        feed = (tmp_path / f"ana.{form}").read_text()
        assert texts(form, feed) == ["(1 picture or film is not in this file)", "words"]
        assert feed.count("./ana-files-2/a%26b.jpg") == feed.count("./ana-files-2/c.mp4") == 1
        again = await world.weft("moments", "export", f"{tmp_path}/ana.{form}", "--media", "--force", "--json")
        assert (again.json["folder"], again.json["saved"], again.json["left"]) == (f"{tmp_path}/ana-files-3", 2, 1)


@pytest.mark.parametrize("form", FORMS)
async def test_what_breaks_on_the_way_leaves_nothing(tmp_path: Path, form: Form) -> None:
    async with fake.node(tmp_path) as world:
        (tmp_path / "out").mkdir()
        world.moments.rows = [own(str(number), number + 1) for number in range(PAGE + 5)]
        world.moments.rows[-1]["pictures"] = [picture(1, "a.jpg", state="here")]
        world.moments.rows[0]["pictures"] = [picture(7, "b.jpg", state="here")]
        world.moments.breaks = BadPlace()
        ran = await world.weft("moments", "export", f"{tmp_path}/out/ana.{form}", "--media")
        assert (ran.code, ran.out, os.listdir(tmp_path / "out")) == (BadPlace.exit, "", [])
        assert len([one for one in world.moments.asked if one[0] == "save"]) == 2


def test_an_export_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def pages() -> Iterator[list[feeds.Moment]]:
        yield [own("one")]
        raise KeyboardInterrupt

    for form in FORMS:
        with pytest.raises(KeyboardInterrupt):
            files.store(Door(environ={}), tmp_path / "ana", feeds.parts(form, HEADING, pages()), False, "")
        assert os.listdir(tmp_path) == []
