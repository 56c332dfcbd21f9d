"""Answers to posts of ours that contacts have taken back or moved: what they told of these before is heard no more.

What a contact says may come in another order than he said it; the numbers of his messages tell the order. Each function
is one step of a transaction. Not here: what his feed drops (reading.py).
"""

from features.moments import view
from features.moments.content import Answered, Ref
from store.database import Tx

KEPT_MAX = 1_000  # of one contact, the newest


def take_back(tx: Tx, contact_id: int, where: Ref, number: int) -> None:
    """A contact takes back the answer in this place, whether or not we were told of it. number: of his message."""
    found = tx.one(
        "SELECT id, nonce FROM moment_answer WHERE contact = ? AND feed = ? AND seq = ?",
        (contact_id, where.log, where.seq),
    )
    tx.execute(
        "INSERT OR REPLACE INTO moment_withdrawn (contact, feed, seq, nonce, number) VALUES (?, ?, ?, ?, ?)",
        (contact_id, where.log, where.seq, b"" if found is None else found[1], number),
    )
    tx.execute(
        "DELETE FROM moment_withdrawn WHERE contact = ?1 AND id <="
        " (SELECT id FROM moment_withdrawn WHERE contact = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (contact_id, KEPT_MAX),
    )
    if found is not None:
        _drop(tx, found[0])


def is_late(tx: Tx, contact_id: int, what: Answered, number: int) -> bool:
    """Whether an answer of which the message of this number tells was taken back since, in this place or in another, or
    was told of since: it stands elsewhere by now. Of what was taken back nothing stays."""
    rows = tx.all(
        "SELECT id FROM moment_withdrawn WHERE contact = ?1 AND number > ?2"
        " AND (nonce = ?3 OR (feed = ?4 AND seq = ?5))",
        (contact_id, number, what.nonce, what.where.log, what.where.seq),
    )
    tx.executemany("UPDATE moment_withdrawn SET nonce = ? WHERE id = ?", [(what.nonce, row) for (row,) in rows])
    found = tx.one("SELECT id, told FROM moment_answer WHERE contact = ? AND nonce = ?", (contact_id, what.nonce))
    if rows and found is not None:
        _drop(tx, found[0])
    return bool(rows) or (found is not None and found[1] > number)


def note(tx: Tx, contact_id: int, what: Answered, number: int) -> None:
    """The message of this number tells of an answer that is kept."""
    tx.execute("UPDATE moment_answer SET told = ? WHERE contact = ? AND nonce = ?", (number, contact_id, what.nonce))


def _drop(tx: Tx, row: int) -> None:
    one = view.answer(tx, row)
    assert one is not None
    view.drop_answer(tx, one)
