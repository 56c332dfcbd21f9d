"""Records: frozen dataclasses that are closed arrays `[kind, field, ...]` on the wire (docs/protocol/wire.md 2).

    @record.record
    @dataclass(frozen=True, slots=True)
    class Vote:
        KIND: ClassVar[int] = 411
        poll: Annotated[bytes, record.Size(16)]
        choice: Annotated[int, record.Range(0, 31)] = 0

The annotations are the limits: the constructor refuses what they do not allow (OverLimit), so neither we nor a peer
can build a wrong record; decoding turns that into Malformed. A field may be bytes with Size, str with Utf8, Line or
Url, int with Range, an IntEnum, another record, a union of records (told apart by kind), a tuple of any of these with
Count, and each of them `| None`. Trailing fields with a default may be absent in what arrives. A record's repr shows
sizes, never contents, because what it holds is secret or private. Not here: bytes (wire.py), the table of kinds
(kinds.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from dataclasses import fields as dataclass_fields
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from crypto.faults import Malformed
from protocol import wire
from protocol.faults import OverLimit
from protocol.limits import (
    SAFE_INT_MAX,
    Bytes16,
    Bytes32,
    Count,
    Counter,
    Flag,
    Line,
    Part,
    Range,
    Size,
    Sizes,
    TimeMs,
    TimeS,
    Url,
    Utf8,
    leaf,
)

R = TypeVar("R")

__all__ = [
    "SAFE_INT_MAX",
    "Bytes16",
    "Bytes32",
    "Count",
    "Counter",
    "Flag",
    "Line",
    "Range",
    "Size",
    "Sizes",
    "TimeMs",
    "TimeS",
    "Url",
    "Utf8",
    "decode",
    "decode_one_of",
    "encode",
    "field_count",
    "fields",
    "parse",
    "parse_fields",
    "record",
    "rules",
    "said_fields",
]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A compiled record class."""

    kind: int
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    allows: tuple[Callable[[Any], bool], ...]
    fill: Callable[..., None]  # the constructor without limits
    required: int
    defaults: tuple[Any, ...]
    values: Callable[[Any], tuple[Any, ...]]
    writes: tuple[tuple[int, Callable[[Any], wire.Value]], ...]
    reads: tuple[tuple[int, Callable[[Any], Any]], ...]


_SHAPES: dict[type, _Shape] = {}


def record(cls: type[R]) -> type[R]:
    """The dataclass itself, now with limits in its constructor and a place on the wire.

    Raises: TypeError at import time for a field that has no wire form or no limit.
    """
    shape = _compile(cls)
    _SHAPES[cls] = shape
    rules = tuple(zip(shape.names, shape.allows, strict=True))
    fill, values = shape.fill, shape.values

    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        fill(self, *args, **kwargs)
        for (name, allows), value in zip(rules, values(self), strict=True):
            if not allows(value):
                raise _over_limit(cls, name)

    def shown(self: Any) -> str:
        parts = ", ".join(f"{n}={_shown(v)}" for n, v in zip(shape.names, values(self), strict=True))
        return f"{cls.__name__}({parts})"

    cls.__init__ = construct  # type: ignore[method-assign]
    cls.__repr__ = shown  # type: ignore[method-assign]
    return cls


def fields(rec: object) -> tuple[wire.Value, ...]:
    """The fields of a record as wire values, in order, without the kind."""
    shape = _SHAPES[type(rec)]
    values = shape.values(rec)
    if not shape.writes:
        return values
    written = list(values)
    for index, write in shape.writes:
        written[index] = write(written[index])
    return tuple(written)


def said_fields(rec: object) -> tuple[wire.Value, ...]:
    """The same without the last ones that say what their absence says: who knows fewer fields understands them too."""
    values, shape = fields(rec), _SHAPES[type(rec)]
    count = len(values)
    while count > shape.required and getattr(rec, shape.names[count - 1]) == shape.defaults[count - 1]:
        count -= 1
    return values[:count]


def encode(rec: object) -> bytes:
    """The canonical bytes of a record; always all fields."""
    return wire.encode((_SHAPES[type(rec)].kind, *fields(rec)))


def decode(cls: type[R], raw: bytes, bytes_max: int) -> R:
    """The record of this class in the bytes.

    Raises: Malformed for any other kind, shape or size. Work and memory are proportional to the length.
    """
    return parse(cls, wire.decode(raw, bytes_max))


def decode_one_of(kinds: Mapping[int, type[R]], raw: bytes, bytes_max: int) -> R:
    """The record of one of these classes, told apart by kind, in the bytes. Raises: Malformed."""
    value = wire.decode(raw, bytes_max)
    if type(value) is not tuple or not value or type(value[0]) is not int:
        raise Malformed
    cls = kinds.get(value[0])
    if cls is None:
        raise Malformed
    return parse_fields(cls, value[1:])


def parse(cls: type[R], value: wire.Value) -> R:
    """The record of a decoded array, kind first. Raises: Malformed."""
    if type(value) is not tuple or not value or value[0] != _SHAPES[cls].kind:
        raise Malformed
    return parse_fields(cls, value[1:])


def parse_fields(cls: type[R], values: tuple[wire.Value, ...]) -> R:
    """The record of decoded fields without the kind.

    Raises: Malformed for too few or too many fields and for everything the constructor refuses.
    """
    shape = _SHAPES[cls]
    if not shape.required <= len(values) <= len(shape.names):
        raise Malformed
    if shape.reads:
        count = len(values)
        opened: list[Any] = list(values)
        for index, read in shape.reads:
            if index < count:
                opened[index] = read(opened[index])
        values = tuple(opened)
    try:
        if len(values) < len(shape.names):
            return cls(*values)
        for allows, value in zip(shape.allows, values, strict=True):  # as the constructor does, in half of its time
            if not allows(value):
                raise Malformed
        made = object.__new__(cls)
        shape.fill(made, *values)
    except OverLimit:
        raise Malformed from None
    return made


def field_count(cls: type) -> int:
    """How many fields this version knows of a record class."""
    return len(_SHAPES[cls].names)


def rules(cls: type) -> tuple[tuple[str, str], ...]:
    """(name, limit in words) of each field, for docs/protocol/kinds.md and for generators of samples."""
    shape = _SHAPES[cls]
    return tuple((name, part.rule) for name, part in zip(shape.names, shape.parts, strict=True))


def _compile(cls: type) -> _Shape:
    hints = get_type_hints(cls, include_extras=True)
    known = [f for f in dataclass_fields(cls) if f.init]
    names = tuple(f.name for f in known)
    parts = tuple(_part(hints[name], f"{cls.__name__}.{name}") for name in names)
    required = sum(f.default is MISSING and f.default_factory is MISSING for f in known)
    return _Shape(
        kind=cls.KIND,  # type: ignore[attr-defined]
        names=names,
        parts=parts,
        allows=tuple(part.allows for part in parts),
        fill=vars(cls)["__init__"],
        required=required,
        defaults=tuple(f.default for f in known),
        values=_getter(names),
        writes=tuple((i, part.write) for i, part in enumerate(parts) if part.write is not None),
        reads=tuple((i, part.read) for i, part in enumerate(parts) if part.read is not None),
    )


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    # attrgetter returns a tuple only for two names or more.
    match names:
        case ():
            return lambda _: ()
        case (name,):
            one = attrgetter(name)
            return lambda rec: (one(rec),)
        case _:
            return attrgetter(*names)


def _part(hint: Any, where: str) -> Part:
    """The compiled form of one annotation. Raises: TypeError when it has no wire form."""
    limit: Any = None
    if get_origin(hint) is Annotated:
        hint, limit = get_args(hint)
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _union(get_args(hint), where)
    if origin is tuple and isinstance(limit, Count):
        return _tuple(_part(get_args(hint)[0], where), limit)
    if hint in _SHAPES:
        return _nested({_SHAPES[hint].kind: hint})
    part = leaf(hint, limit)
    if part is not None:
        return part
    raise TypeError(f"{where}: {hint} has no wire form or no limit")


def _nested(classes: Mapping[int, type]) -> Part:
    allowed = frozenset(classes.values())

    def read(value: Any) -> Any:
        if type(value) is not tuple or not value or type(value[0]) is not int or value[0] not in classes:
            raise Malformed
        return parse_fields(classes[value[0]], value[1:])

    rule = " or ".join(f"[{kind} {cls.__name__}]" for kind, cls in classes.items())
    return Part(rule, lambda v: type(v) in allowed, lambda v: (_SHAPES[type(v)].kind, *fields(v)), read)


def _tuple(item: Part, limit: Count) -> Part:
    least, most, allowed, item_write, item_read = (limit.least, limit.most, item.allows, item.write, item.read)

    def allows(value: Any) -> bool:
        return type(value) is tuple and least <= len(value) <= most and all(map(allowed, value))

    def read(value: Any) -> Any:
        # The count is judged before any item is read.
        if item_read is None or type(value) is not tuple or len(value) > most:
            raise Malformed
        return tuple(map(item_read, value))

    return Part(
        f"{least} to {most} of: {item.rule}",
        allows,
        None if item_write is None else lambda v: tuple(map(item_write, v)),
        None if item_read is None else read,
    )


def _union(hints: tuple[Any, ...], where: str) -> Part:
    present = tuple(hint for hint in hints if hint is not NoneType)
    if len(present) == 1:
        part = _part(present[0], where)
    else:
        if not all(hint in _SHAPES for hint in present):
            raise TypeError(f"{where}: only records can be alternatives")
        part = _nested({_SHAPES[hint].kind: hint for hint in present})
        if len({_SHAPES[hint].kind for hint in present}) != len(present):
            raise TypeError(f"{where}: two alternatives have the same kind")
    return part if len(present) == len(hints) else _optional(part)


def _optional(part: Part) -> Part:
    allowed, write, read = part.allows, part.write, part.read
    return Part(
        f"null, or {part.rule}",
        lambda v: v is None or allowed(v),
        None if write is None else lambda v: None if v is None else write(v),
        None if read is None else lambda v: None if v is None else read(v),
    )


def _over_limit(cls: type, name: str) -> OverLimit:
    rule = dict(rules(cls))[name]
    return OverLimit(f"The {name} of a {cls.__name__.lower()} must be {rule}.", field=name, rule=rule)


def _shown(value: object) -> str:
    match value:
        case bytes():
            return f"<{len(value)} bytes>"
        case str():
            return f"<text of {len(value)}>"
        case tuple():
            return f"<{len(value)} items>"
        case _:
            return repr(value)
