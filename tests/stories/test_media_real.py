"""Real pictures, a sound and a film between two real nodes: what arrives says nothing of place, camera and people."""

import io
from pathlib import Path

import exifread
import pytest
from PIL import Image
from tinytag import TinyTag

from tests import depth
from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

SAMPLES = Path(__file__).parents[1] / "samples"
FEW = ("places/upright.jpg", "places/turned.jpg", "piexif/r_canon.jpg")
MANY = ("piexif/r_sony.jpg", "piexif/r_olympus.jpg", "piexif/02.jpg", "places/upright.png", "places/upright.webp")
ARRIVE_S = 60.0


def saved(bo: RealNode, count: int, folder: Path) -> list[Path]:
    """The files that bo was sent, saved, once so many of them are here."""
    bo.await_that(lambda: [one["state"] for one in bo.call("media.list")].count("here") == count, ARRIVE_S)
    folder.mkdir()
    return [Path(bo.call("media.save", id=one["id"], folder=str(folder))["file"]) for one in bo.call("media.list")]


def size_of(raw: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(raw)).size


def test_what_arrives_says_nothing_of_place_camera_and_people(tmp_path: Path) -> None:
    pictures = [SAMPLES / name for name in (*FEW, *(MANY if depth.LEVEL else ()))]
    film, sound = SAMPLES / "films" / "vp8-opus.webm", SAMPLES / "films" / "sound.m4a"
    for place in pictures:
        raw = place.read_bytes()
        assert exifread.process_file(io.BytesIO(raw)) or len(Image.open(io.BytesIO(raw)).getexif())  # each reads some
    with open_pair(tmp_path) as (ana, bo):
        for place in pictures:
            ana.call("media.send", to="bo", path=str(place))
        ana.call("media.send", to="bo", path=str(film))
        ana.call("media.send", to="bo", path=str(sound), shape="voice")
        *seen, moving, heard = saved(bo, len(pictures) + 2, tmp_path / "saved")
    assert [place.name for place in seen] == [place.name for place in pictures]
    for place in seen:
        raw = place.read_bytes()
        assert exifread.process_file(io.BytesIO(raw)) == {}
        assert dict(Image.open(io.BytesIO(raw)).getexif()) == {}
        assert not [word for word in (b"Secret", b"Weft", b"Canon", b"SONY", b"52.52") if word in raw]
    assert size_of(seen[1].read_bytes()) == size_of(pictures[1].read_bytes())[::-1]  # upright
    assert b"Secret" in film.read_bytes()
    assert b"Secret" not in moving.read_bytes()
    assert TinyTag.get(sound).title == "Secret-title"
    assert TinyTag.get(heard).title is None
    assert b"Secret" not in heard.read_bytes()
