"""Moments of one's own as a feed that other programs read: RSS 2.0, Atom (RFC 4287) or JSON Feed 1.1, part by part.

What was written is only ever text: Atom and JSON Feed say that it is; in RSS readers take it for HTML, so there it is
escaped as HTML within XML, and a line's end is `<br>`. No form has a character that steers a terminal, turns a line or
is none in XML. Likes, comments, audiences and names of others are not in it.
Not here: which moments, and where the file goes (cli/commands/moment_files.py).
"""

import html
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, assert_never
from urllib.parse import quote
from xml.sax import saxutils

from cli import files, show

TITLE_CHARS_MAX = 80
LAST_MS = 253_402_300_799_000  # of the year 9999, the last that these forms can say
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_JSON = "https://jsonfeed.org/version/1.1"
_RSS_DOCS = "https://www.rssboard.org/rss-specification"
_ATOM = "http://www.w3.org/2005/Atom"
_NEVER = str.maketrans({"\ufffe": " ", "\uffff": " "})  # XML 1.0, section 2.2; the others are cleaned away everywhere
_PLAIN = str.maketrans({"<": "‹", ">": "›"})  # of a name in RSS, where readers do not agree whether it is HTML

Moment = Mapping[str, Any]


class Form(StrEnum):
    """The form of the file, which is also the end of its name."""

    ATOM = "atom"
    RSS = "rss"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Heading:
    """Whose moments, and of when the file is. name: how its author calls himself; account: names the feed, hashed."""

    name: str
    account: str
    made_ms: int


def parts(form: Form, heading: Heading, pages: Iterable[Sequence[Moment]]) -> Iterator[bytes]:
    """The file, about as many parts as there are pages of moments, newest first.

    A moment is a MomentLine of the node; with "saved" it has those of its pictures that lie beside the file, each
    {"place": from the file, "name", "mime", "bytes"}.
    """
    match form:
        case Form.ATOM:
            texts = _atom(heading, pages)
        case Form.RSS:
            texts = _rss(heading, pages)
        case Form.JSON:
            texts = _json(heading, pages)
        case _:
            assert_never(form)
    for text in texts:
        yield text.encode()


def said(moment: Moment) -> str:
    """All that a moment says in words: its text, its place, its link, and what of it is not in the file."""
    lines = [_clean(moment["text"])] if moment["text"] else []
    if place := moment["place"]:
        lines.append(f"At: {_where(place)}")
    if link := _clean(moment["link"]):
        lines.append(link)
    left = len(moment["pictures"]) - len(moment.get("saved", ()))
    if left:
        lines.append(f"({'1 picture or film is' if left == 1 else f'{left} pictures are'} not in this file)")
    return "\n".join(lines)


def _atom(heading: Heading, pages: Iterable[Sequence[Moment]]) -> Iterator[str]:
    name = saxutils.escape(_clean(heading.name).strip() or "somebody")
    yield (
        f'{_XML}<feed xmlns="{_ATOM}">\n<id>{_name_of("feed", heading.account)}</id>\n'
        f"<title>Moments of {name}</title>\n<updated>{_at(heading.made_ms)}</updated>\n"
        f"<author><name>{name}</name></author>\n<generator>weft</generator>\n"
    )
    for page in pages:
        yield "".join(map(_atom_entry, page))
    yield "</feed>\n"


def _atom_entry(moment: Moment) -> str:
    links = [{"rel": "related", "href": link}] if (link := _link(moment)) else []
    for one in moment.get("saved", ()):
        about = {"type": _clean(one["mime"]), "length": str(one["bytes"]), "title": _clean(one["name"])}
        links.append({"rel": "enclosure", "href": _place(one), **about})
    return (
        f"<entry>\n<id>{_name_of('moment', moment['id'])}</id>\n<title>{saxutils.escape(_title(moment))}</title>\n"
        f"<published>{_at(moment['at_ms'])}</published>\n"
        f"<updated>{_at(max(moment['edited_ms'], moment['at_ms']))}</updated>\n"
        + "".join(_empty("link", one) for one in links)
        + f'<content type="text">{saxutils.escape(said(moment))}</content>\n</entry>\n'
    )


def _rss(heading: Heading, pages: Iterable[Sequence[Moment]]) -> Iterator[str]:
    name = saxutils.escape(_clean(heading.name).translate(_PLAIN).strip() or "somebody")
    yield (
        f'{_XML}<rss version="2.0">\n<channel>\n<title>Moments of {name}</title>\n'
        f"<link>{_name_of('feed', heading.account)}</link>\n"
        f"<description>What {name} has posted in weft.</description>\n"
        f"<lastBuildDate>{_mailed(heading.made_ms)}</lastBuildDate>\n<generator>weft</generator>\n"
        f"<docs>{_RSS_DOCS}</docs>\n"
    )
    for page in pages:
        yield "".join(map(_rss_item, page))
    yield "</channel>\n</rss>\n"


def _rss_item(moment: Moment) -> str:
    shown = html.escape(said(moment) or _title(moment)).replace("\n", "<br>\n")
    link = f"<link>{saxutils.escape(address)}</link>\n" if (address := _link(moment)) else ""
    beside = "".join(
        _empty("enclosure", {"url": _place(one), "length": str(one["bytes"]), "type": _clean(one["mime"])})
        for one in moment.get("saved", ())
    )
    return (
        f'<item>\n<guid isPermaLink="false">{_name_of("moment", moment["id"])}</guid>\n'
        f"<pubDate>{_mailed(moment['at_ms'])}</pubDate>\n{link}"
        f"<description>{saxutils.escape(shown)}</description>\n{beside}</item>\n"
    )


def _json(heading: Heading, pages: Iterable[Sequence[Moment]]) -> Iterator[str]:
    name = _clean(heading.name).strip() or "somebody"
    about = {
        "version": _JSON,
        "title": f"Moments of {name}",
        "authors": [{"name": name}],
        "_weft": {"made_ms": heading.made_ms},
    }
    return files.json_of_many(about, "items", (map(_json_item, page) for page in pages))


def _json_item(moment: Moment) -> dict[str, Any]:
    item: dict[str, Any] = {"id": _name_of("moment", moment["id"]), "content_text": said(moment)}
    item["date_published"] = _at(moment["at_ms"])
    if moment["edited_ms"]:
        item["date_modified"] = _at(max(moment["edited_ms"], moment["at_ms"]))
    if link := _link(moment):
        item["external_url"] = link
    if saved := moment.get("saved"):
        item["attachments"] = [
            {
                "url": _place(one),
                "mime_type": _clean(one["mime"]),
                "title": _clean(one["name"]),
                "size_in_bytes": one["bytes"],
            }
            for one in saved
        ]
    if moment["place"]:
        item["_weft"] = {"place": {**moment["place"], "label": _clean(moment["place"]["label"])}}
    return item


def _title(moment: Moment) -> str:
    """The first line of a moment's text, or of when it is: Atom wants a title of every entry."""
    first = next((line.strip() for line in _clean(moment["text"]).split("\n") if line.strip()), "")
    if not first:
        return f"Moment of {_at(moment['at_ms'])[:10]}"
    return first if len(first) <= TITLE_CHARS_MAX else f"{first[: TITLE_CHARS_MAX - 1]}…"


def _where(place: Mapping[str, Any]) -> str:
    degrees = "" if place["latitude"] is None else f"{place['latitude']}, {place['longitude']}"
    label = _clean(place["label"]).replace("\n", " ").strip()
    return f"{label} ({degrees})" if label and degrees else label or degrees


def _link(moment: Moment) -> str:
    """The page that a moment shares, "" for none; nothing but a page is ever linked."""
    link = _clean(moment["link"])
    return link if link.startswith(("http://", "https://")) else ""


def _clean(text: str) -> str:
    return show.clean(text, keep_lines=True).translate(_NEVER)


def _place(saved: Mapping[str, Any]) -> str:
    """Where a picture lies, as an address from the file."""
    return "./" + quote(str(saved["place"]), errors="replace")


def _empty(name: str, attributes: Mapping[str, str]) -> str:
    return f"<{name} {' '.join(f'{key}={saxutils.quoteattr(value)}' for key, value in attributes.items())}/>\n"


def _name_of(kind: str, ident: str) -> str:
    """The same name in every export of the same thing, from which nobody gets back to the thing (RFC 9562, 5.5)."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"weft:{kind}:{ident}").urn


def _at(at_ms: int) -> str:
    """RFC 3339."""
    return _then(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def _mailed(at_ms: int) -> str:
    """RFC 822 with a year of four digits."""
    return format_datetime(_then(at_ms))


def _then(at_ms: int) -> datetime:
    return datetime.fromtimestamp(min(at_ms, LAST_MS) // 1000, UTC)
