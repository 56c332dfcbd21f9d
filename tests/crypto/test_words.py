"""Recovery words against the published BIP-39 vectors; the account key."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from crypto import words
from crypto.words import WordsWrong
from tests.crypto import vectors


@pytest.mark.parametrize(("secret", "expected"), vectors.BIP39)
def test_words_are_those_of_bip_39(secret: str, expected: str) -> None:
    assert words.words_of(bytes.fromhex(secret)) == expected
    assert words.secret_of(expected).hex() == secret


@given(st.binary(min_size=32, max_size=32))
def test_words_come_back_whatever_the_case_and_spaces(secret: bytes) -> None:
    text = words.words_of(secret)
    assert words.secret_of("\n " + text.upper().replace(" ", "  \t")) == secret


def test_a_wrong_count_word_or_order_is_named_without_the_words() -> None:
    good = words.words_of(b"\x11" * 32).split()
    with pytest.raises(WordsWrong, match="23 words"):
        words.secret_of(" ".join(good[:-1]))
    with pytest.raises(WordsWrong, match=r"^word 3 is") as caught:
        words.secret_of(" ".join([*good[:2], "cipher", *good[3:]]))
    assert not any(word in str(caught.value).split() for word in good if word not in ("word", "is", "not", "list"))
    with pytest.raises(WordsWrong, match="swapped"):
        words.secret_of(" ".join([good[1], good[0], *good[2:]]))
    with pytest.raises(WordsWrong):
        words.secret_of("")


def test_the_account_key_is_hkdf_of_the_secret() -> None:
    seed = HKDF(SHA256(), 32, None, b"weft/1/backup\x00account").derive(b"\x22" * 32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert words.account_key(b"\x22" * 32).public == public


def test_the_list_is_read_by_place() -> None:
    assert (words.word_at(0), words.word_at(2047)) == ("abandon", "zoo")
