"""What a message says of a file: a blob, a name, what kind of thing it is, and what of it is shown before it is here.

Everything in it is the sender's word. Not here: the blob itself (protocol/blobs.py), what is made of a name when a file
is saved (names.py).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from protocol import content, record
from protocol.blobs import Blob

NAME_BYTES_MAX = 255  # what most file systems take
MIME_BYTES_MAX = 100
PREVIEW_BYTES_MAX = 12 * 1024
BLURHASH_BYTES_MAX = 64
SIDE_MAX = 65_535  # pixels
WAVE_BYTES_MAX = 64  # a level for each part of a recording, 0 to 255


class Shape(IntEnum):
    """What a file is to a person."""

    FILE = 0
    PICTURE = 1
    VOICE = 2
    VIDEO = 3
    FOLDER = 4  # a tar archive


@record.record
@dataclass(frozen=True, slots=True)
class File:
    """A file, a picture, a recording, a video or a folder.

    preview: WebP, empty for none. width, height: pixels, 0 for unknown. length_ms: of a recording or video. wave: its
    levels. forwarded: it was said to the sender by somebody else.
    """

    KIND: ClassVar[int] = 140
    CHANNELS: ClassVar[frozenset[content.Channel]] = frozenset({content.Channel.RATCHET})

    blob: Blob
    name: Annotated[str, record.Line(NAME_BYTES_MAX)]
    mime: Annotated[str, record.Line(MIME_BYTES_MAX)]
    shape: Shape
    preview: Annotated[bytes, record.Size(0, PREVIEW_BYTES_MAX)] = b""
    blurhash: Annotated[str, record.Utf8(BLURHASH_BYTES_MAX)] = ""
    width: Annotated[int, record.Range(0, SIDE_MAX)] = 0
    height: Annotated[int, record.Range(0, SIDE_MAX)] = 0
    length_ms: Annotated[int, record.Range(0, 2**32 - 1)] = 0
    wave: Annotated[bytes, record.Size(0, WAVE_BYTES_MAX)] = b""
    forwarded: record.Flag = 0
