"""Pages of the web in the workshop: what is read of them, and what hostile ones achieve."""

import time
from pathlib import Path

import pytest
import trio

from node.workshop import pages
from node.workshop.workshop import Workshop
from protocol.preview import ABOUT_BYTES_MAX, TITLE_BYTES_MAX
from protocol.workshop import PAGE_BYTES_MAX, Page
from tests.node.workshop import made

BOTH = b"""<!DOCTYPE html><html><head><title>Plain &amp; simple</title>
<meta name=description content="What it is">
<meta property="og:title" content="  Shown \n to others ">
<META PROPERTY='og:description' CONTENT='For&#32;others'/>
<meta property="og:image" content="/cover.jpg"><meta property="og:title" content="second">
</head><body><title>late</title><meta property="og:image:url" content="late.png"></body></html>"""


def test_what_a_page_says_to_others_goes_before_its_title() -> None:
    assert pages.page(BOTH, "") == Page("Shown to others", "For others", "/cover.jpg")
    assert pages.page(b"<title>Plain &amp; simple</title><p>text", "") == Page("Plain & simple", None, "")
    assert pages.page(b"<meta name=description content=only>", "") == Page(None, "only", "")
    assert pages.page(b"<title>not ended", "") == Page("not ended", None, "")
    assert (
        pages.page(b"", "")
        == pages.page(b"<title></title><meta><meta name><meta property>", "")
        == Page(None, None, "")
    )


@pytest.mark.parametrize(
    ("raw", "charset"),
    [
        ("<title>Grüße 字</title>".encode(), ""),
        ("<title>Grüße 字</title>".encode(), "UTF-8"),
        (b"\xef\xbb\xbf" + "<title>Grüße 字</title>".encode(), "iso-8859-1"),
        (b"\xff\xfe" + "<title>Grüße 字</title>".encode("utf-16-le"), ""),
        ("<meta charset=gb2312><title>Grüße 字</title>".encode("gb18030"), ""),
        ("<title>Grüße 字</title>".encode("gb18030"), "GBK"),
    ],
)
def test_a_page_is_read_in_its_encoding(raw: bytes, charset: str) -> None:
    assert pages.page(raw, charset).title == "Grüße 字"


def test_an_encoding_that_is_none_or_wrong_ends_nothing() -> None:
    for charset in ("rot13", "zip", "idna", "unicode_escape", "no-such", "../../etc", "utf-7", "\0"):
        assert pages.page("<title>Grüße</title>".encode(), charset).title == "Grüße"
    assert pages.page("<title>Grüße “so”</title>".encode("cp1252"), "").title == "Grüße “so”"
    cut = ("<title>字</title>" + "字" * 100).encode()[:-1]
    assert pages.page(cut, "").title == "字"


def test_nothing_steers_and_everything_has_an_end() -> None:
    evil = "\x1b[2J\u202egpj\u200b\r\nYou: yes\x00" + "ü" * 100_000
    said = pages.page(f"<title>{evil}</title><meta name=description content='{evil}'>".encode(), "")
    for text, most in ((said.title, TITLE_BYTES_MAX), (said.about, ABOUT_BYTES_MAX)):
        assert text is not None
        assert text.startswith("[2J gpj You: yes üü")
        assert text.endswith("ü…")
        assert text.isprintable()
        assert most - 4 < len(text.encode()) <= most
    long = pages.page(b"<meta property=og:image content='" + b"x" * 3000 + b"'>", "")
    assert long.picture == pages.page(b"<meta property=og:image content='a\x1bb'>", "").picture == ""


HOSTILE = {
    "open tags": b"<a " * (PAGE_BYTES_MAX // 3),
    "less-than": b"<" * PAGE_BYTES_MAX,
    "attributes": b"<meta " + b"a=b " * (PAGE_BYTES_MAX // 4 - 9),
    "quotes": b"<meta content='" + b'"' * (PAGE_BYTES_MAX - 99),
    "comments": b"<!--" * (PAGE_BYTES_MAX // 4),
    "declarations": b"<!a" * (PAGE_BYTES_MAX // 3),
    "marked": b"<![" * (PAGE_BYTES_MAX // 3),
    "instructions": b"<?a" * (PAGE_BYTES_MAX // 3),
    "references": b"<title>" + b"&a" * (PAGE_BYTES_MAX // 2 - 9),
    "numbers": b"<title>" + b"&#9999999999;" * (PAGE_BYTES_MAX // 13 - 9),
    "titles": b"<title>x" * (PAGE_BYTES_MAX // 8),
    "ends": b"</" * (PAGE_BYTES_MAX // 2),
    "ended": b"</a " * (PAGE_BYTES_MAX // 4),
    "script": b"<script>" + b"</s" * (PAGE_BYTES_MAX // 3 - 9),
    "spaces": b"<a" + b" " * (PAGE_BYTES_MAX - 9),
    "slashes": b"<a" + b"/" * (PAGE_BYTES_MAX - 9),
    "zeros": bytes(PAGE_BYTES_MAX),
    "metas": b"<meta name=description content=x>" * (PAGE_BYTES_MAX // 33),
}


@pytest.mark.process
@pytest.mark.depth
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_page_ends_by_its_time_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = made.written(tmp_path, "page", HOSTILE[name])
    began = time.monotonic()
    with trio.move_on_after(2.0):  # a message waits 10 s for it (node/web/previewing.py)
        said = await Workshop().page(path, "")
        assert isinstance(said, Page)
    assert time.monotonic() - began < 10


@pytest.mark.process
async def test_a_page_goes_through_the_program(tmp_path: Path) -> None:
    assert await Workshop().page(made.written(tmp_path, "page", BOTH), "utf-8") == Page(
        "Shown to others", "For others", "/cover.jpg"
    )
    gb = made.written(tmp_path, "gb", "<title>字</title>".encode("gb18030"))
    assert (await Workshop().page(gb, "gb2312")).title == "字"
