"""The database of a keeper, apart from the one of its person: its tables, its space, and the clock by which it ages.

    permit ── owner ──┬── queue ── door          what somebody may have here; his key; what lies there for him,
                      │     └───── parcel        and through which doors it came
                      ├── laid                   records of the DHT
                      └── deposit                files; their pieces lie beside the database

It knows no account, no device and no name: an owner is a key made for this keeper alone, a contact a number that means
something in the other database. Age is in seconds of the keeper's own clock (docs/protocol/keep.md 6). Not here:
permits (permits.py), what lies here (shelves.py), files (deposits.py), records (laid.py).
"""

from crypto import hashing
from crypto.hashing import Label
from store.connection import PAGE_BYTES
from store.database import Migration, Tx

DAY_S = 86_400
STOP_S_MAX = DAY_S  # of a stop that counts: a clock that is further off than that is rather wrong than right
SPACE_BYTES = 1 << 30  # what a person gives to others unless he says otherwise

_TABLES = """
CREATE TABLE change (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, key INTEGER NOT NULL) STRICT;

CREATE TABLE keeping (
  id INTEGER PRIMARY KEY CHECK (id = 1), space INTEGER NOT NULL, age_s INTEGER NOT NULL, wall_s INTEGER NOT NULL
) STRICT;

CREATE TABLE permit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL UNIQUE, name BLOB NOT NULL UNIQUE,
  secret BLOB NOT NULL, space INTEGER NOT NULL, ttl_s INTEGER NOT NULL, seen_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE owner (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, permit INTEGER NOT NULL UNIQUE,
  seq INTEGER NOT NULL, bytes INTEGER NOT NULL, items INTEGER NOT NULL, queues INTEGER NOT NULL
) STRICT;

CREATE TABLE queue (
  id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL, reader BLOB NOT NULL, items_max INTEGER NOT NULL,
  bytes_max INTEGER NOT NULL, ttl_s INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX queue_reader ON queue (owner, reader);

CREATE TABLE door (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sender BLOB NOT NULL UNIQUE, queue INTEGER NOT NULL, put_key BLOB NOT NULL,
  items_max INTEGER NOT NULL, bits INTEGER NOT NULL, items INTEGER NOT NULL
) STRICT;
CREATE INDEX door_queue ON door (queue);

CREATE TABLE parcel (
  place INTEGER PRIMARY KEY, queue INTEGER NOT NULL, door INTEGER NOT NULL, name BLOB NOT NULL,
  expires_s INTEGER NOT NULL, envelope BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX parcel_once ON parcel (queue, name);
CREATE INDEX parcel_expires ON parcel (expires_s);

CREATE TABLE laid (
  name BLOB NOT NULL, owner INTEGER NOT NULL, sequence INTEGER NOT NULL, expires_s INTEGER NOT NULL, raw BLOB NOT NULL,
  PRIMARY KEY (name, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX laid_owner ON laid (owner);
CREATE INDEX laid_expires ON laid (expires_s);
"""

_NOTES = "ALTER TABLE owner ADD COLUMN note BLOB NOT NULL DEFAULT x'';"

_DEPOSITS = """
CREATE TABLE deposit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL, sender BLOB NOT NULL, name BLOB NOT NULL,
  bytes INTEGER NOT NULL, taken INTEGER NOT NULL, bits BLOB NOT NULL, ttl_s INTEGER NOT NULL,
  expires_s INTEGER NOT NULL, manifest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX deposit_name ON deposit (owner, name);
CREATE INDEX deposit_taken ON deposit (owner, sender, taken);
CREATE INDEX deposit_expires ON deposit (expires_s);
"""

KEEPING: tuple[Migration, ...] = (
    Migration("keeping", 1, _TABLES),
    Migration("keeping", 2, _NOTES),
    Migration("keeping", 3, _DEPOSITS),
)


def keeping_key(database_key: bytes) -> bytes:
    """The key of this database, 32 bytes, from that of the person's own: one vault opens both."""
    return hashing.subkey(database_key, Label.KEEP, b"database")


def begin(tx: Tx, wall_s: int) -> int:
    """The age at a start. wall_s: what the clock of the machine says.

    A stop counts when it took between no time and a day by that clock, and else not at all (keep 6.2).
    """
    row = tx.one("SELECT age_s, wall_s FROM keeping WHERE id = 1")
    if row is None:
        tx.execute("INSERT INTO keeping (id, space, age_s, wall_s) VALUES (1, ?, 0, ?)", (SPACE_BYTES, wall_s))
        return 0
    age_s, before_s = row
    stop_s = wall_s - before_s
    age_s = int(age_s) + (stop_s if 0 <= stop_s <= STOP_S_MAX else 0)
    tick(tx, age_s, wall_s)
    return age_s


def tick(tx: Tx, age_s: int, wall_s: int) -> None:
    """Writes down how old the keeper is, and at which time of the machine."""
    tx.execute("UPDATE keeping SET age_s = ?, wall_s = ? WHERE id = 1", (age_s, wall_s))


def give(tx: Tx, space_bytes: int) -> None:
    """From now on the file may grow to so many bytes; what lies there already stays."""
    tx.execute("UPDATE keeping SET space = ? WHERE id = 1", (space_bytes,))


def space(tx: Tx) -> int:
    """To how many bytes the file may grow."""
    row = tx.one("SELECT space FROM keeping WHERE id = 1")
    return SPACE_BYTES if row is None else int(row[0])


def has_room(tx: Tx, more_bytes: int) -> bool:
    """Whether the file has room for so many bytes more, in pages that are free or beyond its end (keep 5.3)."""
    return size(tx) + more_bytes <= space(tx)


def size(tx: Tx) -> int:
    """How many bytes of the file are in use."""
    (pages,) = tx.one("PRAGMA page_count") or (0,)
    (free,) = tx.one("PRAGMA freelist_count") or (0,)
    return (int(pages) - int(free)) * PAGE_BYTES
