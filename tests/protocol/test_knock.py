"""What strangers leave at keepers: sealed to an invitation's inbox alone, through doors that keepers cannot match."""

from dataclasses import replace

import pytest

from crypto import hashing, sealing, xwing
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from crypto.keys import DhKey
from crypto.xwing import InboxKey
from features.contacts.content import GREETING_BYTES_MAX, Introduction
from protocol import knock, mailbox, record
from protocol.knock import Knock
from tests.crypto.pairs import encapsulation_of, entropy_of, flipped
from tests.protocol.circle import first_words, someone

ANA, BO = someone("ana"), someone("bo")
SECRET, FIND = b"s" * 16, b"f" * 32
DOOR = knock.door_of(SECRET, FIND)
MINE = InboxKey(b"k" * 32)
ADDRESSES = tuple(f"/ip6/2001:db8:1234:5678:9abc:def0:1234:{n:x}/tcp/40001" for n in range(8))
LINE = mailbox.Line(b"p" * 32, ADDRESSES[:2], FIND, b"i" * 16, b"k" * 32, b"w" * 32, b"m" * 16)
INIT = first_words(BO, ANA, Introduction(BO.card(), "hello", ADDRESSES[:2], bytes(32)))
KNOCK = Knock(INIT, mailbox.Inbox(1, (LINE,)))


def left(what: Knock = KNOCK, sender: bytes = DOOR.sender) -> bytes:
    entropy = entropy_of("left")
    return knock.seal(MINE.public, sender, what, DhKey(entropy(32)), encapsulation_of(entropy))


def sealed(raw: bytes) -> bytes:
    """Bytes sealed as a knock is, by somebody who has the link."""
    entropy, info = entropy_of("sealed"), hashing.labelled(Label.KEEP, b"inbox" + DOOR.sender)
    return DOOR.sender + xwing.seal(MINE.public, info, raw, DhKey(entropy(32)), encapsulation_of(entropy))


@pytest.mark.parametrize("what", [KNOCK, Knock(INIT, None)], ids=["with an inbox", "without"])
def test_what_is_left_is_found(what: Knock) -> None:
    raw = left(what)
    assert len(raw) == 4096
    assert knock.sender_of(raw) == DOOR.sender
    assert knock.open_sealed(MINE, raw) == what


def test_the_largest_knock_fits_16_kib() -> None:
    eight = [BO.certificate, *(BO.certify(serial) for serial in range(2, 9))]
    assert len(eight) == 8
    line = replace(LINE, addresses=tuple("/" + "a" * 191 for _ in range(4)))
    most = Introduction(BO.card("n" * 64), "g" * GREETING_BYTES_MAX, ADDRESSES, bytes(32))
    what = Knock(first_words(BO, ANA, most), mailbox.Inbox(record.SAFE_INT_MAX, (line,) * 3))
    assert len(left(what)) == 16_384
    assert knock.open_sealed(MINE, left(what)) == what


def test_two_keepers_cannot_tell_that_doors_belong_together() -> None:
    """Nor has who keeps anything by which he could open what is left, or find the record of the invitation."""
    other = knock.door_of(SECRET, b"F" * 32)
    assert knock.door_of(SECRET, FIND) == DOOR
    assert len({DOOR.sender, other.sender, knock.door_of(b"S" * 16, FIND).sender}) == 3
    assert len({DOOR.put_key, other.put_key, knock.door_of(b"S" * 16, FIND).put_key}) == 3
    one, two = left(), left(sender=other.sender)
    assert sum(a == b for a, b in zip(one[16 + 1120 :], two[16 + 1120 :], strict=True)) < 60  # 12 expected of 2,960


@pytest.mark.parametrize("size", [0, 15, 16, 1024, 4095, 4097, 16_383, 65_536])
def test_another_length_is_forged(size: int) -> None:
    for read in (knock.sender_of, lambda raw: knock.open_sealed(MINE, raw)):
        with pytest.raises(Forged):
            read((left() + bytes(65_536))[:size])


def test_another_key_door_or_bit_is_forged() -> None:
    raw = left()
    with pytest.raises(Forged):
        knock.open_sealed(InboxKey(b"K" * 32), raw)
    with pytest.raises(Forged):
        knock.open_sealed(MINE, knock.door_of(SECRET, b"F" * 32).sender + raw[16:])
    for bit in range(0, len(raw) * 8, 331):
        with pytest.raises(Forged):
            knock.open_sealed(MINE, flipped(raw, bit))


@pytest.mark.parametrize("size", [1, 2943, 2945, 15_231])
def test_a_length_that_is_no_bucket_is_forged_before_it_is_opened(size: int) -> None:
    with pytest.raises(Forged):
        knock.open_sealed(MINE, sealed(bytes(size)))


def test_padding_without_its_mark_and_other_kinds_are_malformed() -> None:
    for raw in (bytes(2944), record.encode(KNOCK).ljust(2944, b"\x00")):
        with pytest.raises(Malformed):
            knock.open_sealed(MINE, sealed(raw))
    for what in (INIT, INIT.message, INIT.certificate):
        with pytest.raises(Malformed):
            knock.open_sealed(MINE, sealed(sealing.pad(record.encode(what), knock.PADDED_BYTES)))
