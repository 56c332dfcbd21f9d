"""chat: a conversation line by line, in a terminal or through pipes.

What you type is sent; what comes, and what becomes of your own lines, appears above the line you are typing, and below
it that he types. One thread types and sends, one listens, one tells that you type; each with a connection of its own.
Not here: how it is drawn (cli/screen.py).
"""

import sys
import threading
import time
from contextlib import ExitStack, suppress

import click

from cli import client as connection
from cli import options, past, pictures, show
from cli.faults import Failure
from cli.options import Door, Form
from cli.screen import Message, Screen

HISTORY = 10  # lines of the past shown first, or as many as are new
LEAVE_S = 5.0  # how long piped lines may take to be delivered after the pipe has ended
POLL_S = 0.05
SOON_S = 1.0  # after it a line says why it waits: a keeper who is there has it by then, and one line is enough
TICK_S = 0.4  # how often it is looked whether something was typed since
TELL_S = 2.0  # between two words to the node that one types; it tells the contact less often
_SHOWN = ("kept", "held", "delivered", "read", "expired", "failed")


@options.command()
@options.contact_argument
@click.pass_obj
def chat(door: Door, name: str) -> None:
    """Talks with a contact line by line; Ctrl-D leaves.

    With `weft config set chat.typing on`, and on at the contact's too, each sees that the other types.
    """
    terminal = door.asks and sys.stdout.isatty() and door.form is Form.TEXT
    if door.form is Form.JSON:
        door.form = Form.JSONL  # a conversation is a stream
    with _Speaker(door) as speaker:
        _converse(door, speaker, name, terminal)


def _converse(door: Door, speaker: "_Speaker", name: str, terminal: bool) -> None:
    contact = speaker.client.call("contacts.show", name=name)["name"]
    speaker.client.watch(connection.RECEIVED, connection.CHANGED, connection.STATE)
    screen = Screen(door, "> " if terminal else "")
    if terminal:
        for message in past.lines(speaker.client, contact, HISTORY):
            screen.write(message, show.message_line(message))
        speaker.client.call("chat.read", to=contact)
    show.talk(door, f"Talking with {show.clean(contact)}. Ctrl-D leaves.")
    heard = (screen, contact, speaker.client.cursor, speaker)
    threading.Thread(target=_listen, args=heard, daemon=True).start()
    if terminal:
        threading.Thread(target=_tell_typing, args=(screen, contact), daemon=True).start()
    while (line := screen.line()) is not None:
        if line.strip():
            _say(screen, speaker, contact, line.rstrip("\r\n"))
    if not terminal:
        _wait(screen)
    for message_id in [*screen.waiting]:
        screen.show_waiting(message_id)
    screen.close()


class _Speaker:
    """The connection by which lines are said: another one once the node went away, which who listens notices."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._open = ExitStack()
        self.client = self._open.enter_context(door.connect())
        self.is_cut = False

    def __enter__(self) -> "_Speaker":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def say(self, contact: str, text: str) -> Message:
        """Sends a line. Raises: Failure; node.down where it was not sent because the node is still away."""
        if self.is_cut:
            self._open.close()
            self.client = self._open.enter_context(self._door.connect())
            self.is_cut = False
        message: Message = self.client.call("chat.send", to=contact, text=text)
        return message


def _say(screen: Screen, speaker: _Speaker, contact: str, text: str) -> None:
    was_cut = speaker.is_cut
    try:
        message = speaker.say(contact, text)
    except Failure as failure:
        if failure.code in ("node.gone", "node.silent") or (failure.code == "node.down" and not was_cut):
            raise
        if failure.code == "node.down":
            failure.message = f"This line was not sent. {failure.message}"
        show.failure(screen.door, failure)  # this line was refused; the talk goes on
        return
    screen.posted.add(message["id"])
    if message.get("unseen"):
        screen.write({"talk": message["unseen"]}, f"! {show.clean(message['unseen'])}")
    if not screen.prompt:
        screen.write(message, show.message_line(message))
    elif message.get("reason"):
        screen.waiting[message["id"]] = message
        soon = threading.Timer(SOON_S, screen.show_waiting, (message["id"],))
        soon.daemon = True  # who leaves the talk does not wait for it
        soon.start()


def _listen(screen: Screen, contact: str, cursor: int, speaker: _Speaker) -> None:
    """Shows what comes from the contact and what becomes of one's own lines, until the command ends."""
    door = screen.door
    topics: tuple[str, ...] = (connection.RECEIVED, connection.CHANGED, connection.STATE)
    if screen.prompt:
        topics += (connection.TYPING,)

    def gone(said: str) -> None:
        speaker.is_cut = True
        screen.write({"talk": said}, said)

    news = connection.follow(door.directory, topics, cursor, gone)
    try:
        for topic, message in news:
            if message["contact"] != contact:
                continue
            if topic == connection.TYPING:
                screen.say_below(f"{show.clean(contact)} is typing…" if message["typing"] else "")
            elif topic == connection.RECEIVED:
                line = show.message_line({**message, "unread": False})  # it is read now
                with door.connect() as marking:
                    screen.write(message, pictures.with_sticker(door, marking, message, line))
                    marking.call("chat.read", to=contact)
            elif topic == connection.CHANGED:
                screen.write(message, f"↻ {show.message_line({**message, 'unread': False})}")
            elif message["mine"] and message["state"] in _SHOWN and screen.is_new(message):
                screen.write(message, f"  {show.state_line(message)}")
    except Failure as failure:
        screen.write({"talk": failure.message}, f"✖ {failure.message}")


def _tell_typing(screen: Screen, contact: str) -> None:
    """Tells the node that one types whenever the line has changed, until the command ends; it decides who hears so."""
    before, told_at = "", 0.0
    while True:
        time.sleep(TICK_S)
        screen.tick()
        now = screen.typed or ""
        if not now:
            before = ""
        elif now != before and time.monotonic() >= told_at + TELL_S:
            before, told_at = now, time.monotonic()
            with suppress(Failure), screen.door.connect() as client:
                client.call("chat.typing", to=contact)


def _wait(screen: Screen) -> None:
    """Gives the last piped lines time to arrive."""
    if screen.posted <= screen.settled.keys():
        return
    deadline = time.monotonic() + LEAVE_S
    show.talk(screen.door, f"Waiting up to {LEAVE_S:.0f} s until the last lines are delivered…")
    while not screen.posted <= screen.settled.keys() and time.monotonic() < deadline:
        time.sleep(POLL_S)
