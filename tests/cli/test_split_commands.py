"""split, split list, show, stop, pay remind, and how requests speak of both: what is asked, said, and refused."""

from pathlib import Path

import pytest

from cli import debts
from cli.debts import IOU
from features.payments.view import Wish
from tests.cli import fake
from tests.cli.bills_room import share, shown
from tests.cli.test_escapes import EVIL, steering

COMMANDS = (
    ("split",),
    ("split", "list"),
    ("split", "90", "EUR", "bo"),
    ("split", "show", "dine"),
    ("split", "stop", "dine"),
    ("pay", "remind", "bosh"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_a_split_says_who_is_asked_for_what_and_that_it_moves_no_money(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("split", "90", "EUR", "bo", "Chen Li", "--receipt", "dinner")
        assert (ran.code, ran.out.splitlines()) == (
            0,
            [
                "• 90.00 EUR among 3  dinner  0 of 2 have paid  60.00 EUR missing  …AAAADINE",
                "    You: 30.00 EUR",
                "  • Bo: 30.00 EUR  not paid yet  …AAAABOSH",
                "  • Chen Li: 30.00 EUR  not paid yet  …AAAABOSH",
            ],
        )
        assert ran.err == f"  {IOU}\n  Who has paid: weft split show AAAADINE\n"
        assert world.bills.asked == [("split", "90", "EUR", ("bo", "Chen Li"), None, True, "dinner")]


async def test_weights_and_no_share_of_ones_own_are_handed_on(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        await world.weft("split", "--without-me", "9", "h", "bo", "chen", "--weights", "2, 1")
        await world.weft("split", "9", "h", "bo", "--me", "--weights", "2,1", "--json")
        assert world.bills.asked == [
            ("split", "9", "h", ("bo", "chen"), (2, 1), False, ""),
            ("split", "9", "h", ("bo",), (2, 1), True, ""),
        ]


@pytest.mark.parametrize("weights", ["", "a", "1;2", "1,", "-1,2", "1.5", "²", "1" * 10])
async def test_weights_that_are_none_ask_the_node_nothing(tmp_path: Path, weights: str) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("split", "9", "EUR", "bo", f"--weights={weights}")
        assert (ran.code, "Weights are whole numbers with commas between" in ran.err, world.bills.asked) == (
            2,
            True,
            [],
        )


@pytest.mark.parametrize("words", [("90",), ("90", "EUR"), ("-5", "EUR"), ("show",), ("stop", "a", "b")])
async def test_what_is_no_split_is_refused_in_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("split", *words)
        assert (ran.code, ran.out, ran.err.count("\n"), world.bills.asked) == (2, "", 1, [])


async def test_who_may_not_owe_so_much_is_named_with_what_helps(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.bills.bill = shown(shares=[share("Bo Li", allow="42.50"), share("Chen")])
        for words in (("90", "EUR", "bo"), ("show", "dine")):
            ran = await world.weft("--profile", "default", "split", *words)
            assert (
                "! Bo Li may not owe you so much yet. So that he can pay: "
                "weft --profile default ledger limit 'Bo Li' 42.50 EUR\n"
            ) in ran.err
            assert "Chen may" not in ran.err


async def test_a_bill_shows_who_has_paid_who_refused_and_what_is_missing(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        states = ("paid", "paying", "refused", "withdrawn", "lost", "open")
        shares = [share(name, state=name) for name in states[:-1]] + [share("open", reminded_ms=1)]
        world.bills.bill = shown(shares=shares, missing="15.00", missing_minor=1500, own_minor=0, receipt="")
        ran = await world.weft("split", "show", "dine")
        first, *lines = ran.out.splitlines()
        assert first == "• 90.00 EUR among 3  1 of 6 have paid  15.00 EUR missing  …AAAADINE"
        assert [line.split("  …")[0] for line in lines] == [
            "  ✔ paid: 30.00 EUR  paid",
            "  • paying: 30.00 EUR  on its way",
            "  ✖ refused: 30.00 EUR  refused",
            "  ✖ withdrawn: 30.00 EUR  withdrawn",
            "  ✖ lost: 30.00 EUR  is in no ledger any more",
            f"  • open: 30.00 EUR  not paid yet  reminded {lines[-1].split('reminded ')[1].split('  …')[0]}",
        ]
        assert (await world.weft("split", "show", "dine", "--json")).json == world.bills.bill


async def test_a_stop_says_how_what_was_paid_is_given_back(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        paid = share("Bo", state="paid", paid_by="01M7Q2ZCN0" + "B" * 12 + "PAID")
        world.bills.bill = shown(state="stopped", shares=[paid, share("Chen", state="withdrawn")])
        ran = await world.weft("split", "stop", "dine")
        assert ran.out.splitlines()[0].endswith("missing  stopped  …AAAADINE")
        assert ran.out.startswith("✖ ")
        assert ran.err == "  To give Bo his share back: weft pay refund BBBBPAID\n"
        assert world.bills.asked == [("stop", "dine")]


async def test_bills_are_listed_with_what_comes_next(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("split")
        assert (ran.out, ran.err) == ("No bills yet.\n", "  Next: weft split 90 EUR NAME NAME\n")
        world.bills.rows = [{"row": 9 - n, **shown(missing_minor=0)} for n in range(3)]
        ran = await world.weft("split", "list", "--limit", "2", "--before", "10")
        assert ran.out == "✔ 90.00 EUR among 3  dinner  0 of 2 have paid  …AAAADINE\n" * 2
        assert ran.err == "  More: weft split list --before 8\n"
        assert world.bills.asked == [("list", 20, None), ("list", 2, 10)]
        assert len((await world.weft("split", "--jsonl")).lines) == 3


async def test_a_reminder_is_said_to_be_one(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("pay", "remind", "BOSH")
        assert (ran.out, world.bills.asked) == ("✔ Bo is reminded.\n", [("remind", "BOSH")])


async def test_names_and_receipts_move_no_cursor(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.bills.bill = shown(receipt=EVIL, unit=EVIL, shares=[share(EVIL, allow="1"), share(EVIL, state="paid")])
        for words in (("show", "dine"), ("stop", "dine"), ("9", "EUR", "bo")):
            ran = await world.weft("split", *words)
            assert (ran.code, steering(ran.out), steering(ran.err)) == (0, [], [])


def test_a_request_says_that_one_was_reminded_and_how_many_have_paid() -> None:
    asked = dict.fromkeys(Wish.__annotations__, 0) | {
        "id": "01M7Q2ZCN0" + "A" * 12 + "BOSH",
        "contact": "Ana",
        "mine": False,
        "kind": "bill",
        "amount": "30.00",
        "unit": "EUR",
        "note": "dinner: bill of 90.00 EUR among 3",
        "state": "open",
    }
    said = "• Ana asks you for 30.00 EUR  dinner: bill of 90.00 EUR among 3  waits for you"
    assert debts.wish(asked) == f"{said}  …AAAABOSH"
    told = debts.wish(asked | {"reminded_ms": 1, "bill_paid": 1, "bill_people": 2})
    assert told.startswith(f"{said}  reminded ")
    assert told.endswith(" ago  1 of 2 have paid  …AAAABOSH")
