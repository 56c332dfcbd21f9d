"""A file sealed in chunks, and padded so that its size says next to nothing (docs/protocol/backup.md 2).

libsodium's secretstream (XChaCha20-Poly1305): each chunk is sealed behind all those before it, and the last one says
that it is the last. So none can be changed, swapped, repeated, left out or cut off unseen. Padmé (PURBs, PETS 2019,
section 4; lbarman.ch/blog/padme) rounds the length: of a length M it leaves O(log log M) bits, and costs at most 12 %.
Not here: what is in the chunks (protocol/backup.py), messages and envelopes (sealing.py).
"""

from typing import NoReturn

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES,
    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_KEYBYTES,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
    crypto_secretstream_xchacha20poly1305_TAG_FINAL,
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
)
from nacl.exceptions import RuntimeError as SodiumError

from crypto.faults import Forged

KEY_BYTES = crypto_secretstream_xchacha20poly1305_KEYBYTES
NONCE_BYTES = crypto_secretstream_xchacha20poly1305_HEADERBYTES  # libsodium calls it the header
TAG_BYTES = crypto_secretstream_xchacha20poly1305_ABYTES  # what sealing adds to each chunk

_MORE = crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_LAST = crypto_secretstream_xchacha20poly1305_TAG_FINAL


class Sealer:
    """Seals the chunks of one file, in order. key: 32 bytes; nonce: 24 random bytes; ad: goes with every chunk."""

    __slots__ = ("_ad", "_state")

    def __init__(self, key: bytes, nonce: bytes, ad: bytes) -> None:
        self._ad = ad
        # init_push would draw the nonce by itself; what it makes of one is what init_pull makes of it.
        self._state = _begun(key, nonce)

    def seal(self, chunk: bytes) -> bytes:
        """The next chunk, sealed: 17 bytes longer."""
        return crypto_secretstream_xchacha20poly1305_push(self._state, chunk, self._ad, _MORE)

    def seal_last(self, chunk: bytes) -> bytes:
        """The last chunk, sealed: 17 bytes longer. Nothing is sealed after it."""
        return crypto_secretstream_xchacha20poly1305_push(self._state, chunk, self._ad, _LAST)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


class Opener:
    """Opens the chunks of one file, in order. key: 32 bytes; nonce: 24; ad: as it was sealed with."""

    __slots__ = ("_ad", "_state", "is_over")

    def __init__(self, key: bytes, nonce: bytes, ad: bytes) -> None:
        self._ad = ad
        self._state = _begun(key, nonce)
        self.is_over = False

    def open(self, sealed: bytes) -> bytes:
        """The next chunk; `is_over` afterwards when it was the last.

        Raises: Forged when it is not the next chunk that was sealed with this key, or comes after the last.
        """
        if self.is_over or len(sealed) < TAG_BYTES:
            raise Forged
        try:
            chunk, tag = crypto_secretstream_xchacha20poly1305_pull(self._state, sealed, self._ad)
        except SodiumError:
            raise Forged from None
        if tag not in (_MORE, _LAST):
            raise Forged
        self.is_over = tag == _LAST
        return chunk

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


def padded_size(size: int) -> int:
    """The Padmé bucket of a size: the smallest size of the allowed ones that is not less. size: 0 or more."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    free_bits = exponent - exponent.bit_length()
    mask = (1 << max(free_bits, 0)) - 1
    return (size + mask) & ~mask


def _begun(key: bytes, nonce: bytes) -> crypto_secretstream_xchacha20poly1305_state:
    assert len(key) == KEY_BYTES
    assert len(nonce) == NONCE_BYTES
    state = crypto_secretstream_xchacha20poly1305_state()
    crypto_secretstream_xchacha20poly1305_init_pull(state, nonce, key)
    return state
