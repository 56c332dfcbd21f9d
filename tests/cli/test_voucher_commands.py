"""voucher issue, give, redeem, list: what is asked of the node, and what is said."""

from pathlib import Path

import pytest

from ledger import units
from tests.cli import fake
from tests.cli.payments_room import held, moved
from tests.cli.test_escapes import EVIL, steering

IOU = f"  {units.IOU}\n"
COMMANDS = (
    ("voucher",),
    ("voucher", "list"),
    ("voucher", "issue", "coffee"),
    ("voucher", "give", "bo", "5", "coffee"),
    ("voucher", "redeem", "1", "coffee"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")
    assert world.weft_now(*words, "--json").json["error"]["code"] == "node.down"


async def test_without_a_voucher_it_says_how_to_have_one(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for words in (("voucher",), ("voucher", "list")):
            ran = await world.weft(*words)
            assert (ran.code, ran.out) == (0, "No vouchers.\n")
            assert ran.err == "  To make a kind of your own: weft voucher issue coffee\n"
            assert (await world.weft(*words, "-q")).err == ""
            assert (await world.weft(*words, "--json")).json == {"vouchers": []}
            assert (await world.weft(*words, "--jsonl")).out == ""


async def test_the_list_says_whose_they_are_and_who_has_them(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        rows = [held("coffee"), held("card", mine=True, contact="Chen", amount="12.50")]
        rows.append(held("tea", mine=True, contact="", amount="0"))
        world.debts.vouchers.rows = rows
        ran = await world.weft("voucher")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            "5 coffee   from Bo, for you to redeem",
            "12.50 card   held by Chen",
            "tea   yours; nobody holds any",
        ]
        assert (await world.weft("voucher", "--json")).json == {"vouchers": rows}
        assert (await world.weft("voucher", "--jsonl")).lines == rows


async def test_a_kind_is_issued_and_then_given(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("--profile", "default", "voucher", "issue", "coffee")
        assert (ran.code, ran.out) == (0, "✔ coffee is a voucher of yours.\n")
        assert ran.err == "  Next: weft --profile default voucher give CONTACT 5 coffee\n"
        assert (await world.weft("voucher", "issue", "card", "--decimals", "2", "-q")).err == ""
        ran = await world.weft("voucher", "issue", "card", "--decimals", "5")
        assert (ran.code, "5 is not in the range" in ran.err) == (2, True)
        ran = await world.weft("voucher", "give", "Bo", "5", "coffee", "--note", "welcome")
        assert ran.out == "• Offered 5 coffee to Bo; waits for Bo to accept it.  …VCHER001\n"
        assert ran.err == f"{IOU}  To take it back: weft pay recall VCHER001\n"
        assert (await world.weft("voucher", "give", "Bo", "5", "coffee", "--json")).json == moved("Bo")
        assert world.debts.vouchers.asked == [
            ("issue", "coffee", 0),
            ("issue", "card", 2),
            ("give", "Bo", "5", "coffee", "welcome"),
            ("give", "Bo", "5", "coffee", ""),
        ]


async def test_some_are_redeemed_at_who_issued_them(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("voucher", "redeem", "1", "coffee")
        assert (ran.code, ran.out) == (0, "• Offered 1 coffee to Bo; waits for Bo to accept it.  …VCHER001\n")
        assert ran.err == f"{IOU}  To take it back: weft pay recall VCHER001\n"
        await world.weft("voucher", "redeem", "-1", "coffee", "--at", "Chen", "--note", "today")
        assert world.debts.vouchers.asked == [
            ("redeem", "1", "coffee", None, ""),
            ("redeem", "−1", "coffee", "Chen", "today"),
        ]


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
async def test_names_move_no_cursor(tmp_path: Path, form: str) -> None:
    async with fake.node(tmp_path) as world:
        rows = [held(EVIL, contact=who, mine=mine) for who, mine in ((EVIL, True), (EVIL, False), ("", True))]
        world.debts.vouchers.rows = rows
        for words in (("list",), ("issue", EVIL), ("give", EVIL, "5", EVIL), ("redeem", "5", EVIL, "--at", EVIL)):
            ran = await world.weft("voucher", *words, *([form] if form else []))
            assert (ran.code, steering(ran.out), steering(ran.err)) == (0, [], [])
            assert ran.out
