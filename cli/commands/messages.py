"""send, inbox, read: messages, one command each."""

import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from cli import client as connection
from cli import faults, moving, options, past, show, stdin
from cli.client import Client
from cli.faults import Failure
from cli.options import Door, Form

SOON_S = 1.0  # what a person waits to see what becomes of a message: a keeper who is there has it by then
WAIT_S = 30.0  # of --wait without a time
TICK_S = 1.0
LINES_MAX = 64  # messages in one call
READ = 20  # lines that `read` shows, or all that is new
CHUNK_BYTES = 1 << 16
_RANK = {"queued": 0, "sent": 1, "held": 1, "kept": 1, "delivered": 2, "read": 3}
_OVER = ("failed", "expired")

Message = dict[str, Any]


@options.command()
@options.contact_argument
@click.argument("text", required=False)
@click.argument("within", required=False, metavar="[SECONDS]")
@click.option(
    "--wait",
    type=click.Choice(["sent", "kept", "delivered", "read"]),
    help="Wait until it is so or better, at most SECONDS (a number or 90s, 2m; 30 if absent); code 6 if not.",
)
@click.option("--lines", is_flag=True, help="Each line of stdin is a message of its own.")
@click.option("--file", "files", multiple=True, metavar="PATH", help="A file or a folder, also several times.")
@click.option("--voice", "voices", multiple=True, metavar="PATH", help="A recording, shown as one.")
@click.option("--video", "videos", multiple=True, metavar="PATH", help="A video, shown as one.")
@click.option("--as-is", is_flag=True, help="Files as they are: also where and with what they were taken.")
@click.option("--reply", metavar="ID", help="The message that TEXT answers: its id, or the end of it.")
@click.pass_obj
def send(
    door: Door,
    name: str,
    text: str | None,
    within: str | None,
    wait: str | None,
    lines: bool,
    files: tuple[str, ...],
    voices: tuple[str, ...],
    videos: tuple[str, ...],
    as_is: bool,
    reply: str | None,
) -> None:
    """Sends TEXT to a contact ("-" or nothing: read it from stdin), or files.

    weft send bo --file holiday.jpg --file report.pdf

    A file is sealed and stays here; the contact's node fetches it, a small one by itself. Pictures, recordings and
    videos go without what they say of place, time and camera.
    """
    paths = [
        *((one, "file" if as_is else "auto") for one in files),
        *((one, "voice") for one in voices),
        *((one, "video") for one in videos),
    ]
    if paths:
        if lines or reply is not None or wait is not None or within is not None:
            said = "Files go without --lines, --reply and --wait: weft files shows how much of each he has."
            raise faults.usage(said)
        _send_files(door, name, text, paths)
        return
    if lines and wait is not None and within is None and text not in (None, "-"):
        text, within = None, text  # with --lines there is no TEXT before the SECONDS
    if within is not None and wait is None:
        raise faults.usage('The text is one argument: put it in quotes, as in: weft send bo "see you there".')
    if lines and text not in (None, "-"):
        raise faults.usage("With --lines the texts come from stdin, not from the command line.")
    if lines and reply is not None:
        raise faults.usage("An answer is one message: --reply does not go with --lines.")
    waits = None if wait is None else (wait, WAIT_S if within is None else options.seconds_of(within))
    with door.connect() as client:
        if lines:
            _send_lines(door, client, name, waits)
            return
        said = text if text not in (None, "-") else stdin.whole()
        if not said:
            raise faults.usage("There is no text, so nothing was sent.")
        began = time.monotonic()
        sees = door.form is Form.TEXT and sys.stdout.isatty()
        if waits is not None or sees:
            client.watch(connection.STATE)
        message = client.call("chat.send", to=name, text=said, reply=reply)
        if waits is None:
            if sees:
                later = _await(door, client, {message["id"]: message}, "sent", SOON_S)[message["id"]]
                message = message if later["state"] == message["state"] else later  # the answer has said why it waits
            show.outcome(door, message, show.state_line(message))
            return
        state, within_s = waits
        found = _await(door, client, {message["id"]: message}, state, within_s)
    message = found[message["id"]]
    _check_reached(message, state, within_s)
    show.outcome(door, message, show.state_line(message, time.monotonic() - began))


@options.command()
@click.option("--follow", is_flag=True, help="Stay, and show messages as they come, also after a restart of the node.")
@click.option("--unread", is_flag=True, help="Only what is not marked as read.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, metavar="N", help="How many at most. [100]")
@click.option("--after", type=click.IntRange(0, 2**62), metavar="SEQ", help="The first that came after this number.")
@click.option("--bell", is_flag=True, help="With --follow: ring the terminal's bell, but not for who is muted.")
@click.pass_obj
def inbox(door: Door, follow: bool, unread: bool, limit: int, after: int | None, bell: bool) -> None:
    """Shows messages that came, oldest first; `read NAME` marks them as read."""
    if bell and not follow:
        raise faults.usage("--bell rings while one waits: with --follow.")
    if after is not None and (follow or unread):
        raise faults.usage("--after goes page by page through all that came: not with --follow or --unread.")
    with door.connect() as client:
        if follow:
            client.watch(connection.RECEIVED)
        first = 0 if after is None else max(1, after)  # to the node 0 means the newest; row 1 is a card, never a text
        messages = client.call("chat.inbox", unread=unread, limit=limit, after=first)
        cursor = client.cursor
    if not follow:
        text = "\n".join(show.message_line(message) for message in messages)
        show.rows(door, "messages", messages, text or ("Nothing new." if unread else "No messages yet."))
        return
    if door.form is Form.JSON:
        door.form = Form.JSONL  # a stream has no end, so it cannot be one object
    typists = _Typists(door)
    seen = {message["id"] for message in messages}
    for message in messages:
        show.outcome(door, message, show.message_line(message))
    show.talk(door, "Waiting for messages… (Ctrl-C ends it)")
    news = connection.follow(door.directory, typists.topics, cursor, typists.gone)
    for topic, message in news:
        typists.wipe()
        if topic == connection.TYPING:
            typists.heard(message)
        elif message["id"] not in seen:  # those that came between the two looks
            show.outcome(door, message, show.message_line(message))
            if bell and not message["muted"]:
                show.ring()
            typists.draw()


@options.command()
@options.contact_argument
@click.option(
    "--limit", type=click.IntRange(1, 1000), metavar="N", help="How many of the newest. [20, or all that is new]"
)
@click.pass_obj
def read(door: Door, name: str, limit: int | None) -> None:
    """Shows the conversation with a contact and marks it as read."""
    with door.connect() as client:
        if limit is None:
            messages = past.lines(client, name, READ)
        else:
            messages = client.call("chat.history", to=name, limit=limit, before=None)
        count = client.call("chat.read", to=name)["read"]
    text = "\n".join(show.message_line(message) for message in messages)
    match door.form:
        case Form.JSONL:
            show.rows(door, "messages", messages, text)
        case _:
            show.outcome(door, {"read": count, "messages": messages}, text or "No messages yet.")
    show.talk(door, f"{count} marked as read.")


class _Typists:
    """Who types, on the last row of a terminal; for a script, who asks for messages alone, nobody ever does."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._names: list[str] = []
        sees = door.form is Form.TEXT and not door.quiet and show.is_terminal() and sys.stdout.isatty()
        self.topics = (connection.RECEIVED, connection.TYPING) if sees else (connection.RECEIVED,)

    def heard(self, said: Message) -> None:
        """One begins to type, or does not any more."""
        self._names = [one for one in self._names if one != said["contact"]]
        if said["typing"]:
            self._names.append(said["contact"])
        self.draw()

    def draw(self) -> None:
        if self._names:
            names = show.clean(", ".join(self._names[-3:]))
            show.passing(self._door, f"{names} {'is' if len(self._names) == 1 else 'are'} typing…")

    def wipe(self) -> None:
        if self._names:
            show.passing(self._door, "")

    def gone(self, said: str) -> None:
        """The node went away, or is back: who types is not known any more."""
        self.wipe()
        self._names = []
        show.talk(self._door, said)


def _send_files(door: Door, name: str, text: str | None, paths: list[tuple[str, str]]) -> None:
    """Sends files, and a text behind them where there is one."""
    with door.connect() as client:
        sent = moving.send(door, client, name, paths)
        said = stdin.whole() if text == "-" else text
        message = client.call("chat.send", to=name, text=said) if said else None
    shown = [moving.sent_text(file) for file in sent]
    if message is not None:
        shown.append(show.state_line(message))
    show.rows(door, "files", sent, "\n".join(shown))


def _send_lines(door: Door, client: Client, name: str, waits: tuple[str, float] | None) -> None:
    """Sends each line of stdin as it comes, up to 64 a call."""
    began = time.monotonic()
    if waits is not None:
        client.watch(connection.STATE)
    posted: dict[str, Message] = {}
    for texts in _stdin_lines(sys.stdin.buffer):
        for message in client.call("chat.send_all", to=name, texts=texts):
            posted[message["id"]] = message
            if door.form is Form.JSONL and waits is None:
                show.outcome(door, message, "")
    if waits is None:
        if door.form is not Form.JSONL:
            show.outcome(door, {"messages": list(posted.values())}, f"• {len(posted)} queued")
        return
    state, within_s = waits
    posted = _await(door, client, posted, state, within_s)
    for message in posted.values():
        _check_reached(message, state, within_s)
    took = show.span(time.monotonic() - began)
    show.rows(door, "messages", list(posted.values()), f"✔ {len(posted)} {state} {took}")


def _await(door: Door, client: Client, posted: dict[str, Message], state: str, within_s: float) -> dict[str, Message]:
    """The messages as they are when all have reached the state or ended, or when the time is over."""
    began = time.monotonic()
    found = dict(posted)
    open_ids = {one for one, message in found.items() if not _settled(message, state)}
    if open_ids and not show.is_terminal():
        show.talk(door, f"Waiting until {state}…")
    while open_ids and (left_s := within_s - (time.monotonic() - began)) > 0:
        show.passing(door, f"Waiting until {state}… {int(time.monotonic() - began)} s")
        for _, message in client.changes(within_s=min(left_s, TICK_S)):
            if message["id"] in open_ids:
                found[message["id"]] = message
                if _settled(message, state):
                    open_ids.remove(message["id"])
            if not open_ids:
                break
        if client.lagged:
            raise Failure("watch.lagged", "Too much happened to follow; the messages are kept.", next="weft status")
    show.passing(door, "")
    return found


def _settled(message: Message, state: str) -> bool:
    reached = message.get("state", "queued")
    return reached in _OVER or _RANK.get(reached, 0) >= _RANK[state]


def _check_reached(message: Message, state: str, within_s: float) -> None:
    reached = message.get("state", "queued")
    if reached not in _OVER and _RANK.get(reached, 0) >= _RANK[state]:
        return
    reason = f": {show.clean(message['reason'])}" if message.get("reason") else ""
    short = message.get("short", message["id"][-8:])
    data = {"message": message}
    if reached in _OVER:
        said = f"{reached}{reason}   (id …{short})"
        code = faults.REFUSED if reached == "failed" else faults.NOT_DELIVERED
        raise Failure(f"message.{reached}", said, next="weft status", exit=code, data=data)
    stands = show.clean(message["reason"]) if reached == "kept" and reason else f"{reached}{reason}"
    said = f"Not {state} after {show.span(within_s)}, {stands}. Nothing is lost; it goes on.   (id …{short})"
    raise Failure("message.queued", said, next="weft status", exit=faults.NOT_DELIVERED, data=data)


def _stdin_lines(stream: BinaryIO) -> Iterator[list[str]]:
    """The lines that are there, without empty ones, up to 64 at a time: what comes slowly is sent at once."""
    rest = b""
    while chunk := stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined]  # stdin is a BufferedReader
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > stdin.TEXT_BYTES_MAX:
            limit = stdin.TEXT_BYTES_MAX >> 10
            raise faults.usage(f"A line of stdin is longer than {limit} KiB; what came before is sent.")
        texts = [stdin.decoded(line.rstrip(b"\r")) for line in whole if line.strip()]
        for start in range(0, len(texts), LINES_MAX):
            yield texts[start : start + LINES_MAX]
    if rest.strip():
        yield [stdin.decoded(rest)]
