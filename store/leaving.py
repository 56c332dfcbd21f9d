"""Files at keepers, as those know who use them: ours for contacts who are away, and what was found there for us.

    leaving       a file that is to be left for a contact, lies there, or is to be taken back
    left_for_us   a file of which something lay at a keeper of ours: he is told once it is not needed any more

Not here: what a keeper itself has (deposits.py), blobs (blobs.py), who speaks with keepers (node/keep/leaver.py,
node/blobs/kept.py). Only this file writes these tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from crypto import chunks
from store import blobs
from store.database import Migration, Tx

SCHEMA = (
    Migration(
        "leaving",
        1,
        """
CREATE TABLE leaving (
  id INTEGER PRIMARY KEY AUTOINCREMENT, blob INTEGER NOT NULL, contact INTEGER NOT NULL, state INTEGER NOT NULL,
  sender BLOB NOT NULL, name BLOB NOT NULL, pieces INTEGER NOT NULL, until_ms INTEGER NOT NULL,
  made_ms INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE (blob, contact)
) STRICT;
CREATE INDEX leaving_contact ON leaving (contact, state);

CREATE TABLE left_for_us (
  keeper INTEGER NOT NULL, name BLOB NOT NULL, blob INTEGER NOT NULL, pieces INTEGER NOT NULL,
  PRIMARY KEY (keeper, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX left_for_us_blob ON left_for_us (blob);
""",
    ),
)
CHANGED = "media.kept"  # the topic of a change of a file that is left, by its row
DAYS_MAX = 30  # a file that nobody took for so long is left no more
TAKEN_BACK_DAYS_MAX = 120  # longer than any keeper has one: what could not be taken back until then is gone
_DAY_MS = 86_400_000
_COLUMNS = "id, blob, contact, state, sender, name, pieces, until_ms, made_ms, reason"


class State(IntEnum):
    """What is to become of a file. The numbers are stored."""

    WANTED = 0  # it is left when the contact is away
    KEPT = 1  # all of it lies there
    UNWANTED = 2  # what lies there is to be taken back


@dataclass(frozen=True, slots=True)
class Leaving:
    """A file for a contact. sender: of the line where it is left, b"" for none yet; name: how it is called there.

    pieces: of it that lie there; until_ms: how long, once all do; reason: why it does not go on.
    """

    id: int
    blob: int
    contact: int
    state: State
    sender: bytes
    name: bytes
    pieces: int
    until_ms: int
    made_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file of which something lay at a keeper. pieces: how many."""

    keeper: int
    name: bytes
    blob: int
    pieces: int


# --- ours, for contacts


def want(tx: Tx, blob: int, contact_id: int, now_ms: int) -> None:
    """A file is to be left for a contact whenever he is away; where it lies already, it stays there."""
    found = tx.one(
        "INSERT INTO leaving (blob, contact, state, sender, name, pieces, until_ms, made_ms, reason)"
        " VALUES (?1, ?2, ?3, X'', X'', 0, 0, ?4, '') ON CONFLICT (blob, contact) DO UPDATE SET"
        " state = CASE state WHEN ?5 THEN ?3 ELSE state END, made_ms = ?4 RETURNING id",
        (blob, contact_id, int(State.WANTED), now_ms, int(State.UNWANTED)),
    )
    assert found is not None
    tx.changed(CHANGED, found[0])


def of(tx: Tx, blob: int, contact_id: int) -> Leaving | None:
    """How a file stands that was said to a contact."""
    return _leaving(tx.one(f"SELECT {_COLUMNS} FROM leaving WHERE blob = ? AND contact = ?", (blob, contact_id)))


def at(tx: Tx, number: int) -> Leaving | None:
    """The file in this row."""
    return _leaving(tx.one(f"SELECT {_COLUMNS} FROM leaving WHERE id = ?", (number,)))


def due(tx: Tx, contact_id: int) -> tuple[Leaving, ...]:
    """What is to be left for a contact, or taken back, the oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM leaving WHERE contact = ? AND state != ? ORDER BY id", (contact_id, int(State.KEPT))
    )
    return tuple(one for one in map(_leaving, rows) if one is not None)


def review(tx: Tx, now_ms: int) -> tuple[tuple[int, int, int], ...]:
    """Wants no more what the contact has, what was forgotten and what took too long; returns (contact, row, state) of
    what is due.
    """
    rows = tx.all(
        "SELECT l.id, l.state, l.until_ms, l.made_ms, b.length, g.pieces FROM leaving l"
        " LEFT JOIN blob b ON b.number = l.blob LEFT JOIN blob_given g ON g.blob = l.blob AND g.contact = l.contact"
    )
    for number, state, until_ms, made_ms, length, given in rows:
        age_days = (now_ms - made_ms) // _DAY_MS
        is_over = length is None or (given or 0) >= chunks.count(length)
        match State(state):
            case State.UNWANTED if age_days >= TAKEN_BACK_DAYS_MAX:
                ended(tx, number)
            case State.KEPT if until_ms <= now_ms:
                ended(tx, number)
            case State.KEPT if is_over:
                unwant(tx, number)
            case State.WANTED if is_over or age_days >= DAYS_MAX:
                unwant(tx, number)
    return tuple(tx.all("SELECT contact, id, state FROM leaving WHERE state != ? ORDER BY id", (int(State.KEPT),)))


def unwant(tx: Tx, number: int) -> None:
    """It is not to lie anywhere any more."""
    tx.execute("UPDATE leaving SET state = ?, reason = '' WHERE id = ?", (int(State.UNWANTED), number))
    tx.execute("DELETE FROM leaving WHERE id = ? AND sender = X''", (number,))
    tx.changed(CHANGED, number)


def lies(tx: Tx, number: int, sender: bytes, name: bytes, pieces: int) -> bool:
    """So many pieces lie at this line, under this name; returns whether it is still to be left."""
    row = tx.one(
        "UPDATE leaving SET sender = ?, name = ?, pieces = ?, reason = '' WHERE id = ? AND state = ? RETURNING id",
        (sender, name, pieces, number, int(State.WANTED)),
    )
    if row is not None:
        tx.changed(CHANGED, number)
    return row is not None


def kept(tx: Tx, number: int, until_ms: int) -> None:
    """All of it lies there."""
    tx.execute(
        "UPDATE leaving SET state = ?, until_ms = ? WHERE id = ? AND state = ?",
        (int(State.KEPT), until_ms, number, int(State.WANTED)),
    )
    tx.changed(CHANGED, number)


def waits(tx: Tx, number: int, reason: str) -> None:
    """Why it does not go on."""
    if tx.execute("UPDATE leaving SET reason = ? WHERE id = ? AND reason != ?", (reason, number, reason)).rowcount:
        tx.changed(CHANGED, number)


def ended(tx: Tx, number: int) -> None:
    """Nothing of it lies anywhere any more, as far as we know."""
    tx.execute("DELETE FROM leaving WHERE id = ?", (number,))
    tx.changed(CHANGED, number)


# --- theirs, for us


def found(tx: Tx, keeper_id: int, name: bytes, blob: int, pieces: int) -> None:
    """So many pieces of a file lie at a keeper under this name."""
    tx.execute(
        "INSERT OR REPLACE INTO left_for_us (keeper, name, blob, pieces) VALUES (?, ?, ?, ?)",
        (keeper_id, name, blob, pieces),
    )


def lying(tx: Tx, blob: int) -> tuple[Found, ...]:
    """Where something of a file was found, most of it first."""
    rows = tx.all(
        "SELECT keeper, name, blob, pieces FROM left_for_us WHERE blob = ? ORDER BY pieces DESC, keeper", (blob,)
    )
    return tuple(Found(*row) for row in rows)


def to_thank(tx: Tx) -> tuple[Found, ...]:
    """What is not needed any more where it lies: it is here, it is false, or its message is gone."""
    rows = tx.all(
        "SELECT l.keeper, l.name, l.blob, l.pieces FROM left_for_us l LEFT JOIN blob b ON b.number = l.blob"
        " WHERE b.number IS NULL OR b.state IN (?, ?) ORDER BY l.keeper, l.name",
        (int(blobs.State.WHOLE), int(blobs.State.FALSE)),
    )
    return tuple(Found(*row) for row in rows)


def thanked(tx: Tx, some: Sequence[Found]) -> None:
    """These lie there no more."""
    tx.executemany("DELETE FROM left_for_us WHERE keeper = ? AND name = ?", [(one.keeper, one.name) for one in some])


def _leaving(row: tuple[Any, ...] | None) -> Leaving | None:
    if row is None:
        return None
    number, blob, contact_id, state, sender, name, pieces, until_ms, made_ms, reason = row
    return Leaving(number, blob, contact_id, State(state), sender, name, pieces, until_ms, made_ms, reason)
