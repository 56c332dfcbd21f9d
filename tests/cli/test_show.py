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


def test_a_card_and_a_place_say_what_they_are_good_for() -> None:
    line = {"mine": False, "unread": False, "contact": "Bo", "at_ms": 1, "short": "7K2Q7K2Q", "lasts_s": 0}
    card = {"claims": "Chen\x1b[2J", "account": "wf1q7", "known": ""}
    shown = show.message_line({**line, "text": "[card] Chen\x1b[2J", "card": card}).splitlines()
    assert shown[0].endswith("  Bo: [card] Chen [2J  (…7K2Q7K2Q)")
    assert shown[1:] == ["       weft add wf1q7"]
    shown = show.message_line({**line, "text": "[card] Chen", "card": {**card, "known": "my\nchen"}}).splitlines()
    assert shown[1:] == ["       your contact my chen"]
    own = {**line, "mine": True, "state": "delivered", "text": "[card] Chen", "card": card}
    assert len(show.message_line(own).splitlines()) == 1
    there = {**line, "text": "[place] 1, 2", "place": {"geo": "geo:1,2"}}
    assert show.message_line(there).splitlines()[1:] == ["       geo:1,2"]
    gone = show.message_line({**there, "recalled": True, "text": "", "place": None})
    assert gone.endswith("Bo recalled a message.  (…7K2Q7K2Q)")
