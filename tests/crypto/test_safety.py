"""Safety number and comparison words, computed a second time from the protocol's text, and frozen."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from crypto import safety

IDS = st.binary(min_size=32, max_size=32)
FROZEN = "335747580591298711620491895155444831911314841259866526634334"


def _number_again(one: bytes, other: bytes) -> str:
    low, high = sorted((one, other))
    state = b"weft/1/sas\x00" + low + high
    for _ in range(5200):
        state = hashlib.new("blake2b512", state + low + high).digest()
    digits = ""
    for group in range(12):
        digits += str(int.from_bytes(state[group * 5 : group * 5 + 5], "big") % 100_000).zfill(5)
    return digits


def test_the_safety_number_is_frozen_and_follows_the_protocol() -> None:
    assert safety.safety_number(b"a" * 32, b"b" * 32) == FROZEN == _number_again(b"b" * 32, b"a" * 32)
    assert safety.safety_number(bytes(32), b"\xff" * 32) == _number_again(bytes(32), b"\xff" * 32)


@pytest.mark.parametrize("changed", [0, 31])
def test_another_account_gives_another_number(changed: int) -> None:
    other = bytearray(b"b" * 32)
    other[changed] ^= 1
    assert safety.safety_number(b"a" * 32, bytes(other)) != FROZEN


def _words_again(pairs: list[tuple[bytes, bytes]], session: bytes) -> tuple[str, ...]:
    (first, nonce_1), (second, nonce_2) = sorted(pairs)
    message = b"weft/1/sas\x00" + first + second + session + nonce_1 + nonce_2
    bits = "".join(f"{byte:08b}" for byte in hashlib.blake2b(message, digest_size=32).digest())
    wordlist = Mnemonic("english").wordlist
    return tuple(wordlist[int(bits[at : at + 11], 2)] for at in (0, 11, 22))


@given(IDS, IDS, st.binary(min_size=16, max_size=16), IDS, IDS)
def test_both_ends_see_the_same_words(one: bytes, other: bytes, session: bytes, nonce_1: bytes, nonce_2: bytes) -> None:
    seen = safety.comparison_words(one, other, session, nonce_1, nonce_2)
    assert seen == safety.comparison_words(other, one, session, nonce_2, nonce_1)
    assert seen == _words_again([(one, nonce_1), (other, nonce_2)], session)


def test_case_35_swapped_ids_or_another_session_change_the_words() -> None:
    one, other, session, nonce_1, nonce_2 = b"a" * 32, b"b" * 32, b"s" * 16, b"n" * 32, b"m" * 32
    seen = safety.comparison_words(one, other, session, nonce_1, nonce_2)
    assert seen == ("scan", "empower", "defy")
    assert seen != safety.comparison_words(other, one, session, nonce_1, nonce_2)
    assert seen != safety.comparison_words(one, other, b"t" * 16, nonce_1, nonce_2)
    assert seen != safety.comparison_words(one, b"c" * 32, session, nonce_1, nonce_2)
