"""The index of words over all lines: a view of the messages, caught up with before it is asked.

A message is not indexed when it is stored but later, many in one transaction: when the node is at rest, and at the
latest by the next search, up to the newest message of that moment (docs/features/chat.md says why). Not here: what a
word is (words.py).
"""

from features.chat import lasting, view, words
from features.chat.content import Text, Timer
from features.chat.view import LINES_MAX, Line
from features.chat.words import Asked
from protocol import content
from protocol.content import Channel
from store.database import Migration, Tx

SLICE_ROWS = 500  # of one transaction: about 15 ms, so that no message waits long for the index
SLICE_BYTES = 128 * 1024  # the same, where texts are long

# The index has no copy of the texts: the messages are its contents. `contact` is there so that a search in one chat
# does not walk through what others said. What the tokenizer and words.spaced do is part of what is stored: a change
# of either is a new migration, which empties the index and sets the mark to 0.
MIGRATIONS = (
    Migration(
        "chat",
        2,
        f"""
        CREATE VIRTUAL TABLE chat_index USING fts5 (
          text, contact, content = '', contentless_delete = 1,
          tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co'"
        );
        CREATE TABLE chat_indexed (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL) STRICT;
        INSERT INTO chat_indexed (id, seq) VALUES (1, 0);
        CREATE TRIGGER chat_index_forgets AFTER DELETE ON message WHEN old.kind = {Text.KIND} BEGIN
          DELETE FROM chat_index WHERE rowid = old.seq;
          UPDATE chat_indexed SET seq = min(seq, (SELECT COALESCE(MAX(seq), 0) FROM message));
        END;
        CREATE TRIGGER chat_index_learns AFTER DELETE ON unheard WHEN old.kind = {Text.KIND} BEGIN
          UPDATE chat_indexed SET seq = min(seq, old.message - 1);
        END;
        """,
    ),
)

_END = 2**62  # after every row
_KINDS = content.Kinds((Text, Timer))


def newest(tx: Tx) -> int:
    """The row of the newest message of any kind; 0 before the first."""
    row = tx.one("SELECT MAX(seq) FROM message")
    return 0 if row is None or row[0] is None else int(row[0])


def catch_up(tx: Tx, upto: int) -> bool:
    """Indexes the next messages up to this row, as many as one transaction should; returns whether none was left."""
    row = tx.one("SELECT seq FROM chat_indexed")
    assert row is not None
    mark, size = row[0], 0
    lines: list[tuple[int, str, int]] = []
    for seq, contact, body, is_line in tx.execute(
        f"SELECT m.seq, m.contact, m.body, {view.HEARD} FROM message m WHERE m.seq > ? AND m.seq <= ?"
        " ORDER BY m.seq LIMIT ?",
        (mark, upto, SLICE_ROWS),
    ):
        mark, size = seq, size + len(body)
        said = _KINDS.hear(body, Channel.RATCHET) if is_line else None
        # Words that are to disappear are written nowhere else: `find` looks at those lines themselves.
        if said is not None and said.expire_s is None and isinstance(said.content, Text):
            lines.append((seq, words.spaced(said.content.text), contact))
        if size >= SLICE_BYTES:
            break
    if mark == row[0]:
        return True
    tx.executemany("INSERT OR REPLACE INTO chat_index (rowid, text, contact) VALUES (?, ?, ?)", lines)
    tx.execute("UPDATE chat_indexed SET seq = ?", (mark,))
    return False


def find(tx: Tx, asked: Asked, contact_id: int | None, before: int | None, limit: int, now_ms: int) -> tuple[Line, ...]:
    """The newest indexed lines that have all that is asked, newest first.

    contact_id: None for all chats. before: only lines before this row.
    """
    expression = f"text : ({asked.expression()})"
    if contact_id is not None:
        expression += f" AND contact : {contact_id}"
    top, most = _END if before is None else max(0, min(before, _END)), max(0, min(limit, LINES_MAX))
    rows = tx.all(
        "SELECT rowid FROM chat_index WHERE chat_index MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
        (expression, top, most),
    )
    found = [line for (seq,) in rows if (line := view.line(tx, seq, now_ms)) is not None]
    found += (line for line in lasting.lines(tx, contact_id, top, now_ms) if words.fits(line.text, asked))
    return tuple(sorted(found, key=lambda line: -line.seq)[:most])
