"""A process that works on logs until it is killed, and says what was committed after each commit.

    python -m tests.store.log_victim FOLDER

It appends to Ana's own log, alone and many at once, carries runs of it to Bo's copy in a second database, and deletes
contents there. Lines: `appended SEQ ID`, `taken SEQ ID`, `deleted SEQ`.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from protocol.entry import Entry, Kind
from store import entries, logs, schema
from store.database import Database, Tx, Worker, open_database
from store.entries import Draft
from tests.protocol import chains
from tests.protocol.chains import ANA, AT_MS
from tests.store import log_kit

TOGETHER = 8  # appends that wait for one commit
RUN = 20
OWN = "ana.db", True
COPY = "bo.db", False


def content_of(number: int) -> bytes:
    """A content of its own length for each."""
    return f"content {number} ".encode() * (1 + number % 50)


def append(tx: Tx, number: int, count: int) -> tuple[Entry, ...]:
    """So many entries after what is there."""
    head = entries.head(tx, number)
    seq = 0 if head is None else head.seq + 1
    return entries.append(tx, number, [Draft(Kind.PUBLIC, content_of(seq + n)) for n in range(count)], ANA, AT_MS)


def tell(*lines: str) -> None:
    """Past all buffers: what is printed was committed."""
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


@asynccontextmanager
async def open_log(folder: Path, name: str, own: bool) -> AsyncIterator[tuple[Database, int]]:
    """A database and the row of Ana's log in it."""
    async with open_database(folder / name, log_kit.KEY, schema.CORE, Worker.THREAD) as database:
        yield database, (await database.transact(logs.begin, chains.LOG, ANA.public, b"", own)).number


async def _append_one(database: Database, number: int, count: int) -> None:
    made = await database.transact(append, number, count)
    tell(*(f"appended {one.body.seq} {one.id.hex()}" for one in made))


async def _carry(ana: tuple[Database, int], bo: tuple[Database, int]) -> None:
    """The next runs of the log, the second before the first, so that it waits."""
    head = await bo[0].transact(entries.head, bo[1])
    first = 0 if head is None else head.seq + 1
    for at in (first + RUN, first):
        run = await ana[0].transact(entries.read, ana[1], at, RUN, 1 << 20)
        if run:
            raws, contents = [one.raw for one in run], [one.content for one in run]
            taken = await bo[0].transact(entries.take_in, bo[1], raws, contents, AT_MS)
            tell(*(f"taken {one.body.seq} {one.id.hex()}" for one in taken.entries))


async def main(folder: Path) -> None:
    """Opens both, made or as the last victim left them, and works without end."""
    async with open_log(folder, *OWN) as ana, open_log(folder, *COPY) as bo:
        while True:
            async with trio.open_nursery() as nursery:
                for count in range(TOGETHER):
                    nursery.start_soon(_append_one, *ana, 1 + count % 3)
            await _carry(ana, bo)
            head = await bo[0].transact(entries.head, bo[1])
            if head is not None:
                gone = [seq for seq in range(max(0, head.seq - 40), head.seq) if seq % 7 == 0]
                await bo[0].transact(entries.detach, bo[1], gone)
                tell(*(f"deleted {seq}" for seq in gone))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
