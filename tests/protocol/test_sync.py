"""Frames of sync keep their limits; tags, marks and digests tell what they shall and nothing else (sync.md 1 and 2)."""

from dataclasses import replace
from typing import Any

import pytest

from crypto.faults import Malformed
from protocol import entry, sync, wire
from protocol.faults import OverLimit
from protocol.log import Head
from protocol.sync import Have, Run, Standing
from protocol.talk import Side
from tests.protocol import spines
from tests.protocol.chains import LOG, OTHER, SECRET

NONCES = b"dialler.listener"
RAW = bytes(entry.ENTRY_BYTES_MAX)
CONTENT = bytes(entry.CONTENT_BYTES_MAX)


def test_frames_are_read_as_written() -> None:
    for frame in spines.frames(spines.wrote()):
        assert sync.decode(sync.encode(frame)) == frame


def test_both_hellos_with_their_lengths_are_98_bytes() -> None:
    assert 2 * (4 + len(sync.encode(sync.Hello(bytes(8), bytes(32))))) == 98


def test_the_fullest_frames_fit() -> None:
    tags = tuple(number.to_bytes(16, "big") for number in range(sync.HAVE_LOGS_MAX))
    full = Have(bytes(16), tags, (entry.SEQ_MAX,) * len(tags), (bytes(8),) * len(tags), sync.PART_MORE)
    longest = Run(bytes(16), entry.SEQ_MAX, (RAW,), (CONTENT,))
    wants = sync.Want((bytes(16),) * 32, (entry.SEQ_MAX,) * 32, (entry.SEQ_MAX,) * 32)
    many = Run(bytes(16), 0, (bytes(entry.ENTRY_BYTES_MIN),) * 240, (None,) * 240)
    for frame in (full, longest, wants, many, sync.Live(bytes(16), entry.SEQ_MAX, RAW, CONTENT)):
        assert len(sync.encode(frame)) <= sync.FRAME_BYTES_MAX
        assert sync.decode(sync.encode(frame)) == frame


def test_heads_cost_what_the_page_says() -> None:
    def bytes_of(count: int) -> int:
        tags = tuple(number.to_bytes(16, "big") for number in range(count))
        return len(sync.encode(Have(bytes(16), tags, (entry.SEQ_MAX,) * count, (bytes(8),) * count, 0)))

    assert [bytes_of(count) for count in (1, 10, 200, 2_000)] == [58, 373, 7_026, 70_029]


@pytest.mark.parametrize(
    "parts",
    [
        (0,),
        (8,),
        (1, bytes(7), bytes(32)),
        (1, bytes(8), bytes(31)),
        (2, None, (bytes(16),), (1,), (), 0),
        (2, None, (bytes(16),), (1, 2), (bytes(8),), 0),
        (2, None, (bytes(16),) * 2, (1, 2), (bytes(8),) * 2, 0),
        (2, None, (), (), (), 3),
        (2, bytes(15), (), (), (), 0),
        (2, None, (bytes(16),), (2**40,), (bytes(8),), 0),
        (3, (), (), ()),
        (3, (bytes(16),), (1,), (0,)),
        (3, (bytes(16),), (0,), (1024,)),
        (3, (bytes(16),), (0,), ()),
        (3, (bytes(16),) * 33, (0,) * 33, (0,) * 33),
        (4, bytes(16), 0, (bytes(166),), ()),
        (4, bytes(16), 0, (bytes(167),), (None, None)),
        (4, bytes(16), 2**40 - 1, (bytes(167),) * 2, ()),
        (4, bytes(16), 0, (bytes(167),) * 257, ()),
        (4, bytes(16), 0, (bytes(167),), (bytes(entry.CONTENT_BYTES_MAX + 1),)),
        (5, (2, bytes(32), 0, bytes(32), bytes(64))),
        (5, None),
        (6, bytes(16), 0, bytes(167)),
        (7, bytes(31)),
    ],
)
def test_other_frames_are_malformed(parts: Any) -> None:
    with pytest.raises(Malformed):
        sync.decode(wire.encode(parts))


def test_a_tag_is_of_one_log_one_side_one_session_and_one_secret() -> None:
    tags = {
        sync.tag(secret, log, side, nonces)
        for secret in (SECRET, bytes(32))
        for log in (LOG, OTHER)
        for side in Side
        for nonces in (NONCES, NONCES[8:] + NONCES[:8])
    }
    assert len(tags) == 16


def test_a_veil_is_of_one_log_one_side_one_session_and_one_secret_and_hides_any_seq() -> None:
    veils = {
        sync.veil(secret, log, side, nonces)
        for secret in (SECRET, bytes(32))
        for log in (LOG, OTHER)
        for side in Side
        for nonces in (NONCES, NONCES[8:] + NONCES[:8])
    }
    assert len(veils) == 16
    assert all(0 <= veil <= entry.SEQ_MAX for veil in veils)


def test_a_mark_tells_two_heads_apart() -> None:
    marks = {sync.mark(SECRET, head * 32, nonces) for head in (b"a", b"b") for nonces in (NONCES, bytes(16))}
    assert len(marks) == 4


def test_a_digest_is_of_heads_in_any_order() -> None:
    one, other = Standing(LOG, Head(3, bytes(32)), False), Standing(OTHER, Head(0, b"h" * 32), False)
    assert sync.digest([one, other]) == sync.digest([other, one])
    changed = {
        sync.digest(frontier)
        for frontier in (
            [one, other],
            [one],
            [],
            [one._replace(head=Head(4, bytes(32))), other],
            [one._replace(head=Head(3, b"i" * 32)), other],
            [one._replace(log=OTHER), other._replace(log=LOG)],
            [one._replace(is_frozen=True), other],
        )
    }
    assert len(changed) == 7
    # Who has nothing of a log says the same as who has not heard of it; branches of a proven fork count the same.
    assert sync.digest([one, other._replace(head=None)]) == sync.digest([one])
    assert sync.digest([one._replace(is_frozen=True)]) == sync.digest([one._replace(head=None, is_frozen=True)])


def test_a_round_has_the_same_name_at_both_ends_and_another_when_turned() -> None:
    assert sync.round_of(bytes(32), b"l" * 32) != sync.round_of(b"l" * 32, bytes(32))


def test_limits_hold_for_what_we_write_too() -> None:
    made = sync.Live(bytes(16), 0, RAW, None)
    with pytest.raises(OverLimit):
        replace(made, entry=RAW + b"x")
