"""The index of words over all lines: a view of the messages, caught up with before it is asked.

A message is not indexed when it is stored but later, many in one transaction: when the node is at rest, and at the
latest by the next search, up to the newest message of that moment (docs/features/chat.md says why). Not here: what a
word is (words.py).
"""

from dataclasses import dataclass
from typing import Any

from features.chat import findable, lasting, overlay, view, words
from features.chat.content import Text
from features.chat.findable import Trait
from features.chat.view import LINES_MAX, Line
from features.chat.words import Asked
from protocol import content
from protocol.content import Channel
from protocol.file import Shape
from store.database import Migration, Tx

SLICE_ROWS = 500  # of one transaction: about 15 ms, so that no message waits long for the index
SLICE_BYTES = 128 * 1024  # the same, where texts are long
SPAN_ROWS = 1024  # whose oldest and newest time are known: a thousand spans for a million messages

# The index has no copy of the texts: the messages are its contents. `marks` are words that nobody types (chat, author,
# what a line has), so that a filter does not walk through what it leaves out, and no beginning of a word meets them. A
# time is no mark: chat_span says which rows may lie in it. What the tokenizer, words.spaced and findable.tokens_of do
# is part of what is stored: a change of them is a new migration, which empties the index and sets the mark to 0.
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
    # Rows of any kind: what is found by more than texts needs no trigger anew, and no row that is given anew is missed.
    Migration(
        "chat",
        8,
        """
        DROP TRIGGER chat_index_forgets;
        DROP TRIGGER chat_index_learns;
        DROP TABLE chat_index;
        CREATE VIRTUAL TABLE chat_index USING fts5 (
          text, marks, content = '', contentless_delete = 1,
          tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co'"
        );
        CREATE TABLE chat_span (
          span INTEGER PRIMARY KEY, oldest_ms INTEGER NOT NULL, newest_ms INTEGER NOT NULL
        ) STRICT;
        UPDATE chat_indexed SET seq = 0;
        CREATE TRIGGER chat_index_forgets AFTER DELETE ON message BEGIN
          DELETE FROM chat_index WHERE rowid = old.seq;
          UPDATE chat_indexed SET seq = min(seq, (SELECT COALESCE(MAX(seq), 0) FROM message));
        END;
        CREATE TRIGGER chat_index_learns AFTER DELETE ON unheard BEGIN
          UPDATE chat_indexed SET seq = min(seq, old.message - 1);
        END;
        """,
    ),
)

_END = 2**62  # after every row, and after every time
_CHAT, _MINE, _THEIRS = "\ue000", "\ue001", "\ue002"  # marks; of a chat: with the number of its contact
_HAS = {
    Trait.FILE: "\ue010",
    Trait.LINK: "\ue011",
    Trait.PICTURE: "\ue012",
    Trait.VOICE: "\ue013",
    Trait.VIDEO: "\ue014",
    Trait.CARD: "\ue015",
    Trait.PLACE: "\ue016",
    Trait.STICKER: "\ue017",
}
# When a line was said, as view shows it.
_SAID_MS = (
    f"CASE WHEN m.at_ms BETWEEN m.arrived_ms - {view.CLOCK_BEHIND_MS_MAX} AND m.arrived_ms + {view.CLOCK_AHEAD_MS_MAX}"
    " THEN m.at_ms ELSE m.arrived_ms END"
)
_KINDS = content.Kinds(view.SHOWN)
_LEARN = "INSERT OR REPLACE INTO chat_index (rowid, text, marks) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a line must be besides having the words.

    chats: contacts, of all of whose chats it must be part. is_mine: whether I wrote it; None for both. since_ms,
    until_ms: said at the one or after it, and before the other; None for no bound.
    """

    chats: tuple[int, ...] = ()
    is_mine: bool | None = None
    has: Trait | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_timed(self) -> bool:
        """Whether it matters when a line was said."""
        return self.since_ms is not None or self.until_ms is not None


def newest(tx: Tx) -> int:
    """The row of the newest message of any kind; 0 before the first."""
    row = tx.one("SELECT MAX(seq) FROM message")
    return 0 if row is None or row[0] is None else int(row[0])


def catch_up(tx: Tx, upto: int) -> bool:
    """Indexes the next messages up to this row, as many as one transaction should; returns whether none was left."""
    row = tx.one("SELECT seq FROM chat_indexed")
    assert row is not None
    mark, size = row[0], 0
    lines: list[tuple[int, int, int, Any]] = []
    spans: dict[int, tuple[int, int]] = {}
    for seq, contact, device, said_ms, body, is_line in tx.execute(
        f"SELECT m.seq, m.contact, m.device, {_SAID_MS}, m.body, {view.HEARD} FROM message m"
        " WHERE m.seq > ? AND m.seq <= ? ORDER BY m.seq LIMIT ?",
        (mark, upto, SLICE_ROWS),
    ):
        mark, size = seq, size + len(body)
        said = _KINDS.hear(body, Channel.RATCHET) if is_line else None
        # Words that are to disappear are written nowhere else: `find` looks at those lines themselves.
        if said is not None and said.expire_s is None and isinstance(said.content, view.SAID):
            lines.append((seq, contact, device, said.content))
            oldest_ms, newest_ms = spans.get(seq // SPAN_ROWS, (said_ms, said_ms))
            spans[seq // SPAN_ROWS] = min(oldest_ms, said_ms), max(newest_ms, said_ms)
        if size >= SLICE_BYTES:
            break
    if mark == row[0]:
        return True
    now = overlay.texts(tx, [seq for seq, *_ in lines])
    edited = ((seq, contact, device, Text(now[seq]) if seq in now else said) for seq, contact, device, said in lines)
    tx.executemany(_LEARN, [_entry(*one) for one in edited])
    tx.executemany(
        "INSERT INTO chat_span (span, oldest_ms, newest_ms) VALUES (?, ?, ?) ON CONFLICT (span) DO UPDATE SET"
        " oldest_ms = min(oldest_ms, excluded.oldest_ms), newest_ms = max(newest_ms, excluded.newest_ms)",
        [(span, *times) for span, times in spans.items()],
    )
    tx.execute("UPDATE chat_indexed SET seq = ?", (mark,))
    return False


def learn(tx: Tx, seq: int, contact_id: int, text: str) -> None:
    """A line says something else; where the index has not come to it yet, it will find that."""
    row = tx.one("SELECT seq FROM chat_indexed")
    assert row is not None
    if seq <= row[0] and not lasting.is_lasting(tx, seq):
        device = tx.one("SELECT device FROM message WHERE seq = ?", (seq,))
        assert device is not None
        tx.execute(_LEARN, _entry(seq, contact_id, device[0], Text(text)))


def forget(tx: Tx, seq: int) -> None:
    """A line says nothing any more."""
    tx.execute("DELETE FROM chat_index WHERE rowid = ?", (seq,))


def find(tx: Tx, asked: Asked, filters: Filters, before: int | None, limit: int, now_ms: int) -> tuple[Line, ...]:
    """The newest indexed lines that have all that is asked and pass the filters, newest first.

    before: only lines before this row.
    """
    first, end = 0, _END if before is None else max(0, min(before, _END))
    looks = "SELECT chat_index.rowid FROM chat_index"
    where = "WHERE chat_index MATCH ? AND chat_index.rowid >= ? AND chat_index.rowid < ?"
    times: tuple[int, ...] = ()
    if filters.is_timed:
        times = (_time(filters.since_ms, -_END), _time(filters.until_ms, _END))
        begun, ended = _rows_of(tx, *times)
        first, end = max(first, begun), min(end, ended)
        looks += " CROSS JOIN message m ON m.seq = chat_index.rowid"
        where += f" AND {_SAID_MS} >= ? AND {_SAID_MS} < ?"
    rows = tx.all(
        f"{looks} {where} ORDER BY chat_index.rowid DESC LIMIT ?",
        (_expression(asked, filters), first, end, *times, max(0, min(limit, LINES_MAX))),
    )
    found = [line for (seq,) in rows if (line := view.line(tx, seq, now_ms)) is not None]
    most = max(0, min(limit, LINES_MAX))
    found = overlay.dressed(tx, found) + _unindexed(tx, asked, filters, end, now_ms)
    return tuple(sorted(found, key=lambda line: -line.seq)[:most])


def _unindexed(tx: Tx, asked: Asked, filters: Filters, end: int, now_ms: int) -> list[Line]:
    """The lines that will disappear, which are in no index, and have all that is asked."""
    if len(set(filters.chats)) > 1:
        return []
    chat = filters.chats[0] if filters.chats else None
    lines = overlay.dressed(tx, list(lasting.lines(tx, chat, end, now_ms)))
    return [line for line in lines if words.fits(_words(line), asked) and _passes(line, filters)]


def _passes(line: Line, filters: Filters) -> bool:
    """Whether a line is what the filters ask for, but for its chat."""
    since_ms, until_ms = _time(filters.since_ms, -_END), _time(filters.until_ms, _END)
    is_whose = filters.is_mine is None or filters.is_mine == line.mine
    return is_whose and since_ms <= line.at_ms < until_ms and (filters.has is None or filters.has in _traits(line))


def _words(line: Line) -> str:
    """Whose words a line is found by, as findable.tokens_of says of its content."""
    is_named = _trait(line) is not None  # as "[card] Bo"
    said = line.text.partition("] ")[2] if is_named else line.text
    return findable.with_title(said, "" if line.preview is None else line.preview.title)


def _trait(line: Line) -> Trait | None:
    """What a line is that is neither a text nor a file."""
    carries = ((Trait.CARD, line.card), (Trait.PLACE, line.place), (Trait.STICKER, line.sticker))
    return next((trait for trait, what in carries if what is not None), None)


def _traits(line: Line) -> frozenset[Trait]:
    trait = _trait(line)
    if trait is not None:
        return frozenset((trait,))
    if line.file is None:
        return findable.tokens_of(Text(line.text)).traits
    return findable.traits_of(Shape[line.file.shape.upper()])


def _entry(seq: int, contact_id: int, device: int, said: object) -> tuple[int, str, str]:
    """The row of the index for a line."""
    found = findable.tokens_of(said)
    marks = [f"{_CHAT}{contact_id}", _THEIRS if device else _MINE, *(_HAS[one] for one in sorted(found.traits))]
    return seq, words.spaced(found.text), " ".join(marks)


def _expression(asked: Asked, filters: Filters) -> str:
    """All but the time, in FTS5's language. Where nothing is asked, every line has what it says."""
    marks = [f"{_CHAT}{contact_id}" for contact_id in filters.chats]
    if filters.is_mine is not None:
        marks.append(_MINE if filters.is_mine else _THEIRS)
    if filters.has is not None:
        marks.append(_HAS[filters.has])
    parts = [f"text : ({asked.expression()})"] if asked.phrases else []
    parts += [f'marks : "{mark}"' for mark in marks]
    return " AND ".join(parts) or f'marks : ("{_MINE}" OR "{_THEIRS}")'


def _rows_of(tx: Tx, since_ms: int, until_ms: int) -> tuple[int, int]:
    """The rows from the first up to the end of which all lie that were said in this time, and few others."""
    row = tx.one(
        "SELECT MIN(span), MAX(span) FROM chat_span WHERE newest_ms >= ? AND oldest_ms < ?", (since_ms, until_ms)
    )
    return (0, 0) if row is None or row[0] is None else (row[0] * SPAN_ROWS, (row[1] + 1) * SPAN_ROWS)


def _time(at_ms: int | None, absent: int) -> int:
    """A time that SQLite can compare."""
    return absent if at_ms is None else max(-_END, min(at_ms, _END))
