"""payments.settle, concurrent, fold, fold_checkpoint, statement: debts between two real nodes, and in one store.

Settled is what the payer's node shows as settled: three entries, each signed, chained and durable at both ends before
the next. Beside it, in the same run, messages between the same two nodes until each is delivered. The folds are of a
tab with 100,000 entries in the shipped store: from its entries, which are opened, read and folded twice (ours, and as
the other stood at each of his entries), and from its image. The statement is of 10,000 of its payments, in one year.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import trio

from benchmarks import big_tab, figures, profiles
from benchmarks.messages import Api
from features.books.service import END_MS, bookings
from ledger import statement
from node import memory
from store.database import Database
from store.tabs import Tabs

RUNS = 5
PAYMENTS = 40
AT_ONCE = 100
FOLDS = 3
LIMIT = "1000000"


def main() -> None:
    """Prints the figures."""
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            synchronous = Api(home, "ana").call("node.status")["synchronous"]
            Api(home, "bo").call("payments.limit", to="ana", amount=LIMIT, unit="EUR")
            while not Api(home, "ana").call("payments.balances")["balances"]:
                time.sleep(0.01)
            ours, floor = figures.in_turn(RUNS, lambda: _settle_ms(home), lambda: _message_ms(home))
            figures.show("payments.settle", ours, "ms", "lower", "a message, delivered", floor, synchronous=synchronous)
            ours, floor = figures.in_turn(RUNS, lambda: _at_once(home), lambda: _messages_at_once(home))
            figures.show("payments.concurrent", ours, "1/s", "higher", "messages at once, delivered", floor)
    trio.run(_folds)


def _settle_ms(home: Path) -> float:
    """From the call that offers to "settled" at the payer, the payee's program accepting at once; the median."""
    ana, bo = Api(home, "ana"), Api(home, "bo")
    ana.call("watch", topics=["payment"])
    bo.call("watch", topics=["payment"])
    seen_by_ana, seen_by_bo = _changes(ana), _changes(bo)
    took = []
    for _ in range(PAYMENTS):
        began = time.perf_counter()
        ana.ask("payments.pay", to="bo", amount="0.01", unit="EUR")
        offer = next(one for one in seen_by_bo if one["state"] == "offered")
        bo.ask("payments.accept", id=offer["id"])
        next(one for one in seen_by_ana if one["id"] == offer["id"] and one["state"] == "settled")
        took.append(1000 * (time.perf_counter() - began))
    return median(took)


def _message_ms(home: Path) -> float:
    """From the call that sends to "delivered"; the median."""
    ana = Api(home, "ana")
    ana.call("watch", topics=["delivery"])
    changes = _changes(ana)
    took = []
    for _ in range(PAYMENTS):
        began = time.perf_counter()
        ana.ask("chat.send", to="bo", text="x" * 100)
        next(one for one in changes if one["state"] == "delivered")
        took.append(1000 * (time.perf_counter() - began))
    return median(took)


def _at_once(home: Path) -> float:
    """Payments a second, of a hundred that were asked for and are paid at once, until all are settled."""
    ana, bo = Api(home, "ana"), Api(home, "bo")
    for _ in range(AT_ONCE):
        bo.ask("payments.ask", to="ana", amount="0.01", unit="EUR")
    _answers(bo, AT_ONCE)
    while len(asked := ana.call("payments.requests")["asked"]) < AT_ONCE:
        time.sleep(0.01)
    ana.call("watch", topics=["payment"])
    began = time.perf_counter()
    for one in asked:
        ana.ask("payments.accept", id=one["id"])
    settled: set[str] = set()
    for change in _changes(ana):
        if change["state"] == "settled":
            settled.add(change["id"])
            if len(settled) == AT_ONCE:
                return AT_ONCE / (time.perf_counter() - began)
    raise profiles.Failed("the node ended")


def _messages_at_once(home: Path) -> float:
    """Messages a second, of a hundred that are sent at once, until all are delivered."""
    ana = Api(home, "ana")
    ana.call("watch", topics=["delivery"])
    began = time.perf_counter()
    for _ in range(AT_ONCE):
        ana.ask("chat.send", to="bo", text="x" * 100)
    delivered: set[str] = set()
    for change in _changes(ana):
        if change["state"] == "delivered":
            delivered.add(change["id"])
            if len(delivered) == AT_ONCE:
                return AT_ONCE / (time.perf_counter() - began)
    raise profiles.Failed("the node ended")


def _changes(api: Api) -> Iterator[dict[str, Any]]:
    for said in api.lines():
        if said.get("method") == "change":
            yield said["params"]["data"]


def _answers(api: Api, count: int) -> None:
    answers = (said for said in api.lines() if "result" in said)
    for _ in range(count):
        next(answers)


async def _folds() -> None:
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        async with big_tab.opened(Path(folder)) as (database, account, contact_id):
            memory.settle()  # as in a node
            whole = [await _fold_ms(database, account, contact_id, is_new=True) for _ in range(FOLDS)]
            figures.show("payments.fold", whole, "ms", "lower", entries=big_tab.ENTRIES)
            again = [await _fold_ms(database, account, contact_id, is_new=False) for _ in range(FOLDS)]
            figures.show("payments.fold_checkpoint", again, "ms", "lower", "from its entries", whole)
            both = [await _statement_ms(database) for _ in range(FOLDS)]
            made, read = ([one[at] for one in both] for at in (0, 1))
            figures.show("payments.statement", made, "ms", "lower", "reading its rows alone", read)


async def _statement_ms(database: Database) -> tuple[float, float]:
    """A statement of a year, from the database to its text; and the part of it that reads the rows."""
    began = time.perf_counter()
    found = await database.transact(bookings, None, END_MS)
    read = time.perf_counter()
    lines = [*statement.text(statement.of(found, big_tab.YEAR))]
    made = time.perf_counter()
    if len(lines) < big_tab.YEAR_PAYMENTS:
        raise profiles.Failed(f"the statement has {len(lines)} lines")
    return 1000 * (made - began), 1000 * (read - began)


async def _fold_ms(database: Database, account: bytes, contact_id: int, *, is_new: bool) -> float:
    """One fold; is_new: from nothing, as after a restore, with the rows of its payments."""
    if is_new:
        await database.transact(big_tab.forget)
    began = time.perf_counter()
    found = await database.transact(lambda tx: Tabs(account).of(tx, contact_id))
    took = 1000 * (time.perf_counter() - began)
    if sum(found.tab.heads) != big_tab.ENTRIES:
        raise profiles.Failed(f"{found.tab.heads} entries were folded")
    return took
