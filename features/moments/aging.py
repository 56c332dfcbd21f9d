"""How old what others see of an author may be, as he has told: shown and given is nothing older.

Each function is one step of a transaction. Ours: feeds.py; what is given of a log: store/windows.py.
"""

from features.moments import feeds, view
from features.moments.content import Ref
from store.database import Tx


def windowed(tx: Tx, contact_id: int, seconds: int, at_ms: int, where: Ref | None = None) -> None:
    """How old what others see of this author may be; what he had said before that is passed over, when it comes late.

    at_ms: when he said so, by his clock; where: in which entry. In one feed its places tell what is newer.
    """
    row = tx.one("SELECT window_s, at_ms, feed, seq FROM moment_author WHERE contact = ?", (contact_id,))
    feed_id, seq = (b"", -1) if where is None else (where.log, where.seq)
    if row is not None and (seq <= row[3] if where is not None and feed_id == row[2] else at_ms < row[1]):
        return
    tx.execute(
        "INSERT OR REPLACE INTO moment_author (contact, window_s, at_ms, feed, seq) VALUES (?, ?, ?, ?, ?)",
        (contact_id, seconds, at_ms, feed_id, seq),
    )
    if seconds != (0 if row is None else row[0]):
        feeds.limit(tx, contact_id, seconds)
        tx.changed(view.CHANGED, 0)


def window_s(tx: Tx, contact_id: int) -> int:
    """The window of a contact, 0 for any age."""
    row = tx.one("SELECT window_s FROM moment_author WHERE contact = ?", (contact_id,))
    return 0 if row is None else int(row[0])
