"""What a person meets at a terminal: questions, a line being typed, a table. Each through a pseudo-terminal."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.cli import fake
from tests.cli.test_node import PROGRAM
from tests.node.workshop import made

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
RUN = (
    "import sys\nfrom cli.__main__ import run\nfrom cli.options import Door\n"
    "sys.exit(run(sys.argv[2:], Door(launcher=(sys.executable, sys.argv[1]))))"
)


COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


class Terminal:
    """The person's side of a terminal: all that was shown, and a keyboard."""

    def __init__(self, descriptor: int, program: "subprocess.Popen[bytes]") -> None:
        self.descriptor = descriptor
        self.program = program
        self.shown = ""

    async def until(self, text: str) -> None:
        """Reads until this is shown."""
        while text not in self.shown:
            await trio.lowlevel.wait_readable(self.descriptor)
            self.shown += os.read(self.descriptor, 1 << 16).decode()

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    async def ended(self) -> int:
        return await trio.to_thread.run_sync(self.program.wait, 10)

    async def leave(self) -> int:
        """Types Ctrl-D until it is heeded: before the line editor waits it is none."""
        while True:
            self.type("\x04")
            try:
                return await trio.to_thread.run_sync(self.program.wait, 0.3)
            except subprocess.TimeoutExpired:
                continue

    async def interrupt(self) -> int:
        """Sends SIGINT until it is heeded: the line editor misses one that comes just before it waits."""
        while True:
            self.program.send_signal(signal.SIGINT)
            try:
                return await trio.to_thread.run_sync(self.program.wait, 0.5)
            except subprocess.TimeoutExpired:
                continue


@asynccontextmanager
async def _terminal(world: fake.World, program: Path, *words: str, **environ: str) -> AsyncIterator[Terminal]:
    ours, theirs = pty.openpty()
    started = _start(theirs, [str(program), *words], {**os.environ, "TERM": "xterm", **world.door.environ, **environ})
    os.close(theirs)
    try:
        with trio.fail_after(15):
            yield Terminal(ours, started)
    finally:
        started.kill()
        started.wait()
        os.close(ours)


def _start(terminal: int, words: list[str], environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        cwd=ROOT,
        env=environ,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )


def _program(tmp_path: Path) -> Path:
    path = tmp_path / "node.py"
    path.write_text(PROGRAM.replace("ACCOUNT", fake.ACCOUNT))
    return path


async def test_init_asks_name_and_passphrase_twice_and_shows_it_never(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    async with _terminal(world, _program(tmp_path), "init") as terminal:
        await terminal.until("Display name [ana]:")
        terminal.type("Ana A\n")
        await terminal.until("Passphrase for this device (empty = key file only you can read):")
        terminal.type("correct horse\n")
        await terminal.until("The same again:")
        terminal.type("correct horse\n")
        await terminal.until("Next: weft up")
        assert await terminal.ended() == 0
        assert "Identity made: wf1qq…f3" in terminal.shown
        assert "horse" not in terminal.shown
    assert '"name": "Ana A", "passphrase": "correct horse"' in (world.directory / "init.said").read_text()


async def test_two_passphrases_that_differ_make_nothing(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    async with _terminal(world, _program(tmp_path), "init", "--name", "Ana") as terminal:
        await terminal.until("Passphrase for this device")
        terminal.type("correct horse\n")
        await terminal.until("The same again:")
        terminal.type("correct hors\n")
        await terminal.until("nothing was made")
        assert await terminal.ended() == 2
    assert not (world.directory / "init.said").exists()


async def test_ctrl_c_at_a_question_is_130(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    async with _terminal(world, _program(tmp_path), "init") as terminal:
        await terminal.until("Display name")
        assert await terminal.interrupt() == 130


async def test_on_a_terminal_send_shows_what_becomes_of_the_message(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.chat.why = "Bo is away"
        async with _terminal(world, tmp_path, "send", "bo", "hi") as terminal:
            await terminal.until("queued: Bo is away   (id …00000001)")
            assert await terminal.ended() == 0
        world.chat.fate = lambda message: message.update(state="kept", reason="kept by chen until 22 Dec")
        async with _terminal(world, tmp_path, "send", "bo", "hi") as terminal:
            await terminal.until("kept by chen until 22 Dec   (id …00000002)")
            assert await terminal.ended() == 0
            assert "queued" not in terminal.shown


async def test_a_chat_says_that_a_line_waits_only_if_nothing_else_becomes_of_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _terminal(world, tmp_path, "chat", "bo") as terminal:
        world.chat.why = "Bo is away"
        await terminal.until("> ")
        terminal.type("one\n")
        await terminal.until("queued: Bo is away   (id …00000001)")
        world.chat.fate = lambda message: message.update(state="kept", reason="kept by chen until 22 Dec")
        terminal.type("two\n")
        await terminal.until("kept by chen until 22 Dec   (id …00000002)")
        world.chat.fate, world.chat.posted = dict.copy, trio.Event()
        terminal.type("three\n")
        await world.chat.posted.wait()
        assert await terminal.leave() == 0
        await terminal.until("queued: Bo is away   (id …00000003)")  # whoever leaves at once is told too
        assert "Bo is away   (id …00000002)" not in terminal.shown


async def test_a_sticker_that_comes_in_a_chat_is_drawn(tmp_path: Path) -> None:
    beside = ROOT / "weft.py"
    async with fake.node(tmp_path, "Bo") as world, _terminal(world, beside, "chat", "bo", **COLOURS) as terminal:
        await terminal.until("> ")
        sticker = {"name": "wave", "pack": "Cats", "alt": "", "bytes": 9, "width": 6, "height": 4}
        world.stickers.picture = made.encoded(made.halves(6, 4), "WEBP", lossless=True)
        for number, one in ((1, None), (2, sticker)):
            await world.chat.receive("Bo", f"line {number}", sticker=one)
        await terminal.until("\x1b[0m\r\n")
        drawn = terminal.shown.partition("line 2")[2].partition("\r\n")[2]
        assert drawn.startswith("\x1b[38;2;255;0;0;48;2;255;0;0m▀▀▀")
        assert "▀" not in terminal.shown.partition("line 2")[0]
        await terminal.leave()
    (tmp_path / "b").mkdir()
    async with fake.node(tmp_path / "b", "Bo") as world:  # not at a terminal
        await world.chat.receive("Bo", "line 1", sticker=sticker)
        assert "▀" not in (await world.weft("message", "00000001")).out


async def test_what_comes_in_a_chat_appears_above_the_line_being_typed(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _terminal(world, tmp_path, "chat", "bo") as terminal:
        await terminal.until("> ")
        terminal.type("half a li")
        await terminal.until("half a li")
        await world.chat.receive("Bo", "hello")
        await terminal.until("Bo: hello")
        await terminal.until("\n> half a li")
        terminal.type("ne\n")
        await world.chat.posted.wait()
        assert world.chat.lines[1]["text"] == "half a line"
        await world.chat.become(2, "delivered")
        await terminal.until("delivered   (id …00000002)")
        terminal.type("\x04")
        assert await terminal.ended() == 0
        assert "● " not in terminal.shown


async def test_a_chat_shows_all_that_is_new_and_marks_it_as_read(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await world.chat.receive("Chen", "of somebody else")
        for number in range(100):
            await world.chat.receive("Bo", f"number {number}.")
        await world.chat.read("bo")
        for number in range(100, 130):
            await world.chat.receive("Bo", f"number {number}.")
        async with _terminal(world, tmp_path, "chat", "bo") as terminal:
            await terminal.until("Talking with Bo")
            assert ("number 100." in terminal.shown, "number 0." in terminal.shown) == (True, False)
            assert [line["contact"] for line in world.chat.lines if line["unread"]] == ["Chen"]
            assert await terminal.leave() == 0


async def test_a_chat_goes_on_with_the_next_node_and_a_line_in_between_is_said_to_be_unsent(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, trio.open_nursery() as nursery:
        async with _terminal(world, tmp_path, "chat", "bo") as terminal:
            await world.chat.watched.wait()
            world.serving.cancel()
            await terminal.until("The node went away")
            terminal.type("lost\n")
            await terminal.until("This line was not sent. Node is not running.")
            await world.start(nursery)
            await terminal.until("The node is back.")
            terminal.type("said\n")
            await world.chat.posted.wait()
            assert [line["text"] for line in world.chat.lines] == ["said"]
            assert await terminal.leave() == 0
        world.serving.cancel()


async def test_who_types_is_shown_below_the_line_being_typed_and_told_what_one_types(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world, _terminal(world, tmp_path, "chat", "bo") as terminal:
        await terminal.until("> ")
        await world.chat.watched.wait()
        assert world.chat.typed_to == []
        world.chat.types("Chen")
        world.chat.types("Bo")
        await terminal.until("Bo is typing…")
        assert "Chen is typing" not in terminal.shown
        await terminal.until("\x1b8")  # the cursor is back behind the prompt
        terminal.shown = ""
        terminal.type("half a li")
        await world.chat.typed.wait()
        assert world.chat.typed_to == ["Bo"]
        world.chat.types("Bo", False)
        await terminal.until("\x1b7\x1bD\r\x1b[K\x1b8")
        world.chat.types("Bo")
        await terminal.until("Bo is typing…")
        await world.chat.receive("Bo", "hello")
        await terminal.until("\r\x1b[J")
        await terminal.until("Bo: hello")
        await terminal.until("\n> half a li")
        terminal.type("ne\n")
        await world.chat.posted.wait()
        assert world.chat.lines[1]["text"] == "half a line"
        assert await terminal.leave() == 0


async def test_who_follows_the_inbox_sees_who_types_on_the_last_row(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world, _terminal(world, tmp_path, "inbox", "--follow") as terminal:
        await terminal.until("Waiting for messages")
        await world.chat.watched.wait()
        world.chat.types("Bo")
        await terminal.until("\r\x1b[KBo is typing…")
        world.chat.types("Chen")
        await terminal.until("\r\x1b[KBo, Chen are typing…")
        terminal.shown = ""
        await world.chat.receive("Bo", "hello")
        await terminal.until("Bo: hello")
        assert terminal.shown.startswith("\r\x1b[K")
        world.chat.types("Bo", False)
        await terminal.until("\r\x1b[KChen is typing…")
        world.chat.types("Chen", False)
        await terminal.until("Chen is typing…\r\x1b[K")
        assert await terminal.interrupt() == 130


async def test_a_watched_status_is_drawn_in_its_place(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world, _terminal(world, tmp_path, "status", "--watch") as terminal:
        await terminal.until("seen never")
        world.contacts.rows[0]["online"] = True
        await world.changed("contacts.changed", 1)
        await terminal.until("online")
        first, second = terminal.shown.split("\x1b[H")[1:]
        assert first.endswith("\x1b[J")  # nothing of a longer one stays below
        assert first.count("\n") == second.count("\n")
        assert await terminal.interrupt() == 130


async def test_verifying_asks_whether_the_numbers_are_the_same(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        async with _terminal(world, tmp_path, "contacts", "verify", "bo") as terminal:
            await terminal.until("the same number? [y/N]:")
            assert "12345 12345 12345 12345" in terminal.shown
            terminal.type("\n")
            assert await terminal.ended() == 7
        async with _terminal(world, tmp_path, "contacts", "verify", "bo", "--words") as terminal:
            await terminal.until("the same three words? [y/N]:")
            assert "able   baker   cab" in terminal.shown
            terminal.type("y\n")
            assert await terminal.ended() == 0
        assert world.contacts.rows[0]["verified"] == "words"


async def test_colour_only_where_it_is_wanted(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        async with _terminal(world, tmp_path, "contacts", "rename", "bo", "Bob") as terminal:
            await terminal.until("from now on")
            assert "\x1b[32m✔" in terminal.shown
        for words in (("contacts",), ("contacts", "rename", "bob", "Bo")):
            async with _terminal(world, tmp_path, *words, NO_COLOR="1") as terminal:
                await terminal.until("Bo")
                assert "\x1b" not in terminal.shown
        async with _terminal(world, tmp_path, "contacts") as terminal:
            await terminal.until("Bo")
            assert "\x1b[1mName" in terminal.shown


async def test_evidence_is_not_written_on_a_terminal(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"\x1b]0;owned\x07"]
        async with _terminal(world, tmp_path, "log", "export", "trip", "-") as terminal:
            await terminal.until("name a FILE, or lead stdout elsewhere.")
            assert await terminal.ended() == 2
        assert world.logs.asked == []


async def test_what_a_search_found_stands_out(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", "to the cinema at eight")
        async with _terminal(world, tmp_path, "search", "cinema") as terminal:
            await terminal.until("at eight")
            assert "to the \x1b[33m\x1b[1mcinema\x1b[0m at eight" in terminal.shown
        async with _terminal(world, tmp_path, "search", "cinema", NO_COLOR="1") as terminal:
            await terminal.until("to the cinema at eight")


@pytest.mark.process
async def test_restore_asks_whether_the_devices_are_lost_and_for_the_words(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    async with _terminal(world, _program(tmp_path), "backup", "restore", "ana.weft") as terminal:
        await terminal.until("Are they lost, or done with? [y/N]:")
        terminal.type("n\n")
        assert await terminal.ended() == 130
    assert not world.directory.exists()
    async with _terminal(world, _program(tmp_path), "backup", "restore", "ana.weft") as terminal:
        await terminal.until("Are they lost, or done with? [y/N]:")
        terminal.type("y\n")
        await terminal.until("Your 24 recovery words, in order:")
        terminal.type(f"{fake.WORDS}\n")
        await terminal.until("Passphrase for this device")
        terminal.type("horse\n")
        await terminal.until("The same again:")
        terminal.type("other\n")
        await terminal.until("The two passphrases differ; nothing was made. Again: weft backup restore FILE")
        assert await terminal.ended() == 2
