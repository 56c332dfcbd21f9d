"""The waveform of Opus in a WebM is that of the same packets in an Ogg; what cannot be decoded has none."""

import random
from collections.abc import Iterator

import pytest

from node.workshop import opus, sounds
from protocol.workshop import Format, Heard
from tests import depth
from tests.node.workshop import made
from tests.node.workshop.test_matroska import block, cluster, element, facts, film, track

PACKET_MS = 20


def packets(ogg: bytes) -> Iterator[bytes]:
    """The packets of an Ogg of one stream."""
    at, packet = 0, b""
    while at < len(ogg):
        lacing = ogg[at + 27 : at + 27 + ogg[at + 26]]
        at += 27 + len(lacing)
        for size in lacing:
            packet, at = packet + ogg[at : at + size], at + size
            if size < 255:
                yield packet
                packet = b""


HEAD, _, *PACKETS = packets(made.sound("OGG", "OPUS"))


def webm(*bodies: bytes, head: bytes = HEAD, more: bytes = b"", flags: bytes = b"\x80", tracks: bytes = b"") -> bytes:
    """A sound of these packets."""
    blocks = [
        element(0xA3, block(1, PACKET_MS * number % 30_000, b"").removesuffix(b"\x80") + flags + body)
        for number, body in enumerate(bodies)
    ]
    only = track(1, 2, element(0x86, b"A_OPUS"), element(0x63A2, head), more)
    return film(facts(), element(0x1654AE6B, only, tracks), cluster(*blocks))


def heard(raw: bytes) -> Heard:
    return sounds.sound(raw, lambda clean: None)


@pytest.mark.parametrize(
    ("packet", "ms"),
    [
        (b"", 0),
        (b"\x00", 10),
        (b"\x18", 60),
        (b"\x58", 60),
        (b"\x60", 10),
        (b"\x68", 20),
        (b"\x80", 2.5),
        (b"\xf8", 20),
        (b"\xf9", 40),
        (b"\xfa", 40),
        (b"\xfb\x03", 60),
        (b"\xfb", 0),
    ],
)
def test_a_packet_says_how_long_it_is(packet: bytes, ms: float) -> None:
    assert opus.samples(packet) == 48 * ms


def test_the_waveform_is_that_of_the_same_sound_in_an_ogg() -> None:
    in_ogg, in_webm = heard(made.sound("OGG", "OPUS")), heard(webm(*PACKETS))
    assert (in_webm.format, len(in_webm.waveform)) == (Format.WEBA, 64)
    assert all(abs(a - b) < 16 for a, b in zip(in_ogg.waveform, in_webm.waveform, strict=True))
    assert in_webm.waveform[2] < in_webm.waveform[20] < in_webm.waveform[40] < in_webm.waveform[58]


def test_of_a_long_sound_two_seconds_of_each_64th_are_heard() -> None:
    _, _, *silent = packets(made.sound("OGG", "OPUS", bytes(16_000)))
    assert heard(webm(*([silent[9]] * 110 + [PACKETS[50]] * 20) * 64)).waveform == bytes(64)
    assert max(heard(webm(*([silent[9]] * 90 + [PACKETS[50]] * 20) * 64)).waveform) == 255


def test_a_sound_of_one_packet_has_a_waveform_too() -> None:
    assert len(heard(webm(PACKETS[50])).waveform) == 64


@pytest.mark.parametrize(
    "raw",
    [
        webm(),
        webm(b"", b""),
        webm(*PACKETS, flags=b"\x86"),
        webm(*PACKETS, more=element(0x6D80)),
        webm(*PACKETS, tracks=track(2, 2, element(0x86, b"A_OPUS"))),
        webm(*PACKETS, head=b"OpusHead"),
        webm(*PACKETS, head=b""),
        webm(bytes(opus.PACKET_BYTES_MAX + 1)),
    ],
    ids=["none", "empty", "laced", "packed", "two tracks", "half a head", "no head", "too long"],
)
def test_what_cannot_be_decoded_has_no_waveform(raw: bytes) -> None:
    assert heard(raw).waveform == b""


def test_packets_of_anything_are_a_sound_or_none() -> None:
    chance = random.Random("opus")
    for _ in range(min(500, depth.INPUTS_PER_DECODER // 20)):
        some = [chance.randbytes(chance.randrange(90)) for _ in range(chance.randrange(1, 40))]
        assert len(heard(webm(*some)).waveform) in (0, 64)
