"""WebM and Matroska, element by element: what stays, what becomes Void, and what is broken, endless or a trick."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import ebmlite
import pytest

from node.workshop import films, matroska, program
from node.workshop.faults import Refused
from protocol.workshop import Why
from tests import depth
from tests.node.workshop.made import SECRET

EBML, SEGMENT, CLUSTER, TRACKS, INFO, CUES = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B, 0x1549A966, 0x1C53BB6B
TAGS, CHAPTERS, ATTACHMENTS, SEEK_HEAD, VOID, CRC = 0x1254C367, 0x1043A770, 0x1941A469, 0x114D9B74, 0xEC, 0xBF
TRACK, SIMPLE, GROUP, BLOCK = 0xAE, 0xA3, 0xA0, 0xA1
OPEN = b"\x01" + b"\xff" * 7  # a length that is not said
SAMPLES = Path(__file__).parents[2] / "samples" / "films"


def named(name: int) -> bytes:
    return name.to_bytes((name.bit_length() + 7) // 8, "big")


def element(name: int, *inside: bytes) -> bytes:
    body = b"".join(inside)
    return named(name) + b"\x01" + len(body).to_bytes(7, "big") + body


def number(name: int, value: int) -> bytes:
    return element(name, value.to_bytes((value.bit_length() + 7) // 8, "big"))


def fraction(name: int, value: float) -> bytes:
    return element(name, struct.pack(">d", value))


def head(sort: bytes = b"webm") -> bytes:
    return element(EBML, number(0x4286, 1), element(0x4282, sort))


def facts(*more: bytes) -> bytes:
    return element(INFO, number(0x2AD7B1, 1_000_000), fraction(0x4489, 5000.0), *more)


def track(of: int, sort: int, *more: bytes) -> bytes:
    return element(TRACK, number(0xD7, of), element(0x73C5, bytes(range(8))), number(0x83, sort), *more)


def video(*more: bytes, width: int = 640, height: int = 360) -> bytes:
    return track(1, 1, element(0x86, b"V_VP9"), element(0xE0, number(0xB0, width), number(0xBA, height), *more))


def block(of: int, at: int, body: bytes = b"frame") -> bytes:
    return bytes((0x80 | of,)) + at.to_bytes(2, "big", signed=True) + b"\x80" + body


def cluster(*inside: bytes, at: int = 0) -> bytes:
    return element(CLUSTER, number(0xE7, at), *inside)


SHOWN = cluster(element(SIMPLE, block(1, 0)))


def film(*parts: bytes, sort: bytes = b"webm") -> bytes:
    return head(sort) + element(SEGMENT, *(parts or (facts(), element(TRACKS, video()), SHOWN)))


def examined(raw: bytes) -> matroska.Found:
    return matroska.examine(lambda at, count: raw[at : at + count], len(raw))


def cleaned(raw: bytes) -> bytes:
    """The copy of a film, as films.py makes it."""
    found = examined(raw)
    clean = bytearray(raw[: found.end])
    for at, count in found.blank:
        assert at + count <= found.end
        clean[at : at + count] = bytes(count)
    for at, written in found.written:
        assert not any(start < at < start + count for start, count in found.blank)  # what is zero stays so
        clean[at : at + len(written)] = written
    assert len(clean) == found.end
    return bytes(clean)


def refused(raw: bytes) -> Why:
    with pytest.raises(Refused) as fault:
        examined(raw)
    return fault.value.why


# --- what stays, and what goes --------------------------------------------------------------------------------------


def test_a_film_has_its_length_and_size() -> None:
    found = examined(film())
    assert (found.is_webm, found.length_ms, found.width, found.height) == (True, 5000, 640, 360)
    assert not examined(film(sort=b"matroska")).is_webm


@pytest.mark.parametrize(
    ("more", "size"),
    [
        (number(0x54B0, 1280) + number(0x54BA, 720), (1280, 720)),
        (number(0x54B0, 16) + number(0x54BA, 9) + number(0x54B2, 3), (640, 360)),  # a ratio
        (element(0x7670, fraction(0x7675, 90.0)), (360, 640)),
        (element(0x7670, fraction(0x7675, -90.0)), (360, 640)),
        (element(0x7670, fraction(0x7675, 180.0)), (640, 360)),
    ],
)
def test_a_film_is_as_large_as_it_is_shown(more: bytes, size: tuple[int, int]) -> None:
    found = examined(film(facts(), element(TRACKS, video(more)), SHOWN))
    assert (found.width, found.height) == size


def test_who_does_not_say_how_long_it_is_is_as_long_as_its_last_block() -> None:
    late = cluster(element(SIMPLE, block(1, 40)), element(GROUP, element(BLOCK, block(1, 70))), at=61_000)
    raw = film(element(INFO, number(0x2AD7B1, 2_000_000)), element(TRACKS, video()), SHOWN, late)
    assert examined(raw).length_ms == 2 * 61_070


def test_all_that_is_no_part_of_a_player_becomes_void() -> None:
    secret = [element(name, SECRET) for name in (TAGS, CHAPTERS, ATTACHMENTS, VOID, CRC, 0x7BA9, 0x4461, 0x81)]
    tracks = element(TRACKS, *secret, video(*secret, element(0x536E, SECRET), element(0x258688, SECRET)))
    told = facts(
        *secret, element(0x4D80, SECRET), element(0x5741, SECRET), element(0x73A4, SECRET), element(0x7384, SECRET)
    )
    shown = cluster(*secret, element(GROUP, *secret, element(BLOCK, block(1, 0))))
    cues = element(CUES, *secret, element(0xBB, *secret, number(0xB3, 0), element(0xB7, *secret, number(0xF7, 1))))
    raw = head() + element(SEGMENT, *secret, told, tracks, *secret, shown, cues, *secret)
    clean = cleaned(raw)
    assert SECRET not in clean
    assert len(clean) == len(raw)
    assert examined(clean).length_ms == 5000
    assert block(1, 0) in clean
    assert bytes(range(8)) not in clean  # the number that was drawn for the track
    ebmlite.loadSchema("matroska.xml").loads(clean)


def test_a_track_that_is_nothing_to_see_hear_or_read_goes_with_its_blocks() -> None:
    way = track(2, 0x21, element(0x86, b"D_WEBVTT/METADATA"), element(0x536E, SECRET))
    heard = track(3, 2, element(0x86, b"A_OPUS"))
    shown = cluster(
        element(SIMPLE, block(1, 0)),
        element(SIMPLE, block(2, 0, SECRET)),
        element(GROUP, element(BLOCK, block(2, 1, SECRET)), element(0xA4, SECRET)),
        element(SIMPLE, block(3, 1)),
        element(SIMPLE, block(9, 1, SECRET)),  # of no track at all
    )
    clean = cleaned(film(facts(), element(TRACKS, video(), way, heard), shown))
    assert SECRET not in clean
    assert block(1, 0) in clean
    assert block(3, 1) in clean
    assert b"D_WEBVTT" not in clean


def test_what_a_decoder_is_told_first_loses_its_comments() -> None:
    begins, comments, last = b"\x01vorbis" + bytes(23), b"\x03vorbis" + SECRET * 20 + b"\x01", b"\x05vorbis"
    laced = bytes((2, len(begins), 255, len(comments) - 255)) + begins + comments + last
    sound = track(2, 2, element(0x86, b"A_VORBIS"), element(0x63A2, laced))
    clean = cleaned(film(facts(), element(TRACKS, video(), sound), SHOWN))
    assert SECRET not in clean
    assert begins in clean
    assert last in clean
    flac = b"fLaC\x00\x00\x00\x22" + bytes(34) + b"\x84" + len(SECRET).to_bytes(3, "big") + SECRET
    sound = track(2, 2, element(0x86, b"A_FLAC"), element(0x63A2, flac))
    assert SECRET not in cleaned(film(facts(), element(TRACKS, video(), sound), SHOWN))


def test_places_of_what_is_gone_are_not_told_and_those_of_what_stays_are() -> None:
    seeks = [element(0x4DBB, element(0x53AB, named(name)), number(0x53AC, 99)) for name in (TAGS, CUES, INFO)]
    clean = cleaned(film(element(SEEK_HEAD, *seeks), facts(), element(TRACKS, video()), SHOWN))
    assert [seek in clean for seek in seeks] == [False, True, True]


def test_what_is_open_ends_where_something_else_begins() -> None:
    opened = named(CLUSTER) + OPEN + number(0xE7, 0) + element(SIMPLE, block(1, 0)) + element(VOID, SECRET)
    tail = element(TAGS, SECRET)
    raw = head() + named(SEGMENT) + OPEN + facts() + element(TRACKS, video()) + opened + opened + tail
    clean = cleaned(raw)
    assert SECRET not in clean
    assert clean.count(block(1, 0)) == 2
    assert len(clean) == len(raw)


def test_what_stands_behind_a_film_is_cut_off() -> None:
    assert cleaned(film() + SECRET) == cleaned(film())
    assert refused(film() + film()) is Why.BROKEN  # a second film would be lost


@pytest.mark.parametrize("total", [*range(2, 12), *range(125, 140), 16_400, 70_000])
def test_void_is_as_long_as_what_it_replaces(total: int) -> None:
    wide = 1 if total <= 128 else 2 if total <= 16_000 else 8
    size = total - 1 - wide
    gone = b"\x81" + (size | 1 << 7 * wide).to_bytes(wide, "big") + (SECRET * 9999)[:size]
    clean = cleaned(film(facts(), gone, element(TRACKS, video()), SHOWN))
    assert len(gone) == total
    assert SECRET[: size or None] not in clean
    assert cleaned(clean) == clean  # it is read as Void of that length


# --- hostile films --------------------------------------------------------------------------------------------------

WHOLE = (facts(), element(TRACKS, video()), SHOWN)
LONG = b"\x01" + b"\xff" * 6 + b"\xfe"  # 2**56 - 2 bytes


def vorbis(private: bytes) -> bytes:
    return track(2, 2, element(0x86, b"A_VORBIS"), element(0x63A2, private))


BROKEN = {
    "nothing but a head": head(),
    "another element than a film": head() + element(TAGS, *WHOLE),
    "no tracks": film(facts(), element(CUES)),
    "blocks before tracks": film(facts(), SHOWN, element(TRACKS, video())),
    "tracks twice": film(*WHOLE, element(TRACKS, video())),
    "an open element that has to be closed": head() + named(SEGMENT) + OPEN + named(TRACKS) + OPEN + video(),
    "an open group": film(*WHOLE[:2], element(CLUSTER, named(GROUP) + OPEN + element(BLOCK, block(1, 0)))),
    "a film longer than the file": head() + named(SEGMENT) + LONG + b"".join(WHOLE),
    "void longer than the film": film(*WHOLE, named(VOID) + LONG),
    "a track longer than all tracks": film(facts(), element(TRACKS, named(TRACK) + LONG + video())),
    "a title longer than what it is in": film(element(INFO, named(0x7BA9) + b"\x85ab"), *WHOLE[1:]),
    "a block longer than its cluster": film(*WHOLE[:2], element(CLUSTER, named(SIMPLE) + b"\x8fab")),
    "a name of five bytes": film(*WHOLE, b"\x08\x01\x01\x01\x01\x80"),
    "a name without an end": film(*WHOLE, b"\x00\x80"),
    "a length of nine bytes": film(*WHOLE, b"\x81\x00" + bytes(8)),
    "half a head": film(*WHOLE, b"\x1a"),
    "half a length": film(*WHOLE, b"\xec\x40"),
    "an open cluster that begins behind the end": film(*WHOLE, named(CLUSTER) + OPEN[:3]) + OPEN[3:],
    "a number of nine bytes": film(facts(), element(TRACKS, track(1, 1, element(0xE0, element(0xB0, bytes(9)))))),
    "a length of three bytes": film(element(INFO, element(0x4489, b"abc")), *WHOLE[1:]),
    "a length that is no number": film(element(INFO, fraction(0x4489, float("nan"))), *WHOLE[1:]),
    "a length without end": film(element(INFO, fraction(0x4489, float("inf"))), *WHOLE[1:]),
    "a block of nothing": film(*WHOLE[:2], cluster(element(SIMPLE))),
    "a block without its time": film(*WHOLE[:2], cluster(element(SIMPLE, b"\x81\x00"))),
    "a group without a block": film(*WHOLE[:2], cluster(element(GROUP))),
    "a track called by no bytes": film(
        facts(), element(TRACKS, element(TRACK, element(0x73C5), number(0x83, 1))), SHOWN
    ),
    "a codec of a long name": film(
        facts(), element(TRACKS, track(2, 2, element(0x86, b"A" * 65), element(0x63A2, b"x"))), SHOWN
    ),
    "comments that are none": film(facts(), element(TRACKS, vorbis(b"\x02\x01\x28a" + b"x" * 40)), SHOWN),
    "comments of more packets": film(facts(), element(TRACKS, vorbis(b"\x03\x01\x28a\x03vorbis" + b"x" * 40)), SHOWN),
    "comments longer than their track": film(
        facts(), element(TRACKS, track(2, 2, element(0x86, b"A_VORBIS"), element(0x63A2, b"\x02\x01\x40a\x03vorbis")))
    ),
    "comments too short to be emptied": film(
        facts(), element(TRACKS, track(2, 2, element(0x86, b"A_VORBIS"), element(0x63A2, b"\x02\x01\x09a\x03vorbisab")))
    ),
    "a flac with tags behind it": film(
        facts(),
        element(
            TRACKS,
            track(2, 2, element(0x86, b"A_FLAC"), element(0x63A2, b"fLaC\x80\x00\x00\x01x" + b"TAG" + bytes(125))),
        ),
    ),
}


@pytest.mark.parametrize("which", BROKEN)
def test_what_is_broken_ends_with_that_word(which: str) -> None:
    assert refused(BROKEN[which]) is Why.BROKEN


@pytest.mark.parametrize("sort", [b"", b"avi", b"webm" * 4, b"x" * 16])
def test_another_sort_of_document_is_strange(sort: bytes) -> None:
    assert refused(film(*WHOLE, sort=sort)) is Why.STRANGE
    assert refused(b"RIFF" + film()) is Why.STRANGE


def test_a_sort_of_document_without_end_is_broken() -> None:
    assert refused(film(*WHOLE, sort=b"webm" * 99)) is Why.BROKEN


def test_lengths_of_days_are_too_much() -> None:
    assert refused(film(element(INFO, fraction(0x4489, 86_400_001.0)), *WHOLE[1:])) is Why.LARGE
    assert refused(film(element(INFO), WHOLE[1], cluster(element(SIMPLE, block(1, 1)), at=1 << 60))) is Why.LARGE


def test_a_codec_that_has_megabytes_to_say_first_is_too_much() -> None:
    many = element(TRACKS, track(2, 2, element(0x86, b"A_OPUS"), element(0x63A2, bytes((1 << 20) + 1))))
    assert refused(film(facts(), many)) is Why.LARGE


def test_what_is_inside_itself_is_not_followed() -> None:
    for name in (SEGMENT, TRACKS, TRACK, INFO, CLUSTER, GROUP, CHAPTERS, TAGS, 0xB6, 0xE0, 0x6D80):
        deep = SECRET
        for _ in range(3000):
            deep = named(name) + b"\x01" + len(deep).to_bytes(7, "big") + deep
        for raw in (film(*WHOLE[:2], deep), film(facts(deep), *WHOLE[1:]), film(*WHOLE[:2], cluster(deep))):
            try:
                assert SECRET not in cleaned(raw)
            except Refused as fault:
                assert fault.why is Why.BROKEN  # noqa: PT017  tracks twice, or blocks of nothing


@pytest.mark.depth  # two million take seconds
def test_elements_without_end_are_too_much() -> None:
    assert refused(film(*WHOLE, b"\xec\x80" * (matroska.ELEMENTS_MAX + 1))) is Why.LARGE


def test_a_film_that_was_cut_is_broken() -> None:
    whole = (SAMPLES / "vp8-opus.webm").read_bytes()
    for length in range(4, len(whole), 61):
        assert refused(whole[:length]) is Why.BROKEN


def test_a_film_that_shrinks_meanwhile_is_broken(tmp_path: Path) -> None:
    raw = film(*WHOLE, element(VOID, bytes(100)))
    place = tmp_path / "film"
    place.write_bytes(raw[:-50])
    with place.open("rb") as source, (tmp_path / "clean").open("wb") as copy, pytest.raises(Refused) as fault:
        films.film(source.fileno(), len(raw), copy.fileno())
    assert fault.value.why is Why.BROKEN


def wholes() -> Iterator[bytes]:
    yield film(facts(), element(TRACKS, video(), track(2, 0x21)), SHOWN, element(CUES), element(TAGS, SECRET))
    yield from (place.read_bytes() for place in sorted(SAMPLES.glob("*.webm")))


def test_changed_bytes_end_as_a_film_or_as_a_broken_one() -> None:
    chance = random.Random("matroska")
    for whole in wholes():
        for _ in range(min(20_000, depth.INPUTS_PER_DECODER // 20)):
            raw = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                raw[chance.randrange(4, min(900, len(raw)))] = chance.randrange(256)
            try:
                cleaned(bytes(raw))
            except (Refused, *program.BROKEN):
                continue
