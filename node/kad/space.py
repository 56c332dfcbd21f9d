"""The key space of the DHT: 256 bits, in which peers and keys lie, and the distance between them is their XOR.

What a key is on the wire: a record's is the text "/weft/" and base64url, so that libp2p's programs choose a validator
by its first word; a provider's is a SHA-256 multihash, because js-libp2p refuses any other. Both are at most 50 bytes,
which py-libp2p's FIND_NODE demands. Source: docs/protocol/dht.md 2; libp2p kad-dht spec, "Distance". Not here: who may
lie where (places.py).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256

from crypto.faults import Malformed
from node.lookup import KEY_BYTES
from node.network import PeerId, peer_multihash

BITS = 256
WIRE_KEY_BYTES_MAX = 128  # that is looked at: FIND_NODE asks for PeerIds, libp2p's programs for other things too
RECORD_PREFIX = b"/weft/"

_MULTIHASH_PREFIX = b"\x12\x20"  # SHA-256, 32 bytes


def position_of(peer: PeerId) -> int:
    """Where a peer lies."""
    return int.from_bytes(sha256(peer_multihash(peer)).digest())


def target_of(wire_key: bytes) -> int:
    """Where a key lies, given as it is on the wire."""
    return int.from_bytes(sha256(wire_key).digest())


def bucket_of(own: int, position: int) -> int:
    """How many bits two positions share from the top, 0 to 255; 256 for the same position."""
    return BITS - (own ^ position).bit_length()


def record_key(key: bytes) -> bytes:
    """The wire key of a record's 32 bytes: 49 characters."""
    assert len(key) == KEY_BYTES
    return RECORD_PREFIX + urlsafe_b64encode(key).rstrip(b"=")


def key_of_record(wire_key: bytes) -> bytes:
    """The 32 bytes of a record's wire key. Raises: Malformed when it is not exactly that."""
    text = wire_key.removeprefix(RECORD_PREFIX)
    try:
        key = urlsafe_b64decode(text + b"=")
    except (Base64Error, ValueError) as error:
        raise Malformed("a record's key is not base64url") from error
    if len(key) != KEY_BYTES or record_key(key) != wire_key:
        raise Malformed("a record's key is not /weft/ and 32 bytes")
    return key


def provider_key(key: bytes) -> bytes:
    """The wire key of 32 bytes under which peers say that they are to be found: 34 bytes."""
    assert len(key) == KEY_BYTES
    return _MULTIHASH_PREFIX + key


def key_of_providers(wire_key: bytes) -> bytes:
    """The 32 bytes of a provider's wire key. Raises: Malformed when it is not exactly that."""
    key = wire_key.removeprefix(_MULTIHASH_PREFIX)
    if len(key) != KEY_BYTES or provider_key(key) != wire_key:
        raise Malformed("a provider's key is not a SHA-256 multihash")
    return key
