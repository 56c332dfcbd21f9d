"""What a search without an index is: LIKE over texts in a database of their own, stored as the node stores."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

KEY = bytes(32)


def plain(path: Path, texts: Iterable[str]) -> Any:
    """The texts in a table of their own, stored as the node stores."""
    from sqlcipher3 import dbapi2

    connection = dbapi2.connect(str(path))
    for pragma in (f"key = \"x'{KEY.hex()}'\"", "cipher_page_size = 2048", "cache_size = -16384", "journal_mode = WAL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("CREATE TABLE message (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
    with connection:
        connection.executemany("INSERT INTO message (text) VALUES (?)", ((text,) for text in texts))
    return connection


def like(plain: Any, word: str) -> int:
    """How many messages, 50 at most, a search without an index finds."""
    rows = plain.execute("SELECT seq FROM message WHERE text LIKE ? ORDER BY seq DESC LIMIT 50", (f"%{word}%",))
    return len(rows.fetchall())
