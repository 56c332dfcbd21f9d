"""Key pairs: Ed25519 for signatures, X25519 for agreement, ML-KEM-768 for encapsulation.

Secret halves arrive as bytes from the caller, who owns the entropy; no key is made here. A key prints as a fingerprint
of its public half and refuses to be pickled, so that it cannot slip into a log or a cache. Ed25519 keys are never
turned into X25519 keys. Not here: derivation (hashing.py), the recovery words (words.py).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError
from nacl.exceptions import RuntimeError as SodiumError

from crypto.faults import Forged
from crypto.hashing import Label, labelled

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
SEED_BYTES = 32
KEM_SEED_BYTES = 64  # FIPS 203: d || z
KEM_PUBLIC_BYTES = 1184
KEM_CIPHERTEXT_BYTES = 1088
KEM_SECRET_BYTES = 32
COSE_SIGN1 = b"\x84\x6aSignature1"  # how a Sig_structure begins; labels begin with a letter

Entropy = Callable[[int], bytes]
"""n -> n random bytes. The node passes os.urandom, a simulated world its seeded stream."""

Encapsulate = Callable[[bytes], tuple[bytes, bytes]]
"""ek (1,184 bytes) -> (ciphertext 1,088, secret 32). Raises: Forged when the ek is no valid key."""


class MissingMlKem(Exception):
    """The OpenSSL that the Python package `cryptography` uses has no ML-KEM-768, without which weft makes no sessions.
    Install cryptography 47 or newer from its own wheel: `pip install --upgrade cryptography`."""

    def __str__(self) -> str:
        return " ".join((self.__doc__ or "").split())


def fingerprint(public: bytes) -> str:
    """12 hex digits that name a public key in logs and reprs without being it."""
    return hashlib.blake2b(public, digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """An Ed25519 key pair (RFC 8032). seed, public: 32 bytes. Two are equal when their public halves are."""

    seed: bytes = field(compare=False)
    public: bytes = field(init=False)
    _expanded: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        assert len(self.seed) == SEED_BYTES
        public, expanded = crypto_sign_seed_keypair(self.seed)
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "_expanded", expanded)

    def sign(self, label: Label, message: bytes) -> bytes:
        """The 64-byte signature over the labelled message."""
        return crypto_sign(labelled(label, message), self._expanded)[:SIGNATURE_BYTES]

    def sign_cose(self, structure: bytes) -> bytes:
        """The 64-byte signature over a Sig_structure of COSE_Sign1, as it is (RFC 9052, 4.4).

        It names its purpose in its external data, and begins like no label, so neither kind is taken for the other.
        """
        assert structure.startswith(COSE_SIGN1)
        return crypto_sign(structure, self._expanded)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"SigningKey({fingerprint(self.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


@dataclass(frozen=True, slots=True, repr=False)
class DhKey:
    """An X25519 key pair (RFC 7748). secret, public: 32 bytes. Two are equal when their public halves are."""

    secret: bytes = field(compare=False)
    public: bytes = field(init=False)

    def __post_init__(self) -> None:
        assert len(self.secret) == SEED_BYTES
        object.__setattr__(self, "public", crypto_scalarmult_base(self.secret))

    def __repr__(self) -> str:
        return f"DhKey({fingerprint(self.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


@dataclass(frozen=True, slots=True, repr=False)
class KemKey:
    """An ML-KEM-768 key pair (FIPS 203). seed: 64 bytes; public: 1,184. Two are equal when their public halves are."""

    seed: bytes = field(compare=False)
    public: bytes = field(init=False)
    _private: MLKEM768PrivateKey = field(init=False, compare=False)

    def __post_init__(self) -> None:
        assert len(self.seed) == KEM_SEED_BYTES
        private = MLKEM768PrivateKey.from_seed_bytes(self.seed)
        object.__setattr__(self, "_private", private)
        object.__setattr__(self, "public", private.public_key().public_bytes_raw())

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte secret of a ciphertext of 1,088 bytes.

        A ciphertext that was not made for this key gives a secret that nobody else has (implicit rejection), so the
        next seal fails. Raises: Forged when the length is wrong.
        """
        if len(ciphertext) != KEM_CIPHERTEXT_BYTES:
            raise Forged
        return self._private.decapsulate(ciphertext)

    def __repr__(self) -> str:
        return f"KemKey({fingerprint(self.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


def verify(public: bytes, label: Label, message: bytes, signature: bytes) -> None:
    """Returns when the signature over the labelled message is by this Ed25519 key.

    Raises: Forged for anything else, wrong lengths and keys of low order included.
    """
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Forged
    try:
        crypto_sign_open(signature + labelled(label, message), public)
    except BadSignatureError:
        raise Forged from None


def verify_cose(public: bytes, structure: bytes, signature: bytes) -> None:
    """Returns when the signature over this Sig_structure of COSE_Sign1 is by this Ed25519 key.

    Raises: Forged for anything else, wrong lengths and keys of low order included.
    """
    assert structure.startswith(COSE_SIGN1)
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Forged
    try:
        crypto_sign_open(signature + structure, public)
    except BadSignatureError:
        raise Forged from None


def agree(mine: DhKey, theirs: bytes) -> bytes:
    """The 32-byte X25519 secret of our pair and their public key.

    Raises: Forged when their key has another length or so low an order that the secret would be zero, which does not
    depend on ours (docs/protocol/handshake.md 2.5).
    """
    if len(theirs) != PUBLIC_BYTES:
        raise Forged
    try:
        return crypto_scalarmult(mine.secret, theirs)
    except SodiumError:
        raise Forged from None


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """A ciphertext of 1,088 bytes for an ML-KEM-768 key, and its 32-byte secret, with OpenSSL's own randomness.

    Raises: Forged when the key has another length or fails the modulus check of FIPS 203, 7.2.
    """
    try:
        secret, ciphertext = MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise Forged from None
    return ciphertext, secret


def require_kem_public(public: bytes) -> None:
    """Returns when these bytes are an ML-KEM-768 key that can be encapsulated to. Raises: Forged."""
    try:
        MLKEM768PublicKey.from_public_bytes(public)
    except ValueError:
        raise Forged from None


def require_ml_kem() -> None:
    """Returns when this machine can do ML-KEM-768. Raises: MissingMlKem, to be shown at start-up."""
    try:
        MLKEM768PrivateKey.from_seed_bytes(bytes(KEM_SEED_BYTES))
    except UnsupportedAlgorithm:
        raise MissingMlKem from None
