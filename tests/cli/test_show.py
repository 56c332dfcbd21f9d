"""What people read: times, marks, and texts of others that cannot touch the terminal."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import show
from cli.options import Door

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.001, "0.01 s"),
        (0.31, "0.3 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (7200, "2 h"),
        (172_800, "2 days"),
        (1e6, "11 days"),
    ],
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert show.span(seconds) == said


@pytest.mark.parametrize(
    ("at_ms", "said"),
    [
        (0, "never"),
        (NOW - 5000, "just now"),
        (NOW - 7_200_000, "2 h ago"),
        (NOW + 5000, "just now"),
        (NOW + 10**12, "some time ago"),
    ],
)
def test_how_long_ago(at_ms: int, said: str) -> None:
    assert show.ago(at_ms, NOW) == said


def test_times_of_today_have_no_date() -> None:
    assert show.clock(time.time_ns() // 1_000_000) == time.strftime("%H:%M")
    assert show.clock(0).startswith(("1970-", "1969-"))


@given(st.text())
def test_no_text_of_others_touches_the_terminal(text: str) -> None:
    cleaned = show.clean(text)
    assert all(ord(character) >= 32 and not 127 <= ord(character) < 160 for character in cleaned)
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert show.clean(cleaned) == cleaned
    assert len(cleaned) == len(text)


def test_a_table_without_a_terminal_is_columns() -> None:
    drawn = show.table(Door(environ={}), ("Name", "State"), [("Bo", "active"), ("陳", "asked")])
    assert drawn == "Name  State\nBo    active\n陳    asked"


def test_an_account_is_shown_by_its_ends() -> None:
    assert show.account("wf1q7" + "x" * 50 + "f3") == "wf1q7…f3"


def test_a_link_fits_a_terminal_as_a_code() -> None:
    drawn = show.code("weft:i/" + "A" * 166).splitlines()
    assert len(drawn) <= 32
    assert max(len(line) for line in drawn) <= 70 or "\x1b" in drawn[0]
