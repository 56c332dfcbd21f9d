"""What is known of posts of ours that have not come back after a restore: for whom they are, what was said below.

Until a feed of the lost device is read again, its posts are places. Not here: what is in a backup (returning.py), how
the feed is read (past.py).
"""

from features.moments.audience import Audience, Kind
from features.moments.content import Answered, Ref
from protocol import content, record, wire
from protocol.identity import Certificate
from store.database import Migration, Tx
from store.identity import CERTIFICATE_BYTES_MAX

HELD_MAX = 1_000  # answers of one contact to posts that have not come back

SCHEMA = Migration(
    "moments",
    4,
    """
    CREATE TABLE moment_back (id INTEGER PRIMARY KEY, seen_ms INTEGER NOT NULL, window_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE moment_lost (device BLOB PRIMARY KEY, certificate BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE moment_frozen (
      feed BLOB NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, words TEXT NOT NULL, contacts BLOB NOT NULL,
      PRIMARY KEY (feed, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moment_gone (feed BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (feed, seq)) STRICT, WITHOUT ROWID;
    CREATE TABLE moment_told (
      feed BLOB NOT NULL, seq INTEGER NOT NULL, contact INTEGER NOT NULL, answer_feed BLOB NOT NULL,
      answer_seq INTEGER NOT NULL, said BLOB NOT NULL, PRIMARY KEY (feed, seq, contact, answer_feed, answer_seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX moment_told_by ON moment_told (contact, answer_feed, answer_seq);
    """,
)


def begin(tx: Tx, seen_ms: int, window_ms: int) -> None:
    """What was said up to seen_ms the person has seen on a device that is lost; window_ms: as in `window_ms`."""
    tx.execute("INSERT INTO moment_back (id, seen_ms, window_ms) VALUES (1, ?, ?)", (seen_ms, window_ms))


def lose(tx: Tx, device: Certificate) -> None:
    """A device of ours that wrote feeds and is lost."""
    tx.execute(
        "INSERT OR IGNORE INTO moment_lost (device, certificate) VALUES (?, ?)", (device.device, record.encode(device))
    )


def certificate(tx: Tx, device: bytes) -> Certificate | None:
    """The account's word on a device of ours that is lost."""
    row = tx.one("SELECT certificate FROM moment_lost WHERE device = ?", (device,))
    return None if row is None else record.decode(Certificate, row[0], CERTIFICATE_BYTES_MAX)


def seen_ms(tx: Tx) -> int:
    """Up to when the person has seen what was said, on a device that is lost; -1 where none was."""
    row = tx.one("SELECT seen_ms FROM moment_back")
    return -1 if row is None else int(row[0])


def window_ms(tx: Tx) -> int:
    """When the window was decided that holds; what a lost device had decided before then counts no more."""
    row = tx.one("SELECT window_ms FROM moment_back")
    return 0 if row is None else int(row[0])


def windowed(tx: Tx, at_ms: int) -> None:
    """The window that holds was decided then."""
    tx.execute("UPDATE moment_back SET window_ms = ?", (at_ms,))


def freeze(tx: Tx, ref: Ref, whom: Audience) -> None:
    """For whom the post in this place is, as a backup says."""
    tx.execute(
        "INSERT OR REPLACE INTO moment_frozen (feed, seq, kind, words, contacts) VALUES (?, ?, ?, ?, ?)",
        (ref.log, ref.seq, whom.kind, whom.words, wire.encode(tuple(sorted(whom.contacts)))),
    )


def frozen(tx: Tx) -> tuple[tuple[Ref, Audience], ...]:
    """Those that have not come back, the newest last."""
    rows = tx.all("SELECT feed, seq, kind, words, contacts FROM moment_frozen ORDER BY feed, seq")
    return tuple((Ref(feed, seq), _audience(*whom)) for feed, seq, *whom in rows)


def thaw(tx: Tx, ref: Ref) -> Audience | None:
    """For whom the post in this place is, which has come back; None where no backup says."""
    rows = tx.all(
        "DELETE FROM moment_frozen WHERE feed = ? AND seq = ? RETURNING kind, words, contacts", (ref.log, ref.seq)
    )
    return _audience(*rows[0]) if rows else None


def gone(tx: Tx, ref: Ref) -> None:
    """What this entry of ours says was dropped; it may come later all the same."""
    tx.execute("INSERT OR IGNORE INTO moment_gone (feed, seq) VALUES (?, ?)", (ref.log, ref.seq))


def is_gone(tx: Tx, ref: Ref) -> bool:
    """Whether what this entry says was dropped."""
    return tx.one("SELECT 1 FROM moment_gone WHERE feed = ? AND seq = ?", (ref.log, ref.seq)) is not None


def hold(tx: Tx, contact_id: int, what: Answered) -> None:
    """Keeps what a contact has told of an answer until the post comes back."""
    count = tx.one("SELECT COUNT(*) FROM moment_told WHERE contact = ?", (contact_id,))
    if count is not None and count[0] < HELD_MAX:
        post, where = what.post, what.where
        tx.execute(
            "INSERT OR IGNORE INTO moment_told (feed, seq, contact, answer_feed, answer_seq, said)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (post.log, post.seq, contact_id, where.log, where.seq, record.encode(what)),
        )


def withdraw(tx: Tx, contact_id: int, where: Ref) -> None:
    """A contact has taken an answer back."""
    tx.execute(
        "DELETE FROM moment_told WHERE contact = ? AND answer_feed = ? AND answer_seq = ?",
        (contact_id, where.log, where.seq),
    )


def held(tx: Tx, ref: Ref) -> tuple[tuple[int, Answered], ...]:
    """What contacts have told of answers to a post that has come back; it is not kept here any more."""
    rows = tx.all("DELETE FROM moment_told WHERE feed = ? AND seq = ? RETURNING contact, said", (ref.log, ref.seq))
    found = [(contact_id, record.decode(Answered, said, content.CONTENT_BYTES_MAX)) for contact_id, said in rows]
    return tuple(sorted(found, key=lambda one: (one[1].at_ms, one[0])))


def _audience(kind: int, words: str, contacts: bytes) -> Audience:
    found = wire.decode(contacts, content.CONTENT_BYTES_MAX)
    assert isinstance(found, tuple)
    return Audience(Kind(kind), frozenset(one for one in found if isinstance(one, int)), (), words)
