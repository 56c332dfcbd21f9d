"""A conversation as a file for a person's archive: JSON for programs, text, or a page of HTML, part by part.

What others wrote is only ever text: in HTML it is escaped, and the page has no script and loads nothing but pictures
that were saved with it (cli/attached.py); in text and HTML it has no character that steers a terminal or turns a line;
JSON has every character, and those by their numbers.
Not here: where the lines come from and where the file goes (cli/commands/export.py).
"""

import html
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never
from urllib.parse import quote

from cli import files, show

VERSION = 1  # of the JSON; a field may be added, a change of one is another version
ACROSS = " " * 21  # what stands before the second line of a text: nothing in it can look like a line of its own
BESIDE = " " * 19  # before what it carries and what was done to it, which no text can look like either
_STYLE = """
:root { color-scheme: light dark; --ground: #f4f4f1; --ink: #1d1d1b; --faint: #6b6b66; --theirs: #fff;
  --mine: #d7ecd9; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161715; --ink: #e7e7e2; --faint: #9a9a93; --theirs: #252723; --mine: #24402a; }
}
body { margin: 0 auto; padding: 1rem; max-width: 46rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: .85rem; font-weight: 600; color: var(--faint); text-align: center; margin: 1.5rem 0 .5rem; }
.about, footer { color: var(--faint); font-size: .8rem; margin: 0; overflow-wrap: anywhere; }
article { background: var(--theirs); border-radius: .8rem; padding: .4rem .8rem; margin: .4rem 20% .4rem 0;
  width: fit-content; max-width: 80%; overflow: clip; content-visibility: auto; contain-intrinsic-size: auto 4rem; }
article.mine { background: var(--mine); margin: .4rem 0 .4rem auto; }
article p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
article img { display: block; max-width: 100%; max-height: 24rem; border-radius: .4rem; }
article b { font-size: .8rem; unicode-bidi: isolate; }
article.notice { background: none; margin: .4rem auto; text-align: center; color: var(--faint); }
blockquote { margin: 0 0 .2rem; padding-left: .5rem; border-left: .2rem solid var(--faint); color: var(--faint);
  font-size: .8rem; overflow-wrap: anywhere; unicode-bidi: plaintext; }
"""
# Nothing but this style and pictures: no script, no frame, no form, no other place from which names count.
_POLICY = "base-uri 'none'; form-action 'none'; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_POLICY_SAVED = _POLICY.replace("data:", "'self' file:")  # a page on a disk is no origin
_PICTURES = frozenset(("jpg", "jpeg", "png", "gif", "webp"))
# What a browser opens without running anything in it: pages, drawings and scripts that somebody sent are not linked.
_LINKED = _PICTURES | {
    "mp3",
    "ogg",
    "oga",
    "opus",
    "wav",
    "flac",
    "m4a",
    "mp4",
    "webm",
    "mov",
    "txt",
    "pdf",
    "tar",
    "zip",
}

Message = Mapping[str, Any]


class Form(StrEnum):
    """The form of the file, which is also the end of its name."""

    HTML = "html"
    JSON = "json"
    TXT = "txt"


@dataclass(frozen=True, slots=True)
class Heading:
    """Whose conversation it is, and of when. account: the contact's; has_files: they are saved beside the page."""

    name: str
    account: str
    made_ms: int
    has_files: bool = False


def parts(form: Form, heading: Heading, pages: Iterable[Sequence[Message]]) -> Iterator[bytes]:
    """The file, about as many parts as there are pages of lines, which are in the conversation's order."""
    match form:
        case Form.HTML:
            texts = _html(heading, pages)
        case Form.JSON:
            texts = _json(heading, pages)
        case Form.TXT:
            texts = _txt(heading, pages)
        case _:
            assert_never(form)
    for text in texts:
        yield text.encode()


def attached(message: Message) -> tuple[str, ...]:
    """What stands below a line's text: what is said of a link, the names of what it carries, cleaned, not escaped."""
    file, card, place = message.get("file"), message.get("card"), message.get("place")
    if card:
        return (f"Account: {show.clean(str(card['account']))}",)
    if place:
        return (show.clean(str(place["geo"])),)
    if message.get("sticker") and message.get("saved"):
        return (f"Sticker (saved: {show.clean(str(message['saved']))})",)
    if not file:
        return tuple(show.preview_lines(message))
    name = f"File: {show.clean(str(file['name']))}"
    if "saved" not in message:
        return (name,)
    saved = message["saved"]
    return (f"{name} (not here, so not saved)" if saved is None else f"{name} (saved: {show.clean(saved)})",)


def _json(heading: Heading, pages: Iterable[Sequence[Message]]) -> Iterator[str]:
    about = {
        "format": "weft conversation",
        "version": VERSION,
        "made_ms": heading.made_ms,
        "contact": {"name": heading.name, "account": heading.account},
    }
    return files.json_of_many(about, "messages", pages)


def _txt(heading: Heading, pages: Iterable[Sequence[Message]]) -> Iterator[str]:
    yield f"{_title(heading)}\n{_about(heading)}\n\n"
    for page in pages:
        yield "".join(map(_txt_line, page))


def _txt_line(message: Message) -> str:
    state = f"  [{_state(message)}]" if message["mine"] else ""
    text = _said(message).replace("\n", f"\n{ACROSS}") + state
    answered, reactions = show.answered(message), show.reactions(message)
    beside = (*attached(message), f"> {answered}" if answered else "", reactions)
    below = "".join(f"\n{BESIDE}{one}" for one in beside if one)
    notice = "* " if message.get("notice") else ""
    return f"{_clock('%Y-%m-%d %H:%M:%S', message['at_ms'])}  {notice}{_author(message)}: {text}{below}\n"


def _html(heading: Heading, pages: Iterable[Sequence[Message]]) -> Iterator[str]:
    title, policy = html.escape(_title(heading)), _POLICY_SAVED if heading.has_files else _POLICY
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n'
        f'<body>\n<header>\n<h1>{title}</h1>\n<p class="about">{html.escape(_about(heading))}</p>\n</header>\n<main>\n'
    )
    day = ""
    for page in pages:
        said = []
        for message in page:
            before, day = day, _clock("%Y-%m-%d", message["at_ms"])
            if day != before:
                said.append(f"<h2>{day}</h2>\n")
            said.append(_html_line(message))
        yield "".join(said)
    yield "</main>\n</body>\n</html>\n"


def _html_line(message: Message) -> str:
    text = f'<p dir="auto">{html.escape(_said(message))}</p>\n' if not _is_named_below(message) else ""
    answered, reactions = show.answered(message), show.reactions(message)
    above = f"<blockquote>{html.escape(answered)}</blockquote>\n" if answered else ""
    below = "".join(f'<p class="about">{_linked(message, html.escape(one))}</p>\n' for one in attached(message))
    below += f'<p class="about">{html.escape(reactions)}</p>\n' if reactions else ""
    at_ms = message["at_ms"]
    when = f'<time datetime="{_clock("%Y-%m-%dT%H:%M:%S%z", at_ms)}">{_clock("%H:%M:%S", at_ms)}</time>'
    state = f" · {html.escape(_state(message))}" if message["mine"] else ""
    kind = "notice" if message.get("notice") else "mine" if message["mine"] else "theirs"
    return (
        f'<article class="{kind}" id="{html.escape(message["id"])}">\n'
        f"<b>{html.escape(_author(message))}</b>\n{above}{text}{below}<footer>{when}{state}</footer>\n"
        "</article>\n"
    )


def _said(message: Message) -> str:
    """The text, and what was done to it."""
    if message.get("recalled"):
        return "(recalled)"
    marks = "".join(f"({one}) " for one in ("forwarded", "edited", "pinned") if message.get(one))
    return marks + show.clean(message["text"], keep_lines=True)


def _is_named_below(message: Message) -> bool:
    """Whether a line says nothing but the name of its file, which stands below it."""
    file = message.get("file")
    return file is not None and message["text"] == file["name"] and not message.get("forwarded")


def _linked(message: Message, shown: str) -> str:
    """What is said of a file, as a link to it where it was saved and is harmless to open, with a picture itself."""
    saved = str(message.get("saved") or "")
    ending = saved.rpartition(".")[2].lower()
    if ending not in _LINKED:
        return shown
    place = html.escape("./" + quote(saved, errors="replace"))
    picture = f'<img src="{place}" alt="" loading="lazy">' if ending in _PICTURES else ""
    return f'<a href="{place}" rel="noopener noreferrer">{picture}{shown}</a>'


def _title(heading: Heading) -> str:
    return f"Conversation with {show.clean(heading.name)}"


def _about(heading: Heading) -> str:
    made = _clock("%Y-%m-%d %H:%M:%S, UTC%z", heading.made_ms)
    return f"Account {show.clean(heading.account)}. Written by weft on {made}; all times are of that zone."


def _author(message: Message) -> str:
    return "You" if message["mine"] else show.clean(message["contact"])


def _state(message: Message) -> str:
    reason = show.clean(message.get("reason") or "")
    return f"{message['state']}: {reason}" if reason else str(message["state"])


def _clock(form: str, at_ms: int) -> str:
    return time.strftime(form, time.localtime(at_ms / 1000))
