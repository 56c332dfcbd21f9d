"""send, inbox, read: messages, one command each."""

import re
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from cli import client as connection
from cli import faults, moving, options, past, recorder, show, stdin
from cli.client import Client
from cli.faults import Failure
from cli.options import Door, Form
from cli.typists import Typists

SOON_S = 1.0  # what a person waits to see what becomes of a message: a keeper who is there has it by then
WAIT_S = 30.0  # of --wait without a time
TICK_S = 1.0
LINES_MAX = 64  # messages in one call
READ = 20  # lines that `read` shows, or all that is new
CHUNK_BYTES = 1 << 16
TIME = re.compile(r"\d{1,6}[smh]?")
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
@click.option("--frame", metavar="PICTURE", help="What is seen of a video before it is fetched: a picture of it.")
@click.option("--record", is_flag=True, help="Record a voice message now, for SECONDS at most. [15m]")
@click.option("--as-is", is_flag=True, help="Files as they are: also where and with what they were taken.")
@click.option("--reply", metavar="ID", help="The message that TEXT answers: its id, or the end of it.")
@click.option(
    "--preview/--no-preview",
    default=None,
    help="Ask the site of a link in TEXT what it is about, or do not. [as links.preview is set]",
)
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
    frame: str | None,
    record: bool,
    as_is: bool,
    reply: str | None,
    preview: bool | None,
) -> None:
    """Sends TEXT to a contact ("-" or nothing: read it from stdin), or files.

    weft send bo --file holiday.jpg --file report.pdf

    A file is sealed and stays here; the contact's node fetches it, a small one by itself. Pictures, recordings and
    videos go without what they say of place, time and camera. With --wait kept they are left at a keeper too, whatever
    their size: then you may switch off.

    weft send bo --record 30s

    It records from the microphone until Enter is pressed, and sends that.

    A preview of a link is made here, before TEXT goes, and travels in it: its site sees the address of this node, or of
    links.proxy, and when. The other side loads nothing.
    """
    paths = [
        *((one, "file" if as_is else "auto") for one in files),
        *((one, "voice") for one in voices),
        *((one, "video") for one in videos),
    ]
    if frame is not None and len(paths) != 1:
        raise faults.usage("A --frame goes with one video, as in: weft send bo --video film.mp4 --frame frame.jpg.")
    if record:
        if (
            paths
            or lines
            or as_is
            or within is not None
            or any(one is not None for one in (reply, wait, preview, frame))
        ):
            raise faults.usage("A recording goes alone, as in: weft send NAME --record 30s.")
        _send_recording(door, name, recorder.LIMIT_S if text is None else options.seconds_of(text))
        return
    if paths:
        if lines or reply is not None or wait not in (None, "kept") or (within is not None and wait is None):
            said = "Files go without --lines and --reply, and --wait kept alone"
            raise faults.usage(f"{said}: weft files shows how much of each he has.")
        if wait and text is not None and within is None and TIME.fullmatch(text):
            text, within = None, text  # a TEXT that is a time stands before the SECONDS
        within_s = WAIT_S if within is None else options.seconds_of(within)
        _send_files(door, name, text, paths, frame, preview, within_s if wait else None)
        return
    if lines and wait is not None and within is None and text not in (None, "-"):
        text, within = None, text  # with --lines there is no TEXT before the SECONDS
    _require_sense(lines, text, (wait, within), reply, preview)
    waits = None if wait is None else (wait, WAIT_S if within is None else options.seconds_of(within))
    with door.connect() as client:
        if lines:
            _send_lines(door, client, name, waits)
            return
        said = text if text not in (None, "-") else stdin.whole()
        if not said:
            raise faults.usage("There is no text, so nothing was sent.")
        _send_text(door, client, waits, name, said, reply, preview)


def _require_sense(
    lines: bool, text: str | None, waits: tuple[str | None, str | None], reply: str | None, preview: bool | None
) -> None:
    """Raises: Failure where options of a text contradict each other."""
    if waits[0] is None and waits[1] is not None:
        raise faults.usage('The text is one argument: put it in quotes, as in: weft send bo "see you there".')
    if lines and text not in (None, "-"):
        raise faults.usage("With --lines the texts come from stdin, not from the command line.")
    if lines and reply is not None:
        raise faults.usage("An answer is one message: --reply does not go with --lines.")
    if lines and preview is not None:
        raise faults.usage("What comes from a program has no previews: --preview does not go with --lines.")


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
    typists = Typists(door)
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


def _send_text(
    door: Door,
    client: Client,
    waits: tuple[str, float] | None,
    name: str,
    text: str,
    reply: str | None,
    preview: bool | None,
) -> None:
    """Sends a text, and says what becomes of it."""
    began = time.monotonic()
    sees = door.form is Form.TEXT and sys.stdout.isatty()
    if waits is not None or sees:
        client.watch(connection.STATE)
    message = _posted(door, client, name, text, reply, preview)
    if waits is None:
        if sees:
            later = _await(door, client, {message["id"]: message}, "sent", SOON_S)[message["id"]]
            message = message if later["state"] == message["state"] else later  # the answer has said why it waits
        show.outcome(door, message, show.state_line(message))
        return
    state, within_s = waits
    message = _await(door, client, {message["id"]: message}, state, within_s)[message["id"]]
    _check_reached(message, state, within_s)
    show.outcome(door, message, show.state_line(message, time.monotonic() - began))


def _posted(door: Door, client: Client, name: str, text: str, reply: str | None, preview: bool | None) -> Message:
    """A text that is sent now. While its link is looked at, a person is told so, and why there is no preview."""

    def waiting(_spent_s: float) -> None:
        show.passing(door, "Looking at the link, at most 10 s…" if "://" in text else "")

    try:
        message: Message = client.call("chat.send", waiting=waiting, to=name, text=text, reply=reply, preview=preview)
    finally:
        show.passing(door, "")
    if message.get("unseen"):
        show.talk(door, f"! {show.clean(message['unseen'])}")
    return message


def _send_recording(door: Door, name: str, limit_s: float) -> None:
    """Records a voice message and sends it; before he speaks a person knows that it can be sent."""
    if not 1 <= limit_s <= recorder.LIMIT_S_MAX:
        raise faults.usage(f"A recording has from 1 s to {show.span(recorder.LIMIT_S_MAX)}.")
    with door.connect() as client:
        contact = client.call("contacts.show", name=name)["name"]
        with recorder.recorded(door, limit_s) as file:
            if file is None:
                show.talk(door, "It was dropped; nothing was sent.")
                return
            sent = moving.send(door, client, contact, [(str(file), "voice")])
    show.rows(door, "files", sent, "\n".join(map(moving.sent_text, sent)))


def _send_files(
    door: Door,
    name: str,
    text: str | None,
    paths: list[tuple[str, str]],
    frame: str | None,
    preview: bool | None,
    within_s: float | None,
) -> None:
    """Sends files, and a text behind them where there is one. within_s: waits until all lie at keepers."""
    with door.connect() as client:
        if within_s is not None:
            client.watch(connection.STATE, moving.KEPT, moving.GIVEN)
        sent = moving.send(door, client, name, paths, frame)
        said = stdin.whole() if text == "-" else text
        message = _posted(door, client, name, said, None, preview) if said else None
        if within_s is not None:
            _await_kept(door, client, sent, message, within_s)
            return
    shown = [moving.sent_text(file) for file in sent]
    if message is not None:
        shown.append(show.state_line(message))
    show.rows(door, "files", sent, "\n".join(shown))


def _await_kept(
    door: Door, client: Client, sent: list[moving.FileLine], message: Message | None, within_s: float
) -> None:
    """Waits until the files, and the messages that tell of them, lie at keepers. Raises: Failure where they do not."""
    began = time.monotonic()
    told: dict[str, Message] = {file["id"]: {"id": file["id"], "short": file["short"]} for file in sent}
    told |= {} if message is None else {message["id"]: message}
    files = [moving.keep(client, file) for file in sent]
    told = _await(door, client, told, "kept", within_s)
    # what was said of the files meanwhile went by
    files = [file if file["keeping"] == "" else client.call("media.show", id=file["id"]) for file in files]
    able = [file for file in files if file["keeping"]]
    files = [file for file in files if not file["keeping"]] + moving.await_kept(door, client, able, began + within_s)
    for one in told.values():
        _check_reached(one, "kept", within_s)
    for file in files:
        if not moving.is_kept(file):
            why = show.clean(file["keep_reason"]) or "it goes on"
            said = f"{show.clean(file['name'])} is told and not kept after {show.span(within_s)}: {why}. It stays here."
            raise Failure(
                "media.not_kept",
                said,
                next=f"weft files show {file['short']}",
                exit=faults.NOT_DELIVERED,
                data={"files": files},
            )
    took = show.span(time.monotonic() - began)
    shown = [f"✔ {show.file_text(file)}, {show.keeping_text(file) or 'he has it'} {took}" for file in files]
    show.rows(door, "files", files, "\n".join(shown))


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
        for topic, message in client.changes(within_s=min(left_s, TICK_S)):
            if topic == connection.STATE and message["id"] in open_ids:
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
