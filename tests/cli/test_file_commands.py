"""send --file, get, files: what is asked of the node, what is said, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli import show
from tests.cli import fake
from tests.cli.media_room import file
from tests.cli.test_escapes import EVIL, steering

WHEN = show.clock(1_790_000_000_000)
COMMANDS = (
    ("send", "bo", "--file", "x.jpg"),
    ("get", "0F01"),
    ("files",),
    ("files", "--follow"),
    ("files", "pause", "0F01"),
    ("files", "drop", "0F01"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_files_are_sent_by_their_whole_paths_and_a_text_behind_them(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(fake.contact("bo"))
        said = ("--file", "holiday.jpg", "--file", "/tmp/report.pdf", "--voice", "note.ogg", "--video", "v.mp4")
        ran = await world.weft("send", "bo", "look", *said)
        here = Path.cwd()
        assert world.media.asked == [
            ("send", "bo", str(here / "holiday.jpg"), "auto"),
            ("send", "bo", "/tmp/report.pdf", "auto"),
            ("send", "bo", str(here / "note.ogg"), "voice"),
            ("send", "bo", str(here / "v.mp4"), "video"),
        ]
        assert ran.code == 0
        assert ran.out.splitlines()[0] == "• [file] holiday.jpg (4.0 MB) for Bo   (id …00000F01)"
        assert [line["text"] for line in world.chat.lines] == ["look"]
        ran = await world.weft("send", "bo", "--file", "holiday.jpg", "--json")
        assert [row["name"] for row in ran.json["files"]] == ["holiday.jpg"]
        assert len(world.chat.lines) == 1  # nobody typed a text, and stdin was not read


async def test_a_video_is_sent_with_a_picture_of_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(fake.contact("bo"))
        ran = await world.weft("send", "bo", "--video", "/v.webm", "--preview", "frame.jpg")
        assert ran.code == 0
        assert world.media.asked == [("send", "bo", "/v.webm", "video", str(Path.cwd() / "frame.jpg"))]
        for more in ((), ("--video", "a", "--video", "b"), ("--video", "a", "--file", "b")):
            ran = await world.weft("send", "bo", *more, "--preview", "frame.jpg")
            assert (ran.code, ran.out) == (2, "")
            assert ran.err.startswith("A --preview goes with one video, as in:")
        assert len(world.media.asked) == 1


async def test_files_go_without_lines_and_without_waiting(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for more in (("--lines",), ("--reply", "ABCD"), ("--wait", "read")):
            ran = await world.weft("send", "bo", "--file", "x", *more)
            assert (ran.code, ran.out) == (2, "")
            assert ran.err.startswith("Files go without --lines, --reply and --wait:")
        assert world.media.asked == []


async def test_a_file_is_fetched_with_a_word_of_why_it_waits_and_saved(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.rows.append(file("holiday.jpg", 1))

        async def comes(row: dict[str, Any]) -> None:
            row["reason"] = "nobody who has it is there"
            await world.changed("media.progress", 1)
            row.update(state="here", here=16, reason="")
            await world.changed("media.progress", 1)

        world.media.then = comes
        ran = await world.weft("get", "0f01", "--to", str(tmp_path))
        assert (ran.code, ran.out) == (0, f"✔ {tmp_path}/holiday.jpg (4.0 MB)\n")
        assert world.media.asked == [("get", "0f01"), ("save", world.media.rows[0]["id"], str(tmp_path))]
        ran = await world.weft("get", "0F01", "--no-save")
        assert ran.out == "✔ holiday.jpg is here, sealed.\n"


async def test_who_does_not_wait_gets_it_later(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.rows.append(file("holiday.jpg", 1))
        ran = await world.weft("get", "0F01", "--no-wait")
        assert (ran.code, ran.out) == (0, "• [file] holiday.jpg (4.0 MB, on its way)   (id …00000F01)\n")
        ran = await world.weft("files", "pause", "0F01")
        assert ran.out == "✔ [file] holiday.jpg (4.0 MB, paused)\n"
        ran = await world.weft("files", "drop", "0F01")
        assert ran.out == "✔ holiday.jpg is not kept here any more; weft get fetches it again.\n"


@pytest.mark.parametrize(
    ("becomes", "code", "said"),
    [
        ({"state": "false"}, 7, "This file is not what its sender said it is, so nothing of it is kept."),
        ({"state": "paused", "reason": "the disk has no room for it"}, 6, "It is not fetched any more: the disk has"),
    ],
)
async def test_one_that_ends_says_why(tmp_path: Path, becomes: dict[str, Any], code: int, said: str) -> None:
    async with fake.node(tmp_path) as world:
        world.media.rows.append(file("holiday.jpg", 1))

        async def ends(row: dict[str, Any]) -> None:
            row.update(becomes)
            await world.changed("media.progress", 1)

        world.media.then = ends
        ran = await world.weft("get", "0F01", "--to", str(tmp_path))
        assert (ran.code, ran.out) == (code, "")
        assert ran.err.startswith(said)


async def test_a_folder_that_is_not_there_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.rows.append(file("holiday.jpg", 1))
        ran = await world.weft("get", "0F01", "--to", str(tmp_path / "none"))
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("There is no folder ")
        assert world.media.asked == []
        ran = await world.weft("get", "ZZZZ", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (5, "media.none")


async def test_the_list_says_how_far_each_is(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("files")).out == "No files yet.\n"
        world.media.rows += [
            file("a.jpg", 1),
            file("b.jpg", 2, state="fetching", here=4, reason="nobody is there"),
            file("c.jpg", 3, mine=True, state="here", here=16, given=16),
            file("d.jpg", 4, mine=True, state="here", here=16, given=8),
            file("e.jpg", 5, mine=True, state="here", here=16),
        ]
        lines = (await world.weft("files")).out.splitlines()
        assert [re.split(r" {2,}", line) for line in lines[1:]] == [
            [WHEN, "from Bo", "a.jpg", "4.0 MB", "not fetched", "…00000F01"],
            [WHEN, "from Bo", "b.jpg", "4.0 MB", "on its way, 25 %: nobody is there", "…00000F02"],
            [WHEN, "to Bo", "c.jpg", "4.0 MB", "he has it", "…00000F03"],
            [WHEN, "to Bo", "d.jpg", "4.0 MB", "he has 50 %", "…00000F04"],
            [WHEN, "to Bo", "e.jpg", "4.0 MB", "not fetched yet", "…00000F05"],
        ]
        rows = (await world.weft("files", "--in", "bo", "--limit", "2", "--json")).json["files"]
        assert [row["name"] for row in rows] == ["d.jpg", "e.jpg"]


async def test_names_of_files_write_nothing_on_a_terminal(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.rows.append(file(EVIL, 1, contact=EVIL, reason=EVIL, state="fetching"))
        for words in (("files",), ("files", "--json"), ("get", "0F01", "--no-wait"), ("files", "pause", "0F01")):
            ran = await world.weft(*words)
            assert ran.code == 0
            assert steering(ran.out) == []
            assert steering(ran.err) == []
