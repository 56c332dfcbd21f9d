"""Headers of WebP pictures: sides of good ones, and a refusal for each thing that can be wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import webp
from tests import depth
from tests.features.photos import chunk, extended, lossless, lossy, photo, riff

GOOD = riff(lossy(320, 240, b"odd"))


def test_the_sides_of_good_pictures_are_read() -> None:
    assert webp.measure(GOOD) == (320, 240)
    assert webp.measure(photo()) == (256, 256)
    assert webp.measure(riff(extended(7, 1024, 0x30), chunk(b"ICCP", b"rgb"), lossless(7, 1024))) == (7, 1024)
    assert webp.measure(riff(extended(5, 6, 0x10), chunk(b"ALPH", b"a"), lossy(5, 6))) == (5, 6)


BAD = {
    "nothing": b"",
    "another format": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "another form of RIFF": GOOD.replace(b"WEBP", b"WAVE"),
    "cut": GOOD[:-2],
    "more behind it": GOOD + b"\x00\x00",
    "no picture": riff(),
    "only a canvas": riff(extended(4, 4)),
    "two pictures": riff(lossy(4, 4), lossless(4, 4)),
    "the same twice": riff(lossy(4, 4), lossy(4, 4)),
    "a chunk longer than the file": riff(b"VP8L" + (2**32 - 1).to_bytes(4, "little") + b"\x2f1234"),
    "a chunk without its end": riff(b"VP8L\x05\x00\x00\x00\x2f\x01\x00\x00\x00"),
    "half a chunk": riff(lossless(4, 4), b"ALP"),
    "an unknown chunk": riff(lossless(4, 4), chunk(b"JUNK", b"")),
    "where it was taken": riff(extended(4, 4), lossless(4, 4), chunk(b"EXIF", b"")),
    "what made it": riff(extended(4, 4), lossless(4, 4), chunk(b"XMP ", b"")),
    "an animation": riff(extended(4, 4), chunk(b"ANIM", bytes(6)), chunk(b"ANMF", bytes(16))),
    "a flag of an animation": riff(extended(4, 4, 0x02), lossless(4, 4)),
    "a flag of metadata": riff(extended(4, 4, 0x08), lossless(4, 4)),
    "a short canvas": riff(chunk(b"VP8X", bytes(8)), lossless(4, 4)),
    "a canvas of another size": riff(extended(4, 5), lossless(4, 4)),
    "no key frame": GOOD.replace(b"\x10\x02\x00\x9d", b"\x11\x02\x00\x9d"),
    "another start code": GOOD.replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b"),
    "a short frame": riff(chunk(b"VP8 ", b"\x10\x02\x00\x9d\x01\x2a\x01\x00")),
    "a side of nothing": riff(lossy(0, 4)),
    "too wide": riff(lossless(webp.SIDE_MAX + 1, 4)),
    "too high": riff(lossy(4, webp.SIDE_MAX + 1)),
    "a lossless picture of another kind": riff(chunk(b"VP8L", b"\x2e\x00\x00\x00\x00")),
    "a lossless picture of a later version": riff(chunk(b"VP8L", b"\x2f\x00\x00\x00\x20")),
    "a short lossless picture": riff(chunk(b"VP8L", b"\x2f\x00\x00")),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_refused(what: str) -> None:
    with pytest.raises(webp.NotWebp):
        webp.measure(BAD[what])


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_measured_or_refused(raw: bytes, inside: bytes) -> None:
    for one in (raw, riff(inside), riff(lossless(3, 3), inside)):
        try:
            width, height = webp.measure(one)
        except webp.NotWebp:
            continue
        assert 0 < width <= webp.SIDE_MAX
        assert 0 < height <= webp.SIDE_MAX
