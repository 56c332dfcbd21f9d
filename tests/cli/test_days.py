"""Days and times as they are typed: what is meant, in the time zone of this machine, and what is refused."""

import os
import subprocess
import sys
from datetime import datetime

import pytest

from cli import days
from cli.faults import Failure

NOW_S = datetime(2026, 11, 30, 9, 30).timestamp()


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, second).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11-02", at(2026, 11, 2), at(2026, 11, 3)),
        (" 2024-02-29 ", at(2024, 2, 29), at(2024, 3, 1)),
        ("today", at(2026, 11, 30), at(2026, 12, 1)),
        ("Yesterday", at(2026, 11, 29), at(2026, 11, 30)),
        ("2026-11-02 18:30", at(2026, 11, 2, 18, 30), at(2026, 11, 2, 18, 30)),
        ("2026-11-02T18:30:05", at(2026, 11, 2, 18, 30, 5), at(2026, 11, 2, 18, 30, 5)),
        ("90m", at(2026, 11, 30, 8), at(2026, 11, 30, 8)),
        ("30s", at(2026, 11, 30, 9, 29, 30), at(2026, 11, 30, 9, 29, 30)),
    ],
)
def test_what_is_typed_is_what_is_meant(text: str, since: int, until: int) -> None:
    assert (days.since(text, NOW_S), days.until(text, NOW_S)) == (since, until)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-13-01", "2026-02-30", "30.11.2026", "2026-11-30 25:00", "0000-01-01", "9999-12-31", "-7d"],
)
def test_what_is_no_day_is_said_to_be_none(text: str) -> None:
    for meant in (days.since, days.until):
        with pytest.raises(Failure, match="is written 2026-11-30") as met:
            meant(text, NOW_S)
        assert (met.value.code, met.value.exit) == ("usage", 2)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2026-10-25", 25), ("Asia/Shanghai", "2026-03-29", 24)],
)
def test_a_day_is_as_long_as_it_is_where_one_lives(zone: str, day: str, hours: int) -> None:
    asks = f"from cli import days; print(days.until('{day}') - days.since('{day}'))"
    environ = {**os.environ, "TZ": zone}
    ran = subprocess.run([sys.executable, "-c", asks], env=environ, capture_output=True, text=True, check=True)
    assert int(ran.stdout) == hours * 3_600_000
