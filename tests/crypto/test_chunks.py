"""Chunks against second implementations: Padme by its paper, the cipher by pycryptodome, BLAKE3 by its own vectors."""

import math

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from hypothesis import given
from hypothesis import strategies as st

from crypto import chunks
from crypto.faults import Forged

KEY = bytes(range(32))
# github.com/BLAKE3-team/BLAKE3, test_vectors.json: inputs of bytes that count up to 250 and begin again; the first 32.
BLAKE3 = {
    0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
}


@pytest.mark.parametrize("length", BLAKE3)
def test_names_are_the_published_ones(length: int) -> None:
    assert chunks.name(bytes(n % 251 for n in range(length))).hex() == BLAKE3[length]


def padme(length: int) -> int:
    """As the paper has it, with floats."""
    exponent = math.floor(math.log2(length))
    size = math.floor(math.log2(exponent)) + 1 if exponent else 0
    mask = int(2 ** (exponent - size)) - 1
    return (length + mask) // (mask + 1) * (mask + 1)


@given(st.integers(2, 2**40))
def test_padding_is_that_of_the_paper_and_adds_little(length: int) -> None:
    found = chunks.padded_length(length)
    assert found == padme(length)
    assert length <= found <= length * 1.12 + 1
    assert chunks.padded_length(found) == found


def test_nothing_has_a_chunk_too() -> None:
    assert [chunks.padded_length(length) for length in (0, 1, 2, 9)] == [1, 1, 2, 10]
    assert (chunks.count(0), chunks.chunk_length(0, 0)) == (1, 1)


@given(st.integers(0, 2**36))
def test_chunks_are_together_what_is_padded(length: int) -> None:
    count = chunks.count(length)
    assert (count - 1) * chunks.CHUNK_BYTES + chunks.chunk_length(length, count - 1) == chunks.padded_length(length)
    assert 0 < chunks.chunk_length(length, count - 1) <= chunks.CHUNK_BYTES


@given(plain=st.binary(max_size=500), index=st.integers(0, 2**18), more=st.integers(1, 9))
def test_a_chunk_is_that_of_a_second_implementation(plain: bytes, index: int, more: int) -> None:
    cipher = ChaCha20_Poly1305.new(key=KEY, nonce=index.to_bytes(24, "big"))
    cipher.update(b"weft/1/blob\x00" + index.to_bytes(4, "big") + (index + more).to_bytes(4, "big"))
    ciphertext, tag = cipher.encrypt_and_digest(plain)
    assert chunks.seal(KEY, index, index + more, plain) == ciphertext + tag
    assert chunks.open_sealed(KEY, index, index + more, ciphertext + tag) == plain


@pytest.mark.parametrize(("key", "index", "of"), [(bytes(32), 1, 3), (KEY, 0, 3), (KEY, 1, 2)])
def test_a_chunk_opens_in_its_place_alone(key: bytes, index: int, of: int) -> None:
    sealed = chunks.seal(KEY, 1, 3, b"text")
    with pytest.raises(Forged):
        chunks.open_sealed(key, index, of, sealed)
