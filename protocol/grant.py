"""What devices say of logs in their ratchets: who may have one, who has seen one, how far one is committed to.

docs/protocol/grant.md. These contents belong to no room. The entries themselves travel by sync.py; what is in them is
the rooms'; who is told what in node/logs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from protocol import content, evidence, log, record, spine
from protocol.identity import Certificate
from protocol.record import Bytes16, Bytes32

NAME_BYTES_MAX = 64

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


CONTENTS = (Grant, Cosigned, Committed)
