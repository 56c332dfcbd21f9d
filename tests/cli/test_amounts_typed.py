"""Amounts that are less than nothing, and options before a code: what is handed to the node, and what is said."""

from pathlib import Path

import pytest

from tests.cli import fake, paths_room, shop_room

LESS = "An amount is more than nothing, and −5 is less. Type: "
SPLIT = f"{LESS}weft split AMOUNT UNIT NAME...\n"


@pytest.mark.parametrize(
    "words",
    [
        ("-5", "EUR", "bo"),
        ("-5", "EUR", "bo", "--without-me"),
        ("--json", "-5", "EUR", "bo"),
        ("new", "-5", "EUR", "bo"),
    ],
)
async def test_a_bill_of_less_than_nothing_is_refused_by_the_node_in_one_sentence(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("split", *words)
        assert (ran.code, world.bills.asked) == (2, [])
        if "--json" in words:
            assert ran.json["error"]["next"] == "weft split AMOUNT UNIT NAME..."
        else:
            assert (ran.out, ran.err) == ("", SPLIT)


async def test_a_minus_is_an_amount_wherever_an_amount_is_typed(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        await world.weft("packet", "-5", "EUR", "--to", "bo,chen")
        await world.weft("packet", "--to", "bo,chen", "-5", "EUR")
        assert [one[2] for one in world.packets.asked] == ["−5", "−5"]
        await world.weft("shop", "offer", "cup", "-1", "EUR", "--no-link")
        await world.weft("pay", shop_room.CODE, "--tip", "-1", "--amount", "-2", "EUR")
        assert [one[2] for one in world.shop.asked[:1]] == ["−1"]
        assert world.shop.asked[1][3:5] == ("−1", "−2")
        await world.weft("voucher", "give", "bo", "-1", "coffee")
        await world.weft("voucher", "redeem", "-1", "coffee")
        assert [one[:3] for one in world.debts.vouchers.asked] == [("give", "bo", "−1"), ("redeem", "−1", "coffee")]
        await world.weft("invoice", "-8", "EUR")
        assert world.paths.asked == [("invoice", "−8", "EUR", "", 86_400)]
        await world.weft("pay", "-5", "bo", "EUR")
        assert world.debts.payments.asked == [("pay", "−5", "bo", "EUR", "", 86_400)]


SAID = {
    ("packet", "5", "EUR"): "The option --to A,B is missing; nothing was done. Type: weft packet --to A,B AMOUNT UNIT",
    ("packet", "-5", "EUR"): "The option --to A,B is missing; nothing was done. Type: weft packet --to A,B AMOUNT UNIT",
    ("packet", "--to", "bo", "5"): "UNIT is missing; nothing was done. Type: weft packet --to A,B AMOUNT UNIT",
    ("packet", "send"): "AMOUNT and UNIT are missing; nothing was done. Type: weft packet --to A,B AMOUNT UNIT",
    ("split", "-5"): "UNIT and NAME... are missing; nothing was done. Type: weft split AMOUNT UNIT NAME...",
    ("shop", "offer", "cup", "-1"): (
        "Say what it costs and in which unit, as in: weft shop offer coffee 2.80 EUR. See: weft --help"
    ),
}


@pytest.mark.parametrize("words", SAID, ids=" ".join)
async def test_what_is_missing_is_said_as_it_is_typed(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft(*words)
        assert (ran.code, ran.out, ran.err) == (2, "", f"{SAID[words]}\n")
        assert (world.packets.asked, world.bills.asked, world.shop.asked) == ([], [], [])


async def test_options_may_stand_before_a_code_or_a_name(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.paths.becomes.append({"state": "paid", "contact": "Bo", "reason": ""})
        lines = (
            ("--yes", paths_room.CODE),
            ("--json", "--yes", paths_room.CODE.lower()),
            ("--wait", "5s", paths_room.CODE),
            ("--profile", "default", "--wait=5s", paths_room.CODE),
        )
        for words in lines:
            assert (await world.weft("pay", *words)).code == 0
        assert [str(one[1]).upper() for one in world.paths.asked] == [paths_room.CODE] * len(lines)
        await world.weft("pay", "--quantity", "2", "--tip=0.50", shop_room.CODE)
        assert world.shop.asked == [("buy", shop_room.CODE, 2, "0.50", "", "", "", "")]
        assert (await world.weft("pay", "--note", "lunch", "Bo", "5", "EUR")).code == 0
        assert world.debts.payments.asked == [("pay", "Bo", "5", "EUR", "lunch", 86_400)]
        for option, *more in (("--yes", "Bo", "5", "EUR"), ("--nite", "x", "Bo", "5", "EUR"), ("--yes",)):
            ran = await world.weft("pay", option, *more)
            assert (ran.code, ran.out, f"No such option '{option}'" in ran.err) == (2, "", True), ran.err
        ran = await world.weft("pay", "--quantity", "2", "Bo", "5", "EUR")
        assert ran.err == "No such option '--quantity'. Did you mean '--quiet'? See: weft pay to --help\n"
        assert (await world.weft("pay", "--json")).json["offers"] == []
        assert (await world.weft("pay", "--help")).out.startswith("Usage: weft pay ")
        assert len(world.debts.payments.asked) == 1
