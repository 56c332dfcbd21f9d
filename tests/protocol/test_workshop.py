"""The answers of the workshop's program: what it may say, and that it may say nothing else."""

import random

import pytest

from protocol import record, workshop
from protocol.faults import Malformed, OverLimit
from protocol.workshop import Avatar, Failed, Format, Heard, Moving, Pictured, Pixels, Stamp, Taken, Why
from tests import depth

WEBP = b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"
HASH = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"  # of the picture on blurha.sh
GOOD = [
    Pictured(Format.JPEG, 4000, 3000, WEBP, HASH),
    Heard(Format.OGG, 61_000, bytes(range(64))),
    Heard(Format.M4A, 61_000, b""),
    Heard(Format.WEBA, 61_000, b""),
    Moving(Format.MP4, 5000, 640, 360),
    Moving(Format.MKV, 5000, 640, 360),
    Avatar(WEBP),
    Stamp(WEBP),
    Pixels(2, 1, b"rgbrgb"),
    Taken(""),
    Taken("2026-05-04T12:30:00"),
    Taken("2026-05-04T12:30:00-11:30"),
]
BAD = [
    Pictured(Format.JPEG, 60_000, 60_000, WEBP, HASH),
    Pictured(Format.WAV, 4000, 3000, WEBP, HASH),
    Pictured(Format.PNG, 4000, 3000, WEBP + b"x", HASH),
    Pictured(Format.PNG, 4000, 3000, b"\xff\xd8\xff\xe0" * 5, HASH),
    Pictured(Format.PNG, 4000, 3000, WEBP, HASH[:-1]),
    Pictured(Format.PNG, 4000, 3000, WEBP, HASH[:-1] + "'"),
    Heard(Format.MP4, 1, bytes(64)),
    Heard(Format.WAV, 1, bytes(63)),
    Moving(Format.M4A, 1, 640, 360),
    Moving(Format.WEBA, 1, 640, 360),
    Heard(Format.WEBM, 1, b""),
    Avatar(WEBP[:-1]),
    Stamp(WEBP[:-1]),
    Pixels(2, 2, b"rgbrgb"),
    Taken("2026-05-04 12:30:00"),
    Taken("2026-05-04T12:30:00\n"),
    Taken("\u0662026-05-04T12:30:00"),
    Taken("2026-05-04T12:30:00Z"),
]


@pytest.mark.parametrize("answer", [*GOOD, Failed(Why.LARGE)])
def test_an_answer_is_read_as_it_was_said(answer: object) -> None:
    wanted = Heard if isinstance(answer, Failed) else type(answer)
    assert workshop.read(wanted, record.encode(answer)) == answer


@pytest.mark.parametrize("answer", BAD)
def test_an_answer_whose_parts_do_not_fit_is_refused(answer: object) -> None:
    with pytest.raises(Malformed):
        workshop.read(type(answer), record.encode(answer))


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(Malformed):
        workshop.read(Pictured, record.encode(GOOD[1]))


@pytest.mark.parametrize("size", [-1, 65_536, 0])
def test_a_size_that_no_picture_has_cannot_be_said(size: int) -> None:
    with pytest.raises(OverLimit):
        Pictured(Format.JPEG, size, 1, WEBP, HASH)


def test_any_bytes_are_an_answer_or_malformed() -> None:
    chance = random.Random("workshop")
    for _ in range(depth.INPUTS_PER_DECODER):
        answer = chance.choice(GOOD)
        raw = bytearray(record.encode(answer))
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            workshop.read(type(answer), bytes(raw))
        except Malformed:
            continue


def test_every_format_has_a_media_type() -> None:
    assert len({one.mime for one in Format}) == len(Format)


def test_little_of_the_environment_is_passed_on() -> None:
    passed = workshop.surroundings({"WEFT_PASSPHRASE_FILE": "x", "HOME": "/home/ana", "PYTHONPATH": "/code"})
    assert passed == {"PYTHONPATH": "/code", "PYTHONDONTWRITEBYTECODE": "", "LC_ALL": "C.UTF-8"}
