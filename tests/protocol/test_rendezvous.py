"""The outer form of what lies in the DHT: one for all purposes, one hostile variant for each check, unlinkable days."""

import hashlib
from itertools import combinations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Forged, Malformed
from crypto.keys import SigningKey
from protocol import presence_record, record, rendezvous
from protocol.faults import PeerFault
from protocol.rendezvous import Record, RecordAhead, RecordOver
from tests.protocol import meetings
from tests.protocol.circle import DAY_S, NOW_S
from tests.protocol.meetings import EPOCH, EVE, KINDS, PRESENCE, Lying

MINUTE_S = 60
MIDNIGHT_S = rendezvous.ends_s(EPOCH)


def opened(lying: Lying, now_s: int = NOW_S) -> Record:
    return rendezvous.check(lying.key, lying.raw, now_s)


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_whoever_keeps_a_record_sees_the_same_of_every_kind(make: Any) -> None:
    found = opened(make())
    assert len(make().raw) <= (1024 if len(found.sealed) == 800 else 4096)
    assert (found.expiry_s, found.until_s, found.sequence) == (MIDNIGHT_S, MIDNIGHT_S, NOW_S - NOW_S % MINUTE_S)


def test_the_form_is_what_other_libraries_say() -> None:
    lying = meetings.presence()
    found = opened(lying)
    day = EPOCH.to_bytes(4, "big")
    seed = HKDF(SHA256(), 32, bytes(32), b"weft/1/rv\x00name" + day).derive(PRESENCE)
    assert SigningKey(seed).public == found.name
    assert lying.key == hashlib.sha256(found.name).digest()
    certified = b"weft/1/rv\x00" + found.name + found.signer + found.until_s.to_bytes(4, "big")
    Ed25519PublicKey.from_public_bytes(found.name).verify(found.certificate, certified)
    said = lying.raw[:-66]  # the signature with its head
    Ed25519PublicKey.from_public_bytes(found.signer).verify(found.signature, b"weft/1/dht\x00" + b"\x88" + said[1:])


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"name": EVE.device_key.public}, Forged),
        ({"signer": EVE.device_key.public}, Forged),
        ({"until_s": MIDNIGHT_S + 1}, Forged),
        ({"until_s": MIDNIGHT_S - 1}, RecordOver),
        ({"certificate": bytes(64)}, Forged),
        ({"sequence": NOW_S + 901}, RecordAhead),
        ({"sequence": -1}, Malformed),
        ({"expiry_s": NOW_S}, RecordOver),
        ({"expiry_s": MIDNIGHT_S + 1}, RecordOver),
        ({"expiry_s": 2**32}, Malformed),
        ({"sealed": b"x" * 801}, Malformed),
        ({"sealed": b""}, Malformed),
    ],
)
def test_each_field_is_checked(changed: dict[str, Any], fault: type[PeerFault]) -> None:
    lying = meetings.presence()
    with pytest.raises(fault):
        rendezvous.check(lying.key, meetings.resigned(lying, **changed), NOW_S)
    assert rendezvous.check(lying.key, meetings.resigned(lying), NOW_S) == opened(lying)


@given(st.integers(0, len(meetings.presence().raw) * 8 - 1))
def test_no_bit_can_be_changed_by_whoever_keeps_it(bit: int) -> None:
    lying = meetings.presence()
    changed = bytearray(lying.raw)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerFault):
        rendezvous.check(lying.key, bytes(changed), NOW_S)


def test_a_record_lies_under_no_other_key() -> None:
    with pytest.raises(Forged):
        rendezvous.check(bytes(32), meetings.presence().raw, NOW_S)


def test_a_certificate_from_further_ahead_than_a_day_is_refused_until_its_day() -> None:
    lying = meetings.account(EPOCH + 5)
    with pytest.raises(RecordAhead):
        opened(lying)
    early_s = rendezvous.ends_s(EPOCH + 5) - rendezvous.EXPIRY_S_MAX
    opened(lying, early_s)
    opened(lying, early_s - rendezvous.CLOCK_S_MAX)
    with pytest.raises(RecordAhead):
        opened(lying, early_s - rendezvous.CLOCK_S_MAX - 1)


def test_a_record_ends_with_its_day() -> None:
    lying = meetings.presence()
    opened(lying, MIDNIGHT_S - 1)
    with pytest.raises(RecordOver):
        opened(lying, MIDNIGHT_S)


def test_a_seal_holds_for_one_record_alone() -> None:
    lying, later = meetings.presence(), rendezvous.next_sequence(NOW_S, opened(meetings.presence()).sequence)
    moved = rendezvous.check(lying.key, meetings.resigned(lying, sequence=later - 2), NOW_S)
    with pytest.raises(Forged):
        rendezvous.open_sealed(moved, lying.seal, presence_record.Presence)


@given(st.lists(st.tuples(st.integers(0, NOW_S), st.binary(min_size=800, max_size=800)), min_size=2, max_size=5))
def test_of_two_records_one_is_newer_and_all_nodes_agree_which(made: list[tuple[int, bytes]]) -> None:
    lying = meetings.presence()
    records = [record.decode(Record, meetings.resigned(lying, sequence=s, sealed=c), 4096) for s, c in made]
    for one, other in combinations(records, 2):
        assert (rendezvous.newer(one, other), rendezvous.newer(other, one)).count(True) == (one != other)
        if one.sequence != other.sequence:
            assert rendezvous.newer(one, other) == (one.sequence > other.sequence)


def test_a_sequence_grows_and_tells_no_seconds() -> None:
    first = rendezvous.next_sequence(NOW_S + 59, None)
    assert first % MINUTE_S == 0
    assert rendezvous.next_sequence(NOW_S + 59, first) == first + 1
    assert rendezvous.next_sequence(NOW_S + 120, first + 1) == first + 120
    assert rendezvous.next_sequence(NOW_S, NOW_S + 899) == NOW_S + 900
    for from_a_wrong_clock in (900, 901, DAY_S):
        assert rendezvous.next_sequence(NOW_S, NOW_S + from_a_wrong_clock) == NOW_S


@pytest.mark.parametrize(
    ("before_midnight_s", "published", "asked"),
    [
        (DAY_S, (0,), (0,)),
        (7201, (0,), (0,)),
        (7200, (0, 1), (0,)),
        (901, (0, 1), (0,)),
        (900, (0, 1), (0, 1)),
        (1, (0, 1), (0, 1)),
        (0, (1,), (1,)),
    ],
)
def test_tomorrow_begins_at_22(before_midnight_s: int, published: tuple[int, ...], asked: tuple[int, ...]) -> None:
    now_s = MIDNIGHT_S - before_midnight_s
    assert rendezvous.epochs_published(now_s) == tuple(EPOCH + day for day in published)
    assert rendezvous.epochs_asked(now_s) == tuple(EPOCH + day for day in asked)


@given(st.integers(NOW_S, NOW_S + 3 * DAY_S), st.integers(-450, 450), st.integers(-450, 450))
def test_what_is_asked_for_is_published_though_the_clocks_differ(now_s: int, mine_s: int, theirs_s: int) -> None:
    # each clock off by so much that they are at most a quarter of an hour apart
    asked = rendezvous.epochs_asked(now_s + mine_s)
    published = rendezvous.epochs_published(now_s + theirs_s)
    alive = [epoch for epoch in set(asked) & set(published) if rendezvous.ends_s(epoch) > now_s + mine_s]
    assert alive != []


# --- case 53: what an observer in the store of a DHT node can link


def runs(raw: bytes, size: int = 4) -> set[bytes]:
    return {raw[at : at + size] for at in range(len(raw) - size + 1)}


def observed(found: Record) -> bytes:
    """What is of the user in a record: all but the times, which are those of everybody on that day."""
    return b"".join((found.name, found.signer, found.certificate, found.sealed, found.signature))


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_case_53_three_days_of_one_user_have_nothing_in_common(make: Any) -> None:
    days = [make(EPOCH + day, bytes((day,)) * 32, bytes((day,)) * 24) for day in range(3)]
    found = [opened(lying, NOW_S + day * DAY_S) for day, lying in enumerate(days)]
    for one, other in combinations(range(3), 2):
        # Nonces are random, and stand before the sealed bytes; here they are the test's own.
        assert runs(observed(found[one])) & runs(observed(found[other])) == set()
        assert days[one].key != days[other].key
        assert len(found[one].sealed) == len(found[other].sealed)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**31), st.integers(1, 1000))
def test_case_53_keys_of_two_days_share_nothing(secret: bytes, epoch: int, later: int) -> None:
    one, other = rendezvous.keys_of(secret, epoch), rendezvous.keys_of(secret, epoch + later)
    parts = [runs(keys.name.public + keys.name.seed + keys.seal, 6) for keys in (one, other)]
    assert parts[0] & parts[1] == set()


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_case_53_who_lacks_the_key_reads_nothing(make: Any) -> None:
    lying = make()
    found = opened(lying)
    for guess in (bytes(32), found.name, found.signer, rendezvous.keys_of(found.name, EPOCH).seal):
        with pytest.raises(Forged):
            rendezvous.open_sealed(found, guess, presence_record.Presence)
    for known in (meetings.ANA.account, meetings.ANA.device, meetings.PEER, b"192.0.2.7", b"Ana"):
        assert known not in lying.raw


def test_keys_and_signers_show_no_secret() -> None:
    keys = rendezvous.keys_of(PRESENCE, EPOCH)
    signer = rendezvous.appoint(keys.name, EPOCH, b"A" * 32)
    for holder in (keys, signer):
        assert "AAAA" not in repr(holder)
        assert keys.seal.hex()[:8] not in repr(holder)
