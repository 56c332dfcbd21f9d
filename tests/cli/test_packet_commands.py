"""packet, packet open, list and show: what is asked of the node, what is said, and what is refused."""

from pathlib import Path

import pytest

from cli import show
from tests.cli import fake
from tests.cli.packets_room import got, line
from tests.cli.test_escapes import EVIL, steering

IOU = "  This records what people owe each other; it moves no bank money."
UNTIL = show.clock(1_790_086_400_000)
COMMANDS = (
    ("packet",),
    ("packet", "list"),
    ("packet", "--to", "bo", "20", "EUR"),
    ("packet", "open", "ABCDEF"),
    ("packet", "show", "ABCDEF"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")
    assert world.weft_now(*words, "--json").json["error"]["code"] == "node.down"


async def test_who_names_people_sends(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("packet", "--to", "ana,bo, chen", "20", "EUR", "--shares", "2", "--note", "new year")
        assert (ran.code, ran.out) == (
            0,
            f"• A packet of 20 EUR, 2 shares at random, lies there until {UNTIL}.\n",
        )
        assert ran.err.splitlines() == [IOU, "  Who got what: weft packet show 00ABCDEF"]
        await world.weft("packet", "20", "EUR", "--equal", "--to=open")
        row = (await world.weft("packet", "--json", "--to", "bo", "20", "EUR", "--random")).json
        assert (row["shares"], row["state"]) == (1, "open")
        assert world.packets.asked == [
            ("send", ("ana", "bo", "chen"), "20", "EUR", 2, False, "new year"),
            ("send", ("open",), "20", "EUR", None, True, ""),
            ("send", ("bo",), "20", "EUR", None, False, ""),
        ]
        assert (await world.weft("packet", "--to", "bo", "20")).code == 2


async def test_opening_says_what_is_waited_for(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("packet", "open", "ABCDEF")
        assert ran.out == (
            "• Packet from bo: 20.00 EUR, 3 shares at random  waits for bo's node to grant a share  …00ABCDEF\n"
        )
        assert ran.err.splitlines() == [IOU, "  What you got: weft packet show 00ABCDEF"]
        assert world.packets.asked == [("open", "ABCDEF")]
        assert (await world.weft("packet", "open", "ABCDEF", "--json")).json["state"] == "claimed"


async def test_the_list_says_what_waits_and_what_to_type(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("packet")
        assert (ran.out, ran.err) == ("No packets yet.\n", "  Next: weft packet --to NAME,NAME 20 EUR\n")
        world.packets.rows += [
            line(note="new year"),
            line(state="granted", share="7.12", reason=""),
            line(mine=True, contact="", state="closed", taken=2, kind="equal", reason=""),
            line(state="over", shares=1, reason="you did not open it"),
        ]
        for words in (("packet",), ("packet", "list")):
            assert (await world.weft(*words)).out.splitlines() == [
                "• Packet from bo: 20.00 EUR, 3 shares at random  new year  waits for you  a share is at most 19.98"
                f"  until {UNTIL}  …00ABCDEF",
                "    weft packet open 00ABCDEF",
                "✔ Packet from bo: 20.00 EUR, 3 shares at random  you got 7.12 EUR  …00ABCDEF",
                "✔ Your packet: 20.00 EUR, 3 shares in equal parts  2 taken  …00ABCDEF",
                "✖ Packet from bo: 20.00 EUR, 1 share  you did not open it  …00ABCDEF",
            ]
        assert (await world.weft("packet", "--json")).json == {"packets": world.packets.rows}
        assert (await world.weft("packet", "list", "--limit", "2", "--jsonl")).lines == world.packets.rows[:2]


async def test_what_is_shown_is_who_got_what_and_whether_it_was_fair(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        grants = [
            got(1, "chen", "15.00", luckiest=True),
            got(2, "you", "3.00", state="settled"),
            got(3, "wf1qqqqqqqqq…", "1.00", state="refunded"),
        ]
        world.packets.rows.append(
            line(state="granted", share="3.00", reason="", grants=grants, remainder="1.00", fair=True)
        )
        ran = await world.weft("packet", "show", "ABCDEF")
        assert ran.out.splitlines() == [
            "✔ Packet from bo: 20.00 EUR, 3 shares at random  you got 3.00 EUR  …00ABCDEF",
            "  1. chen  15.00 EUR  luckiest",
            "  2. you  3.00 EUR",
            "  3. wf1qqqqqqqqq…  1.00 EUR  refunded",
            "  1.00 EUR left, the sender's again",
            "✔ The sum and the draw are as they were promised.",
        ]
        world.packets.rows[0] |= {"mine": True, "contact": "", "state": "open", "share": "", "fair": None}
        assert (await world.weft("packet", "show", "ABCDEF")).out.splitlines()[-1] == "  1.00 EUR left"
        world.packets.rows[0] |= {"remainder": "0.00", "state": "closed", "fair": True}
        assert (await world.weft("packet", "show", "ABCDEF")).out.splitlines()[-1] == "  Nothing is left."
        unfair = line(state="granted", share="3.00", reason="", fault="somebody got two shares", fair=False)
        world.packets.rows[0] = unfair
        assert (await world.weft("packet", "show", "ABCDEF")).out.splitlines() == [
            "✖ Packet from bo: 20.00 EUR, 3 shares at random  you got 3.00 EUR  …00ABCDEF",
            "! bo was not fair: somebody got two shares.",
        ]
        ran = await world.weft("packet", "show", "WXYZ")
        assert (ran.code, ran.err) == (5, "There is no such packet here. Next: weft packet\n")


async def test_names_notes_and_faults_move_no_cursor(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        row = line(contact=EVIL, note=EVIL, unit=EVIL, reason=EVIL, fault=EVIL, share="1")
        world.packets.rows.append(row | {"grants": [got(1, EVIL, "1")], "remainder": "1", "fair": False})
        for words in (("packet",), ("packet", "show", "ABCDEF")):
            ran = await world.weft(*words)
            assert (ran.code, steering(ran.out)) == (0, [])
