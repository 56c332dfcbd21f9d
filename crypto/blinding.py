"""Blinded signing keys: what an account's key becomes for one day, so that nobody links the days without knowing it.

For a tweak t that whoever knows the public key A can compute, the blinded key is A' = t*A. Who holds the secret half of
A signs under A', and what he signs verifies as any Ed25519 signature does. As in Tor's onion services (rend-spec-v3,
appendix A.2), but for how t is derived, and for A' in the hash that makes the nonce: under two blinded keys of one
account no nonce is ever the same, whatever is signed. Not here: how t is made (protocol/account_record.py).
"""

import hashlib
from dataclasses import dataclass, field
from typing import NoReturn

from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import RuntimeError as SodiumError

from crypto.faults import Forged
from crypto.hashing import Label, labelled
from crypto.keys import PUBLIC_BYTES, SigningKey, fingerprint

TWEAK_BYTES = 32

_NONCE_KEY = b"Derive temporary signing key hash input"  # Tor's own words: its test vectors hold for us


@dataclass(frozen=True, slots=True, repr=False)
class BlindedKey:
    """An Ed25519 key pair, another's under a tweak. public: 32 bytes. Two are equal when their public halves are."""

    public: bytes
    scalar: bytes = field(compare=False)
    nonce_key: bytes = field(compare=False)

    def sign(self, label: Label, message: bytes) -> bytes:
        """The 64-byte signature over the labelled message; it verifies under `public` (RFC 8032, section 5.1.6)."""
        said = labelled(label, message)
        nonce = _scalar(self.nonce_key + self.public + said)
        commitment = crypto_scalarmult_ed25519_base_noclamp(nonce)
        challenge = _scalar(commitment + self.public + said)
        answer = crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(challenge, self.scalar))
        return commitment + answer

    def __repr__(self) -> str:
        return f"BlindedKey({fingerprint(self.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


def blind(key: SigningKey, tweak: bytes) -> BlindedKey:
    """The pair of a key under a tweak of 32 bytes; its public half is what `blind_public` gives."""
    expanded = hashlib.sha512(key.seed).digest()
    scalar = crypto_core_ed25519_scalar_mul(_clamped(tweak), _clamped(expanded[:32]))
    nonce_key = hashlib.sha512(_NONCE_KEY + expanded[32:]).digest()[:32]
    return BlindedKey(crypto_scalarmult_ed25519_base_noclamp(scalar), scalar, nonce_key)


def blind_public(public: bytes, tweak: bytes) -> bytes:
    """The public half of a key (32 bytes) under a tweak of 32 bytes.

    Raises: Forged when it is no key, or one of low order or with a part of low order.
    """
    if len(public) != PUBLIC_BYTES:
        raise Forged
    try:
        return crypto_scalarmult_ed25519_noclamp(_clamped(tweak), public)
    except SodiumError:
        raise Forged from None


def _clamped(scalar: bytes) -> bytes:
    """A multiple of 8 with its 254th bit set (RFC 8032, section 5.1.5): never zero, and no low order survives it."""
    assert len(scalar) == TWEAK_BYTES
    return bytes((scalar[0] & 248, *scalar[1:31], scalar[31] & 63 | 64))


def _scalar(message: bytes) -> bytes:
    return crypto_core_ed25519_scalar_reduce(hashlib.sha512(message).digest())
