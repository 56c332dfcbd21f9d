"""send --file, get, files: what is asked of the node, what is said, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli import show
from features.media.faults import KeptNowhere
from tests.cli import contacts_room, fake
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
    ("files", "keep", "0F01"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_files_are_sent_by_their_whole_paths_and_a_text_behind_them(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(contacts_room.contact("bo"))
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
        world.contacts.rows.append(contacts_room.contact("bo"))
        ran = await world.weft("send", "bo", "--video", "/v.webm", "--frame", "frame.jpg")
        assert ran.code == 0
        assert world.media.asked == [("send", "bo", "/v.webm", "video", str(Path.cwd() / "frame.jpg"))]
        for more in ((), ("--video", "a", "--video", "b"), ("--video", "a", "--file", "b")):
            ran = await world.weft("send", "bo", *more, "--frame", "frame.jpg")
            assert (ran.code, ran.out) == (2, "")
            assert ran.err.startswith("A --frame goes with one video, as in:")
        assert len(world.media.asked) == 1


async def test_files_go_without_lines_and_without_waiting(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for more in (("--lines",), ("--reply", "ABCD"), ("--wait", "read")):
            ran = await world.weft("send", "bo", "--file", "x", *more)
            assert (ran.code, ran.out) == (2, "")
            assert ran.err.startswith("Files go without --lines and --reply, and --wait kept alone:")
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
        ({"state": "paused", "reason": "it waits for room on the disk"}, 6, "It does not go on now: it waits for room"),
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


KEPT = {"keeping": "kept", "keeper": "Chen", "kept": 16, "keep_reason": "kept by Chen until 30 Dec"}


async def test_a_file_is_left_at_a_keeper_and_taken_back(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.rows.append(row := file("film.mp4", 1, mine=True, state="here", here=16))
        ran = await world.weft("files", "keep", "0F01")
        told = "• film.mp4 is left at a keeper of Bo's while Bo is away: weft files says how far.\n"
        assert (ran.code, ran.out) == (0, told)
        row.update(KEPT)
        assert (await world.weft("files", "keep", "0F01")).out == "✔ film.mp4 is kept by Chen until 30 Dec.\n"
        shown = (await world.weft("files", "show", "0F01")).out.splitlines()
        assert shown == ["[file] film.mp4 (4.0 MB)   (id …00000F01)", "  kept by Chen until 30 Dec"]
        ran = await world.weft("files", "keep", "0F01", "--stop", "--json")
        assert (ran.code, ran.json["keeping"]) == (0, "ending")
        assert [one[2] for one in world.media.asked if one[0] == "leave"] == [False, False, True]
        world.media.refusal = KeptNowhere()
        ran = await world.weft("files", "keep", "0F01", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (1, "media.no_keeper")


async def test_the_list_says_what_lies_at_keepers(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ours = {"mine": True, "state": "here", "here": 16}
        world.media.rows += [
            file("a", 1, **ours, **KEPT),
            file("b", 2, **ours, keeping="wanted", keeper="Chen", kept=4),
            file("c", 3, **ours, keeping="wanted", keep_reason="the keeper takes no files"),
            file("d", 4, **ours, keeping="wanted"),
            file("e", 5, **ours, keeping="ending", kept=4, given=8),
            file("f", 6, **(ours | {"given": 16}), **KEPT),
            file("g", 7, state="fetching", here=4, keeping="kept", keeper="Chen", kept=8),
        ]
        lines = (await world.weft("files")).out.splitlines()
        assert [re.split(r" {2,}", line)[4] for line in lines[1:]] == [
            "not fetched yet; kept by Chen until 30 Dec",
            "not fetched yet; 25 % at Chen",
            "not fetched yet; left nowhere: the keeper takes no files",
            "not fetched yet",
            "he has 50 %; taken back from the keeper",
            "he has it",
            "on its way, 25 %; from the keeper Chen",
        ]


def stands(ident: str, state: str) -> dict[str, Any]:
    """How far a message is."""
    return {"id": ident, "short": ident[-8:], "state": state, "reason": ""}


async def test_who_waits_until_a_file_is_kept_is_told_once_it_and_its_message_are(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(contacts_room.contact("bo"))

        async def lies(row: dict[str, Any]) -> None:
            """First the file, whose news looks like that of a message, then the message."""
            row.update(KEPT)
            await world.changed("media.kept", row["seq"])
            world.chat.lines.append(stands(row["id"], "kept"))
            await world.changed("delivery", len(world.chat.lines))

        world.media.then = lies
        ran = await world.weft("send", "bo", "--file", "film.mp4", "--wait", "kept", "20")
        assert ran.code == 0
        assert ran.out.startswith("✔ [file] film.mp4 (4.0 MB), kept by Chen until 30 Dec")
        assert world.media.asked[-1] == ("leave", world.media.rows[0]["id"], False)


async def test_how_a_message_stands_meanwhile_is_not_taken_for_its_file(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(contacts_room.contact("bo"))

        async def goes_on(row: dict[str, Any]) -> None:
            """The message lies there, then it is delivered; the file is not left yet."""
            for state in ("kept", "delivered"):
                world.chat.lines.append(stands(row["id"], state))
                await world.changed("delivery", len(world.chat.lines))

        world.media.then = goes_on
        ran = await world.weft("send", "bo", "--file", "film.mp4", "--wait", "kept", "1")
        assert ran.code == 6
        assert "film.mp4 is told and not kept after 1" in ran.err


async def test_who_waits_for_what_is_not_kept_is_told_why(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(contacts_room.contact("bo"))

        async def refused(row: dict[str, Any]) -> None:
            row["keep_reason"] = "the keeper takes no file so large"
            await world.changed("media.kept", row["seq"])
            world.chat.lines.append(stands(row["id"], "kept"))
            await world.changed("delivery", len(world.chat.lines))

        world.media.then = refused
        ran = await world.weft("send", "bo", "--file", "film.mp4", "--wait", "kept", "1")
        assert (ran.code, ran.out) == (6, "")
        assert "film.mp4 is told and not kept after 1" in ran.err
        assert "the keeper takes no file so large" in ran.err
        world.media.refusal = KeptNowhere()
        world.media.then = None
        world.chat.lines.append(stands("01J00000000000000000000F02", "delivered"))
        ran = await world.weft("send", "bo", "--file", "more.mp4", "--wait", "kept", "1")
        assert (ran.code, ran.out) == (6, "")
