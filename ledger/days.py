"""Days of the calendar, as texts, from times in ms: Gregorian, in UTC or so many minutes east of it. Pure, no clock.

    date(at_ms) -> "2026-11-30"     second(at_ms, 60) -> "2026-11-30T15:05:09+01:00"     span("2026-11") -> Span(...)

Not here: what time it is, and which zone somebody is in (the doors know).
"""

import re
from functools import lru_cache
from typing import NamedTuple

from protocol.faults import UserFault, quoted

DAY_MS = 86_400_000
MINUTE_MS = 60_000
EAST_MIN_MAX = 14 * 60  # no zone is further from UTC
_LAST_DAY = 2_932_896  # 9999-12-31: a clock that is wrong by millennia still gives a date that others read
_SPAN = re.compile(r"([1-9][0-9]{3})(?:-(0[1-9]|1[0-2]))?")
_EPOCH_DAYS = 719_468  # from 0000-03-01 to 1970-01-01
_ERA_DAYS, _ERA_YEARS = 146_097, 400


class BadSpan(UserFault):
    """A statement is of a month, such as 2026-11, or of a year, such as 2026."""

    code = "statement.month"
    next = "weft ledger statement --month 2026-11"
    exit = 2


class Span(NamedTuple):
    """A month or a year. start_ms: its first millisecond; end_ms: the first that is no more in it."""

    text: str
    start_ms: int
    end_ms: int


def span(text: str, east_min: int = 0) -> Span:
    """The month or year that is meant, from 1970 on. Raises: BadSpan."""
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) < 1970 or abs(east_min) > EAST_MIN_MAX:
        raise BadSpan(f"There is no month {quoted(text)}: give one such as 2026-11, or a year such as 2026.")
    year, month = int(found[1]), int(found[2] or 1)
    after = (year + 1, 1) if found[2] is None or month == 12 else (year, month + 1)
    start, end = (_days(*first) * DAY_MS - east_min * MINUTE_MS for first in ((year, month), after))
    return Span(text, start, end)


def date(at_ms: int, east_min: int = 0) -> str:
    """The day: 2026-11-30. What lies before 1970 or after 9999 is the first or last day between."""
    return _date((at_ms + east_min * MINUTE_MS) // DAY_MS)


def minute(at_ms: int, east_min: int = 0) -> str:
    """Day and minute: 2026-11-30 15:05."""
    there = at_ms + east_min * MINUTE_MS
    minutes = there % DAY_MS // MINUTE_MS
    return f"{_date(there // DAY_MS)} {minutes // 60:02}:{minutes % 60:02}"


def second(at_ms: int, east_min: int = 0) -> str:
    """Day, second and zone by ISO 8601: 2026-11-30T15:05:09+01:00, with Z for UTC."""
    day, clock = minute(at_ms, east_min).split(" ")
    return f"{day}T{clock}:{at_ms % MINUTE_MS // 1000:02}{zone(east_min) or 'Z'}"


def zone(east_min: int) -> str:
    """How far a zone is from UTC: +01:00, -03:30; nothing for UTC itself."""
    away = abs(east_min)
    return f"{'-' if east_min < 0 else '+'}{away // 60:02}:{away % 60:02}" if east_min else ""


@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    """The text of a day since 1970. The year begins in March, so that the odd day is its last (Hinnant)."""
    era, of_era = divmod(min(max(day, 0), _LAST_DAY) + _EPOCH_DAYS, _ERA_DAYS)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    month_day = of_year - (153 * month + 2) // 5 + 1
    is_next = month >= 10
    return f"{year + era * _ERA_YEARS + is_next:04}-{month - 9 if is_next else month + 3:02}-{month_day:02}"


def _days(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month."""
    era, of_era = divmod(year - (month <= 2), _ERA_YEARS)
    of_year = (153 * ((month + 9) % 12) + 2) // 5
    return era * _ERA_DAYS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH_DAYS
