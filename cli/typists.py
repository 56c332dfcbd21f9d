"""Who types, on the last row of a terminal that shows what comes."""

import sys
from collections.abc import Mapping
from typing import Any

from cli import client as connection
from cli import show
from cli.options import Door, Form


class Typists:
    """Who types, on the last row of a terminal; for a script, who asks for messages alone, nobody ever does."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._names: list[str] = []
        sees = door.form is Form.TEXT and not door.quiet and show.is_terminal() and sys.stdout.isatty()
        self.topics = (connection.RECEIVED, connection.TYPING) if sees else (connection.RECEIVED,)

    def heard(self, said: Mapping[str, Any]) -> None:
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
