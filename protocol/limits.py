"""What a field of a record may hold: limits that stand in annotations, and how they are checked (wire.md 2.2).

Each limit is compiled once to a Part; record.py puts parts together. Not here: fields that hold records or tuples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

from crypto.faults import Malformed
from protocol import url, wire

SAFE_INT_MAX = 2**53 - 1  # what JSON readers keep exactly; the limit of counters and times


class Size:
    """Bytes of exactly n, or of least to most."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least = least
        self.most = least if most is None else most


class Sizes:
    """Bytes of exactly one of these lengths."""

    def __init__(self, *allowed: int) -> None:
        self.allowed = frozenset(allowed)


@dataclass(frozen=True, slots=True)
class Utf8:
    """Text of at most so many bytes in UTF-8."""

    bytes_max: int


@dataclass(frozen=True, slots=True)
class Line:
    """One printable line of 1 to so many bytes in UTF-8: no control characters, no spaces around it."""

    bytes_max: int


@dataclass(frozen=True, slots=True)
class Url:
    """An address of the web in its one form (url.py), of at most so many bytes."""

    bytes_max: int


@dataclass(frozen=True, slots=True)
class Range:
    """An integer from least to most, both included."""

    least: int
    most: int


class Count:
    """A tuple of at most so many items, or of least to most."""

    def __init__(self, least_or_most: int, most: int | None = None) -> None:
        self.least = 0 if most is None else least_or_most
        self.most = least_or_most if most is None else most


Bytes16 = Annotated[bytes, Size(16)]
Bytes32 = Annotated[bytes, Size(32)]
Flag = Annotated[int, Range(0, 1)]
Counter = Annotated[int, Range(0, SAFE_INT_MAX)]
TimeS = Annotated[int, Range(0, 2**40)]  # seconds since 1970; 34,000 years, so that sums stay exact
TimeMs = Annotated[int, Range(0, 2**48 - 1)]  # ms since 1970, as wide as the time of a ULID


@dataclass(frozen=True, slots=True)
class Part:
    """How one field is checked, written and read. write, read: None when the value is the wire's own."""

    rule: str
    allows: Callable[[Any], bool]
    write: Callable[[Any], wire.Value] | None = None
    read: Callable[[Any], Any] | None = None


def leaf(hint: Any, limit: Any) -> Part | None:
    """The part of a field of bytes, text, integer or IntEnum; None when the annotation is none of them."""
    match limit:
        case Size() if hint is bytes:
            return _bytes(limit.least, limit.most)
        case Sizes() if hint is bytes:
            return _sizes(limit.allowed)
        case Utf8() if hint is str:
            return _text(limit.bytes_max)
        case Line() if hint is str:
            return _line(limit.bytes_max)
        case Url() if hint is str:
            return _url(limit.bytes_max)
        case Range() if hint is int:
            return _int(limit.least, limit.most)
    return _enum(hint) if isinstance(hint, type) and issubclass(hint, IntEnum) else None


def _bytes(least: int, most: int) -> Part:
    rule = f"{least:,} bytes" if least == most else f"{least:,} to {most:,} bytes"
    return Part(rule, lambda v: type(v) is bytes and least <= len(v) <= most)


def _sizes(allowed: frozenset[int]) -> Part:
    rule = f"{' or '.join(f'{size:,}' for size in sorted(allowed))} bytes"
    return Part(rule, lambda v: type(v) is bytes and len(v) in allowed)


def _text(bytes_max: int) -> Part:
    def allows(value: Any) -> bool:
        return type(value) is str and len(value) <= bytes_max and _utf8_size(value) <= bytes_max

    return Part(f"text of at most {bytes_max:,} bytes", allows)


def _line(bytes_max: int) -> Part:
    def allows(value: Any) -> bool:
        # isprintable refuses control, format and surrogate characters: a name cannot move a terminal's cursor, turn
        # the writing direction of what follows it, or hide. Space itself counts as printable.
        return (
            type(value) is str
            and 0 < len(value) <= bytes_max
            and value.isprintable()
            and value == value.strip()
            and _utf8_size(value) <= bytes_max
        )

    return Part(f"a line of 1 to {bytes_max:,} bytes", allows)


def _url(bytes_max: int) -> Part:
    rule = f"an address of the web of at most {bytes_max:,} bytes"
    return Part(rule, lambda v: type(v) is str and len(v) <= bytes_max and url.parts(v) is not None)


def _utf8_size(value: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        return 2**63  # a lone surrogate has no UTF-8, and so no allowed size


def _int(least: int, most: int) -> Part:
    return Part(f"{least:,} to {most:,}", lambda v: type(v) is int and least <= v <= most)


def _enum(enum: type[IntEnum]) -> Part:
    members = {int(member): member for member in enum}

    def read(value: Any) -> Any:
        if type(value) is not int or value not in members:
            raise Malformed
        return members[value]

    rule = ", ".join(f"{number} {member.name.lower().replace('_', ' ')}" for number, member in members.items())
    return Part(rule, lambda v: type(v) is enum, int, read)
