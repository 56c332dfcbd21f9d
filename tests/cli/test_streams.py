"""Commands that go on: inbox --follow, chat, rpc. Each is a real process with real pipes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from cli import walls
from tests.cli import fake
from tests.cli.moments_room import moment, notice

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


class Typed:
    """A `weft` that runs: what is typed into it and what it writes."""

    def __init__(self, program: trio.Process) -> None:
        self.program = program
        self._rest = b""

    async def type(self, text: str) -> None:
        assert self.program.stdin is not None
        await self.program.stdin.send_all(text.encode())

    async def end_input(self) -> None:
        assert self.program.stdin is not None
        await self.program.stdin.aclose()

    async def line(self) -> str:
        """The next line; "" at the end."""
        assert self.program.stdout is not None
        while b"\n" not in self._rest:
            chunk = await self.program.stdout.receive_some(1 << 16)
            if not chunk:
                return ""
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    async def json(self) -> Any:
        return json.loads(await self.line())


@asynccontextmanager
async def _weft(world: fake.World, *words: str, stderr: int = subprocess.DEVNULL) -> AsyncIterator[Typed]:
    program = await trio.lowlevel.open_process(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT,
        env={**os.environ, **world.door.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield Typed(program)
    finally:
        if program.poll() is None:
            program.kill()
        with trio.CancelScope(shield=True):
            await program.wait()


async def test_following_misses_nothing_across_a_restart_of_the_node(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, trio.open_nursery() as nursery:
        await world.chat.receive("Bo", "before")
        async with _weft(world, "inbox", "--follow", "--jsonl") as typed:
            assert (await typed.json())["text"] == "before"
            await world.chat.receive("Bo", "one")
            assert (await typed.json())["text"] == "one"
            world.serving.cancel()
            await world.chat.receive("Bo", "two")
            await world.start(nursery)
            await world.chat.receive("Bo", "three")
            assert [(await typed.json())["text"] for _ in range(2)] == ["two", "three"]
            typed.program.send_signal(signal.SIGINT)
            assert await typed.program.wait() == 130
        world.serving.cancel()


async def test_a_chat_through_pipes(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        world.chat.fate = lambda message: message.update(state="delivered")
        async with _weft(world, "chat", "bo") as typed:
            await typed.type("hi\n\n")
            shown = {await typed.line() for _ in range(2)}
            assert any("You: hi" in line for line in shown)
            assert "  ✔ delivered   (id …00000001)" in shown
            await world.chat.receive("Chen", "not for this chat")
            await world.chat.receive("Bo", "hello")
            assert "Bo: hello" in await typed.line()
            await typed.type("bye")
            await typed.end_input()
            assert {"You: bye" in await typed.line() for _ in range(2)} == {True, False}
            assert await typed.program.wait() == 0
        assert [line["text"] for line in world.chat.lines if line["mine"]] == ["hi", "bye"]


async def test_a_chat_as_json_lines(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "chat", "Bo", "--jsonl") as typed:
        await typed.type("hi\n")
        assert (await typed.json())["state"] == "queued"
        await world.chat.become(1, "delivered")
        assert (await typed.json())["state"] == "delivered"
        await world.chat.receive("Bo", "hello")
        assert (await typed.json())["text"] == "hello"


async def test_a_chat_shows_what_is_done_to_its_messages(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world, _weft(world, "chat", "bo") as typed:
        await typed.type("hi\n")
        assert "You: hi" in await typed.line()
        other = await world.chat.receive("Chen", "not for this chat")
        await world.chat.react(other["id"], "👎")
        await world.changed("chat.changed", other["seq"])
        await world.chat.react("00000001", "👍")
        await world.changed("chat.changed", 1)
        assert (await typed.line()).startswith("↻ ")
        assert await typed.line() == "       👍 You"
        await world.chat.recall("00000001")
        await world.changed("chat.changed", 1)
        assert "You recalled a message." in await typed.line()


async def test_the_bridge_answers_what_is_piped_in_and_ends(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "rpc") as typed:
        await typed.type('{"jsonrpc":"2.0","method":"node.version"}\n\n{"jsonrpc":"2.0","id":1,"method":"node.words"}')
        await typed.end_input()
        assert await typed.json() == {"jsonrpc": "2.0", "id": 1, "result": {"words": fake.WORDS}}
        assert await typed.line() == ""
        assert await typed.program.wait() == 0


async def test_the_bridge_streams_a_watch_until_it_is_ended(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "rpc") as typed:
        await typed.type('{"jsonrpc":"2.0","id":1,"method":"watch"}\n')
        await typed.end_input()
        assert (await typed.json())["result"] == {"cursor": 0, "lagged": False}
        await world.chat.receive("Bo", "hi")
        assert (await typed.json())["params"]["data"]["text"] == "hi"
        typed.program.send_signal(signal.SIGINT)
        assert await typed.program.wait() == 130


async def test_the_bridge_says_when_the_node_is_gone(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "rpc") as typed:
        await typed.type('{"jsonrpc":"2.0","id":1,"method":"watch"}\n')
        assert await typed.line()
        world.serving.cancel()
        assert await typed.program.wait() == 3


async def test_status_is_shown_anew_when_something_changes(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "status", "bo", "--watch", "--jsonl") as typed:
        assert (await typed.json())["online"] is False
        world.contacts.rows[0]["online"] = True
        await world.changed("contacts.changed", 1)
        assert (await typed.json())["online"] is True
        typed.program.send_signal(signal.SIGTERM)
        assert await typed.program.wait() != 0


async def test_watching_the_status_tells_what_no_change_tells_and_nothing_twice(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "status", "--watch", "--json") as typed:
        assert (await typed.json())["contacts"][0]["reason"] == ""
        await world.changed("contacts.changed", 1)  # and nothing is another than it was
        world.contacts.rows[0]["reason"] = "nobody answers there"  # no change tells why a dial failed
        assert (await typed.json())["contacts"][0]["reason"] == "nobody answers there"


async def test_watching_the_status_goes_on_after_a_restart_of_the_node(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, trio.open_nursery() as nursery:
        async with _weft(world, "status", "bo", "--watch", "--jsonl") as typed:
            assert (await typed.json())["online"] is False
            world.serving.cancel()
            world.contacts.rows[0]["online"] = True
            await world.start(nursery)
            assert (await typed.json())["online"] is True
        nursery.cancel_scope.cancel()


async def test_watching_the_status_of_nobody_or_of_no_node_ends_at_once(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        async with _weft(world, "status", "eve", "--watch", "--jsonl") as typed:
            assert (await typed.json())["error"]["code"] == "contact.unknown"
            assert await typed.program.wait() == 5
        world.serving.cancel()
        async with _weft(world, "status", "--watch", "--jsonl") as typed:
            assert (await typed.json())["error"]["code"] == "node.down"
            assert await typed.program.wait() == 3


async def test_following_ends_with_a_sentence_where_the_database_is_damaged(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "inbox", "--follow", "--jsonl") as typed:
        await world.chat.receive("Bo", "one")
        assert (await typed.json())["text"] == "one"
        await world.chat.receive("Bo", "(damaged)")
        assert (await typed.json())["error"]["code"] == "store.damaged"
        assert await typed.program.wait() == 1


async def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _weft(world, "inbox", "--follow", "--jsonl") as typed:
        await world.chat.receive("Bo", "one")
        assert await typed.line()
        assert typed.program.stdout is not None
        await typed.program.stdout.aclose()
        await world.chat.receive("Bo", "two")
        assert await typed.program.wait() == 1


async def test_the_bell_rings_but_not_for_who_is_muted(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await world.weft("chats", "mute", "bo")
        async with _weft(world, "inbox", "--follow", "--bell", "--jsonl", "-q", stderr=subprocess.STDOUT) as weft:
            await world.chat.looked.wait()
            lines = []
            for name in ("Bo", "Chen", "Bo"):
                await world.chat.receive(name, f"of {name}")
                lines.append(await weft.line())
            assert [line.startswith("\a") for line in lines] == [False, False, True]  # behind what Chen said
            assert json.loads(lines[2].removeprefix("\a"))["muted"] is True


async def test_who_follows_moments_sees_what_comes_and_what_changes(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, trio.open_nursery() as nursery:
        world.moments.rows.append(moment("old", 1))
        async with _weft(world, "moments", "--follow") as typed:
            assert (await typed.line(), await typed.line()) == (walls.head(moment("old", 1)), "    old")
            world.moments.rows.append(moment("new", 2))
            await world.changed("moments.changed", 2)
            assert [await typed.line() for _ in range(3)] == ["", walls.head(moment("new", 2)), "    new"]
            world.serving.cancel()
            world.moments.rows[0]["likes"] = ["Chen"]
            await world.changed("moments.changed", 1)
            await world.start(nursery)
            changed = [await typed.line() for _ in range(3)]
            assert changed == ["", f"↻ {walls.head(moment('old', 1))}", "  ♥ Chen"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("author", "seen"), [("bo", [1, 4]), ("me", [3, 5])])
async def test_who_follows_one_author_sees_no_other(tmp_path: Path, author: str, seen: list[int]) -> None:
    ours = {"author": "", "mine": True}
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        world.moments.rows += [moment("1", 1), moment("2", 2, author="Chen"), moment("3", 3, **ours)]
        async with _weft(world, "moments", "list", "--by", author, "--follow", "--json") as typed:
            assert (await typed.json())["text"] == str(seen[0])
            world.moments.rows += [moment("4", 4), moment("5", 5, **ours)]
            await world.changed("moments.changed", 2, 4, 5)
            assert (await typed.json())["text"] == str(seen[1])


async def test_who_follows_what_is_said_of_his_moments_hears_each_once(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.told.append(notice(1, "like"))
        async with _weft(world, "moments", "notify", "--follow", "--jsonl") as typed:
            assert (await typed.json())["number"] == 1
            await world.changed("moments.noticed", 1)
            world.moments.told.append(notice(2, "comment"))
            await world.changed("moments.noticed", 2)
            assert (await typed.json())["number"] == 2
