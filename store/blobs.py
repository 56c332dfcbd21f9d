"""Blobs that this node knows: what they are, which pieces are here, who told them.

The sealed pieces lie in files (node/blobs/files.py); a bit is set here once its piece is on the disk. What a message
says of a blob, and who reads it, is a room's affair. Only this file writes these tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from crypto import chunks
from protocol.blob_stream import NAMES_MAX, bits_of, bytes_of
from protocol.blobs import Blob
from protocol.faults import UserFault
from store.database import Migration, Tx
from store.people import ContactState

# A number is given once: who still works on a blob that was forgotten harms no later one. So is a turn: who has seen
# all up to one has missed nothing before it.
SCHEMA = (
    Migration(
        "blobs",
        1,
        """
CREATE TABLE blob (
  number INTEGER PRIMARY KEY AUTOINCREMENT, root BLOB NOT NULL, key BLOB NOT NULL, length INTEGER NOT NULL,
  hash BLOB NOT NULL, file TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, bits BLOB NOT NULL, here INTEGER NOT NULL,
  reason TEXT NOT NULL, made_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL, UNIQUE (root, key, length, hash)
) STRICT;
CREATE INDEX blob_state ON blob (state);
CREATE INDEX blob_here ON blob (length, here) WHERE here > 0;

CREATE TABLE blob_held (turn INTEGER PRIMARY KEY AUTOINCREMENT, blob INTEGER NOT NULL UNIQUE) STRICT;

CREATE TABLE blob_names (
  blob INTEGER NOT NULL, part INTEGER NOT NULL, names BLOB NOT NULL, PRIMARY KEY (blob, part)
) STRICT;

CREATE TABLE blob_source (
  turn INTEGER PRIMARY KEY AUTOINCREMENT, blob INTEGER NOT NULL, contact INTEGER NOT NULL, UNIQUE (blob, contact)
) STRICT;

CREATE TABLE blob_given (
  id INTEGER PRIMARY KEY, blob INTEGER NOT NULL, contact INTEGER NOT NULL, pieces INTEGER NOT NULL,
  UNIQUE (blob, contact)
) STRICT;

CREATE TABLE blob_waste (file TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
""",
    ),
)
CHANGED = "media.progress"  # the topic of a change of a blob, by its number
TOLD = "media.told"  # the same of who told it, where it is wanted
GIVEN = "media.given"  # the same of how much a contact has, by the row of blob_given

PART_BYTES = NAMES_MAX * chunks.ID_BYTES  # of a manifest in one row: what is asked for at once
_COLUMNS = "number, root, key, length, hash, file, state, bits, here, reason, made_ms, used_ms"


class State(IntEnum):
    """What is to become of a blob here."""

    TOLD = 0  # known; nobody asked for it
    WANTED = 1  # being fetched, or waiting for somebody who has it
    PAUSED = 2
    WHOLE = 3  # all pieces are here
    FALSE = 4  # it is not what its teller said


class BlobFalse(UserFault):
    """This file is not what its sender said it is, so nothing of it is shown or kept. Ask him to send it again."""

    code = "media.false"
    next = "weft files"
    exit = 1


class BlobNotHere(UserFault):
    """The file is not here yet, or not all of it."""

    code = "media.incomplete"
    next = "weft get ID"
    exit = 6


@dataclass(frozen=True, slots=True)
class Row:
    """A blob. file: the name of its file; bits: pieces that are here and on the disk; reason: why it does not go on."""

    number: int
    blob: Blob
    file: str
    state: State
    bits: int
    reason: str
    made_ms: int
    used_ms: int

    @property
    def here(self) -> int:
        """How many pieces are here."""
        return self.bits.bit_count()


def told(tx: Tx, blob: Blob, contact_id: int | None, file: str, now_ms: int) -> int:
    """The number of a blob that a contact has told, or that we told (None); new or not.

    file: how the file of a new one is called, before its number. So no two ever have one name, and what is still
    written for one that was forgotten, or is about to be removed, is no other's.
    """
    found = find(tx, blob)
    if found is None:
        number = _new(tx, blob, file, now_ms)
        tx.execute("UPDATE blob SET file = ? WHERE number = ?", (f"{file}-{number}", number))
    else:
        number = found.number
    if contact_id is not None:
        tx.execute("INSERT OR REPLACE INTO blob_source (blob, contact) VALUES (?, ?)", (number, contact_id))
        if found is not None and found.state is State.WANTED:
            tx.changed(TOLD, number)
    return number


def made(tx: Tx, blob: Blob, names: bytes, file: str, now_ms: int) -> int:
    """Keeps a blob of our own, all of whose pieces lie in this file; returns its number. Its key is new, so it is."""
    number = _new(tx, blob, file, now_ms)
    keep_names(tx, number, names)
    _set(tx, number, State.WHOLE, (1 << blob.count) - 1, "")
    return number


def row(tx: Tx, number: int) -> Row | None:
    """A blob by its number."""
    return _row(tx.one(f"SELECT {_COLUMNS} FROM blob WHERE number = ?", (number,)))


def find(tx: Tx, blob: Blob) -> Row | None:
    """The row of exactly this blob: under one root somebody may tell another key, and that is another one."""
    return _row(
        tx.one(
            f"SELECT {_COLUMNS} FROM blob WHERE root = ? AND key = ? AND length = ? AND hash = ?",
            (blob.root, blob.key, blob.length, blob.hash),
        )
    )


def wanted(tx: Tx) -> tuple[tuple[int, str], ...]:
    """(number, file) of those that are being fetched, in the order of their telling."""
    return tuple(tx.all("SELECT number, file FROM blob WHERE state = ? ORDER BY number", (int(State.WANTED),)))


def sources(tx: Tx, number: int) -> tuple[int, ...]:
    """The contacts who told a blob."""
    return tuple(one for (one,) in tx.all("SELECT contact FROM blob_source WHERE blob = ? ORDER BY contact", (number,)))


def told_after(tx: Tx, turn: int) -> tuple[tuple[int, int, int], ...]:
    """(turn, blob, contact) of what was told after this turn, again or for the first time, in order."""
    return tuple(tx.all("SELECT turn, blob, contact FROM blob_source WHERE turn > ? ORDER BY turn", (turn,)))


def last_told(tx: Tx) -> int:
    """The turn of what was told last."""
    found = tx.one("SELECT MAX(turn) FROM blob_source")
    return 0 if found is None or found[0] is None else int(found[0])


def held_after(tx: Tx, turn: int, limit: int) -> tuple[tuple[int, int, bytes, bytes], ...]:
    """(turn, number, key, root) of blobs whose first piece came after this turn and of which any is here, in order."""
    return tuple(
        tx.all(
            "SELECT h.turn, b.number, b.key, b.root FROM blob_held h JOIN blob b ON b.number = h.blob"
            " WHERE h.turn > ? ORDER BY h.turn LIMIT ?",
            (turn, limit),
        )
    )


def taking(tx: Tx) -> tuple[tuple[int, int, int], ...]:
    """(number, length, pieces that are here) of every blob of which any piece is here."""
    return tuple(tx.all("SELECT number, length, here FROM blob INDEXED BY blob_here WHERE here > 0"))


def fetchable(tx: Tx) -> tuple[Row, ...]:
    """Those that are whole here and that somebody told who is a contact, the longest unused first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM blob b WHERE b.state = ? AND EXISTS (SELECT 1 FROM blob_source s"
        " JOIN contact c ON c.id = s.contact WHERE s.blob = b.number AND c.state = ?) ORDER BY b.used_ms, b.number",
        (int(State.WHOLE), int(ContactState.ACTIVE)),
    )
    return tuple(one for one in map(_row, rows) if one is not None)


def names(tx: Tx, number: int) -> bytes:
    """The manifest of a blob; empty while it is not here."""
    return b"".join(part for (part,) in tx.all("SELECT names FROM blob_names WHERE blob = ? ORDER BY part", (number,)))


def some_names(tx: Tx, number: int, first: int) -> bytes:
    """The manifest from this place on, as much as a frame takes: of one of 8 MiB no more than that is read."""
    part, start = divmod(first * chunks.ID_BYTES, PART_BYTES)
    rows = tx.all(
        "SELECT names FROM blob_names WHERE blob = ? AND part BETWEEN ? AND ? ORDER BY part",
        (number, part, part + 1 if start else part),
    )
    return b"".join(names for (names,) in rows)[start : start + PART_BYTES]


def keep_names(tx: Tx, number: int, raw: bytes) -> None:
    """Keeps a manifest that was checked."""
    parts = [(number, at // PART_BYTES, raw[at : at + PART_BYTES]) for at in range(0, len(raw), PART_BYTES)]
    tx.executemany("INSERT OR REPLACE INTO blob_names (blob, part, names) VALUES (?, ?, ?)", parts)


def want(tx: Tx, number: int) -> None:
    """From now on it is fetched; one that is whole stays so, one that was false is tried again."""
    one = _known(tx, number)
    if one.state in (State.TOLD, State.PAUSED, State.FALSE):
        _set(tx, number, State.WANTED, one.bits, "")


def pause(tx: Tx, number: int, reason: str) -> None:
    """It is fetched no more, until it is wanted again; what is here stays. reason: "" where a person said so.

    Where there is one it goes on by itself when that is over.
    """
    one = _known(tx, number)
    if one.state in (State.TOLD, State.WANTED) or (one.state is State.PAUSED and not reason):
        _set(tx, number, State.PAUSED, one.bits, reason)


def go_on(tx: Tx, number: int) -> None:
    """What was paused for a reason is wanted again; what a person paused, or dropped meanwhile, is not."""
    one = row(tx, number)
    if one is not None and one.state is State.PAUSED and one.reason:
        _set(tx, number, State.WANTED, one.bits, "")


def stuck(tx: Tx, number: int, file: str, reason: str) -> None:
    """Nothing more can be written into this file: its blob is paused, where it still has it and is wanted."""
    one = _has(tx, number, file)
    if one is not None and one.state is State.WANTED:
        _set(tx, number, State.PAUSED, one.bits, reason)


def came(tx: Tx, number: int, file: str, bits: int, now_ms: int) -> bool:
    """These pieces are in this file too, and on the disk; with the last of them it is whole, which counts as a use.

    Returns whether this is still its file: it may have been given up meanwhile, and wanted again.
    """
    one = _has(tx, number, file)
    if one is None:
        return False
    bits |= one.bits
    state = State.WHOLE if bits.bit_count() == one.blob.count else one.state
    _set(tx, number, state, bits, "" if state is State.WHOLE else one.reason)
    if state is State.WHOLE:
        used(tx, number, now_ms)
    return True


def waits(tx: Tx, number: int, reason: str) -> None:
    """Says why one that is wanted does not go on."""
    one = row(tx, number)
    if one is not None and one.state is State.WANTED and one.reason != reason:
        _set(tx, number, State.WANTED, one.bits, reason)


def false(tx: Tx, number: int, file: str) -> None:
    """What is in this file is not what it was said to be: nothing of it stays."""
    one = _has(tx, number, file)
    if one is None:
        return
    _waste(tx, one.file, number)
    _set(tx, number, State.FALSE, 0, "")


def gone(tx: Tx, number: int, file: str) -> bool:
    """This file is not on the disk any more, or not as it was; returns whether it is that of the blob.

    What is wanted is fetched from its beginning; what was here can be fetched again, where somebody has it.
    """
    one = _has(tx, number, file)
    if one is None:
        return False
    _waste(tx, file, number)
    _set(tx, number, State.TOLD if one.state is State.WHOLE else one.state, 0, one.reason)
    return True


def drop(tx: Tx, number: int) -> None:
    """Its pieces are not kept any more; it can be fetched again, where somebody has it."""
    one = _known(tx, number)
    _waste(tx, one.file, number)
    _set(tx, number, State.TOLD, 0, "")


def forget(tx: Tx, number: int) -> None:
    """Nobody needs it any more: row, manifest, and in the end its file."""
    one = _known(tx, number)
    tx.execute("INSERT OR IGNORE INTO blob_waste (file) VALUES (?)", (one.file,))
    for table in ("blob_names", "blob_source", "blob_given", "blob_held"):
        tx.execute(f"DELETE FROM {table} WHERE blob = ?", (number,))
    tx.execute("DELETE FROM blob WHERE number = ?", (number,))
    tx.changed(CHANGED, number)


def used(tx: Tx, number: int, now_ms: int) -> None:
    """Somebody has looked at it: of what can be fetched again, what was not used for longest goes first."""
    tx.execute("UPDATE blob SET used_ms = ? WHERE number = ?", (now_ms, number))


def gave(tx: Tx, counts: Sequence[tuple[int, int, int]]) -> None:
    """Notes (blob, contact, pieces that he has by now), for a person to see."""
    for number, contact_id, pieces in counts:
        if row(tx, number) is None:
            continue  # it was forgotten meanwhile
        found = tx.one(
            "INSERT INTO blob_given (blob, contact, pieces) VALUES (?, ?, ?)"
            " ON CONFLICT (blob, contact) DO UPDATE SET pieces = excluded.pieces RETURNING id",
            (number, contact_id, pieces),
        )
        assert found is not None
        tx.changed(GIVEN, found[0])


def given(tx: Tx, number: int, contact_id: int) -> int:
    """How many pieces a contact has, as far as he said or was given them."""
    found = tx.one("SELECT pieces FROM blob_given WHERE blob = ? AND contact = ?", (number, contact_id))
    return 0 if found is None else int(found[0])


def given_row(tx: Tx, row_id: int) -> tuple[int, int] | None:
    """(blob, contact) of a change of GIVEN."""
    found = tx.one("SELECT blob, contact FROM blob_given WHERE id = ?", (row_id,))
    return None if found is None else (found[0], found[1])


def waste(tx: Tx) -> tuple[str, ...]:
    """Names of files that are to be removed."""
    return tuple(file for (file,) in tx.all("SELECT file FROM blob_waste ORDER BY file"))


def wasted(tx: Tx, files: Sequence[str]) -> None:
    """These are removed."""
    tx.executemany("DELETE FROM blob_waste WHERE file = ?", [(file,) for file in files])


def files(tx: Tx) -> frozenset[str]:
    """The names of all files that belong to a blob."""
    return frozenset(file for (file,) in tx.all("SELECT file FROM blob"))


def _waste(tx: Tx, file: str, number: int) -> None:
    """Gives a blob another file, and the old one up: who writes into it still harms nobody."""
    tx.execute("INSERT OR IGNORE INTO blob_waste (file) VALUES (?)", (file,))
    name, *rest = file.split("-")
    turn = int(rest[1]) + 1 if len(rest) > 1 else 1
    tx.execute("UPDATE blob SET file = ? WHERE number = ?", (f"{name}-{number}-{turn}", number))


def _new(tx: Tx, blob: Blob, file: str, now_ms: int) -> int:
    return tx.insert(
        "INSERT INTO blob (root, key, length, hash, file, state, bits, here, reason, made_ms, used_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, X'', 0, '', ?, ?)",
        (blob.root, blob.key, blob.length, blob.hash, file, int(State.TOLD), now_ms, now_ms),
    )


def _has(tx: Tx, number: int, file: str) -> Row | None:
    """The blob, where its pieces still lie in this file: it may have been forgotten or dropped meanwhile."""
    one = row(tx, number)
    return one if one is not None and one.file == file else None


def _set(tx: Tx, number: int, state: State, bits: int, reason: str) -> None:
    tx.execute(
        "UPDATE blob SET state = ?, bits = ?, here = ?, reason = ? WHERE number = ?",
        (int(state), bytes_of(bits), bits.bit_count(), reason, number),
    )
    if bits:
        tx.execute("INSERT OR IGNORE INTO blob_held (blob) VALUES (?)", (number,))
    else:
        tx.execute("DELETE FROM blob_held WHERE blob = ?", (number,))
    tx.changed(CHANGED, number)


def _known(tx: Tx, number: int) -> Row:
    one = row(tx, number)
    assert one is not None
    return one


def _row(found: tuple[Any, ...] | None) -> Row | None:
    if found is None:
        return None
    number, root, key, length, digest, file, state, bits, _, reason, made_ms, used_ms = found
    return Row(number, Blob(root, key, length, digest), file, State(state), bits_of(bits), reason, made_ms, used_ms)
