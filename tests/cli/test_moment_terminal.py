"""moments at a terminal: pictures are drawn, and a person is asked. Each is a real process before a real terminal."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from cli import show
from tests.cli import fake, moments_room
from tests.cli.moments_room import comment, moment, picture
from tests.cli.test_escapes import EVIL, steering
from tests.node.workshop import made
from tests.sources import ROOT

pytestmark = pytest.mark.process

WHEN = show.clock(moments_room.AT_MS)


async def test_pictures_are_drawn_at_a_terminal_where_they_stand(tmp_path: Path) -> None:
    """One alone, several beside each other, at most three of a moment and twelve of a list."""
    async with fake.node(tmp_path) as world:
        world.moments.webp = made.webp()
        world.moments.rows += [
            moment("one", 1, pictures=[picture(1, "a.jpg"), picture(2, "b.jpg", has_preview=False)]),
            *(moment("many", number, pictures=[picture(n, "c.jpg") for n in range(1, 10)]) for number in range(2, 6)),
        ]
        shown = await trio.to_thread.run_sync(at_terminal, world, "moments")
        assert len(world.moments.looked) == 12  # of the four newest three each
        assert "▀" not in shown.partition("many")[0]
        assert shown.count("▀") > 4 * 50
        del world.moments.rows[1:], world.moments.looked[:]
        shown = await trio.to_thread.run_sync(at_terminal, world, "moments", "--picture", "blocks")
        assert [one["number"] for one in world.moments.looked] == [1]
        assert shown.count("▀") >= 36
        assert "▀" not in await trio.to_thread.run_sync(at_terminal, world, "moments", "--picture", "none")
        world.moments.rows[0]["pictures"] = [picture(number, "a.jpg") for number in range(1, 10)]
        world.moments.comments.append(comment(1, "Lovely!"))
        shown = await trio.to_thread.run_sync(at_terminal, world, "moments", "show", "a000")
        lines = ["▀" if "▀" in line else line for line in shown.splitlines()]
        assert lines.count("▀") == 3 * 9  # three rows, each of nine lines
        assert lines[-2:] == [f"    Chen  {WHEN}  c0000001", "        Lovely!"]


async def test_before_a_moment_is_deleted_a_person_is_asked(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment(f"Hi{EVIL}", author="", mine=True))
        asked = "Delete it everywhere? [y/N]: "
        shown = await trio.to_thread.run_sync(lambda: at_terminal(world, "moments", "delete", "a000", typed=b"n\n"))
        assert f"You  {WHEN}  a0000001: Hi" in shown
        assert (asked in shown, "Nothing was deleted." in shown, len(world.moments.rows)) == (True, True, 1)
        assert steering(shown.replace("\r\n", "")) == []
        shown = await trio.to_thread.run_sync(lambda: at_terminal(world, "moments", "delete", "a000", typed=b"y\n"))
        assert (asked in shown, "The moment is deleted" in shown, world.moments.rows) == (True, True, [])
        world.moments.rows.append(moment("Hi"))
        shown = await trio.to_thread.run_sync(at_terminal, world, "moments", "delete", "a000", "--yes")
        assert (asked in shown, world.moments.rows) == (False, [])


async def test_before_a_folder_is_posted_for_all_a_person_is_asked(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        folder = tmp_path / "lake"
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"a")
        asked, words = "for all your contacts to see: post them? [Y/n]: ", ("moments", "import", str(folder))
        shown = await trio.to_thread.run_sync(lambda: at_terminal(world, *words, typed=b"n\n"))
        assert (asked in shown, "Nothing was posted." in shown, world.moments.rows) == (True, True, [])
        for more in (("--dry-run",), ("--to", "bo"), ("--yes", "--again")):
            shown = await trio.to_thread.run_sync(at_terminal, world, *words, *more)
            assert (asked in shown, "a.jpg" in shown) == (False, True)
        assert len(world.moments.rows) == 2
        shown = await trio.to_thread.run_sync(lambda: at_terminal(world, *words, "--again", typed=b"\n"))
        assert (asked in shown, "Posted: 1 moment with 1 picture, for all." in shown) == (True, True)


def at_terminal(world: fake.World, *words: str, typed: bytes = b"") -> str:
    """What a command writes to a terminal. typed: what is answered there."""
    environ = {**os.environ, **world.door.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environ.pop("NO_COLOR", None)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words], cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as program:
        os.close(theirs)
        os.write(ours, typed)
        said = b""
        with suppress(OSError):  # the terminal is gone with its last program
            while part := os.read(ours, 1 << 16):
                said += part
        assert program.wait(30) == 0, said
    os.close(ours)
    return said.decode()
