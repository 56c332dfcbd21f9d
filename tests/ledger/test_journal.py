"""Books for others: they balance, they come to what the tab comes to, and no name or memo gets out of its place.

hledger itself reads them where it is installed; for Beancount a reader of its grammar stands here, stricter than it.
"""

import csv
import json
import random
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import chart, days, journal, units
from ledger.journal import Booking
from tests import depth
from tests.ledger.bookings import ACCOUNTS, ANY, COFFEE, DAY_MS, GIFT, NOVEMBER_MS, OTHERS, booking

SOME = (
    booking(1250, memo="lunch"),
    booking(-250, NOVEMBER_MS + DAY_MS, kind="refund", memo="too much"),
    booking(3, NOVEMBER_MS + 2 * DAY_MS, "Chen", ACCOUNTS[1], COFFEE),
)
ZONES = st.sampled_from((0, 60, -210, 14 * 60, -12 * 60))
Balances = dict[tuple[str, str], Decimal]


def balances(bookings: Sequence[Booking]) -> Balances:
    """What each contact owes, by account and unit; what is nothing is left out."""
    owed: dict[tuple[str, str], int] = defaultdict(int)
    for one in bookings:
        owed[one.account, one.unit] += one.amount
    return {key: Decimal(units.number(n, chart.unit_of(key[1]))) for key, n in owed.items() if n}


def test_a_journal_reads_as_people_write_it() -> None:
    assert "".join(journal.hledger(SOME)) == (
        "; From weft. This records what people owe each other; it moves no bank money.\n"
        "; What is above 0 a contact owes you, what is below 0 you owe him.\n"
        "decimal-mark .\n"
        "\n"
        "commodity 1000.00 EUR  ; EUR\n"
        f'commodity 1000. "v:coffee"  ; {COFFEE}\n'
        f"account assets:weft:bo:EUR  ; {ACCOUNTS[0]}\n"
        f"account assets:weft:Chen:v-coffee  ; {ACCOUNTS[1]}\n"
        "account equity:weft:payment\n"
        "account equity:weft:refund\n"
        "\n"
        "2026-11-01 * (01KB0000000000000000000000) bo | lunch\n"
        "    assets:weft:bo:EUR  12.50 EUR\n"
        "    equity:weft:payment  -12.50 EUR\n"
        "\n"
        "2026-11-02 * (01KB0000000000000000000000) bo | too much\n"
        "    assets:weft:bo:EUR  -2.50 EUR\n"
        "    equity:weft:refund  2.50 EUR\n"
        "\n"
        "2026-11-03 * (01KB0000000000000000000000) Chen\n"
        '    assets:weft:Chen:v-coffee  3 "v:coffee"\n'
        '    equity:weft:payment  -3 "v:coffee"\n'
    )


def test_a_beancount_file_reads_as_people_write_it() -> None:
    written = "".join(journal.beancount(SOME))
    assert written.startswith(
        'option "title" "What people owe each other"\n'
        "; From weft. This records what people owe each other; it moves no bank money.\n"
        "; What is above 0 a contact owes you, what is below 0 you owe him.\n"
        "\n"
        '2026-11-01 commodity EUR\n  unit: "EUR"\n'
        f'2026-11-01 commodity V-COFFEE\n  unit: "{COFFEE}"\n'
        f'2026-11-01 open Assets:Weft:Bo:EUR EUR\n  weft: "{ACCOUNTS[0]}"\n'
        f'2026-11-01 open Assets:Weft:Chen:V-COFFEE V-COFFEE\n  weft: "{ACCOUNTS[1]}"\n'
        "2026-11-01 open Equity:Weft:Payment\n"
        "2026-11-01 open Equity:Weft:Refund\n"
        "\n"
        '2026-11-01 * "bo" "lunch"\n'
        '  weft: "01KB0000000000000000000000"\n'
        "  Assets:Weft:Bo:EUR  12.50 EUR\n"
        "  Equity:Weft:Payment  -12.50 EUR\n"
    )


def test_a_table_reads_as_machines_write_it() -> None:
    assert "".join(journal.csv(SOME[:2], 60)) == (
        "id,time,contact,account,amount,unit,kind,memo\r\n"
        f"01KB0000000000000000000000,2026-11-01T01:00:00+01:00,bo,{ACCOUNTS[0]},12.50,EUR,payment,lunch\r\n"
        f"01KB0000000000000000000000,2026-11-02T01:00:00+01:00,bo,{ACCOUNTS[0]},-2.50,EUR,refund,too much\r\n"
    )


@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(ANY, st.randoms(use_true_random=False))
def test_the_order_in_which_bookings_come_says_nothing(bookings: list[Booking], chance: random.Random) -> None:
    numbered = [replace(one, id=f"{n:026}", contact=one.account[-3:]) for n, one in enumerate(bookings)]
    other = chance.sample(numbered, len(numbered))
    for write in (journal.hledger, journal.beancount, journal.csv):
        assert list(write(other)) == list(write(numbered))


def test_names_keep_to_their_place_in_a_journal() -> None:
    written = "".join(journal.hledger([booking(1, contact="bo | x; y:z", memo="a|b;c", kind="")]))
    assert "01KB0000000000000000000000) bo / x, y:z | a/b,c\n" in written
    assert "account equity:weft:other\n" in written


def test_nothing_is_a_book_too() -> None:
    assert [len("".join(write([]))) > 0 for write in (journal.hledger, journal.beancount, journal.csv)] == [True] * 3
    assert read_beancount("".join(journal.beancount([]))) == {}


@pytest.mark.process
@pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed")
@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(ANY, ZONES)
def test_hledger_takes_it_strictly_and_comes_to_the_same(bookings: list[Booking], east_min: int) -> None:
    written = "".join(journal.hledger(bookings, east_min))
    symbols = chart.symbols(one.unit for one in bookings)
    rows = run_hledger(written, "bal", "--flat", "-E", "--layout=bare", "-O", "csv", "assets")
    found = {(row[0], row[1]): Decimal(row[2]) for row in rows[1:] if row[0] != "total"}
    declared = dict(re.findall(r"^account (assets:\S+)  ; (wf1\w+)$", written, re.MULTILINE))
    by_symbol = {symbol: text for text, symbol in symbols.items()}
    assert {(declared[name], by_symbol[symbol]): n for (name, symbol), n in found.items() if n} == balances(bookings)
    transactions = json.loads(hledger_says(written, "print", "-O", "json"))
    assert len(transactions) == len(bookings)
    dates = [days.date(one.at_ms, east_min) for one in journal.in_order(bookings)]
    assert sorted(one["tdate"] for one in transactions) == sorted(dates)
    assert all(one["tcomment"] == "" and one["tdate2"] is None and one["ttags"] == [] for one in transactions)
    assert all(len(one["tpostings"]) == 2 for one in transactions)


def hledger_says(written: str, *words: str) -> str:
    ran = subprocess.run(
        ["hledger", "-f", "-", "--strict", *words],
        input=written.encode("utf-8"),
        capture_output=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )
    assert ran.returncode == 0, ran.stderr.decode() + written
    return ran.stdout.decode("utf-8")


def run_hledger(written: str, *words: str) -> list[list[str]]:
    return list(csv.reader(hledger_says(written, *words).splitlines()))


@settings(max_examples=depth.EXAMPLES * 5, deadline=None)
@given(ANY, ZONES)
def test_beancount_finds_what_it_wants_and_comes_to_the_same(bookings: list[Booking], east_min: int) -> None:
    assert read_beancount("".join(journal.beancount(bookings, east_min))) == balances(bookings)


STRING = r'"((?:[^"\\\n]|\\["\\])*)"'
DATE = r"(\d{4}-\d\d-\d\d)"
SYMBOL = r"([A-Z][A-Z0-9-]{0,22}[A-Z0-9])"
ACCOUNT = r"((?:Assets|Equity)(?::[A-Z0-9][A-Za-z0-9-]*)+)"
NUMBER = r"(-?\d+(?:\.\d+)?)"


def read_beancount(text: str) -> Balances:
    """Every line of a file is one of these and nothing else, all is opened before, each transaction balances."""
    commodities: dict[str, str] = {}
    accounts: dict[str, tuple[str, str]] = {}
    owed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    lines = iter(text.split("\n"))
    for said in lines:
        if said == "" or said.startswith("; ") or said == 'option "title" "What people owe each other"':
            continue
        if found := re.fullmatch(f"{DATE} commodity {SYMBOL}", said):
            assert found[2] not in commodities
            commodities[found[2]] = whole(f"  unit: {STRING}", next(lines))[1]
        elif found := re.fullmatch(f"{DATE} open {ACCOUNT} {SYMBOL}", said):
            assert found[2] not in accounts
            accounts[found[2]] = (whole(f"  weft: {STRING}", next(lines))[1], found[3])
        elif found := re.fullmatch(f"{DATE} open {ACCOUNT}", said):
            assert found[2] not in accounts
            accounts[found[2]] = ("", "")
        else:
            whole(rf"{DATE} \* {STRING} {STRING}", said)
            whole(f"  weft: {STRING}", next(lines))
            debt, equity = (whole(f"  {ACCOUNT}  {NUMBER} {SYMBOL}", next(lines)) for _ in range(2))
            assert Decimal(debt[2]) == -Decimal(equity[2])
            assert debt[3] == equity[3] == accounts[debt[1]][1]
            assert accounts[equity[1]] == ("", "")
            owed[accounts[debt[1]][0], unescaped(commodities[debt[3]])] += Decimal(debt[2])
    return {key: n for key, n in owed.items() if n}


def whole(pattern: str, said: str) -> re.Match[str]:
    found = re.fullmatch(pattern, said)
    assert found is not None, said
    return found


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@settings(max_examples=depth.EXAMPLES * 5, deadline=None)
@given(ANY, ZONES)
def test_a_table_reads_back(bookings: list[Booking], east_min: int) -> None:
    lines = list(journal.csv(bookings, east_min))
    assert all(re.fullmatch(r"[^\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]*\r\n", one) for one in lines)
    rows = list(csv.DictReader(lines, strict=True))
    found: Balances = defaultdict(Decimal)
    for one, row in zip(journal.in_order(bookings), rows, strict=True):
        assert [plain(row[name]) for name in ("id", "contact", "account", "unit", "kind", "memo")] == [
            chart.line(said) for said in (one.id, one.contact, one.account, one.unit, one.kind, one.memo)
        ]
        assert row["time"] == days.second(one.at_ms, east_min)
        found[row["account"], one.unit] += Decimal(row["amount"])
    assert {key: n for key, n in found.items() if n} == balances(bookings)


def plain(cell: str) -> str:
    """A text without the mark that keeps it from being a formula; no text begins like one."""
    assert cell[:1] not in tuple("=+-@\t\r＝＋－＠")
    return cell.removeprefix("'")


def test_two_of_one_name_are_two() -> None:
    two = [booking(1), booking(2, contact="BO", account=ACCOUNTS[1]), booking(4, contact="ana", account=ACCOUNTS[2])]
    declared = "".join(journal.hledger(two))
    found = dict(re.findall(r"^account assets:weft:(\S+):EUR  ; (\w+)$", declared, re.MULTILINE))
    ends = [account[-6:] for account in ACCOUNTS]
    assert found == {f"bo-{ends[0]}": ACCOUNTS[0], f"BO-{ends[1]}": ACCOUNTS[1], "ana": ACCOUNTS[2]}


def test_who_takes_the_account_of_another_as_his_name_is_not_taken_for_him() -> None:
    names = {ACCOUNTS[0]: "", ACCOUNTS[1]: ACCOUNTS[0], ACCOUNTS[2]: f"x-{ACCOUNTS[3][-6:]}", ACCOUNTS[3]: "x"}
    for write in (chart.word, chart.ascii_word):
        found = chart.contacts(names, write)
        assert len({one.casefold() for one in found.values()}) == len(names)


def test_units_of_one_name_are_two() -> None:
    end = OTHERS[2:].partition("/")[0][-6:]
    assert chart.symbols([OTHERS, GIFT, "EUR"]) == {OTHERS: "v:coffee", GIFT: "v:gift", "EUR": "EUR"}
    assert chart.symbols([COFFEE, OTHERS])[OTHERS] == f"v:coffee-{end}"
    assert chart.beancount_symbols([COFFEE, OTHERS])[OTHERS] == f"V-COFFEE-{end.upper()}"
    assert chart.labels([COFFEE, OTHERS, "EUR"]) == {COFFEE: COFFEE, OTHERS: OTHERS, "EUR": "EUR"}
    same = [COFFEE, f"{COFFEE}:1", f"{COFFEE}:2"]
    for write in (chart.symbols, chart.beancount_symbols, chart.labels):
        assert len(set(write(same).values())) == 3


def test_a_clock_that_is_wrong_by_millennia_gives_a_date() -> None:
    assert days.date(2**53 - 1) == "9999-12-31"
    assert days.date(-1) == days.date(0, -60) == "1970-01-01"
