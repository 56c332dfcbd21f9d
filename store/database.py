"""One encrypted database, one connection, one worker: transactions in groups, durable when they return.

    transact ─┐
    transact ─┼─> BEGIN  savepoint f  savepoint g  savepoint h  COMMIT (one fsync) ──> results, then watchers
    transact ─┘

The law is docs/protocol/store.md. Not here: the tables (schema.py) and what is written together (their files).
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import outcome
import trio

from protocol.faults import UserFault
from store import connection as connecting
from store import disk
from store import migrations as migrating
from store.faults import StoreDamaged, StoreFault
from store.migrations import Migration as Migration

JOBS_MAX = 256  # jobs of one transaction: more would make the first wait for the last
CHANGES_MAX = 100_000  # kept for watchers that were away; older ones re-read everything
PRUNE_EVERY = 4096  # changes between two prunings
BRIEF_S_MAX = 0.01  # a commit on an ordinary SSD takes half a millisecond; after ten the other tasks would notice
SLOW_JOBS = 100
BOUNDED_STEPS = 1000  # of the database's machine between two questions to `bounded`: well under a millisecond

T = TypeVar("T")
Row = tuple[Any, ...]
Outcome = outcome.Value[T] | outcome.Error


class Worker(Enum):
    """Where the database works. INLINE: in the caller's task, so that a simulated clock never sees it wait."""

    THREAD = "thread"
    INLINE = "inline"


class Tx:
    """The open transaction, as the functions given to `transact` see it. No cursor may outlive the function."""

    __slots__ = ("_changes", "_connection", "execute", "executemany", "scrubs")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.execute: Callable[..., Any] = connection.execute
        self.executemany: Callable[[str, Iterable[Sequence[Any]]], Any] = connection.executemany
        self._changes: list[tuple[str, int]] = []
        self.scrubs = False  # whether, once this is committed, the log is emptied: it has the pages as they were

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        rows: list[Row] = self._connection.execute(sql, params).fetchall()
        return rows

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self._connection.execute(sql, params).fetchone()
        return row

    def insert(self, sql: str, params: Sequence[Any] = ()) -> int:
        """The rowid that an INSERT gave."""
        return int(self._connection.execute(sql, params).lastrowid)

    def changed(self, topic: str, key: int) -> None:
        """Tells watchers, after the commit, that something of this topic has changed. key: a row's number."""
        self._changes.append((topic, key))

    def attempt(self, f: Callable[..., T], *args: Any) -> Outcome[T]:
        """Runs f in a savepoint of its own: an exception undoes what f wrote and comes back as a value.

        Raises: StoreFault, which undoes the transaction.
        """
        self._connection.execute("SAVEPOINT attempt")
        told = len(self._changes)
        result = outcome.capture(f, *args)
        if isinstance(result, outcome.Error):
            if fault := disk.fault_of(result.error):  # nobody's result: SQLite has given up the whole transaction
                raise fault from result.error
            self._connection.execute("ROLLBACK TO attempt")
            del self._changes[told:]
        self._connection.execute("RELEASE attempt")
        if isinstance(result, outcome.Error) and not isinstance(result.error, Exception):
            raise result.error  # KeyboardInterrupt and its like are nobody's result
        return result

    @contextmanager
    def bounded(self, more: Callable[[], bool]) -> Iterator[None]:
        """Within the block a query that only reads ends with the database's own error once `more` says no."""
        self._connection.set_progress_handler(lambda: not more(), BOUNDED_STEPS)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)

    def write_changes(self) -> list[tuple[str, int]]:
        """Writes what was told by `changed`, and returns it, each once. Called by the database before the commit."""
        changes = list(dict.fromkeys(self._changes))
        self._connection.executemany("INSERT INTO change (topic, key) VALUES (?, ?)", changes)
        return changes


@dataclass(eq=False, slots=True)
class _Job:
    f: Callable[..., Any]
    args: tuple[Any, ...]
    wake: trio.Event = field(default_factory=trio.Event)
    result: Outcome[Any] | None = None


class Database:
    """An open database. Made by `open_database`."""

    def __init__(self, connect: Callable[[], Any], connection: Any, worker: Worker) -> None:
        """connect: opens the same file anew."""
        self._connect = connect
        self._connection = connection
        self._is_spent = False  # it has met a damaged page: SQLCipher reads nothing more on it
        self._worker = worker
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: deque[_Job] = deque()
        self._is_led = False
        self._watchers: dict[int, tuple[frozenset[str] | None, trio.MemorySendChannel[int]]] = {}
        self._topics: set[str] = set()  # of the changes that were committed last
        self._watched = 0
        self._unpruned = PRUNE_EVERY
        self._failed = trio.Event()
        self.trouble: StoreFault | None = None  # what the disk did last, until it takes something again
        self._slow = 0  # how many brief jobs go to the thread before the disk is tried again

    async def transact(self, f: Callable[..., T], *args: Any) -> T:
        """The result of f(tx, *args), once it is on the disk.

        f is synchronous and short. All jobs that wait run in order in one transaction, each in a savepoint: an
        exception undoes only its own job and is raised here. A caller that is cancelled before his job has begun
        takes it back; later he still gets what came of it, and the cancellation meets him where he waits next.
        Raises: what f raises; StoreFault where the disk fails, and then nothing of the job is kept.
        """
        job = _Job(f, args)
        self._waiting.append(job)
        if not self._is_led:
            self._is_led = True
            job.wake.set()
        try:
            await job.wake.wait()
            if job.result is None:  # the lead is ours
                await trio.lowlevel.checkpoint()  # those who were woken with us join the group
        except trio.Cancelled:
            if self._withdraw(job):
                raise
            with trio.CancelScope(shield=True):  # at most one group long: what is committed must be acted upon
                await job.wake.wait()
        if job.result is None:
            await self._lead()
        assert job.result is not None
        result: T = job.result.unwrap()
        return result

    async def brief(self, f: Callable[..., T], *args: Any) -> T:
        """As transact, for a job of a few rows: at once in this task where nothing else waits and the disk is fast.

        To wake a thread and to be woken by it costs as much as such a job itself. What took long shows that the disk
        is slow or busy; the next ones then go to the thread.
        """
        if self._is_led or self._slow or self._is_spent or self._worker is Worker.INLINE:
            self._slow = max(0, self._slow - 1)
            return await self.transact(f, *args)
        await trio.lowlevel.checkpoint_if_cancelled()
        job = _Job(f, args)
        self._is_led = True
        began = trio.current_time()
        newest = self._run([job])
        if trio.current_time() - began > BRIEF_S_MAX:
            self._slow = SLOW_JOBS
        self._finish([job], newest)
        await trio.lowlevel.cancel_shielded_checkpoint()
        assert job.result is not None
        result: T = job.result.unwrap()
        return result

    async def read(self, f: Callable[..., T], *args: Any) -> T:
        """The result of f(tx, *args), which only reads a few rows: at once in this task where the worker is idle."""
        await trio.lowlevel.checkpoint()
        if self._is_led or self._is_spent:
            return await self.transact(f, *args)
        try:
            with disk.as_faults():
                return f(Tx(self._connection), *args)
        except StoreDamaged as fault:
            self._fault(fault)
            self._failed.set()
            raise

    async def failed(self) -> None:
        """Returns when the disk has failed, until it takes something again."""
        await self._failed.wait()

    @contextmanager
    def watch(self, topics: frozenset[str] | None = None) -> Iterator[trio.MemoryReceiveChannel[int]]:
        """A channel that has the number of the newest change after each commit with changes; only the latest waits.

        topics: only of commits with a change of one of these.
        """
        send, receive = trio.open_memory_channel[int](1)
        self._watched += 1
        number = self._watched
        self._watchers[number] = (topics, send)
        try:
            yield receive
        finally:
            del self._watchers[number]
            send.close()
            receive.close()

    def close(self) -> None:
        """Closes the connection; the log is copied back into the file."""
        self._connection.close()

    async def _lead(self) -> None:
        """Runs one group, our own job in it, and passes the lead to the next that waits."""
        count = min(len(self._waiting), JOBS_MAX)
        jobs = [self._waiting.popleft() for _ in range(count)]
        if self._worker is Worker.INLINE:
            newest = self._run(jobs)
        else:
            with trio.CancelScope(shield=True):  # at most one group long; the results belong to others too
                newest = await trio.to_thread.run_sync(self._run, jobs, limiter=self._limiter)
        self._finish(jobs, newest)

    def _finish(self, jobs: list[_Job], newest: int) -> None:
        """Wakes those whose jobs are done, passes the lead on, and tells watchers."""
        if self.trouble is not None:
            self._failed.set()
        elif self._failed.is_set():
            self._failed = trio.Event()
        for job in jobs:
            job.wake.set()
        self._pass_lead()
        if newest:
            for topics, send in self._watchers.values():
                if topics is None or not topics.isdisjoint(self._topics):
                    _put_latest(send, newest)
            self._topics.clear()

    def _pass_lead(self) -> None:
        if self._waiting:
            self._waiting[0].wake.set()
        else:
            self._is_led = False

    def _withdraw(self, job: _Job) -> bool:
        """Takes back a job that has not begun, and passes on the lead that had come to it. Returns whether it could."""
        if job not in self._waiting:
            return False
        self._waiting.remove(job)
        if job.wake.is_set():
            self._pass_lead()
        return True

    def _run(self, jobs: list[_Job]) -> int:
        """Runs jobs in one transaction and fills their results; returns the newest change, 0 when nothing changed."""
        done = outcome.capture(self._group, jobs)
        if isinstance(done, outcome.Error):
            if not self._is_spent and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            error = self._fault(done.error) or done.error
            if isinstance(error, StoreFault) and len(jobs) > 1:  # who only reads does not fail with one who writes
                return max(self._run([job]) for job in jobs)
            for job in jobs:
                job.result = outcome.Error(error)
            if not isinstance(done.error, Exception):
                raise done.error
            return 0
        return done.value

    def _fault(self, error: BaseException) -> StoreFault | None:
        """What the disk did, which is kept as the trouble; None for other errors."""
        fault = disk.fault_of(error)
        if fault is None:
            return None
        self._is_spent = self._is_spent or isinstance(fault, StoreDamaged)
        if isinstance(self.trouble, StoreDamaged):  # what is refused from then on is refused for this
            return StoreDamaged()
        fault.__cause__ = None if fault is error else error
        self.trouble = fault
        return fault

    def _group(self, jobs: list[_Job]) -> int:
        if self._is_spent:
            self._renew()
        connection = self._connection
        before = connection.total_changes
        # What may not be written may still be read: SQLite finds out at the first write.
        connection.execute("BEGIN IMMEDIATE" if self.trouble is None else "BEGIN")
        tx = Tx(connection)
        if len(jobs) == 1:  # needs no savepoint of its own: to undo it is to undo the transaction
            jobs[0].result = outcome.Value(jobs[0].f(tx, *jobs[0].args))
        else:
            for job in jobs:
                job.result = tx.attempt(job.f, tx, *job.args)
        newest = 0
        if changes := tx.write_changes():
            self._topics.update(topic for topic, _ in changes)
            newest = newest_change(tx)
            self._unpruned += len(changes)
            if self._unpruned >= PRUNE_EVERY:
                self._unpruned = 0
                tx.execute("DELETE FROM change WHERE seq <= ?", (newest - CHANGES_MAX,))
        connection.execute("COMMIT")
        if tx.scrubs:
            with suppress(StoreFault), disk.as_faults():  # it is committed: the disk is told of where it fails next
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if connection.total_changes != before:  # to have read something says nothing about the disk
            self.trouble = None
        return newest

    def _renew(self) -> None:
        """Opens the file anew: what is not on a damaged page can be read again. No job writes any more.

        Raises: StoreDamaged when it cannot be opened; the next job tries again.
        """
        self._connection.close()  # first: it has locked the file. As at each end, its log is copied back
        try:
            connection = self._connect()
        except UserFault as fault:
            raise StoreDamaged from fault
        connection.execute("PRAGMA query_only = ON")
        self._connection, self._is_spent = connection, False


def changes_after(tx: Tx, cursor: int, limit: int) -> list[tuple[int, str, int]]:
    """(number, topic, key) of the changes after this number, oldest first."""
    rows: list[Any] = tx.all("SELECT seq, topic, key FROM change WHERE seq > ? ORDER BY seq LIMIT ?", (cursor, limit))
    return rows


def newest_change(tx: Tx) -> int:
    """The number of the newest change; 0 before the first."""
    row = tx.one("SELECT MAX(seq) FROM change")
    return 0 if row is None or row[0] is None else int(row[0])


def oldest_change(tx: Tx) -> int:
    """The number of the oldest change that is kept: who has seen less must read everything anew; 0 when none is."""
    row = tx.one("SELECT MIN(seq) FROM change")
    return 0 if row is None or row[0] is None else int(row[0])


def synchronous(tx: Tx) -> str:
    """How durable a commit is, read back from the database: "full" where it is on the disk when it returns."""
    row = tx.one("PRAGMA synchronous")
    assert row is not None
    return ("off", "normal", "full", "extra")[row[0]]


@asynccontextmanager
async def open_database(
    path: Path, key: bytes, migrations: Sequence[Migration], worker: Worker
) -> AsyncIterator[Database]:
    """The database in this file, made or brought up to date, until the block is left.

    key: 32 bytes. Raises: StoreLocked, NoSqlCipher, WrongKey, LogDamaged, StoreNewer, StoreFault.
    """
    connect = partial(connecting.connect, path, key)

    def begin() -> Any:
        connection = connect()
        try:
            with disk.as_faults():
                migrating.run(connection, migrations)
        except BaseException:
            connection.close()
            raise
        return connection

    if worker is Worker.INLINE:
        connection = begin()
    else:
        with trio.CancelScope(shield=True):
            connection = await trio.to_thread.run_sync(begin)
    database = Database(connect, connection, worker)
    try:
        yield database
    finally:
        database.close()


def _put_latest(send: trio.MemorySendChannel[int], newest: int) -> None:
    # A full channel is well: its reader has not taken the last number yet, and reads all that is new when it does.
    with suppress(trio.WouldBlock):
        send.send_nowait(newest)
