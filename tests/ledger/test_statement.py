"""Statements: where a month began, what changed, where it ended; the end of one is the beginning of the next."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import chart, days, statement, units
from ledger.journal import Booking
from tests import depth
from tests.ledger.bookings import ACCOUNTS, ANY, COFFEE, DAY_MS, GIFT, HOUR_MS, NOVEMBER_MS, OTHERS, booking

ZONES = st.sampled_from((0, 60, -210))
NOVEMBER = (
    booking(500, NOVEMBER_MS - DAY_MS, memo="before"),
    booking(1250, NOVEMBER_MS + HOUR_MS, memo="lunch"),
    booking(-2000, NOVEMBER_MS + 2 * DAY_MS, kind="refund"),
    booking(3, NOVEMBER_MS + 3 * DAY_MS, "Ana", ACCOUNTS[1], COFFEE, memo="two\nlines \x1b[2J"),
    booking(700, NOVEMBER_MS + 4 * DAY_MS, "Ana", ACCOUNTS[1]),
    booking(100, NOVEMBER_MS + 30 * DAY_MS, memo="after"),
)


def test_a_month_reads_as_people_read_it() -> None:
    assert list(statement.text(statement.of(NOVEMBER, "2026-11"))) == [
        "Statement 2026-11, times in UTC",
        "This records what people owe each other; it moves no bank money.",
        "",
        f"EUR  {ACCOUNTS[1]}  Ana",
        "  opening balance                  0.00",
        "  2026-11-05 00:00  payment  7.00  7.00",
        "  closing balance                  7.00  you are owed 7.00 EUR",
        "",
        f"v:coffee  {ACCOUNTS[1]}  Ana",
        "  opening balance               0",
        "  2026-11-04 00:00  payment  3  3  two lines [2J",
        "  closing balance               3  you are owed 3 v:coffee",
        "",
        f"EUR  {ACCOUNTS[0]}  bo",
        "  opening balance                     5.00",
        "  2026-11-01 01:00  payment   12.50  17.50  lunch",
        "  2026-11-03 00:00  refund   -20.00  -2.50",
        "  closing balance                    -2.50  you owe 2.50 EUR",
        "",
        "At the end of 2026-11",
        "  EUR: you are owed 7.00, you owe 2.50, in all 4.50",
        "  v:coffee: you are owed 3, you owe 0, in all 3",
    ]


def test_a_month_begins_where_people_live() -> None:
    at_one = NOVEMBER_MS - HOUR_MS
    assert [one.rows for one in statement.of([booking(1, at_one)], "2026-11").accounts] == [()]
    east = statement.of([booking(1, at_one)], "2026-11", 60)
    assert [len(one.rows) for one in east.accounts] == [1]
    said = list(statement.text(east))
    assert said[0] == "Statement 2026-11, times in UTC+01:00"
    assert said[5].startswith("  2026-11-01 00:00  payment")


def test_nothing_is_said_to_be_nothing() -> None:
    gone = [booking(5, NOVEMBER_MS - DAY_MS), booking(-5, NOVEMBER_MS - 1)]
    assert list(statement.text(statement.of(gone, "2026-11")))[1:] == [
        units.IOU,
        "",
        "Nothing was owed, and nothing changed.",
    ]


def test_what_is_owed_stands_there_though_nothing_changed() -> None:
    found = statement.of([booking(5, NOVEMBER_MS - DAY_MS)], "2026-11")
    assert [(one.opening, one.closing, one.rows) for one in found.accounts] == [(5, 5, ())]
    assert statement.balance(0, found.accounts[0].unit, "EUR") == "nothing is owed"


def test_a_contact_is_called_by_his_newest_name() -> None:
    renamed = [booking(1, NOVEMBER_MS, "old"), booking(1, NOVEMBER_MS + 1, "new")]
    assert [one.name for one in statement.of(renamed, "2026").accounts] == ["new"]


def test_units_of_one_name_are_told_apart() -> None:
    found = statement.of([booking(1, unit=unit) for unit in (COFFEE, OTHERS, GIFT)], "2026-11")
    assert {one.label for one in found.totals} == {COFFEE, OTHERS, "v:gift"}


@settings(max_examples=depth.EXAMPLES * 3, deadline=None)
@given(ANY, ZONES)
def test_months_follow_each_other_and_come_to_the_sum(bookings: list[Booking], east_min: int) -> None:
    begins: dict[tuple[str, str], int] = defaultdict(int)
    for one in bookings:
        if one.at_ms < days.span("2026-09", east_min).start_ms:
            begins[one.account, one.unit] += one.amount
    for month in ("2026-09", "2026-10", "2026-11", "2026-12"):
        found = statement.of(bookings, month, east_min)
        seen = {(one.account, one.unit.text): one for one in found.accounts}
        for (account, unit), owed in begins.items():
            there = seen.get((account, chart.unit_of(unit).text))
            assert owed == (there.opening if there is not None else 0)
        for each in found.accounts:
            assert each.closing == each.opening + sum(row.booking.amount for row in each.rows)
            assert not each.rows or each.rows[-1].after == each.closing
        begins = {(each.account, each.unit.text): each.closing for each in found.accounts}
        for total in found.totals:
            assert total.owed - total.owing == sum(n for (_, unit), n in begins.items() if unit == total.unit.text)
            assert total.owed >= 0 <= total.owing


@settings(max_examples=depth.EXAMPLES * 3, deadline=None)
@given(ANY, ZONES)
def test_a_statement_is_lines_that_move_nothing(bookings: list[Booking], east_min: int) -> None:
    found = statement.of(bookings, "2026", east_min)
    lines = list(statement.text(found))
    assert lines[1] == units.IOU
    assert all(chart.line(one.strip()) == " ".join(one.split()) for one in lines)
    rows = sum(len(one.rows) for one in found.accounts)
    assert len(lines) == (3 + 1 + 4 * len(found.accounts) + rows + len(found.totals) if found.accounts else 4)


def test_what_is_no_month_is_refused() -> None:
    with pytest.raises(days.BadSpan):
        statement.of([], "november")
