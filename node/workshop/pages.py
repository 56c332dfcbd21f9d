"""Pages of the web, inside the workshop's program: title, description and the address of a picture. Nothing is loaded.

Only the head is read, with the parser of the standard library, on at most 512 KiB; one that it chokes on is ended by
the limits of time (bounds.py). Not here: how a page is fetched (node/web/).
"""

import codecs
import html.entities
import re
from html.parser import HTMLParser

from protocol.preview import ABOUT_BYTES_MAX, TITLE_BYTES_MAX
from protocol.url import URL_BYTES_MAX
from protocol.workshop import Page

LOADED = (html.entities,)
VALUE_CHARS_MAX = 4096  # of one attribute or title: what is shown of it is far less
HINT_BYTES = 4096  # where a page says its encoding
TITLES = ("og:title", "twitter:title")
ABOUTS = ("og:description", "twitter:description", "description")
PICTURES = ("og:image:secure_url", "og:image:url", "og:image", "twitter:image", "twitter:image:src")
_WANTED = frozenset((*TITLES, *ABOUTS, *PICTURES))
_HINT = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# As browsers read them (WHATWG, Encoding). All are loaded before the program opens nothing any more.
_NAMED = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "latin1": "cp1252",
    "iso-8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "utf8": "utf-8",
    "utf-8": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    **{f"windows-{number}": f"cp{number}" for number in range(1250, 1259)},
    **{f"iso-8859-{number}": f"iso8859_{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
}
_CODECS = {name: codecs.lookup(codec) for name, codec in _NAMED.items()}
_UTF8 = codecs.getincrementaldecoder("utf-8")


class _HeadRead(Exception):
    """The head of the page is over."""


class _Reader(HTMLParser):
    """Collects what a head says. The first of each name counts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.named: dict[str, str] = {}
        self.title = ""
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins."""
        if tag == "body":
            raise _HeadRead
        self._is_title = tag == "title" and not self.title
        if tag == "meta":
            given = dict(attrs)
            name = (given.get("property") or given.get("name") or "")[:VALUE_CHARS_MAX].strip().lower()
            value = (given.get("content") or "")[:VALUE_CHARS_MAX].strip()
            if name in _WANTED and value:
                self.named.setdefault(name, value)

    def handle_endtag(self, tag: str) -> None:
        """A tag ends."""
        if tag == "head":
            raise _HeadRead
        self._is_title = False

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if self._is_title and len(self.title) < VALUE_CHARS_MAX:
            self.title += data[:VALUE_CHARS_MAX]

    def first(self, names: tuple[str, ...]) -> str:
        """What is said under the first of these names that stands there."""
        return next((self.named[name] for name in names if name in self.named), "")


def page(raw: bytes, charset: str) -> Page:
    """What a page says of itself. charset: as its server names it."""
    reader = _Reader()
    try:
        reader.feed(text_of(raw, charset))
        reader.close()
    except (_HeadRead, AssertionError):  # the latter is how the parser refuses some declarations
        pass
    picture = reader.first(PICTURES)
    fits = len(picture.encode(errors="replace")) <= URL_BYTES_MAX and picture.isprintable()
    return Page(
        line_of(reader.first(TITLES) or reader.title, TITLE_BYTES_MAX),
        line_of(reader.first(ABOUTS), ABOUT_BYTES_MAX),
        picture if fits else "",
    )


def text_of(raw: bytes, charset: str) -> str:
    """The text of a page: by its first bytes, by its server, by itself, else UTF-8 or what old pages have."""
    for bom, name in _BOMS:
        if raw.startswith(bom):
            return _CODECS[name.replace("utf-16-", "utf-16")].decode(raw[len(bom) :], "replace")[0]
    hint = _HINT.search(raw[:HINT_BYTES])
    for said in (charset, hint[1].decode() if hint else ""):
        codec = _CODECS.get(said.strip().lower())
        if codec is not None:
            return codec.decode(raw, "replace")[0]
    try:
        return _UTF8().decode(raw, final=False)  # it may be cut in the middle of a letter
    except UnicodeDecodeError:
        return _CODECS["latin1"].decode(raw, "replace")[0]


def line_of(text: str, bytes_max: int) -> str | None:
    """The text as one line without anything that steers, of at most so many bytes; None where nothing is left."""
    words = " ".join("".join(one if one.isprintable() else " " for one in text[:VALUE_CHARS_MAX]).split())
    if len(words.encode()) > bytes_max:
        words = words.encode()[: bytes_max - len("…".encode())].decode(errors="ignore").rstrip() + "…"
    return words or None
