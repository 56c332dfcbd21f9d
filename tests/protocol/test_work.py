"""Work counts for one door, one envelope and one day, and as many zero bits as were asked for (keep.md 3.4)."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocol import keep, keep_proof, work
from tests.protocol.keeping import ENVELOPE, NONCE, PUT_KEY, SENDER

DAY = 20_000


def worked(bits: int, day: int = DAY, sender: bytes = SENDER) -> keep.Put:
    found = work.find(sender, day, keep_proof.envelope_id(ENVELOPE), bits, 0, 1 << 20)
    assert found is not None
    return keep_proof.put(PUT_KEY, NONCE, 1, sender, ENVELOPE, 3600, found)


def test_work_is_found_in_slices_and_counts_for_one_door_envelope_and_day() -> None:
    put, bits = worked(12), 12
    found = put.work
    assert found is not None
    named = keep_proof.envelope_id(ENVELOPE)
    assert work.find(SENDER, DAY, named, bits, 0, found) is None
    assert work.find(SENDER, DAY, named, bits, found, 1) == found
    assert work.is_enough(put, bits, (DAY,))
    assert work.is_enough(put, bits, (DAY - 1, DAY))
    assert not work.is_enough(put, bits, (DAY - 1, DAY + 1))
    assert not work.is_enough(replace(put, sender=b"S" * 16), bits, (DAY,))
    assert not work.is_enough(replace(put, envelope=b"\x01" + ENVELOPE[1:]), bits, (DAY,))
    assert not work.is_enough(replace(put, work=None), bits, (DAY,))
    assert not work.is_enough(put, 32, (DAY,))


def test_a_door_without_work_asks_for_none() -> None:
    assert work.is_enough(replace(worked(0), work=None), 0, ())


@given(bits=st.integers(0, 9), number=st.integers(0, 2**64 - 1024))
def test_as_many_leading_zero_bits_as_asked_for_are_enough(bits: int, number: int) -> None:
    named = keep_proof.envelope_id(ENVELOPE)
    found = work.find(SENDER, DAY, named, bits, number, 1000)
    for less in range(bits if found is not None else 0):
        assert work.find(SENDER, DAY, named, less, found or 0, 1) == found


def test_work_of_a_day_counts_the_day_before_and_after() -> None:
    assert set(work.days(DAY * 86_400)) == {DAY - 1, DAY, DAY + 1}
    assert set(work.days(0)) == {0, 1}
