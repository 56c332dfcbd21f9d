"""A statement as a PDF: the same bytes each time, all of it there, and no name makes it fail or say something else."""

import base64
import re
import zlib

import pytest
from hypothesis import given, settings

from features.books import pdf
from ledger import statement, units
from ledger.journal import Booking
from tests import depth
from tests.ledger.bookings import ACCOUNTS, ANY, COFFEE, NOVEMBER_MS, booking


def rendered(*bookings: Booking) -> bytes:
    return pdf.render(statement.of(bookings, "2026-11", 60))


def drawn(file: bytes) -> str:
    """What the pages draw: text in ASCII as it is, all else as numbers."""
    streams = re.findall(rb"/ASCII85Decode /FlateDecode \].*?stream\r?\n(.*?)endstream", file, re.DOTALL)
    pages = [zlib.decompress(base64.a85decode(b"<~" + one.strip(), adobe=True)) for one in streams]
    return "\n".join(page.decode("latin-1") for page in pages if b" Tj" in page)


def said(file: bytes) -> list[str]:
    return [re.sub(r"\\([()\\])", r"\1", one) for one in re.findall(r"\((.*?[^\\]|)\) Tj", drawn(file))]


def test_all_of_it_is_there() -> None:
    found = said(rendered(booking(500, NOVEMBER_MS - 7_200_000), booking(1250, memo="lunch (good)")))
    assert found == [
        "Statement 2026-11, times in UTC+01:00",
        units.IOU,
        "bo, EUR",
        ACCOUNTS[0],
        "opening balance",
        "5.00",
        "2026-11-01 01:00",
        "payment",
        "12.50",
        "17.50",
        "lunch (good)",
        "closing balance",
        "17.50",
        "you are owed 17.50 EUR",
        "At the end of 2026-11",
        "EUR: you are owed 17.50, you owe 0.00, in all 17.50",
    ]


def test_an_empty_one_says_so() -> None:
    assert said(rendered())[-1] == "Nothing was owed, and nothing changed."


def test_a_long_one_has_pages_that_say_whose_they_are() -> None:
    file = rendered(*(booking(1, NOVEMBER_MS + n) for n in range(200)))
    assert [one for one in said(file) if "page" in one] == [
        f"Statement 2026-11, times in UTC+01:00, page {n}: bo, EUR" for n in (2, 3, 4)
    ]
    assert said(file).count("2026-11-01 01:00") == 200
    heights = [float(y) for y in re.findall(r"1 0 0 1 \S+ (\S+) Tm", drawn(file))]
    assert pdf.MARGIN <= min(heights) <= max(heights) <= pdf.HEIGHT - pdf.MARGIN


def test_the_same_statement_is_the_same_file() -> None:
    some = (booking(1, contact="陈伟"), booking(2, account=ACCOUNTS[1], unit=COFFEE, memo="обед"))
    assert rendered(*some) == rendered(*some)
    assert rendered(*some) != rendered(some[0])


@pytest.mark.parametrize(
    ("text", "fonts"),
    [
        ("bo", {pdf.LATIN}),
        ("Zoë Müller", {pdf.LATIN}),
        ("陈伟", {"STSong-Light"}),
        ("Иван", {"STSong-Light"}),
        ("はな", {"STSong-Light"}),
        ("陳偉", {"STSong-Light", "HeiseiMin-W3", "MSung-Light"}),
        ("김철수", {"HYSMyeongJo-Medium"}),
        ("أحمد", {""}),
        ("🍕", {""}),
        ("ą", {""}),
        ("x\u0338", {pdf.LATIN, ""}),
        ("\x1b", {""}),
    ],
)
def test_a_sign_is_drawn_with_a_font_that_has_it(text: str, fonts: set[str]) -> None:
    assert {font for font, _ in pdf.runs(text)} <= fonts
    assert "".join(part for _, part in pdf.runs(text)) == text


def test_a_name_that_cannot_be_drawn_gives_way_to_the_account() -> None:
    file = rendered(booking(1, contact="أحمد", memo="غداء 🍕 ok"))
    assert f"{ACCOUNTS[0]}, EUR" in said(file)
    assert said(file).count(ACCOUNTS[0]) == 0
    assert "[4 other signs] [1 other sign] ok" in said(file)
    assert "bo, EUR" in said(rendered(booking(1)))


def test_a_name_in_chinese_is_in_the_file_as_it_is() -> None:
    found = drawn(rendered(booking(1, contact="陈伟")))
    octal = "".join(chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in "陈伟".encode("utf-16-be"))
    assert f"({octal}) Tj" in found


def test_numbers_end_in_their_columns() -> None:
    found = drawn(rendered(booking(1250), booking(-100_000, NOVEMBER_MS + 1)))
    placed = re.findall(r"1 0 0 1 (\S+) \S+ Tm [^(]*\((-?[0-9.]+)\) Tj", found)
    first = {text: float(x) for x, text in reversed(placed)}
    assert first["-1000.00"] < first["12.50"] < pdf.MARGIN + 220 < first["-987.50"] < pdf.MARGIN + 300


def test_a_long_memo_ends_with_the_page() -> None:
    found = said(rendered(booking(1, memo="word " * 100)))
    cut = next(one for one in found if one.startswith("word"))
    assert 30 < len(cut) < 80
    assert "…" in pdf.legible("…")


@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(ANY)
def test_no_name_makes_it_fail(bookings: list[Booking]) -> None:
    of = statement.of(bookings, "2026-11")
    file = pdf.render(of)
    assert file.startswith(b"%PDF-")
    assert file.rstrip().endswith(b"%%EOF")
    assert units.IOU in said(file)
    numbers = said(file)
    assert all(units.number(row.after, one.unit) in numbers for one in of.accounts for row in one.rows)
