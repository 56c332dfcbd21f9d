"""Pictures, inside the workshop's program: a clean copy, a preview, a blurhash, an avatar, the pixels of a preview.

Pillow is told which format to expect and sees a file that is already without metadata. Not here: limits of memory and
time (bounds.py), what is metadata (stripping.py).
"""

import io
import warnings
from collections.abc import Callable

import blurhash

# all that Pillow would load by itself later, when this process may open nothing any more
from PIL import (
    GifImagePlugin,
    Image,
    ImageChops,
    ImageColor,
    ImageFile,
    ImageMode,
    ImageOps,
    ImagePalette,
    ImageSequence,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from node.workshop import stripping
from node.workshop.faults import Refused
from protocol.workshop import (
    AVATAR_BYTES_MAX,
    AVATAR_SIDE,
    BLURHASH,
    PICTURE_PIXELS_MAX,
    PREVIEW_BYTES_MAX,
    PREVIEW_SIDE_MAX,
    SIDE_MAX,
    STICKER_BYTES,
    STICKER_BYTES_MAX,
    STICKER_SIDE,
    Avatar,
    Format,
    Pictured,
    Pixels,
    Stamp,
    Why,
)

LOADED = (
    GifImagePlugin,
    ImageChops,
    ImageColor,
    ImageMode,
    ImageOps,
    ImagePalette,
    ImageSequence,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)
JPEG_QUALITY = 90  # of a picture that had to be turned
_QUALITIES = (80, 65, 50, 35, 20)
_STICKER_QUALITIES = (80, 65, 50)  # below that it is better to be larger
_SIDES = (1.0, 0.75, 0.5, 0.25, 0.125)  # of a preview whose lowest quality is still too large
_HASHED_SIDE = 32  # a blurhash of 4 x 3 does not see more
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.MAX_IMAGE_PIXELS = PICTURE_PIXELS_MAX
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.preinit()


def picture(raw: bytes, write_clean: Callable[[bytes], None], preview_bytes: int = PREVIEW_BYTES_MAX) -> Pictured:
    """What is said of a picture; its clean copy is written on the way. Raises: Refused, and what Pillow raises."""
    stripped = stripping.strip(raw)
    del raw
    image = _opened(stripped)
    turned = stripped.orientation != stripping.UPRIGHT and not getattr(image, "is_animated", False)
    if turned:
        upright = image.transpose(_TURNS[stripped.orientation])
        write_clean(_encoded(upright, image.info.get("icc_profile"), stripped))
        image = upright
    else:
        write_clean(stripped.raw)
    width, height = image.size
    image.draft("RGB", (2 * PREVIEW_SIDE_MAX, 2 * PREVIEW_SIDE_MAX)) if not turned else None
    small = _within(image, PREVIEW_SIDE_MAX, PREVIEW_SIDE_MAX)
    try:
        preview = _fitting(small, min(preview_bytes, PREVIEW_BYTES_MAX))
    except Refused:
        preview = b""  # the blurhash has to do
    return Pictured(stripped.format, width, height, preview, _hash(small))


def avatar(raw: bytes) -> Avatar:
    """The middle of a picture as a square of 256 px. Raises: as `picture`."""
    stripped = stripping.strip(raw)
    image = _opened(stripped)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = _plain(image.crop((left, top, left + side, top + side)))
    small = square.resize((AVATAR_SIDE, AVATAR_SIDE), Image.Resampling.LANCZOS)
    if stripped.orientation != stripping.UPRIGHT:
        small = small.transpose(_TURNS[stripped.orientation])
    for quality in _QUALITIES:
        webp = _webp(small, quality)
        if len(webp) <= AVATAR_BYTES_MAX:
            return Avatar(webp)
    raise Refused(Why.LARGE)  # not met: noise of this size has 25 KiB at the lowest quality


def sticker(raw: bytes) -> Stamp:
    """A picture as a sticker, upright, of what moves the first frame; one that is such already stays as it is.

    Raises: as `picture`.
    """
    stripped = stripping.strip(raw)
    image = _opened(stripped)
    is_still = not getattr(image, "is_animated", False)
    is_small = max(image.size) <= STICKER_SIDE and len(stripped.raw) <= STICKER_BYTES_MAX
    if stripped.format is Format.WEBP and stripped.orientation == stripping.UPRIGHT and is_still and is_small:
        image.load()  # it can be decoded to its end
        return Stamp(stripped.raw)
    image.draft("RGB", (2 * STICKER_SIDE, 2 * STICKER_SIDE))
    small = _within(image, STICKER_SIDE, STICKER_SIDE)
    if stripped.orientation != stripping.UPRIGHT and is_still:
        small = small.transpose(_TURNS[stripped.orientation])
    for quality in _STICKER_QUALITIES:
        webp = _webp(small, quality)
        if len(webp) <= STICKER_BYTES:
            return Stamp(webp)
    return Stamp(_fitting(small, STICKER_BYTES_MAX))


def pixels(raw: bytes, width_max: int, height_max: int) -> Pixels:
    """A preview or sticker unpacked, within so many pixels, on black where it is transparent. Raises: as `picture`."""
    stripped = stripping.strip(raw)
    if stripped.format != Format.WEBP:
        raise Refused(Why.STRANGE)
    image = _opened(stripped)
    if max(image.size) > STICKER_SIDE:
        raise Refused(Why.LARGE)
    small = _within(image, min(width_max, PREVIEW_SIDE_MAX), min(height_max, PREVIEW_SIDE_MAX))
    flat = _on(small, (0, 0, 0))
    return Pixels(flat.width, flat.height, flat.tobytes())


def _opened(stripped: stripping.Stripped) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(stripped.raw), formats=(stripped.format.name,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused(Why.LARGE) from None
    width, height = image.size
    if max(width, height) > SIDE_MAX or width * height > PICTURE_PIXELS_MAX:
        raise Refused(Why.LARGE)
    return image


def _encoded(upright: Image.Image, profile: bytes | None, stripped: stripping.Stripped) -> bytes:
    """A picture that was turned, encoded anew in its own format, as well as can be told from what it was."""
    upright.info.clear()
    made = io.BytesIO()
    match stripped.format:
        case Format.JPEG:
            upright.save(made, "JPEG", quality=JPEG_QUALITY, icc_profile=profile)
        case Format.WEBP if b"VP8L" not in stripped.raw[:64]:
            upright.save(made, "WEBP", quality=JPEG_QUALITY, icc_profile=profile)
        case Format.WEBP:
            upright.save(made, "WEBP", lossless=True, icc_profile=profile)
        case _:
            upright.save(made, "PNG", icc_profile=profile)
    return made.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The same in RGB, or in RGBA where some of it is transparent."""
    if image.mode.startswith("I"):  # 16 bits a pixel
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    clear = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    wanted = "RGBA" if clear else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _within(image: Image.Image, width: int, height: int) -> Image.Image:
    """The first frame, as large as fits, never larger than it was."""
    small = _plain(image)
    small.thumbnail((width, height), Image.Resampling.LANCZOS)
    return small


def _on(image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    if image.mode != "RGBA":
        return image
    flat = Image.new("RGB", image.size, ground)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _fitting(small: Image.Image, bytes_max: int) -> bytes:
    for part in _SIDES:
        size = (max(1, round(small.width * part)), max(1, round(small.height * part)))
        scaled = small if part == 1.0 else small.resize(size, Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            webp = _webp(scaled, quality)
            if len(webp) <= bytes_max:
                return webp
    raise Refused(Why.LARGE)  # met only where less than a kilobyte is asked for: 80 px of noise have 3 KiB


def _webp(image: Image.Image, quality: int) -> bytes:
    made = io.BytesIO()
    image.save(made, "WEBP", quality=quality, method=4, exif=b"", xmp=b"", icc_profile=None)
    return made.getvalue()


def _hash(small: Image.Image) -> str:
    tiny = _on(small, (255, 255, 255)).resize((_HASHED_SIDE, _HASHED_SIDE), Image.Resampling.BOX)
    flat = tiny.tobytes()
    rows = range(0, len(flat), 3 * _HASHED_SIDE)
    lines = [[tuple(flat[at : at + 3]) for at in range(row, row + 3 * _HASHED_SIDE, 3)] for row in rows]
    return str(blurhash.encode(lines, *BLURHASH))
