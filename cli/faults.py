"""What can end a command: one exception that carries the exit code, the sentence and the next command to type.

The node's faults come over the socket in this form; the few that happen before the node is reached are made here.
"""

from collections.abc import Mapping

QUOTED_CHARS_MAX = 60
FAILED = 1
USAGE = 2
NODE_DOWN = 3
LOCKED = 4
UNKNOWN_NAME = 5
NOT_DELIVERED = 6
REFUSED = 7
VERSION = 8
INTERRUPTED = 130


class Failure(Exception):
    """The command did not do what was asked; the sentence says what happened and what is lost."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        next: str = "",
        verb: str = "Next",
        exit: int = FAILED,
        data: Mapping[str, object] | None = None,
    ) -> None:
        """code: stable, for scripts. next: a command; verb: the word shown before it."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.next = next
        self.verb = verb
        self.exit = exit
        self.data = dict(data or {})


def node_down() -> Failure:
    """Nobody serves this profile."""
    return Failure("node.down", "Node is not running.", next="weft up", verb="Start it", exit=NODE_DOWN)


def quoted(text: str) -> str:
    """What was typed, short enough to be said again in a sentence."""
    return text if len(text) <= QUOTED_CHARS_MAX else f"{text[: QUOTED_CHARS_MAX - 1]}…"


def usage(message: str) -> Failure:
    """The command line does not make sense."""
    return Failure("usage", message, next="weft --help", verb="See", exit=USAGE)
