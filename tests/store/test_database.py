"""The database: groups of transactions, refusals, migrations, watchers."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from protocol.faults import UserFault
from store import connection, database, schema
from store.database import Migration, Tx, Worker, changes_after, newest_change, oldest_change, open_database
from store.faults import NoSqlCipher, StoreLocked, StoreNewer, WrongKey
from tests.store.kit import KEY, MIGRATIONS

ROOT = Path(__file__).parents[2]
ITEM = Migration("items", 1, "CREATE TABLE item (n INTEGER PRIMARY KEY) STRICT;")
SMALL = (*schema.CORE, ITEM)
BOTH = pytest.mark.parametrize("worker", list(Worker))


def put(tx: Tx, n: int) -> int:
    tx.execute("INSERT INTO item (n) VALUES (?)", (n,))
    tx.changed("item", n)
    return n * n


def count(tx: Tx) -> int:
    row = tx.one("SELECT COUNT(*) FROM item")
    assert row is not None
    return int(row[0])


def fail_after_put(tx: Tx, n: int) -> None:
    put(tx, n)
    raise ValueError(n)


class Held:
    """A job that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def job(self, tx: Tx) -> None:
        self.begun.set()
        self.go_on.wait(10)


@BOTH
async def test_many_at_once_are_one_group_and_each_has_its_result(tmp_path: Path, worker: Worker) -> None:
    results: dict[int, int] = {}
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:

        async def one(n: int) -> None:
            results[n] = await db.transact(put, n)

        async with trio.open_nursery() as nursery:
            for n in range(300):
                nursery.start_soon(one, n)
        assert results == {n: n * n for n in range(300)}
        assert await db.transact(count) == 300


@BOTH
async def test_callers_who_come_again_at_once_are_one_group_each_time(tmp_path: Path, worker: Worker) -> None:
    groups: list[Tx] = []
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:

        async def caller() -> None:
            for _ in range(10):
                await db.transact(groups.append)

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(caller)
    assert len(groups) == 80
    assert len(set(groups)) == 10


async def test_callers_who_come_again_at_once_join_the_one_who_waited(tmp_path: Path) -> None:
    held, groups = Held(), list[Tx]()
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.THREAD) as db:

        async def caller() -> None:
            await db.transact(held.job)
            await db.transact(groups.append)

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(caller)
            await trio.to_thread.run_sync(held.begun.wait)
            nursery.start_soon(db.transact, groups.append)
            await trio.testing.wait_all_tasks_blocked()
            held.go_on.set()
    assert len(groups) == 9
    assert len(set(groups)) == 1


@BOTH
async def test_a_change_that_is_told_twice_in_a_group_is_kept_once(tmp_path: Path, worker: Worker) -> None:
    def tell(tx: Tx, n: int) -> None:
        tx.changed("item", n)
        tx.changed("thing", n)
        tx.changed("item", n)

    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(db.transact, tell, 5)
        assert await db.transact(changes_after, 0, 100) == [(1, "item", 5), (2, "thing", 5)]
        await db.transact(tell, 5)  # another transaction tells it again
        assert await db.transact(changes_after, 2, 100) == [(3, "item", 5), (4, "thing", 5)]


async def test_a_caller_cancelled_while_his_job_is_being_done_still_learns_what_came_of_it(tmp_path: Path) -> None:
    first, second = (Held(), Held())
    learnt: list[int] = []
    scope = trio.CancelScope()
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.THREAD) as db:

        async def leave() -> None:
            with scope:
                learnt.append(await db.transact(put, 5))
                learnt.append(-1)  # no checkpoint lies between: who is told that it is kept can hand it on
                await trio.lowlevel.checkpoint()
                learnt.append(-2)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(db.transact, first.job)
            await trio.to_thread.run_sync(first.begun.wait)
            nursery.start_soon(db.transact, second.job)  # leads the next group
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(leave)
            await trio.testing.wait_all_tasks_blocked()
            first.go_on.set()
            await trio.to_thread.run_sync(second.begun.wait)
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            second.go_on.set()
        assert learnt == [25, -1]


@BOTH
async def test_an_exception_undoes_its_own_job_and_no_other(tmp_path: Path, worker: Worker) -> None:
    failed: list[int] = []
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:

        async def one(n: int) -> None:
            try:
                await db.transact(fail_after_put if n % 3 == 0 else put, n)
            except ValueError as error:
                failed.append(error.args[0])

        async with trio.open_nursery() as nursery:
            for n in range(30):
                nursery.start_soon(one, n)
        with pytest.raises(ValueError, match="77"):
            await db.transact(fail_after_put, 77)
        assert sorted(failed) == list(range(0, 30, 3))
        assert await db.transact(count) == 20
        told = await db.transact(changes_after, 0, 1000)
        assert sorted(key for _, _, key in told) == [n for n in range(30) if n % 3]


@BOTH
async def test_brief_jobs_and_reads_are_done_in_their_turn(tmp_path: Path, worker: Worker) -> None:
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:
        assert await db.brief(put, 3) == 9
        with pytest.raises(ValueError, match="4"):
            await db.brief(fail_after_put, 4)
        assert await db.read(count) == 1
        async with trio.open_nursery() as nursery:
            for n in range(10, 40):
                nursery.start_soon(db.transact if n % 2 else db.brief, put, n)
                nursery.start_soon(db.read, count)
        assert await db.read(count) == 31


@BOTH
async def test_a_cancelled_caller_leaves_nothing_half_done_and_nobody_waiting(tmp_path: Path, worker: Worker) -> None:
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:
        for round_ in range(20):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    for n in range(8):
                        nursery.start_soon(db.transact, put, round_ * 8 + n)
                    await trio.lowlevel.checkpoint()
                    scope.cancel()
            with trio.fail_after(5):
                assert await db.transact(count) <= (round_ + 1) * 8


async def test_in_line_the_simulated_clock_jumps(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as db:
        began = trio.current_time()
        for n in range(20):
            await db.transact(put, n)
        assert trio.current_time() == began
        await trio.sleep(3600)
        assert await db.transact(count) == 20


async def test_watchers_hear_of_commits_with_changes_and_only_the_latest_waits(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as db:
        with db.watch() as changes:
            await db.transact(count)
            with pytest.raises(trio.WouldBlock):
                changes.receive_nowait()
            for n in range(5):
                await db.transact(put, n)
            assert changes.receive_nowait() >= 1
            with pytest.raises(trio.WouldBlock):
                changes.receive_nowait()
            assert [key for _, _, key in await db.transact(changes_after, 2, 100)] == [2, 3, 4]
        await db.transact(put, 9)
        assert await db.transact(newest_change) == 6
        assert await db.transact(oldest_change) == 1


async def test_old_changes_are_forgotten_and_numbers_go_on(tmp_path: Path) -> None:
    many = database.CHANGES_MAX + 10

    def tell(tx: Tx) -> None:
        for n in range(many):
            tx.changed("item", n)

    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as db:
        await db.transact(tell)
        assert await db.transact(newest_change) == many
        assert await db.transact(oldest_change) == many - database.CHANGES_MAX + 1


async def test_data_survives_and_migrations_run_once(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, KEY, SMALL, Worker.INLINE) as db:
        await db.transact(put, 5)
    more = (*SMALL, Migration("items", 2, "ALTER TABLE item ADD COLUMN note TEXT NOT NULL DEFAULT '';"))
    async with open_database(path, KEY, more, Worker.INLINE) as db:
        assert await db.transact(lambda tx: tx.all("SELECT n, note FROM item")) == [(5, "")]
    with pytest.raises(StoreNewer):
        async with open_database(path, KEY, SMALL, Worker.INLINE):
            pass
    async with open_database(path, KEY, more, Worker.THREAD) as db:
        assert await db.transact(count) == 1


async def test_a_broken_migration_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, KEY, SMALL, Worker.INLINE) as db:
        await db.transact(put, 5)
    broken = (*SMALL, Migration("items", 2, "CREATE TABLE other (n INTEGER) STRICT; CREATE TABLE other (n INTEGER);"))
    with pytest.raises(Exception, match="already exists"):
        async with open_database(path, KEY, broken, Worker.INLINE):
            pass
    async with open_database(path, KEY, SMALL, Worker.INLINE) as db:
        tables = await db.transact(lambda tx: tx.all("SELECT name FROM sqlite_master WHERE name = 'other'"))
        assert tables == []


async def test_pragmas_are_what_the_design_says(tmp_path: Path) -> None:
    def pragma(tx: Tx, name: str) -> object:
        row = tx.one(f"PRAGMA {name}")
        return None if row is None else row[0]

    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "temp_store": 2,
        "cipher_hmac_algorithm": "HMAC_SHA256",
        "cipher_page_size": "2048",
        "locking_mode": "exclusive",
    }
    async with open_database(tmp_path / "x.db", KEY, SMALL, Worker.INLINE) as db:
        assert {name: await db.transact(pragma, name) for name in expected} == expected


async def test_wrong_key_and_damage_are_refused_and_change_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, KEY, SMALL, Worker.INLINE) as db:
        await db.transact(put, 5)
    before = path.read_bytes()
    with pytest.raises(WrongKey):
        async with open_database(path, bytes(32), SMALL, Worker.INLINE):
            pass
    assert path.read_bytes() == before
    path.write_bytes(b"SQLite format 3\x00" + before[16:])
    with pytest.raises(WrongKey):
        async with open_database(path, KEY, SMALL, Worker.THREAD):
            pass
    assert capfd.readouterr().err == ""


async def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, KEY, SMALL, Worker.INLINE) as db:
        await db.transact(put, 5)
        with pytest.raises(StoreLocked) as refused:
            async with open_database(path, KEY, SMALL, Worker.INLINE):
                pass
        assert isinstance(refused.value, UserFault)
        assert "profile" in str(refused.value)
        assert await db.transact(count) == 1


def test_a_sqlite_without_cipher_is_refused() -> None:
    plain = sqlite3.connect(":memory:")
    with pytest.raises(NoSqlCipher, match="SQLCipher"):
        connection.require_cipher(plain)
    plain.close()


@pytest.mark.process
def test_a_machine_without_sqlcipher_refuses_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    program = f"""
import sys
sys.modules["sqlcipher3"] = None
import pathlib, trio
from store.database import Worker, open_database
from store.faults import NoSqlCipher
async def main():
    try:
        async with open_database(pathlib.Path({str(path)!r}), bytes(32), (), Worker.INLINE):
            print("opened")
    except NoSqlCipher as fault:
        print("refused", fault)
trio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("refused This Python has no SQLCipher")
    assert not path.exists()


def test_store_imports_no_libp2p_and_trio_only_in_database() -> None:
    for file in sorted((ROOT / "store").glob("*.py")):
        text = file.read_text()
        assert "libp2p" not in text
        assert file.name == "database.py" or "import trio" not in text


async def test_schema_is_the_golden_one(tmp_path: Path) -> None:
    """A changed schema is a new migration; then this sample is written anew: `python -m tests.store.golden`."""
    from tests.store import golden

    async with open_database(tmp_path / "x.db", KEY, schema.CORE, Worker.INLINE) as db:
        assert await db.transact(golden.dump) == golden.PATH.read_text()


async def test_tables_are_strict_and_columns_not_null(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", KEY, MIGRATIONS, Worker.INLINE) as db:

        def look(tx: Tx) -> None:
            tables = tx.all("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
            for table, strict in tables:
                if table.startswith("sqlite_"):
                    continue
                assert strict, table
                for name, kind, not_null, key in tx.all(
                    f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')"
                ):
                    assert not_null or (key and kind == "INTEGER"), f"{table}.{name}"

        await db.transact(look)


@BOTH
async def test_after_a_transaction_that_scrubs_the_log_is_empty(tmp_path: Path, worker: Worker) -> None:
    log = tmp_path / "x.db-wal"
    async with open_database(tmp_path / "x.db", KEY, SMALL, worker) as db:

        def scrub(tx: Tx) -> None:
            tx.execute("DELETE FROM item")
            tx.scrubs = True

        await db.transact(put, 1)
        assert log.stat().st_size > 0
        await db.transact(scrub)
        assert log.stat().st_size == 0
        await db.transact(put, 2)
        assert (await db.transact(count), log.stat().st_size > 0) == (1, True)
