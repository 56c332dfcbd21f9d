"""Seals against the published vector and a second implementation; the laws of padding."""

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from hypothesis import given
from hypothesis import strategies as st

from crypto import sealing
from crypto.faults import Forged, Malformed
from tests.crypto import vectors
from tests.crypto.pairs import flipped

KEY, NONCE = b"k" * 32, b"n" * 24


def test_a_seal_is_that_of_the_xchacha_draft() -> None:
    sealed = sealing.seal(vectors.XCHACHA_KEY, vectors.XCHACHA_NONCE, vectors.XCHACHA_PLAINTEXT, vectors.XCHACHA_AD)
    assert sealed == vectors.XCHACHA_NONCE + vectors.XCHACHA_CIPHERTEXT
    assert sealing.open_sealed(vectors.XCHACHA_KEY, sealed, vectors.XCHACHA_AD) == vectors.XCHACHA_PLAINTEXT


@given(key=st.binary(min_size=32, max_size=32), nonce=st.binary(min_size=24, max_size=24), text=st.binary())
def test_a_seal_is_that_of_a_second_implementation(key: bytes, nonce: bytes, text: bytes) -> None:
    cipher = ChaCha20_Poly1305.new(key=key, nonce=nonce)
    cipher.update(b"ad")
    ciphertext, tag = cipher.encrypt_and_digest(text)
    assert sealing.seal(key, nonce, text, b"ad") == nonce + ciphertext + tag
    assert sealing.open_sealed(key, nonce + ciphertext + tag, b"ad") == text


def test_every_changed_bit_is_forged() -> None:
    sealed = sealing.seal(KEY, NONCE, b"text", b"ad")
    for bit in range(len(sealed) * 8):
        with pytest.raises(Forged):
            sealing.open_sealed(KEY, flipped(sealed, bit), b"ad")
    for key, ad in ((b"K" * 32, b"ad"), (KEY, b"AD"), (KEY, b"")):
        with pytest.raises(Forged):
            sealing.open_sealed(key, sealed, ad)


@pytest.mark.parametrize(("key", "nonce"), [(b"k" * 31, NONCE), (b"", NONCE), (KEY + b"k", NONCE), (KEY, b"n" * 23)])
def test_a_key_or_a_nonce_of_another_length_is_our_own_mistake(key: bytes, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sealing.seal(key, nonce, b"text")
    if key != KEY:
        with pytest.raises(ValueError, match="32 bytes"):
            sealing.open_sealed(key, sealing.seal(KEY, NONCE, b"text"))


@given(st.binary(max_size=100))
def test_bytes_that_are_no_seal_are_forged(noise: bytes) -> None:
    with pytest.raises(Forged):
        sealing.open_sealed(KEY, noise)


@given(st.binary(max_size=5000))
def test_what_was_padded_comes_back(message: bytes) -> None:
    padded = sealing.pad(message)
    assert len(padded) in sealing.BUCKETS
    assert sealing.unpad(padded) == message


@pytest.mark.parametrize("bucket", sealing.BUCKETS)
def test_the_smallest_bucket_that_holds_the_mark_is_taken(bucket: int) -> None:
    assert len(sealing.pad(b"x" * (bucket - 1))) == bucket
    if bucket != sealing.BUCKETS[-1]:
        assert len(sealing.pad(b"x" * bucket)) == bucket * 4
    with pytest.raises(AssertionError):
        sealing.pad(b"x" * sealing.BUCKETS[-1])


@pytest.mark.parametrize(
    "padded", [b"", b"\x80", b"x" * 1024, bytes(1024), b"\x80" + bytes(1024), b"x" * 1023 + b"\x81"]
)
def test_bad_padding_is_malformed(padded: bytes) -> None:
    with pytest.raises(Malformed):
        sealing.unpad(padded)


def test_a_message_that_ends_like_padding_survives() -> None:
    for message in (b"\x80", b"\x80\x00", b"\x00" * 30, b"a\x80\x00\x00"):
        assert sealing.unpad(sealing.pad(message)) == message
