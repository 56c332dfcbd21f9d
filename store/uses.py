"""Which rooms still need a blob, and whether it is ours there: it is forgotten when none does.

    blob_use   something of this room tells this blob; ours: something that we said does; quiet: who has got it from
               us is not written down, as nobody is to be told who looked

By which message or moment, a room notes itself. Only this file writes this table. Not here: blobs (blobs.py).
"""

from collections.abc import Sequence

from store import blobs
from store.database import Migration, Tx

SCHEMA = (
    Migration(
        "uses",
        1,
        "CREATE TABLE blob_use (blob INTEGER NOT NULL, room TEXT NOT NULL, ours INTEGER NOT NULL,"
        " quiet INTEGER NOT NULL, PRIMARY KEY (blob, room)) STRICT, WITHOUT ROWID;",
    ),
)


def needed(tx: Tx, number: int, room: str, *, is_ours: bool, is_quiet: bool = False) -> None:
    """From now on this room needs this blob. is_ours: something that we said tells it."""
    tx.execute(
        "INSERT OR REPLACE INTO blob_use (blob, room, ours, quiet) VALUES (?, ?, ?, ?)",
        (number, room, int(is_ours), int(is_quiet)),
    )


def ended(tx: Tx, number: int, room: str) -> None:
    """This room needs this blob no more; where no other one does, it is forgotten."""
    tx.execute("DELETE FROM blob_use WHERE blob = ? AND room = ?", (number, room))
    if not rooms(tx, number) and blobs.row(tx, number) is not None:
        blobs.forget(tx, number)


def rooms(tx: Tx, number: int) -> tuple[str, ...]:
    """The rooms that need a blob."""
    return tuple(room for (room,) in tx.all("SELECT room FROM blob_use WHERE blob = ? ORDER BY room", (number,)))


def is_of_others(tx: Tx, number: int) -> bool:
    """Whether a blob is needed, and nothing that we said tells it."""
    found = tx.one("SELECT MAX(ours) FROM blob_use WHERE blob = ?", (number,))
    return found is not None and found[0] == 0


def gave(tx: Tx, counts: Sequence[tuple[int, int, int]]) -> None:
    """Notes (blob, contact, pieces that he has by now), but for what is quiet in all rooms that need it."""
    blobs.gave(tx, [one for one in counts if not _is_quiet(tx, one[0])])


def here(tx: Tx) -> tuple[tuple[str, int], ...]:
    """(room, blob) of all of which any piece is here."""
    return tuple(
        tx.all(
            "SELECT u.room, u.blob FROM blob b INDEXED BY blob_here JOIN blob_use u ON u.blob = b.number"
            " WHERE b.here > 0 ORDER BY u.room, u.blob"
        )
    )


def has_file(tx: Tx, file: str) -> bool:
    """Whether a file of pieces belongs to a blob."""
    return tx.one("SELECT 1 FROM blob WHERE file = ?", (file,)) is not None


def _is_quiet(tx: Tx, number: int) -> bool:
    found = tx.one("SELECT MIN(quiet) FROM blob_use WHERE blob = ?", (number,))
    return found is not None and found[0] == 1
