"""What is said of a picture: its size upright, a preview, a blurhash; the copy is upright too and has no metadata."""

import io
import random
from pathlib import Path

import blurhash
import pytest
from PIL import Image

from node.workshop import pictures, program
from node.workshop.faults import Refused
from protocol.webp import measure
from protocol.workshop import Format, Pictured, Why
from tests.features.photos import chunk, riff
from tests.node.workshop import made

RED, BLUE = (255, 0, 0), (0, 0, 255)


def pictured(raw: bytes) -> tuple[Pictured, bytes]:
    kept: list[bytes] = []
    said = pictures.picture(raw, kept.append)
    return said, b"".join(kept)


def opened(raw: bytes) -> Image.Image:
    return Image.open(io.BytesIO(raw)).convert("RGB")


def near(pixel: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 40 for a, b in zip(pixel, wanted, strict=True))


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random("noise").randbytes(3 * width * height))


@pytest.mark.parametrize("raw", [made.jpeg(), made.png(), made.webp(), made.gif()])
def test_an_upright_picture_is_copied_to_the_pixel(raw: bytes) -> None:
    said, clean = pictured(raw)
    assert (said.width, said.height) == (60, 40)
    assert made.SECRET not in clean
    assert made.SECRET not in said.preview
    assert opened(clean).tobytes() == opened(raw).tobytes()


@pytest.mark.parametrize("write", [made.jpeg, made.png, made.webp])
def test_a_picture_held_sideways_comes_out_upright(write: object) -> None:
    assert callable(write)
    said, clean = pictured(write(6))  # the camera's top is at the right: the red half comes to lie there
    assert (said.width, said.height) == (40, 60)
    for raw in (clean, said.preview):
        turned = opened(raw)
        assert turned.width < turned.height
        assert near(turned.getpixel((turned.width - 5, 20)), RED)
        assert near(turned.getpixel((5, 20)), BLUE)
    assert made.SECRET not in clean
    assert dict(Image.open(io.BytesIO(clean)).getexif()) == {}


@pytest.mark.parametrize("turned", range(1, 9))
def test_every_way_of_holding_a_camera_is_turned_as_pillow_turns_it(turned: int) -> None:
    from PIL import ImageOps

    raw = made.encoded(noise(13, 7), "PNG", exif=made.exif(turned))
    whole = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
    assert opened(pictured(raw)[1]).tobytes() == whole.tobytes()


def test_a_profile_of_colours_survives_turning() -> None:
    raw = made.encoded(made.halves(), "JPEG", exif=made.exif(3), icc_profile=b"a profile")
    assert Image.open(io.BytesIO(pictured(raw)[1])).info["icc_profile"] == b"a profile"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_sort_of_png_has_a_preview(mode: str) -> None:
    said, _ = pictured(made.encoded(made.halves(mode=mode if mode != "I;16" else "I").convert(mode), "PNG"))
    assert said.format == Format.PNG


def test_a_jpeg_for_print_has_a_preview() -> None:
    said, _ = pictured(made.encoded(made.halves(mode="CMYK"), "JPEG"))
    assert near(opened(said.preview).getpixel((30, 5)), RED)


@pytest.mark.parametrize("most", [10_240, 3413, 1000, 300, 12])
def test_a_preview_is_as_small_as_is_asked_or_there_is_none(most: int) -> None:
    said = pictures.picture(made.encoded(noise(1200, 900), "PNG"), lambda _raw: None, most)
    assert len(said.preview) <= most
    assert bool(said.preview) == (most > 12)
    assert not said.preview or opened(said.preview).size[0] in (320, 240, 160, 80, 40)
    assert len(said.blurhash) == 28


def test_a_preview_of_noise_fits_too() -> None:
    said, _ = pictured(made.encoded(noise(1200, 900), "PNG"))
    assert len(said.preview) <= 12 * 1024
    small = pictured(made.encoded(made.halves(1200, 900), "JPEG"))[0].preview
    assert opened(small).size == (320, 240)


def test_a_preview_is_never_larger_than_the_picture() -> None:
    assert opened(pictured(made.encoded(made.halves(5, 3), "PNG"))[0].preview).size == (5, 3)
    assert opened(pictured(made.encoded(made.halves(3000, 2), "PNG"))[0].preview).size == (320, 1)


def test_the_blurhash_shows_where_the_colours_are() -> None:
    said, _ = pictured(made.encoded(made.halves(600, 400), "PNG"))
    rows = blurhash.decode(said.blurhash, 8, 8)
    assert rows[0][4][0] > rows[0][4][2]
    assert rows[7][4][2] > rows[7][4][0]


def test_the_blurhash_is_that_of_the_published_picture() -> None:
    # of one colour all but the first numbers are nothing: blurha.sh, "Algorithm"
    said, _ = pictured(made.encoded(Image.new("RGB", (64, 64), (0, 0, 0)), "PNG"))
    assert said.blurhash == "L00000" + "fQ" * 11


def test_an_avatar_is_square_small_and_upright() -> None:
    webp = pictures.avatar(made.encoded(made.halves(900, 400), "JPEG", exif=made.exif(6))).webp
    square = Image.open(io.BytesIO(webp))
    assert square.size == (256, 256)
    assert near(square.convert("RGB").getpixel((250, 128)), RED)
    assert {"exif", "xmp", "icc_profile"}.isdisjoint(square.info)
    assert len(pictures.avatar(made.encoded(noise(500, 500), "PNG")).webp) <= 32 * 1024
    assert Image.open(io.BytesIO(pictures.avatar(made.encoded(made.halves(3, 2), "GIF")).webp)).size == (256, 256)


def test_a_sticker_is_small_upright_and_without_metadata() -> None:
    webp = pictures.sticker(made.encoded(made.halves(900, 400), "JPEG", exif=made.exif(6))).webp
    small = Image.open(io.BytesIO(webp))
    assert small.size == (228, 512)
    assert near(small.convert("RGB").getpixel((220, 256)), RED)
    assert {"exif", "xmp", "icc_profile"}.isdisjoint(small.info)
    loud = pictures.sticker(made.encoded(noise(1200, 900), "PNG")).webp
    assert len(loud) <= 48 * 1024
    clear = made.encoded(Image.new("RGBA", (600, 600), (0, 0, 0, 0)), "PNG")
    assert Image.open(io.BytesIO(pictures.sticker(clear).webp)).mode == "RGBA"
    for raw in (made.jpeg(), made.png(), made.webp(), made.gif()):
        found = pictures.sticker(raw).webp
        assert made.SECRET not in found
        assert max(measure(found)) == 60


def test_of_a_sticker_that_moves_the_first_frame_stays() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE)]
    for form in ("GIF", "WEBP", "PNG"):
        raw = made.encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
        still = Image.open(io.BytesIO(pictures.sticker(raw).webp))
        assert not getattr(still, "is_animated", False)
        assert near(still.convert("RGB").getpixel((20, 20)), RED)


def test_what_is_a_sticker_already_stays_as_it_is_once_it_was_decoded() -> None:
    once = pictures.sticker(made.encoded(made.halves(900, 400), "PNG")).webp
    assert pictures.sticker(once).webp == once
    whole = made.encoded(noise(64, 64), "WEBP", lossless=True)
    half = riff(chunk(b"VP8L", whole[20 : len(whole) // 2]))  # a good head, and half of the pixels
    for raw in (once[:-20], once[:12] + b"VP8 " + bytes(30), half):
        with pytest.raises((Refused, *program.BROKEN)):
            pictures.sticker(raw)


def test_pixels_fit_where_they_are_shown() -> None:
    preview = made.encoded(made.halves(320, 200), "WEBP", lossless=True)
    shown = pictures.pixels(preview, 40, 80)
    assert (shown.width, shown.height) == (40, 25)
    assert shown.rgb[:3] == bytes(RED)
    clear = made.encoded(Image.new("RGBA", (4, 4), (255, 255, 255, 0)), "WEBP", lossless=True)
    assert pictures.pixels(clear, 4, 4).rgb == bytes(48)


@pytest.mark.parametrize(("raw", "why"), [(made.jpeg(), Why.STRANGE), (made.webp(), None)])
def test_only_webp_is_unpacked(raw: bytes, why: Why | None) -> None:
    if why is None:
        assert pictures.pixels(raw, 9, 9).width == 9
        return
    with pytest.raises(Refused) as refused:
        pictures.pixels(raw, 9, 9)
    assert refused.value.why is why


def test_a_preview_that_is_larger_than_any_is_not_unpacked() -> None:
    with pytest.raises(Refused) as refused:
        pictures.pixels(made.encoded(made.halves(513, 2), "WEBP"), 9, 9)
    assert refused.value.why is Why.LARGE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_copy_for_which_there_is_no_room_is_said_to_be_that() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(Refused) as refused:
        pictures.picture(made.jpeg(), program.writer(full.fileno()))
    assert refused.value.why is Why.UNWRITTEN


@pytest.mark.parametrize("size", [(60_000, 60_000), (8_001, 8_000), (65_536, 1)])
def test_a_picture_that_announces_too_many_pixels_is_too_much(size: tuple[int, int]) -> None:
    with pytest.raises(Refused) as refused:
        pictured(made.png_announcing(*size))
    assert refused.value.why is Why.LARGE
