"""moments.visible, moments.catch_up, moments.page: how soon a post is seen, a month is caught up with, a page is shown.

The shipped node in its default configuration, over real sockets.

visible: ana posts; until the line is written by bo's `weft moments list --follow`, which runs all the time. Both are
online. Beside it, in turn: a message of ana's, until bo's local socket tells of it.

catch_up: ana and bo have 200 contacts in common, who are away; bo has what each of them posted while ana was away for a
month, 5 posts each, half with pictures (feeds.py). From ana's "up" until each of the 1,000 posts is in her list: found,
fetched from bo, checked, committed, opened, and in the tables that the wall is made of. Each run begins with the same
copies of both stopped nodes. synced_s: until all entries were committed, as the node tells of its logs, in runs between
the others. Beside it, in turn: two programs, TCP, the same entries and contents, hashed, plain SQLite with
synchronous=FULL, a commit for each feed.

page: 50 of 100,000 posts of 200 contacts, below each 2 likes and a comment, through the local socket; each page begins
before another post. in_store_ms: pages in the database, without node and socket; newest_ms: the newest page. Beside it,
in turn: 50 rows of one table with the same posts in the store's kind of database, by their time.
"""

import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import trio

import features
from benchmarks import bare_logs, feeds, figures, profiles, scan
from benchmarks.feeds import Author
from benchmarks.messages import Api
from benchmarks.profiles import Place
from features.moments import view, wall
from features.moments.wall import Eye
from node import profile
from node.node import migrations
from store.database import Database, Tx, Worker, open_database

VISIBLE_RUNS = 25
CATCH_RUNS = 5
PAGE_RUNS = 25
PAGE = 50
POSTS = 100_000
CONTACTS = feeds.AUTHORS
SETTLE_S = 8.0  # after both know each other, before anything is measured: no event tells that nothing more will be said
LOOK_S = 0.01
PATIENCE_S = 120.0


def main(chosen: Sequence[str] = ("visible", "catch_up", "page")) -> None:
    """Prints the figures."""
    for name in chosen:
        with profiles.home() as home:
            {"visible": _visible, "catch_up": _catch_up, "page": _page}[name](home)


# --- posted, seen


def _visible(home: Path) -> None:
    there = profiles.place(home)
    with profiles.running(there, "ana", "bo"):
        profiles.befriend(there, "ana", "bo")
        ana, bo = Api(home, "ana"), Api(home, "bo")
        bo.call("watch", topics=["chat.received"])
        heard = (said for said in bo.lines() if said.get("method") == "change")
        numbers = iter(range(10**6))
        ana.call("moments.post", text="before")
        with _follower(there, "bo", "before") as lines:
            ours, messages = figures.in_turn(
                VISIBLE_RUNS,
                lambda: _ms(lambda: _seen(ana, lines, f"moment {next(numbers)}")),
                lambda: _ms(lambda: (ana.ask("chat.send", to="bo", text="x" * 20), next(heard))),
            )
        synchronous = ana.call("node.status")["synchronous"]
        figures.show("moments.visible", ours, "ms", "lower", "a message, seen", messages, synchronous=synchronous)


def _seen(ana: Api, lines: Iterator[str], text: str) -> None:
    ana.call("moments.post", text=text)
    _shown(lines, text)


def _shown(lines: Iterator[str], text: str) -> None:
    """Returns when a line has this text."""
    while text not in next(lines):
        pass


@contextmanager
def _follower(there: Place, name: str, first: str) -> Iterator[Iterator[str]]:
    """The lines that somebody sees who follows the wall, behind that of a moment which was posted before."""
    words = [*there.weft, "--profile", name, "--no-input", "moments", "list", "--follow", "--json"]
    program = subprocess.Popen(words, env=there.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        _shown(lines, first)
        yield lines
    finally:
        program.kill()
        program.wait()


# --- a month away


def _catch_up(home: Path) -> None:
    there = profiles.place(home)
    began = time.monotonic()
    every = _prepare(home, there)
    prepared_s = round(time.monotonic() - began)
    synced: list[float] = []

    def ours() -> float:
        synced.append(_caught_up(home, there, every, _until_synced))
        return _caught_up(home, there, every, _until_shown)

    values, bare = figures.in_turn(CATCH_RUNS, ours, lambda: _bare(every))
    remarks: dict[str, Any] = {
        "synced_s": round(median(synced[1:]), 3),
        "authors": len(every),
        "posts": sum(len(one.held) - 1 for one in every),
        "mb": round(sum(one.bytes for one in every) / 1e6, 1),
        "prepared_s": prepared_s,
    }
    figures.show("moments.catch_up", values, "s", "lower", "bare transfer", bare, **remarks)


def _prepare(home: Path, there: Place) -> list[Author]:
    """Ana and bo know each other and the authors; bo has what was posted since, and both are stopped."""
    with profiles.running(there, "ana", "bo"):
        profiles.befriend(there, "ana", "bo")
    every = feeds.authors(home, [feeds.who(home, "ana"), feeds.who(home, "bo")])
    for name in ("ana", "bo"):
        feeds.meet(home, name, every)
    with _up(there, "bo"), _up(there, "ana"):
        time.sleep(SETTLE_S)  # they compare what they have, and tell the authors of their spines
    feeds.bring(home, "bo", every)
    for name in ("ana", "bo"):
        shutil.copytree(home / name, home / "saved" / name, ignore=shutil.ignore_patterns("run"))
    return every


def _caught_up(home: Path, there: Place, every: Sequence[Author], until: Callable[..., None]) -> float:
    """Seconds from ana's "up" until this."""
    for name in ("ana", "bo"):
        shutil.rmtree(home / name)
        shutil.copytree(home / "saved" / name, home / name)
    with _up(there, "bo"), _up(there, "ana"):
        began = time.perf_counter()
        ana = Api(home, "ana")
        until(ana, every)
        took_s = time.perf_counter() - began
        _until_shown(Api(home, "ana"), every)
        assert len(ana.call("moments.list", limit=1000)) == 1000
    return took_s


def _until_shown(ana: Api, every: Sequence[Author]) -> None:
    """Returns when the newest post of each author is shown: what is before it in his feed was read before it."""
    deadline = time.monotonic() + PATIENCE_S
    for one in every:
        while True:
            try:
                ana.call("moments.show", id=one.ids[-1])
                break
            except profiles.Failed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_S)


def _until_synced(ana: Api, every: Sequence[Author]) -> None:
    """Returns when all entries are committed, as her node tells of its logs."""
    ana.call("watch", topics=["log"])
    feeds_of = {one["id"]: one["entries"] for one in ana.call("logs.list") if one["role"] == "feed"}
    whole = sum(len(one.held) for one in every)
    changes = (said["params"]["data"] for said in ana.lines() if said.get("method") == "change")
    while sum(feeds_of.values()) < whole:
        told = next(changes)
        if told["log"] in feeds_of:
            feeds_of[told["log"]] = told["entries"]


@contextmanager
def _up(there: Place, name: str) -> Iterator[None]:
    profiles.call(there, name, "up", "-d")
    try:
        yield
    finally:
        profiles.call(there, name, "down")


def _bare(every: Sequence[Author]) -> float:
    """Seconds in which the same bytes come over TCP from another program, are hashed, and lie in plain SQLite."""
    lengths = [[(len(raw), len(content)) for raw, content in one.held[1:]] for one in every]
    with tempfile.TemporaryDirectory(prefix="weft-bare-") as folder, socket.create_server(("127.0.0.1", 0)) as server:
        script = f"from benchmarks import moments; moments.send({server.getsockname()[1]})"
        sender = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[1], stdin=subprocess.PIPE)
        try:
            assert sender.stdin is not None
            sender.stdin.write(json.dumps(sum(one.bytes for one in every)).encode())
            sender.stdin.close()
            connected, _ = server.accept()
            with connected, connected.makefile("rb") as source:
                connected.sendall(b"g")
                began = time.perf_counter()
                connection = bare_logs.opened(Path(folder) / "bare.db")
                for number, feed in enumerate(lengths):
                    run = [(source.read(raw), source.read(content)) for raw, content in feed]
                    bare_logs.take(connection, run, number * len(run), len(run))
                connection.close()
                return time.perf_counter() - began
        finally:
            sender.wait()


def send(port: int) -> None:
    """The other program."""
    count = int(json.loads(sys.stdin.read()))
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.recv(1)
        stream.sendall(bytes(count))


# --- a page


def _page(home: Path) -> None:
    there = profiles.place(home)
    with profiles.running(there, "ana"):
        pass
    me = feeds.who(home, "ana")
    feeds.meet(home, "ana", feeds.authors(home, [me]))
    began = time.monotonic()
    feeds.fill(home, "ana", POSTS)
    filled_s = round(time.monotonic() - began)
    chance = random.Random(8)
    in_store, rows, ids = trio.run(_in_store, home, chance)
    with closing(scan.plain(home / "plain.db", ())) as plain, _up(there, "ana"):
        plain.execute("CREATE TABLE post (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, said BLOB NOT NULL) STRICT")
        plain.execute("CREATE INDEX post_at ON post (at_ms)")
        with plain:
            plain.executemany("INSERT INTO post (at_ms, said) VALUES (?, ?)", rows)
        ana = Api(home, "ana")
        asked, times = iter(ids), iter(chance.sample([at_ms for at_ms, _ in rows[PAGE:]], PAGE_RUNS + 1))
        shown: list[int] = []
        ours, bare = figures.in_turn(
            PAGE_RUNS,
            lambda: _ms(lambda: shown.append(len(ana.call("moments.list", limit=PAGE, before=next(asked))))),
            lambda: _ms(lambda: _bare_page(plain, next(times))),
        )
        synchronous = ana.call("node.status")["synchronous"]
        newest = [_ms(lambda: ana.call("moments.list", limit=PAGE)) for _ in range(PAGE_RUNS)]
    assert set(shown) == {PAGE}
    remarks = {
        "in_store_ms": round(median(in_store[1:]), 2),
        "newest_ms": round(median(newest), 2),
        "filled_s": filled_s,
        "synchronous": synchronous,
    }
    figures.show("moments.page", ours, "ms", "lower", "50 rows by their time", bare, **remarks)


def _bare_page(plain: Any, at_ms: int) -> None:
    rows = plain.execute("SELECT id, said FROM post WHERE at_ms < ? ORDER BY at_ms DESC LIMIT ?", (at_ms, PAGE))
    assert len(rows.fetchall()) == PAGE


async def _in_store(home: Path, chance: random.Random) -> tuple[list[float], list[tuple[int, bytes]], list[str]]:
    """Times of pages in the stopped node's database, its posts, and ids before which other pages begin."""
    place = profile.Profile("ana", home / "ana")
    tables = migrations(features.load())
    async with open_database(place.database, profile.unlock(place, b""), tables, Worker.INLINE) as database:
        rows = await database.read(lambda tx: tx.all("SELECT at_ms, said FROM moment ORDER BY at_ms"))
        tags = await database.read(lambda tx: tx.all("SELECT tag FROM moment ORDER BY at_ms"))
        ids = [one[0].hex() for one in chance.sample(tags[PAGE:], 2 * PAGE_RUNS + 2)]
        took = [await _page_ms(database, one) for one in ids[: PAGE_RUNS + 1]]
    return took, rows, ids[PAGE_RUNS + 1 :]


async def _page_ms(database: Database, before: str) -> float:
    def look(tx: Tx) -> int:
        return len(wall.page(tx, Eye(feeds.NOW_MS), None, PAGE, view.find(tx, before)))

    began = time.perf_counter()
    assert await database.read(look) == PAGE
    return (time.perf_counter() - began) * 1000


def _ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(sys.argv[1:])
