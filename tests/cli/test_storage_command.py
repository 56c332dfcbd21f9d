"""storage: what is shown of what takes room, and what is said of the quota."""

import re
from pathlib import Path

import pytest

from tests.cli import fake
from tests.cli.media_room import room, share
from tests.cli.test_escapes import EVIL, steering


@pytest.mark.parametrize("words", [("storage",), ("storage", "bo"), ("storage", "keep", "bo", "90d")], ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_each_conversation_has_a_line_and_all_of_them_a_sum(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("storage")
        assert ran.code == 0
        assert ran.out.splitlines()[0] == "There is no conversation yet."
        chen = share("Chen", files=0, files_bytes=0, again_bytes=0)
        world.media.shares += [share("Bo"), chen]
        lines = (await world.weft("storage")).out.splitlines()
        assert [re.split(r" {2,}", line) for line in lines[:3]] == [
            ["Name", "Messages", "Texts", "Files", "On disk", "Can be fetched again", "Goes after"],
            ["Bo", "12", "2 kB", "2", "8.0 MB", "4.0 MB"],
            ["Chen", "12", "2 kB", "0"],
        ]
        assert lines[3:] == [
            "",
            "2 files take 8.0 MB, 4.0 MB can be fetched again. The database takes 800 kB."
            " 40.0 GB of the disk are free.",
            "There is no quota. Set one, in MB: weft config set media.quota 2000",
        ]
        world.media.room["rooms"] = [
            {"room": "moments", "files": 3, "files_bytes": 6_000_000, "again_bytes": 4_000_000}
        ]
        lines = (await world.weft("storage")).out.splitlines()
        assert re.split(r" {2,}", lines[3]) == ["(moments)", "3", "6.0 MB", "4.0 MB"]
        del world.media.room["rooms"]
        assert (await world.weft("storage", "chen", "--json")).json == {**room(), "conversations": [chen]}


@pytest.mark.parametrize(
    ("is_so", "said"),
    [
        ({"quota_bytes": 9_000_000}, ["The quota is 9.0 MB."]),
        (
            {"quota_bytes": 5_000_000, "over": 3_000_000},
            ["3.0 MB more than the quota of 5.0 MB: what can be fetched again goes, an hour after it was used last."],
        ),
        (
            {"quota_bytes": 3_000_000, "over": 5_000_000},
            [
                "5.0 MB more than the quota of 3.0 MB, and too little of it can be fetched again; nothing else goes by"
                " itself.",
                "Let a file go: weft files drop ID   or allow more: weft config set media.quota MB",
            ],
        ),
    ],
)
async def test_the_quota_is_said_and_what_to_type(tmp_path: Path, is_so: dict[str, int], said: list[str]) -> None:
    async with fake.node(tmp_path) as world:
        world.media.room.update(is_so)
        assert (await world.weft("storage")).out.splitlines()[3:] == said


async def test_how_long_files_of_one_stay_is_set_and_shown(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.shares.append(share("Bo"))
        said = "Files of Bo that can be fetched again stay as long as there is room.\n"
        assert (await world.weft("storage", "keep", "bo")).out == said
        ran = await world.weft("storage", "keep", "bo", "90d")
        assert ran.out == "✔ Files of Bo that can be fetched again go 90 days after their last use.\n"
        assert re.split(r" {2,}", (await world.weft("storage", "bo")).out.splitlines()[1])[-1] == "90 days"
        assert (await world.weft("storage", "keep", "bo", "all")).out == f"✔ {said}"
        assert world.media.asked == [("keep", "bo", None), ("keep", "bo", 90 * 86_400), ("keep", "bo", 0)]
        ran = await world.weft("storage", "keep", "bo", "soon")
        assert (ran.code, ran.out) == (2, "")


async def test_names_write_nothing_on_a_terminal(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.shares.append(share(EVIL))
        for words in (("storage",), ("storage", "--json"), ("storage", "keep", EVIL)):
            ran = await world.weft(*words)
            assert (ran.code, steering(ran.out), steering(ran.err)) == (0, [], [])
