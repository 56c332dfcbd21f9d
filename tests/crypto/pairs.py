"""What the tests of crypto/ build on: seeded entropy, repeatable encapsulation, parties, both ends of a session.

Not here: published vectors (vectors.py), golden samples (golden.py).
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from kyber_py.ml_kem import ML_KEM_768

from crypto import handshake, keys, ratchet
from crypto.handshake import Agreed, Party, Prekeys, PrekeySecrets
from crypto.keys import DhKey, Encapsulate, Entropy, KemKey
from crypto.ratchet import Mark, Ratchet

NOW_MS = 1_700_000_000_000


def entropy_of(seed: object) -> Entropy:
    """A stream of bytes that repeats for the same seed, in a world where n bytes are drawn at a time."""
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed}/{drawn}".encode()).digest(length)

    return draw


def encapsulation_of(entropy: Entropy) -> Encapsulate:
    """ML-KEM by kyber_py, which takes its randomness: repeatable, and not the implementation that weft ships."""

    def encapsulate(public: bytes) -> tuple[bytes, bytes]:
        secret, ciphertext = ML_KEM_768._encaps_internal(public, entropy(32))
        return ciphertext, secret

    return encapsulate


class End(NamedTuple):
    """A device: its names and its identity key."""

    party: Party
    identity: DhKey


def end_of(entropy: Entropy) -> End:
    identity = DhKey(entropy(32))
    return End(Party(entropy(32), entropy(32), identity.public), identity)


def secrets_of(entropy: Entropy, one_time: bool = True) -> PrekeySecrets:
    return PrekeySecrets(DhKey(entropy(32)), DhKey(entropy(32)) if one_time else None, KemKey(entropy(64)))


class Init(NamedTuple):
    """What an init carries to the responder, beside certificates."""

    theirs: Party
    ephemeral: bytes
    ciphertext: bytes
    counter: int


def initiated(
    alice: End, bob: End, prekeys: Prekeys, ephemeral: DhKey, counter: int = 0, encapsulate: Encapsulate | None = None
) -> tuple[Agreed, Init]:
    chosen = encapsulate or keys.encapsulate
    agreed, ciphertext = handshake.initiate(alice.party, alice.identity, bob.party, prekeys, ephemeral, counter, chosen)
    return agreed, Init(alice.party, ephemeral.public, ciphertext, counter)


def responded(init: Init, bob: End, secrets: PrekeySecrets) -> Agreed:
    return handshake.respond(*init, bob.party, bob.identity, secrets)


def known(agreed: Agreed) -> tuple[bytes, ...]:
    """Everything that an end knows after PX3; `==` on Agreed compares the session id only."""
    return agreed.session, agreed.root, agreed.header, agreed.next_header, agreed.boot


def session(seed: object, now_ms: int = NOW_MS) -> tuple[Ratchet, Ratchet]:
    """Both ends of a fresh session: the initiator's, the responder's."""
    entropy = entropy_of(seed)
    alice, bob, secrets = end_of(entropy), end_of(entropy), secrets_of(entropy)
    agreed, init = initiated(alice, bob, secrets.public(), DhKey(entropy(32)))
    mine = ratchet.sending_first(agreed, secrets.signed.public, entropy, now_ms)
    return mine, ratchet.receiving_first(responded(init, bob, secrets), secrets.signed, now_ms)


class Sealed(NamedTuple):
    """A message on its way."""

    header: bytes
    body: bytes


Write = Callable[[Ratchet, bytes], Sealed]


def writer(seed: object, now_ms: int = NOW_MS) -> Write:
    """Seals with seeded entropy, at one time."""
    entropy = entropy_of(seed)

    def write(r: Ratchet, plaintext: bytes) -> Sealed:
        return Sealed(*ratchet.encrypt(r, plaintext, entropy, keys.encapsulate, now_ms))

    return write


def read(r: Ratchet, sealed: Sealed, now_ms: int = NOW_MS) -> bytes:
    return ratchet.decrypt(r, *sealed, now_ms)[0]


def mark_of(r: Ratchet, sealed: Sealed, now_ms: int = NOW_MS) -> Mark:
    return ratchet.decrypt(r, *sealed, now_ms)[1]


def state(r: Ratchet) -> object:
    """The whole state but for the failure budget: what a failed message must not change."""
    *rest, _, memory = ratchet.freeze(r)
    return rest, memory


def talked(seed: object, rounds: int = 2) -> tuple[Ratchet, Ratchet, Write]:
    """A session in which both ends have written `rounds` times, and its writer."""
    alice, bob = session(seed)
    write = writer(seed)
    for number in range(rounds):
        assert read(bob, write(alice, b"to bob %d" % number)) == b"to bob %d" % number
        assert read(alice, write(bob, b"to alice %d" % number)) == b"to alice %d" % number
    return alice, bob, write


def flipped(message: bytes, bit: int) -> bytes:
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
