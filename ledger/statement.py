"""A statement: a month or a year of what changed between me and my contacts, with where it began and ended. Pure.

    text(of(bookings, "2026-11")) -> lines for a terminal

Not here: its PDF (features/books/pdf.py), books for programs (journal.py), which entries are bookings (a room).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger import chart, days, journal, units
from ledger.days import Span
from ledger.journal import Booking
from ledger.units import Unit


@dataclass(frozen=True, slots=True)
class Row:
    """A booking and what the contact owed after it."""

    booking: Booking
    after: int


@dataclass(frozen=True, slots=True)
class Account:
    """A contact in one unit. name: one line. opening, closing: what he owes me, in the smallest unit."""

    name: str
    account: str
    unit: Unit
    label: str
    opening: int
    closing: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """All contacts in one unit, at the end. owed: to me; owing: by me; neither is below 0."""

    unit: Unit
    label: str
    owed: int
    owing: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Accounts by name, then unit; totals by unit. Who owed nothing and nothing changed is left out."""

    span: Span
    east_min: int
    accounts: tuple[Account, ...]
    totals: tuple[Total, ...]

    @property
    def title(self) -> str:
        """What it is of, and by which clock."""
        return f"Statement {self.span.text}, times in UTC{days.zone(self.east_min)}"


def of(bookings: Sequence[Booking], month: str, east_min: int = 0) -> Statement:
    """The statement of a month, or of a year. bookings: all up to its end at least; east_min: the zone of its days.

    Raises: days.BadSpan.
    """
    span = days.span(month, east_min)
    ordered = [one for one in journal.in_order(bookings) if one.at_ms < span.end_ms]
    names = journal.names(ordered)
    labels = chart.labels(one.unit for one in ordered)
    before: dict[tuple[str, str], int] = defaultdict(int)
    within: dict[tuple[str, str], list[Row]] = {}
    closing: dict[tuple[str, str], int] = defaultdict(int)
    for one in ordered:
        key = (one.account, one.unit)
        closing[key] += one.amount
        if one.at_ms < span.start_ms:
            before[key] = closing[key]
        else:
            within.setdefault(key, []).append(Row(one, closing[key]))
    accounts = [
        Account(names[account], account, chart.unit_of(text), labels[text], before[key], closing[key], tuple(rows))
        for key in closing
        if (rows := within.get(key, [])) or before[key]
        for account, text in (key,)
    ]
    accounts.sort(key=lambda one: (one.name.casefold(), one.account, one.unit.text))
    return Statement(span, east_min, tuple(accounts), _totals(accounts))


def text(statement: Statement) -> Iterator[str]:
    """Lines for a terminal, without their ends. What may be of any width or direction stands last in its line."""
    yield statement.title
    yield units.IOU
    if not statement.accounts:
        yield ""
        yield "Nothing was owed, and nothing changed."
        return
    for account in statement.accounts:
        yield ""
        yield f"{account.label}  {account.account}  {account.name}".rstrip()
        yield from _account(account, statement.east_min)
    yield ""
    yield f"At the end of {statement.span.text}"
    for total in statement.totals:
        owed, owing = (units.number(amount, total.unit) for amount in (total.owed, total.owing))
        balance = units.number(total.owed - total.owing, total.unit)
        yield f"  {total.label}: you are owed {owed}, you owe {owing}, in all {balance}"


def balance(amount: int, unit: Unit, label: str) -> str:
    """What a balance means: "you are owed 12.50 EUR", "you owe 3 v:coffee", "nothing is owed"."""
    if not amount:
        return "nothing is owed"
    return f"{'you are owed' if amount > 0 else 'you owe'} {units.number(abs(amount), unit)} {label}"


def _account(account: Account, east_min: int) -> Iterator[str]:
    number, unit = units.number, account.unit
    kinds = [chart.line(row.booking.kind) for row in account.rows]
    changes = [number(row.booking.amount, unit) for row in account.rows]
    after = [number(row.after, unit) for row in account.rows]
    opening, closing = number(account.opening, unit), number(account.closing, unit)
    of_kind = max(map(len, kinds), default=0)
    of_change = max(map(len, changes), default=0)
    of_after = max(map(len, (opening, closing, *after)))
    lead = 16 + 2 + of_kind + 2 + of_change + 2
    yield f"  {'opening balance'.ljust(lead)}{opening.rjust(of_after)}"
    for row, kind, change, now in zip(account.rows, kinds, changes, after, strict=True):
        at = days.minute(row.booking.at_ms, east_min)
        numbers = f"{change.rjust(of_change)}  {now.rjust(of_after)}"
        yield f"  {at}  {kind.ljust(of_kind)}  {numbers}  {chart.line(row.booking.memo)}".rstrip()
    end = balance(account.closing, unit, account.label)
    yield f"  {'closing balance'.ljust(lead)}{closing.rjust(of_after)}  {end}"


def _totals(accounts: Sequence[Account]) -> tuple[Total, ...]:
    owed: dict[str, list[int]] = defaultdict(list)
    shown = {one.unit.text: one for one in accounts}
    for one in accounts:
        owed[one.unit.text].append(one.closing)
    return tuple(
        Total(
            shown[text].unit,
            shown[text].label,
            sum(n for n in owed[text] if n > 0),
            -sum(n for n in owed[text] if n < 0),
        )
        for text in sorted(owed)
    )
