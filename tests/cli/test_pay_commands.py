"""pay, request: what is asked of the node, what is said of payments and requests, and which words are missing."""

import time
from pathlib import Path
from typing import Any

import pytest

from cli import debts, show
from ledger import units
from tests.cli import fake
from tests.cli.payments_room import AT_MS, UNTIL_MS, balance, payment, request
from tests.cli.test_escapes import EVIL, steering

IOU = f"  {units.IOU}\n"
UNTIL = show.clock(UNTIL_MS)
COMMANDS = (
    ("pay",),
    ("pay", "bo", "5", "EUR"),
    ("pay", "requests"),
    ("pay", "accept", "MENT001"),
    ("pay", "decline", "MENT001"),
    ("pay", "recall", "MENT001"),
    ("pay", "refund", "MENT001"),
    ("request", "bo", "5", "EUR"),
)
OWING = ("pay to", "pay refund", "request", "ledger limit", "ledger settle", "voucher give", "voucher redeem")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")
    assert world.weft_now(*words, "--json").json["error"]["code"] == "node.down"


def test_the_sentence_is_that_of_the_ledger() -> None:
    assert debts.IOU == units.IOU


@pytest.mark.parametrize("command", OWING)
def test_the_help_of_all_that_takes_an_amount_says_what_it_is_not(tmp_path: Path, command: str) -> None:
    ran = fake.stopped(tmp_path).weft_now(*command.split(), "--help")
    assert ran.out.endswith(f"\n\n{units.IOU}\n")


# --- pay


async def test_an_offer_is_made_and_said_with_what_takes_it_back(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("pay", "Bo", "12.50", "EUR", "--note", "lunch")
        assert ran.out == f"• Offered 12.50 EUR to Bo, until {UNTIL}; waits for Bo to accept it.\n"
        assert ran.err == f"{IOU}  To take it back: weft pay recall YMENT001\n"
        ran = await world.weft("--profile", "default", "pay", "Bo", "1", "h", "--within", "7d")
        assert ran.err.endswith("  To take it back: weft --profile default pay recall YMENT001\n")
        assert (await world.weft("-q", "pay", "Bo", "5", "EUR")).err == ""
        for form in ("--json", "--jsonl"):
            ran = await world.weft("pay", "Bo", "12.50", "EUR", form)
            assert ran.json == payment("Bo", reason="waits for Bo to accept it")
        assert world.debts.payments.asked == [
            ("pay", "Bo", "12.50", "EUR", "lunch", 86_400),
            ("pay", "Bo", "1", "h", "", 604_800),
            ("pay", "Bo", "5", "EUR", "", 86_400),
            ("pay", "Bo", "12.50", "EUR", "", 86_400),
            ("pay", "Bo", "12.50", "EUR", "", 86_400),
        ]


async def test_a_contact_who_is_called_as_a_command_is_paid_all_the_same(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "accept") as world:
        assert (await world.weft("pay", "to", "accept", "5", "EUR")).code == 0
        assert (await world.weft("pay", "to", "to", "5", "EUR")).code == 0
        assert (await world.weft("pay", "accept", "5ABC")).code == 0
        assert world.debts.payments.asked == [
            ("pay", "accept", "5", "EUR", "", 86_400),
            ("pay", "to", "5", "EUR", "", 86_400),
            ("accept", "5ABC"),
        ]


MISSING = {
    ("pay", "bo"): "AMOUNT and UNIT are missing; nothing was done. Type: weft pay NAME AMOUNT UNIT",
    ("pay", "bo", "5"): "UNIT is missing; nothing was done. Type: weft pay NAME AMOUNT UNIT",
    ("pay", "to"): "NAME, AMOUNT and UNIT are missing; nothing was done. Type: weft pay NAME AMOUNT UNIT",
    ("pay", "refund"): "ID is missing; nothing was done. Type: weft pay refund ID",
    ("request", "bo", "--for", "tea"): (
        "AMOUNT and UNIT are missing; nothing was done. Type: weft request NAME AMOUNT UNIT"
    ),
    ("--profile", "default", "ledger", "limit", "bo", "5"): (
        "UNIT is missing; nothing was done. Type: weft --profile default ledger limit NAME AMOUNT UNIT"
    ),
    ("voucher", "redeem", "5"): "NAME is missing; nothing was done. Type: weft voucher redeem AMOUNT NAME",
}


@pytest.mark.parametrize("words", MISSING, ids=" ".join)
async def test_what_is_missing_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft(*words)
        assert (ran.code, ran.out, ran.err) == (2, "", f"{MISSING[words]}\n")
        ran = await world.weft(*words, "--json")
        assert (ran.code, ran.json["error"]["code"], world.debts.payments.asked) == (2, "usage", [])


async def test_what_begins_with_a_minus_is_an_amount_for_the_node_to_refuse(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        await world.weft("pay", "bo", "-5", "EUR")
        await world.weft("request", "bo", "-0.50", "EUR")
        await world.weft("pay", "refund", "MENT001", "-5")
        await world.weft("ledger", "limit", "bo", "-5", "EUR")
        assert [one[:3] for one in world.debts.payments.asked] == [
            ("pay", "bo", "−5"),
            ("ask", "bo", "−0.50"),
            ("refund", "MENT001", "−5"),
            ("limit", "bo", "−5"),
        ]
        ran = await world.weft("pay", "bo", "5", "EUR", "--nite", "x")
        assert (ran.code, "--nite" in ran.err) == (2, True)
        ran = await world.weft("pay", "bo", "5", "EUR", "--within", "soon")
        assert (ran.code, "A time is written 90s, 30m, 24h or 7d" in ran.err) == (2, True)
        assert len(world.debts.payments.asked) == 4


# --- what waits


async def test_nothing_waits_and_what_to_type_then(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for words in (("pay",), ("pay", "requests")):
            ran = await world.weft(*words)
            said = ("Nothing waits.\n", "  Next: weft pay NAME AMOUNT UNIT\n")
            assert (ran.code, ran.out, ran.err) == (0, *said)
            assert (await world.weft(*words, "-q")).err == ""
            empty: dict[str, list[object]] = {"offers": [], "open": [], "asked": [], "asking": []}
            assert (await world.weft(*words, "--json")).json == empty


async def test_all_that_waits_is_said_with_what_answers_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.payments.waiting = {
            "offers": [payment("Bo", mine=False, note="lunch", reason="waits for you")],
            "asked": [
                request("Chen", mine=False, note="cinema", due_ms=UNTIL_MS),
                request("Chen", mine=False, state="paying"),
                request("Dee", mine=False, kind="settlement", note="cash"),
            ],
            "asking": [request("Bo"), request("Bo", kind="settlement", note="cash", state="paying")],
            "open": [payment("Bo", state="refunding", reason="refunding: waiting for Bo")],
        }
        ran = await world.weft("--profile", "default", "pay")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            f"• 12.50 EUR ← Bo  lunch  waits for you  until {UNTIL}  …YMENT001",
            "    weft --profile default pay accept YMENT001",
            f"• Chen asks you for 8.00 EUR  cinema  by {UNTIL}  waits for you  …QUEST001",
            "    weft --profile default pay accept QUEST001",
            "• Chen asks you for 8.00 EUR  on its way  …QUEST001",
            "• Dee says that he gave you 8.00 EUR  cash  waits for you  …QUEST001",
            "    weft --profile default pay accept QUEST001",
            "• you ask Bo for 8.00 EUR  waits for Bo  …QUEST001",
            "• you say that you gave Bo 8.00 EUR  cash  on its way  …QUEST001",
            "• 12.50 EUR → Bo  refunding: waiting for Bo  …YMENT001",
        ]
        assert (await world.weft("pay", "--jsonl")).lines == [world.debts.payments.waiting]


# --- answers


ENDS: tuple[tuple[dict[str, Any], str], ...] = (
    (payment("Bo", mine=False, state="settled"), "✔ 12.50 EUR ← Bo  received  …YMENT001"),
    (payment("Bo", mine=False, state="declined"), "✖ 12.50 EUR ← Bo  you declined it  …YMENT001"),
    (payment("Bo", state="refunded", note="tea"), "✖ 12.50 EUR → Bo  tea  came back to you  …YMENT001"),
    (payment("Bo", mine=False, state="refunded"), "✖ 12.50 EUR ← Bo  was taken back  …YMENT001"),
    (payment("Bo", state="settled", kind="settlement"), "✔ 12.50 EUR → Bo  settled up  paid  …YMENT001"),
    (
        payment("Bo", state="settled", kind="refund", note="refund: tea"),
        "✔ 12.50 EUR → Bo  refund  tea  paid  …YMENT001",
    ),
    (payment("Bo", state="settled", kind="bill"), "✔ 12.50 EUR → Bo  paid  …YMENT001"),
    (payment("Bo", state="accepted", reason="being confirmed"), "• 12.50 EUR → Bo  being confirmed  …YMENT001"),
    (payment("Bo", kind="path", state="settled", reason=""), "✔ 12.50 EUR → Bo  over others  paid  …YMENT001"),
    (request("Bo", state="withdrawn"), "✖ you ask Bo for 8.00 EUR  withdrawn  …QUEST001"),
    (request("Bo", mine=False, state="refused"), "✖ Bo asks you for 8.00 EUR  refused  …QUEST001"),
)


@pytest.mark.parametrize(("row", "said"), ENDS, ids=lambda one: one if isinstance(one, str) else "")
@pytest.mark.parametrize("how", ["decline", "recall"])
async def test_what_becomes_of_it_is_one_line(tmp_path: Path, how: str, row: dict[str, Any], said: str) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.payments.becomes = row
        ran = await world.weft("pay", how, "MENT001")
        assert (ran.code, ran.out, ran.err) == (0, f"{said}\n", "")
        assert (await world.weft("pay", how, "MENT001", "--json")).json == row
        assert world.debts.payments.asked == [(how, "MENT001")] * 2


async def test_who_accepts_or_gives_back_is_told_what_a_debt_is(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("pay", "accept", "MENT001")
        assert (ran.out, ran.err) == ("✔ 12.50 EUR ← Bo  received  …YMENT001\n", IOU)
        ran = await world.weft("pay", "refund", "MENT001", "3")
        said = f"• 3 EUR → Bo  refund  waits for Bo's node to take it  until {UNTIL}  …YMENT001\n"
        assert (ran.out, ran.err) == (said, IOU)
        assert (await world.weft("pay", "refund", "MENT001", "-q")).err == ""
        assert world.debts.payments.asked == [
            ("accept", "MENT001"),
            ("refund", "MENT001", "3"),
            ("refund", "MENT001", None),
        ]


# --- request


async def test_a_request_says_what_for_and_by_when(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("request", "Bo", "8", "EUR", "--for", "cinema")
        assert (ran.code, ran.out) == (0, "• you ask Bo for 8 EUR  cinema  waits for Bo  …QUEST001\n")
        assert ran.err == IOU
        before_ms = time.time_ns() // 1_000_000
        ran = await world.weft("request", "Bo", "8", "EUR", "--within", "2h", "--json")
        plain, timed = world.debts.payments.asked
        assert plain == ("ask", "Bo", "8", "EUR", "cinema", None)
        due_ms = timed[5]
        assert isinstance(due_ms, int)
        assert before_ms <= due_ms - 7_200_000 <= time.time_ns() // 1_000_000 + 1
        assert ran.json["due_ms"] == due_ms


# --- names and notes of others


EVILS = (
    ("pay",),
    ("pay", EVIL, "5", "EUR", "--note", EVIL),
    ("pay", "accept", "MENT001"),
    ("pay", "decline", "MENT001"),
    ("request", EVIL, "5", "EUR", "--for", EVIL),
    ("ledger",),
    ("ledger", "limit", EVIL, "5", "EUR"),
    ("ledger", "settle", EVIL, "5", "EUR", "--how", EVIL),
    ("ledger", "history"),
    ("ledger", "history", EVIL, "--limit", "1"),
)


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize("words", EVILS, ids=lambda words: " ".join(words[:2]).partition(EVIL)[0])
async def test_names_and_notes_move_no_cursor(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    line = payment(EVIL, note=EVIL, reason=EVIL, unit=EVIL, kind=EVIL, state=EVIL)
    wish = request(EVIL, mine=False, note=EVIL, unit=EVIL, state=EVIL)
    async with fake.node(tmp_path) as world:
        room = world.debts.payments
        room.waiting = {"offers": [line], "asked": [wish], "asking": [wish], "open": [line]}
        paused = [{"contact": EVIL, "reason": EVIL}]
        rows = [balance(EVIL, unit=EVIL, minor=minor) for minor in (-1, 0, 1)]
        room.standing = {"balances": rows, "reserved": [line], "paused": paused, "proposals": []}
        room.past = [{"row": 7, "at_ms": AT_MS, **line}]
        room.becomes = line if words[1:2] != ("decline",) else wish
        ran = await world.weft(*([form] if form else []), *words)
        assert (ran.code, steering(ran.out), steering(ran.err)) == (0, [], [])
        assert ran.out
