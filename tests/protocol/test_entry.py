"""Entries: what COSE says of them, every check with its own hostile variant, contents (log.md 1 and 3)."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import keys, sealing
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from protocol import entry, wire
from protocol.entry import Ack, Body, Kind
from protocol.faults import OverLimit
from tests import depth
from tests.protocol import chains
from tests.protocol.chains import ANA, AT_MS, BO, CONTENT, LOG, OTHER, altered, signed

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group of Ed25519
FIRST = entry.write(chains.body(), ANA)
SECOND = entry.write(chains.body(1, FIRST.id), ANA)

bytes32 = st.binary(min_size=32, max_size=32)
bytes16 = st.binary(min_size=16, max_size=16)
seqs = st.integers(0, entry.SEQ_MAX)
acks = st.lists(st.builds(Ack, bytes16, seqs, bytes32), max_size=entry.ACKS_MAX).map(tuple)


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    seq = draw(seqs)
    prev = draw(bytes32) if seq else None
    at_ms, length = draw(st.integers(0, entry.AT_MS_MAX)), draw(st.integers(0, entry.CONTENT_BYTES_MAX))
    kind = draw(st.sampled_from(Kind))
    return Body(ANA.public, draw(bytes16), seq, prev, at_ms, draw(acks), kind, length, draw(bytes32))


# --- laws


@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(bodies())
def test_what_is_written_is_read(body: Body) -> None:
    written = entry.write(body, ANA)
    assert entry.open(written.raw, ANA.public) == written
    assert written.body == body
    assert written.id == hashlib.blake2b(written.raw, digest_size=32).digest()
    assert entry.write(body, ANA).raw == written.raw


def test_the_limits_of_size_are_those_of_the_largest_and_the_smallest() -> None:
    ack = Ack(LOG, entry.SEQ_MAX, bytes(32))
    most = (entry.SEQ_MAX, bytes(32), entry.AT_MS_MAX, (ack,) * entry.ACKS_MAX)
    largest = Body(ANA.public, LOG, *most, Kind.PUBLIC, entry.CONTENT_BYTES_MAX, bytes(32))
    smallest = Body(ANA.public, LOG, 0, None, 0, (), Kind.SEALED, 0, bytes(32))
    assert len(entry.write(largest, ANA).raw) == entry.ENTRY_BYTES_MAX
    assert len(entry.write(smallest, ANA).raw) == entry.ENTRY_BYTES_MIN


# --- COSE, as anybody else reads it: cbor2 and cryptography, nothing of weft


def verify_as_cose(message: bytes, public: bytes, external: bytes) -> Any:
    """The payload of a COSE_Sign1 with tag 18, checked as RFC 9052, 4.4 has it."""
    tagged = cbor2.loads(message)
    assert tagged.tag == 18
    protected, unprotected, payload, signature = tagged.value
    headers = cbor2.loads(protected)
    assert headers[1] == -8  # EdDSA
    assert isinstance(unprotected, Mapping)
    structure = cbor2.dumps(["Signature1", protected, external, payload])
    Ed25519PublicKey.from_public_bytes(public).verify(signature, structure)
    return payload


def test_the_reader_of_this_test_reads_the_example_of_the_cose_working_group() -> None:
    # github.com/cose-wg/Examples, eddsa-examples/eddsa-sig-01.json; its key is the first of RFC 8032, 7.1
    message = bytes.fromhex(
        "D28445A201270300A10442313154546869732069732074686520636F6E74656E742E58407142FD2FF96D56DB85BEE905A76BA1D0B7321A95"
        "C8C4D3607C5781932B7AFB8711497DFA751BF40B58B3BCC32300B1487F3DB34085EEF013BF08F4A44D6FEF0D"
    )
    key = keys.SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert verify_as_cose(message, key.public, b"") == b"This is the content."
    structure = b"\x84\x6aSignature1\x45\xa2\x01\x27\x03\x00\x40\x54This is the content."
    keys.verify_cose(key.public, structure, message[-64:])
    assert key.sign_cose(structure) == message[-64:]


@given(bodies())
@settings(max_examples=depth.EXAMPLES, deadline=None)
def test_an_entry_is_cose_sign1_to_anybody(body: Body) -> None:
    raw = entry.write(body, ANA).raw
    said = cbor2.loads(verify_as_cose(b"\xd2" + raw, ANA.public, b"weft/1/log"))
    heard = [list(ack) for ack in body.acks]
    assert said == [
        *(1, body.author, body.log, body.seq, body.prev, body.at_ms),
        *(heard, int(body.kind), body.content_length, body.content_hash),
    ]


@pytest.mark.parametrize("external", [b"", b"weft/1/spine", b"weft/1/log\x00", b"weft/1/lo"])
def test_other_external_data_is_another_signature(external: bytes) -> None:
    with pytest.raises(InvalidSignature):
        verify_as_cose(b"\xd2" + FIRST.raw, ANA.public, external)


# --- case 29: no signature means anything under another purpose


def test_case_29_a_signature_under_any_label_is_none_of_an_entry() -> None:
    structure = chains.structure(chains.payload(FIRST))
    for label in Label:
        for message in (structure, structure[len(keys.COSE_SIGN1) :], chains.payload(FIRST)):
            with pytest.raises(Forged):
                entry.open(FIRST.raw[:-64] + ANA.sign(label, message), ANA.public)


def test_case_29_an_entry_is_no_signature_under_any_label() -> None:
    structure = chains.structure(chains.payload(FIRST))
    for label in Label:
        for message in (structure, chains.payload(FIRST), FIRST.raw[:-64]):
            with pytest.raises(Forged):
                keys.verify(ANA.public, label, message, FIRST.raw[-64:])


def test_case_29_a_signature_for_another_external_label_is_none_of_an_entry() -> None:
    protected, payload = bytes.fromhex("a10127"), chains.payload(FIRST)
    for label in Label:
        structure = cbor2.dumps(["Signature1", protected, label.value.encode(), payload])
        raw = FIRST.raw[:-64] + ANA.sign_cose(structure)
        if label is Label.LOG:
            assert raw == FIRST.raw
            continue
        with pytest.raises(Forged):
            entry.open(raw, ANA.public)


# --- case 28: what is not signed cannot differ


@pytest.mark.parametrize(
    "headers",
    [
        "44a1012700a0",  # bytes after the protected header
        "43a10127a10400",  # a key id in the unprotected one
        "43a10127a10126",  # another algorithm in the unprotected one
        "40a10127",  # the algorithm unprotected
        "43a10126a0",  # ES256
        "5803a10127a0",  # a long form
        "43a10127bfff",  # an empty map of indefinite length
        "43a10127b800",
        "45a201270300a0",  # a content type
        "41a0a0",
        "43a1012780",
        "43a10127f6",
    ],
)
def test_case_28_other_headers_around_a_signed_body_are_refused(headers: str) -> None:
    with pytest.raises(Malformed):
        entry.open(signed(chains.payload(FIRST), headers=bytes.fromhex(headers)), ANA.public)


def test_case_28_no_other_bytes_say_the_same_entry() -> None:
    raw, payload = FIRST.raw, chains.payload(FIRST)
    long_payload = b"\x59" + len(payload).to_bytes(2, "big") + payload
    variants = [
        b"\xd2" + raw,  # with its tag
        raw + b"\x00",
        raw[:-1],
        b"\x9f" + raw[1:] + b"\xff",  # the array of indefinite length
        b"\x98\x04" + raw[1:],
        b"\x85" + raw[1:] + b"\x00",
        raw[:6] + long_payload + raw[-66:],
        raw[:6] + b"\x5f" + raw[6:-66] + b"\xff" + raw[-66:],
        raw[:-66] + b"\x59\x00\x40" + raw[-64:],
        raw[:6] + b"\xf6" + raw[-66:],  # detached payload
        raw[:6] + payload + raw[-66:],  # the body not wrapped
        raw[:7] + bytes((raw[7] - 1,)) + raw[8:],  # a byte string that ends before the signature
        raw[:7] + bytes((raw[7] + 1,)) + raw[8:],
    ]
    for variant in variants:
        with pytest.raises(Malformed):
            entry.open(variant, ANA.public)


def test_case_28_the_signature_cannot_be_varied_by_others() -> None:
    r, s = FIRST.raw[-64:-32], int.from_bytes(FIRST.raw[-32:], "little")
    with pytest.raises(Forged):
        entry.open(FIRST.raw[:-64] + r + (s + ORDER).to_bytes(32, "little"), ANA.public)
    with pytest.raises(Forged):
        entry.open(FIRST.raw[:-64] + bytes(64), ANA.public)


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(st.integers(0, 8 * len(SECOND.raw) - 1))
def test_any_bit_that_is_flipped_is_noticed(bit: int) -> None:
    changed = bytearray(SECOND.raw)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Malformed, Forged)):
        entry.open(bytes(changed), ANA.public)


# --- one hostile variant for each check; all are signed by the author


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 0),
        (0, 2),
        (0, b"\x01"),
        (0, None),
        (1, ANA.public[:31]),
        (1, None),
        (2, LOG[:15]),
        (2, LOG + b"\x00"),
        (2, 16),
        (3, -1),
        (3, entry.SEQ_MAX + 1),
        (3, b""),
        (3, 0),  # with a prev
        (4, None),  # with a seq above 0
        (4, bytes(31)),
        (4, ()),
        (5, -1),
        (5, entry.AT_MS_MAX + 1),
        (5, "now"),
        (6, None),
        (6, ((LOG, 0),)),
        (6, ((LOG, 0, bytes(32), 0),)),
        (6, ((LOG[:15], 0, bytes(32)),)),
        (6, ((LOG, -1, bytes(32)),)),
        (6, ((LOG, entry.SEQ_MAX + 1, bytes(32)),)),
        (6, ((LOG, 0, bytes(31)),)),
        (6, (LOG, 0, bytes(32))),
        (6, ((LOG, 0, bytes(32)),) * (entry.ACKS_MAX + 1)),
        (7, 3),
        (7, -1),
        (7, None),
        (8, -1),
        (8, entry.CONTENT_BYTES_MAX + 1),
        (8, None),
        (9, bytes(33)),
        (9, None),
    ],
)
def test_each_limit_of_a_body_is_checked(index: int, value: wire.Value) -> None:
    with pytest.raises(Malformed):
        entry.open(altered(SECOND, index, value), ANA.public)


def test_a_body_has_ten_items_and_is_an_array_in_bytes() -> None:
    items: Any = wire.decode(chains.payload(FIRST), 4096)
    for said in (items[:-1], (*items, 0), (), b"", "text", 1):
        with pytest.raises(Malformed):
            entry.open(signed(wire.encode(said)), ANA.public)
    with pytest.raises(Malformed):
        entry.open(FIRST.raw[:6] + wire.encode("x" * 30) + FIRST.raw[-66:], ANA.public)


def test_a_body_in_another_encoding_is_refused() -> None:
    canonical = chains.payload(FIRST)
    assert canonical[:2] == b"\x8a\x01"
    for payload in (b"\x8a\x18\x01" + canonical[2:], b"\x98\x0a" + canonical[1:], canonical + b"\x00"):
        with pytest.raises(Malformed):
            entry.open(signed(payload), ANA.public)


def test_a_large_one_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed):
        entry.open(signed(bytes(entry.ENTRY_BYTES_MAX)), ANA.public)


def test_an_entry_is_opened_for_its_author_alone() -> None:
    with pytest.raises(Forged):
        entry.open(FIRST.raw, BO.public)
    with pytest.raises(Forged):  # Bo signs what names Ana
        entry.open(signed(chains.payload(FIRST), BO), ANA.public)
    with pytest.raises(Forged):  # a key of low order accepts nothing
        entry.open(altered(FIRST, 1, bytes(32)), bytes(32))


def test_the_constructor_refuses_what_the_wire_refuses() -> None:
    good = chains.body(1, FIRST.id)
    for changes in (
        {"seq": 0},
        {"seq": -1},
        {"prev": None},
        {"at_ms": entry.AT_MS_MAX + 1},
        {"author": b""},
        {"log": b""},
        {"kind": 0},
        {"acks": [Ack(LOG, 0, bytes(32))]},
        {"acks": (Ack(LOG, -1, bytes(32)),)},
        {"content_length": entry.CONTENT_BYTES_MAX + 1},
        {"content_hash": b""},
    ):
        with pytest.raises(OverLimit):
            dataclasses.replace(good, **changes)


# --- contents


def test_a_content_is_what_the_body_names() -> None:
    entry.check_content(FIRST.body, CONTENT)
    for other in (b"", CONTENT[:-1], CONTENT + b"\x00", b"C" + CONTENT[1:]):
        with pytest.raises(Forged):
            entry.check_content(FIRST.body, other)
    with pytest.raises(Forged):
        entry.check_content(dataclasses.replace(FIRST.body, content_length=len(CONTENT) + 1), CONTENT)


KEY = entry.content_key(chains.SECRET, LOG, 7)
NONCE = bytes(range(24))


@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(st.binary(max_size=2000) | st.integers(0, entry.SAID_BYTES_MAX).map(bytes))
def test_a_sealed_content_opens_and_has_one_of_ten_lengths(said: bytes) -> None:
    content = entry.seal(KEY, ANA.public, LOG, 7, said, NONCE)
    assert entry.unseal(KEY, ANA.public, LOG, 7, content) == said
    assert len(content) - 40 in entry.PADDED_BYTES
    assert len(content) <= entry.CONTENT_BYTES_MAX
    assert content[:24] == NONCE


def test_amounts_of_any_size_have_one_length() -> None:
    lengths = {
        len(entry.seal(KEY, ANA.public, LOG, 7, wire.encode((203, bytes(16), "EUR", amount)), NONCE))
        for amount in (1, 24, 2**16, 2**53 - 1)
    }
    assert lengths == {168}


def test_a_sealed_content_opens_in_its_place_alone() -> None:
    content = entry.seal(KEY, ANA.public, LOG, 7, b"said", NONCE)
    for place in ((BO.public, LOG, 7), (ANA.public, OTHER, 7), (ANA.public, LOG, 8)):
        with pytest.raises(Forged):
            entry.unseal(KEY, *place, content)
    for key in (entry.content_key(chains.SECRET, LOG, 8), entry.content_key(chains.SECRET, OTHER, 7), bytes(32)):
        with pytest.raises(Forged):
            entry.unseal(key, ANA.public, LOG, 7, content)
    for changed in (b"", content[:39], content[:-1], content[:-1] + b"\x00"):
        with pytest.raises(Forged):
            entry.unseal(KEY, ANA.public, LOG, 7, changed)


def test_padding_is_checked() -> None:
    place = ANA.public + LOG + (7).to_bytes(8, "big")
    for padded in (bytes(128), b"\x80".ljust(127, b"\x00"), b"said"):
        with pytest.raises(Malformed):
            entry.unseal(KEY, ANA.public, LOG, 7, sealing.seal(KEY, NONCE, padded, place))


def test_more_than_60_kib_is_refused() -> None:
    with pytest.raises(OverLimit):
        entry.seal(KEY, ANA.public, LOG, 7, bytes(entry.SAID_BYTES_MAX + 1), NONCE)


def test_the_clock_of_an_author_is_never_judged() -> None:
    for at_ms in (0, AT_MS, entry.AT_MS_MAX):
        assert entry.open(entry.write(chains.body(at_ms=at_ms), ANA).raw, ANA.public).body.at_ms == at_ms
