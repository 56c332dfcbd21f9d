"""Logs on a disk of memory: a transaction object, and what a log holds, checked from its first byte to its last."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protocol import entry, log
from protocol.entry import Entry
from store import connection, entries, logs, migrations, schema
from store.database import Tx
from store.entries import Held
from store.logs import Log
from tests.protocol import chains
from tests.protocol.chains import ANA, LOG, SECRET

KEY = bytes(range(32))
REF = b"pair 1"
MINE = log.log_id(SECRET, ANA.public, 9)


@contextmanager
def open_tx(path: Path = Path(":memory:")) -> Iterator[Tx]:
    """A transaction that is never committed, of a database with the tables of the store."""
    opened = connection.connect(path, KEY)
    try:
        migrations.run(opened, schema.CORE)
        opened.execute("BEGIN IMMEDIATE")
        yield Tx(opened)
    finally:
        opened.close()


def theirs(tx: Tx) -> Log:
    """Ana's log, as one of her contacts has it."""
    return logs.begin(tx, LOG, ANA.public, REF, own=False)


def mine(tx: Tx) -> Log:
    """A log that this database writes for Ana."""
    return logs.begin(tx, MINE, ANA.public, REF, own=True)


def take(tx: Tx, number: int, run: tuple[Entry, ...], content: bytes | None = chains.CONTENT) -> entries.Taken:
    """Takes a run in, in a savepoint; each of its entries has this content."""
    contents = [content] * len(run)
    return tx.attempt(entries.take_in, tx, number, chains.raws(run), contents, chains.AT_MS).unwrap()


def held(tx: Tx, number: int) -> tuple[Held, ...]:
    """All that a log holds; it chains from its start, every content is the one that is named, every hash right."""
    found = entries.read(tx, number, 0, 1 << 20, 1 << 30)
    of = logs.log(tx, number)
    head = None
    for at in range(0, len(found), log.RUN_ENTRIES_MAX):
        run = log.check_run([one.raw for one in found[at : at + log.RUN_ENTRIES_MAX]], head, of.author, of.id)
        head = chains.head_of(run[-1])
        for one, lying in zip(run, found[at:], strict=False):
            assert one.body.seq == lying.seq
            if lying.content is not None:
                entry.check_content(one.body, lying.content)
    assert entries.head(tx, number) == head
    return found


def raws(tx: Tx, number: int) -> tuple[bytes, ...]:
    """The entries of a log, checked."""
    return tuple(one.raw for one in held(tx, number))


def waiting(tx: Tx, number: int) -> list[int]:
    """Places of the entries of a log that wait."""
    return [seq for (seq,) in tx.all("SELECT seq FROM unchained WHERE log = ? ORDER BY seq", (number,))]
