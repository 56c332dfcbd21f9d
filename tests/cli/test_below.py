"""The row below the prompt: the bytes for a terminal, and when there is room for it."""

import os
import shutil

import pytest

from cli import below


@pytest.fixture(autouse=True)
def _forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert shutil.get_terminal_size() == os.terminal_size((40, shutil.get_terminal_size().lines))


def test_the_cursor_is_where_it_was() -> None:
    assert below.shown("Bo is typing…") == "\x1bD\x1bM\x1b7\x1bD\r\x1b[KBo is typing…\x1b8"
    assert below.gone() == "\x1b7\x1bD\r\x1b[K\x1b8"


def test_a_long_name_does_not_fill_the_row() -> None:
    assert "x" * 39 in below.shown("x" * 100)
    assert "x" * 40 not in below.shown("x" * 100)


@pytest.mark.parametrize(("line", "is_room"), [("> ", True), ("x" * 28, True), ("x" * 29, False), ("你" * 15, False)])
def test_there_is_room_while_the_line_is_shorter_than_its_row(line: str, is_room: bool) -> None:
    assert below.fits(line) is is_room
