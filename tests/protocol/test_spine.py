"""The spine hides what it commits to, and shows one leaf at a time; cosignatures name what was seen (spine.md)."""

import hashlib
from dataclasses import replace
from itertools import permutations

import pytest

from crypto.faults import Forged, Malformed
from protocol import spine, wire
from protocol.entry import Ack, Kind
from protocol.log import Head
from protocol.spine import Commitment
from tests.protocol import chains, spines
from tests.protocol.chains import ANA, BO

WROTE = spines.wrote()
LINES = WROTE.lines
WHAT = spine.decode(WROTE.content)


def test_a_leaf_is_keyed_blake2b_and_the_head() -> None:
    line = LINES[0]
    blinded = hashlib.blake2b(b"weft/1/spine\x00" + line.log, digest_size=32, key=line.key).digest()
    assert spine.leaf(*line) == blinded + (2).to_bytes(8, "big") + line.head.id
    assert len({spine.leaf_key(chains.SECRET, one.log) for one in LINES}) == len(LINES)
    assert spine.leaf_key(chains.SECRET, line.log) != spine.leaf_key(bytes(32), line.log)


def test_the_root_does_not_depend_on_the_order() -> None:
    assert {spine.commit(lines) for lines in permutations(LINES)} == {WHAT}
    assert WHAT.size == len(LINES)


def test_every_head_has_its_place_and_no_other_head_has() -> None:
    for line in LINES:
        place = spine.prove(LINES, line.log)
        spine.check_place(WHAT, line, place)
        for wrong in (
            line._replace(head=Head(1, line.head.id)),
            line._replace(head=Head(2, bytes(32))),
            line._replace(key=bytes(32)),
            line._replace(log=bytes(16)),
        ):
            with pytest.raises(Forged):
                spine.check_place(WHAT, wrong, place)
        with pytest.raises((Forged, Malformed)):
            spine.check_place(WHAT, line, place._replace(at=place.at ^ 1))
        with pytest.raises((Forged, Malformed)):
            spine.check_place(WHAT._replace(root=bytes(32)), line, place)


def test_a_content_is_two_items_and_nothing_else() -> None:
    for size in (0, 23, 24, 2**20):
        held = Commitment(size, bytes(32))
        assert spine.decode(spine.encode(held)) == held
        assert 36 <= len(spine.encode(held)) <= spine.CONTENT_BYTES_MAX
    for value in ((), (1,), (1, bytes(31)), (1, bytes(32), 0), (-1, bytes(32)), (2**20 + 1, bytes(32)), (None, b""), 1):
        with pytest.raises(Malformed):
            spine.decode(wire.encode(value))


def test_what_two_ledgers_of_one_shape_show_has_one_length() -> None:
    # Invariant 12: who sees the spine alone learns times and how many logs there are, within 23, 255 and 65,535.
    other = spines.wrote(BO, bytes(32))
    assert len(other.content) == len(WROTE.content)
    assert len(other.header.raw) == len(WROTE.header.raw)
    assert not {line.log for line in LINES} & {WROTE.content[at : at + 16] for at in range(len(WROTE.content))}


def test_a_spine_acknowledges_nothing_but_the_spine_before_it() -> None:
    ack = Ack(bytes(16), 7, bytes(32))
    head = chains.head_of(WROTE.header)
    good = (spines.spun(ANA, WROTE.spine, LINES), spines.spun(ANA, WROTE.spine, LINES, acks=(ack,)))
    for one in good:
        spine.check_header(one.header)
    for bad in (
        spines.spun(ANA, WROTE.spine, LINES, acks=(ack, ack)),
        spines.spun(ANA, WROTE.spine, LINES, head, acks=(ack,)),
        spines.spun(ANA, WROTE.spine, LINES, kind=Kind.PUBLIC),
        spines.spun(ANA, WROTE.spine, LINES, kind=Kind.SEALED),
    ):
        with pytest.raises(Malformed):
            spine.check_header(bad.header)


# --- cosignatures


def test_a_cosignature_is_of_one_of_the_devices_and_about_one_subject() -> None:
    made = spine.cosign(bytes(32), chains.AT_MS, WROTE.header.id, BO)
    spine.check_cosignature(made, WROTE.header.id, (BO.public,))
    spine.check_cosignature(made, WROTE.header.id, (ANA.public, BO.public))
    for wrong, devices in (
        (made, ()),
        (made, (ANA.public,)),
        (replace(made, witness=b"w" * 32), (BO.public,)),
        (replace(made, time_ms=made.time_ms + 1), (BO.public,)),
        (replace(made, signature=bytes(64)), (BO.public,)),
    ):
        with pytest.raises(Forged):
            spine.check_cosignature(wrong, WROTE.header.id, devices)
    with pytest.raises(Forged):
        spine.check_cosignature(made, bytes(32), (BO.public,))


def test_a_blinded_subject_needs_its_nonce() -> None:
    subjects = {spine.blinded_subject(one.id, nonce) for one in WROTE.logs[0] for nonce in (bytes(32), b"n" * 32)}
    assert len(subjects) == 2 * len(WROTE.logs[0])
    assert not subjects & {one.id for one in WROTE.logs[0]}


def test_a_witness_makes_the_subject_himself_of_what_he_is_asked_about() -> None:
    id_, nonce = WROTE.header.id, b"n" * 32
    hidden = hashlib.blake2b(b"weft/1/cosig\x00" + nonce + id_, digest_size=32).digest()
    assert spine.hide(id_, nonce) == hidden
    subject = hashlib.blake2b(b"weft/1/cosig\x00" + hidden, digest_size=32).digest()
    assert spine.hidden_subject(hidden) == spine.blinded_subject(id_, nonce) == subject
