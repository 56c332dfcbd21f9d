"""Frames of a keeper keep their limits; a claim and a put are good for one stream and one request (keep.md 1 to 3)."""

from dataclasses import replace
from typing import Any

import pytest

from crypto.faults import Forged, Malformed
from crypto.keys import SigningKey
from protocol import keep, keep_proof, record, wire
from protocol.faults import OverLimit
from tests.protocol import keeping
from tests.protocol.keeping import DOOR, ENVELOPE, KEEPER_PEER, NONCE, OWNER_PEER, PERMIT, PUT_KEY, QUEUE, SENDER

ENDS = (KEEPER_PEER, OWNER_PEER, NONCE)
OTHER_ENDS = {
    "another keeper": (b"x" * 32, OWNER_PEER, NONCE),
    "another peer": (KEEPER_PEER, b"x" * 32, NONCE),
    "swapped peers": (OWNER_PEER, KEEPER_PEER, NONCE),
    "another stream": (KEEPER_PEER, OWNER_PEER, b"x" * 32),
}


def test_frames_are_read_as_written() -> None:
    for asked in keeping.requests():
        assert keep.decode_request(keep.encode(asked)) == asked
    for said in keeping.replies():
        assert keep.decode_reply(keep.encode(said)) == said


def test_what_is_asked_is_no_reply_and_a_reply_is_not_asked() -> None:
    for asked in keeping.requests():
        with pytest.raises(Malformed):
            keep.decode_reply(keep.encode(asked))
    for said in keeping.replies():
        with pytest.raises(Malformed):
            keep.decode_request(keep.encode(said))


def test_the_fullest_frames_fit() -> None:
    many = tuple(keep.Item(record.SAFE_INT_MAX - n, bytes(16), ENVELOPE) for n in range(57, -1, -1))
    doors = tuple(replace(DOOR, sender=n.to_bytes(16, "big")) for n in range(keep.DOORS_MAX))
    queues = tuple(replace(QUEUE, reader=n.to_bytes(16, "big"), doors=(doors[n],)) for n in range(keep.QUEUES_MAX))
    fullest: tuple[keep.Request | keep.Reply, ...] = (
        keep_proof.put(PUT_KEY, NONCE, 2**32 - 1, SENDER, bytes(65536), 2**32 - 1, 2**64 - 1),
        keep.Open((replace(QUEUE, doors=doors),)),
        keep.Open(queues),
        keep.Close(tuple(n.to_bytes(16, "big") for n in range(keep.READERS_MAX))),
        keep.Lay((bytes(4096),) * 16),
        keep.Items((keep.Item(record.SAFE_INT_MAX, bytes(16), bytes(65536)),), 1),
        keep.Items(many, 1),
    )
    for frame in fullest:
        assert len(keep.encode(frame)) <= keep.FRAME_BYTES_MAX
    assert 59 * len(ENVELOPE) > keep.FETCH_BYTES_MAX >= 58 * len(ENVELOPE)


QUEUE_PARTS: Any = (16, bytes(16), 1, 1024, 1, ())
DOOR_PARTS: Any = (15, bytes(16), bytes(32), 1, 0)


@pytest.mark.parametrize(
    "parts",
    [
        (0,),
        (18,),
        (2, bytes(31), None, None, bytes(64)),
        (2, bytes(32), None, None, bytes(63)),
        (2, bytes(32), bytes(16), None, bytes(64)),
        (2, bytes(32), None, bytes(32), bytes(64)),
        (2, bytes(32), bytes(15), bytes(32), bytes(64)),
        (3, ()),
        (3, (QUEUE_PARTS,) * 65),
        (3, (QUEUE_PARTS, QUEUE_PARTS)),
        (3, ((16, bytes(15), 1, 1024, 1, ()),)),
        (3, ((16, bytes(16), 0, 1024, 1, ()),)),
        (3, ((16, bytes(16), 2001, 1024, 1, ()),)),
        (3, ((16, bytes(16), 1, 1023, 1, ()),)),
        (3, ((16, bytes(16), 1, 2**26 + 1, 1, ()),)),
        (3, ((16, bytes(16), 1, 1024, 0, ()),)),
        (3, ((16, bytes(16), 1, 1024, 90 * 86400 + 1, ()),)),
        (3, ((*QUEUE_PARTS[:5], (DOOR_PARTS, DOOR_PARTS)),)),
        (3, ((*QUEUE_PARTS[:5], ((15, bytes(15), bytes(32), 1, 0),)),)),
        (3, ((*QUEUE_PARTS[:5], ((15, bytes(16), bytes(31), 1, 0),)),)),
        (3, ((*QUEUE_PARTS[:5], ((15, bytes(16), bytes(32), 0, 0),)),)),
        (3, ((*QUEUE_PARTS[:5], ((15, bytes(16), bytes(32), 1, 33),)),)),
        (4, ()),
        (4, (bytes(16),) * 2),
        (4, tuple(n.to_bytes(16, "big") for n in range(257))),
        (5, 0, 0, 0),
        (5, 0, 513, 0),
        (5, 0, 1, 301),
        (5, -1, 1, 0),
        (5, 2**53, 1, 0),
        (7, -1),
        (7,),
        (8, ()),
        (8, (b"",)),
        (8, (bytes(4097),)),
        (8, (b"x",) * 65),
        (9, bytes(16), bytes(1025), 1, bytes(32), None),
        (9, bytes(15), bytes(1024), 1, bytes(32), None),
        (9, bytes(16), bytes(1024), 0, bytes(32), None),
        (9, bytes(16), bytes(1024), 2**32, bytes(32), None),
        (9, bytes(16), bytes(1024), 1, bytes(31), None),
        (9, bytes(16), bytes(1024), 1, bytes(32), 2**64 - 1, 0),
        (9, bytes(16), bytes(1024), 1, bytes(32), -1),
        (10, bytes(31)),
        (13, 0),
    ],
)
def test_other_requests_are_malformed(parts: Any) -> None:
    with pytest.raises(Malformed):
        keep.decode_request(wire.encode(parts))


@pytest.mark.parametrize(
    "parts",
    [
        (1, 0, bytes(32)),
        (1, 1, bytes(31)),
        (6, ((17, 1, bytes(16), bytes(1023)),), 0),
        (6, ((17, 1, bytes(15), bytes(1024)),), 0),
        (6, ((17, 2, bytes(16), bytes(1024)), (17, 2, bytes(16), bytes(1024))), 0),
        (6, ((17, 2, bytes(16), bytes(1024)), (17, 1, bytes(16), bytes(1024))), 0),
        (6, (), 2),
        (6, (), 1),
        (11, bytes(4097)),
        (12, 1, 8, 0),
        (12, -1, 0, 0),
        (14, 0, 0, 0),
    ],
)
def test_other_replies_are_malformed(parts: Any) -> None:
    with pytest.raises(Malformed):
        keep.decode_reply(wire.encode(parts))


def test_a_frame_one_byte_over_its_limit_is_malformed_without_being_decoded() -> None:
    for decode in (keep.decode_request, keep.decode_reply):
        with pytest.raises(Malformed):
            decode(b"\x82\x07" + bytes(keep.FRAME_BYTES_MAX))


# --- claims


def test_a_claim_shows_the_key_of_the_owner_and_the_permit() -> None:
    keep_proof.check_claim(keeping.claim(), *ENDS)
    assert keep_proof.is_permitted(keeping.claim(), PERMIT, *ENDS)
    keep_proof.check_claim(keeping.claim(None), *ENDS)
    assert not keep_proof.is_permitted(keeping.claim(None), PERMIT, *ENDS)


@pytest.mark.parametrize("ends", OTHER_ENDS.values(), ids=OTHER_ENDS)
def test_case_50_a_claim_is_good_for_one_stream_only(ends: tuple[bytes, bytes, bytes]) -> None:
    with pytest.raises(Forged):
        keep_proof.check_claim(keeping.claim(), *ends)
    assert not keep_proof.is_permitted(keeping.claim(), PERMIT, *ends)


def test_case_50_a_claim_of_another_key_or_permit_is_none() -> None:
    other = SigningKey(b"X" * 32)
    with pytest.raises(Forged):
        keep_proof.check_claim(replace(keeping.claim(), owner=other.public), *ENDS)
    stolen = keep_proof.claim(other, *ENDS)
    mac = keeping.claim().permit_mac
    stolen = replace(stolen, permit_id=keep_proof.permit_id(PERMIT), permit_mac=mac)
    assert not keep_proof.is_permitted(stolen, PERMIT, *ENDS)
    assert not keep_proof.is_permitted(keeping.claim(), b"Q" * 32, *ENDS)


def test_the_name_of_a_permit_is_another_for_each() -> None:
    assert keep_proof.permit_id(PERMIT) != keep_proof.permit_id(b"Q" * 32)


# --- puts


PUT = keep_proof.put(PUT_KEY, NONCE, 5, SENDER, ENVELOPE, 3600)


def test_a_put_shows_the_key_of_its_door() -> None:
    assert keep_proof.is_put_by(PUT, PUT_KEY, NONCE, 5)


@pytest.mark.parametrize(
    ("put", "key", "nonce", "n"),
    [
        (PUT, b"X" * 32, NONCE, 5),
        (PUT, PUT_KEY, b"x" * 32, 5),
        (PUT, PUT_KEY, NONCE, 6),
        (replace(PUT, sender=b"S" * 16), PUT_KEY, NONCE, 5),
        (replace(PUT, ttl_s=3601), PUT_KEY, NONCE, 5),
        (replace(PUT, envelope=b"\x01" + ENVELOPE[1:]), PUT_KEY, NONCE, 5),
        (replace(PUT, mac=bytes(32)), PUT_KEY, NONCE, 5),
    ],
    ids=["another key", "another stream", "another request", "another door", "another time", "another envelope", "mac"],
)
def test_case_47_a_put_is_good_for_one_request_of_one_stream(put: keep.Put, key: bytes, nonce: bytes, n: int) -> None:
    assert not keep_proof.is_put_by(put, key, nonce, n)


def test_limits_hold_for_what_we_write_too() -> None:
    for wrong in ({"items": 2001}, {"bytes": 2**26 + 1}, {"ttl_s": 0}, {"reader": b""}):
        with pytest.raises(OverLimit):
            replace(QUEUE, **wrong)
