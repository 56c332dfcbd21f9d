"""Sealing under a symmetric key, and padding to size buckets (docs/protocol/handshake.md 4).

XChaCha20-Poly1305-IETF (draft-irtf-cfrg-xchacha-03) with the nonce in front. The cipher does not commit to its key:
never try one ciphertext under several passwords or under keys that others chose. Not here: messages of a session,
which ratchet.py seals.
"""

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from crypto.faults import Forged, Malformed

KEY_BYTES = 32
NONCE_BYTES = 24  # long enough that random nonces never repeat, even after a restored database
TAG_BYTES = 16
BUCKETS = (1024, 4096, 16384, 65536)  # bytes; an envelope has one of these sizes and tells no other

_PAD = b"\x80"


def seal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes = b"") -> bytes:
    """Nonce, ciphertext and tag: 40 bytes longer than the plaintext.

    key: 32 bytes. nonce: 24 random bytes, used once. ad: authenticated, not contained.
    """
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, nonce, key)


def open_sealed(key: bytes, sealed: bytes, ad: bytes = b"") -> bytes:
    """The plaintext of what `seal` made with the same key and associated data.

    Raises: Forged when anything differs or the bytes are too short.
    """
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Forged
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[NONCE_BYTES:], ad, sealed[:NONCE_BYTES], key)
    except CryptoError:
        raise Forged from None


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
