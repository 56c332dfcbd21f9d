"""What can be read off a database without changing it: whether it is whole, how new it is, what waits in it.

Every function here takes an open transaction: of a running node (store/database.py), or of `open_still` for a database
that nobody uses. Not here: what a finding means for a person (node/doctor/).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from protocol.delivery import State
from store import whereabouts
from store.connection import connect_still, require_cipher
from store.database import Database, Migration, Tx
from store.faults import NoSqlCipher, StoreFault, StoreUnreadable

FAULTS_SHOWN = 5  # a damaged database may have a line for each page
RECENT_ROWS = 64  # of the newest messages: their times are not in order, but near each other


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Schema:
    """How old the tables are. ran: how many migrations made them; pending: of this weft, not run yet; newer: unknown.

    Migrations are named "room number".
    """

    ran: int
    pending: tuple[str, ...]
    newer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was said to a contact and is not delivered: how many messages, and the time of the oldest in ms.

    kept: how many of them keepers have; where: who has these, and until when, in one line. keepers: the names of those
    with whom others can be left.
    """

    count: int
    since_ms: int
    kept: int = 0
    where: str = ""
    keepers: tuple[str, ...] = ()


@contextmanager
def open_still(path: Path, key: bytes) -> Iterator[Tx]:
    """A database that no node uses, only to be read (connection.connect_still), until the block is left."""
    index = path.with_name(f"{path.name}-shm")
    had_index = index.exists()
    connection = connect_still(path, key)
    try:
        yield Tx(connection)
    finally:
        connection.close()
        if not had_index:
            with suppress(OSError):
                index.unlink()  # of the log: made to read it, of no use to a node


def answer(tx: Tx, f: Callable[..., T], *args: Any) -> T:
    """The result of f(tx, *args). Raises: StoreUnreadable instead of the database's own errors; what f raises."""
    sqlite = _sqlite()
    try:
        return f(tx, *args)
    except sqlite.Error as error:
        raise StoreUnreadable(_said(error)) from None


async def asked(database: Database, f: Callable[..., T], *args: Any) -> T:
    """The result of f(tx, *args) from the database of a running node. Raises: StoreUnreadable, what f raises."""
    sqlite = _sqlite()
    try:
        return await database.transact(answer, f, *args)
    except (sqlite.Error, StoreFault) as error:  # the transaction itself failed
        raise StoreUnreadable(_said(error)) from None


def cipher_version() -> str:
    """The version of SQLCipher that this Python has. Raises: NoSqlCipher."""
    connection = _sqlite().connect(":memory:")
    try:
        require_cipher(connection)
        return str(connection.execute("PRAGMA cipher_version").fetchone()[0]).split()[0]
    finally:
        connection.close()


def schema(tx: Tx, migrations: Sequence[Migration]) -> Schema:
    """How the tables stand to the migrations of this weft."""
    ran = [(str(room), int(number)) for room, number in tx.all("SELECT room, number FROM migration ORDER BY 1, 2")]
    known = [(one.room, one.number) for one in migrations]
    rooms = {room for room, _ in known}
    pending = [one for one in known if one not in ran]
    newer = [one for one in ran if one[0] in rooms and one not in known]
    return Schema(len(ran), _names(pending), _names(newer))


def sizes(tx: Tx) -> tuple[int, int]:
    """The bytes of the database, and how many of them are free for what comes."""
    page, count, free = (_number(tx, f"PRAGMA {name}") for name in ("page_size", "page_count", "freelist_count"))
    return page * count, page * free


def tables(tx: Tx) -> tuple[str, ...]:
    """The names of all tables."""
    return tuple(str(name) for (name,) in tx.all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"))


def faults(tx: Tx, more: Callable[[], bool], table: str = "") -> tuple[str, ...] | None:
    """What is wrong with the pages and indexes of a table, "" for all: the first lines of it, () when nothing is.

    None when `more` said no before the end.
    """
    sqlite = _sqlite()
    quoted = table.replace("'", "''")
    try:
        with tx.bounded(more):
            rows = tx.all(f"PRAGMA integrity_check('{quoted}')" if table else "PRAGMA integrity_check")
    except sqlite.OperationalError:
        if more():
            raise
        return None
    return tuple(str(line) for (line,) in rows[:FAULTS_SHOWN] if line != "ok")


def broken_seals(tx: Tx) -> tuple[str, ...]:
    """Which pages of the file were changed by something else than weft: the first lines of it, () for none.

    Reads the whole file, about 400 MB a second.
    """
    return tuple(str(line) for (line,) in tx.all("PRAGMA cipher_integrity_check")[:FAULTS_SHOWN])


def newest_ms(tx: Tx) -> int:
    """The latest time of our own clock that was kept here, in ms; 0 for none."""
    return max(
        _number(tx, "SELECT COALESCE(MAX(transport_since_ms), 0) FROM identity"),
        _number(tx, "SELECT COALESCE(MAX(MAX(created_ms, seen_ms)), 0) FROM contact"),
        _number(
            tx,
            "SELECT COALESCE(MAX(MAX(arrived_ms, state_ms)), 0) FROM"
            f" (SELECT arrived_ms, state_ms FROM message ORDER BY seq DESC LIMIT {RECENT_ROWS})",
        ),
    )


def offsets_s(tx: Tx) -> tuple[int, ...]:
    """How many seconds the clocks of contacts' devices are known to be ahead of ours, the smallest first."""
    return tuple(int(offset_s) for (offset_s,) in tx.all("SELECT offset_s FROM clock ORDER BY offset_s"))


def waiting(tx: Tx, unsaid: Collection[int], now_ms: int) -> dict[int, Waiting]:
    """What is not delivered, by contact. unsaid: the kinds that nodes tell each other by themselves."""
    kinds = ", ".join(map(str, sorted(unsaid)))
    rows = tx.all(
        "SELECT m.contact, COUNT(DISTINCT m.seq), MIN(m.at_ms) FROM delivery d JOIN message m ON m.seq = d.message"
        f" WHERE d.state < {int(State.DELIVERED)} AND m.kind NOT IN ({kinds}) GROUP BY m.contact"
    )
    found = {}
    for contact, count, since_ms in rows:
        lying = whereabouts.lying(tx, contact, now_ms, lambda kind: kind not in unsaid)
        names = tuple(dict.fromkeys(whereabouts.keepers_of(tx, contact).values()))
        where = whereabouts.said_of(lying.values())
        found[int(contact)] = Waiting(int(count), int(since_ms), len(lying), where, names)
    return found


def knocked(tx: Tx) -> dict[int, int]:
    """Until when (ms) our request lies at a keeper of somebody whom we ask, by contact."""
    if "knocked" not in tables(tx):  # of an older weft
        return {}
    return {int(contact): int(until_ms) for contact, until_ms in tx.all("SELECT contact, until_ms FROM knocked")}


def _sqlite() -> Any:
    try:
        from sqlcipher3 import dbapi2
    except ImportError:
        raise NoSqlCipher from None
    return dbapi2


def _said(error: Exception) -> str:
    return f"The database cannot be read: {error}. Nothing was changed."


def _number(tx: Tx, sql: str) -> int:
    row = tx.one(sql)
    assert row is not None
    return int(row[0])


def _names(migrations: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{room} {number}" for room, number in migrations)
