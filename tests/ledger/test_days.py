"""Days of the calendar against Python's own."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import days
from tests import depth

LAST_MS = 253_402_300_799_999  # of the year 9999
ZONES = st.integers(-days.EAST_MIN_MAX, days.EAST_MIN_MAX)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@settings(max_examples=depth.EXAMPLES * 20, deadline=None)
@given(st.integers(2 * days.DAY_MS, LAST_MS - 2 * days.DAY_MS), ZONES)
def test_a_time_is_what_python_says_it_is(at_ms: int, east_min: int) -> None:
    there = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(timezone(timedelta(minutes=east_min)))
    assert days.date(at_ms, east_min) == there.date().isoformat()
    assert days.minute(at_ms, east_min) == there.isoformat(" ", "minutes")[:16]
    assert datetime.fromisoformat(days.second(at_ms, east_min)) == there.replace(microsecond=0)


def test_every_day_of_four_centuries() -> None:
    day = EPOCH
    for n in range(400 * 366):
        assert days.date(n * days.DAY_MS) == day.date().isoformat()
        day += timedelta(days=1)


@settings(max_examples=depth.EXAMPLES * 5, deadline=None)
@given(st.integers(1970, 9998), st.integers(1, 12), ZONES)
def test_a_month_begins_and_ends(year: int, month: int, east_min: int) -> None:
    found = days.span(f"{year}-{month:02}", east_min)
    after = (year + month // 12, month % 12 + 1)
    zone = timezone(timedelta(minutes=east_min))
    begins, ends = (datetime(*first, 1, tzinfo=zone) for first in ((year, month), after))
    assert (found.start_ms, found.end_ms) == tuple((at - EPOCH) // timedelta(milliseconds=1) for at in (begins, ends))


def test_a_year_is_its_months() -> None:
    months = [days.span(f"2028-{month:02}", 60) for month in range(1, 13)]
    year = days.span("2028", 60)
    assert (year.start_ms, year.end_ms) == (months[0].start_ms, months[-1].end_ms)
    assert all(one.end_ms == after.start_ms for one, after in pairwise(months))
    assert (year.end_ms - year.start_ms) // days.DAY_MS == 366


@pytest.mark.parametrize(
    "text", ["", "2026-13", "2026-00", "2026-1", "26-11", "1969", "2026-11-30", "11-2026", "٢٠٢٦", "x" * 1000, "2026\n"]
)
def test_what_is_no_month_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(days.BadSpan, match="There is no month") as refused:
        days.span(text)
    assert (refused.value.exit, refused.value.code) == (2, "statement.month")
    with pytest.raises(days.BadSpan):
        days.span("2026-11", days.EAST_MIN_MAX + 1)
