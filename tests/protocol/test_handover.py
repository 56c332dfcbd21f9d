"""Handovers: what opens for whom, and that nothing else does."""

import random
from dataclasses import replace

import pytest

from crypto import hashing, sealing
from crypto.faults import Forged, Malformed, PeerFault
from crypto.hashing import Label
from crypto.keys import SigningKey
from protocol import grant, record, wire
from protocol.grant import GRANT_BYTES_MAX, Grant, Handover, Role

ANA, BO = SigningKey(b"a" * 32), SigningKey(b"b" * 32)
SECRET, BEFORE, NONCE = b"s" * 32, b"l" * 16, bytes(range(24))
NEXT = Grant(Role.FEED, 7, b"t" * 32, b"c" * 32, "moments", BEFORE)


def made(granted: Grant = NEXT, key: SigningKey = ANA, secret: bytes = SECRET) -> Handover:
    return grant.hand_over(secret, granted, key, NONCE)


def test_a_reader_of_the_log_before_finds_the_grant_and_the_longest_fits() -> None:
    assert grant.handed(made(), ANA.public, SECRET) == NEXT
    longest = replace(NEXT, name="n" * grant.NAME_BYTES_MAX, epoch=2**53 - 1)
    assert len(record.encode(longest)) <= GRANT_BYTES_MAX
    said = record.decode(Handover, record.encode(made(longest)), 512)
    assert grant.handed(said, ANA.public, SECRET) == longest


def test_who_has_the_secret_and_is_not_the_author_makes_none() -> None:
    with pytest.raises(Forged):
        grant.handed(made(key=BO), ANA.public, SECRET)


def test_who_has_not_the_secret_of_the_log_before_learns_nothing_of_what_it_grants() -> None:
    with pytest.raises(Forged):
        grant.handed(made(), ANA.public, b"x" * 32)
    raw = record.encode(made())
    assert not any(part in raw for part in (NEXT.secret, NEXT.anchor, b"moments", ANA.public))


def test_it_is_of_one_log_before() -> None:
    other = b"m" * 16
    with pytest.raises(Forged):  # said of another log of hers
        grant.handed(replace(made(), before=other), ANA.public, SECRET)
    moved = grant.hand_over(SECRET, replace(NEXT, previous=other), ANA, NONCE)
    with pytest.raises(Forged):
        grant.handed(replace(moved, before=BEFORE), ANA.public, SECRET)


def signed(granted: Grant) -> Handover:
    """A handover that its author has signed, and that no weft makes."""
    key = hashing.subkey(SECRET, Label.LOG, b"handover" + BEFORE)
    box = sealing.seal(key, NONCE, record.encode(granted), BEFORE)
    return Handover(BEFORE, box, ANA.sign(Label.LOG, wire.encode((Handover.KIND, BEFORE, box))))


@pytest.mark.parametrize(
    "granted",
    [
        replace(NEXT, role=Role.NOTES),
        replace(NEXT, previous=None),
        replace(NEXT, previous=b"m" * 16),
    ],
)
def test_another_role_and_another_log_before_inside_are_forged(granted: Grant) -> None:
    with pytest.raises(Forged):
        grant.handed(signed(granted), ANA.public, SECRET)
    assert grant.handed(signed(NEXT), ANA.public, SECRET) == NEXT


def test_no_byte_of_it_can_be_another() -> None:
    raw, drawn = record.encode(made()), random.Random(81)
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= drawn.randrange(1, 256)
        try:
            said = record.decode(Handover, bytes(changed), 512)
        except (Malformed, PeerFault):
            continue
        with pytest.raises(Forged):
            grant.handed(said, ANA.public, SECRET)
