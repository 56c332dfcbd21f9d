"""The workshop's own program: one file, one answer, then it ends. Runs as a child of the node or of a door.

weft.py _workshop picture FD N  the file on stdin, a copy without metadata to descriptor FD; N: bytes of its preview
weft.py _workshop sound FD      the same without a preview
weft.py _workshop moving FD     likewise
weft.py _workshop avatar        the file on stdin
weft.py _workshop sticker       the file on stdin
weft.py _workshop taken         the file on stdin
weft.py _workshop page CHARSET  a page of the web on stdin; what its server says of its encoding, or nothing
weft.py _workshop pixels W H    a preview on stdin, unpacked to at most W x H pixels

The answer is one record of protocol/workshop.py on stdout. Without one it has died, which says enough. Not here: who
waits for it, for how long, and the sentences (workshop.py).
"""

import os
import signal
import struct
import zlib
from collections.abc import Callable

from node.workshop import bounds
from node.workshop.faults import Refused
from protocol import record
from protocol.workshop import PAGE_BYTES_MAX, Failed, Why

PICTURE_BYTES_MAX = 64 << 20
SOUND_BYTES_MAX = 256 << 20  # is held in memory, twice
_CHUNK_BYTES = 1 << 20
# What decoders raise on a file that is not what it says; zlib.error and struct.error have no root of their own.
BROKEN = (
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def main(argv: list[str]) -> int:
    """Does one piece of work under limits and writes the answer; its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _write(1, record.encode(_worked(argv)))
    except MemoryError:
        _write(1, record.encode(Failed(Why.MEMORY)))
    return 0


def writer(descriptor: int) -> Callable[[bytes], None]:
    """What appends to the copy. It raises: Refused where there is no room."""

    def write(raw: bytes) -> None:
        try:
            _write(descriptor, raw)
        except OSError:
            raise Refused(Why.UNWRITTEN) from None

    return write


def _worked(argv: list[str]) -> object:
    work, descriptors = _prepared(argv)
    bounds.close(descriptors)
    try:
        return work()
    except Refused as refused:
        return Failed(refused.why)
    except BROKEN:
        return Failed(Why.BROKEN)


def _prepared(argv: list[str]) -> tuple[Callable[[], object], int]:
    """The work, all that it needs loaded and the limits in force; and how many descriptors it keeps."""
    match argv:
        case ["picture", descriptor, preview]:
            bounds.enter(PICTURE_BYTES_MAX)
            from node.workshop import pictures

            copy, most = int(descriptor), int(preview)
            return lambda: pictures.picture(_read(PICTURE_BYTES_MAX), writer(copy), most), copy + 1
        case ["avatar"]:
            bounds.enter(0)
            from node.workshop import pictures

            return lambda: pictures.avatar(_read(PICTURE_BYTES_MAX)), 3
        case ["sticker"]:
            bounds.enter(0)
            from node.workshop import pictures

            return lambda: pictures.sticker(_read(PICTURE_BYTES_MAX)), 3
        case ["taken"]:
            bounds.enter(0)
            from node.workshop import stripping

            return lambda: stripping.taken(_read(PICTURE_BYTES_MAX)), 3
        case ["page", charset]:
            bounds.enter(0)
            from node.workshop import pages

            return lambda: pages.page(_read(PAGE_BYTES_MAX), charset), 3
        case ["pixels", width, height]:
            bounds.enter(0)
            from node.workshop import pictures

            return lambda: pictures.pixels(_read(PICTURE_BYTES_MAX), int(width), int(height)), 3
        case ["sound", descriptor]:
            bounds.enter(SOUND_BYTES_MAX)
            from node.workshop import sounds

            return lambda: sounds.sound(_read(SOUND_BYTES_MAX), writer(int(descriptor))), int(descriptor) + 1
        case ["moving", descriptor]:
            bytes_max = os.fstat(0).st_size
            bounds.enter(bytes_max)
            from node.workshop import films

            return lambda: films.film(0, bytes_max, int(descriptor)), int(descriptor) + 1
        case _:
            raise SystemExit(2)


def _read(bytes_max: int) -> bytes:
    """All of stdin as it is now; what is appended meanwhile is not waited for beyond the limit."""
    parts, left = [], bytes_max + 1
    while left and (part := os.read(0, min(left, _CHUNK_BYTES))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise Refused(Why.LARGE)
    return b"".join(parts)


def _write(descriptor: int, raw: bytes) -> None:
    left = memoryview(raw)
    while left:
        left = left[os.write(descriptor, left) :]
