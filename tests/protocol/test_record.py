"""Records: limits hold in the constructor and on the wire; a field more or less is another structure (wire.md 2)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, ClassVar

import pytest

from crypto.faults import Malformed
from protocol import record, wire
from protocol.faults import OverLimit, UserFault


class Colour(IntEnum):
    RED = 1
    BLUE = 4


@record.record
@dataclass(frozen=True, slots=True)
class Point:
    KIND: ClassVar[int] = 7

    x: Annotated[int, record.Range(-5, 5)]


@record.record
@dataclass(frozen=True, slots=True)
class Stop:
    KIND: ClassVar[int] = 8


@record.record
@dataclass(frozen=True, slots=True)
class Everything:
    KIND: ClassVar[int] = 9

    key: Annotated[bytes, record.Size(2)]
    blob: Annotated[bytes, record.Size(1, 3)]
    step: Annotated[bytes, record.Sizes(1, 4)]
    text: Annotated[str, record.Utf8(4)]
    name: Annotated[str, record.Line(6)]
    number: Annotated[int, record.Range(0, 9)]
    colour: Colour
    point: Point
    turn: Point | Stop
    maybe: Annotated[bytes, record.Size(2)] | None
    points: Annotated[tuple[Point, ...], record.Count(2)]
    numbers: Annotated[tuple[Annotated[int, record.Range(0, 1)], ...], record.Count(1, 3)] = (1,)
    last: Point | None = None


def whole(**changed: Any) -> Everything:
    values: dict[str, Any] = {
        "key": b"kk",
        "blob": b"b",
        "step": b"s",
        "text": "t",
        "name": "Ana",
        "number": 3,
        "colour": Colour.BLUE,
        "point": Point(1),
        "turn": Stop(),
        "maybe": None,
        "points": (Point(2), Point(3)),
    }
    return Everything(**{**values, **changed})


def test_a_record_is_a_closed_array() -> None:
    assert wire.decode(record.encode(whole()), 1000) == (
        9,
        b"kk",
        b"b",
        b"s",
        "t",
        "Ana",
        3,
        4,
        (7, 1),
        (8,),
        None,
        ((7, 2), (7, 3)),
        (1,),
        None,
    )
    full = whole(maybe=b"mm", turn=Point(-5), points=(), numbers=(0, 1), last=Point(0))
    assert record.decode(Everything, record.encode(full), 1000) == full
    assert record.fields(Point(2)) == (2,)


WRONG: dict[str, tuple[Any, ...]] = {
    "key": (b"k", b"kkk", "kk", None, 2, bytearray(b"kk")),
    "blob": (b"", b"bbbb"),
    "step": (b"", b"ss", b"sssss"),
    "text": ("ttttt", "字字", "\ud800", b"t", 1),
    "name": ("", "1234567", "字字字", " Ana", "Ana ", "A\nb", "\x1b[1m", "‮x", "a\x00", "\ud800"),
    "number": (-1, 10, True, "1", None, 1.0),
    "colour": (4, 2, None),
    "point": (Stop(), None, (7, 1)),
    "turn": (None, 7),
    "maybe": (b"m", 0),
    "points": ((Point(1),) * 3, (Stop(),), [Point(1)], None),
    "numbers": ((), (1, 1, 1, 1), (2,), (True,)),
    "last": (Stop(),),
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in WRONG.items() for v in values])
def test_the_constructor_refuses_what_the_annotation_does_not_allow(field: str, value: Any) -> None:
    with pytest.raises(OverLimit) as caught:
        whole(**{field: value})
    assert field in str(caught.value)
    assert isinstance(caught.value, UserFault)


def wire_of(**changed: Any) -> tuple[Any, ...]:
    values = dict(zip((f for f, _ in record.rules(Everything)), record.fields(whole()), strict=True))
    return (9, *{**values, **changed}.values())


WRONG_ON_THE_WIRE: dict[str, tuple[Any, ...]] = {
    "key": (b"k", "kk", None, 1),
    "number": (10, None, b""),
    "colour": (2, None, (), -1),
    "point": ((8,), (7,), (7, 1, 1), (7, 6), (), ((), 1), None, 7, (None,)),
    "turn": ((9,), (7,), (8, 1), (), None, ((7, 1),)),
    "points": (((7, 1),) * 3, ((8,),), (7, 1), None, ((),)),
    "numbers": ((), 1, ((),)),
    "last": ((8,), 0),
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in WRONG_ON_THE_WIRE.items() for v in values])
def test_a_peer_who_sends_it_is_malformed(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        record.decode(Everything, wire.encode(wire_of(**{field: value})), 1000)


def test_fields_with_a_default_may_be_missing_at_the_end_and_no_others() -> None:
    full = wire_of()
    for missing in (1, 2):
        assert record.decode(Everything, wire.encode(full[:-missing]), 1000) == whole()
    for missing in (3, len(full) - 1, len(full)):
        with pytest.raises(Malformed):
            record.decode(Everything, wire.encode(full[:-missing]), 1000)
    with pytest.raises(Malformed):
        record.decode(Everything, wire.encode((*full, None)), 1000)


@pytest.mark.parametrize("value", [(8, 1), (), None, 7, (None,), ((7,), 1), ("7", 1), (b"\x07", 1), (7,)])
def test_another_kind_is_malformed(value: wire.Value) -> None:
    with pytest.raises(Malformed):
        record.decode(Point, wire.encode(value), 1000)
    with pytest.raises(Malformed):
        record.decode_one_of({7: Point}, wire.encode(value), 1000)


def test_a_repr_shows_sizes_and_never_contents() -> None:
    shown = repr(whole(key=b"\x01\x02", name="Secret", text="psst"))
    assert "Secret" not in shown
    assert "psst" not in shown
    assert "x01" not in shown
    assert shown.startswith("Everything(key=<2 bytes>")


@pytest.mark.parametrize(
    "hint", [bytes, int, str, Annotated[bytes, "x"], dict[str, int], tuple[Point, ...], float, int | str]
)
def test_a_field_without_limit_or_wire_form_fails_when_it_is_defined(hint: Any) -> None:
    class Wrong:
        KIND: ClassVar[int] = 1

    Wrong.__annotations__ = {"KIND": ClassVar[int], "field": hint}
    with pytest.raises(TypeError):
        record.record(dataclass(frozen=True)(Wrong))
