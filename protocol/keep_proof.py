"""What the two ends of /weft/keep/1 show each other: who asks, and that the keeper answers (docs/protocol/keep.md 2).

    owner : signature of his key, and the permit where it is a new one      keeper: the permit, with the answer
    sender: the key of a door, in a put                                     keeper: the key of the door, with the answer

All of it holds for one request on one stream. Pure. Not here: the frames (keep.py), work (work.py).
"""

from crypto import hashing, keys
from crypto.hashing import Label
from protocol.keep import NONCE_BYTES, Claim, Put, Status

# keep 2: what stands in front of everything that is signed, hashed or MACed here
_CLAIM, _ENROL, _PUT, _ENVELOPE = b"\x01", b"\x02", b"\x03", b"\x05"  # 4: work.py
_PUT_SHOWN, _CLAIM_SHOWN = b"\x06", b"\x07"


def claim(
    owner: keys.SigningKey, keeper_peer: bytes, owner_peer: bytes, nonce: bytes, permit: bytes | None = None
) -> Claim:
    """The claim of an owner on one stream. permit: 32 bytes, to enrol the key; None when it is enrolled already."""
    t = _transcript(keeper_peer, owner_peer, nonce)
    signature = owner.sign(Label.KEEP, _CLAIM + t)
    if permit is None:
        return Claim(owner.public, None, None, signature)
    return Claim(owner.public, permit_id(permit), permit_mac(permit, t, owner.public), signature)


def check_claim(claimed: Claim, keeper_peer: bytes, owner_peer: bytes, nonce: bytes) -> None:
    """Returns when whoever said this on this stream has the key that he names. Raises: Forged."""
    t = _transcript(keeper_peer, owner_peer, nonce)
    keys.verify(claimed.owner, Label.KEEP, _CLAIM + t, claimed.signature)


def is_permitted(claimed: Claim, permit: bytes, keeper_peer: bytes, owner_peer: bytes, nonce: bytes) -> bool:
    """Whether a claim was made by somebody who has this permit, on this stream and for this owner key."""
    if claimed.permit_mac is None:
        return False
    t = _transcript(keeper_peer, owner_peer, nonce)
    return hashing.same(permit_mac(permit, t, claimed.owner), claimed.permit_mac)


def permit_id(permit: bytes) -> bytes:
    """The 16-byte name of a permit, which does not tell it."""
    return hashing.keyed_id(permit, Label.KEEP, b"permit")


def permit_mac(permit: bytes, transcript: bytes, owner: bytes) -> bytes:
    """32 bytes that show a permit, for one stream and one owner key. transcript: both PeerIds and the nonce."""
    return hashing.mac(permit, hashing.labelled(Label.KEEP, _ENROL + transcript + owner))


def envelope_id(envelope: bytes) -> bytes:
    """The 32-byte hash by which an envelope is known in its queue, and nowhere else."""
    return hashing.hash_of(Label.KEEP, _ENVELOPE + envelope)


def put_mac(put_key: bytes, nonce: bytes, n: int, sender: bytes, ttl_s: int, envelope_id: bytes) -> bytes:
    """32 bytes that show the key of a door, for one request of one stream. n: its number, from 1."""
    said = nonce + _u32(n) + sender + _u32(ttl_s) + envelope_id
    return hashing.mac(put_key, hashing.labelled(Label.KEEP, _PUT + said))


def put(
    put_key: bytes, nonce: bytes, n: int, sender: bytes, envelope: bytes, ttl_s: int, work: int | None = None
) -> Put:
    """Request n of a stream: an envelope through a door."""
    mac = put_mac(put_key, nonce, n, sender, ttl_s, envelope_id(envelope))
    return Put(sender, envelope, ttl_s, mac, work)


def is_put_by(asked: Put, put_key: bytes, nonce: bytes, n: int) -> bool:
    """Whether a Put was made by somebody who has this key, as request n of this stream."""
    mac = put_mac(put_key, nonce, n, asked.sender, asked.ttl_s, envelope_id(asked.envelope))
    return hashing.same(mac, asked.mac)


def put_proof(put_key: bytes, nonce: bytes, asked: Put, n: int, status: Status, kept_s: int) -> bytes:
    """32 bytes that show the key of a door with the answer to request n of a stream, which was this Put."""
    said = nonce + _u32(n) + bytes((status,)) + _u32(kept_s) + asked.sender + envelope_id(asked.envelope)
    return hashing.mac(put_key, hashing.labelled(Label.KEEP, _PUT_SHOWN + said))


def claim_proof(permit: bytes, ends: tuple[bytes, bytes, bytes], owner: bytes, n: int, status: Status) -> bytes:
    """32 bytes that show a permit with the answer to request n of a stream, a claim.

    ends: PeerIds of keeper and owner, nonce.
    """
    said = _transcript(*ends) + owner + _u32(n) + bytes((status,))
    return hashing.mac(permit, hashing.labelled(Label.KEEP, _CLAIM_SHOWN + said))


def _transcript(keeper_peer: bytes, owner_peer: bytes, nonce: bytes) -> bytes:
    assert len(keeper_peer) == len(owner_peer) == 32
    assert len(nonce) == NONCE_BYTES
    return keeper_peer + owner_peer + nonce


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")
