"""Pictures for tests: WebP files whose headers are good; nobody decodes them."""

import struct


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk, with its zero behind an odd length."""
    return name + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    """A file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def lossless(width: int, height: int, fill: bytes = b"") -> bytes:
    """The chunk VP8L of a picture of these sides."""
    return chunk(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + fill)


def lossy(width: int, height: int, fill: bytes = b"") -> bytes:
    """The chunk VP8 of a picture of these sides."""
    return chunk(b"VP8 ", b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + fill)


def extended(width: int, height: int, flags: int = 0) -> bytes:
    """The chunk VP8X of a canvas of these sides."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return chunk(b"VP8X", bytes((flags, 0, 0, 0)) + sides)


def photo(fill: bytes = b"", side: int = 256) -> bytes:
    """A photo of this content."""
    return riff(lossless(side, side, fill))
