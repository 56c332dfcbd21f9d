"""A conversation on a terminal: lines above, the prompt, the line being typed, and who types below it.

Two threads write here, one at a time. Not here: what is asked of the node (cli/commands/chat.py).
"""

import sys
import threading
import time
from typing import Any

import click

from cli import below, show
from cli.options import Door

TYPING_S = 12.0  # what is said of somebody who types is wiped then, should the node not say that it is over

Message = dict[str, Any]


class Screen:
    """The lines above the prompt, and the line being typed below them."""

    def __init__(self, door: Door, prompt: str) -> None:
        self.door = door
        self.prompt = prompt
        self.typing = False  # whether a prompt stands there now
        self.posted: set[str] = set()  # ids of own messages
        self.settled: dict[str, str] = {}  # id -> last state shown; may know a message before `posted` does
        self.waiting: dict[str, Message] = {}  # own messages of which nothing was shown yet
        self._lock = threading.Lock()
        self._readline = _readline() if prompt else None
        self._below, self._below_until = "", 0.0  # who types
        self._stands = ""  # what of it stands on the screen

    def write(self, value: Any, text: str) -> None:
        """Shows text above the line that is being typed, which stays as it is."""
        with self._lock:
            if not self.typing:
                show.outcome(self.door, value, text)
                return
            click.echo("\r\x1b[J", nl=False)
            self._stands = ""
            show.outcome(self.door, value, text)
            click.echo(self.prompt + (self.typed or ""), nl=False)
            self._draw()

    def say_below(self, text: str) -> None:
        """Shows below the line that is being typed who types; an empty text: nobody."""
        with self._lock:
            self._below, self._below_until = text, time.monotonic() + TYPING_S
            self._draw()

    def tick(self) -> None:
        """What stands below is there once there is room for it, and not for longer than it can be true."""
        with self._lock:
            if self._below and time.monotonic() > self._below_until:
                self._below = ""
            self._draw()

    @property
    def typed(self) -> str | None:
        """What stands behind the prompt, not sent yet; None where that cannot be told."""
        return self._readline.get_line_buffer() if self.typing and self._readline else None

    def _draw(self) -> None:
        """Brings the row below in line with what is to stand there."""
        if not self.typing or self.typed is None:
            return
        wanted = self._below if below.fits(self.prompt + self.typed) else ""
        if wanted != self._stands:
            click.echo(below.shown(wanted) if wanted else below.gone(), nl=False)
            self._stands = wanted

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
                if self._stands:  # the cursor has come down to it
                    click.echo("\x1b[K", nl=False)
                    self._stands = ""


def _readline() -> Any:
    """The line editor, where Python has one: it knows what is being typed."""
    try:
        import readline
    except ImportError:
        return None
    return readline
