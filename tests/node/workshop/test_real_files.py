"""Real pictures, sounds and films lose what they say of place, camera and people, as readers of other people see it.

They come from tests/samples (its README says how they were made) and with pygame-ce; a deep run takes whatever is here.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import ebmlite
import exifread
import pytest
import soundfile
from PIL import Image, ImageChops, ImageOps, ImageSequence
from tinytag import TinyTag

from node.workshop import films, pictures, program, sounds
from node.workshop.faults import Refused
from protocol.workshop import Format, Moving, Why
from tests import depth

SAMPLES = Path(__file__).parents[2] / "samples"
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
SOUNDS = (".wav", ".ogg", ".opus", ".mp3", ".flac", ".m4a")
FILMS = (".webm", ".mkv", ".mp4", ".mov")
SECRETS = (b"Secret", b"Weft", b"SN-314159", b"52.52", b"2026:05:04", b"2026-05-04")
# What Pillow calls what a picture needs in order to be shown.
SHOWN = {
    "adobe",
    "adobe_transform",
    "aspect",
    "background",
    "blend",
    "chromaticity",
    "default_image",
    "disposal",
    "dpi",
    "duration",
}
SHOWN |= {
    "extension",
    "gamma",
    "icc_profile",
    "interlace",
    "jfif",
    "jfif_density",
    "jfif_unit",
    "jfif_version",
    "loop",
    "progression",
}
SHOWN |= {"progressive", "srgb", "timestamp", "transparency", "version"}
TECHNICAL = {
    "filename",
    "filesize",
    "duration",
    "bitrate",
    "samplerate",
    "channels",
    "bitdepth",
    "is_lossless",
    "mime_type",
}
MATROSKA = ebmlite.loadSchema("matroska.xml")
GONE = {"Tags", "Attachments", "Chapters", "Title", "DateUTC", "SegmentUID", "Name", "CodecName", "CRC-32"}


def package() -> Path:
    """Where the samples of pygame-ce lie; the package itself is not loaded."""
    spec = find_spec("pygame")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def files(endings: tuple[str, ...]) -> list[Path]:
    """All samples with one of these endings; in a deep run those of the machine too."""
    roots = [SAMPLES, package()]
    if depth.LEVEL == 2:
        roots += [Path(sys.prefix), Path("/usr/share"), Path("/usr/lib")]
    found = {place.resolve() for root in roots for place in walk(root) if place.suffix.lower() in endings}
    return sorted(place for place in found if place.is_file() and os.access(place, os.R_OK))


def walk(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)


def pictured(raw: bytes) -> bytes:
    """The clean copy of a picture."""
    kept: list[bytes] = []
    pictures.picture(raw, kept.append)
    return b"".join(kept)


def heard(raw: bytes) -> bytes:
    kept: list[bytes] = []
    sounds.sound(raw, kept.append)
    return b"".join(kept)


def filmed(place: Path, folder: Path) -> tuple[Moving, bytes]:
    clean = folder / "clean"
    with place.open("rb") as source, clean.open("wb") as copy:
        said = films.film(source.fileno(), place.stat().st_size, copy.fileno())
    return said, clean.read_bytes()


def exif(raw: bytes) -> dict[str, str]:
    """What a reader of EXIF finds in a picture."""
    return {name: str(value) for name, value in exifread.process_file(io.BytesIO(raw)).items()}


def tagged(raw: bytes, ending: str) -> dict[str, object]:
    """What a reader of tags finds in a sound or a film."""
    found = TinyTag.get(f"it{ending}", io.BytesIO(raw), image=True)
    said: dict[str, object] = {name: one for name, one in found.as_dict().items() if name not in TECHNICAL and one}
    return said | ({"images": 1} if found.images.any else {})


def frames(raw: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(raw)) as opened:
        return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(opened)]


def unlike(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are from each other, on average, 0 to 255."""
    counts = ImageChops.difference(one.convert("L"), other.convert("L")).histogram()
    return sum(level * count for level, count in enumerate(counts)) / sum(counts)


def is_turned(image: Image.Image) -> bool:
    """Whether it stands otherwise in the file than it is shown."""
    return image.getexif().get(0x0112, 1) in range(2, 9) and not getattr(image, "is_animated", False)


def samples(raw: bytes) -> bytes:
    """What is heard; nothing where libsndfile does not find the sound behind its tags."""
    try:
        return bytes(soundfile.read(io.BytesIO(raw))[0].tobytes())
    except soundfile.LibsndfileError:
        return b""


def blocks(element: Iterable[object]) -> list[bytes]:
    """The pieces of picture, sound and subtitles of a Matroska, as somebody else's reader finds them."""
    found = []
    for inside in element:
        if isinstance(inside, ebmlite.core.MasterElement):
            found += blocks(inside)
        elif getattr(inside, "id", 0) in (0xA1, 0xA3):
            found.append(bytes(inside.value))  # type: ignore[attr-defined]
    return found


def told(element: Iterable[object]) -> dict[str, list[object]]:
    """All elements of a Matroska by their names."""
    found: dict[str, list[object]] = {}
    for inside in element:
        is_holder = isinstance(inside, ebmlite.core.MasterElement)
        found.setdefault(inside.name, []).append(None if is_holder else inside.value)  # type: ignore[attr-defined]
        for name, values in (told(inside) if is_holder else {}).items():  # type: ignore[arg-type]
            found.setdefault(name, []).extend(values)
    return found


def body_of(raw: bytes, name: bytes) -> bytes:
    """What is in a box at the top of an MP4."""
    at = 0
    while raw[at + 4 : at + 8] != name:
        at += int.from_bytes(raw[at : at + 4], "big")
    return raw[at + 8 : at + int.from_bytes(raw[at : at + 4], "big")]


def check_picture(place: Path, clean: bytes) -> None:
    raw = place.read_bytes()
    assert exif(clean) == {}, place
    with Image.open(io.BytesIO(raw)) as before, Image.open(io.BytesIO(clean)) as after:
        assert dict(after.getexif()) == {}, place
        assert set(after.info) <= SHOWN, place
        if is_turned(before):
            assert unlike(ImageOps.exif_transpose(before), after) < 3, place
            return
    assert frames(clean) == frames(raw)[: len(frames(clean))], place  # a JPEG loses its second picture


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")  # by Pillow, of what a camera wrote into a picture
def test_pictures_lose_place_and_camera_and_keep_their_pixels() -> None:
    cameras, placed, kinds, refused = set[str](), 0, list[str](), list[Path]()
    for place in files(PICTURES):
        raw = place.read_bytes()
        try:
            clean = pictured(raw)
        except (Refused, *program.BROKEN):
            refused.append(place)
            continue
        check_picture(place, clean)
        was = exif(raw)
        camera = [was[name].encode() for name in ("Image Make", "Image Model") if len(was.get(name, "")) > 4]
        assert not [secret for secret in (*SECRETS, *camera) if secret in clean], place
        cameras.add(was.get("Image Make", ""))
        placed += "GPS GPSLatitude" in was
        kinds.append(place.suffix.lower())
    assert len(cameras) >= 9
    assert placed >= 4
    assert all(kinds.count(kind) >= 8 for kind in (".jpg", ".png", ".webp", ".gif"))
    assert not refused or depth.LEVEL == 2  # among all of a machine's there are broken ones


def test_sounds_lose_their_tags_and_keep_their_samples() -> None:
    spoke = kept = 0
    for place in files(SOUNDS):
        raw, ending = place.read_bytes(), place.suffix.lower()
        try:
            clean = heard(raw)
        except (Refused, *program.BROKEN):
            assert depth.LEVEL == 2, place
            continue
        assert tagged(clean, ending) == {}, place
        spoke += bool(tagged(raw, ending))
        if samples(raw):
            assert samples(clean) == samples(raw), place
            kept += 1
    assert spoke >= 8
    assert kept >= 10


def test_films_lose_places_names_and_times_and_keep_what_is_seen_and_heard(tmp_path: Path) -> None:
    kinds = []
    for place in files(FILMS):
        raw = place.read_bytes()
        try:
            said, clean = filmed(place, tmp_path)
        except (Refused, *program.BROKEN):
            assert depth.LEVEL == 2, place
            continue
        kinds.append(said.format)
        if SAMPLES not in place.parents:
            continue
        assert (said.width, said.height) == (64, 48)
        assert 1190 <= said.length_ms <= 1210
        assert b"Secret" in raw
        assert not [secret for secret in (*SECRETS, b"Lavf") if secret in clean], place
        if said.format in (Format.MP4, Format.MOV):
            assert tagged(raw, place.suffix) != {}
            assert tagged(clean, place.suffix) == {}
            assert body_of(clean, b"mdat") == body_of(raw, b"mdat")
        else:
            check_matroska(raw, clean)
    assert {Format.MP4, Format.MOV, Format.WEBM, Format.MKV} <= set(kinds)


def check_matroska(raw: bytes, clean: bytes) -> None:
    before, after = (told(MATROSKA.loads(one)) for one in (raw, clean))
    assert GONE & set(before)
    assert not GONE & set(after)
    assert after["MuxingApp"] == after["WritingApp"] == [""]
    assert after["TrackUID"] == [number + 1 for number in after["TrackNumber"]]  # type: ignore[operator]
    assert blocks(MATROSKA.loads(clean)) == blocks(MATROSKA.loads(raw))
    assert len(blocks(MATROSKA.loads(clean))) >= 10


def test_a_sound_in_webm_has_a_length_a_waveform_and_no_names() -> None:
    raw = (SAMPLES / "films" / "sound.weba").read_bytes()
    said = sounds.sound(raw, lambda clean: check_matroska(raw, clean))
    assert (said.format, len(said.waveform)) == (Format.WEBA, 64)
    assert min(said.waveform) > 150  # a tone as loud at its end as at its beginning
    assert 1190 <= said.length_ms <= 1210


def test_a_film_is_no_sound_and_a_sound_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        heard((SAMPLES / "films" / "live.webm").read_bytes())
    assert refused.value.why is Why.STRANGE
    with pytest.raises(Refused) as refused:
        filmed(SAMPLES / "films" / "sound.weba", tmp_path)
    assert refused.value.why is Why.STRANGE
