"""When a picture was taken, as it says itself: read like other readers of EXIF do, and nonsense says nothing."""

import io
import os
import random
import re
import struct
from pathlib import Path

import exifread
import pytest

from node.workshop import exif, program, stripping
from node.workshop.faults import Refused
from node.workshop.workshop import Workshop
from protocol import record
from protocol.workshop import Taken
from tests import depth
from tests.node.workshop import made
from tests.node.workshop.test_real_files import PICTURES, files

DATED = re.compile(r"([12]\d{3}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")


def dated(at: str, zone: str = "") -> bytes:
    """A block of EXIF by Pillow, which says that."""
    block = made.exif(1)
    block.get_ifd(0x8769).update({0x9003: at, **({0x9011: zone} if zone else {})})
    return bytes(block.tobytes())


def by_hand(order: str, at: bytes, count: int = 20) -> bytes:
    """The same without Pillow: two directories of one tag."""
    head = b"MM\x00*" if order == ">" else b"II*\x00"
    first = struct.pack(f"{order}IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    return head + first + struct.pack(f"{order}HHHIII", 1, 0x9003, 2, count, 44, 0) + at


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        ("2026:05:04 12:30:00", "", "2026-05-04T12:30:00"),
        ("2026:05:04 12:30:00", "+02:00", "2026-05-04T12:30:00+02:00"),
        ("1931-12-31 23:59:59", "-11:30", "1931-12-31T23:59:59-11:30"),
        ("2026:05:04 12:30:00", "+25:00", "2026-05-04T12:30:00"),
        ("2026:05:04 12:30:00", "home", "2026-05-04T12:30:00"),
        ("0000:00:00 00:00:00", "+02:00", ""),
        ("    :  :     :  :  ", "", ""),
        ("2026:13:04 12:30:00", "", ""),
        ("2026:05:04 24:30:00", "", ""),
        ("2026:05:04", "", ""),
        ("yesterday, I believe", "", ""),
    ],
)
def test_the_date_of_a_picture_is_what_its_camera_said(at: str, zone: str, said: str) -> None:
    assert exif.taken(dated(at, zone)) == said
    for form in ("JPEG", "PNG", "WEBP"):
        raw = made.encoded(made.halves(), form, exif=dated(at, zone))
        assert stripping.taken(raw) == Taken(said)
        assert record.decode(Taken, record.encode(Taken(said)), 64) == Taken(said)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(order: str) -> None:
    assert exif.taken(by_hand(order, b"2026:05:04 12:30:00\x00")) == "2026-05-04T12:30:00"
    assert exif.taken(by_hand(order, b"2026:05:04 12:30:0")) == ""
    assert exif.taken(b"Exif\x00\x00" + by_hand(order, b"2026:05:04 12:30:00\x00")) == "2026-05-04T12:30:00"


def test_a_picture_without_exif_has_no_date() -> None:
    for raw in (made.jpeg(), made.png(), made.webp(), made.gif(), made.encoded(made.halves(), "PNG")):
        assert stripping.taken(raw) == Taken("")


def test_other_readers_find_the_same_dates_in_the_pictures_of_cameras() -> None:
    found = set[str]()
    for place in files(PICTURES):
        try:
            mine = stripping.taken(place.read_bytes()).at
        except (Refused, *program.BROKEN):
            continue
        tags = exifread.process_file(io.BytesIO(place.read_bytes()))
        said, zone = (str(tags.get(f"EXIF {name}", "")) for name in ("DateTimeOriginal", "OffsetTimeOriginal"))
        theirs = DATED.fullmatch(said)
        assert mine == ("" if theirs is None else "{}-{}-{}T{}".format(*theirs.groups()) + zone), place
        found.add(mine)
    assert len(found) >= 5


def test_no_block_of_exif_does_anything_but_say_a_date_or_none() -> None:
    chance = random.Random("exif")
    whole = [dated("2026:05:04 12:30:00", "+02:00"), by_hand("<", b"2026:05:04 12:30:00\x00")]
    for _ in range(depth.INPUTS_PER_DECODER):
        raw = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 6)):
            raw[chance.randrange(len(raw))] = chance.choice((0, 1, 8, 26, 127, 255, chance.randrange(256)))
        at = exif.taken(bytes(raw[: chance.choice((len(raw), chance.randrange(len(raw))))]))
        record.decode(Taken, record.encode(Taken(at)), 64)
        assert at == "" or re.fullmatch(r"[12]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d([+-]\d\d:\d\d)?", at)


def test_a_directory_that_never_ends_is_left() -> None:
    assert exif.taken(b"II*\x00\x08\x00\x00\x00" + b"\xff\xff" + bytes(12 * 70_000)) == ""
    assert exif.taken(b"II*\x00\x08\x00\x00\x00\x01\x00i\x87\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00") == ""  # itself


@pytest.mark.process
async def test_the_real_program_says_it_and_writes_no_copy(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(made.encoded(made.halves(), "JPEG", exif=dated("2026:05:04 12:30:00", "+02:00")))
    assert await Workshop().taken(tmp_path / "a.jpg") == "2026-05-04T12:30:00+02:00"
    assert os.listdir(tmp_path) == ["a.jpg"]
