"""Bytes that somebody hostile might send: mutations of good ones, and forms of CBOR that weft does not speak.

Deterministic: the same seed gives the same inputs. Not here: which decoders must stand them (test_fuzz.py).
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from crypto.faults import Malformed
from protocol import wire

TOKENS: tuple[bytes, ...] = (
    b"\xf9\x7e\x00",  # NaN
    b"\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",  # infinity
    b"\xf4",
    b"\xf7",
    b"\xe0",
    b"\xa0",
    b"\xa2\x01\x02\x01\x03",  # a key twice
    b"\x9f",
    b"\x5f",
    b"\xff",
    b"\xc2\x49\x01" + bytes(8),  # bignum
    b"\xc0\x74" + b"2" * 20,  # date
    b"\xd8\x23\x63(a+",  # regex
    b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
    b"\xd9\x01\x00\x80",
    b"\x5b" + b"\xff" * 8,  # 2^64-1 bytes
    b"\x9b" + b"\xff" * 8,
    b"\xbb" + b"\xff" * 8,
    b"\x5a\x7f\xff\xff\xff",
    b"\x9a\x00\xff\xff\xff",
    b"\x1b" + b"\xff" * 8,
    b"\x3b" + b"\xff" * 8,
    b"\x18\x00",  # 0 in two bytes
    b"\x81" * 300,
    b"\x62\xc3\x28",
)

VALUES: tuple[wire.Value, ...] = (
    None,
    -1,
    0,
    1,
    24,
    256,
    2**31,
    2**53,
    2**63,
    wire.INT_MAX,
    wire.INT_MIN,
    b"",
    b"\x00",
    bytes(16),
    bytes(31),
    bytes(32),
    b"\xff" * 33,
    bytes(64),
    bytes(1184),
    "",
    "x",
    "\x00\n",
    "字" * 100,
    (),
    (0,),
    ((),),
    (None,) * 20,
    ((((((),),),),),),
)


def inputs(seed: str, samples: Sequence[bytes], count: int) -> Iterator[bytes]:
    """So many hostile inputs made from good ones."""
    rng = random.Random(seed)
    ways = (_flipped, _flipped, _cut, _spliced, _with_token, _revalued, _revalued, _revalued, _noise)
    for _ in range(count):
        good = samples[int(rng.random() * len(samples))]
        yield ways[int(rng.random() * len(ways))](good, samples, rng)


def texts(seed: str, samples: Sequence[str], count: int) -> Iterator[str]:
    """So many hostile texts made from good ones."""
    rng = random.Random(seed)
    alphabet = "".join(samples) + " \n\x00+/=_-ıßſ٣字😀\ud800"
    for _ in range(count):
        good = list(samples[int(rng.random() * len(samples))])
        for _ in range(1 + int(rng.random() * 3)):
            at = int(rng.random() * (len(good) + 1))
            good[at : at + int(rng.random() * 3)] = [alphabet[int(rng.random() * len(alphabet))]]
        yield "".join(good) * (1 if rng.random() < 0.99 else 500)


def _flipped(good: bytes, _samples: Sequence[bytes], rng: random.Random) -> bytes:
    changed = bytearray(good)
    for _ in range(1 + int(rng.random() * 3)):
        if changed:
            # Heads of items stand at the front more often than anywhere else.
            at = int(rng.random() * rng.random() * len(changed))
            changed[at] ^= 1 << int(rng.random() * 8)
    return bytes(changed)


def _cut(good: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return good + rng.randbytes(int(rng.random() * 20))
    return good[: int(rng.random() * len(good))]


def _spliced(good: bytes, samples: Sequence[bytes], rng: random.Random) -> bytes:
    other = samples[int(rng.random() * len(samples))]
    return good[: int(rng.random() * len(good))] + other[int(rng.random() * len(other)) :]


def _with_token(good: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    at = int(rng.random() * rng.random() * (len(good) + 1))
    return good[:at] + TOKENS[int(rng.random() * len(TOKENS))] + good[at + int(rng.random() * 2) :]


def _noise(_: bytes, __: Sequence[bytes], rng: random.Random) -> bytes:
    return rng.randbytes(int(rng.random() * 60))


def _revalued(good: bytes, samples: Sequence[bytes], rng: random.Random) -> bytes:
    """Good CBOR with one value in another's place: it passes the wire and must be stopped by the record."""
    try:
        value = wire.decode(good, len(good))
    except Malformed:
        return _flipped(good, samples, rng)
    return wire.encode(_replaced(value, rng))


def _replaced(value: Any, rng: random.Random) -> Any:
    if type(value) is not tuple or not value or rng.random() < 0.1:
        return VALUES[int(rng.random() * len(VALUES))]
    at = int(rng.random() * len(value))
    match int(rng.random() * 12):
        case 0:
            return value[:at] + value[at + 1 :]
        case 1:
            return (*value[:at], value[at], *value[at:])
        case 2:
            return value[1:] + value[:1]
        case _:
            return (*value[:at], _replaced(value[at], rng), *value[at + 1 :])
