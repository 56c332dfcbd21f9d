"""Metadata goes, pixels stay: pictures as files, without a decoder in between."""

import io
import random

import pytest
from PIL import Image, ImageSequence

from node.workshop import exif, program, stripping
from node.workshop.faults import Refused
from protocol.workshop import Format, Why
from tests import depth
from tests.node.workshop import made

MADE = {
    Format.JPEG: made.jpeg(),
    Format.PNG: made.png(),
    Format.WEBP: made.webp(),
    Format.GIF: made.gif(),
}


def frames(raw: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(raw)) as opened:
        return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(opened)]


@pytest.mark.parametrize("kind", MADE)
def test_nothing_is_left_but_the_pixels(kind: Format) -> None:
    raw = MADE[kind]
    assert made.SECRET in raw
    stripped = stripping.strip(raw)
    assert stripped.format == kind
    assert made.SECRET not in stripped.raw
    with Image.open(io.BytesIO(stripped.raw)) as opened:
        assert opened.format == kind.name
        assert dict(opened.getexif()) == {}
        assert {"exif", "comment", "xmp", "photoshop", "Comment", "Packed"}.isdisjoint(opened.info)
    assert frames(stripped.raw) == frames(raw)[: len(frames(stripped.raw))]


@pytest.mark.parametrize("settings", [{"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}])
def test_every_sort_of_jpeg_keeps_its_scans(settings: dict[str, object]) -> None:
    raw = made.jpeg(1, **settings)
    assert frames(stripping.strip(raw).raw) == frames(raw)[:1]


def test_a_profile_of_colours_and_the_meaning_of_cmyk_stay() -> None:
    profile = b"a profile" * 9000  # needs several segments
    whole = stripping.strip(made.encoded(made.halves(mode="CMYK"), "JPEG", icc_profile=profile))
    with Image.open(io.BytesIO(whole.raw)) as opened:
        assert opened.info["icc_profile"] == profile
        assert opened.info["adobe_transform"] == 0
    with Image.open(io.BytesIO(stripping.strip(made.encoded(made.halves(), "PNG", icc_profile=profile)).raw)) as opened:
        assert opened.info["icc_profile"] == profile


def test_a_moving_picture_moves_on() -> None:
    assert len(frames(stripping.strip(made.gif(frames=5)).raw)) == 5
    several = made.encoded(made.halves(), "PNG", save_all=True, append_images=[made.halves(mode="L").convert("RGB")])
    assert frames(stripping.strip(several).raw) == frames(several)
    moving = made.encoded(
        made.halves(), "WEBP", save_all=True, append_images=[made.halves(60, 41).crop((0, 1, 60, 41))]
    )
    assert frames(stripping.strip(moving).raw) == frames(moving)
    with Image.open(io.BytesIO(stripping.strip(made.gif()).raw)) as opened:
        assert opened.info["loop"] == 0


def test_a_gif_whose_end_was_left_out_is_whole() -> None:
    whole = stripping.strip(made.gif()).raw
    assert stripping.strip(whole[:-1]).raw == whole
    with pytest.raises(Refused):
        stripping.strip(whole[:25])


def test_a_thumbnail_inside_jfif_goes() -> None:
    raw = made.encoded(made.halves(), "JPEG")
    start = raw[:2] + made.segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x02\x02" + b"thumbnail!!!")
    assert b"thumbnail" not in stripping.strip(start + raw[20:]).raw


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_how_the_camera_was_held_is_read(turned: int, order: str) -> None:
    assert exif.orientation(made.exif_by_hand(turned, order)) == turned
    assert exif.orientation(b"Exif\x00\x00" + made.exif_by_hand(turned, order)) == turned


@pytest.mark.parametrize("turned", [6, 8])
def test_every_format_says_how_it_was_held(turned: int) -> None:
    found = [stripping.strip(write(turned)).orientation for write in (made.jpeg, made.png, made.webp)]
    assert found == [turned] * 3


@pytest.mark.parametrize("block", [b"", b"MM\x00*", made.exif_by_hand(9), b"II*\x00\xff\xff\xff\xff" + bytes(40)])
def test_nonsense_in_exif_turns_nothing(block: bytes) -> None:
    assert exif.orientation(block) == 1


def test_the_second_picture_of_a_camera_goes_with_what_names_it() -> None:
    raw = made.encoded(made.halves(), "JPEG")
    assert stripping.strip(raw[:2] + made.segment(0xE2, b"MPF\x00" + made.SECRET) + raw[2:] + made.jpeg()).raw == raw


def test_many_blocks_of_exif_are_gone_and_only_the_first_counts() -> None:
    raw = made.encoded(made.halves(), "JPEG")
    huge = [made.segment(0xE1, b"Exif\x00\x00" + made.exif_by_hand(held) + bytes(65_000)) for held in (6, *[8] * 99)]
    stripped = stripping.strip(raw[:2] + b"".join(huge) + raw[2:])
    assert (stripped.orientation, len(stripped.raw)) == (6, len(raw))


@pytest.mark.parametrize("kind", MADE)
def test_a_file_that_was_cut_is_broken(kind: Format) -> None:
    whole = stripping.strip(MADE[kind]).raw
    for length in (14, len(whole) // 2, len(whole) - 2):
        with pytest.raises(Refused) as refused:
            stripping.strip(whole[:length])
        assert refused.value.why is Why.BROKEN


def test_a_webp_does_not_announce_what_is_gone() -> None:
    raw, clean = made.webp(), stripping.strip(made.webp()).raw
    assert (raw[12:16], raw[20] & 0x0C, clean[20] & 0x0C) == (b"VP8X", 0x0C, 0)


@pytest.mark.parametrize("mark", [0x00, 0x01, 0xD0, 0xD8])
def test_a_mark_that_has_no_length_does_not_stand_before_a_scan(mark: int) -> None:
    raw = made.encoded(made.halves(), "JPEG")
    with pytest.raises(Refused):
        stripping.strip(raw[:2] + bytes((0xFF, mark)) + b"\x00\x04xy" + raw[2:])


@pytest.mark.parametrize("raw", [b"", b"BM" + bytes(99), b"%PDF-1.7", b"RIFF\x04\x00\x00\x00WAVE", b"<svg/>"])
def test_another_kind_of_file_is_strange(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        stripping.strip(raw)
    assert refused.value.why is Why.STRANGE


@pytest.mark.parametrize("kind", MADE)
def test_changed_bytes_end_as_a_picture_or_as_a_broken_one(kind: Format) -> None:
    chance = random.Random(f"stripping {kind.name}")
    for _ in range(depth.INPUTS_PER_DECODER // 4):
        raw = bytearray(MADE[kind])
        for _ in range(chance.randint(1, 8)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            assert len(stripping.strip(bytes(raw)).raw) <= len(raw)
        except (Refused, *program.BROKEN):
            pass
