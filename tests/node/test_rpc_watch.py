"""`watch`: changes with a durable cursor, over a real socket."""

from pathlib import Path
from typing import Any

import structlog
import trio

from node import rpc
from store.database import Tx
from tests.node.test_rpc import Caller, calling, serving


async def _changes(caller: Caller, count: int) -> list[Any]:
    """The next notifications, those that came during calls first."""
    while len(caller.said) < count:
        caller.said.append(await caller.line())
    taken, caller.said = caller.said[:count], caller.said[count:]
    assert all(said["method"] == "change" for said in taken)
    return [said["params"] for said in taken]


async def test_a_watcher_sees_what_happens_from_now_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes), calling(path) as caller:
        await notes.add("before")
        assert (await caller.call("watch"))["result"] == {"cursor": 1, "lagged": False}
        await notes.add("after")
        assert await _changes(caller, 1) == [{"cursor": 2, "topic": "notes.added", "data": {"seq": 2, "text": "after"}}]


async def test_a_watcher_that_comes_again_misses_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes):
        async with calling(path) as caller:
            await caller.call("watch")
            await notes.add("one")
            cursor = (await _changes(caller, 1))[0]["cursor"]
        await notes.add("two")
        await notes.add("hidden")
        await notes.add("three")
        async with calling(path) as caller:
            assert (await caller.call("watch", cursor=cursor))["result"] == {"cursor": cursor, "lagged": False}
            assert [change["data"]["text"] for change in await _changes(caller, 2)] == ["two", "three"]


async def test_only_wanted_topics_come(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes), calling(path) as caller, calling(path) as other:
        await caller.call("watch", topics=["notes"])
        await other.call("watch", topics=["other.thing"])
        await notes.add("one")
        await notes.database.transact(_changed, "other.thing", 1)
        await notes.add("two")
        assert [change["data"]["text"] for change in await _changes(caller, 2)] == ["one", "two"]
        assert [change["cursor"] for change in await _changes(other, 1)] == [2]
        error = (await caller.call("watch", topics=["nothing"]))["error"]
        assert (error["data"]["code"], error["data"]["exit"]) == ("watch.topic", 2)


async def test_a_thing_that_changed_often_comes_once_as_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes), calling(path) as caller:
        await notes.add("one")
        for _ in range(5):
            await notes.database.transact(_changed, "notes.added", 1)
        await caller.call("watch", cursor=0)
        assert await _changes(caller, 1) == [{"cursor": 6, "topic": "notes.added", "data": {"seq": 1, "text": "one"}}]


async def test_thousands_of_changes_come_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes), calling(path) as caller:
        await caller.call("watch", cursor=0)
        for _ in range(40):
            await notes.add("x" * 100, 64)
        changes = await _changes(caller, 40 * 64)
        assert [change["cursor"] for change in changes] == list(range(1, 40 * 64 + 1))


async def test_a_cursor_whose_changes_are_gone_is_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes), calling(path) as caller:
        await notes.add("x", 10)
        await notes.database.transact(_forget, 5)
        assert (await caller.call("watch", cursor=2))["result"] == {"cursor": 10, "lagged": True}
        assert (await caller.call("watch", cursor=5))["result"] == {"cursor": 5, "lagged": False}
        assert (await caller.call("watch", cursor=99))["result"] == {"cursor": 10, "lagged": True}


async def test_one_connection_watches_only_so_much(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        for _ in range(rpc.WATCHES_MAX):
            assert "result" in await caller.call("watch")
        assert (await caller.call("watch"))["error"]["data"]["code"] == "watch.limit"


async def test_a_bug_in_showing_a_change_ends_one_connection_and_not_the_node(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(tmp_path) as (path, notes):
            async with calling(path) as caller:
                await caller.call("watch")
                await notes.add("broken")
                assert await caller.line() is None
            async with calling(path) as caller:
                assert (await caller.call("notes.add", text="on"))["result"] == {"seq": 2}
    assert [entry["method"] for entry in logs if entry["log_level"] == "error"] == ["watch"]


async def test_a_change_that_cannot_be_read_is_told_and_not_tried_for_ever(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(tmp_path) as (path, notes), calling(path) as caller:
            await caller.call("watch")
            await notes.add("damaged")
            said = await caller.line()
            assert (said["method"], said["params"]["code"], said["params"]["exit"]) == ("failed", "store.damaged", 1)
            assert await caller.line() is None
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


async def test_a_watcher_that_reads_nothing_holds_up_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as idle, calling(path) as caller:
        await idle.call("watch")
        for _ in range(50):
            await caller.call("notes.add", text="x" * 1000, often=64)
        with trio.move_on_after(0.1):
            while True:
                await idle.line()
        assert (await caller.call("notes.add", text="y"))["result"] == {"seq": 50 * 64 + 1}


def _changed(tx: Tx, topic: str, key: int) -> None:
    tx.changed(topic, key)


def _forget(tx: Tx, up_to: int) -> None:
    tx.execute("DELETE FROM change WHERE seq <= ?", (up_to,))
