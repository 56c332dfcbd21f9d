"""How the tables of a room come from one number to the next. The migrations themselves: schema.py and the rooms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from store.faults import StoreNewer


@dataclass(frozen=True, slots=True)
class Migration:
    """Statements that bring a room's tables from one number to the next; released ones are never edited.

    sql: statements that end in semicolons and have none inside, but for triggers, which end in END.
    """

    room: str
    number: int
    sql: str


def run(connection: Any, migrations: Sequence[Migration]) -> None:
    """Runs what is new, all in one transaction. Raises: StoreNewer, SQLite's errors; with nothing changed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration ("
            " room TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (room, number)) STRICT, WITHOUT ROWID"
        )
        ran = set(connection.execute("SELECT room, number FROM migration").fetchall())
        known = {(one.room, one.number) for one in migrations}
        assert len(known) == len(migrations), "two migrations have one number"
        rooms = {room for room, _ in known}
        if any(room in rooms and (room, number) not in known for room, number in ran):
            raise StoreNewer
        for one in migrations:
            if (one.room, one.number) not in ran:
                for statement in statements(one.sql):
                    connection.execute(statement)
                connection.execute("INSERT INTO migration (room, number) VALUES (?, ?)", (one.room, one.number))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def statements(sql: str) -> Iterator[str]:
    """The statements of a migration, one by one, without their semicolons."""
    begun = ""
    for piece in sql.split(";"):
        begun += piece
        if begun.lstrip().startswith("CREATE TRIGGER") and piece.split()[-1:] != ["END"]:
            begun += ";"
        elif begun.strip():
            yield begun
            begun = ""
