"""Writes tests/golden/schema.sql and keeping.sql: all tables as SQLite knows them. Run only with a new migration."""

import tempfile
from pathlib import Path

import trio

from store import own_keeper, schema
from store.database import Tx, Worker, open_database

PATH = Path(__file__).parents[1] / "golden" / "schema.sql"
KEEPING_PATH = PATH.with_name("keeping.sql")  # of a keeper of one's own, which has all tables that a keeper has


def dump(tx: Tx) -> str:
    """Every table and index, by name."""
    rows = tx.all("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name")
    return "".join(f"{sql};\n" for (sql,) in rows)


async def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for file, tables in ((PATH, schema.CORE), (KEEPING_PATH, own_keeper.TABLES)):
            async with open_database(Path(folder) / file.name, bytes(32), tables, Worker.INLINE) as db:
                file.write_text(await db.transact(dump))


if __name__ == "__main__":
    trio.run(_write)
