"""Blobs: what was sealed comes back, and one changed thing at a time is found."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import chunks
from crypto.faults import Forged, Malformed, PeerFault
from protocol.blobs import Blob, Making, Opening

KEY = bytes(range(32))
SIZES = st.sampled_from([0, 1, 2, 100, chunks.CHUNK_BYTES - 1, chunks.CHUNK_BYTES, chunks.CHUNK_BYTES + 1, 600_000])
Parts = tuple[Blob, bytes, list[bytes]]


def made(content: bytes, key: bytes = KEY) -> Parts:
    """The blob of a content, its manifest, its sealed chunks."""
    making, sealed, at = Making(key, len(content)), [], 0
    while not making.is_whole:
        count = making.wanted
        sealed.append(making.seal(content[at : at + count]))
        at += count
    return (*making.end(), sealed)


def opened(blob: Blob, manifest: bytes, sealed: Sequence[bytes]) -> bytes:
    opening = Opening(blob, manifest)
    plain = b"".join(map(opening.open, sealed))
    opening.end()
    return plain


@given(SIZES)
def test_what_was_sealed_comes_back(size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    blob, manifest, sealed = made(content)
    assert opened(blob, manifest, sealed) == content
    assert blob.length == size
    assert blob.hash == chunks.name(content)
    assert blob.root == chunks.name(manifest)
    assert len(sealed) == blob.count == len(manifest) // chunks.ID_BYTES
    assert sum(map(len, sealed)) == chunks.padded_length(size) + 16 * blob.count
    assert max(map(len, sealed)) <= chunks.SEALED_BYTES_MAX


def test_the_same_content_under_two_keys_has_nothing_in_common() -> None:
    (one, *_), (other, *_) = made(b"text"), made(b"text", bytes(32))
    assert one.root != other.root


CONTENT = b"a" * chunks.CHUNK_BYTES + b"b" * 1000
CHANGED: dict[str, Callable[[Parts], Parts]] = {
    "a chunk": lambda of: (of[0], of[1], [of[2][0], of[2][1][:-1] + b"x"]),
    "the order": lambda of: (of[0], of[1], of[2][::-1]),
    "a chunk less": lambda of: (of[0], of[1], of[2][:1]),
    "the manifest": lambda of: (of[0], of[1][:-1] + b"x", of[2]),
    "a name less": lambda of: (of[0], of[1][:-32], of[2]),
    "a name more": lambda of: (of[0], of[1] + bytes(32), of[2]),
    "no manifest": lambda of: (of[0], b"", of[2]),
    "the root": lambda of: (replace(of[0], root=bytes(32)), *of[1:]),
    "the key": lambda of: (replace(of[0], key=bytes(32)), *of[1:]),
    "the hash": lambda of: (replace(of[0], hash=bytes(32)), *of[1:]),
    "a length of as many chunks": lambda of: (replace(of[0], length=of[0].length - 1), *of[1:]),
    "a length of more chunks": lambda of: (replace(of[0], length=3 * chunks.CHUNK_BYTES), *of[1:]),
}


@pytest.mark.parametrize("what", CHANGED)
def test_one_changed_thing_is_found(what: str) -> None:
    parts = made(CONTENT)
    assert opened(*parts) == CONTENT
    with pytest.raises(PeerFault):
        opened(*CHANGED[what](parts))


def test_chunks_that_open_under_another_key_to_something_else_are_not_believed() -> None:
    """Who could make them open would still have to meet the hash: here the honest bytes stand under a wrong one."""
    blob, manifest, sealed = made(b"what you were told")
    opening = Opening(replace(blob, hash=chunks.name(b"something else")), manifest)
    assert opening.open(sealed[0]) == b"what you were told"
    with pytest.raises(Forged):
        opening.end()


def test_what_stands_behind_the_content_is_nothing_but_zeros() -> None:
    sealed = chunks.seal(KEY, 0, 1, b"123456789" + b"!")
    blob = Blob(chunks.name(chunks.name(sealed)), KEY, 9, chunks.name(b"123456789"))
    with pytest.raises(Malformed):
        Opening(blob, chunks.name(sealed)).open(sealed)


@pytest.mark.parametrize("index", [-1, 2, 2**40])
def test_a_place_that_is_none_is_malformed(index: int) -> None:
    blob, manifest, sealed = made(CONTENT)
    with pytest.raises(Malformed):
        Opening(blob, manifest).check(index, sealed[0])


def test_any_chunk_can_be_checked_by_itself() -> None:
    blob, manifest, sealed = made(CONTENT)
    opening = Opening(blob, manifest)
    opening.check(1, sealed[1])
    with pytest.raises(Forged):
        opening.check(0, sealed[1])
