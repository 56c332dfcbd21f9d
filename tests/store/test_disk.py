"""A disk that is full, fails or is damaged: what was kept stays, the rest is said, and no byte is overwritten."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from store import connection, schema
from store.database import Database, Migration, Tx, Worker, open_database
from store.faults import LogDamaged, StoreDamaged, StoreFault, StoreFull, StoreUnwritable, WrongKey
from tests.store.kit import KEY

ITEM = Migration("items", 1, "CREATE TABLE item (n INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;")
SMALL = (*schema.CORE, ITEM)
PAGES = 200
SIZE = 1500  # bytes of a row
BOTH = pytest.mark.parametrize("worker", list(Worker))


def put(tx: Tx, n: int, size: int = 0) -> int:
    tx.execute("INSERT INTO item (n, raw) VALUES (?, ?)", (n, os.urandom(size)))
    return n


def among_rows(raw: bytes) -> int:
    """A place in a file that `used` has left, in a page with rows about 50: they were written last."""
    return len(raw) - 51 * SIZE


def kept(tx: Tx) -> list[int]:
    return [row[0] for row in tx.all("SELECT n FROM item ORDER BY n")]


def limit(tx: Tx, pages: int) -> None:
    """Makes the disk as large as so many pages: SQLite then says what it says of a full one."""
    tx.execute(f"PRAGMA max_page_count = {pages}").fetchall()


def swallow(tx: Tx) -> str:
    """A job that tries something and would go on without it."""
    tx.attempt(put, tx, 7, PAGES * connection.PAGE_BYTES)
    return "went on"


async def fill(database: Database) -> None:
    await database.transact(put, 1)
    await database.transact(limit, PAGES)


@BOTH
async def test_a_full_disk_keeps_nothing_of_a_group_and_all_that_was_there(tmp_path: Path, worker: Worker) -> None:
    faults: list[StoreFault] = []
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as database:
        await fill(database)

        async def ask(n: int, size: int) -> None:
            try:
                await database.transact(put, n, size)
            except StoreFull as fault:
                faults.append(fault)

        async with trio.open_nursery() as nursery:
            for n in range(10, 20):
                nursery.start_soon(ask, n, PAGES * connection.PAGE_BYTES)
        with trio.fail_after(1):
            await database.failed()
        assert isinstance(database.trouble, StoreFull)
        assert len(faults) == 10
        await database.transact(limit, 10 * PAGES)
        assert await database.transact(kept) == [1]
        assert isinstance(database.trouble, StoreFull)  # that it can be read says nothing
        await database.transact(put, 2)
        assert database.trouble is None
        with trio.move_on_after(0.01) as waited:
            await database.failed()
        assert waited.cancelled_caught
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as database:
        assert await database.transact(kept) == [1, 2]


@BOTH
async def test_who_only_reads_does_not_fail_with_one_who_writes(tmp_path: Path, worker: Worker) -> None:
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as database:
        await fill(database)
        found: list[list[int]] = []

        async def write() -> None:
            with pytest.raises(StoreFull):
                await database.transact(put, 2, PAGES * connection.PAGE_BYTES)

        async def read() -> None:
            found.append(await database.transact(kept))

        async with trio.open_nursery() as nursery:
            for ask in (write, read, write, read, write):
                nursery.start_soon(ask)
        assert found == [[1], [1]]


async def test_a_full_disk_is_nobodys_result(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as database:
        await fill(database)
        with pytest.raises(StoreFull):
            await database.transact(swallow)
        await database.transact(limit, 10 * PAGES)
        assert await database.transact(swallow) == "went on"


async def test_a_file_that_may_not_grow_is_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.THREAD) as database:
        await database.transact(put, 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "x.db-wal").stat().st_size, before[1]))
        try:
            for doing in (database.transact, database.brief):
                with pytest.raises(StoreUnwritable):
                    await doing(put, 2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await database.transact(put, 3)
        assert await database.read(kept) == [1, 3]


async def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StoreUnwritable):
            async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE):
                raise AssertionError
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as database:
        assert await database.transact(kept) == []


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


async def used(folder: Path) -> dict[str, bytes]:
    """The files of a database as a killed node leaves them: the newest rows stand in its log alone."""
    async with open_database(folder / "x.db", KEY, SMALL, Worker.INLINE) as database:
        for n in range(1, 101):
            await database.transact(put, n, SIZE)
    async with open_database(folder / "x.db", KEY, SMALL, Worker.INLINE) as database:
        await database.transact(put, 101)
        left = files(folder)
    for name, raw in left.items():
        (folder / name).write_bytes(raw)
    return left


def flip(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "header overwritten": lambda raw: os.urandom(64) + raw[64:],
    "one bit of the header": lambda raw: flip(raw, 20),
    "tail cut": lambda raw: raw[: len(raw) // 2],
    "cut inside a page": lambda raw: raw[: len(raw) // 2 + 100],
    "a plain database": lambda raw: b"SQLite format 3\0" + raw[16:],
    "a few bytes": lambda raw: raw[:100],
    "another file": lambda raw: b"hello, world\n" * 1000,
}


@pytest.mark.parametrize("broken", sorted(BROKEN))
async def test_a_broken_file_is_refused_and_left_as_it_is(tmp_path: Path, broken: str) -> None:
    await used(tmp_path)
    path = tmp_path / "x.db"
    path.write_bytes(BROKEN[broken](path.read_bytes()))
    (tmp_path / "x.db-wal").unlink()
    before = files(tmp_path)
    with pytest.raises(WrongKey):
        async with open_database(path, KEY, SMALL, Worker.INLINE):
            raise AssertionError
    assert files(tmp_path) == before


@pytest.mark.parametrize("broken", ["a wrong key", "header overwritten"])
async def test_a_refusal_does_not_touch_the_log_either(tmp_path: Path, broken: str) -> None:
    left = await used(tmp_path)
    path, key = tmp_path / "x.db", KEY
    if broken == "a wrong key":
        key = bytes(32)
    else:
        path.write_bytes(BROKEN[broken](left["x.db"]))
    before = files(tmp_path)
    assert len(before["x.db-wal"]) > 0
    with pytest.raises(WrongKey):
        async with open_database(path, key, SMALL, Worker.INLINE):
            raise AssertionError
    assert files(tmp_path) == before
    path.write_bytes(left["x.db"])
    async with open_database(path, KEY, SMALL, Worker.INLINE) as database:
        assert (await database.transact(kept))[-1] == 101


async def test_a_log_that_never_was_one_is_refused(tmp_path: Path) -> None:
    left = await used(tmp_path)
    (tmp_path / "x.db-wal").write_bytes(os.urandom(5000))
    before = files(tmp_path)
    with pytest.raises(LogDamaged):
        async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE):
            raise AssertionError
    assert files(tmp_path) == before
    (tmp_path / "x.db-wal").write_bytes(left["x.db-wal"])
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as database:
        assert (await database.transact(kept))[-1] == 101


async def test_a_first_page_half_written_is_whole_in_the_log_and_opens(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, KEY, SMALL, Worker.INLINE) as database:
        await database.transact(put, 1, 50 * connection.PAGE_BYTES)  # the file grows, so its first page changes
        left = files(tmp_path)
    path.write_bytes(left["x.db"][:1024] + os.urandom(1024) + left["x.db"][2048:])
    (tmp_path / "x.db-wal").write_bytes(left["x.db-wal"])
    async with open_database(path, KEY, SMALL, Worker.INLINE) as database:
        assert await database.transact(kept) == [1]


@BOTH
async def test_a_page_found_bad_while_running_is_told_each_time(tmp_path: Path, worker: Worker) -> None:
    left = await used(tmp_path)
    (tmp_path / "x.db").write_bytes(flip(left["x.db"], among_rows(left["x.db"])))
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as database:
        read = "SELECT SUM(LENGTH(raw)) FROM item"
        for _ in range(3):
            with pytest.raises(StoreDamaged):
                await database.transact(lambda tx: tx.one(read))
            with pytest.raises(StoreDamaged):
                await database.read(lambda tx: tx.one(read))
            with pytest.raises(StoreDamaged):  # SQLCipher writes no more into it
                await database.transact(put, 200)
        assert isinstance(database.trouble, StoreDamaged)


READS = ("transact", "read", "brief")


def one(tx: Tx, n: int) -> int:
    """Reads a row of which no page is in memory when it is asked for the first time; the damage is at 50."""
    row = tx.one("SELECT LENGTH(raw) FROM item WHERE n = ?", (n,))
    assert row is not None
    return int(row[0])


def whole(tx: Tx) -> object:
    """Reads every page."""
    return tx.one("SELECT SUM(LENGTH(raw)) FROM item")


@BOTH
@pytest.mark.parametrize("meets", READS)
async def test_what_is_not_on_a_damaged_page_is_read_after_it_was_met(
    tmp_path: Path, worker: Worker, meets: str
) -> None:
    left = await used(tmp_path)
    (tmp_path / "x.db").write_bytes(flip(left["x.db"], among_rows(left["x.db"])))
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as database:
        await database.transact(put, 300, SIZE)  # stands in the log alone
        for n, again in enumerate(READS, 1):
            with pytest.raises(StoreDamaged):
                await getattr(database, meets)(whole)
            assert await getattr(database, again)(one, n) == SIZE
            for write in (database.transact, database.brief):
                with pytest.raises(StoreDamaged):
                    await write(put, 200)
            assert await database.read(one, 100 - n) == SIZE
            assert await database.read(one, 300) == SIZE
            assert isinstance(database.trouble, StoreDamaged)  # that it can be read says nothing
        with trio.fail_after(1):
            await database.failed()


@BOTH
async def test_who_reads_beside_one_who_meets_a_damaged_page_gets_his_rows(tmp_path: Path, worker: Worker) -> None:
    left = await used(tmp_path)
    (tmp_path / "x.db").write_bytes(flip(left["x.db"], among_rows(left["x.db"])))
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as database:
        found: list[int] = []

        async def meet() -> None:
            with pytest.raises(StoreDamaged):
                await database.transact(whole)

        async def read(n: int) -> None:
            found.append(await database.transact(one, n))

        async with trio.open_nursery() as nursery:
            for n in (1, 2, 98, 99):
                nursery.start_soon(meet)
                nursery.start_soon(read, n)
        assert found == [SIZE] * 4


@BOTH
async def test_a_damaged_file_that_opens_no_more_fails_each_job_until_it_does(tmp_path: Path, worker: Worker) -> None:
    left = await used(tmp_path)
    path = tmp_path / "x.db"
    damaged = flip(left["x.db"], among_rows(left["x.db"]))
    path.write_bytes(damaged)
    async with open_database(path, KEY, SMALL, worker) as database:
        with pytest.raises(StoreDamaged):
            await database.transact(whole)
        path.write_bytes(flip(damaged, 100))  # its first page too
        for ask in (database.transact, database.read, database.brief):
            with pytest.raises(StoreDamaged):
                await ask(one, 1)
        path.write_bytes(damaged)
        assert await database.read(one, 1) == SIZE
        path.write_bytes(flip(damaged, 100))
    assert path.read_bytes() == flip(damaged, 100)
