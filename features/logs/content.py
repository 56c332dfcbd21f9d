"""What is said about logs between contacts, and the one thing that people write into logs of their own: a note.

Entries and their seals are in protocol/entry.py; how entries travel in protocol/sync.py; who gets what in view.py.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from protocol import content, evidence, log, record, spine

NOTE_BYTES_MAX = 16 * 1024  # as a text in a chat
NAME_BYTES_MAX = 64

Bytes16 = Annotated[bytes, record.Size(16)]
Bytes32 = Annotated[bytes, record.Size(32)]
Epoch = Annotated[int, record.Range(0, log.EPOCH_MAX)]

_PAIR = frozenset({content.Channel.RATCHET})
_LOG = frozenset({content.Channel.LOG})


class Role(IntEnum):
    """What a log is for. The numbers are on the wire and stored."""

    SPINE = 0
    NOTES = 1


@record.record
@dataclass(frozen=True, slots=True)
class Grant:
    """The sender's device writes a log that the reader may have. secret: of its space; previous: that it goes on."""

    KIND: ClassVar[int] = 300
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    role: Role
    epoch: Epoch
    secret: Bytes32
    anchor: Bytes32
    name: Annotated[str, record.Line(NAME_BYTES_MAX)]
    previous: Bytes16 | None


@record.record
@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness has seen an entry of the reader's spine, and says so."""

    KIND: ClassVar[int] = 301
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    cosignature: spine.Cosignature


@record.record
@dataclass(frozen=True, slots=True)
class Committed:
    """The sender's spine commits to this head of one of his logs that the reader has."""

    KIND: ClassVar[int] = 302
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    log: Bytes16
    committed: evidence.Committed


@record.record
@dataclass(frozen=True, slots=True)
class Note:
    """A line of text that its author has signed, for the readers of one of his logs; UTF-8, at most 16 KiB."""

    KIND: ClassVar[int] = 310
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    text: Annotated[str, record.Utf8(NOTE_BYTES_MAX)]
