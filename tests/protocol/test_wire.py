"""One form of CBOR and no other: what `encode` would not have written is refused (docs/protocol/wire.md 1)."""

import resource
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Malformed
from protocol import wire

LEAVES = st.none() | st.integers(wire.INT_MIN, wire.INT_MAX) | st.binary(max_size=60) | st.text(max_size=30)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=5).map(tuple), max_leaves=20)


def depth_of(value: object) -> int:
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, tuple) else 0


@given(VALUES)
def test_what_is_encoded_decodes_to_itself(value: wire.Value) -> None:
    raw = wire.encode(value)
    if depth_of(value) > wire.DEPTH_MAX:
        with pytest.raises(Malformed):
            wire.decode(raw, len(raw))
    else:
        assert wire.decode(raw, len(raw)) == value


@pytest.mark.parametrize(
    ("value", "raw"),
    [  # RFC 8949, appendix A
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (1_000_000, "1a000f4240"),
        (18446744073709551615, "1bffffffffffffffff"),
        (-1, "20"),
        (-18446744073709551616, "3bffffffffffffffff"),
        (b"", "40"),
        (b"\x01\x02\x03\x04", "4401020304"),
        ("", "60"),
        ("ü", "62c3bc"),
        ((), "80"),
        ((1, (2, 3), (4, 5)), "8301820203820405"),
        (None, "f6"),
    ],
)
def test_examples_of_the_rfc(value: wire.Value, raw: str) -> None:
    assert wire.encode(value).hex() == raw
    assert wire.decode(bytes.fromhex(raw), 100) == value


REFUSED = {
    "nothing": "",
    "two items": "0101",
    "one byte more": "8000",
    "one byte less": "8201",
    "long 0": "1800",
    "long 23": "1817",
    "long 255": "1900ff",
    "long 65535": "1a0000ffff",
    "long 2^32-1": "1b00000000ffffffff",
    "long negative": "3800",
    "long byte string length": "580101",
    "long text length": "780161",
    "long array length": "980100",
    "false": "f4",
    "true": "f5",
    "undefined": "f7",
    "simple 0": "e0",
    "simple 255": "f8ff",
    "null in two bytes": "f816",
    "half 0": "f90000",
    "half NaN": "f97e00",
    "half infinity": "f97c00",
    "single": "fa47c35000",
    "double": "fb3ff199999999999a",
    "map": "a0",
    "map with an entry": "a10102",
    "map with the same key twice": "a201020103",
    "map inside an array": "8201a0",
    "false inside an array": "8201f4",
    "endless bytes": "5f42010243030405ff",
    "endless text": "7f657374726561646d696e67ff",
    "endless array": "9fff",
    "endless map": "bfff",
    "break": "ff",
    "reserved 28": "1c",
    "bad UTF-8": "62c328",
    "overlong UTF-8": "62c080",
    "surrogate in UTF-8": "63eda080",
    "time tag": "c11a514b67b0",
    "bignum tag": "c249010000000000000000",
    "small bignum tag": "c24101",
    "regex tag": "d8236161",
    "shared reference tag": "d81c80",
    "reference tag": "d81d00",
    "string reference namespace tag": "d9010080",
    "set tag": "d9010280",
    "self-described tag": "d9d9f700",
    "unknown tag": "da7fffffff00",
    "tag inside an array": "8201c100",
    "9 arrays": "818181818181818180",
    "bytes of 2^64-1": "5bffffffffffffffff",
    "bytes of 2^31": "5a80000000",
    "text of 2^64-1": "7bffffffffffffffff",
    "array of 2^64-1": "9bffffffffffffffff",
    "array of 2^32": "9b0000000100000000",
    "map of 2^32": "bb0000000100000000",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(raw: str) -> None:
    with pytest.raises(Malformed):
        wire.decode(bytes.fromhex(raw), 1000)


def test_size_is_judged_before_anything_is_decoded() -> None:
    assert wire.decode(b"\x43abc", 4) == b"abc"
    with pytest.raises(Malformed):
        wire.decode(b"\x43abc", 3)


@pytest.mark.parametrize("first", [b"\x81", b"\xc1", b"\xd8\x1c", b"\xa1\x01", b"\x9f", b"\x82\x81"])
def test_nesting_of_100_000_is_refused_at_once(first: bytes) -> None:
    raw = first * 100_000
    began = time.process_time()
    with pytest.raises(Malformed):
        wire.decode(raw, len(raw))
    assert time.process_time() - began < 0.1


def test_a_claimed_length_takes_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for raw in ("5bffffffffffffffff", "9a7fffffff", "9b00000000ffffffff", "ba7fffffff", "7a7fffffff"):
        with pytest.raises(Malformed):
            wire.decode(bytes.fromhex(raw), 1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB
