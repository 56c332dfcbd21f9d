"""Samples of every record, made from its annotations: for golden files, for laws and as seeds of fuzzing.

A Source draws numbers, bytes and texts: from a seeded generator (Seeded) or from Hypothesis (Searched). So a new record
has its samples without another line. Not here: structures with good signatures (circle.py).
"""

import importlib
import pkgutil
import random
from collections.abc import Mapping
from dataclasses import fields
from enum import IntEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

import features
from features.payments.content import TERMS
from protocol import kinds, record
from protocol.content import Channel

ALPHABET = "abc xyz ÄÖ字é-_.!,0189"


class Source(Protocol):
    """Where a sample gets its values from."""

    def integer(self, least: int, most: int) -> int: ...
    def bytes_of(self, least: int, most: int) -> bytes: ...
    def text(self, bytes_max: int) -> str: ...


class Seeded:
    """Values of a seeded generator: the same for the same seed, on every machine."""

    def __init__(self, seed: object) -> None:
        self._random = random.Random(str(seed))

    def integer(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def bytes_of(self, least: int, most: int) -> bytes:
        return self._random.randbytes(self.integer(least, min(most, least + 200)))

    def text(self, bytes_max: int) -> str:
        return "".join(self._random.choice(ALPHABET) for _ in range(self.integer(1, min(bytes_max // 3, 40))))


class Searched:
    """Values that Hypothesis chooses, and shrinks when a law fails."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def bytes_of(self, least: int, most: int) -> bytes:
        if least > 300:  # long fixed fields say nothing more when each byte is searched
            return self._draw(st.sampled_from((b"\x00", b"\xff", b"\x80"))) * least
        return self._draw(st.binary(min_size=least, max_size=min(most, 300)))

    def text(self, bytes_max: int) -> str:
        return self._draw(st.text(max_size=min(bytes_max // 4, 100)))


def sample(cls: type, source: Source) -> Any:
    """A record of this class within all its limits."""
    hints = get_type_hints(cls, include_extras=True)
    return cls(*(_value(hints[field.name], source) for field in fields(cls)))


def rooms() -> Mapping[type, str]:
    """The content classes of all rooms, by kind, with their rooms: all with KIND and CHANNELS in a
    features/*/content.py, where it is made or in what it offers."""
    found: dict[type, str] = {}
    for room in pkgutil.iter_modules(features.__path__):
        module = importlib.import_module(f"features.{room.name}.content")
        for name, cls in vars(module).items():
            is_own = getattr(cls, "__module__", "") == module.__name__ or name in getattr(module, "__all__", ())
            if isinstance(cls, type) and is_own and hasattr(cls, "CHANNELS"):
                found[cls] = room.name
    return dict(sorted(found.items(), key=lambda one: one[0].KIND))  # type: ignore[attr-defined]


def contents() -> tuple[type, ...]:
    """The content classes of all rooms, by kind."""
    return tuple(rooms())


def terms() -> tuple[type, ...]:
    """What entries of ledgers say, by kind."""
    return tuple(sorted(TERMS, key=lambda cls: cls.KIND))  # type: ignore[attr-defined]


def heard() -> tuple[type, ...]:
    """The contents that messages have: those of the node and of all rooms, not what stands in entries of logs."""
    core = next(place.classes for place in kinds.PLACES if place.title == "Contents of the node")
    return tuple(cls for cls in (*core, *contents()) if Channel.LOG not in cls.CHANNELS)  # type: ignore[attr-defined]


def places() -> Mapping[str, tuple[type, ...]]:
    """Every record class of weft, by the place where its kind counts."""
    return {
        **{place.title: place.classes for place in kinds.PLACES},
        "Contents": contents(),
        "Terms of ledgers": terms(),
    }


def _value(hint: Any, source: Source) -> Any:
    limit: Any = None
    if get_origin(hint) is Annotated:
        hint, limit = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        choices = get_args(hint)
        hint = choices[source.integer(0, len(choices) - 1)]
        return None if hint is NoneType else _value(hint, source)
    match limit:
        case record.Size():
            return source.bytes_of(limit.least, limit.most)
        case record.Sizes():
            size = sorted(limit.allowed)[source.integer(0, 1) * source.integer(0, len(limit.allowed) - 1)]
            return source.bytes_of(1, 1) * size
        case record.Utf8():
            return source.text(limit.bytes_max)
        case record.Line():
            return "".join(c for c in source.text(limit.bytes_max) if c.isprintable()).strip() or "Ana"
        case record.Url():
            return f"https://example.org:{source.integer(1024, 65_535)}/{source.integer(0, 9)}"
        case record.Range():
            return source.integer(limit.least, limit.most)
        case record.Count():
            count = source.integer(limit.least, min(limit.most, limit.least + 3))
            return tuple(_value(get_args(hint)[0], source) for _ in range(count))
    if issubclass(hint, IntEnum):
        members = tuple(hint)
        return members[source.integer(0, len(members) - 1)]
    return sample(hint, source)
