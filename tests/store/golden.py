"""Writes tests/golden/schema.sql: the tables of the store as SQLite knows them. Run only with a new migration."""

import tempfile
from pathlib import Path

import trio

from store import schema
from store.database import Tx, Worker, open_database

PATH = Path(__file__).parents[1] / "golden" / "schema.sql"


def dump(tx: Tx) -> str:
    """Every table and index, by name."""
    rows = tx.all("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name")
    return "".join(f"{sql};\n" for (sql,) in rows)


async def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        async with open_database(path, bytes(32), schema.CORE, Worker.INLINE) as db:
            PATH.write_text(await db.transact(dump))


if __name__ == "__main__":
    trio.run(_write)
