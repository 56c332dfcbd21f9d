"""chat: a conversation line by line, in a terminal or through pipes.

What you type is sent; what comes, and what becomes of your own lines, appears above the line you are typing. One
thread types and sends, the other listens, each with a connection of its own.
"""

import sys
import threading
import time
from typing import Any

import click

from cli import client as connection
from cli import options, show
from cli.faults import Failure
from cli.options import Door, Form

HISTORY = 10  # lines of the past shown first
LEAVE_S = 5.0  # how long piped lines may take to be delivered after the pipe has ended
POLL_S = 0.05
SOON_S = 1.0  # after it a line says why it waits: a keeper who is there has it by then, and one line is enough
_SHOWN = ("kept", "held", "delivered", "read", "expired", "failed")

Message = dict[str, Any]


class _Screen:
    """The lines above the prompt, and the line being typed below them: two threads write here, one at a time."""

    def __init__(self, door: Door, prompt: str) -> None:
        self.door = door
        self.prompt = prompt
        self.typing = False  # whether a prompt stands there now
        self.posted: set[str] = set()  # ids of own messages
        self.settled: dict[str, str] = {}  # id -> last state shown; may know a message before `posted` does
        self.waiting: dict[str, Message] = {}  # own messages of which nothing was shown yet
        self._lock = threading.Lock()
        self._readline = _readline() if prompt else None

    def write(self, value: Any, text: str) -> None:
        """Shows text above the line that is being typed, which stays as it is."""
        with self._lock:
            if not self.typing:
                show.outcome(self.door, value, text)
                return
            click.echo("\r\x1b[K", nl=False)
            show.outcome(self.door, value, text)
            typed = self._readline.get_line_buffer() if self._readline else ""
            click.echo(self.prompt + typed, nl=False)

    def is_new(self, message: Message) -> bool:
        """Whether this state of the message was not shown yet: a change is told as it is now, and so may come twice."""
        before, now = self.settled.get(message["id"], ""), str(message["state"])
        self.settled[message["id"]] = now
        return before != now

    def show_waiting(self, message_id: str) -> None:
        """Shows why a message waits, unless more has become of it or it was shown before."""
        message = self.waiting.pop(message_id, None)
        if message is not None and message_id not in self.settled:
            self.write(message, f"  {show.state_line(message)}")

    def close(self) -> None:
        """Lets nobody write any more: Python aborts when it ends while another thread writes."""
        self._lock.acquire()

    def line(self) -> str | None:
        """The next line that is typed or piped in; None at its end."""
        if not self.prompt:
            return sys.stdin.readline() or None
        with self._lock:
            self.typing = True
        try:
            return input(self.prompt) + "\n"
        except EOFError:
            click.echo()
            return None
        finally:
            with self._lock:
                self.typing = False


@options.command()
@options.contact_argument
@click.pass_obj
def chat(door: Door, name: str) -> None:
    """Talks with a contact line by line; Ctrl-D leaves."""
    terminal = door.asks and sys.stdout.isatty() and door.form is Form.TEXT
    if door.form is Form.JSON:
        door.form = Form.JSONL  # a conversation is a stream
    with door.connect() as client:
        contact = client.call("contacts.show", name=name)["name"]
        client.watch(connection.RECEIVED, connection.CHANGED, connection.STATE)
        past = client.call("chat.history", to=contact, limit=HISTORY, before=None) if terminal else []
        screen = _Screen(door, "> " if terminal else "")
        for message in past:
            screen.write(message, show.message_line(message))
        show.talk(door, f"Talking with {show.clean(contact)}. Ctrl-D leaves.")
        listening = threading.Thread(target=_listen, args=(screen, contact, client.cursor), daemon=True)
        listening.start()
        while (line := screen.line()) is not None:
            if line.strip():
                _say(screen, client, contact, line.rstrip("\r\n"))
    if not terminal:
        _wait(screen)
    for message_id in [*screen.waiting]:
        screen.show_waiting(message_id)
    screen.close()


def _say(screen: _Screen, client: connection.Client, contact: str, text: str) -> None:
    try:
        message = client.call("chat.send", to=contact, text=text)
    except Failure as failure:
        if failure.code in ("node.gone", "node.down", "node.silent"):
            raise
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


def _listen(screen: _Screen, contact: str, cursor: int) -> None:
    """Shows what comes from the contact and what becomes of one's own lines, until the command ends."""
    door = screen.door
    topics = (connection.RECEIVED, connection.CHANGED, connection.STATE)
    news = connection.follow(door.directory, topics, cursor, lambda said: screen.write({"talk": said}, said))
    try:
        for topic, message in news:
            if message["contact"] != contact:
                continue
            if topic == connection.RECEIVED:
                screen.write(message, show.message_line({**message, "unread": False}))  # it is read now
                with door.connect() as marking:
                    marking.call("chat.read", to=contact)
            elif topic == connection.CHANGED:
                screen.write(message, f"↻ {show.message_line({**message, 'unread': False})}")
            elif message["mine"] and message["state"] in _SHOWN and screen.is_new(message):
                screen.write(message, f"  {show.state_line(message)}")
    except Failure as failure:
        screen.write({"talk": failure.message}, f"✖ {failure.message}")


def _wait(screen: _Screen) -> None:
    """Gives the last piped lines time to arrive."""
    if screen.posted <= screen.settled.keys():
        return
    deadline = time.monotonic() + LEAVE_S
    show.talk(screen.door, f"Waiting up to {LEAVE_S:.0f} s until the last lines are delivered…")
    while not screen.posted <= screen.settled.keys() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _readline() -> Any:
    """The line editor, where Python has one: it knows what is being typed."""
    try:
        import readline
    except ImportError:
        return None
    return readline
