"""CBOR, the one strict and canonical form of it that weft speaks (RFC 8949; docs/protocol/wire.md 1).

The only door to the CBOR library: what the library would tolerate (maps, tags, floats, booleans, indefinite lengths,
long forms of short integers, trailing bytes) is refused here. Not here: which arrays mean what (record.py and the
modules that define records).
"""

from collections.abc import Callable
from typing import Any, NoReturn

import cbor2

from crypto.faults import Malformed

Value = None | int | bytes | str | tuple["Value", ...]
"""What the wire can say. A boolean is the integer 0 or 1."""

DEPTH_MAX = 8  # arrays within arrays; the deepest structure of weft, a card inside a content, uses 6
INT_MAX = 2**64 - 1  # what CBOR can say without a tag
INT_MIN = -(2**64)
_ARRAY = 0x80  # the major type


def encode(value: Value) -> bytes:
    """The canonical bytes of a value: shortest integers, definite lengths.

    The value is ours: no booleans, integers within 64 bits, no lone surrogates, at most 8 arrays deep.
    """
    return cbor2.dumps(value)


def array_head(count: int) -> bytes:
    """What stands before the items of an array of so many: for one whose items were encoded one by one."""
    head = encode(count)
    return bytes((head[0] | _ARRAY,)) + head[1:]


def decode(raw: bytes, bytes_max: int) -> Value:
    """The value of canonical bytes; arrays come out as tuples.

    bytes_max: looked at before anything is decoded (wire 1.6). Work and memory are proportional to the length.
    Raises: Malformed for everything that `encode` would not have written byte for byte.
    """
    if len(raw) > bytes_max:
        raise Malformed
    try:
        value = cbor2.loads(
            raw, semantic_decoders=_NO_TAGS, max_depth=DEPTH_MAX, allow_indefinite=False, immutable=True
        )
    except (cbor2.CBORError, OverflowError, MemoryError, UnicodeError):
        raise Malformed from None
    _check(value, 0)
    # wire 1.5: the last word is the comparison; long integers and trailing bytes fail here.
    if cbor2.dumps(value) != raw:
        raise Malformed
    return value  # type: ignore[no-any-return]


class _NoTags(dict[int, Callable[[Any, bool], Any]]):
    """Every tag has a decoder here, and each refuses: without one the library's own would be in force.

    A dict, because the library takes no other mapping without looking at what it is, at each call.
    """

    def __missing__(self, tag: int) -> Callable[[Any, bool], Any]:
        return _refuse


def _refuse(*_: object) -> NoReturn:
    raise cbor2.CBORDecodeError("a tag")


_NO_TAGS = _NoTags()
_LEAVES = frozenset({int, bytes, str, type(None)})


def _check(value: object, depth: int) -> None:
    # Exact types: a bool is an int to isinstance, and floats, maps and simple values have no place at all.
    if type(value) is tuple:
        if depth == DEPTH_MAX:
            raise Malformed
        for item in value:
            if type(item) not in _LEAVES:
                _check(item, depth + 1)
    elif type(value) not in _LEAVES:
        raise Malformed
