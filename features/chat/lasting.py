"""How long what is said stays: the timer of a conversation, the life of each message, and its end.

    posted ──delivered──> its sender's copy is due        arrived ──read──> its reader's copy is due
                                       due ──> erased: the row says Gone, its id stays

The timer is the same on both sides in the end: the word with the higher turn counts. Not here: when the end is looked
for (vanishing.py), the file that is scrubbed (store/erasing.py).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from crypto.faults import Malformed
from features.chat import carried, view
from features.chat.content import TIMER_S_MAX, TURN_MAX, Edit, Gone, Pin, React, Recall, Timer
from features.chat.view import Line
from protocol import content, ids
from protocol.content import Channel
from protocol.delivery import State
from store import erasing
from store.database import Migration, Tx
from store.inbox import Arrival

_OVER = ",".join(str(int(state)) for state in (State.DELIVERED, State.READ, State.EXPIRED, State.FAILED))

MIGRATIONS = (
    Migration(
        "chat_lasting",
        1,
        f"""
        CREATE TABLE chat_timer (
          contact INTEGER NOT NULL PRIMARY KEY, seconds INTEGER NOT NULL, turn INTEGER NOT NULL, author BLOB NOT NULL
        ) STRICT;
        CREATE TABLE chat_life (
          message INTEGER NOT NULL PRIMARY KEY, contact INTEGER NOT NULL, mine INTEGER NOT NULL,
          lasts_s INTEGER NOT NULL, due_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX chat_life_due ON chat_life (due_ms) WHERE due_ms > 0;
        CREATE INDEX chat_life_waits ON chat_life (mine) WHERE due_ms = 0;
        CREATE INDEX chat_life_contact ON chat_life (contact, message);
        CREATE TRIGGER chat_life_begins AFTER UPDATE OF state ON message
        WHEN new.device = 0 AND new.state IN ({_OVER}) BEGIN
          UPDATE chat_life SET due_ms = new.state_ms + lasts_s * 1000 WHERE message = new.seq AND due_ms = 0;
        END;
        """,
    ),
)
BEGUN = "chat.life"  # topic: something has a life that counts, or will count once it is delivered
GONE = "chat.gone"  # topic: a message has disappeared
SLICE_ROWS = 256  # erased in one transaction: a few milliseconds
FOUND_MAX = 10_000  # looked through by a search: what disappears is in no index

_KINDS = content.Kinds((*view.SAID, React, Edit, Recall, Pin, Gone))


class Setting(NamedTuple):
    """The timer of a conversation: how long messages stay once read, 0: for ever; and who said it last, how."""

    seconds: int = 0
    turn: int = 0
    author: bytes = b""


def setting(tx: Tx, contact_id: int) -> Setting:
    """The timer of the conversation with a contact."""
    row = tx.one("SELECT seconds, turn, author FROM chat_timer WHERE contact = ?", (contact_id,))
    return Setting() if row is None else Setting(*row)


def next_timer(known: Setting, seconds: int) -> Timer:
    """What a person says who wants it otherwise than it was said last."""
    return Timer(seconds, min(known.turn + 1, TURN_MAX))


def fold(tx: Tx, contact_id: int, said: Timer, author: ids.AccountId) -> None:
    """Takes in what one of the two has set. The order in which that is done does not matter."""
    mine, known = Setting(said.seconds, said.turn, bytes(author)), setting(tx, contact_id)
    if (mine.turn, mine.author, mine.seconds) > (known.turn, known.author, known.seconds):
        put_back(tx, contact_id, mine)


def put_back(tx: Tx, contact_id: int, known: Setting) -> None:
    """Writes a timer as it is."""
    tx.execute(
        "INSERT OR REPLACE INTO chat_timer (contact, seconds, turn, author) VALUES (?, ?, ?, ?)", (contact_id, *known)
    )


def checked(values: Sequence[Any]) -> Setting:
    """A setting that a backup has. Raises: Malformed."""
    match values:
        case ():
            return Setting()
        case (int(seconds), int(turn), bytes(author)) if (
            0 <= seconds <= TIMER_S_MAX and 1 <= turn <= TURN_MAX and len(author) == 32
        ):
            return Setting(seconds, turn, author)
        case _:
            raise Malformed


def posted(tx: Tx, contact_id: int, seqs: Sequence[int], lasts_s: int | None) -> None:
    """What was just said, in these rows, lives so long once it is delivered; None: for ever."""
    if lasts_s is not None:
        _live(tx, contact_id, seqs, True, lasts_s)


def arrived(tx: Tx, arrival: Arrival) -> None:
    """What has come lives as long as its sender says, once it is read."""
    if arrival.said.expire_s is not None and isinstance(arrival.said.content, view.SAID):
        _live(tx, arrival.contact.id, (arrival.seq,), False, arrival.said.expire_s)


def read(tx: Tx, contact_id: int, now_ms: int) -> None:
    """All that a contact has said up to now was read: it lives from now on."""
    begun = tx.execute(
        "UPDATE chat_life SET due_ms = ? + lasts_s * 1000 WHERE contact = ? AND mine = 0 AND due_ms = 0",
        (now_ms, contact_id),
    )
    if begun.rowcount:
        tx.changed(BEGUN, contact_id)


def next_due(tx: Tx) -> int | None:
    """When something is to be erased next, ms since 1970; None: nothing is known of that yet."""
    row = tx.one("SELECT MIN(due_ms) FROM chat_life WHERE due_ms > 0")
    return None if row is None else row[0]


def waits_for_delivery(tx: Tx) -> bool:
    """Whether something of ours will live from its delivery on."""
    return tx.one("SELECT 1 FROM chat_life WHERE mine = 1 AND due_ms = 0 LIMIT 1") is not None


def erase_due(tx: Tx, now_ms: int) -> bool:
    """Erases what is due, as much as one transaction should; returns whether none was left."""
    rows = tx.all("SELECT message FROM chat_life WHERE due_ms > 0 AND due_ms <= ? LIMIT ?", (now_ms, SLICE_ROWS))
    for (seq,) in rows:
        erase(tx, seq)
    return len(rows) < SLICE_ROWS


def erase(tx: Tx, seq: int) -> None:
    """Leaves of a message, and of what was done to it, the heads alone, and nothing of it anywhere else."""
    row = tx.one("SELECT contact, message_id FROM message WHERE seq = ?", (seq,))
    assert row is not None
    for (act,) in tx.all("SELECT seq FROM chat_act WHERE contact = ? AND target = ?", row):
        _husk(tx, act)
    tx.execute("DELETE FROM chat_act WHERE contact = ? AND target = ?", row)
    _husk(tx, seq)
    carried.forget(tx, seq)
    for table in ("chat_life", "chat_star", "chat_late"):
        tx.execute(f"DELETE FROM {table} WHERE message = ?", (seq,))
    tx.changed(GONE, seq)


def is_lasting(tx: Tx, seq: int) -> bool:
    """Whether a message will disappear."""
    return tx.one("SELECT 1 FROM chat_life WHERE message = ?", (seq,)) is not None


def lines(tx: Tx, contact_id: int | None, before: int, now_ms: int) -> Iterator[Line]:
    """The newest lines that will disappear, newest first, of one contact or of all, before this row."""
    where = "" if contact_id is None else "contact = ? AND "
    rows = tx.all(
        f"SELECT message FROM chat_life WHERE {where}message < ? ORDER BY message DESC LIMIT ?",
        (*(() if contact_id is None else (contact_id,)), before, FOUND_MAX),
    )
    for (seq,) in rows:
        line = view.line(tx, seq, now_ms)
        if line is not None:
            yield line


def _husk(tx: Tx, seq: int) -> None:
    row = tx.one("SELECT body FROM message WHERE seq = ?", (seq,))
    assert row is not None
    said = _KINDS.hear(row[0], Channel.RATCHET)
    husk = content.say(
        message_id=said.message_id, hlc_ms=said.hlc_ms, device_seq=said.device_seq, parents=(), content=Gone()
    )
    erasing.erase(tx, seq, Gone.KIND, husk)


def _live(tx: Tx, contact_id: int, seqs: Sequence[int], is_mine: bool, lasts_s: int) -> None:
    rows = [(seq, contact_id, int(is_mine), lasts_s) for seq in seqs]
    tx.executemany(
        "INSERT OR IGNORE INTO chat_life (message, contact, mine, lasts_s, due_ms) VALUES (?, ?, ?, ?, 0)", rows
    )
    tx.changed(BEGUN, contact_id)


class Lives:
    """How long a file, card, place or sticker that is said in a conversation stays: as long as a text."""

    def lasts_s(self, tx: Tx, contact_id: int) -> int | None:
        """What is set in a conversation."""
        return setting(tx, contact_id).seconds or None

    def said(self, tx: Tx, contact_id: int, seq: int, lasts_s: int | None) -> None:
        """It was just posted, in this row."""
        posted(tx, contact_id, (seq,), lasts_s)
