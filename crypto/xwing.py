"""Sealing to a public key that lies open for months: HPKE (RFC 9180) in base mode, with X-Wing, in one call.

    X-Wing (X25519 with ML-KEM-768, draft-connolly-cfrg-xwing-kem) + HKDF-SHA-256 + ChaCha20-Poly1305

What strangers leave at keepers is sealed so (docs/protocol/parcel.md 4): it carries the sender's certificate, which
nobody who recorded it shall read later with a quantum computer. It is composed here, and not by the library's own HPKE,
because that takes its randomness from nowhere; a test holds the two side by side. The sender is not authenticated by
the seal. Not here: seals under a key that both have (sealing.py), what is sealed (protocol/).
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import NoReturn

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_decrypt, crypto_aead_chacha20poly1305_ietf_encrypt
from nacl.exceptions import CryptoError

from crypto import keys
from crypto.faults import Forged
from crypto.keys import DhKey, Encapsulate, KemKey

SEED_BYTES = 32
PUBLIC_BYTES = keys.KEM_PUBLIC_BYTES + keys.PUBLIC_BYTES  # 1,216
HEAD_BYTES = keys.KEM_CIPHERTEXT_BYTES + keys.PUBLIC_BYTES  # 1,120; RFC 9180 calls it `enc`
TAG_BYTES = 16
OVERHEAD_BYTES = HEAD_BYTES + TAG_BYTES

_NONCE_BYTES = 12
_COMBINED = b"\\.//^\\"  # X-Wing, 5.3: the label of its combiner
_SUITE = b"HPKE" + bytes.fromhex("647a 0001 0003")  # RFC 9180, 5.1: KEM, KDF, AEAD


@dataclass(frozen=True, slots=True, repr=False)
class InboxKey:
    """An X-Wing key pair. seed: 32 bytes, all of its secret; public: 1,216. Equal when their public halves are."""

    seed: bytes = field(compare=False)
    public: bytes = field(init=False)
    _kem: KemKey = field(init=False, compare=False)
    _dh: DhKey = field(init=False, compare=False)

    def __post_init__(self) -> None:
        assert len(self.seed) == SEED_BYTES
        expanded = hashlib.shake_256(self.seed).digest(keys.KEM_SEED_BYTES + keys.SEED_BYTES)
        object.__setattr__(self, "_kem", KemKey(expanded[: keys.KEM_SEED_BYTES]))
        object.__setattr__(self, "_dh", DhKey(expanded[keys.KEM_SEED_BYTES :]))
        object.__setattr__(self, "public", self._kem.public + self._dh.public)

    def decapsulate(self, head: bytes) -> bytes:
        """The 32-byte secret of a head of 1,120 bytes; of one that was made for another key, a secret nobody has.

        Raises: Forged when the length is wrong or its X25519 key is of low order.
        """
        if len(head) != HEAD_BYTES:
            raise Forged
        ciphertext, ephemeral = head[: keys.KEM_CIPHERTEXT_BYTES], head[keys.KEM_CIPHERTEXT_BYTES :]
        agreed = keys.agree(self._dh, ephemeral)
        return _combined(self._kem.decapsulate(ciphertext), agreed, ephemeral, self._dh.public)

    def __repr__(self) -> str:
        return f"InboxKey({keys.fingerprint(self.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


def seal(
    public: bytes, info: bytes, plaintext: bytes, ephemeral: DhKey, encapsulate: Encapsulate, ad: bytes = b""
) -> bytes:
    """Head, ciphertext and tag: 1,136 bytes longer than the plaintext, for whoever has the key of `public`.

    info: labelled; it has to be the same for opening. ephemeral: fresh, used once. ad: authenticated, not contained.
    Raises: Forged when `public` has another length, is no valid ML-KEM key or is of low order.
    """
    if len(public) != PUBLIC_BYTES:
        raise Forged
    kem, theirs = public[: keys.KEM_PUBLIC_BYTES], public[keys.KEM_PUBLIC_BYTES :]
    agreed = keys.agree(ephemeral, theirs)
    ciphertext, kem_secret = encapsulate(kem)
    key, nonce = _schedule(_combined(kem_secret, agreed, ephemeral.public, theirs), info)
    return ciphertext + ephemeral.public + crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, nonce, key)


def open_sealed(mine: InboxKey, info: bytes, sealed: bytes, ad: bytes = b"") -> bytes:
    """The plaintext of what `seal` made for this key, with the same info and associated data.

    Raises: Forged when anything differs or the bytes are too short.
    """
    if len(sealed) < OVERHEAD_BYTES:
        raise Forged
    key, nonce = _schedule(mine.decapsulate(sealed[:HEAD_BYTES]), info)
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(sealed[HEAD_BYTES:], ad, nonce, key)
    except CryptoError:
        raise Forged from None


def require_public(public: bytes) -> None:
    """Returns when these bytes have the form of a key that can be sealed to. Raises: Forged."""
    if len(public) != PUBLIC_BYTES:
        raise Forged
    keys.require_kem_public(public[: keys.KEM_PUBLIC_BYTES])


def _combined(kem_secret: bytes, agreed: bytes, ephemeral: bytes, public: bytes) -> bytes:
    return hashlib.sha3_256(kem_secret + agreed + ephemeral + public + _COMBINED).digest()


def _schedule(secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """The key and the first nonce (RFC 9180, 5.1) in mode_base; there is no second one, a seal is one message."""
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    prk = _extract(secret, b"secret", b"")
    return _expand(prk, b"key", context, 32), _expand(prk, b"base_nonce", context, _NONCE_BYTES)


def _extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + _SUITE + label + ikm, "sha256")


def _expand(prk: bytes, label: bytes, context: bytes, length: int) -> bytes:
    # One block of HKDF is enough for 32 bytes.
    message = length.to_bytes(2, "big") + b"HPKE-v1" + _SUITE + label + context
    return hmac.digest(prk, message + b"\x01", "sha256")[:length]
