"""What is said of a sticker, and how a pack of them lies in a file: small pictures with a name and an emoji each.

Everything in them is the word of who made them. Not here: how a picture is made small (node/workshop), what is done to
names (names.py).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import content, record
from protocol.workshop import STICKER_BYTES_MAX

NAME_BYTES_MAX = 48
ALT_BYTES_MAX = 32  # as a reaction
PACK_MAX = 120  # stickers; what other messengers allow
MAGIC = b"weft stickers 1\n"
FILE_BYTES_MAX = PACK_MAX * (STICKER_BYTES_MAX + 256)  # of a pack: 6 MB, which is fetched without asking

_NAME = record.Line(NAME_BYTES_MAX)
_WEBP = record.Size(1, STICKER_BYTES_MAX)


@record.record
@dataclass(frozen=True, slots=True)
class Sticker:
    """A small picture in the place of words.

    name, pack: of the sticker and of the pack that it is from. alt: an emoji or word where no picture is drawn. webp: a
    still picture without metadata, at most 512 on a side. forwarded: it was said to the sender by somebody else.
    """

    KIND: ClassVar[int] = 141
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    name: Annotated[str, _NAME]
    pack: Annotated[str, _NAME]
    alt: Annotated[str, record.Utf8(ALT_BYTES_MAX)]
    webp: Annotated[bytes, _WEBP]
    forwarded: record.Flag = 0


@record.record
@dataclass(frozen=True, slots=True)
class Piece:
    """A sticker in a pack's file."""

    KIND: ClassVar[int] = 142

    name: Annotated[str, _NAME]
    alt: Annotated[str, record.Utf8(ALT_BYTES_MAX)]
    webp: Annotated[bytes, _WEBP]


@record.record
@dataclass(frozen=True, slots=True)
class Pack:
    """A pack: all that a file has behind MAGIC. There is no path in it, and nothing that is packed."""

    KIND: ClassVar[int] = 143

    name: Annotated[str, _NAME]
    pieces: Annotated[tuple[Piece, ...], record.Count(1, PACK_MAX)]
