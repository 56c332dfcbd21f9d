"""Frames about files at a keeper keep their limits; what shows a key is good for one request (keep.md 8)."""

from dataclasses import replace
from typing import Any

import pytest

from crypto import chunks
from crypto.faults import Malformed
from protocol import deposit, keep, wire
from protocol.deposit import Found, Had, Leave, Lies, Piece, Seek, Want
from protocol.keep import Status
from tests.protocol.keeping import NONCE, PUT_KEY, SENDER, claim

NAME = b"f" * 16
MANIFEST = b"1" * 32 + b"2" * 32
SIZE = chunks.SEALED_BYTES_MAX + 17
LEAVE = deposit.leave(PUT_KEY, NONCE, 1, SENDER, NAME, SIZE, 3600, MANIFEST)
WITHDRAW = deposit.withdraw(PUT_KEY, NONCE, 1, SENDER, NAME)
REQUESTS: tuple[deposit.Request, ...] = (
    claim(),
    claim(None),
    LEAVE,
    Piece(7),
    WITHDRAW,
    Seek(NAME),
    Want((3, 1)),
    Had(NAME),
)
REPLIES: tuple[deposit.Reply, ...] = (
    keep.Hello(1, NONCE),
    *(Lies(n, status, 3600, b"\x03", b"x" * 32) for n, status in enumerate(Status, 1)),
    Piece(0),
    Found(b"\x01", MANIFEST),
    Found(b"", MANIFEST),
    Found(b"", b""),
    keep.Answer(1, Status.OK),
    keep.Shown(1, Status.OK, 0, b"x" * 32),
)


def test_frames_are_read_as_written() -> None:
    for asked in REQUESTS:
        assert deposit.decode_request(deposit.encode(asked)) == asked
    for said in REPLIES:
        assert deposit.decode_reply(deposit.encode(said)) == said


def test_the_fullest_frames_fit() -> None:
    manifest = bytes(deposit.PIECES_MAX * 32)
    fullest = deposit.leave(PUT_KEY, NONCE, 2**32 - 1, SENDER, NAME, deposit.BYTES_MAX, 2**32 - 1, manifest)
    assert len(deposit.encode(fullest)) <= deposit.FRAME_BYTES_MAX
    bits = b"\xff" * deposit.BITS_BYTES_MAX
    assert len(deposit.encode(Found(bits, manifest))) <= deposit.FRAME_BYTES_MAX


def _leave_parts(**other: Any) -> Any:
    one = replace(LEAVE, **other)
    return (3, one.sender, one.name, one.size, one.ttl_s, one.manifest, one.mac)


@pytest.mark.parametrize(
    "parts",
    [
        (0,),
        (1, 1, bytes(32)),
        (2, bytes(32), bytes(16), None, bytes(64)),
        (3, bytes(16), bytes(16), SIZE, 3600, MANIFEST[:32], bytes(32)),  # a name too few
        (3, bytes(16), bytes(16), SIZE, 3600, MANIFEST + bytes(32), bytes(32)),
        (3, bytes(16), bytes(16), SIZE, 3600, MANIFEST[:-1], bytes(32)),
        (3, bytes(16), bytes(16), SIZE - 1, 3600, MANIFEST, bytes(32)),  # nothing but a tag in the last piece
        (3, bytes(16), bytes(16), 16, 3600, MANIFEST[:32], bytes(32)),
        (3, bytes(16), bytes(16), deposit.BYTES_MAX + 1, 3600, MANIFEST, bytes(32)),
        (3, bytes(16), bytes(16), SIZE, 0, MANIFEST, bytes(32)),
        (5, deposit.PIECES_MAX),
        (5, -1),
        (6, bytes(16), bytes(16), bytes(31)),
        (7, bytes(15)),
        (9, ()),
        (9, (1, 1)),
        (9, tuple(range(9))),
        (10, bytes(17)),
    ],
)
def test_other_requests_are_malformed(parts: Any) -> None:
    with pytest.raises(Malformed):
        deposit.decode_request(wire.encode(parts))


@pytest.mark.parametrize(
    "parts",
    [
        (3, *_leave_parts()[1:]),
        (8, b"\x01", b""),
        (8, b"", bytes(33)),
        (8, bytes(deposit.BITS_BYTES_MAX + 1), MANIFEST),
    ],
)
def test_other_replies_are_malformed(parts: Any) -> None:
    with pytest.raises(Malformed):
        deposit.decode_reply(wire.encode(parts))


@pytest.mark.parametrize(
    "other",
    [
        {"sender": b"x" * 16},
        {"name": b"x" * 16},
        {"size": SIZE + 1},
        {"ttl_s": 3601},
        {"manifest": MANIFEST[::-1]},
        {"mac": bytes(32)},
    ],
)
def test_a_leave_is_good_for_what_it_says_alone(other: Any) -> None:
    assert deposit.is_left_by(LEAVE, PUT_KEY, NONCE, 1)
    assert not deposit.is_left_by(replace(LEAVE, **other), PUT_KEY, NONCE, 1)


def test_what_shows_a_key_is_good_for_one_request_of_one_stream() -> None:
    for key, nonce, n in ((b"x" * 32, NONCE, 1), (PUT_KEY, b"x" * 32, 1), (PUT_KEY, NONCE, 2)):
        assert not deposit.is_left_by(LEAVE, key, nonce, n)
        assert not deposit.is_withdrawn_by(WITHDRAW, key, nonce, n)
    assert deposit.is_withdrawn_by(WITHDRAW, PUT_KEY, NONCE, 1)
    assert not deposit.is_withdrawn_by(replace(WITHDRAW, name=b"x" * 16), PUT_KEY, NONCE, 1)


def test_a_proof_says_all_of_the_answer() -> None:
    def proof(
        asked: Leave = LEAVE, n: int = 1, status: Status = Status.OK, value: int = 9, bits: bytes = b"\x01"
    ) -> bytes:
        return deposit.lies_proof(PUT_KEY, NONCE, asked, n, status, value, bits)

    others = (
        proof(replace(LEAVE, name=b"x" * 16)),
        proof(n=2),
        proof(status=Status.QUOTA),
        proof(value=8),
        proof(bits=b"\x03"),
        deposit.withdraw_proof(PUT_KEY, NONCE, WITHDRAW, 1, Status.OK),
    )
    assert len({proof(), *others}) == 7


def test_a_name_tells_no_door_from_another_what_it_is() -> None:
    key, root = b"K" * 32, b"R" * 32
    names = {
        deposit.name_of(key, root, SENDER),
        deposit.name_of(key, root, b"x" * 16),
        deposit.name_of(key, b"x" * 32, SENDER),
        deposit.name_of(b"x" * 32, root, SENDER),
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {16}


def test_pieces_are_as_long_as_all_of_them_make() -> None:
    assert deposit.count(SIZE) == 2
    assert [deposit.piece_length(SIZE, place) for place in range(2)] == [chunks.SEALED_BYTES_MAX, 17]
    assert deposit.count(chunks.SEALED_BYTES_MAX) == 1
