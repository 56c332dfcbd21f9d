"""Entries that came before those they follow: a cache, from which the log takes them once the gap is closed.

docs/protocol/log.md 5.3. The signature of each was checked, so nobody but a log's author can fill it. Only entries.py
writes here. Not here: envelopes that cannot be read yet (quarantine.py).
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocol.entry import Entry
from store.database import Tx

LOG_COUNT_MAX = 256
LOG_BYTES_MAX = 1024 * 1024
NODE_COUNT_MAX = 4096
NODE_BYTES_MAX = 16 * 1024 * 1024


class Waiting(NamedTuple):
    """An entry that waits. kept, content: as in the table of entries."""

    seq: int
    raw: bytes
    kept: int
    content: bytes


def put(tx: Tx, number: int, entries: Sequence[tuple[Entry, int, bytes]]) -> int:
    """Keeps (entry, kept, content) of a log, none of which waits yet; returns how many of the log wait then.

    The farthest from the head are dropped when the log has too many, and the new ones when the node has.
    """
    total, size = _totals(tx, "", ())
    rows = []
    for one, kept, content in entries[:LOG_COUNT_MAX]:
        total, size = total + 1, size + len(one.raw) + len(content)
        if total > NODE_COUNT_MAX or size > NODE_BYTES_MAX:
            break
        rows.append((number, one.body.seq, len(one.raw) + len(content), one.raw, kept, content))
    tx.executemany("INSERT INTO unchained (log, seq, bytes, raw, kept, content) VALUES (?, ?, ?, ?, ?, ?)", rows)
    waiting, size = _totals(tx, " WHERE log = ?", (number,))
    for seq, bytes_ in tx.all("SELECT seq, bytes FROM unchained WHERE log = ? ORDER BY seq DESC", (number,)):
        if waiting <= LOG_COUNT_MAX and size <= LOG_BYTES_MAX:
            break
        drop(tx, number, seq)
        waiting, size = waiting - 1, size - bytes_
    return waiting


def at(tx: Tx, number: int, seq: int) -> Waiting | None:
    """What waits in this place."""
    row = tx.one("SELECT seq, raw, kept, content FROM unchained WHERE log = ? AND seq = ?", (number, seq))
    return None if row is None else Waiting(*row)


def lowest(tx: Tx, number: int) -> Waiting | None:
    """What waits nearest to the head."""
    row = tx.one("SELECT seq, raw, kept, content FROM unchained WHERE log = ? ORDER BY seq LIMIT 1", (number,))
    return None if row is None else Waiting(*row)


def newest(tx: Tx, number: int, count: int) -> tuple[Waiting, ...]:
    """What waits farthest from the head, at most so many, in order."""
    rows = tx.all(
        "SELECT seq, raw, kept, content FROM unchained WHERE log = ? ORDER BY seq DESC LIMIT ?", (number, count)
    )
    return tuple(Waiting(*row) for row in reversed(rows))


def count(tx: Tx, number: int) -> int:
    """How many of a log wait."""
    return _totals(tx, " WHERE log = ?", (number,))[0]


def drop(tx: Tx, number: int, seq: int) -> None:
    """Takes one out: it has its place in the log now, or never will."""
    tx.execute("DELETE FROM unchained WHERE log = ? AND seq = ?", (number, seq))


def forget(tx: Tx, number: int) -> None:
    """Takes out all of a log."""
    tx.execute("DELETE FROM unchained WHERE log = ?", (number,))


def _totals(tx: Tx, where: str, params: tuple[int, ...]) -> tuple[int, int]:
    row = tx.one(f"SELECT COUNT(*), TOTAL(bytes) FROM unchained{where}", params)
    assert row is not None
    return row[0], int(row[1])
