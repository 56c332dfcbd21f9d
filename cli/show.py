"""All that is written to a person or a script: data to stdout, talk to stderr. Rich only for a table on a terminal.

What comes from other people is cleaned of control characters, so that no message moves the cursor or writes in
somebody's name. Not here: what is asked of the node (cli/client.py).
"""

import json
import os
import sys
import time
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli.faults import Failure
from cli.options import Door, Form

SHORT_ACCOUNT_CHARS = 16  # an account id is shown whole up to here, else as its two ends
CLOCK_SET_S = 300  # a clock that is adjusted by less was right enough
_STEERING = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # controls, marks of direction, halves, line ends
_JOINERS = frozenset("\u200c\u200d")  # Persian and emoji are written with these
_MARKS = {
    "delivered": "✔",
    "read": "✔",
    "sent": "•",
    "held": "•",
    "queued": "•",
    "kept": "•",
    "expired": "✖",
    "failed": "✖",
}
FILE_STATES = {
    "offered": "not fetched",
    "fetching": "on its way",
    "paused": "paused",
    "here": "here",
    "false": "not what its sender said",
}
_BLOCKS = "▁▂▃▄▅▆▇█"
_INDENT = " " * 7  # below the time
_ACROSS = _INDENT + "  "  # of the further lines of a text: none can look like what weft says below it
_COLOURS = {"✔": "green", "✖": "red", "!": "yellow"}


def talk(door: Door, text: str) -> None:
    """Says something to the person: to stderr, not with -q."""
    if not door.quiet:
        click.echo(_coloured(door, text, is_terminal()), err=True)


def passing(door: Door, text: str) -> None:
    """Says something that the next talk overwrites; only on a terminal. An empty text wipes it."""
    if not door.quiet and is_terminal():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)


def ring() -> None:
    """Rings the terminal's bell."""
    click.echo("\a", nl=False, err=True)


def is_terminal() -> bool:
    """Whether talk goes to a terminal, where a waiting line can be overwritten."""
    return sys.stderr.isatty()


def outcome(door: Door, value: Any, text: str) -> None:
    """Writes the outcome: `value` as JSON, or `text` to a person."""
    if door.form is Form.TEXT:
        if text:
            click.echo(_coloured(door, text, sys.stdout.isatty()))
    else:
        _json(value)


def redrawn(door: Door, value: Any, text: str) -> None:
    """Writes what stands instead of what was written before: in its place on a terminal, else below it."""
    if door.form is not Form.TEXT or not sys.stdout.isatty():
        outcome(door, value, text)
        return
    lines = text.splitlines()
    height = os.get_terminal_size(sys.stdout.fileno()).lines or len(lines) + 1
    if len(lines) >= height:
        lines = [*lines[: height - 2], f"… {len(lines) - height + 2} more lines"]
    click.echo("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", nl=False)


def rows(door: Door, name: str, values: Sequence[Any], text: str) -> None:
    """Writes a list: as {name: [...]}, as one object a line, or as text."""
    match door.form:
        case Form.TEXT:
            outcome(door, None, text)
        case Form.JSON:
            _json({name: values})
        case Form.JSONL:
            for value in values:
                _json(value)


def failure(door: Door, fault: Failure) -> None:
    """Writes what went wrong and what to type next: as a JSON error on stdout, or as text on stderr, even with -q."""
    next_command = door.typed(fault.next)
    if door.form is Form.TEXT:
        said = f"{fault.message} {fault.verb}: {next_command}" if next_command else fault.message
        click.echo(clean(said), err=True)
    else:
        _json({"error": {"code": fault.code, "message": fault.message, "next": next_command, "data": fault.data}})


def table(door: Door, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns with heads: drawn by Rich on a terminal, else separated by two spaces."""
    if sys.stdout.isatty() and not door.environ.get("NO_COLOR") and lines:
        return _drawn(heads, lines)
    widths = [max(_width(row[column]) for row in [heads, *lines]) for column in range(len(heads))]
    padded = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        for row in [heads, *lines]
    ]
    return "\n".join(line.rstrip() for line in padded)


def clean(text: str, keep_lines: bool = False) -> str:
    """The text without control characters, without what reorders a line, and without what nobody sees."""
    return "".join(" " if _steers(one) and not (one == "\n" and keep_lines) else one for one in text)


def typed_name(name: str) -> str:
    """A contact's name as it is typed in a shell."""
    import shlex

    return shlex.quote(clean(name))


def strong(door: Door, text: str) -> str:
    """The text in bold on a terminal that wants colours, else as it is."""
    return (
        click.style(text, bold=True, fg="yellow") if sys.stdout.isatty() and not door.environ.get("NO_COLOR") else text
    )


def account(text: str) -> str:
    """An account id short enough for a line: its two ends, which nobody should compare by."""
    return text if len(text) <= SHORT_ACCOUNT_CHARS else f"{text[:5]}…{text[-2:]}"


def ago(at_ms: int, now_ms: int | None = None) -> str:
    """How long ago that was: "just now", "5 min ago", "2 h ago", "3 days ago", "never" for 0.

    "some time ago" for what is in the future: the clock of this machine was set back since.
    """
    if not at_ms:
        return "never"
    spent_s = ((now_ms or time.time_ns() // 1_000_000) - at_ms) / 1000
    if spent_s < -CLOCK_SET_S:
        return "some time ago"
    spent = span(max(0, spent_s))
    return "just now" if spent.endswith(" s") else f"{spent} ago"


def span(seconds: float) -> str:
    """A length of time in its largest unit: "0.02 s", "0.3 s", "12 s", "5 min", "2 h", "3 days"."""
    if seconds < 60:
        return f"{max(seconds, 0.01):.2f} s" if seconds < 0.1 else f"{seconds:.{int(seconds < 10)}f} s"
    for unit_s, unit, limit in ((60, "min", 60), (3600, "h", 48)):
        if seconds < unit_s * limit:
            return f"{seconds // unit_s:.0f} {unit}"
    return f"{seconds // 86_400:.0f} days"


def size(count: int) -> str:
    """A number of bytes as people say it: 800 B, 65 kB, 12.0 MB, 3.4 GB."""
    for unit_bytes, unit in ((10**9, "GB"), (10**6, "MB")):
        if count >= unit_bytes:
            return f"{count / unit_bytes:.1f} {unit}"
    return f"{count // 1000} kB" if count >= 1000 or not count else f"{count} B"


def clock(at_ms: int) -> str:
    """The time of day for today, else with the date; in the time zone of this machine."""
    then = time.localtime(at_ms / 1000)
    today = time.strftime("%Y-%m-%d", then) == time.strftime("%Y-%m-%d")
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)


def message_line(message: Mapping[str, Any]) -> str:
    """A message as a person reads it: when, who, what, and the end of its id."""
    who = _who(message, bool(message["mine"]))
    said = file_text(message["file"]) if message.get("file") else indented(message["text"])
    state = f" {state_mark(message)}" if message["mine"] else " ●" if message["unread"] else ""
    if message.get("notice"):  # nobody typed this
        return f"{clock(message['at_ms'])}{state}  * {who}: {said}  (…{message['short']})"
    if message.get("recalled"):
        new = " ●" if message["unread"] else ""
        return f"{clock(message['at_ms'])}{new}  {who} recalled a message.  (…{message['short']})"
    stays = f", goes {span(message['lasts_s'])} after it was read" if message.get("lasts_s") else ""
    marks = f"{' (forwarded)' if message.get('forwarded') else ''}{' (edited)' if message.get('edited') else ''}"
    marks += f"{' (pinned)' if message.get('pinned') else ''}{' ★' if message.get('starred') else ''}"
    line = f"{clock(message['at_ms'])}{state}  {who}{marks}: {said}  (…{message['short']}{stays})"
    return "\n".join([line, *(f"{_INDENT}{one}" for one in beside(message))])


def indented(text: str) -> str:
    """A text of several lines, below one that begins with a time."""
    return clean(text, keep_lines=True).replace("\n", f"\n{_ACROSS}")


def beside(message: Mapping[str, Any]) -> list[str]:
    """What stands below a message: what it answers, what is said of its link, and who has reacted how."""
    said, marks = answered(message), reactions(message)
    below = [f"> {said}  (…{message['reply_to']['short']})"] if said else []
    seen = [f"| {one}" for one in preview_lines(message)]
    return [*below, *carried(message), *seen, *([marks] if marks else [])]


def answered(message: Mapping[str, Any]) -> str:
    """What a message answers, "" for nothing."""
    to = message.get("reply_to")
    if not to:
        return ""
    said = f"“{clean(to['excerpt'])}”" if to["excerpt"] else "a message that is not here"
    if to["is_here"] and not to["excerpt"]:
        said = "a recalled message"
    return f"{_who(message, to['mine'])}: {said}" if to["is_here"] else said


def reactions(message: Mapping[str, Any]) -> str:
    """Who has reacted to a message how, "" for nobody."""
    return ", ".join(f"{clean(one['mark'])} {_who(message, one['mine'])}" for one in message.get("reactions", ()))


def carried(message: Mapping[str, Any]) -> list[str]:
    """What a card or a place is good for: the command that asks whom it names, the address for a map."""
    card, place = message.get("card"), message.get("place")
    if place:
        return [clean(place["geo"])]
    if not card or message["mine"]:
        return []
    return [f"your contact {clean(card['known'])}" if card["known"] else f"weft add {clean(card['account'])}"]


def _who(message: Mapping[str, Any], mine: bool) -> str:
    return "You" if mine else clean(message["contact"])


def preview_lines(message: Mapping[str, Any]) -> list[str]:
    """What the sender of a link says of it. The host, which alone is certain, has a line of its own: it is ASCII, so
    no title turns it around or stands before it."""
    seen = message.get("preview")
    if not seen:
        return []
    whose = "as you saw it" if message["mine"] else f"as {clean(message['contact'])} shows it"
    picture = ", with a picture" if seen["has_picture"] else ""
    said = [f"  {clean(seen[name])}" for name in ("title", "about") if seen[name]]
    return [f"{clean(seen['host'])}, {whose}{picture}:", *said]


def file_text(file: Mapping[str, Any]) -> str:
    """A file on a part of a line: what it is, its name, how large, and how much of it is here."""
    facts = [size(file["bytes"])]
    if file["length_ms"]:
        facts.append(length(file["length_ms"]))
    if file["width"]:
        facts.append(f"{file['width']}×{file['height']}")
    if not file["mine"]:
        facts.append(FILE_STATES[file["state"]])
    said = f"[{file['shape']}] {clean(file['name'])} ({', '.join(facts)})"
    return f"{said} {wave(file['wave'])}" if file["wave"] else said


def keeping_text(file: Mapping[str, Any]) -> str:
    """What of a file lies at a keeper: "kept by bo until 22 Dec", "38 % at bo", why it is left nowhere; "" for none."""
    part = file["kept"] * 100 // file["pieces"]
    match file["mine"], file["keeping"]:
        case False, "kept":
            return f"from the keeper {clean(file['keeper'])}"
        case True, "kept":
            return clean(file["keep_reason"])
        case True, "ending":
            return "taken back from the keeper"
        case True, "wanted":
            at = f"{part} % at {clean(file['keeper'])}" if file["keeper"] and file["kept"] else ""
            why = f"left nowhere: {clean(file['keep_reason'])}" if file["keep_reason"] and not at else ""
            return at or why
        case _:
            return ""


def files_held(one: Mapping[str, Any]) -> str:
    """The files that lie somewhere beside mail: "; 2 files, 6.0 MB"; "" for none."""
    count = one.get("files", 0)
    return f"; {count:,} file{'' if count == 1 else 's'}, {size(one['files_bytes'])}" if count else ""


def length(ms: int) -> str:
    """How long a recording is: "0:07", "1:02:03"."""
    minutes, seconds = divmod(round(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def wave(levels: Sequence[int]) -> str:
    """The levels of a recording, 0 to 255 each, as a line of blocks."""
    return "".join(_BLOCKS[min(one, 255) * len(_BLOCKS) // 256] for one in levels)


def state_mark(message: Mapping[str, Any]) -> str:
    """The state of one's own message: mark and word; of one that is kept, by whom and until when."""
    is_told = message["state"] == "kept" and message.get("reason")
    return f"{_MARKS.get(message['state'], '•')} {clean(message['reason']) if is_told else message['state']}"


def lying(count: int, kept: int, kept_by: str) -> str:
    """What is said behind a number of things that wait: who keeps them, or some of them; "" where nobody does."""
    if not kept:
        return ""
    return f", {clean(kept_by)}" if kept >= count else f", {kept:,} of them {clean(kept_by)}"


def state_line(message: Mapping[str, Any], took_s: float | None = None) -> str:
    """What became of one's own message, with the reason or the time it took."""
    said = state_mark(message)
    if message["state"] == "kept":
        return f"{said}   (id …{message['short']})"
    if took_s is not None:
        said += f" {span(took_s)}"
    elif message.get("reason"):
        said += f": {clean(message['reason'])}"
    return f"{said}   (id …{message['short']})"


def code(text: str) -> str:
    """A QR code of the text, drawn with half blocks for a terminal."""
    import io

    import segno

    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue()


def as_json(value: Any) -> str:
    """The value on one line of JSON, in which nothing steers a terminal and nothing is lost."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.isprintable():  # JSON can say these characters without writing them
        text = "".join(json.dumps(one)[1:-1] if _steers(one) else one for one in text)
    return text


def _json(value: Any) -> None:
    sys.stdout.write(as_json(value) + "\n")
    sys.stdout.flush()


def _steers(character: str) -> bool:
    """Whether this may do something to a terminal or to the line around it instead of being seen."""
    return unicodedata.category(character) in _STEERING and character not in _JOINERS


def _coloured(door: Door, text: str, terminal: bool) -> str:
    mark = text[:1]
    if mark not in _COLOURS or not terminal or door.environ.get("NO_COLOR"):
        return text
    return click.style(mark, fg=_COLOURS[mark]) + text[1:]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _drawn(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False)
    for head in heads:
        drawn.add_column(head, header_style="bold", overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))
    columns = os.get_terminal_size(sys.stdout.fileno()).columns
    console = Console(file=io.StringIO(), width=columns or 80, force_terminal=True)
    with console.capture() as captured:
        console.print(drawn)
    return captured.get().rstrip("\n")
