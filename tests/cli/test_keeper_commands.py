"""keeper list, offer, use, stop, and what is kept in send, chat and status: what is asked, said, and refused."""

from pathlib import Path
from typing import Any

import pytest
import trio

from cli import show
from cli.commands import keeper
from cli.faults import Failure
from features.keepers.service import LEARNS
from tests.cli import fake
from tests.cli.keepers_room import GIB, owner, shown, wish
from tests.cli.test_escapes import EVIL, steering

SINCE = show.clock(1_790_000_000_000)
KEPT = "kept by chen until 22 Dec"
COMMANDS = (
    ("keeper",),
    ("keeper", "list"),
    ("keeper", "offer", "bo"),
    ("keeper", "use", "bo"),
    ("keeper", "stop", "bo"),
    ("keeper", "stop", "--for", "bo"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")
    assert world.weft_now(*words, "--json").json["error"]["code"] == "node.down"


# --- list


async def test_who_has_no_keeper_is_told_how_to_get_one(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for words in (("keeper",), ("keeper", "list")):
            ran = await world.weft(*words)
            assert (ran.code, ran.err) == (0, "")
            assert ran.out == (
                "Nobody keeps for you. Ask a contact: weft keeper use NAME\n\n"
                "You keep for nobody. Offer it to contacts: weft keeper offer A,B\n"
            )
        empty = {"keepers": [], "owners": [], "wishes": [], "learns": LEARNS, "space": GIB}
        assert (await world.weft("keeper", "--json")).json == empty
        assert (await world.weft("keeper", "--jsonl")).out == ""


async def test_the_list_says_who_keeps_how_full_and_what_is_wrong(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.keepers.keepers += [
            shown("home", own=True, space=0, items=1, bytes=16_000, open=1, wanted=3),
            shown("chen", online=True),
            shown("dee", state="offered", items=0, bytes=0, open=0),
            shown("eve", fault="3 items are missing."),
            shown("fay", state="declined"),
            shown("gil", state="left"),
        ]
        world.keepers.owners += [owner("bo", online=True), owner("chen", state="wanted"), owner("dee", state="left")]
        world.keepers.owners[2] |= {"files": 2, "files_bytes": 6_000_000}
        ran = await world.weft("keeper")
        mine, theirs, learns = ran.out.split("\n\n")
        assert mine.splitlines()[0].split("  ")[0] == "Keeps for you"
        assert [" ".join(line.split()) for line in mine.splitlines()[1:]] == [
            "home a node of yours 1 item, 16 kB 1 contact, 3 to come seen never",
            "chen a contact 12 items, 1.2 MB of 53.7 MB 11 contacts connected",
            "dee a contact 0 items, 0 kB of 53.7 MB 0 contacts seen never offers it",
            "eve a contact 12 items, 1.2 MB of 53.7 MB 11 contacts seen never ! 3 items are missing.",
            "fay a contact 12 items, 1.2 MB of 53.7 MB 11 contacts seen never not wanted",
            "gil a contact 12 items, 1.2 MB of 53.7 MB 11 contacts seen never not any more",
        ]
        assert [" ".join(line.split()) for line in theirs.splitlines()[1:]] == [
            f"bo 1 item, 70 kB of 53.7 MB since {SINCE} here now",
            f"chen 1 item, 70 kB of 53.7 MB since {SINCE} here never not told yet",
            f"dee 1 item, 70 kB of 53.7 MB; 2 files, 6.0 MB since {SINCE} here never needs it no more",
            "All together may take 1.1 GB.",
        ]
        assert learns.count("can learn") == learns.count("cannot learn") == 2
        world.keepers.keepers = world.keepers.keepers[1:2]
        assert "A node of yours" not in (await world.weft("keeper")).out


async def test_the_list_is_whole_as_json_and_rows_as_jsonl(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.keepers.keepers.append(shown("chen"))
        world.keepers.owners.append(owner("bo"))
        world.keepers.wishes.append(wish("dee"))
        found = (await world.weft("keeper", "list", "--json")).json
        assert found == await world.keepers.list()
        rows = (await world.weft("keeper", "list", "--jsonl")).lines
        assert [(row["kind"], row["name"]) for row in rows] == [("keeper", "chen"), ("owner", "bo"), ("wish", "dee")]


async def test_wishes_say_what_to_type(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.keepers.wishes += [wish("Bo Li"), wish("chen", mine=True)]
        assert (await world.weft("--profile", "default", "keeper")).out.endswith(
            "\n\n• Bo Li asks you to keep mail (never): weft --profile default keeper offer 'Bo Li'\n"
            "• chen was asked to keep for you (never) and has not offered it yet.\n"
        )


async def test_names_and_faults_move_no_cursor(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.keepers.keepers.append(shown(EVIL, fault=EVIL))
        world.keepers.owners.append(owner(EVIL))
        world.keepers.wishes += [wish(EVIL), wish(EVIL, mine=True)]
        ran = await world.weft("keeper")
        assert (ran.code, steering(ran.out)) == (0, [])
        assert steering((await world.weft("keeper", "--json")).out) == []


# --- offer, use, stop


async def test_an_offer_names_contacts_and_the_space_for_all(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        ran = await world.weft("keeper", "offer", "Bo, Chen Li,")
        assert ran.out == "✔ You keep for Bo, Chen Li, up to 53.7 MB each; who is away is told when you meet.\n"
        assert ran.err == (
            "  Next, the other way round: weft keeper use Bo\n  Next, the other way round: weft keeper use 'Chen Li'\n"
        )
        ran = await world.weft("keeper", "offer", "bo", "--space", "2GB", "--json")
        assert (ran.code, ran.json["space"], ran.json["owners"][0]["name"]) == (0, 2_000_000_000, "bo")
        assert world.keepers.asked == [("offer", ("Bo", "Chen Li"), None), ("offer", ("bo",), 2_000_000_000)]


SIZES = {
    "500MB": 500_000_000,
    "1.5 GB": 1_500_000_000,
    "2gib": 2 << 30,
    "20m": 20_000_000,
    "1000000k": 1_000_000_000,
    "64 KiB": 64 << 10,
    "1T": 10**12,
    "7": 7,
    "7b": 7,
}


def test_sizes_are_read_as_people_write_them() -> None:
    assert {text: keeper.size_of(text) for text in SIZES} == SIZES
    for wrong in ("", "GB", "-1GB", "1XB", "1 G B", "1,5GB", "1e9", "1" * 16, "ü", "1GBB", "NaN"):
        with pytest.raises(Failure) as met:
            keeper.size_of(wrong)
        assert met.value.exit == 2


async def test_a_size_that_is_none_asks_the_node_nothing(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("keeper", "offer", "bo", "--space", "much")
        assert (ran.code, "A size is written 500MB" in ran.err, world.keepers.asked) == (2, True, [])


async def test_who_offered_is_used_and_who_has_not_is_asked(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Chen") as world:
        ran = await world.weft("keeper", "use", "chen")
        assert ran.out == "✔ chen keeps for you from now on; your contacts are told when you meet.\n"
        assert ran.err == "  How it stands: weft keeper list\n"
        world.keepers.becomes = "asked"
        ran = await world.weft("keeper", "use", "chen")
        assert ran.out == "• chen is asked; it begins when chen offers it.\n"
        assert ran.err == "  There: weft keeper offer NAME\n"
        ran = await world.weft("--profile", "default", "keeper", "use", "chen")
        assert ran.err == "  There: weft keeper offer NAME\n"  # our profile is not that of the other
        assert (await world.weft("keeper", "use", "chen", "--json")).json["state"] == "asked"


async def test_a_node_of_ones_own_comes_by_its_code(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        await world.weft("keeper", "use", "weft:k/AAAA")
        await world.weft("keeper", "use", "-", "--name", "cellar", stdin=" weft:k/BBBB\n")
        await world.weft("keeper", "use", "weft:k/AAAA", "--name", "")
        assert world.keepers.asked == [
            ("use", "weft:k/AAAA", None),
            ("use", "weft:k/BBBB", "cellar"),
            ("use", "weft:k/AAAA", ""),
        ]
        await world.weft("keeper", "use", "-", stdin="  weft keeper use weft:k/AA\n  AA\n")
        assert world.keepers.asked.pop() == ("use", "weft:k/AAAA", None)  # the whole line, torn by a terminal
        ran = await world.weft("keeper", "use", "weft:i/AAAA")
        assert (ran.code, ran.err) == (
            2,
            "That is an invitation, and not the code of a keeper; nothing was changed. Next: weft add LINK\n",
        )
        ran = await world.weft("keeper", "use", "chen", "--name", "cellar")
        assert (ran.code, "has its name already" in ran.err, len(world.keepers.asked)) == (2, True, 3)


async def test_both_directions_are_stopped_each_by_itself(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("keeper", "stop", "chen")).out == "✔ chen keeps nothing for you any more.\n"
        assert (await world.weft("keeper", "stop", "--for", "bo")).out == "✔ You keep nothing for bo any more.\n"
        assert (await world.weft("keeper", "stop", "chen", "--json")).json == {"name": "chen", "own": False}
        assert world.keepers.asked == [("stop", "chen"), ("stop_for", "bo"), ("stop", "chen")]
        for words in ((), ("chen", "--for", "bo")):
            ran = await world.weft("keeper", "stop", *words)
            assert (ran.code, "Name either who keeps for you" in ran.err) == (2, True)
        assert len(world.keepers.asked) == 3


# --- elsewhere


async def test_status_counts_keepers_and_warns_where_there_is_none(tmp_path: Path) -> None:
    def said(ran: fake.Ran) -> list[str]:
        return [line for line in ran.out.splitlines() if line[:2] in ("! ", "• ")]

    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("status")
        assert "Keepers: 2\n" in ran.out
        assert said(ran) == []
        world.node.keepers = 0
        ran = await world.weft("status")
        assert "Keepers: none\n" in ran.out
        (line,) = said(ran)
        assert line.startswith("! No keeper: what is sent while you are away comes only once its sender and you")
        assert line.endswith("Ask a contact: weft keeper use NAME")
        world.node.keeping = {"faults": [], "asks": [], "offers": ["Bo Li", "dee"]}
        assert "there together. Bo Li offers to be one: weft keeper use 'Bo Li'\n" in (await world.weft("status")).out
        world.contacts.rows[0]["state"] = "asked"
        assert said(await world.weft("status")) == []  # who has nobody needs none
        world.node.keeping = {"faults": [{"name": "ch\x1ben", "fault": "full\x07"}], "asks": ["Bo Li"]}
        assert said(await world.weft("status")) == [
            "! Keeper ch en: full ",
            "• Bo Li asks you to keep mail: weft keeper offer 'Bo Li'",
        ]


def _kept(message: dict[str, Any]) -> None:
    message.update(state="kept", reason=KEPT)


async def test_what_a_keeper_has_is_more_than_queued_and_less_than_delivered(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.chat.fate = _kept
        ran = await world.weft("send", "bo", "hi", "--wait", "kept")
        assert (ran.code, ran.out) == (0, f"• {KEPT}   (id …00000001)\n")
        ran = await world.weft("send", "bo", "hi", "--wait", "delivered", "0.1")
        said = f"Not delivered after 0.1 s, {KEPT}. Nothing is lost; it goes on.   (id …00000002) Next: weft status\n"
        assert (ran.code, ran.out) == (6, "")
        assert ran.err.endswith(said)
        assert f"• {KEPT}  You: hi" in (await world.weft("read", "bo")).out


async def test_a_chat_shows_that_a_line_is_kept(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        found: list[fake.Ran] = []

        async def chat() -> None:
            found.append(await world.weft("chat", "bo", stdin="hi\n"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat)
            await world.chat.posted.wait()
            await world.chat.become(1, "kept", KEPT)
        assert f"  • {KEPT}   (id …00000001)" in found[0].out
