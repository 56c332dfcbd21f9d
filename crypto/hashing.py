"""The one table of domain labels, and hashing, HKDF and MAC under them.

Every hash, signature and derived key of weft begins with a label from this table (docs/protocol/handshake.md 1), so
that bytes made for one purpose never mean anything for another. Not here: signatures (keys.py), seals (sealing.py).
"""

import hashlib
import hmac
from collections.abc import Callable
from enum import StrEnum

HASH_BYTES = 32
ID_BYTES = 16
HKDF_BYTES_MAX = 255 * 32  # RFC 5869, section 2.3


class Label(StrEnum):
    """The purposes under which bytes are hashed, signed or derived. A label is never reused or renamed."""

    DEVICE_LIST = "weft/1/devlist"
    DEVICE_CERT = "weft/1/dev-cert"
    CARD = "weft/1/card"
    PREKEYS = "weft/1/prekeys"
    ONE_TIME = "weft/1/otpk"
    INVITE = "weft/1/invite"
    PX3 = "weft/1/px3"
    SID = "weft/1/sid"
    DR_ROOT = "weft/1/dr-root"
    CHAN = "weft/1/chan"
    BEACON = "weft/1/beacon"
    RENDEZVOUS = "weft/1/rv"
    DHT = "weft/1/dht"
    KEEP = "weft/1/keep"
    LOG = "weft/1/log"
    SPINE = "weft/1/spine"
    COSIG = "weft/1/cosig"
    GROUP = "weft/1/group"
    CHAN_POST = "weft/1/chan-post"
    BACKUP = "weft/1/backup"
    LINK = "weft/1/link"
    PAIR = "weft/1/pair"
    SAS = "weft/1/sas"
    NEARBY = "weft/1/nearby"
    LEDGER = "weft/1/ledger"
    INVOICE = "weft/1/invoice"
    BLOB = "weft/1/blob"
    BLOB_ASK = "weft/1/blob-ask"
    MOMENT = "weft/1/moment"


# One encoding of each label, with the separating zero byte: labels have no zero byte inside, so no labelled message
# is a labelled message of another label.
_PREFIXES = {label: label.value.encode("ascii") + b"\x00" for label in Label}
_NO_SALT = bytes(32)
_BLOCK_BYTES = 64  # of SHA-256
_INNER_PAD, _OUTER_PAD = (int.from_bytes(pad * _BLOCK_BYTES, "big") for pad in (b"\x36", b"\x5c"))


def labelled(label: Label, message: bytes) -> bytes:
    """Label, one zero byte, message: the only form in which weft signs, hashes and derives."""
    return _PREFIXES[label] + message


def hash_of(label: Label, message: bytes) -> bytes:
    """BLAKE2b-256 (RFC 7693) of the labelled message, 32 bytes."""
    return hashlib.blake2b(_PREFIXES[label] + message, digest_size=HASH_BYTES).digest()


def digest(message: bytes) -> bytes:
    """BLAKE2b-256 (RFC 7693) of the message alone, 32 bytes: only for what is named by its plain hash on the wire.

    Those are entries of logs and their contents (docs/protocol/log.md 1.5), so that any tool finds the same name.
    """
    return hashlib.blake2b(message, digest_size=HASH_BYTES).digest()


def keyed_id(key: bytes, label: Label, message: bytes) -> bytes:
    """BLAKE2b-128 (RFC 7693) of the labelled message under a key of 1 to 64 bytes: an id of 16 bytes.

    Who has no key can neither make it from what it names nor tell that two ids name the same.
    """
    return hashlib.blake2b(_PREFIXES[label] + message, digest_size=ID_BYTES, key=key).digest()


def keyed_hash(key: bytes, label: Label, message: bytes) -> bytes:
    """BLAKE2b-256 (RFC 7693) of the labelled message under a key of 1 to 64 bytes, 32 bytes.

    Who has no key learns nothing of the message; who shows the key shows what was hashed, and nobody finds another one.
    """
    return hashlib.blake2b(_PREFIXES[label] + message, digest_size=HASH_BYTES, key=key).digest()


def hkdf(ikm: bytes, info: bytes, length: int, salt: bytes = _NO_SALT) -> bytes:
    """HKDF-SHA-256 of the key material, `length` bytes (RFC 5869).

    length: 1 to 8,160 bytes. salt: any length; 32 zero bytes are the RFC's "no salt".
    """
    assert 0 < length <= HKDF_BYTES_MAX
    prk = _extract(ikm, salt)
    block = _first_block(prk, info)
    okm = block
    counter = 1
    while len(okm) < length:
        counter += 1
        block = hmac.digest(prk, block + info + bytes((counter,)), "sha256")
        okm += block
    return okm[:length]


def subkey(secret: bytes, label: Label, purpose: bytes = b"") -> bytes:
    """A 32-byte key for one purpose, derived from a secret by HKDF under the label."""
    return _first_block(_extract(secret, _NO_SALT), _PREFIXES[label] + purpose)


def subkeys(secret: bytes, label: Label) -> Callable[[bytes], bytes]:
    """The same, for each purpose that this is called with: what is the secret's alone is done once."""
    prk, prefix = _extract(secret, _NO_SALT), _PREFIXES[label]
    # HMAC (RFC 2104) with the two blocks of its key hashed once: a fold of a hundred thousand entries asks for as many.
    key = int.from_bytes(prk.ljust(_BLOCK_BYTES, b"\x00"), "big")
    inner, outer = (hashlib.sha256((key ^ pad).to_bytes(_BLOCK_BYTES, "big")) for pad in (_INNER_PAD, _OUTER_PAD))

    def drawn(purpose: bytes) -> bytes:
        within, around = inner.copy(), outer.copy()
        within.update(prefix + purpose + b"\x01")
        around.update(within.digest())
        return around.digest()

    return drawn


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104) of the message, 32 bytes."""
    return hmac.digest(key, message, "sha256")


def same(a: bytes, b: bytes) -> bool:
    """Whether two byte strings are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(a, b)


def _extract(ikm: bytes, salt: bytes) -> bytes:
    return hmac.digest(salt, ikm, "sha256")


def _first_block(prk: bytes, info: bytes) -> bytes:
    return hmac.digest(prk, info + b"\x01", "sha256")
