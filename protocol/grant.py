"""What devices say of logs in their ratchets: who may have one, who has seen one, how far one is committed to.

docs/protocol/grant.md. These contents belong to no room. The entries themselves travel by sync.py; what is in them is
the rooms'; who is told what in node/logs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from crypto import hashing, keys, sealing
from crypto.faults import Forged
from crypto.hashing import Label
from protocol import content, evidence, log, record, spine, wire
from protocol.identity import Certificate
from protocol.record import Bytes16, Bytes32

NAME_BYTES_MAX = 64
GRANT_BYTES_MAX = 192  # of one in a handover, encoded: no certificate fits
_BOX_BYTES = (sealing.NONCE_BYTES + sealing.TAG_BYTES + 1, sealing.NONCE_BYTES + sealing.TAG_BYTES + GRANT_BYTES_MAX)

Epoch = Annotated[int, record.Range(0, log.EPOCH_MAX)]

_RATCHET = frozenset({content.Channel.RATCHET})


class Role(IntEnum):
    """What a log is for."""

    SPINE = 0
    NOTES = 1
    LEDGER = 2  # its reader is the contact with whom it is kept
    FEED = 3  # of moments, whose contents not every reader can open (moment.py)


@record.record
@dataclass(frozen=True, slots=True)
class Grant:
    """The sending device writes this log, and the reader may have it. previous: the log that it goes on.

    writer: of a feed that another device of this account wrote, which is lost; null: the sending device writes it.
    """

    KIND: ClassVar[int] = 301
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    role: Role
    epoch: Epoch
    secret: Bytes32
    anchor: Bytes32
    name: Annotated[str, record.Line(NAME_BYTES_MAX)]
    previous: Bytes16 | None
    writer: Certificate | None = None


@record.record
@dataclass(frozen=True, slots=True)
class Cosigned:
    """The sender has seen an entry of the reader's spine, and had it on his disk when he signed this."""

    KIND: ClassVar[int] = 302
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    cosignature: spine.Cosignature


@record.record
@dataclass(frozen=True, slots=True)
class Committed:
    """The sender's spine commits to this head of a log of his that the reader has."""

    KIND: ClassVar[int] = 303
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    log: Bytes16
    committed: evidence.Committed


@record.record
@dataclass(frozen=True, slots=True)
class Handover:
    """A feed goes on in another for all its readers, by its author; any reader may pass this on to another.

    before: the log that ends. box: the grant of its successor, sealed under the secret of the log before.
    """

    KIND: ClassVar[int] = 310
    CHANNELS: ClassVar[frozenset[content.Channel]] = _RATCHET

    before: Bytes16
    box: Annotated[bytes, record.Size(*_BOX_BYTES)]
    signature: spine.Signature


def hand_over(secret: bytes, granted: Grant, key: keys.SigningKey, nonce: bytes) -> Handover:
    """The handover to the log of this grant, which says what it goes on. secret: of that; nonce: 24 random bytes."""
    before = granted.previous
    assert granted.role is Role.FEED
    assert before is not None
    box = sealing.seal(_box_key(secret, before), nonce, record.encode(granted), before)
    unsigned = Handover(before, box, bytes(keys.SIGNATURE_BYTES))
    return Handover(before, box, key.sign(Label.LOG, _said(unsigned)))


def handed(said: Handover, author: bytes, secret: bytes) -> Grant:
    """The grant in a handover. author: who writes the log before, 32 bytes; secret: of that log.

    Raises: Forged, Malformed.
    """
    keys.verify(author, Label.LOG, _said(said), said.signature)
    raw = sealing.open_sealed(_box_key(secret, said.before), said.box, said.before)
    granted = record.decode(Grant, raw, GRANT_BYTES_MAX)
    if granted.role is not Role.FEED or granted.previous != said.before:
        raise Forged
    return granted


def _box_key(secret: bytes, before: bytes) -> bytes:
    return hashing.subkey(secret, Label.LOG, b"handover" + before)


def _said(said: Handover) -> bytes:
    return wire.encode((Handover.KIND, said.before, said.box))


CONTENTS = (Grant, Cosigned, Committed, Handover)
