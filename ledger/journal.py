"""What changed between me and my contacts, written as others keep books: hledger, Beancount, CSV. Pure.

    file.writelines(hledger(bookings))      lines have their ends; the file is UTF-8, opened with newline=""

Each booking is one transaction of two postings: what a contact owes me, an asset that may go below 0, and beside it
equity by kind. So the sum over an account is the balance of that contact in that unit. Not here: which entries of a tab
are bookings (a room), a month for people to read (statement.py), what things are called (chart.py).
"""

import csv as rfc4180
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger import chart, days, units

CSV_COLUMNS = ("id", "time", "contact", "account", "amount", "unit", "kind", "memo")
_FORMULA = "=+-@＝＋－＠'"  # what a spreadsheet may take for a formula, and the mark that says it is none


@dataclass(frozen=True, slots=True)
class Booking:
    """A change of what a contact owes me. id: of the payment; amount: in the smallest unit, below 0 where I owe more.

    contact: his name now; account: the text of his account; unit: as entries say it; kind: a word, such as payment,
    refund, settlement; memo: what was said with it, of any characters.
    """

    id: str
    at_ms: int
    contact: str
    account: str
    unit: str
    amount: int
    kind: str
    memo: str = ""


def in_order(bookings: Sequence[Booking]) -> list[Booking]:
    """By time, and what has the same time by id."""
    return sorted(bookings, key=lambda one: (one.at_ms, one.id))


def names(bookings: Sequence[Booking]) -> dict[str, str]:
    """The name of each contact by account, his newest; bookings: in order."""
    return {one.account: chart.line(one.contact) for one in bookings}


def hledger(bookings: Sequence[Booking], east_min: int = 0) -> Iterator[str]:
    """A journal that `hledger --strict` takes. east_min: the zone of the days, in minutes east of UTC."""
    ordered = in_order(bookings)
    contacts = chart.contacts(names(ordered), chart.word)
    symbols = chart.symbols(one.unit for one in ordered)
    quoted = {text: one if one.isalpha() and one.isascii() else f'"{one}"' for text, one in symbols.items()}
    debts = {key: _debt(contacts[key[0]], symbols[key[1]]) for key in _keys(ordered)}
    yield f"; From weft. {units.IOU}\n; What is above 0 a contact owes you, what is below 0 you owe him.\n"
    yield "decimal-mark .\n\n"
    for text, symbol in quoted.items():
        yield f"commodity {units.number(1000 * 10 ** (unit := chart.unit_of(text)).decimals, unit)}"
        yield f"{'' if unit.decimals else '.'} {symbol}  ; {chart.line(text)}\n"
    for (account, _), debt in sorted(debts.items(), key=lambda one: one[1].casefold()):
        yield f"account {debt}  ; {chart.line(account)}\n"
    for kind in sorted({_kind(one) for one in ordered}):
        yield f"account equity:weft:{kind}\n"
    for one in ordered:
        amount, symbol = units.number(one.amount, chart.unit_of(one.unit)), quoted[one.unit]
        back = units.number(-one.amount, chart.unit_of(one.unit))
        said = " | ".join(part for part in (_described(one.contact), _described(one.memo)) if part)
        yield (
            f"\n{days.date(one.at_ms, east_min)} * ({chart.word(one.id)}) {said}\n"
            f"    {debts[one.account, one.unit]}  {amount} {symbol}\n    equity:weft:{_kind(one)}  {back} {symbol}\n"
        )


def beancount(bookings: Sequence[Booking], east_min: int = 0) -> Iterator[str]:
    """A file that `bean-check` takes. Names in other letters than Latin are payees; accounts have ids instead."""
    ordered = in_order(bookings)
    contacts = chart.contacts(names(ordered), chart.ascii_word)
    symbols = chart.beancount_symbols(one.unit for one in ordered)
    debts = {key: f"Assets:Weft:{_capital(contacts[key[0]])}:{symbols[key[1]]}" for key in _keys(ordered)}
    yield f'option "title" "What people owe each other"\n; From weft. {units.IOU}\n'
    yield "; What is above 0 a contact owes you, what is below 0 you owe him.\n\n"
    first = days.date(ordered[0].at_ms, east_min) if ordered else ""
    for text, symbol in symbols.items():
        yield f"{first} commodity {symbol}\n  unit: {_string(text)}\n"
    for (account, text), debt in sorted(debts.items(), key=lambda one: one[1].casefold()):
        yield f"{first} open {debt} {symbols[text]}\n  weft: {_string(account)}\n"
    for kind in sorted({_equity(one) for one in ordered}):
        yield f"{first} open {kind}\n"
    for one in ordered:
        unit, symbol = chart.unit_of(one.unit), symbols[one.unit]
        yield (
            f"\n{days.date(one.at_ms, east_min)} * {_string(one.contact)} {_string(one.memo)}\n"
            f"  weft: {_string(one.id)}\n"
            f"  {debts[one.account, one.unit]}  {units.number(one.amount, unit)} {symbol}\n"
            f"  {_equity(one)}  {units.number(-one.amount, unit)} {symbol}\n"
        )


def csv(bookings: Sequence[Booking], east_min: int = 0) -> Iterator[str]:
    """A table by RFC 4180 with a line of headings. A text that a spreadsheet would take for a formula begins with '."""
    sink = _Lines()
    writer = rfc4180.writer(sink)
    writer.writerow(CSV_COLUMNS)
    yield sink.last
    for one in in_order(bookings):
        when, amount = days.second(one.at_ms, east_min), units.number(one.amount, chart.unit_of(one.unit))
        who = (_cell(one.contact), _cell(one.account))
        writer.writerow((_cell(one.id), when, *who, amount, _cell(one.unit), _cell(one.kind), _cell(one.memo)))
        yield sink.last


class _Lines:
    """What the csv module writes to. last: the newest line."""

    last = ""

    def write(self, text: str) -> None:
        self.last = text


def _keys(ordered: Sequence[Booking]) -> list[tuple[str, str]]:
    return sorted({(one.account, one.unit) for one in ordered})


def _debt(contact: str, symbol: str) -> str:
    return f"assets:weft:{contact}:{symbol.replace(':', '-')}"


def _kind(one: Booking) -> str:
    return chart.word(one.kind) or "other"


def _equity(one: Booking) -> str:
    return f"Equity:Weft:{_capital(chart.ascii_word(one.kind) or 'other')}"


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _described(text: str) -> str:
    """In hledger a semicolon begins a comment, where a word with a colon means something, and a bar parts the payee."""
    return chart.line(text).replace(";", ",").replace("|", "/")


def _string(text: str) -> str:
    escaped = chart.line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _cell(text: str) -> str:
    clean = chart.line(text)
    return f"'{clean}" if clean[:1] and clean[0] in _FORMULA else clean
