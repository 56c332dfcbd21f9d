"""Units of what is owed, and amounts as people write them (docs/protocol/ledger.md 1.4 to 1.9).

    of("eur") -> Unit("EUR", 2)      parse("12.50", unit) -> 1250      shown(1250, unit) -> "12.50 EUR"

A unit is a text that says all: a currency, hours, or a voucher with its issuer, name and decimals. Pure, integers only,
and light, for the doors. Not here: amounts in entries (terms.py), who the issuer of a voucher is to whom (a room).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from protocol import ids, record
from protocol.faults import UserFault, quoted

IOU: Final = "This records what people owe each other; it moves no bank money."  # wherever an amount is typed
AMOUNT_MAX = record.SAFE_INT_MAX  # as in terms.py
HOURS = "h"
DECIMALS_MAX = 4  # as many as any currency has
NAME_BYTES_MAX = 30  # of a voucher: with v:, 61 of the account, / and :2 it makes the 96 of terms.UNIT_BYTES_MAX
TYPED_CHARACTERS_MAX = 40  # of an amount: the largest has 17

_ALIASES: Mapping[str, str] = {"€": "EUR", "H": HOURS}
_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_VOUCHER = re.compile(r"v:([^/:]+)/([^/:]+)(?::([1-9]))?")


class BadUnit(UserFault):
    """There is no such unit: use the code of a currency such as EUR, h for hours, or the whole text of a voucher."""

    code = "amount.unit"
    next = "weft pay NAME 12.50 EUR"
    exit = 2


class BadAmount(UserFault):
    """An amount is digits, and a point before its decimals, such as 12.50; nothing was done."""

    code = "amount.malformed"
    next = "weft pay NAME 12.50 EUR"
    exit = 2


class NoAmount(UserFault):
    """An amount is more than nothing; nothing was done."""

    code = "amount.nothing"
    next = "weft pay NAME 12.50 EUR"
    exit = 2


class TooFine(UserFault):
    """That unit has fewer decimals; nothing was done."""

    code = "amount.decimals"
    next = "weft pay NAME 12.50 EUR"
    exit = 2


class TooMuch(UserFault):
    """That is more than one entry can say; nothing was done."""

    code = "amount.large"
    next = "weft pay NAME 12.50 EUR"
    exit = 2


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit. text: as entries say it. decimals: how many its amounts have. issuer, name: of a voucher."""

    text: str
    decimals: int
    issuer: ids.AccountId | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """How a person is shown it: EUR, h, v:coffee. Vouchers of two issuers may have the same."""
        return self.text if self.issuer is None else f"v:{self.name}"


def of(typed: str, known: Iterable[str] = ()) -> Unit:
    """The unit that a person means. known: texts of units, of which a voucher can be called by its label alone.

    Raises: BadUnit, where several of the known ones have the label too.
    """
    text = typed.strip()
    text = _ALIASES.get(text, text)
    unit = read(text) or (read(text.upper()) if len(text) == 3 and text.isascii() else None)
    if unit is not None:
        return unit
    if (whole := _VOUCHER.fullmatch(unicodedata.normalize("NFC", text))) is not None:
        try:
            found = voucher(ids.account_from(whole[1]), whole[2], int(whole[3] or 0))
        except ids.BadAccount:
            raise BadUnit(f"The voucher {quoted(text)} names no account; copy it again, whole.") from None
        return found
    called = [one for each in sorted(set(known)) if (one := read(each)) is not None and one.label == text]
    if len(called) > 1:
        raise BadUnit(f"Several have issued {quoted(text)}; give the whole text of the voucher.")
    if not called:
        raise BadUnit(
            f"There is no unit {quoted(text)}: use the code of a currency such as EUR, h for hours, or the whole text "
            "of a voucher."
        )
    return called[0]


def read(text: str) -> Unit | None:
    """The unit that an entry says, None where nobody knows such a one: there is one text for each (ledger 1.4)."""
    if text == HOURS:
        return Unit(HOURS, 2)
    if (whole := _VOUCHER.fullmatch(text)) is not None:
        try:
            unit = voucher(ids.account_from(whole[1]), whole[2], int(whole[3] or 0))
        except UserFault:
            return None
        return unit if unit.text == text else None
    if len(text) != 3 or not text.isascii() or not text.isupper():
        return None  # without a look into the table, which takes a while to load
    decimals = _currencies().get(text)
    return None if decimals is None else Unit(text, decimals)


def voucher(issuer: ids.AccountId, name: str, decimals: int = 0) -> Unit:
    """The unit of what somebody issues: letters, digits, - and _, 1 to 30 bytes; 0 to 4 decimals. Raises: BadUnit."""
    name = unicodedata.normalize("NFC", name)
    if not _is_name(name) or not 0 <= decimals <= DECIMALS_MAX:
        raise BadUnit(
            f"There is no voucher {quoted(name)} with {decimals} decimals: its name is 1 to {NAME_BYTES_MAX} bytes of "
            f"letters, digits, - and _, and it has at most {DECIMALS_MAX} decimals."
        )
    end = f":{decimals}" if decimals else ""
    return Unit(f"v:{ids.account_text(issuer)}/{name}{end}", decimals, issuer, name)


def parse(typed: str, unit: Unit, least: int = 1) -> int:
    """An amount in the smallest unit, from least up to 2^53 - 1. least: 0 where nothing may be meant, as for a limit.

    Digits and one point alone: what a comma means differs from country to country, and a wrong guess is off by 1000.
    Raises: BadAmount, NoAmount, TooFine, TooMuch.
    """
    text = typed.strip()
    sign, digits = ("-", text[1:]) if text[:1] in ("-", "−") else ("", text)
    if len(digits) > TYPED_CHARACTERS_MAX and re.fullmatch(r"[0-9]+(\.[0-9]*)?", digits):
        raise TooMuch(_too_much(unit))
    found = _AMOUNT.fullmatch(digits) if len(digits) <= TYPED_CHARACTERS_MAX else None
    if found is None:
        raise BadAmount(f"There is no amount {quoted(text)}: write digits, and a point before decimals, such as 12.50.")
    if sign:
        raise NoAmount(f"An amount is more than nothing, and {quoted(text)} is less.")
    whole, part = found[1], found[2] or ""
    if len(part) > unit.decimals:
        has = {0: "no decimals", 1: "1 decimal"}.get(unit.decimals, f"{unit.decimals} decimals")
        raise TooFine(f"There are no {quoted(text)} {unit.label}: it has {has}.")
    amount = int(whole + part.ljust(unit.decimals, "0"))
    if amount < least:
        raise NoAmount
    if amount > AMOUNT_MAX:
        raise TooMuch(_too_much(unit))
    return amount


def number(amount: int, unit: Unit) -> str:
    """An amount or a balance without its unit: "12.50", "-0.05", "3". parse takes back what is positive."""
    digits = str(abs(amount)).rjust(unit.decimals + 1, "0")
    sign = "-" if amount < 0 else ""
    at = len(digits) - unit.decimals
    return f"{sign}{digits[:at]}.{digits[at:]}" if unit.decimals else sign + digits


def shown(amount: int, unit: Unit) -> str:
    """An amount or a balance with its unit, as a person reads it: "12.50 EUR", "-3 v:coffee"."""
    return f"{number(amount, unit)} {unit.label}"


def foreign(text: str) -> Unit:
    """What stands for a unit of a later version: its amounts are shown in its smallest unit, under its whole text."""
    return Unit(text, 0)


def _too_much(unit: Unit) -> str:
    return f"That is too much: one entry can say at most {shown(AMOUNT_MAX, unit)}."


def _is_name(name: str) -> bool:
    """Letters, marks, digits, - and _, of which a letter or digit comes first: no sign of a file or of a shell."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= NAME_BYTES_MAX
        and name[0].isalnum()
        and all(one in "-_" or unicodedata.category(one)[0] in "LMN" for one in name)
    )


@cache
def _currencies() -> dict[str, int | None]:
    """The decimals of each currency, from the tables of ISO 4217; None for gold, tests and the like."""
    import iso4217  # parses XML for some 40 ms: only once somebody speaks of a currency

    return {one.code: one.exponent for one in iso4217.Currency}
