"""A log without weft: a chain to take in, and the bare loop that takes it, for logs.py and replicate.py."""

import hashlib
import sqlite3
from pathlib import Path

import nacl.signing

from crypto.keys import SigningKey
from protocol import entry, log
from protocol.entry import Entry, Kind

KEY = SigningKey(bytes(range(32)))
SECRET = bytes(range(32))
LOG = log.log_id(SECRET, KEY.public, 0)
CONTENT = bytes(168)  # as long as the shortest sealed one
NOW_MS = 1_800_000_000_000
BARE_KEY = nacl.signing.SigningKey(bytes(KEY.seed))
_SIGNED = BARE_KEY.sign(b"x" * 145)


def chain(count: int) -> list[tuple[bytes, bytes]]:
    """(entry, content) of a whole log."""
    found: list[tuple[bytes, bytes]] = []
    before: Entry | None = None
    length, content_hash = entry.about(CONTENT)
    for seq in range(count):
        prev = None if before is None else before.id
        body = entry.Body(KEY.public, LOG, seq, prev, NOW_MS, (), Kind.SEALED, length, content_hash)
        before = entry.write(body, KEY)
        found.append((before.raw, CONTENT))
    return found


def opened(file: Path) -> sqlite3.Connection:
    """Plain SQLite, durable, with a row for each entry."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, raw BLOB, content BLOB)")
    return connection


def take(connection: sqlite3.Connection, run: list[tuple[bytes, bytes]], first: int, each: int) -> None:
    """Every `each`-th signature is checked; the hash of each entry and of its content is made; then one commit."""
    rows = []
    for seq, (raw, content) in enumerate(run, start=first):
        hashlib.blake2b(raw, digest_size=32).digest()
        hashlib.blake2b(content, digest_size=32).digest()
        if seq % each == 0:
            BARE_KEY.verify_key.verify(_SIGNED)
        rows.append((seq, raw, content))
    insert(connection, rows)


def insert(connection: sqlite3.Connection, rows: list[tuple[int, bytes, bytes]]) -> None:
    """The rows, in one commit."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO entry (seq, raw, content) VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")
