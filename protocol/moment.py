"""The content of an entry of a feed: sealed so that nobody can tell from outside for whom, or what it is.

    4 slots of 48 || commitment 32 || nonce 24 || XChaCha20-Poly1305(content key, pad(said))

docs/protocol/moments.md. A slot holds 32 bytes sealed under a wrapping key of an audience, or is random. A wrapping key
belongs to one place of one log, where the chain of its audience stood. Not here: what is said and who is told which
chain (features/moments), the entries themselves (entry.py).
"""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from crypto import hashing, sealing
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from crypto.keys import Entropy
from protocol import entry
from protocol.faults import OverLimit

KEY_BYTES = 32  # of a chain, a wrapping key, a post
SLOTS = 4
SLOT_BYTES = KEY_BYTES + sealing.TAG_BYTES
COMMITMENT_BYTES = 32
_COMMITMENT = slice(SLOTS * SLOT_BYTES, SLOTS * SLOT_BYTES + COMMITMENT_BYTES)
_NONCE = slice(_COMMITMENT.stop, _COMMITMENT.stop + sealing.NONCE_BYTES)
CONTENT_BYTES_MIN = _NONCE.stop + entry.PADDED_BYTES[0] + sealing.TAG_BYTES


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an entry stands: its author (a device key, 32 bytes), its log (16 bytes), its seq."""

    author: bytes
    log: bytes
    seq: int

    @property
    def name(self) -> bytes:
        """The bytes that a content is bound to."""
        return self.author + self.log + self.seq.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Slot:
    """What one audience finds in a content. wrap: its wrapping key of this place; holds: 32 bytes."""

    wrap: bytes
    holds: bytes


def step(chain: bytes) -> bytes:
    """The chain key of the next place. Nobody goes back."""
    return hashing.subkey(chain, Label.MOMENT, b"step")


def stepped(chain: bytes, places: int) -> bytes:
    """The chain key so many places further on."""
    for _ in range(places):
        chain = step(chain)
    return chain


def wrap_key(chain: bytes) -> bytes:
    """The wrapping key of the place where a chain stands; from it nobody gets the chain."""
    return hashing.subkey(chain, Label.MOMENT, b"wrap")


def name_of(key: bytes) -> bytes:
    """What stands in a slot for a post, where something is said about it: only who has its key knows what it names."""
    return hashing.subkey(key, Label.MOMENT, b"name")


def answer_key(key: bytes, wrap: bytes) -> bytes:
    """The key of an answer, from that of the post and the wrapping key of all contacts of who answers: both it takes.

    HKDF-SHA-256 over both, each of 32 bytes (NIST SP 800-56C, section 5.1: a hybrid of two secrets).
    """
    return hashing.subkey(key + wrap, Label.MOMENT, b"answer")


def own_key(secret: bytes, nonce: bytes) -> bytes:
    """The key of a post of our own, from the nonce of its content: who has our secret finds it again, nobody else."""
    return hashing.subkey(secret, Label.MOMENT, b"post" + nonce)


def own_wrap(secret: bytes, spot: Spot) -> bytes:
    """A wrapping key of this place for ourselves: in it we find the key of a post whose first content is gone."""
    return hashing.subkey(secret, Label.MOMENT, b"own" + spot.name)


def audience_id(secret: bytes, name: str) -> bytes:
    """By which a reader knows the next chain of an audience from that of another, 16 bytes; it tells him no name."""
    return hashing.subkey(secret, Label.MOMENT, b"audience" + name.encode())[: hashing.ID_BYTES]


def first_chain(secret: bytes, log: bytes) -> bytes:
    """The chain of all contacts at the beginning of a log of our own."""
    return hashing.subkey(secret, Label.MOMENT, b"all" + log)


def first_root(secret: bytes, log: bytes) -> bytes:
    """The root of that chain: from which the chain in the next log comes, where all readers go over to it."""
    return hashing.subkey(secret, Label.MOMENT, b"first root" + log)


def next_chain(root: bytes, log: bytes) -> tuple[bytes, bytes]:
    """A chain at the beginning of the log that goes on its log, and the root of it. root: of the chain before.

    From a root nobody gets the chain that it came with, nor the root before: who joins late reads nothing of before.
    """
    return hashing.subkey(root, Label.MOMENT, b"next" + log), hashing.subkey(root, Label.MOMENT, b"root" + log)


def seal(key: bytes, spot: Spot, said: bytes, slots: Sequence[Slot], nonce: bytes, entropy: Entropy) -> bytes:
    """A content that says this under a key. nonce: 24 bytes, fresh random ones each time. Raises: OverLimit."""
    if len(said) > entry.SAID_BYTES_MAX:
        raise OverLimit("A moment holds at most 60 KiB with its previews.", field="content")
    assert len(slots) <= SLOTS
    full = [sealing.seal(one.wrap, nonce, one.holds, spot.name)[sealing.NONCE_BYTES :] for one in slots]
    full += [entropy(SLOT_BYTES) for _ in range(SLOTS - len(full))]
    draws = entropy(8 * SLOTS)
    order = sorted(range(SLOTS), key=lambda place: draws[8 * place : 8 * place + 8])
    sealed = sealing.seal(_content_key(key, spot), nonce, sealing.pad(said, entry.PADDED_BYTES), spot.name)
    return b"".join([*(full[place] for place in order), _commitment(key, spot), sealed])


def nonce_of(content: bytes) -> bytes:
    """The nonce of a content. Raises: Malformed."""
    if len(content) < CONTENT_BYTES_MIN:
        raise Malformed
    return content[_NONCE]


def held(wrap: bytes, spot: Spot, content: bytes) -> bytes | None:
    """What a content holds for who has this wrapping key of its place, 32 bytes; None for nothing.

    Raises: Malformed.
    """
    nonce = nonce_of(content)
    for at in range(0, SLOTS * SLOT_BYTES, SLOT_BYTES):
        with suppress(Forged):
            return sealing.open_sealed(wrap, nonce + content[at : at + SLOT_BYTES], spot.name)
    return None


def is_under(key: bytes, spot: Spot, content: bytes) -> bool:
    """Whether a content is committed to this key. Raises: Malformed."""
    nonce_of(content)
    return hmac.compare_digest(_commitment(key, spot), content[_COMMITMENT])


def unseal(key: bytes, spot: Spot, content: bytes) -> bytes:
    """What a content says. Raises: Malformed, Forged (another key)."""
    if not is_under(key, spot, content):
        raise Forged
    padded = sealing.open_sealed(_content_key(key, spot), content[_NONCE.start :], spot.name)
    return sealing.unpad(padded, entry.PADDED_BYTES)


def _content_key(key: bytes, spot: Spot) -> bytes:
    return hashing.subkey(key, Label.MOMENT, b"content" + spot.name)


def _commitment(key: bytes, spot: Spot) -> bytes:
    return hashing.subkey(key, Label.MOMENT, b"commit" + spot.name)
