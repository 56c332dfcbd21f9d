"""The local API over a real Unix socket, with a real database and small services."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
import trio

from node import rpc
from protocol.faults import Unavailable, UserFault
from store.database import Database, Migration, Tx, Worker, open_database
from store.faults import StoreDamaged
from store.schema import CORE

ROWS = Migration("notes", 1, "CREATE TABLE note (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;")


class NoSuchNote(UserFault):
    """There is no such note."""

    code = "note.unknown"
    next = "weft notes"
    exit = 5


class Notes:
    """A room of the test: it keeps texts, and can fail in each way."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.cancelled = trio.Event()
        self.waiting = trio.Event()
        self.open = trio.Event()

    async def add(self, text: str, often: int = 1) -> dict[str, object]:
        """Keeps a text.

        Errors: note.unknown (when it is empty, or so), over.limit.
        """
        if not text:
            raise NoSuchNote(text=text)
        first = await self.database.transact(_add, text, often)
        return {"seq": first}

    async def wait(self) -> None:
        """Waits until it is opened, or the client goes."""
        self.waiting.set()
        try:
            await self.open.wait()
        except trio.Cancelled:
            self.cancelled.set()
            raise

    async def break_down(self) -> None:
        """Is wrong."""
        raise KeyError("a bug")

    async def away(self) -> None:
        """Is not possible now."""
        raise Unavailable("Bo is away.")

    async def all_kinds(
        self,
        number: int | None,
        yes: bool,
        texts: list[str],
        size: float = 1.0,
        how: Literal["once", "often"] = "once",
        more: dict[str, Any] | None = None,
    ) -> list[object]:
        """Gives back what it was given."""
        return [number, yes, texts, size, how, more]

    async def _hidden(self) -> None:
        raise AssertionError

    def synchronous(self) -> None:
        raise AssertionError


def _add(tx: Tx, text: str, often: int) -> int:
    first = 0
    for _ in range(often):
        seq = tx.insert("INSERT INTO note (text) VALUES (?)", (text,))
        tx.changed("notes.added", seq)
        first = first or seq
    return first


def _shown(tx: Tx, seq: int) -> dict[str, object] | None:
    row = tx.one("SELECT text FROM note WHERE seq = ?", (seq,))
    if row is None or row[0] == "hidden":
        return None
    if row[0] == "broken":
        raise KeyError("a bug")
    if row[0] == "damaged":
        raise StoreDamaged
    return {"seq": seq, "text": row[0]}


class Caller:
    """The other end of the socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.rest = b""
        self.number = 0
        self.said: list[Any] = []

    async def send(self, *lines: object) -> None:
        await self.stream.send_all(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    async def line(self) -> Any:
        """The next line, None at the end."""
        while b"\n" not in self.rest:
            try:
                chunk = await self.stream.receive_some(1 << 16)
            except trio.BrokenResourceError:  # the other end closed before it had read all
                return None
            if not chunk:
                return None
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    async def call(self, method: str, *params: object, **named: object) -> Any:
        self.number += 1
        await self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": list(params) or named})
        while (said := await self.line()).get("id") != self.number:
            self.said.append(said)
        return said


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Path, Notes]]:
    path = folder / "rpc.sock"
    async with open_database(folder / "weft.db", bytes(32), (*CORE, ROWS), Worker.INLINE) as database:
        notes = Notes(database)
        async with trio.open_nursery() as nursery:
            shows = {"notes.added": _shown, "other.thing": _shown}
            await nursery.start(rpc.serve, path, {"notes": notes}, shows, database)
            with trio.fail_after(20):
                yield path, notes
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def calling(path: Path) -> AsyncIterator[Caller]:
    async with await trio.open_unix_socket(str(path)) as stream:
        yield Caller(stream)


async def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_calls_by_name_and_by_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        assert (await caller.call("notes.add", text="one"))["result"] == {"seq": 1}
        assert (await caller.call("notes.add", "two", 2))["result"] == {"seq": 2}
        assert (await caller.call("notes.all_kinds", None, True, ["a"]))["result"] == [
            *(None, True, ["a"]),
            *(1.0, "once", None),
        ]


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({}, "needs text"),
        ({"text": 3}, "text must be str"),
        ({"text": "a", "often": True}, "often must be int"),
        ({"text": "a", "oftn": 1}, "does not know the parameter oftn"),
        (["a", 1, 2], "at most 2"),
    ],
)
async def test_wrong_params_are_a_usage_error(tmp_path: Path, params: object, part: str) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        await caller.send({"jsonrpc": "2.0", "id": 1, "method": "notes.add", "params": params})
        error = (await caller.line())["error"]
        assert error["code"] == -32602
        assert part in error["message"]
        assert error["data"]["exit"] == 2


@pytest.mark.parametrize(
    "params",
    [
        {"number": None, "yes": 1, "texts": []},
        {"number": 1.5, "yes": True, "texts": []},
        {"number": 1, "yes": True, "texts": [1]},
        {"number": 1, "yes": True, "texts": "ab"},
        {"number": 1, "yes": True, "texts": [], "size": "1"},
        {"number": 1, "yes": True, "texts": [], "how": "twice"},
        {"number": 1, "yes": True, "texts": [], "more": []},
    ],
)
async def test_every_type_is_checked(tmp_path: Path, params: dict[str, object]) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        assert (await caller.call("notes.all_kinds", **params))["error"]["data"]["code"] == "call.params"


async def test_each_kind_of_fault_has_its_answer(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(tmp_path) as (path, _), calling(path) as caller:
            assert (await caller.call("notes.add", text=""))["error"] == {
                "code": -32000,
                "message": "There is no such note.",
                "data": {
                    "code": "note.unknown",
                    "message": "There is no such note.",
                    "next": "weft notes",
                    "exit": 5,
                    "data": {"text": ""},
                },
            }
            assert (await caller.call("notes.away"))["error"]["data"]["code"] == "unavailable"
            assert (await caller.call("notes.break_down"))["error"]["data"]["code"] == "internal"
            for unknown in ("notes._hidden", "notes.synchronous", "notes", "other.add"):
                error = (await caller.call(unknown))["error"]
                assert (error["code"], error["data"]["exit"]) == (-32601, 8)
            assert (await caller.call("notes.add", text="still here"))["result"] == {"seq": 1}
    assert [entry["method"] for entry in logs if entry["log_level"] == "error"] == ["notes.break_down"]


async def test_a_door_of_another_version_is_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        await caller.send({"jsonrpc": "2.0", "id": 1, "method": "notes.away", "api": 99})
        assert (await caller.line())["error"]["data"]["exit"] == 8


async def test_answers_come_in_the_order_in_which_they_are_ready(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes), calling(path) as caller:
        await caller.send({"jsonrpc": "2.0", "id": "slow", "method": "notes.wait"})
        await notes.waiting.wait()
        assert (await caller.call("notes.add", text="fast"))["result"] == {"seq": 1}
        assert caller.said == []
        notes.open.set()
        assert await caller.line() == {"jsonrpc": "2.0", "id": "slow", "result": None}


async def test_many_calls_go_down_one_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        calls = [
            {"jsonrpc": "2.0", "id": n, "method": "notes.add", "params": {"text": "x" * 100, "often": 3}}
            for n in range(1000)
        ]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller.send, *calls)
            answers = [await caller.line() for _ in range(1000)]
        assert sorted(answer["id"] for answer in answers) == list(range(1000))
        assert sorted(answer["result"]["seq"] for answer in answers) == list(range(1, 3000, 3))


async def test_a_batch_is_answered_in_one_line(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        await caller.send(
            [
                {"jsonrpc": "2.0", "id": 1, "method": "notes.add", "params": {"text": "one"}},
                {"jsonrpc": "2.0", "method": "notes.add", "params": {"text": "two"}},
                {"id": 3},
                {"jsonrpc": "2.0", "id": 4, "method": "notes.add", "params": {"text": "three"}},
            ]
        )
        first, second, third = await caller.line()
        assert (first["result"], third["result"]) == ({"seq": 1}, {"seq": 3})
        assert second["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"notes.add","params":{"text":"\\ud800"}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"notes.add","params":[NaN]}', -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b'{"id":1,"method":"notes.add"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":3}', -32600),
        (b'{"jsonrpc":"2.0","id":[],"method":"notes.add"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"notes.add","params":3}', -32602),
    ],
)
async def test_a_line_that_is_no_call_is_refused_and_the_next_is_answered(
    tmp_path: Path, line: bytes, code: int
) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        await caller.stream.send_all(line + b"\n\n")
        assert (await caller.line())["error"]["code"] == code
        assert (await caller.call("notes.add", text="good"))["result"] == {"seq": 1}


async def test_a_line_without_end_ends_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _):
        async with calling(path) as caller, trio.open_nursery() as nursery:
            nursery.start_soon(_flood, caller.stream)
            assert (await caller.line())["error"]["code"] == -32700
            assert await caller.line() is None
            nursery.cancel_scope.cancel()
        async with calling(path) as caller:
            assert (await caller.call("notes.add", text="a"))["result"] == {"seq": 1}


async def _flood(stream: trio.SocketStream) -> None:
    try:
        for _ in range(64):
            await stream.send_all(b"x" * (1 << 16))
    except trio.BrokenResourceError:
        return


async def test_a_client_that_goes_takes_its_calls_with_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, notes):
        async with calling(path) as caller:
            await caller.send({"jsonrpc": "2.0", "id": 1, "method": "notes.wait"})
            await notes.waiting.wait()
        await notes.cancelled.wait()


async def test_a_client_that_only_stops_sending_gets_its_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        await caller.send({"jsonrpc": "2.0", "id": 1, "method": "notes.add", "params": {"text": "a"}})
        await caller.stream.send_eof()
        assert (await caller.line())["result"] == {"seq": 1}
        assert await caller.line() is None


async def test_describe_tells_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as (path, _), calling(path) as caller:
        told = (await caller.call("describe"))["result"]
    methods = {method["name"]: method for method in told["methods"]}
    assert told["protocol"] == 1
    assert told["topics"] == ["notes.added", "other.thing"]
    assert {"describe", "watch", "notes.add", "notes.wait"} < set(methods)
    assert "notes._hidden" not in methods
    assert methods["notes.add"]["params"] == [
        {"name": "text", "type": "str"},
        {"name": "often", "type": "int", "default": 1},
    ]
    assert methods["notes.add"]["errors"] == ["note.unknown", "over.limit"]
    assert methods["notes.all_kinds"]["params"][0]["type"] == "int | null"
    assert all(method["doc"] for method in methods.values())
