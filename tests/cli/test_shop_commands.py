"""shop, and pay with the code of a shop: what is asked of the node, what is said, and what is refused."""

from pathlib import Path

import pytest

from cli import show
from cli.commands import shop
from features.shop.faults import StrangeShop
from protocol import pay_code
from tests.cli import fake
from tests.cli.shop_room import CODE, order, paper, sale, ware
from tests.cli.test_escapes import EVIL, steering

WHEN = show.clock(1_790_000_000_000)
IOU = "  This records what people owe each other; it moves no bank money.\n"
COMMANDS = (
    ("shop",),
    ("shop", "list"),
    ("shop", "offer", "coffee", "2.80", "EUR"),
    ("shop", "close", "AAAA"),
    ("shop", "code", "AAAA"),
    ("shop", "sales"),
    ("shop", "bought"),
    ("shop", "cancel", "CCCC"),
    ("shop", "receipt", "PPPP"),
    ("pay", "receipt", "PPPP"),
    ("pay", CODE),
)


def test_the_codes_of_shops_begin_as_the_protocol_says() -> None:
    assert shop.PREFIX == pay_code.SHOP_PREFIX
    assert shop.is_code(" weft:s/AAAA")
    assert not shop.is_code("WEFT:P/AAAA")
    assert not shop.is_code("bo")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


# --- the shop


async def test_an_offer_is_made_with_a_link_for_strangers_or_without(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("shop", "offer", "coffee", "2.80", "EUR")
        assert (ran.code, ran.out) == (0, f"{CODE}\n")
        assert ran.err == (
            "  coffee, 2.80 EUR  …0000AAAA\n"
            "  Customers type: weft pay CODE\n"
            "  How much each may owe you: weft ledger limit NAME 50 EUR\n" + IOU
        )
        (asked,) = world.shop.asked
        assert asked[:4] == ("offer", "coffee", "2.80", "EUR")
        assert str(asked[4]).startswith("weft:i/")
        world.shop.known_link = "weft:i/BBBB"
        await world.weft("shop", "offer", "tea", "2", "EUR")
        await world.weft("shop", "offer", "cake", "3", "EUR", "--no-link")
        assert [one[4] for one in world.shop.asked[1:]] == ["weft:i/BBBB", ""]


async def test_an_offer_without_a_price_leaves_it_to_the_customer(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for words in (("donation", "EUR"), ("donation", "0", "EUR")):
            ran = await world.weft("shop", "offer", *words, "--no-link")
            assert ran.err.startswith("  donation, what the customer says, in EUR")
        assert [one[1:4] for one in world.shop.asked] == [("donation", "", "EUR"), ("donation", "0", "EUR")]
        ran = await world.weft("shop", "offer", "coffee")
        assert (ran.code, len(world.shop.asked)) == (2, 2)


async def test_who_sells_for_vouchers_is_not_told_to_let_others_owe_them(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("shop", "offer", "cup", "1", "v:coffee", "--no-link")
        assert (ran.code, "weft ledger limit" in ran.err) == (0, False)


async def test_a_code_is_drawn_and_shown_again(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.shop.wares.append(ware("coffee"))
        assert (await world.weft("shop", "code", "aaaa")).out == f"{CODE}\n"
        drawn = (await world.weft("shop", "code", "AAAA", "--qr")).out
        assert drawn.endswith(f"{CODE}\n")
        assert len(drawn.splitlines()) > 10
        for wrong in ("BBBB", "AAA", ""):
            ran = await world.weft("shop", "code", wrong, "--json")
            assert (ran.code, ran.json["error"]["code"]) == (5, "shop.unknown")


async def test_the_shop_lists_what_it_sells_and_to_whom(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        empty = await world.weft("shop")
        assert (empty.out, empty.err) == ("You sell nothing.\n", "  Next: weft shop offer coffee 2.80 EUR --qr\n")
        world.shop.wares += [ware("coffee", sold=3, taken="8.90"), ware("tip", amount="", closed=True)]
        for words in (("shop",), ("shop", "list")):
            assert (await world.weft(*words)).out == (
                "coffee  2.80 EUR  3 sold, 8.90 EUR  …0000AAAA\n"
                "tip  as the customer says, EUR  0 sold  closed  …0000AAAA\n"
            )
        assert (await world.weft("shop", "sales")).out == "Nothing was sold yet.\n"
        world.shop.sold += [
            sale("Bo", quantity=2, tip="0.50", amount="6.10", refunded="6.10", note="table 4"),
            sale("Chen", state="refused", reason="too many", payment=""),
        ]
        assert (await world.weft("shop", "sales")).out == (
            "✔ 2 × coffee  6.10 EUR  with a tip of 0.50  Bo  table 4  paid  6.10 given back  payment …0000PPPP\n"
            "✖ 1 × coffee  2.80 EUR  Chen  refused: too many  …0000CCCC\n"
        )
        assert len((await world.weft("shop", "sales", "--limit", "1", "--json")).json["sales"]) == 1
        assert (await world.weft("shop", "close", "AAAA")).out == "✔ coffee is sold no more.\n"
        assert world.shop.asked == [("close", "AAAA")]


# --- the customer


async def test_a_code_is_paid_and_the_receipt_is_named(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.shop.becomes = {"state": "paid", "reason": "", "payment": "01J0000000000000000000PPPP"}
        more = ("--quantity", "2", "--tip", "0.50", "--amount", "3", "EUR", "--note", "table 4", "--key", "k1")
        ran = await world.weft("pay", CODE, *more)
        assert (ran.code, ran.out) == (0, "✔ 2 × coffee  2.80 EUR  Cafe  paid  payment …0000PPPP\n")
        assert ran.err == f"{IOU}  The receipt: weft pay receipt 0000PPPP\n"
        assert world.shop.asked == [("buy", CODE, 2, "0.50", "3", "EUR", "table 4", "k1")]
        assert [(await world.weft("pay", CODE, "--quantity", one)).code for one in ("0", "1001", "x")] == [2, 2, 2]


async def test_a_shop_that_is_away_is_waited_for_so_long_and_said_in_words(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("pay", CODE.lower(), "--wait", "0.1s", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (6, "shop.waits")
        assert ran.json["error"]["message"] == (
            "Not paid after 0.1 s: it waits for Cafe's node to answer. It goes on by itself.  …0000CCCC"
        )
        world.shop.becomes = {"state": "refused", "reason": "Cafe sells no such thing any more"}
        world.shop.orders.clear()
        ran = await world.weft("pay", CODE)
        assert (ran.code, ran.out) == (7, "")
        assert ran.err == "Nothing was paid: Cafe sells no such thing any more. Next: weft shop bought\n"


async def test_a_strange_shop_is_added_first(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.shop.stranger = True
        ran = await world.weft("pay", CODE)
        said = " ".join((StrangeShop.__doc__ or "").split())
        assert (ran.code, ran.err.startswith(said), ran.err.endswith("weft add weft:i/AAAA\n")) == (1, True, True)


async def test_orders_are_listed_and_taken_back(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("shop", "bought")).out == "Nothing was bought yet.\n"
        world.shop.orders += [order("tea", note="hot")]
        line = "• 1 × tea  2.80 EUR  Cafe  hot  ordered: waits for Cafe's node to answer  …0000CCCC\n"
        assert (await world.weft("shop", "bought")).out == line
        ran = await world.weft("shop", "cancel", "CCCC")
        assert ran.out == "✖ 1 × coffee  2.80 EUR  Cafe  cancelled: you took it back  …0000CCCC\n"
        assert world.shop.asked == [("cancel", "CCCC")]


async def test_a_receipt_is_shown_to_both(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.shop.papers.append(paper())
        shown = (
            f"Receipt of Cafe for you, {WHEN}\n  2 × coffee  5.60 EUR\n  tip  0.50 EUR\n  paid  6.10 EUR\n"
            f"  payment 01J0000000000000000000PPPP\n  invoice {'ab' * 32}\n"
        )
        assert (await world.weft("pay", "receipt", "PPPP")).out == shown
        world.shop.papers[:] = [paper(mine=False, contact="Bo", refunded="2.80")]
        ran = await world.weft("shop", "receipt", "PPPP")
        assert ran.out.startswith(f"Your receipt for Bo, {WHEN}\n")
        assert "\n  given back  2.80 EUR\n" in ran.out
        ran = await world.weft("pay", "receipt", "QQQQ", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (5, "shop.receipt")


async def test_what_others_write_steers_no_terminal(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.shop.wares.append(ware(EVIL, unit=EVIL))
        world.shop.sold.append(sale(EVIL, title=EVIL, note=EVIL, unit=EVIL))
        world.shop.orders.append(order(EVIL, shop=EVIL, note=EVIL, reason=EVIL))
        world.shop.papers.append(paper(lines=EVIL, contact=EVIL, unit=EVIL))
        world.shop.becomes = {"shop": EVIL, "title": EVIL, "reason": EVIL, "state": "refused"}
        for words in (*COMMANDS[:2], *COMMANDS[5:7], *COMMANDS[8:]):
            ran = await world.weft(*words)
            assert steering(ran.out + ran.err) == []
