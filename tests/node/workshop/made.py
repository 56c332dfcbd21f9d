"""Pictures, sounds and films for the tests of the workshop: made by Pillow and libsndfile, or box by box."""

import io
import struct
import zlib
from pathlib import Path

import soundfile
from PIL import Image, PngImagePlugin

SECRET = b"52.5200 13.4050 at home"  # what must not be in any copy
GPS_IFD, ORIENTATION = 0x8825, 0x0112
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
RATE = 8000


def halves(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """A picture whose upper half is red and whose lower is blue."""
    image = Image.new("RGB", (width, height), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, width, height // 2))
    return image.convert(mode)


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF as Pillow writes it, with a place."""
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[0x010E] = SECRET.decode()
    made.get_ifd(GPS_IFD).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return made


def exif_by_hand(orientation: int, order: str = ">") -> bytes:
    """The same without Pillow: a directory of two tags, one of them the place's own directory."""
    head = b"MM\x00*" if order == ">" else b"II*\x00"
    first = struct.pack(f"{order}IH", 8, 2)
    turned = struct.pack(f"{order}HHIHH", ORIENTATION, 3, 1, orientation, 0)
    place = struct.pack(f"{order}HHII", GPS_IFD, 4, 1, 38)
    inside = struct.pack(f"{order}HHHII", 1, 29, 2, len(SECRET), 56)
    return head + first + turned + place + bytes(4) + inside + bytes(4) + SECRET


def encoded(image: Image.Image, name: str, **settings: object) -> bytes:
    made = io.BytesIO()
    image.save(made, name, **settings)
    return made.getvalue()


def segment(mark: int, body: bytes) -> bytes:
    return bytes((0xFF, mark)) + (len(body) + 2).to_bytes(2, "big") + body


def jpeg(orientation: int = 1, /, **settings: object) -> bytes:
    """A JPEG with all that is to go: EXIF by hand, XMP, IPTC, a comment, another picture behind its end."""
    raw = encoded(halves(), "JPEG", quality=95, **settings)
    more = (
        segment(0xE1, b"Exif\x00\x00" + exif_by_hand(orientation)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + SECRET),
        segment(0xED, b"Photoshop 3.0\x00" + SECRET),
        segment(0xE2, b"FPXR\x00" + SECRET),
        segment(0xFE, SECRET),
    )
    return raw[:2] + b"".join(more) + raw[2:] + raw[:2] + segment(0xE1, SECRET) + raw[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def png(orientation: int = 1) -> bytes:
    """A PNG with texts, packed texts, EXIF, a chunk that nobody knows, and more behind its end."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_text("Packed", SECRET.decode(), zip=True)
    texts.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    raw = encoded(halves(mode="RGBA"), "PNG", pnginfo=texts, exif=exif(orientation))
    return raw[:33] + chunk(b"prVt", SECRET) + raw[33:] + SECRET


def png_announcing(width: int, height: int, idat: bytes = b"") -> bytes:
    """A PNG of 8-bit grey that says it has this size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG_HEAD + chunk(b"IHDR", head) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def webp(orientation: int = 1, **settings: object) -> bytes:
    return encoded(halves(), "WEBP", exif=exif(orientation), xmp=SECRET, **settings)


def gif(frames: int = 2) -> bytes:
    """A GIF that moves, with a comment and an application's own block."""
    images = [halves(mode="P"), *(Image.new("RGB", (60, 40), (40 * n, 0, 0)) for n in range(1, frames))]
    raw = encoded(images[0], "GIF", save_all=True, append_images=images[1:], comment=SECRET, loop=0)
    return raw[:-1] + b"!\xff\x0bXMP DataXMP" + bytes((len(SECRET),)) + SECRET + b"\x00;" + SECRET


def tone(seconds: float = 2.0) -> bytes:
    """A tone that grows from nothing, as 16-bit samples."""
    count = int(RATE * seconds)
    values = ((at % 20 - 10) * 3000 * at // (10 * count) for at in range(count))
    return b"".join(value.to_bytes(2, "little", signed=True) for value in values)


def sound(name: str, subtype: str, samples: bytes | None = None) -> bytes:
    made = io.BytesIO()
    with soundfile.SoundFile(made, "w", RATE, 1, subtype=subtype, format=name) as opened:
        opened.title = SECRET.decode()
        opened.artist = SECRET.decode()
        opened.buffer_write(tone() if samples is None else samples, "int16")
    return made.getvalue()


def box(name: bytes, *inside: bytes) -> bytes:
    body = b"".join(inside)
    return (len(body) + 8).to_bytes(4, "big") + name + body


def track(number: int, sort: bytes, chunk_at: int, sample: int, size: tuple[int, int], turned: bool = False) -> bytes:
    ones = (0, 1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30) if turned else (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    head = struct.pack(">IIIIII", 7, 111, 222, number, 0, 5000) + bytes(16)
    head += struct.pack(">9I", *ones) + struct.pack(">II", size[0] << 16, size[1] << 16)
    table = box(
        b"stbl",
        box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 1, 1)),
        box(b"stsz", struct.pack(">IIII", 0, 0, 1, sample)),
        box(b"stco", struct.pack(">III", 0, 1, chunk_at)),
    )
    media = box(b"mdia", box(b"hdlr", bytes(8) + sort + bytes(12)), box(b"minf", table))
    return box(b"trak", box(b"tkhd", head), media)


def film(size: tuple[int, int] = (640, 360), turned: bool = False, brand: bytes = b"isom") -> bytes:
    """An MP4 of 5 s with a place in `udta`, a track of places, and no frame that could be decoded."""
    start = box(b"ftyp", brand, bytes(4))
    samples = b"frame" + SECRET
    at = len(start) + 8
    tracks = [track(1, b"vide" if size[0] else b"soun", at, 5, size, turned)]
    tracks.append(track(2, b"meta", at + 5, len(SECRET), (0, 0)))
    head = box(b"mvhd", struct.pack(">IIIII", 0, 111, 222, 1000, 5000) + bytes(80))
    more = box(b"udta", box(b"\xa9xyz", SECRET)), box(b"meta", SECRET), box(b"free", SECRET)
    return start + box(b"mdat", samples) + box(b"moov", head, *tracks, *more) + box(b"uuid", SECRET)


def written(folder: Path, name: str, raw: bytes) -> Path:
    place = folder / name
    place.write_bytes(raw)
    return place
