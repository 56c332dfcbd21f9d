"""Bytes that two keys open to two texts: what the cipher of contents allows to whoever knows both keys.

XChaCha20-Poly1305 does not commit to its key. A tag is a polynomial over the ciphertext at a point that the key gives,
so one block of it can be chosen with which two tags agree (Len, Grubbs, Ristenpart, "Partitioning Oracle Attacks",
2021, section 3; RFC 8439, 2.5 and 2.8). Not here: what of weft refuses it (test_moment.py).
"""

from Crypto.Cipher import ChaCha20

from crypto.keys import Entropy

BLOCK_BYTES = 16
_PRIME = (1 << 130) - 5
_TOP = 1 << 128  # stands above each block
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


def stream(key: bytes, nonce: bytes, count: int) -> bytes:
    """The bytes that a text is hidden under. nonce: 24 bytes."""
    return ChaCha20.new(key=key, nonce=nonce).encrypt(bytes(64 + count))[64:]


def sealed(keys: tuple[bytes, bytes], nonce: bytes, ciphertext: bytes, free: int, ad: bytes, entropy: Entropy) -> bytes:
    """Ciphertext and tag that hold under both keys. ciphertext: whole blocks; of it the one at `free` is replaced, and
    the one behind it is drawn anew until it works out."""
    at = BLOCK_BYTES * free
    points = [_point(key, nonce) for key in keys]
    while True:
        drawn = ciphertext[:at] + bytes(BLOCK_BYTES) + entropy(BLOCK_BYTES) + ciphertext[at + 2 * BLOCK_BYTES :]
        blocks = _blocks(ad, drawn)
        place = (len(ad) + BLOCK_BYTES - 1) // BLOCK_BYTES + free
        blocks[place] = 0
        (r, s), (r_other, s_other) = points
        power = len(blocks) - place
        slope = pow(pow(r, power, _PRIME) - pow(r_other, power, _PRIME), -1, _PRIME)
        apart = _value(blocks, r_other) - _value(blocks, r) + s_other - s
        for wraps in range(-4, 5):
            found = (apart + wraps * _TOP) * slope % _PRIME
            if _TOP <= found < 2 * _TOP:
                blocks[place] = found
                tags = [(_value(blocks, point) + add) % _TOP for point, add in points]
                if tags[0] == tags[1]:
                    chosen = (found - _TOP).to_bytes(BLOCK_BYTES, "little")
                    tag = tags[0].to_bytes(BLOCK_BYTES, "little")
                    return drawn[:at] + chosen + drawn[at + BLOCK_BYTES :] + tag


def _point(key: bytes, nonce: bytes) -> tuple[int, int]:
    first = ChaCha20.new(key=key, nonce=nonce).encrypt(bytes(32))
    return int.from_bytes(first[:16], "little") & _CLAMP, int.from_bytes(first[16:], "little")


def _blocks(ad: bytes, ciphertext: bytes) -> list[int]:
    lengths = len(ad).to_bytes(8, "little") + len(ciphertext).to_bytes(8, "little")
    whole = ad + bytes(-len(ad) % BLOCK_BYTES) + ciphertext + lengths
    return [_TOP + int.from_bytes(whole[at : at + 16], "little") for at in range(0, len(whole), BLOCK_BYTES)]


def _value(blocks: list[int], point: int) -> int:
    found = 0
    for block in blocks:
        found = (found + block) * point % _PRIME
    return found
