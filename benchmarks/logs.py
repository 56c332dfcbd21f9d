"""logs.append, append_group, append_batch, import_head, import_each: signed entries, chained and durable.

The shipped store in its default configuration (SQLCipher, `PRAGMA synchronous` is read back and shown), with a content
of 168 bytes beside each entry, which is sealed already. Each has the bare loop beside it, in turn: PyNaCl, hashlib, and
a row for each entry in plain SQLite with synchronous=FULL; no CBOR, no checks but the signatures, no encrypted disk.
"""

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from benchmarks import bare_logs, figures, replicate
from benchmarks.bare_logs import CONTENT, KEY, LOG, NOW_MS, SECRET
from protocol import entry
from protocol.entry import Kind
from store import database, entries, logs, schema
from store.database import Database, Tx, Worker, open_database
from store.entries import Draft

RUNS = 5
IMPORTS = 3  # runs of those that take seconds
ONE = 500  # appends, each durable before the next
GROUPED = 6_400
CALLERS = 64
BATCHED = 20_000
BATCH = 100
IMPORTED = 100_000
RUN = 128  # entries of one frame: 48 KiB with their contents
FRAMES = 8  # in one commit
DRAFT = Draft(Kind.SEALED, CONTENT)

Work = Callable[[Database, int], Awaitable[None]]


def main() -> None:
    """Prints the five figures, and those of replicate.py."""
    chain = bare_logs.chain(IMPORTED)
    with tempfile.TemporaryDirectory(prefix="weft-logs-") as folder:
        place = Path(folder)
        for name, count, ours, bare in (
            ("append", ONE, _append_one_by_one, partial(_bare_append, batch=1)),
            ("append_group", GROUPED, _append_together, partial(_bare_append, batch=CALLERS)),
            ("append_batch", BATCHED, _append_batches, partial(_bare_append, batch=BATCH)),
            ("import_head", IMPORTED, partial(_import, chain=chain), partial(_bare_import, chain=chain, each=RUN)),
            ("import_each", IMPORTED, partial(_import_each, chain=chain), partial(_bare_import, chain=chain, each=1)),
        ):
            mine, floor = figures.in_turn(
                RUNS if count < IMPORTED else IMPORTS,
                partial(_ours, place, count, ours, name.startswith("append")),
                partial(_bare, place, count, bare),
            )
            figures.show(f"logs.{name}", mine, "1/s", "higher", "bare loop", floor, synchronous=_synchronous(place))
    replicate.main()


# --- ours


def _ours(folder: Path, count: int, work: Work, own: bool) -> float:
    """Entries a second, in a database of its own."""

    async def run() -> float:
        async with open_database(_fresh(folder), SECRET, schema.CORE, Worker.THREAD) as opened:
            number = (await opened.transact(logs.begin, LOG, KEY.public, b"", own)).number
            began = time.perf_counter()
            await work(opened, number)
            spent = time.perf_counter() - began
            newest = await opened.transact(entries.head, number)
            assert newest is not None
            assert newest.seq == count - 1
            return count / spent

    return trio.run(run)


def _append(tx: Tx, number: int, count: int) -> None:
    entries.append(tx, number, [DRAFT] * count, KEY, NOW_MS)


async def _append_one_by_one(opened: Database, number: int) -> None:
    for _ in range(ONE):
        await opened.brief(_append, number, 1)


async def _append_together(opened: Database, number: int) -> None:
    async def call() -> None:
        for _ in range(GROUPED // CALLERS):
            await opened.transact(_append, number, 1)

    async with trio.open_nursery() as nursery:
        for _ in range(CALLERS):
            nursery.start_soon(call)


async def _append_batches(opened: Database, number: int) -> None:
    for _ in range(BATCHED // BATCH):
        await opened.transact(_append, number, BATCH)


def _take(tx: Tx, number: int, chain: list[tuple[bytes, bytes]]) -> None:
    for at in range(0, len(chain), RUN):
        raws, contents = zip(*chain[at : at + RUN], strict=True)
        entries.take_in(tx, number, raws, contents, NOW_MS)


def _take_each(tx: Tx, number: int, chain: list[tuple[bytes, bytes]]) -> None:
    for raw, _ in chain:
        entry.open(raw, KEY.public)
    _take(tx, number, chain)


async def _import(opened: Database, number: int, chain: list[tuple[bytes, bytes]]) -> None:
    for at in range(0, len(chain), RUN * FRAMES):
        await opened.transact(_take, number, chain[at : at + RUN * FRAMES])


async def _import_each(opened: Database, number: int, chain: list[tuple[bytes, bytes]]) -> None:
    for at in range(0, len(chain), RUN * FRAMES):
        await opened.transact(_take_each, number, chain[at : at + RUN * FRAMES])


# --- the bare loop


def _bare(folder: Path, count: int, work: Callable[[sqlite3.Connection, int], None]) -> float:
    connection = bare_logs.opened(_fresh(folder))
    began = time.perf_counter()
    work(connection, count)
    spent = time.perf_counter() - began
    connection.close()
    return count / spent


def _bare_append(connection: sqlite3.Connection, count: int, batch: int) -> None:
    before = bytes(32)
    for first in range(0, count, batch):
        rows = []
        for seq in range(first, first + batch):
            raw = bytes(bare_logs.BARE_KEY.sign(b"x" * 113 + before))
            before = hashlib.blake2b(raw, digest_size=32).digest()
            rows.append((seq, raw, CONTENT))
        bare_logs.insert(connection, rows)


def _bare_import(connection: sqlite3.Connection, count: int, chain: list[tuple[bytes, bytes]], each: int) -> None:
    for first in range(0, count, RUN * FRAMES):
        bare_logs.take(connection, chain[first : first + RUN * FRAMES], first, each)


def _fresh(folder: Path) -> Path:
    """A file that is not there yet; those of the runs before are gone."""
    for file in folder.iterdir():
        file.unlink()
    return folder / f"{time.monotonic_ns()}.db"


def _synchronous(folder: Path) -> str:
    async def run() -> str:
        async with open_database(_fresh(folder), SECRET, schema.CORE, Worker.INLINE) as opened:
            return await opened.transact(database.synchronous)

    return trio.run(run)
