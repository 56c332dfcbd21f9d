"""Key pairs against RFC 8032, RFC 7748, FIPS 203 and a second implementation of ML-KEM; bad keys of every kind."""

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from kyber_py.ml_kem import ML_KEM_768

from crypto import keys
from crypto.faults import Forged
from crypto.hashing import Label, labelled
from crypto.keys import DhKey, KemKey, SigningKey
from tests.crypto import vectors
from tests.crypto.pairs import entropy_of, flipped


def test_signatures_are_those_of_rfc_8032() -> None:
    """The vectors sign bare messages, so the labelled bytes are checked through a message that begins with a label."""
    prefix = labelled(Label.CARD, b"")
    for line in itertools.islice(vectors.text_of("asymmetric/Ed25519/sign.input").splitlines(), 0, 1024, 8):
        secret_and_public, public, message, signature_and_message = line.split(":")[:4]
        seed = bytes.fromhex(secret_and_public[:64])
        key = SigningKey(seed)
        assert key.public.hex() == public
        with pytest.raises(Forged):
            keys.verify(key.public, Label.CARD, bytes.fromhex(message), bytes.fromhex(signature_and_message[:128]))
        assert key.sign(Label.CARD, bytes.fromhex(message)) == _openssl_signature(seed, prefix + bytes.fromhex(message))


def _openssl_signature(seed: bytes, message: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def test_a_changed_signature_message_or_key_is_forged() -> None:
    key = SigningKey(b"k" * 32)
    signature = key.sign(Label.CARD, b"message")
    keys.verify(key.public, Label.CARD, b"message", signature)
    for bit in range(512):
        with pytest.raises(Forged):
            keys.verify(key.public, Label.CARD, b"message", flipped(signature, bit))
    for bit in range(256):
        with pytest.raises(Forged):
            keys.verify(flipped(key.public, bit), Label.CARD, b"message", signature)
    for public, given_signature in ((key.public[:31], signature), (key.public, signature[:63]), (b"", b"")):
        with pytest.raises(Forged):
            keys.verify(public, Label.CARD, b"message", given_signature)
    with pytest.raises(Forged):
        keys.verify(key.public, Label.CARD, b"massage", signature)


def test_a_signing_key_of_low_order_verifies_nothing() -> None:
    for public in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
        with pytest.raises(Forged):
            keys.verify(public, Label.CARD, b"message", public + bytes(32))


def test_agreement_is_that_of_rfc_7748() -> None:
    seen = 0
    for vector in vectors.blocks("asymmetric/X25519/rfc7748.txt"):
        if "input_scalar" in vector and "output_u" in vector:
            mine = DhKey(bytes.fromhex(vector["input_scalar"]))
            assert keys.agree(mine, bytes.fromhex(vector["input_u"])).hex() == vector["output_u"]
            seen += 1
    assert seen >= 2


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_agreement_is_that_of_openssl(one: bytes, other: bytes) -> None:
    mine, theirs = DhKey(one), DhKey(other)
    private = X25519PrivateKey.from_private_bytes(one)
    assert private.public_key().public_bytes_raw() == mine.public
    assert private.exchange(X25519PublicKey.from_public_bytes(theirs.public)) == keys.agree(mine, theirs.public)
    assert keys.agree(mine, theirs.public) == keys.agree(theirs, mine.public)


@pytest.mark.parametrize("public", vectors.LOW_ORDER, ids=bytes.hex)
def test_case_5_low_order_keys_are_forged(public: bytes) -> None:
    with pytest.raises(ValueError):  # OpenSSL agrees that there is nothing to agree on
        X25519PrivateKey.from_private_bytes(b"\x05" * 32).exchange(X25519PublicKey.from_public_bytes(public))
    for number in range(4):
        with pytest.raises(Forged):
            keys.agree(DhKey(entropy_of(number)(32)), public)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_case_5_keys_of_another_length_are_forged(length: int) -> None:
    with pytest.raises(Forged):
        keys.agree(DhKey(b"s" * 32), b"\x09" * length)


def test_ml_kem_gives_the_known_answers_of_fips_203() -> None:
    seen = 0
    for vector in itertools.islice(vectors.blocks("asymmetric/MLKEM/kat_MLKEM_768.rsp"), 0, None, 5):
        key = KemKey(bytes.fromhex(vector["d"] + vector["z"]))
        assert key.public.hex() == vector["pk"]
        assert key.decapsulate(bytes.fromhex(vector["ct"])).hex() == vector["ss"]
        assert key.decapsulate(bytes.fromhex(vector["ct_n"])).hex() == vector["ss_n"]  # implicit rejection
        seen += 1
    assert seen >= 20


def test_ml_kem_agrees_with_a_second_implementation() -> None:
    for number in range(3):
        seed = entropy_of(number)(64)
        key = KemKey(seed)
        public, private = ML_KEM_768.key_derive(seed)
        assert key.public == public
        ciphertext, secret = keys.encapsulate(public)
        assert ML_KEM_768.decaps(private, ciphertext) == secret == key.decapsulate(ciphertext)
        secret, ciphertext = ML_KEM_768.encaps(public)
        assert key.decapsulate(ciphertext) == secret


def _beyond_the_modulus(public: bytes, place: int) -> bytes:
    """The key with one of its 768 coefficients raised to 3,329 or above."""
    at = place // 2 * 3
    first, middle, last = public[at : at + 3]
    if place % 2:
        middle, last = middle | 0xF0, 0xFF
    else:
        first, middle = 0xFF, middle | 0x0F
    return public[:at] + bytes((first, middle, last)) + public[at + 3 :]


@pytest.mark.parametrize("place", [0, 1, 2, 255, 256, 500, 766, 767])
def test_case_6_an_invalid_ml_kem_key_is_forged(place: int) -> None:
    bad = _beyond_the_modulus(KemKey(b"k" * 64).public, place)
    for check in (keys.encapsulate, keys.require_kem_public):
        with pytest.raises(Forged):
            check(bad)
    with pytest.raises(ValueError):
        ML_KEM_768.encaps(bad)


@pytest.mark.parametrize("length", [0, 1183, 1185])
def test_case_6_an_ml_kem_key_of_another_length_is_forged(length: int) -> None:
    for check in (keys.encapsulate, keys.require_kem_public):
        with pytest.raises(Forged):
            check(bytes(length))


@pytest.mark.parametrize("length", [0, 1087, 1089])
def test_case_6_a_ciphertext_of_another_length_is_forged(length: int) -> None:
    with pytest.raises(Forged):
        KemKey(b"k" * 64).decapsulate(bytes(length))


def test_keys_are_equal_when_their_public_halves_are() -> None:
    assert SigningKey(b"a" * 32) == SigningKey(b"a" * 32) != SigningKey(b"b" * 32)
    assert DhKey(b"a" * 32) == DhKey(b"a" * 32) != DhKey(b"b" * 32)
    assert KemKey(b"a" * 64) == KemKey(b"a" * 64) != KemKey(b"b" * 64)


def test_this_machine_has_ml_kem_and_its_absence_has_a_sentence() -> None:
    keys.require_ml_kem()
    assert "cryptography 47" in str(keys.MissingMlKem())
    assert "\n" not in str(keys.MissingMlKem())
