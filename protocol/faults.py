"""Faults above crypto/: whose turn it is to act (docs/architecture.md, "Faults").

A PeerFault is what a peer's bytes raise, and only that; a UserFault is what a person's words raise. Not here: the
PeerFaults of keys, seals and ratchets, which crypto/faults.py defines.
"""

from typing import ClassVar

from crypto.faults import Expired, Forged, Malformed, PeerFault

__all__ = ["Expired", "Forged", "Malformed", "OverLimit", "PeerFault", "Unavailable", "UserFault", "quoted"]

QUOTED_CHARS_MAX = 60


class UserFault(Exception):
    """That cannot be done as asked; try it another way."""

    # The docstring of a subclass is the sentence shown to a person, unless the raiser says something more exact.
    code: ClassVar[str] = "asked.wrongly"  # stable, for scripts: room, dot, what is wrong
    exit: ClassVar[int] = 1  # the exit code of the `weft` command
    next: str = ""  # the command that helps, e.g. "weft contacts"; empty when there is none

    def __init__(self, message: str | None = None, *, next: str | None = None, **data: object) -> None:
        """message: the sentence shown; None: the docstring. data: what a script may want to know, as JSON values."""
        super().__init__(message if message is not None else " ".join((type(self).__doc__ or "").split()))
        if next is not None:
            self.next = next
        self.data = data


def quoted(text: str) -> str:
    """What a person typed, short enough to be said again in a sentence: at most 60 characters."""
    return text if len(text) <= QUOTED_CHARS_MAX else f"{text[: QUOTED_CHARS_MAX - 1]}…"


class Unavailable(Exception):
    """Nobody's fault, but it does not work now; the node waits and tries again."""


class OverLimit(UserFault):
    """Something is larger, smaller or stranger than the protocol allows."""

    # A record's constructor raises it; protocol/record.py turns it into Malformed where a peer's bytes were the cause.
    code = "limit"
    next = "weft --help"
    exit = 2
