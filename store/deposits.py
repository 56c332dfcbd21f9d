"""Files that lie at a keeper for its owners: what was left through which door, which pieces are here (keep.md 8).

The sealed pieces lie in files (node/keep/depot.py); a bit is set here once its piece is on the disk. Room is taken when
a file is announced, so what was begun can be ended. Beside mail and after it: files have an allowance of their own, and
nothing here makes less room for a parcel than the space that the person gave. Only this file writes this table.
"""

from dataclasses import dataclass

from protocol import deposit
from protocol.blob_stream import bits_of, bytes_of
from protocol.deposit import Leave, Withdraw
from protocol.keep import Status
from store import keeping
from store.database import Tx
from store.shelves import NOBODY, Owner

SENDER_SHARE = 2  # one part of so many of an owner's allowance is the most that one sender fills
COUNT_MAX = 1000  # of one owner; each sender has his share of that too
DOOR_ITEMS_MIN = 64  # a door of fewer, or that asks for work, is one for strangers: no file comes in by it
DISK_BYTES_MIN = 4096  # what the smallest file takes on a disk
ROW_BYTES = 16 * 1024  # that a deposit may take of the database beyond twice its manifest
PART_S = 7 * keeping.DAY_S  # that a file which is not whole lies here after its last piece
SLICE = 200


@dataclass(frozen=True, slots=True)
class Deposit:
    """A file that lies here, whole or in part. size: of all its sealed pieces; bits: those that are on the disk."""

    id: int
    owner: int
    size: int
    bits: int
    manifest: bytes

    @property
    def count(self) -> int:
        """How many pieces it has."""
        return deposit.count(self.size)


@dataclass(frozen=True, slots=True)
class Begun:
    """What became of a Leave. key: of its door, b"" where it did not show that; kept_s: for how long it lies here."""

    status: Status
    key: bytes = b""
    kept_s: int = 0
    found: Deposit | None = None


@dataclass(frozen=True, slots=True)
class _Door:
    owner: int
    put_key: bytes
    ttl_s: int


def begin(tx: Tx, asked: Leave, n: int, nonce: bytes, age_s: int, allowance: int) -> Begun:
    """Takes room for a file that is announced, or finds what lies of it. allowance: bytes of files for one owner."""
    door = _door(tx, asked.sender)
    key = NOBODY if door is None else door.put_key
    if not deposit.is_left_by(asked, key, nonce, n) or door is None:
        return Begun(Status.GONE)
    row = tx.one(
        "SELECT id, bytes, bits, manifest, expires_s, sender FROM deposit WHERE owner = ? AND name = ?",
        (door.owner, asked.name),
    )
    if row is not None and row[4] <= age_s:
        _delete(tx, row[0])
        row = None
    if row is not None:
        is_same = (row[1], row[3], row[5]) == (asked.size, asked.manifest, asked.sender)
        if not is_same:  # its name is made from all of that
            return Begun(Status.REFUSED, door.put_key)
        return Begun(
            Status.OK, door.put_key, row[4] - age_s, Deposit(row[0], door.owner, row[1], bits_of(row[2]), row[3])
        )
    if not allowance:
        return Begun(Status.REFUSED, door.put_key)
    if _taken(asked.size) > allowance // SENDER_SHARE:
        return Begun(Status.TOO_BIG, door.put_key)
    if not _fits(tx, door.owner, asked, allowance):
        expire(tx, age_s)
        if not _fits(tx, door.owner, asked, allowance):
            return Begun(Status.QUOTA, door.put_key)
    ttl_s = min(asked.ttl_s, door.ttl_s)
    kept_s = min(ttl_s, PART_S)
    number = tx.insert(
        "INSERT INTO deposit (owner, sender, name, bytes, taken, bits, ttl_s, expires_s, manifest)"
        " VALUES (?, ?, ?, ?, ?, X'', ?, ?, ?)",
        (door.owner, asked.sender, asked.name, asked.size, _taken(asked.size), ttl_s, age_s + kept_s, asked.manifest),
    )
    return Begun(Status.OK, door.put_key, kept_s, Deposit(number, door.owner, asked.size, 0, asked.manifest))


def unbegun(tx: Tx, number: int) -> None:
    """A file that was announced cannot be taken now: where nothing of it is here it takes no room either."""
    tx.execute("DELETE FROM deposit WHERE id = ? AND bits = X''", (number,))


def turned_away(tx: Tx, asked: Leave, n: int, nonce: bytes, status: Status) -> Begun:
    """The same where nothing can be taken: this status to those who show the key of their door."""
    door = _door(tx, asked.sender)
    key = NOBODY if door is None else door.put_key
    is_shown = deposit.is_left_by(asked, key, nonce, n) and door is not None
    return Begun(status, key) if is_shown else Begun(Status.GONE)


def came(tx: Tx, number: int, place: int, age_s: int) -> bool:
    """A piece is on the disk; returns whether the file is still wanted here. The last one makes it stay its time."""
    row = tx.one("SELECT bytes, bits, ttl_s, expires_s FROM deposit WHERE id = ?", (number,))
    if row is None:
        return False
    size, raw, ttl_s, expires_s = row
    before = bits_of(raw)
    bits = before | 1 << place
    is_whole = bits.bit_count() == deposit.count(size)
    if bits != before:
        expires_s = age_s + (ttl_s if is_whole else min(ttl_s, PART_S))
    tx.execute("UPDATE deposit SET bits = ?, expires_s = ? WHERE id = ?", (bytes_of(bits), expires_s, number))
    return True


def seek(tx: Tx, mine: Owner, name: bytes, age_s: int) -> Deposit | None:
    """What lies here for an owner under a name."""
    row = tx.one(
        "SELECT id, bytes, bits, manifest FROM deposit WHERE owner = ? AND name = ? AND expires_s > ?",
        (mine.id, name, age_s),
    )
    return None if row is None else Deposit(row[0], mine.id, row[1], bits_of(row[2]), row[3])


def had(tx: Tx, mine: Owner, name: bytes) -> int:
    """An owner has a file, or wants it no more; returns its number, 0 where nothing lay here."""
    row = tx.one("DELETE FROM deposit WHERE owner = ? AND name = ? RETURNING id", (mine.id, name))
    return 0 if row is None else int(row[0])


def withdraw(tx: Tx, asked: Withdraw, n: int, nonce: bytes) -> tuple[Status, bytes, int]:
    """Who left a file takes it back: what became of it, the key of the door, and the number of the file, 0 for none."""
    door = _door(tx, asked.sender)
    key = NOBODY if door is None else door.put_key
    if not deposit.is_withdrawn_by(asked, key, nonce, n) or door is None:
        return Status.GONE, b"", 0
    row = tx.one(
        "DELETE FROM deposit WHERE owner = ? AND name = ? AND sender = ? RETURNING id",
        (door.owner, asked.name, asked.sender),
    )
    return Status.OK, door.put_key, 0 if row is None else int(row[0])


def expire(tx: Tx, age_s: int) -> bool:
    """Takes a slice of what is too old away; returns whether there is more of it."""
    rows = tx.all("SELECT id FROM deposit WHERE expires_s <= ? LIMIT ?", (age_s, SLICE))
    tx.executemany("DELETE FROM deposit WHERE id = ?", rows)
    return len(rows) == SLICE


def sweep(tx: Tx) -> bool:
    """Takes a slice away of what nobody could ask for: its owner is none any more, or its door is closed."""
    rows = tx.all(
        "SELECT d.id FROM deposit d WHERE NOT EXISTS (SELECT 1 FROM owner o WHERE o.id = d.owner AND o.permit > 0)"
        " OR NOT EXISTS (SELECT 1 FROM door e WHERE e.sender = d.sender) LIMIT ?",
        (SLICE,),
    )
    tx.executemany("DELETE FROM deposit WHERE id = ?", rows)
    return len(rows) == SLICE


def numbers(tx: Tx) -> frozenset[int]:
    """Of all files that lie here, or will."""
    return frozenset(number for (number,) in tx.all("SELECT id FROM deposit"))


def used(tx: Tx, contact: int) -> tuple[int, int]:
    """(bytes, files) that lie here for a contact who has a permit; part of one counts as all of it."""
    row = tx.one(
        "SELECT COALESCE(SUM(d.bytes), 0), COUNT(*) FROM permit p JOIN owner o ON o.permit = p.id"
        " JOIN deposit d ON d.owner = o.id WHERE p.contact = ?",
        (contact,),
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def _fits(tx: Tx, owner_id: int, asked: Leave, allowance: int) -> bool:
    """Whether the owner, the sender and the keeper have room for a file."""
    taken = _taken(asked.size)
    mine, his, every = (
        tx.one(f"SELECT COUNT(*), COALESCE(SUM(taken), 0) FROM deposit {where}", params) or (0, 0)
        for where, params in (
            ("WHERE owner = ?", (owner_id,)),
            ("WHERE owner = ? AND sender = ?", (owner_id, asked.sender)),
            ("", ()),
        )
    )
    return (
        mine[0] < COUNT_MAX
        and his[0] < COUNT_MAX // SENDER_SHARE
        and mine[1] + taken <= allowance
        and his[1] + taken <= allowance // SENDER_SHARE
        and every[1] + taken <= keeping.space(tx)
        and keeping.has_room(tx, ROW_BYTES + 2 * len(asked.manifest))
    )


def _taken(size: int) -> int:
    """What a file of so many bytes counts."""
    return max(size, DISK_BYTES_MIN)


def _door(tx: Tx, sender: bytes) -> _Door | None:
    row = tx.one(
        "SELECT o.id, d.put_key, q.ttl_s FROM door d JOIN queue q ON q.id = d.queue JOIN owner o ON o.id = q.owner"
        " WHERE d.sender = ? AND o.permit > 0 AND d.bits = 0 AND d.items_max >= ?",
        (sender, DOOR_ITEMS_MIN),
    )
    return None if row is None else _Door(*row)


def _delete(tx: Tx, number: int) -> None:
    tx.execute("DELETE FROM deposit WHERE id = ?", (number,))
