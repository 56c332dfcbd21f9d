"""The stream of sealed chunks against libsodium's own sender, its hostile variants, and the laws of Padmé."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from crypto import secretstream
from crypto.faults import Forged
from crypto.secretstream import Opener, Sealer, padded_size
from tests.crypto.pairs import flipped

KEY, NONCE, AD = b"k" * 32, b"n" * 24, b"what it is"
CHUNKS = (b"one", b"two" * 1000, b"", b"four")


def sealed_chunks(chunks: tuple[bytes, ...] = CHUNKS, key: bytes = KEY, ad: bytes = AD) -> list[bytes]:
    sealer = Sealer(key, NONCE, ad)
    return [*(sealer.seal(chunk) for chunk in chunks[:-1]), sealer.seal_last(chunks[-1])]


def opened(sealed: list[bytes], key: bytes = KEY, ad: bytes = AD) -> tuple[list[bytes], bool]:
    opener = Opener(key, NONCE, ad)
    return [opener.open(one) for one in sealed], opener.is_over


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6).map(tuple))
def test_what_was_sealed_opens_in_order(chunks: tuple[bytes, ...]) -> None:
    sealed = sealed_chunks(chunks)
    assert [len(one) - secretstream.TAG_BYTES for one in sealed] == [len(chunk) for chunk in chunks]
    assert opened(sealed) == ([*chunks], True)
    assert opened(sealed[:-1]) == ([*chunks[:-1]], False)


def test_what_libsodium_sends_is_opened() -> None:
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    nonce = bindings.crypto_secretstream_xchacha20poly1305_init_push(state, KEY)
    push, last = bindings.crypto_secretstream_xchacha20poly1305_push, secretstream._LAST
    opener = Opener(KEY, nonce, AD)
    assert opener.open(push(state, b"one", AD)) == b"one"
    assert opener.open(push(state, b"two", AD, last)) == b"two"
    assert opener.is_over


def test_every_changed_bit_another_key_and_other_associated_bytes_are_forged() -> None:
    sealed = sealed_chunks()
    for bit in range(len(sealed[0]) * 8):
        with pytest.raises(Forged):
            opened([flipped(sealed[0], bit)])
    for key, ad in ((b"K" * 32, AD), (KEY, b"other")):
        with pytest.raises(Forged):
            opened(sealed, key, ad)
    with pytest.raises(Forged):
        Opener(KEY, b"N" * 24, AD).open(sealed[0])


@pytest.mark.parametrize("order", [(1, 0), (0, 0), (1,), (0, 2), (0, 1, 3), (0, 1, 2, 3, 3), (0, 1, 2, 3, 0)])
def test_chunks_swapped_repeated_left_out_or_added_are_forged(order: tuple[int, ...]) -> None:
    sealed = sealed_chunks()
    with pytest.raises(Forged):
        opened([sealed[place] for place in order])


@pytest.mark.parametrize("tag", [1, 2])
def test_tags_that_we_never_use_are_forged(tag: int) -> None:
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    nonce = bindings.crypto_secretstream_xchacha20poly1305_init_push(state, KEY)
    sealed = bindings.crypto_secretstream_xchacha20poly1305_push(state, b"one", AD, tag)
    with pytest.raises(Forged):
        Opener(KEY, nonce, AD).open(sealed)


@given(st.binary(max_size=100))
def test_bytes_that_are_no_chunk_are_forged(noise: bytes) -> None:
    with pytest.raises(Forged):
        Opener(KEY, NONCE, AD).open(noise)


def test_neither_end_is_pickled_or_shows_its_key() -> None:
    for end in (Sealer(KEY, NONCE, AD), Opener(KEY, NONCE, AD)):
        assert KEY.decode() not in repr(end)
        with pytest.raises(TypeError):
            pickle.dumps(end)


# The listing of the PURBs paper (PETS 2019, section 4), word for word, with logarithms.
def padme_of_the_paper(size: int) -> int:
    exponent = math.floor(math.log2(size))
    bits = math.floor(math.log2(exponent)) + 1
    mask = (1 << (exponent - bits)) - 1
    return (size + mask) & ~mask


def test_padme_is_that_of_the_paper() -> None:
    # math.log2 is exact enough up to here
    assert all(padded_size(size) == padme_of_the_paper(size) for size in (*range(16, 70_000), 10**6, 10**9, 2**40 + 1))
    assert [padded_size(size) for size in (0, 1, 2, 9, 15, 16)] == [0, 1, 2, 10, 16, 16]
    assert (padded_size(1000), padded_size(70_000)) == (1024, 71_680)


@given(st.integers(0, 2**50))
def test_padme_costs_at_most_12_percent_and_keeps_what_is_padded(size: int) -> None:
    padded = padded_size(size)
    assert size <= padded <= size * 1.12
    assert padded_size(padded) == padded


@given(st.integers(0, 2**50), st.integers(0, 2**20))
def test_padme_never_makes_the_larger_smaller(size: int, more: int) -> None:
    assert padded_size(size) <= padded_size(size + more)
