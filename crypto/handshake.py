"""PX3: X3DH on X25519 with a mandatory ML-KEM-768, the whole transcript in the derivation.

The law is docs/protocol/handshake.md 2. Both ends compute; whether the other end computed the same shows in the first
ratchet message, which opens or does not. Not here: certificates and bundles and their signatures (protocol/), the
memory of ephemeral keys that stops a replayed init (store/), the ratchet that starts from the result (ratchet.py).
"""

import hashlib
from dataclasses import dataclass, field
from typing import NoReturn

from crypto import keys
from crypto.faults import Forged, Malformed, Reflected
from crypto.hashing import Label, hkdf, labelled
from crypto.keys import DhKey, Encapsulate, KemKey

SESSION_BYTES = 16
COUNTER_MAX = 2**64 - 1  # the transcript holds it as u64

_PREFIX = b"\xff" * 32  # X3DH, section 2.2: no input of X25519 begins so
_NO_ONE_TIME = bytes(32)


@dataclass(frozen=True, slots=True)
class Party:
    """One end by its public names: account id, hash of the device certificate, X25519 identity key; 32 bytes each.

    Raises: Malformed when a size is wrong, because the transcript is a concatenation of fixed widths.
    """

    account: bytes
    cert_hash: bytes
    identity: bytes

    def __post_init__(self) -> None:
        if not len(self.account) == len(self.cert_hash) == len(self.identity) == 32:
            raise Malformed


@dataclass(frozen=True, slots=True)
class Prekeys:
    """Public halves of the responder's prekeys. signed: 32; one_time: 32, or None without one; kem: 1,184.

    Raises: Malformed when a size is wrong.
    """

    signed: bytes
    one_time: bytes | None
    kem: bytes

    def __post_init__(self) -> None:
        if len(self.signed) != 32 or len(self.kem) != keys.KEM_PUBLIC_BYTES:
            raise Malformed
        if self.one_time is not None and len(self.one_time) != 32:
            raise Malformed


@dataclass(frozen=True, slots=True)
class PrekeySecrets:
    """The responder's prekey pairs that the init names. one_time: None when the init used none."""

    signed: DhKey
    one_time: DhKey | None
    kem: KemKey

    def public(self) -> Prekeys:
        """The public halves, as the bundle shows them."""
        one_time = None if self.one_time is None else self.one_time.public
        return Prekeys(self.signed.public, one_time, self.kem.public)


@dataclass(frozen=True, slots=True, repr=False)
class Agreed:
    """What both ends know after PX3. session: 16 bytes, not secret; the rest 32 bytes each, secret.

    root, header, next_header start the ratchet; boot keys the direct stream until there is a pair secret.
    """

    session: bytes
    root: bytes = field(compare=False)
    header: bytes = field(compare=False)
    next_header: bytes = field(compare=False)
    boot: bytes = field(compare=False)

    def __repr__(self) -> str:
        return f"Agreed(session={self.session.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("agreed secrets are not pickled")


def initiate(
    mine: Party,
    identity: DhKey,
    theirs: Party,
    prekeys: Prekeys,
    ephemeral: DhKey,
    counter: int,
    encapsulate: Encapsulate,
) -> tuple[Agreed, bytes]:
    """The initiator's result, and the KEM ciphertext (1,088 bytes) that the responder needs.

    identity: the pair of mine.identity. prekeys: from a bundle whose signatures were checked. ephemeral: fresh, used
    once. counter: 0 for a first session, else the restart counter.

    Raises: Reflected when both ends are the same, Forged when a key of theirs is of low order or no valid ML-KEM key.
    """
    assert identity.public == mine.identity
    assert 0 <= counter <= COUNTER_MAX
    _refuse_reflection(mine, theirs, (identity.public, ephemeral.public), (theirs.identity, prekeys.signed))
    secrets = (
        keys.agree(identity, prekeys.signed),  # PX3 2.2: DH1 to DH4
        keys.agree(ephemeral, theirs.identity),
        keys.agree(ephemeral, prekeys.signed),
        b"" if prekeys.one_time is None else keys.agree(ephemeral, prekeys.one_time),
    )
    ciphertext, kem_secret = encapsulate(prekeys.kem)
    heard = _transcript(mine, theirs, prekeys, ephemeral.public, ciphertext, counter)
    return _derive(b"".join(secrets) + kem_secret, heard), ciphertext


def respond(
    theirs: Party,
    ephemeral: bytes,
    ciphertext: bytes,
    counter: int,
    mine: Party,
    identity: DhKey,
    secrets: PrekeySecrets,
) -> Agreed:
    """The responder's result for an init.

    theirs: the initiator, from a certificate that was checked. ephemeral: 32 bytes, ciphertext: 1,088 bytes, counter:
    all from the init. identity: the pair of mine.identity. secrets: the prekeys that the init names.

    Raises: Reflected when both ends are the same, Forged when a key is of low order or the ciphertext has a wrong
    length. A ciphertext made for another key is not noticed here: the first ratchet message does not open.
    """
    assert identity.public == mine.identity
    if not 0 <= counter <= COUNTER_MAX:
        raise Malformed
    if len(ephemeral) != keys.PUBLIC_BYTES or len(ciphertext) != keys.KEM_CIPHERTEXT_BYTES:
        raise Forged
    prekeys = secrets.public()
    _refuse_reflection(mine, theirs, (identity.public, prekeys.signed), (theirs.identity, ephemeral))
    agreed = (
        keys.agree(secrets.signed, theirs.identity),
        keys.agree(identity, ephemeral),
        keys.agree(secrets.signed, ephemeral),
        b"" if secrets.one_time is None else keys.agree(secrets.one_time, ephemeral),
    )
    kem_secret = secrets.kem.decapsulate(ciphertext)
    heard = _transcript(theirs, mine, prekeys, ephemeral, ciphertext, counter)
    return _derive(b"".join(agreed) + kem_secret, heard)


def _refuse_reflection(mine: Party, theirs: Party, my_keys: tuple[bytes, ...], their_keys: tuple[bytes, ...]) -> None:
    # PX3 2.4: a peer that answers with our own names or keys is a mirror, and proves nothing.
    if mine.account == theirs.account or any(key in my_keys for key in their_keys):
        raise Reflected


def _transcript(
    initiator: Party, responder: Party, prekeys: Prekeys, ephemeral: bytes, ciphertext: bytes, counter: int
) -> bytes:
    # PX3 2.3: every field has one width, so two different handshakes never give the same bytes.
    flag, one_time = (b"\x00", _NO_ONE_TIME) if prekeys.one_time is None else (b"\x01", prekeys.one_time)
    message = b"".join(
        (
            initiator.account,
            initiator.cert_hash,
            initiator.identity,
            responder.account,
            responder.cert_hash,
            responder.identity,
            prekeys.signed,
            flag,
            one_time,
            prekeys.kem,
            ephemeral,
            ciphertext,
            counter.to_bytes(8, "big"),
        )
    )
    return hashlib.sha256(labelled(Label.PX3, message)).digest()


def _derive(secrets: bytes, heard: bytes) -> Agreed:
    ikm = _PREFIX + secrets
    okm = hkdf(ikm, labelled(Label.PX3, heard), 128)
    session = hkdf(ikm, labelled(Label.SID, heard), SESSION_BYTES)
    return Agreed(session, okm[:32], okm[32:64], okm[64:96], okm[96:])
