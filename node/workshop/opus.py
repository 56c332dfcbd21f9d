"""Packets of Opus out of a WebM as an Ogg of their own, which libsndfile reads (RFC 6716, 7845); for a waveform.

Not here: which packets those are (matroska.py), what is heard in them (sounds.py).
"""

from collections.abc import Iterable, Iterator

from node.workshop import tags

RATE = 48_000  # in which Opus counts, whatever was recorded
PACKET_BYTES_MAX = 255 * 255 - 1  # what fits on one page
_SERIAL = b"weft"
_FIRST = 0x02
_FRAMES = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)  # samples, by which half of the codec it is


def samples(packet: bytes) -> int:
    """How many samples a packet has; 0 for what is none (RFC 6716, 3.1)."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    lengths = _FRAMES[0] if config < 12 else _FRAMES[1] if config < 16 else _FRAMES[2]
    count = (1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
    return lengths[config % len(lengths)] * count


def wrapped(head: bytes, packets: Iterable[bytes]) -> bytes:
    """An Ogg of one stream: its head as it stands in the WebM, no comments, and the packets, each on a page."""
    comments = tags.silent(b"OpusTags", b"", 16)
    return b"".join(_pages((head, comments, *packets)))


def _pages(packets: tuple[bytes, ...]) -> Iterator[bytes]:
    heard = 0
    for number, packet in enumerate(packets):
        heard += samples(packet) if number > 1 else 0
        flags = _FIRST if number == 0 else 0
        lacing = b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,))
        first = b"OggS\x00" + bytes((flags,)) + heard.to_bytes(8, "little") + _SERIAL + number.to_bytes(4, "little")
        rest = bytes((len(lacing),)) + lacing + packet
        yield first + tags.checksum(first + bytes(4) + rest).to_bytes(4, "little") + rest
