"""A statement as a PDF: the same bytes for the same statement, and nothing in it that is not what was said.

A name that no font here can draw gives way to the account; signs in a memo that none can draw are counted in its place.
Latin letters are in the file itself; Chinese, Japanese, Korean, Greek and Russian ones are drawn with the fonts that
readers of PDF bring for Asian text. A year can take seconds: for a thread. Not here: what is in it (statement.py).
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger import chart, days, statement, units
from ledger.statement import Account, Statement

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

LATIN: Final = "Vera"  # a font that comes with reportlab, and goes into the file
ASIAN: Final = (  # fonts of readers of PDF, and the characters that each has for certain
    ("STSong-Light", "gb2312"),
    ("HeiseiMin-W3", "shift_jis"),
    ("MSung-Light", "big5"),
    ("HYSMyeongJo-Medium", "euc_kr"),
)
SIZE, LINE, MARGIN = 7, 11, 40  # points
WIDTH, HEIGHT = 595, 842  # A4
KIND, CHANGE, AFTER, MEMO = MARGIN + 75, MARGIN + 220, MARGIN + 300, MARGIN + 308  # columns; numbers end at theirs
KIND_CHARACTERS = 14
LINE_CHARACTERS_MAX = 300  # more than fit, of the narrowest


def render(of: Statement) -> bytes:
    """The statement as a PDF of A4 pages."""
    from reportlab.pdfgen.canvas import Canvas  # a heavy import, for the one who wants a PDF

    file = BytesIO()
    canvas = Canvas(file, pagesize=(WIDTH, HEIGHT), invariant=1)
    canvas.setTitle(of.title)
    canvas.setSubject(units.IOU)
    sheet = Sheet(canvas, of.title)
    sheet.write(MARGIN, of.title)
    sheet.step()
    sheet.write(MARGIN, units.IOU)
    sheet.step(2)
    for account in of.accounts:
        _account(sheet, account, of.east_min)
    if not of.accounts:
        sheet.write(MARGIN, "Nothing was owed, and nothing changed.")
    else:
        sheet.write(MARGIN, f"At the end of {of.span.text}")
    for total in of.totals:
        sheet.step()
        owed, owing = (units.number(amount, total.unit) for amount in (total.owed, total.owing))
        left = units.number(total.owed - total.owing, total.unit)
        label = drawable(total.label, total.unit.text)
        sheet.write(MARGIN, f"{label}: you are owed {owed}, you owe {owing}, in all {left}")
    canvas.save()
    return file.getvalue()


def drawable(text: str, instead: str) -> str:
    """The text where every sign of it can be drawn, else what stands for it, with its other signs counted."""
    return text if all(font for font, _ in runs(text)) else legible(instead)


def legible(text: str) -> str:
    """The text, with a count in the place of signs that no font here can draw."""
    return "".join(part if font else f"[{_signs(len(part))}]" for font, part in runs(text))


def runs(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text, each with the font that draws it; "" for what none can."""
    for font, part in groupby(unicodedata.normalize("NFC", text), key=_font):
        yield font, "".join(part)


@dataclass
class Sheet:
    """Pages that are written from top to bottom. part: what a new page goes on with."""

    canvas: "Canvas"
    title: str
    part: str = ""
    page: int = 1
    y: float = field(default=HEIGHT - MARGIN)

    def step(self, lines: int = 1) -> None:
        """Goes down, and to a new page where this one is full."""
        self.y -= lines * LINE
        if self.y >= MARGIN:
            return
        self.canvas.showPage()
        self.page, self.y = self.page + 1, HEIGHT - MARGIN
        self.write(MARGIN, f"{self.title}, page {self.page}{self.part and f': {self.part}'}")
        self.y -= 2 * LINE

    def write(self, x: float, text: str) -> None:
        """The text from x on, as far as the page goes. Every sign of it must be drawable."""
        for font, part in runs(text[:LINE_CHARACTERS_MAX]):
            shown = part
            while shown and x + self.canvas.stringWidth(shown, font, SIZE) > WIDTH - MARGIN:
                shown = shown[:-1]
            x = self._draw(x, shown, font)
            if shown != part:
                self._draw(x, "…", LATIN)
                return

    def write_number(self, end: float, number: str) -> None:
        """A number that ends there."""
        self._draw(end - self.canvas.stringWidth(number, LATIN, SIZE), number, LATIN)

    def _draw(self, x: float, text: str, font: str) -> float:
        """Where the text ends that begins at x."""
        self.canvas.setFont(font, SIZE)
        self.canvas.drawString(x, self.y, text)
        width: float = self.canvas.stringWidth(text, font, SIZE)
        return x + width


def _account(sheet: Sheet, account: Account, east_min: int) -> None:
    number, unit = units.number, account.unit
    name, label = drawable(account.name or account.account, account.account), drawable(account.label, unit.text)
    sheet.part = f"{name}, {label}"
    sheet.write(MARGIN, sheet.part)
    sheet.step()
    if name != account.account:
        sheet.write(MARGIN, account.account)
        sheet.step()
    sheet.write(MARGIN, "opening balance")
    sheet.write_number(AFTER, number(account.opening, unit))
    for row in account.rows:
        sheet.step()
        sheet.write(MARGIN, days.minute(row.booking.at_ms, east_min))
        sheet.write(KIND, legible(chart.line(row.booking.kind))[:KIND_CHARACTERS])
        sheet.write_number(CHANGE, number(row.booking.amount, unit))
        sheet.write_number(AFTER, number(row.after, unit))
        sheet.write(MEMO, legible(chart.line(row.booking.memo)))
    sheet.step()
    sheet.write(MARGIN, "closing balance")
    sheet.write_number(AFTER, number(account.closing, unit))
    sheet.write(MEMO, statement.balance(account.closing, unit, label))
    sheet.part = ""
    sheet.step(2)


def _signs(count: int) -> str:
    return "1 other sign" if count == 1 else f"{count} other signs"


@cache
def _latin() -> frozenset[int]:
    """What the font of Latin letters has; the fonts are known to reportlab from now on."""
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    latin = TTFont(
        LATIN, Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    )  # a bare name is sought elsewhere first
    for font in (latin, *(UnicodeCIDFont(name) for name, _ in ASIAN)):
        pdfmetrics.registerFont(font)
    return frozenset(latin.face.charToGlyph)


@cache
def _font(sign: str) -> str:
    """The font that has this sign; "" where none has, or where it would stand in the wrong place."""
    if ord(sign) in _latin():
        return LATIN
    if unicodedata.category(sign)[0] not in "LNPS":
        return ""  # marks, which these fonts do not put above letters
    for font, codec in ASIAN:
        try:
            sign.encode(codec)
        except UnicodeEncodeError:
            continue
        return font
    return ""
