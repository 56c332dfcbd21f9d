"""chat: a conversation line by line, in a terminal or through pipes.

What you type is sent; what comes, and what becomes of your own lines, appears above the line you are typing, and below
it that he types. One thread types and sends, one listens, one tells that you type; each with a connection of its own.
Not here: how it is drawn (cli/screen.py).
"""

import sys
import threading
import time
from contextlib import suppress

import click

from cli import client as connection
from cli import options, pictures, show
from cli.faults import Failure
from cli.options import Door, Form
from cli.screen import Screen

HISTORY = 10  # lines of the past shown first
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
    with door.connect() as client:
        contact = client.call("contacts.show", name=name)["name"]
        client.watch(connection.RECEIVED, connection.CHANGED, connection.STATE)
        past = client.call("chat.history", to=contact, limit=HISTORY, before=None) if terminal else []
        screen = Screen(door, "> " if terminal else "")
        for message in past:
            screen.write(message, show.message_line(message))
        show.talk(door, f"Talking with {show.clean(contact)}. Ctrl-D leaves.")
        listening = threading.Thread(target=_listen, args=(screen, contact, client.cursor), daemon=True)
        listening.start()
        if terminal:
            threading.Thread(target=_tell_typing, args=(screen, contact), daemon=True).start()
        while (line := screen.line()) is not None:
            if line.strip():
                _say(screen, client, contact, line.rstrip("\r\n"))
    if not terminal:
        _wait(screen)
    for message_id in [*screen.waiting]:
        screen.show_waiting(message_id)
    screen.close()


def _say(screen: Screen, client: connection.Client, contact: str, text: str) -> None:
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


def _listen(screen: Screen, contact: str, cursor: int) -> None:
    """Shows what comes from the contact and what becomes of one's own lines, until the command ends."""
    door = screen.door
    topics: tuple[str, ...] = (connection.RECEIVED, connection.CHANGED, connection.STATE)
    if screen.prompt:
        topics += (connection.TYPING,)
    news = connection.follow(door.directory, topics, cursor, lambda said: screen.write({"talk": said}, said))
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
