"""Films, inside the workshop's program: a copy without places and names, length and size. No frame is decoded.

Not here: which parts of the file these are (atoms.py, matroska.py).
"""

import os

from node.workshop import atoms, matroska
from node.workshop.faults import Refused
from protocol.workshop import SIDE_MAX, Format, Moving, Why

_COPY_BYTES = 1 << 20


def film(source: int, size: int, clean: int) -> Moving:
    """What is said of a film of so many bytes; its clean copy is written on the way. Raises: Refused, OSError."""

    def read(at: int, count: int) -> bytes:
        return os.pread(source, count, at)

    found: atoms.Found | matroska.Found
    if read(0, 4) == matroska.BEGINS:
        found = matroska.examine(read, size)
        kind, size = Format.WEBM if found.is_webm else Format.MKV, found.end
    else:
        found = atoms.examine(read, size)
        kind = Format.MOV if found.brand == b"qt  " else Format.MP4
    if not (0 < found.width <= SIDE_MAX and 0 < found.height <= SIDE_MAX):
        raise Refused(Why.STRANGE)
    for at in range(0, size, _COPY_BYTES):
        part = os.pread(source, min(_COPY_BYTES, size - at), at)
        if len(part) < min(_COPY_BYTES, size - at):
            raise Refused(Why.BROKEN)
        _write(clean, part, at)
    for start, count in found.blank:
        for at in range(start, start + count, _COPY_BYTES):
            _write(clean, bytes(min(_COPY_BYTES, start + count - at)), at)
    for at, written in found.written:
        _write(clean, written, at)
    return Moving(kind, found.length_ms, found.width, found.height)


def _write(clean: int, raw: bytes, at: int) -> None:
    try:
        done = os.pwrite(clean, raw, at)
    except OSError:
        raise Refused(Why.UNWRITTEN) from None
    if done < len(raw):
        raise Refused(Why.UNWRITTEN)
