"""storage: what is shown of what takes room, and what is said of the quota."""

import re
from pathlib import Path

import pytest

from tests.cli import fake
from tests.cli.media_room import room, share
from tests.cli.test_escapes import EVIL, steering


def test_without_a_node_it_says_so(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now("storage")
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
            ["Name", "Messages", "Texts", "Files", "On disk", "Can be fetched again"],
            ["Bo", "12", "2 kB", "2", "8.0 MB", "4.0 MB"],
            ["Chen", "12", "2 kB", "0"],
        ]
        assert lines[3:] == [
            "",
            "2 files take 8.0 MB, 4.0 MB can be fetched again. The database takes 800 kB."
            " 40.0 GB of the disk are free.",
            "There is no quota. Set one, in MB: weft config set media.quota 2000",
        ]
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


async def test_names_write_nothing_on_a_terminal(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.media.shares.append(share(EVIL))
        for words in (("storage",), ("storage", "--json")):
            ran = await world.weft(*words)
            assert (ran.code, steering(ran.out), steering(ran.err)) == (0, [], [])
