"""The derivations of the Double Ratchet: root steps, and walking a chain (docs/protocol/ratchet.md 3).

A chain's message key is HMAC(chain, 0x01) and its next chain key HMAC(chain, 0x02). Not here: who holds the keys
(ratchet.py); its hot paths write the two HMACs out.
"""

import hmac

from crypto.hashing import Label, labelled

_ROOT = labelled(Label.DR_ROOT, b"")
_ROOT_KEM = labelled(Label.DR_ROOT, b"+kem")


def root_step(root: bytes, dh: bytes, kem_secret: bytes) -> tuple[bytes, bytes, bytes]:
    """Root key, chain key and next header key: HKDF(salt = root, ikm = DH || KEM secret, 96 bytes).

    kem_secret: 32 bytes, or empty in a step without one; then the info differs too. HKDF is written out, because
    every turn takes two of these.
    """
    info = _ROOT_KEM if kem_secret else _ROOT
    prk = hmac.digest(root, dh + kem_secret, "sha256")
    first = hmac.digest(prk, info + b"\x01", "sha256")
    second = hmac.digest(prk, first + info + b"\x02", "sha256")
    return first, second, hmac.digest(prk, second + info + b"\x03", "sha256")


def skip(chain: bytes, count: int) -> tuple[bytes, list[bytes]]:
    """The chain key `count` messages on, and the keys of those messages. The caller has bounded the count."""
    digest = hmac.digest
    missed = []
    for _ in range(count):
        missed.append(digest(chain, b"\x01", "sha256"))
        chain = digest(chain, b"\x02", "sha256")
    return chain, missed
