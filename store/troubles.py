"""What happened to our own logs that a person is told: an old disk, two machines, a fork (docs/protocol/spine.md 6)."""

from typing import NamedTuple

from protocol.publishing import Trouble
from store import logs
from store.database import Tx

KEPT = 64  # the newest; each is a line for a person

_NUMBERS = {trouble: number for number, trouble in enumerate(Trouble, 1)}
_TROUBLES = {number: trouble for trouble, number in _NUMBERS.items()}


class Noted(NamedTuple):
    """A trouble with a log of ours, and when it was met (ms since 1970)."""

    log: int
    what: Trouble
    at_ms: int


def note(tx: Tx, log: int, what: Trouble, at_ms: int) -> None:
    """Keeps that this was met; the same one as the last is kept once, with the newer time."""
    last = tx.one("SELECT number, log, what FROM log_trouble ORDER BY number DESC LIMIT 1")
    if last is not None and last[1:] == (log, _NUMBERS[what]):
        tx.execute("UPDATE log_trouble SET at_ms = ? WHERE number = ?", (at_ms, last[0]))
    else:
        tx.execute("INSERT INTO log_trouble (log, what, at_ms) VALUES (?, ?, ?)", (log, _NUMBERS[what], at_ms))
    tx.execute(
        "DELETE FROM log_trouble WHERE number <= (SELECT MAX(number) FROM log_trouble) - ?",
        (KEPT,),
    )
    tx.changed(logs.TOPIC, log)


def every(tx: Tx) -> tuple[Noted, ...]:
    """All that are kept, the newest first."""
    rows = tx.all("SELECT log, what, at_ms FROM log_trouble ORDER BY number DESC")
    return tuple(Noted(log, _TROUBLES[what], at_ms) for log, what, at_ms in rows)
