"""How far back of a log what its entries say is given to others (docs/protocol/sync.md 4.8).

The entries themselves are given always: without them nobody could check those that follow. How far is said by the
author in his log, which his room reads; whoever carries the log keeps to it.
"""

from collections.abc import Sequence

from protocol import log as chains
from store import entries
from store.database import Tx
from store.entries import Held

ALL = 0  # as a window: what is in a log is given however old it is


def limit(tx: Tx, number: int, window_ms: int) -> None:
    """From now on only what is younger than this is given of a log; ALL for all of it."""
    assert window_ms >= ALL
    if window_ms == ALL:
        tx.execute("DELETE FROM log_window WHERE log = ?", (number,))
        return
    tx.execute(
        "INSERT INTO log_window (log, window_ms) VALUES (?, ?)"
        " ON CONFLICT (log) DO UPDATE SET window_ms = excluded.window_ms",
        (number, window_ms),
    )


def of(tx: Tx, number: int) -> int:
    """The window of a log, ms; ALL where it has none."""
    row = tx.one("SELECT window_ms FROM log_window WHERE log = ?", (number,))
    return ALL if row is None else int(row[0])


def given(tx: Tx, number: int, found: Sequence[Held], now_ms: int) -> tuple[Held, ...]:
    """Entries of a log as they are given: without the contents of those that are older than its window, by their at."""
    window_ms = of(tx, number)
    if window_ms == ALL:
        return tuple(found)
    first_ms = now_ms - window_ms
    return tuple(
        one if one.content is None or _at_ms(one.raw) >= first_ms else one._replace(content=None) for one in found
    )


def young(tx: Tx, number: int, seqs: Sequence[int], now_ms: int) -> tuple[int, ...]:
    """Those of these places of a log whose contents are still given."""
    window_ms = of(tx, number)
    if window_ms == ALL:
        return tuple(seqs)
    found = ((seq, entries.entry_at(tx, number, seq)) for seq in seqs)
    return tuple(seq for seq, one in found if one is not None and one.body.at_ms >= now_ms - window_ms)


def _at_ms(raw: bytes) -> int:
    return chains.recall(raw).body.at_ms
