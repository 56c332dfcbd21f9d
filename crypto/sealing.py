"""Sealing under a symmetric key, and padding to size buckets (docs/protocol/handshake.md 4).

XChaCha20-Poly1305-IETF (draft-irtf-cfrg-xchacha-03) with the nonce in front. The cipher does not commit to its key:
never try one ciphertext under several passwords or under keys that others chose. Not here: messages of a session,
which ratchet.py seals.
"""

from typing import Any

from nacl.bindings import crypto_aead

from crypto.faults import Forged, Malformed

KEY_BYTES = 32
NONCE_BYTES = 24  # long enough that random nonces never repeat, even after a restored database
TAG_BYTES = 16
BUCKETS = (1024, 4096, 16384, 65536)  # bytes; an envelope has one of these sizes and tells no other

_PAD = b"\x80"
# PyNaCl's functions around these two write five sentences of errors at each call: they cost twice what the cipher does.
_SODIUM, _FFI = (getattr(crypto_aead, name) for name in ("lib", "ffi"))
_ENCRYPT: Any = _SODIUM.crypto_aead_xchacha20poly1305_ietf_encrypt
_DECRYPT: Any = _SODIUM.crypto_aead_xchacha20poly1305_ietf_decrypt
_NEW: Any = _FFI.new_allocator(should_clear_after_alloc=False)


def seal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes = b"") -> bytes:
    """Nonce, ciphertext and tag: 40 bytes longer than the plaintext.

    key: 32 bytes. nonce: 24 random bytes, used once. ad: authenticated, not contained.
    """
    _check(key, nonce)
    count = len(plaintext) + TAG_BYTES
    out = _NEW("unsigned char[]", count)
    _ENCRYPT(out, _FFI.NULL, plaintext, len(plaintext), ad, len(ad), _FFI.NULL, nonce, key)  # it always returns 0
    sealed: bytes = _FFI.buffer(out, count)[:]
    return nonce + sealed


def open_sealed(key: bytes, sealed: bytes, ad: bytes = b"") -> bytes:
    """The plaintext of what `seal` made with the same key and associated data.

    Raises: Forged when anything differs or the bytes are too short.
    """
    count = len(sealed) - NONCE_BYTES - TAG_BYTES
    if count < 0:
        raise Forged
    nonce = sealed[:NONCE_BYTES]
    _check(key, nonce)
    out = _NEW("unsigned char[]", count or 1)
    if _DECRYPT(out, _FFI.NULL, _FFI.NULL, sealed[NONCE_BYTES:], count + TAG_BYTES, ad, len(ad), nonce, key):
        raise Forged
    plaintext: bytes = _FFI.buffer(out, count)[:]
    return plaintext


def _check(key: bytes, nonce: bytes) -> None:
    """Raises: ValueError for what is no key or no nonce: the library reads as many bytes as these have, of anything."""
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("a key has 32 bytes, a nonce 24")


def pad(message: bytes, buckets: tuple[int, ...] = BUCKETS) -> bytes:
    """The message, 0x80 and zero bytes up to the smallest bucket that holds them (ISO/IEC 7816-4).

    buckets: bytes, ascending. The message is at least one byte shorter than the largest: our own limits see to it.
    """
    for bucket in buckets:
        if len(message) < bucket:
            return (message + _PAD).ljust(bucket, b"\x00")
    raise AssertionError("a message larger than every bucket reached padding")


def unpad(padded: bytes, buckets: tuple[int, ...] = BUCKETS) -> bytes:
    """The message inside a padded one.

    Raises: Malformed when the length is no bucket or the mark is missing.
    """
    if len(padded) not in buckets:
        raise Malformed
    message = padded.rstrip(b"\x00")
    if message[-1:] != _PAD:
        raise Malformed
    return message[:-1]
