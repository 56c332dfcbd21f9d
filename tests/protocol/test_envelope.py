"""Envelopes: sizes that first contact must keep, downgrades that are refused, limits to the byte (cases 10, 26, 52)."""

from dataclasses import replace
from typing import Any

import pytest

from crypto import header, sealing
from crypto.faults import Malformed
from features.contacts.content import GREETING_BYTES_MAX, Introduction, Welcome
from protocol import envelope, identity, record, wire
from protocol.content import CONTENT_BYTES_MAX
from protocol.faults import OverLimit
from protocol.ids import SessionId
from tests.protocol.circle import NOW_S, first_words, said_by, someone

ANA, BO = someone("ana"), someone("bo")
GREETING = "g" * GREETING_BYTES_MAX
ADDRESSES = tuple(f"/ip6/2001:db8:1234:5678:9abc:def0:1234:{n:x}/tcp/40001" for n in range(8))
SMALL, LARGE = header.SMALL_BYTES + envelope.SEAL_BYTES, header.LARGE_BYTES + envelope.SEAL_BYTES

MESSAGE = envelope.Message(bytes(SMALL), bytes(40))
INIT = first_words(BO, ANA, Introduction(BO.card(), "hello", ADDRESSES[:2], bytes(32)))
RESTART = envelope.Restart(SessionId(bytes(16)), INIT)


@pytest.mark.parametrize("inner", [MESSAGE, INIT, RESTART], ids=["message", "init", "restart"])
def test_what_is_enclosed_is_disclosed(inner: envelope.Inner) -> None:
    raw = envelope.enclose(inner)
    assert len(raw) in sealing.BUCKETS
    assert envelope.disclose(raw) == inner


def card_of_eight() -> tuple[identity.Card, int]:
    certificates = (BO.certificate, *(BO.certify(serial) for serial in range(2, 9)))
    devices = identity.first_list(BO.account_key, certificates, NOW_S)
    return replace(BO.card("n" * 64), devices=devices), len(certificates)


def test_first_contact_stays_in_its_buckets() -> None:
    """Foundations of the invitation: the init of one device fits 4 KiB with all of its fields at their limits."""
    asker = Introduction(BO.card("n" * 64), GREETING, ADDRESSES, bytes(32))
    init = envelope.enclose(first_words(BO, ANA, asker))
    assert len(init) == 4096
    welcome = said_by(ANA, Welcome(ANA.card("n" * 64), 1, bytes(32), 1, bytes(32)))
    answer = envelope.Message(bytes(LARGE), bytes(len(welcome) + envelope.SEAL_BYTES))
    assert len(envelope.enclose(answer)) == 4096
    card, count = card_of_eight()
    assert count == identity.DEVICES_MAX
    eight = envelope.enclose(first_words(BO, ANA, Introduction(card, GREETING, ADDRESSES, bytes(32))))
    assert len(eight) in (4096, 16384)


def test_a_bundle_with_its_one_time_set_fits_a_dht_record() -> None:
    sealed = len(record.encode(ANA.bundle(ANA.one_time()))) + envelope.SEAL_BYTES
    assert sealed <= 4096


def test_an_ordinary_message_takes_the_smallest_bucket_and_the_largest_content_still_fits() -> None:
    line = envelope.Message(bytes(SMALL), bytes(40 + 300))
    assert len(envelope.enclose(line)) == 1024
    largest = envelope.Message(bytes(LARGE), bytes(40 + CONTENT_BYTES_MAX))
    restart = envelope.Restart(SessionId(bytes(16)), replace(INIT, message=largest))
    assert len(envelope.enclose(restart)) == 65536
    assert envelope.disclose(envelope.enclose(restart)) == restart


# --- downgrades (case 10)


def parts_of(rec: Any) -> list[Any]:
    return [rec.KIND, *record.fields(rec)]


def disclosed(parts: Any) -> envelope.Inner:
    return envelope.disclose(sealing.pad(wire.encode(parts)))


@pytest.mark.parametrize("version", [0, 2, 4, 255, -1, None, "1", b"\x01"])
def test_case_10_an_init_of_another_version_is_refused(version: Any) -> None:
    with pytest.raises(Malformed):
        disclosed((version, *parts_of(INIT)[1:]))


KEM = [name for name, _ in record.rules(envelope.Init)].index("ciphertext") + 1


@pytest.mark.parametrize("ciphertext", [None, b"", bytes(1087), bytes(1089), (), 0, bytes(32)])
def test_case_10_an_init_without_its_kem_field_is_refused(ciphertext: Any) -> None:
    parts = parts_of(INIT)
    with pytest.raises(Malformed):
        disclosed((*parts[:KEM], ciphertext, *parts[KEM + 1 :]))


@pytest.mark.parametrize("index", range(1, len(record.fields(INIT)) + 1))
def test_case_10_an_init_without_any_of_its_fields_is_refused(index: int) -> None:
    parts = parts_of(INIT)
    with pytest.raises(Malformed):
        disclosed((*parts[:index], *parts[index + 1 :]))
    with pytest.raises(Malformed):
        disclosed((*parts, None))


def test_an_init_inside_an_init_and_a_message_alone_in_a_restart_are_refused() -> None:
    parts = parts_of(INIT)
    with pytest.raises(Malformed):
        disclosed((*parts[:-1], tuple(parts)))
    with pytest.raises(Malformed):
        disclosed((3, bytes(16), (2, bytes(SMALL), bytes(40))))


# --- limits (case 26)


@pytest.mark.parametrize("size", [0, SMALL - 1, SMALL + 1, LARGE - 1, LARGE + 1, 40])
def test_case_26_a_header_has_one_of_two_sizes(size: int) -> None:
    with pytest.raises(OverLimit):
        envelope.Message(bytes(size), bytes(40))
    with pytest.raises(Malformed):
        disclosed((2, bytes(size), bytes(40)))


@pytest.mark.parametrize("size", [0, 39, CONTENT_BYTES_MAX + 41])
def test_case_26_a_body_holds_a_content_and_no_more(size: int) -> None:
    with pytest.raises(OverLimit):
        envelope.Message(bytes(SMALL), bytes(size))
    with pytest.raises(Malformed):
        disclosed((2, bytes(SMALL), bytes(size)))


@pytest.mark.parametrize("size", [0, 1, 1023, 1025, 4095, 65535, 65537, 131072])
def test_case_26_an_envelope_has_the_size_of_a_bucket(size: int) -> None:
    raw = envelope.enclose(MESSAGE)
    with pytest.raises(Malformed):
        envelope.disclose((raw + bytes(131072))[:size])


@pytest.mark.parametrize("bucket", sealing.BUCKETS)
def test_padding_alone_is_no_envelope(bucket: int) -> None:
    for raw in (bytes(bucket), b"\x80" + bytes(bucket - 1), b"\xff" * bucket, b"\x80" * bucket):
        with pytest.raises(Malformed):
            envelope.disclose(raw)


def test_the_same_message_in_a_larger_bucket_is_read_too() -> None:
    raw = record.encode(MESSAGE)
    assert envelope.disclose(sealing.pad(raw, (4096,))) == MESSAGE
