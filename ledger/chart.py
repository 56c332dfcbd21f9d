"""What contacts and units are called in books that are kept elsewhere: each its own name, valid there. Pure.

Names, memos and units come from people, and some from people who mean no good: whatever stands in one, it stays a name
in its place. Not here: the forms of the books (journal.py, statement.py).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from crypto import hashing
from crypto.hashing import Label
from ledger import units
from ledger.units import Unit

NAME_CHARACTERS_MAX = 32
END_CHARACTERS = 6  # of an account, where two have the same name
BEANCOUNT_SYMBOL_MAX = 24
_KEPT = "\u200c\u200d"  # Persian and emoji are written with these
_STEERING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # controls, marks of direction, halves, line ends
_HASHED_CHARACTERS = 22


@lru_cache(maxsize=4096)
def line(text: str) -> str:
    """A text as one line that does nothing to what shows it: no controls, no marks of direction, one space each."""
    if not text.isprintable():
        text = "".join(one if one in _KEPT or unicodedata.category(one) not in _STEERING else " " for one in text)
    return " ".join(text.split())


@lru_cache(maxsize=4096)
def unit_of(text: str) -> Unit:
    """The unit that an entry says, also one of a later version."""
    return units.read(text) or units.foreign(line(text))


def word(text: str) -> str:
    """Letters, marks and numbers of a text, in NFC, and - for what stands between them; perhaps nothing."""
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in normal)
    return "-".join(kept[:NAME_CHARACTERS_MAX].split())


def ascii_word(text: str) -> str:
    """The same in letters without their marks, and digits, of ASCII alone; perhaps nothing."""
    bare = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text))
    return "-".join(re.findall(r"[A-Za-z0-9]+", bare)[:NAME_CHARACTERS_MAX])[:NAME_CHARACTERS_MAX].strip("-")


def distinct(forms: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The first form of each key that no other key has among its own, in either case; else the last.

    forms: by key, the last of each one that no other key has as its last.
    """
    counted = Counter(form for each in forms.values() for form in dict.fromkeys(one.casefold() for one in each))
    return {
        key: next((form for form in each if form and counted[form.casefold()] == 1), each[-1])
        for key, each in forms.items()
    }


def contacts(names: Mapping[str, str], write: Callable[[str], str]) -> dict[str, str]:
    """A word for each contact. names: by account text. write: word or ascii_word."""
    return distinct(
        {
            account: (name := write(names[account]), name and f"{name}-{account[-END_CHARACTERS:]}", write(account))
            for account in sorted(names)
        }
    )


def labels(texts: Iterable[str]) -> dict[str, str]:
    """How a person is shown each unit, by its text: its label, where two have the same the whole text."""
    return distinct({text: (unit_of(text).label, text) for text in sorted(set(texts))})


def symbols(texts: Iterable[str]) -> dict[str, str]:
    """A symbol for each unit, by its text: EUR, h, v:coffee, v:coffee-m3k9ax; no quotes and no spaces in it."""
    return distinct({text: _forms(text, word, "v:{}", "v:{}-{}", "u:{}") for text in sorted(set(texts))})


def beancount_symbols(texts: Iterable[str]) -> dict[str, str]:
    """The same as Beancount wants them, of capital letters, digits and -: EUR, HOURS, V-COFFEE, V-COFFEE-M3K9AX."""
    most = BEANCOUNT_SYMBOL_MAX - len("V--") - END_CHARACTERS

    def write(text: str) -> str:
        return ascii_word(text).upper()[:most].strip("-")

    found = {
        text: ("HOURS",)
        if text == units.HOURS
        else tuple(form.upper() for form in _forms(text, write, "V-{}", "V-{}-{}", "U-{}"))
        for text in sorted(set(texts))
    }
    return distinct(found)


def _forms(text: str, write: Callable[[str], str], voucher: str, issued: str, other: str) -> tuple[str, ...]:
    """What a unit may be called, what is shortest first."""
    unit = units.read(text)
    if unit is not None and unit.issuer is None:
        return (text,)
    hashed = hashing.hash_of(Label.LEDGER, b"unit" + text.encode("utf-8", "replace")).hex()[:_HASHED_CHARACTERS]
    if unit is None:
        name = write(text)
        return name and other.format(name), other.format(hashed)
    name, end = write(unit.name), text[2:].partition("/")[0][-END_CHARACTERS:]
    return name and voucher.format(name), name and issued.format(name, end), voucher.format(hashed)
