"""Hashing, HKDF and MAC against published vectors; the laws of labels."""

import itertools

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from crypto import hashing, keys
from crypto.faults import Forged
from crypto.hashing import Label
from crypto.keys import SigningKey
from tests.crypto import vectors


def test_hkdf_gives_the_outputs_of_rfc_5869() -> None:
    seen = 0
    for vector in vectors.blocks("KDF/rfc-5869-HKDF-SHA256.txt"):
        if "okm" not in vector:
            continue
        salt = bytes.fromhex(vector.get("salt", ""))
        ikm, info = bytes.fromhex(vector["ikm"]), bytes.fromhex(vector.get("info", ""))
        assert hashing.hkdf(ikm, info, int(vector["l"]), salt).hex() == vector["okm"]
        seen += 1
    assert seen == 3


@given(ikm=st.binary(min_size=1), info=st.binary(), salt=st.binary(min_size=1), length=st.integers(1, 8160))
def test_hkdf_is_hkdf_of_openssl(ikm: bytes, info: bytes, salt: bytes, length: int) -> None:
    assert hashing.hkdf(ikm, info, length, salt) == HKDF(SHA256(), length, salt, info).derive(ikm)


def test_no_salt_is_32_zero_bytes() -> None:
    assert hashing.hkdf(b"ikm", b"info", 32) == HKDF(SHA256(), 32, None, b"info").derive(b"ikm")


def test_mac_gives_the_outputs_of_rfc_4231() -> None:
    seen = 0
    for vector in vectors.blocks("HMAC/rfc-4231-sha256.txt"):
        if "md" in vector and len(vector["md"]) == 64:
            assert hashing.mac(bytes.fromhex(vector["key"]), bytes.fromhex(vector["msg"])).hex() == vector["md"]
            seen += 1
    assert seen >= 5


def test_hash_is_blake2b_of_label_zero_and_message() -> None:
    # The digest of RFC 7693 itself is hashlib's; what is ours is the label. b2sum -l 256 gave the second value.
    assert hashing.labelled(Label.PX3, b"abc") == b"weft/1/px3\x00abc"
    digest = hashing.hash_of(Label.PX3, b"abc")
    assert digest.hex() == "c0de6cfa18d0a1761a45b630a35271b5d55a0bf3343ff2c06055fa28cbb0b6f4"


def test_a_subkey_is_hkdf_under_label_and_purpose() -> None:
    expected = HKDF(SHA256(), 32, None, b"weft/1/invite\x00bundle").derive(b"s" * 16)
    assert hashing.subkey(b"s" * 16, Label.INVITE, b"bundle") == expected
    assert hashing.subkey(b"s" * 16, Label.INVITE) != expected


@given(secret=st.binary(min_size=1), purposes=st.lists(st.binary(), max_size=3))
def test_subkeys_of_one_secret_are_each_hkdf_under_its_purpose(secret: bytes, purposes: list[bytes]) -> None:
    drawn = hashing.subkeys(secret, Label.LOG)
    for purpose in purposes:
        assert drawn(purpose) == HKDF(SHA256(), 32, None, b"weft/1/log\x00" + purpose).derive(secret)


def test_the_table_of_labels_is_the_one_of_the_protocol() -> None:
    names = "devlist dev-cert card prekeys otpk invite px3 sid dr-root chan beacon rv dht keep log spine cosig group"
    names += " chan-post backup link pair sas nearby ledger invoice blob blob-ask moment"
    assert [label.value for label in Label] == [f"weft/1/{name}" for name in names.split()]
    assert all("\x00" not in label.value and label.value.isascii() for label in Label)


@given(st.sampled_from(list(itertools.permutations(Label, 2))), st.binary(), st.binary())
def test_two_labels_never_give_the_same_bytes(pair: tuple[Label, Label], one: bytes, other: bytes) -> None:
    assert hashing.labelled(pair[0], one) != hashing.labelled(pair[1], other)


def test_case_29_a_signature_under_one_label_fails_under_every_other() -> None:
    key = SigningKey(bytes(range(32)))
    for signed in Label:
        signature = key.sign(signed, b"message")
        for checked in Label:
            if signed is checked:
                keys.verify(key.public, checked, b"message", signature)
                continue
            with pytest.raises(Forged):
                keys.verify(key.public, checked, b"message", signature)


def test_same_compares_bytes() -> None:
    assert hashing.same(b"abc", b"abc")
    assert not hashing.same(b"abc", b"abd")
    assert not hashing.same(b"abc", b"abcd")
