"""Parcels: what is wrapped is unwrapped and nothing else is; sizes, to the largest inner and to case 52."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import header, sealing
from crypto.faults import Forged, Malformed
from features.chat.content import Text
from features.contacts.content import Introduction
from protocol import envelope, parcel, record, wire
from protocol.content import CONTENT_BYTES_MAX, PARENTS_MAX, say
from protocol.faults import OverLimit
from protocol.ids import MessageId, SessionId
from protocol.parcel import Head, Parcel
from tests.crypto.pairs import flipped
from tests.protocol.circle import NOW_MS, first_words, someone

ANA, BO = someone("ana"), someone("bo")
KEY, SENDER, NONCE = b"k" * 32, b"s" * 16, b"n" * 24
SMALL, LARGE = header.SMALL_BYTES + envelope.SEAL_BYTES, header.LARGE_BYTES + envelope.SEAL_BYTES
ALL_HEADS = tuple(Head(bytes((n,)) * 16, record.SAFE_INT_MAX) for n in range(parcel.HEADS_MAX))
PARCEL = Parcel(b"r" * 8, 1, NOW_MS, (Head(b"o" * 16, 3),), b"inner")


def with_all(inner: envelope.Inner) -> Parcel:
    """The largest parcel around this inner."""
    return Parcel(b"r" * 8, record.SAFE_INT_MAX, 2**48 - 1, ALL_HEADS, record.encode(inner))


def wrapped(raw: bytes) -> bytes:
    """Bytes sealed as a parcel is, by somebody who has the key."""
    return sealing.seal(KEY, NONCE, sealing.pad(raw, parcel.PADDED_BYTES), SENDER)


@given(
    number=st.integers(1, record.SAFE_INT_MAX),
    sealing_ms=st.integers(0, 2**48 - 1),
    heads=st.lists(st.builds(Head, st.binary(min_size=16, max_size=16), st.integers(1, 2**53 - 1)), max_size=3),
    inner=st.integers(1, 65_000).map(bytes),
    nonce=st.binary(min_size=24, max_size=24),
)
def test_what_is_wrapped_is_unwrapped(
    number: int, sealing_ms: int, heads: list[Head], inner: bytes, nonce: bytes
) -> None:
    one = Parcel(b"r" * 8, number, sealing_ms, tuple(heads), inner)
    raw = parcel.wrap(KEY, SENDER, one, nonce)
    assert len(raw) in sealing.BUCKETS
    assert raw.startswith(nonce)
    assert parcel.unwrap(KEY, SENDER, raw) == one


def test_two_keepers_have_no_byte_of_an_envelope_in_common() -> None:
    one = parcel.wrap(KEY, SENDER, PARCEL, NONCE)
    for key, sender, nonce in ((b"K" * 32, SENDER, NONCE), (KEY, SENDER, b"N" * 24)):
        other = parcel.wrap(key, sender, PARCEL, nonce)
        assert sum(a == b for a, b in zip(one[24:], other[24:], strict=True)) < 30  # 4 expected of 1,000


@pytest.mark.parametrize("bucket", parcel.PADDED_BYTES)
def test_each_bucket_is_filled_to_its_last_byte(bucket: int) -> None:
    bare = len(record.encode(replace(PARCEL, inner=bytes(bucket - 100)))) - (bucket - 100)
    fitting = replace(PARCEL, inner=bytes(bucket - bare - 1))
    assert len(parcel.wrap(KEY, SENDER, fitting, NONCE)) == bucket + parcel.OVERHEAD_BYTES
    if bucket != parcel.PADDED_BYTES[-1]:
        larger = replace(PARCEL, inner=bytes(bucket - bare))
        assert len(parcel.wrap(KEY, SENDER, larger, NONCE)) == (bucket + parcel.OVERHEAD_BYTES) * 4


# --- sizes (parcel 1.5)


def largest_restart() -> envelope.Restart:
    """A restart with every number as long as it can be, the largest header and the largest content."""
    init = first_words(BO, ANA, Introduction(BO.card(), "", (), bytes(32)))
    most = record.SAFE_INT_MAX
    certificate = replace(init.certificate, serial=most, not_before_s=2**40, not_after_s=2**40)
    message = envelope.Message(bytes(LARGE), bytes(envelope.SEAL_BYTES + CONTENT_BYTES_MAX))
    numbered = replace(init, signed_number=most, one_time_number=most, kem_number=most, counter=most)
    return envelope.Restart(SessionId(bytes(16)), replace(numbered, certificate=certificate, message=message))


def test_the_largest_inner_fits_64_kib() -> None:
    inner = largest_restart()
    raw = parcel.wrap(KEY, SENDER, with_all(inner), NONCE)
    assert len(raw) == 65_536
    assert envelope.disclose(sealing.pad(parcel.unwrap(KEY, SENDER, raw).inner)) == inner
    assert parcel.PARCEL_BYTES_MAX - len(record.encode(with_all(inner))) == 125  # left over, parcel 1.5


@pytest.mark.parametrize("length", [1, 300])
def test_case_52_a_text_of_1_and_of_300_characters_take_one_kib(length: int) -> None:
    parents = tuple(MessageId(bytes((n,)) * 16) for n in range(PARENTS_MAX))
    raw = say(
        message_id=MessageId(bytes(16)),
        hlc_ms=NOW_MS,
        device_seq=record.SAFE_INT_MAX,
        parents=parents,
        content=Text("x" * length),
        expire_s=2**32 - 1,
    )
    inner = envelope.Message(bytes(SMALL), bytes(len(raw) + envelope.SEAL_BYTES))
    assert len(parcel.wrap(KEY, SENDER, with_all(inner), NONCE)) == 1024


def test_an_inner_that_fits_no_parcel_cannot_be_built() -> None:
    with pytest.raises(OverLimit):
        Parcel(b"r" * 8, 1, 1, (), bytes(parcel.PARCEL_BYTES_MAX + 1))


# --- hostile


@pytest.mark.parametrize(
    ("key", "sender"), [(b"K" * 32, SENDER), (KEY, b"S" * 16), (KEY, b"")], ids=["key", "sender", "no sender"]
)
def test_case_48_an_envelope_of_another_queue_is_forged(key: bytes, sender: bytes) -> None:
    raw = parcel.wrap(KEY, SENDER, PARCEL, NONCE)
    with pytest.raises(Forged):
        parcel.unwrap(key, sender, raw)


def test_every_changed_bit_is_forged() -> None:
    raw = parcel.wrap(KEY, SENDER, PARCEL, NONCE)
    for bit in range(0, len(raw) * 8, 7):
        with pytest.raises(Forged):
            parcel.unwrap(KEY, SENDER, flipped(raw, bit))


@pytest.mark.parametrize("size", [0, 1, 39, 40, 1023, 1025, 4096])
def test_another_length_is_forged(size: int) -> None:
    raw = parcel.wrap(KEY, SENDER, PARCEL, NONCE)
    with pytest.raises(Forged):
        parcel.unwrap(KEY, SENDER, (raw + bytes(4096))[:size])


@pytest.mark.parametrize("size", [1, 983, 985, 1024, 4055, 65_495])
def test_a_length_that_is_no_bucket_is_malformed_behind_a_good_seal(size: int) -> None:
    padded = (record.encode(PARCEL) + b"\x80").ljust(size, b"\x00")[:size]
    with pytest.raises(Malformed):
        parcel.unwrap(KEY, SENDER, sealing.seal(KEY, NONCE, padded, SENDER))


def test_padding_without_its_mark_is_malformed() -> None:
    for padded in (bytes(984), record.encode(PARCEL).ljust(984, b"\x00"), b"\xff" * 984):
        with pytest.raises(Malformed):
            parcel.unwrap(KEY, SENDER, sealing.seal(KEY, NONCE, padded, SENDER))


FIELDS: dict[str, tuple[Any, ...]] = {
    "kind": (0, 2, 3, 255, None, b"\x01"),
    "run": (b"", b"r" * 7, b"r" * 9, None, 1),
    "number": (0, -1, record.SAFE_INT_MAX + 1, None, b""),
    "sealing": (-1, 2**48, None, ""),
    "heads": (None, ((2, b"o" * 16, 1),) * 4, ((1, b"o" * 16, 1),), ((2, b"o" * 15, 1),), ((2, b"o" * 16, 0),), (b"",)),
    "inner": (b"", None, "inner", (2, b"", b"")),
}


@pytest.mark.parametrize("at", range(len(FIELDS)), ids=list(FIELDS))
def test_one_wrong_field_is_malformed(at: int) -> None:
    good = (Parcel.KIND, *record.fields(PARCEL))
    assert parcel.unwrap(KEY, SENDER, wrapped(wire.encode(good))) == PARCEL
    for wrong in list(FIELDS.values())[at]:
        with pytest.raises(Malformed):
            parcel.unwrap(KEY, SENDER, wrapped(wire.encode((*good[:at], wrong, *good[at + 1 :]))))
    with pytest.raises(Malformed):
        parcel.unwrap(KEY, SENDER, wrapped(wire.encode((*good[:at], *good[at + 1 :]))))
    with pytest.raises(Malformed):
        parcel.unwrap(KEY, SENDER, wrapped(wire.encode((*good, None))))
