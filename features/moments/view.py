"""The tables of moments, and how posts and answers are found in them.

A post is known by its author and by Ref, the log and place of its entry, 16 bytes and a seq; so is an answer. Author 0
is ourselves. Not here: what entries say (reading.py), what we write (writing.py), who may see what (audience.py), how
it is shown (wall.py).
"""

from dataclasses import dataclass

from crypto import hashing
from crypto.hashing import Label
from features.moments.content import Comment, Post, Ref
from features.moments.faults import AmbiguousMoment, UnknownMoment
from protocol import entry, record
from protocol.faults import quoted
from store.database import Migration, Row, Tx

OURS = 0
CHANGED = "moments.changed"  # a topic: a moment, or what is below it, is another; its key is the row of the moment
NOTICED = "moments.noticed"  # somebody liked or answered; its key is the row of the notice
RULES = "moments.rules"  # what holds with a contact; its key is the contact
SHOWN, HIDDEN, UNSAID = range(3)  # an answer below a post; unsaid: hidden, and moved to where others show it yet
ID_CHARS_MIN = 4
_ID_CHARS = 64
_MOMENT = "id, contact, feed, seq, key, said, at_ms, edited_ms, text_feed, text_seq"
_ANSWER = "id, moment, contact, feed, seq, kind, text, at_ms, answers_feed, answers_seq"

MIGRATIONS = (
    Migration(
        "moments",
        1,
        """
        CREATE TABLE moment (
          id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL, feed BLOB NOT NULL, seq INTEGER NOT NULL,
          tag BLOB NOT NULL, key BLOB NOT NULL, name BLOB NOT NULL, said BLOB NOT NULL, at_ms INTEGER NOT NULL,
          edited_ms INTEGER NOT NULL, text_feed BLOB NOT NULL, text_seq INTEGER NOT NULL, UNIQUE (contact, feed, seq)
        ) STRICT;
        CREATE INDEX moment_tag ON moment (tag);
        CREATE INDEX moment_name ON moment (name);
        CREATE INDEX moment_at ON moment (at_ms, seq, tag);
        CREATE INDEX moment_of ON moment (contact, at_ms, seq, tag);
        CREATE INDEX moment_text ON moment (contact, text_feed, text_seq);
        CREATE TABLE moment_answer (
          id INTEGER PRIMARY KEY, moment INTEGER NOT NULL, contact INTEGER NOT NULL, feed BLOB NOT NULL,
          seq INTEGER NOT NULL, tag BLOB NOT NULL, kind INTEGER NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL,
          answers_feed BLOB, answers_seq INTEGER, wrap BLOB NOT NULL, told INTEGER NOT NULL DEFAULT -1,
          nonce BLOB NOT NULL, hidden INTEGER NOT NULL, again INTEGER NOT NULL DEFAULT 0,
          UNIQUE (contact, feed, seq), UNIQUE (contact, nonce)
        ) STRICT;
        CREATE INDEX moment_answer_tag ON moment_answer (tag);
        CREATE INDEX moment_answer_below ON moment_answer (moment, kind, at_ms, seq, tag, contact, hidden);
        CREATE INDEX moment_answer_of ON moment_answer (contact, moment, kind);
        CREATE INDEX moment_answer_at ON moment_answer (feed, seq);
        CREATE INDEX moment_answer_about ON moment_answer (answers_feed, answers_seq) WHERE answers_feed IS NOT NULL;
        CREATE INDEX moment_answer_unsaid ON moment_answer (hidden) WHERE hidden = 2;
        CREATE TABLE moment_hidden (
          moment INTEGER NOT NULL, feed BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (moment, feed, seq)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE moment_notice (
          number INTEGER PRIMARY KEY, kind TEXT NOT NULL, answer INTEGER NOT NULL UNIQUE, at_ms INTEGER NOT NULL,
          seen INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX moment_notice_new ON moment_notice (seen) WHERE seen = 0;
        CREATE TABLE moment_audience (moment INTEGER PRIMARY KEY, kind INTEGER NOT NULL, words TEXT NOT NULL) STRICT;
        CREATE TABLE moment_listed (
          moment INTEGER NOT NULL, contact INTEGER NOT NULL, PRIMARY KEY (moment, contact)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE moment_rule (
          contact INTEGER PRIMARY KEY, chats_only INTEGER NOT NULL, hide_mine INTEGER NOT NULL,
          hide_theirs INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE moment_author (
          contact INTEGER PRIMARY KEY, window_s INTEGER NOT NULL, at_ms INTEGER NOT NULL, feed BLOB NOT NULL,
          seq INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE moment_heard (
          contact INTEGER PRIMARY KEY, told INTEGER NOT NULL, forgot INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE moment_withdrawn (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, feed BLOB NOT NULL, seq INTEGER NOT NULL,
          nonce BLOB NOT NULL, number INTEGER NOT NULL, UNIQUE (contact, feed, seq)
        ) STRICT;
        CREATE INDEX moment_withdrawn_of ON moment_withdrawn (contact, id);
        CREATE INDEX moment_withdrawn_once ON moment_withdrawn (contact, nonce);
        CREATE TABLE moment_self (id INTEGER PRIMARY KEY, secret BLOB NOT NULL, window_s INTEGER NOT NULL) STRICT;
        CREATE TABLE moment_entry (
          id INTEGER PRIMARY KEY, feed BLOB NOT NULL, seq INTEGER NOT NULL, entry BLOB NOT NULL, kind INTEGER NOT NULL,
          said BLOB NOT NULL, nonce BLOB NOT NULL, wrap BLOB NOT NULL, moment INTEGER NOT NULL, at_ms INTEGER NOT NULL,
          open INTEGER NOT NULL, UNIQUE (feed, seq)
        ) STRICT;
        CREATE INDEX moment_entry_open ON moment_entry (open) WHERE open = 1;
        CREATE INDEX moment_entry_about ON moment_entry (moment);
        CREATE INDEX moment_entry_kind ON moment_entry (kind, at_ms);
        CREATE TABLE moment_own_chain (
          id INTEGER PRIMARY KEY, feed BLOB NOT NULL, audience TEXT NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL,
          root BLOB NOT NULL
        ) STRICT;
        CREATE INDEX moment_own_chain_of ON moment_own_chain (feed, audience, id);
        CREATE TABLE moment_handed (
          chain INTEGER NOT NULL, contact INTEGER NOT NULL, PRIMARY KEY (chain, contact)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX moment_handed_to ON moment_handed (contact);
        CREATE TABLE moment_met (contact INTEGER PRIMARY KEY, devices BLOB NOT NULL) STRICT;
        CREATE TABLE moment_read (feed BLOB PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE moment_chain (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, feed BLOB NOT NULL, audience BLOB NOT NULL,
          seq INTEGER NOT NULL, chain BLOB NOT NULL, until INTEGER NOT NULL, root BLOB NOT NULL, heir BLOB NOT NULL,
          begun INTEGER NOT NULL, due INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE INDEX moment_chain_of ON moment_chain (contact, feed, audience);
        CREATE INDEX moment_chain_in ON moment_chain (feed);
        CREATE TABLE moment_key (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, feed BLOB NOT NULL, seq INTEGER NOT NULL,
          key BLOB NOT NULL, UNIQUE (feed, contact, seq, key)
        ) STRICT;
        CREATE INDEX moment_key_of ON moment_key (contact, id);
        CREATE TABLE moment_wait (
          id INTEGER PRIMARY KEY, name BLOB NOT NULL, contact INTEGER NOT NULL, feed BLOB NOT NULL,
          seq INTEGER NOT NULL, wrap BLOB NOT NULL, UNIQUE (name, contact, feed, seq)
        ) STRICT;
        CREATE INDEX moment_wait_age ON moment_wait (contact, id);
        CREATE TABLE moment_dropped (
          contact INTEGER NOT NULL, feed BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (contact, feed, seq)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE moment_alias (tag BLOB PRIMARY KEY, moment INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX moment_alias_of ON moment_alias (moment);
        CREATE INDEX moment_wait_of ON moment_wait (contact, feed, seq);
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A post that is known. key: 32 bytes. text_feed, text_seq: the entry that says what it is now."""

    id: int
    contact: int
    ref: Ref
    key: bytes
    said: Post
    at_ms: int
    edited_ms: int
    text: Ref


@dataclass(frozen=True, slots=True)
class Answer:
    """A comment or a like (`kind`). answers: the comment that a comment is about."""

    id: int
    moment: int
    contact: int
    ref: Ref
    kind: int
    text: str
    at_ms: int
    answers: Ref | None


def id_of(ref: Ref) -> bytes:
    """By which people name a post or an answer, 32 bytes: the same for all who see it."""
    return hashing.hash_of(Label.MOMENT, b"id" + ref.log + ref.seq.to_bytes(8, "big"))


def put(tx: Tx, contact: int, ref: Ref, key: bytes, name: bytes, said: Post, at_ms: int, text: Ref) -> int | None:
    """A new post; its row, None where it is there already. text: the entry that says this."""
    found = tx.one(
        "INSERT INTO moment (contact, feed, seq, tag, key, name, said, at_ms, edited_ms, text_feed, text_seq)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (contact, ref.log, ref.seq, id_of(ref), key, name, record.encode(said), at_ms, text.log, text.seq),
    )
    if found is None:
        return None
    tx.changed(CHANGED, found[0])
    return int(found[0])


def replace(tx: Tx, moment: int, said: Post, at_ms: int, text: Ref) -> None:
    """A post reads so from now on."""
    tx.execute(
        "UPDATE moment SET said = ?, edited_ms = ?, text_feed = ?, text_seq = ? WHERE id = ?",
        (record.encode(said), at_ms, text.log, text.seq, moment),
    )
    tx.changed(CHANGED, moment)


def twin(tx: Tx, contact: int, name: bytes) -> Moment | None:
    """The post of this author that has this name: what was taken back and written again is one post in two places."""
    return _one(tx.one(f"SELECT {_MOMENT} FROM moment WHERE contact = ? AND name = ?", (contact, name)))


def move(tx: Tx, one: Moment, ref: Ref, text: Ref) -> None:
    """A post stands in another place."""
    tx.execute(
        "UPDATE moment SET feed = ?, seq = ?, tag = ?, text_feed = ?, text_seq = ? WHERE id = ?",
        (ref.log, ref.seq, id_of(ref), text.log, text.seq, one.id),
    )
    tx.changed(CHANGED, one.id)


def remove(tx: Tx, moment: int) -> None:
    """Nothing of a post stays, nor of what is below it; its pictures are forgotten by the caller (pictures.py)."""
    tx.execute("DELETE FROM moment_notice WHERE answer IN (SELECT id FROM moment_answer WHERE moment = ?)", (moment,))
    for table in ("moment_answer", "moment_hidden", "moment_audience", "moment_listed", "moment_alias"):
        tx.execute(f"DELETE FROM {table} WHERE moment = ?", (moment,))
    tx.execute("DELETE FROM moment WHERE id = ?", (moment,))
    tx.changed(CHANGED, moment)


def set_aside(tx: Tx, one: Moment, name: bytes) -> None:
    """As `remove`, but what was said below it, as far as it stands in feeds, is found when it comes again."""
    tx.execute(
        "INSERT OR IGNORE INTO moment_wait (name, contact, feed, seq, wrap) SELECT ?, contact, feed, seq, wrap"
        " FROM moment_answer WHERE moment = ? AND wrap != x''",
        (name, one.id),
    )
    remove(tx, one.id)


def moment(tx: Tx, row: int) -> Moment | None:
    """A post by its row."""
    return _one(tx.one(f"SELECT {_MOMENT} FROM moment WHERE id = ?", (row,)))


def at(tx: Tx, contact: int, ref: Ref) -> Moment | None:
    """The post of this author in this place."""
    return _one(
        tx.one(f"SELECT {_MOMENT} FROM moment WHERE contact = ? AND feed = ? AND seq = ?", (contact, ref.log, ref.seq))
    )


def once_at(tx: Tx, ref: Ref) -> Moment | None:
    """The post of ours that stood in this place before it was written again in another."""
    tag = id_of(ref)
    return _once(tx, tag, tag)


def saying(tx: Tx, contact: int, text: Ref) -> Moment | None:
    """The post of this author that this entry says."""
    return _one(
        tx.one(
            f"SELECT {_MOMENT} FROM moment WHERE contact = ? AND text_feed = ? AND text_seq = ?",
            (contact, text.log, text.seq),
        )
    )


def key_named(tx: Tx, name: bytes) -> bytes | None:
    """The key with this name, if it is known."""
    row = tx.one("SELECT key FROM moment WHERE name = ? LIMIT 1", (name,))
    return None if row is None else bytes(row[0])


def named(tx: Tx, name: bytes, ref: Ref) -> Moment | None:
    """The post in this place, if it has this name; others may have it too: who knows a key may take it for his own."""
    return _one(
        tx.one(
            f"SELECT {_MOMENT} FROM moment WHERE tag = ? AND name = ? AND feed = ? AND seq = ? ORDER BY id LIMIT 1",
            (id_of(ref), name, ref.log, ref.seq),
        )
    )


def all_named(tx: Tx, name: bytes) -> tuple[Moment, ...]:
    """The posts with this name: one, unless somebody has taken the key of another's for his own."""
    rows = tx.all(f"SELECT {_MOMENT} FROM moment WHERE name = ? ORDER BY id LIMIT 4", (name,))
    return tuple(one for one in map(_one, rows) if one is not None)


def others_at(tx: Tx, contact: int, ref: Ref) -> tuple[Moment, ...]:
    """Posts that others than this author have in this place."""
    rows = tx.all(f"SELECT {_MOMENT} FROM moment WHERE tag = ? AND contact != ?", (id_of(ref), contact))
    return tuple(one for one in map(_one, rows) if one is not None)


def other_answers_at(tx: Tx, contact: int, ref: Ref) -> tuple[Answer, ...]:
    """Answers that others than this contact have in this place."""
    rows = tx.all(f"SELECT {_ANSWER} FROM moment_answer WHERE tag = ? AND contact != ?", (id_of(ref), contact))
    return tuple(answer_of(row) for row in rows)


def of(tx: Tx, contact: int) -> tuple[Moment, ...]:
    """All posts of somebody, the oldest first."""
    rows = tx.all(f"SELECT {_MOMENT} FROM moment WHERE contact = ? ORDER BY at_ms, seq, tag", (contact,))
    return tuple(one for one in map(_one, rows) if one is not None)


def find(tx: Tx, text: str) -> Moment:
    """The post whose id begins like this. Raises: UnknownMoment, AmbiguousMoment."""
    low, high = _range(text)
    rows = tx.all(f"SELECT {_MOMENT} FROM moment WHERE tag BETWEEN ? AND ? LIMIT 2", (low, high))
    if len(rows) > 1:
        raise AmbiguousMoment
    found = _one(rows[0]) if rows else _once(tx, low, high)
    if found is None:
        row = tx.one("SELECT 1 FROM moment_answer WHERE tag BETWEEN ? AND ? AND kind = ?", (low, high, Comment.KIND))
        what = f"There is no moment whose id begins with {quoted(text)}"
        raise UnknownMoment(f"{what}; there is a comment." if row else f"{what}.")
    return found


def _once(tx: Tx, low: bytes, high: bytes) -> Moment | None:
    """The post of ours that had such an id before it was written again in another place."""
    rows = tx.all("SELECT DISTINCT moment FROM moment_alias WHERE tag BETWEEN ? AND ? LIMIT 2", (low, high))
    if len(rows) > 1:
        raise AmbiguousMoment
    return moment(tx, rows[0][0]) if rows else None


def find_comment(tx: Tx, text: str) -> Answer:
    """The comment whose id begins like this. Raises: UnknownMoment, AmbiguousMoment."""
    low, high = _range(text)
    rows = tx.all(
        f"SELECT {_ANSWER} FROM moment_answer WHERE tag BETWEEN ? AND ? AND kind = ? LIMIT 2",
        (low, high, Comment.KIND),
    )
    if len(rows) > 1:
        raise AmbiguousMoment
    if not rows:
        what = f"There is no comment whose id begins with {quoted(text)}"
        is_moment = tx.one("SELECT 1 FROM moment WHERE tag BETWEEN ? AND ?", (low, high)) is not None
        raise UnknownMoment(f"{what}; there is a moment." if is_moment else f"{what}.", next="weft moments show ID")
    return answer_of(rows[0])


def answer(tx: Tx, row: int) -> Answer | None:
    """An answer by its row."""
    found = tx.one(f"SELECT {_ANSWER} FROM moment_answer WHERE id = ?", (row,))
    return None if found is None else answer_of(found)


def answer_at(tx: Tx, contact: int, ref: Ref) -> Answer | None:
    """The answer of this contact in this place."""
    found = tx.one(
        f"SELECT {_ANSWER} FROM moment_answer WHERE contact = ? AND feed = ? AND seq = ?", (contact, ref.log, ref.seq)
    )
    return None if found is None else answer_of(found)


def hide(tx: Tx, moment: int, ref: Ref) -> None:
    """The answer in this place is not shown below a post, whether or not it has come."""
    where = (moment, ref.log, ref.seq)
    tx.execute("INSERT OR IGNORE INTO moment_hidden (moment, feed, seq) VALUES (?, ?, ?)", where)
    tx.execute("UPDATE moment_answer SET hidden = ? WHERE moment = ? AND feed = ? AND seq = ?", (HIDDEN, *where))
    tx.changed(CHANGED, moment)


def is_hidden(tx: Tx, moment: int, ref: Ref) -> bool:
    """Whether what stands in this place is not shown below a post, as its author says."""
    row = tx.one("SELECT 1 FROM moment_hidden WHERE moment = ? AND feed = ? AND seq = ?", (moment, ref.log, ref.seq))
    return row is not None


def drop_answer(tx: Tx, one: Answer) -> None:
    """An answer is taken back."""
    tx.execute("DELETE FROM moment_notice WHERE answer = ?", (one.id,))
    tx.execute("DELETE FROM moment_answer WHERE id = ?", (one.id,))
    tx.changed(CHANGED, one.moment)


def answer_of(row: Row) -> Answer:
    """The answer in a row of the table's columns, in their order."""
    number, moment, contact, feed, seq, kind, text, at_ms, answers_feed, answers_seq = row
    about = None if answers_feed is None else Ref(answers_feed, answers_seq)
    return Answer(number, moment, contact, Ref(feed, seq), kind, text, at_ms, about)


def _one(row: Row | None) -> Moment | None:
    if row is None:
        return None
    number, contact, feed, seq, key, said, at_ms, edited_ms, text_feed, text_seq = row
    post = record.decode(Post, said, entry.SAID_BYTES_MAX)
    return Moment(number, contact, Ref(feed, seq), key, post, at_ms, edited_ms, Ref(text_feed, text_seq))


def _range(text: str) -> tuple[bytes, bytes]:
    """The lowest and the highest id that begin like this. Raises: UnknownMoment."""
    wanted = text.strip().lower()
    if not ID_CHARS_MIN <= len(wanted) <= _ID_CHARS or not set(wanted) <= set("0123456789abcdef"):
        raise UnknownMoment(f"The id of a moment has {ID_CHARS_MIN} and more of 0-9 and a-f; {quoted(text)} is none.")
    return bytes.fromhex(wanted.ljust(_ID_CHARS, "0")), bytes.fromhex(wanted.ljust(_ID_CHARS, "f"))
