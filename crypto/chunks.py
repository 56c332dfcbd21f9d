"""Chunks of large content: how it is padded, cut and sealed, and by what each chunk is known (docs/protocol/blobs.md).

Each content has a random key of its own, so the place of a chunk is its nonce. Not here: what a content is known by
(protocol/blobs.py).
"""

from blake3 import blake3

from crypto import hashing, sealing
from crypto.hashing import Label

CHUNK_BYTES = 256 * 1024  # of the padded content; the last chunk may have fewer
SEALED_BYTES_MAX = CHUNK_BYTES + sealing.TAG_BYTES
ID_BYTES = 32


def padded_length(length: int) -> int:
    """How long a content is made by zero bytes, so that its size tells little: at most 12 % more, and never nothing.

    Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PETS 2019,
    section 4.3): the last bits are zero, as many as the exponent has more than its own length.
    """
    if length < 2:
        return 1
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def count(length: int) -> int:
    """How many chunks a content of so many bytes has."""
    return -(-padded_length(length) // CHUNK_BYTES)


def chunk_length(length: int, index: int) -> int:
    """How many bytes of the padded content are in a chunk, from 0 on, of a content of so many bytes."""
    return min(CHUNK_BYTES, padded_length(length) - index * CHUNK_BYTES)


def seal(key: bytes, index: int, of: int, plain: bytes) -> bytes:
    """A sealed chunk, 16 bytes longer. key: 32 bytes, of this content alone; index: from 0; of: how many there are."""
    nonce = index.to_bytes(sealing.NONCE_BYTES, "big")
    return sealing.seal(key, nonce, plain, _place(index, of))[sealing.NONCE_BYTES :]


def open_sealed(key: bytes, index: int, of: int, sealed: bytes) -> bytes:
    """What `seal` was given in this place. Raises: Forged."""
    nonce = index.to_bytes(sealing.NONCE_BYTES, "big")
    return sealing.open_sealed(key, nonce + sealed, _place(index, of))


def name(raw: bytes) -> bytes:
    """By what a sealed chunk, or a list of them, is known: BLAKE3 of its bytes, 32 bytes."""
    return blake3(raw).digest()


def running_hash() -> blake3:
    """BLAKE3 of a content that comes in pieces: `update` takes each, `digest` gives 32 bytes."""
    return blake3()


def _place(index: int, of: int) -> bytes:
    return hashing.labelled(Label.BLOB, index.to_bytes(4, "big") + of.to_bytes(4, "big"))
