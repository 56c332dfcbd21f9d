"""Sounds lose their tags and keep their samples; their length and waveform are right. Films lose places and times."""

import io
import random
import struct

import pytest
import soundfile

from node.workshop import atoms, program, sounds, tags
from node.workshop.faults import Refused
from protocol.workshop import Format, Heard, Why
from tests import depth
from tests.node.workshop import made

SORTS = [
    ("WAV", "PCM_16", Format.WAV),
    ("WAV", "FLOAT", Format.WAV),
    ("OGG", "VORBIS", Format.OGG),
    ("OGG", "OPUS", Format.OGG),
    ("FLAC", "PCM_16", Format.FLAC),
    ("MP3", "MPEG_LAYER_III", Format.MP3),
]
ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x17" + made.SECRET
ID3_OLD = b"TAG" + made.SECRET.ljust(125)
APE = b"APETAGEX" + bytes(4) + (32 + 23).to_bytes(4, "little") + bytes(16)
LYRICS = b"LYRICSBEGIN" + made.SECRET + b"000034LYRICS200"


def heard(raw: bytes) -> tuple[Heard, bytes]:
    kept: list[bytes] = []
    said = sounds.sound(raw, kept.append)
    return said, b"".join(kept)


def samples(raw: bytes) -> bytes:
    with soundfile.SoundFile(io.BytesIO(raw)) as opened:
        return bytes(opened.buffer_read(dtype="int16"))


@pytest.mark.parametrize(("name", "subtype", "kind"), SORTS)
def test_tags_go_and_samples_stay(name: str, subtype: str, kind: Format) -> None:
    raw = made.sound(name, subtype)
    assert made.SECRET in raw
    said, clean = heard(raw)
    assert said.format == kind
    assert made.SECRET not in clean
    assert samples(clean) == samples(raw)
    assert abs(said.length_ms - 2000) <= 150  # MP3 has whole frames, and silence before the first


@pytest.mark.parametrize(("name", "subtype", "kind"), SORTS)
def test_a_tone_that_grows_is_seen_to_grow(name: str, subtype: str, kind: Format) -> None:
    waveform = heard(made.sound(name, subtype))[0].waveform
    assert len(waveform) == 64
    assert max(waveform) == 255
    assert waveform[2] < waveform[20] < waveform[40] < waveform[58]


def test_silence_and_a_sound_shorter_than_its_waveform() -> None:
    assert heard(made.sound("WAV", "PCM_16", bytes(16_000)))[0].waveform == bytes(64)
    assert len(heard(made.sound("WAV", "PCM_16", made.tone(0.002)))[0].waveform) == 64
    assert heard(made.sound("WAV", "PCM_16", b""))[0] == Heard(Format.WAV, 0, bytes(64))


def test_a_sound_that_has_less_than_it_says_ends_in_silence() -> None:
    raw = made.sound("MP3", "MPEG_LAYER_III")
    cut = heard(raw[: len(raw) * 3 // 4])[0]  # its first frame still counts all of them
    assert cut.length_ms == heard(raw)[0].length_ms
    assert cut.waveform[-3:] == bytes(3)


def test_loudness_is_in_proportion() -> None:
    assert sounds.loudness([0, 50, 100]) == bytes((0, 127, 255))


def test_an_mp3_loses_the_tags_of_every_fashion() -> None:
    bare = tags.strip(made.sound("MP3", "MPEG_LAYER_III")).raw
    for behind in (ID3_OLD, made.SECRET + APE, LYRICS, made.SECRET + APE + ID3_OLD):
        assert tags.strip(ID3 + ID3 + bare + behind).raw == bare


def test_a_picture_in_a_flac_becomes_padding() -> None:
    raw = made.sound("FLAC", "PCM_16")
    picture = b"\x06" + len(made.SECRET).to_bytes(3, "big") + made.SECRET
    clean = tags.strip(ID3 + raw[:42] + picture + raw[42:] + ID3_OLD).raw
    assert made.SECRET not in clean
    assert samples(clean) == samples(raw)


def test_what_follows_another_in_one_ogg_loses_its_comments_too() -> None:
    raw = made.sound("OGG", "OPUS")
    clean = tags.strip(raw + raw).raw
    assert clean == tags.strip(raw).raw * 2


def test_a_stream_that_is_no_sound_is_left_out_of_an_ogg() -> None:
    raw = made.sound("OGG", "OPUS")
    page = b"OggS\x00\x02" + bytes(8) + b"secr" + bytes(8) + bytes((1, len(made.SECRET))) + made.SECRET
    assert tags.strip(raw[:47] + page + raw[47:]).raw == tags.strip(raw).raw
    again = page.replace(b"secr", raw[14:18])  # another stream that goes by the same number
    assert tags.strip(raw + again + again.replace(b"\x00\x02", b"\x00\x00", 1)).raw == tags.strip(raw).raw
    with pytest.raises(Refused):
        tags.strip(page)


@pytest.mark.parametrize("raw", [b"", b"OggS", b"RIFF\x04\x00\x00\x00WEBP", b"FORM\x00\x00\x00\x00AIFF", b"\x89PNG"])
def test_another_kind_of_file_is_strange(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        tags.strip(raw)
    assert refused.value.why is Why.STRANGE


def test_a_sound_that_says_it_lasts_for_days_is_too_much() -> None:
    raw = bytearray(made.sound("FLAC", "PCM_16"))
    raw[21] |= 0x0F
    raw[22:26] = b"\xff\xff\xff\xff"  # 2**36 samples at 8 kHz: 99 days
    with pytest.raises(Refused) as refused:
        heard(bytes(raw))
    assert refused.value.why is Why.LARGE


@pytest.mark.parametrize(("name", "subtype", "kind"), SORTS)
def test_changed_bytes_end_as_a_sound_or_as_a_broken_one(name: str, subtype: str, kind: Format) -> None:
    chance = random.Random(f"tags {subtype}")
    whole = made.sound(name, subtype)
    for _ in range(min(2000, depth.INPUTS_PER_DECODER // 10)):
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            raw[chance.randrange(min(600, len(raw)))] = chance.randrange(256)
        try:
            assert len(tags.strip(bytes(raw)).raw) <= len(raw) + 1
        except (Refused, *program.BROKEN):
            pass


# --- MP4 ------------------------------------------------------------------------------------------------------------


def examined(raw: bytes) -> atoms.Found:
    return atoms.examine(lambda at, count: raw[at : at + count], len(raw))


def test_a_sound_in_mp4_has_a_length_and_no_places() -> None:
    raw = made.film(size=(0, 0), brand=b"M4A ")
    said, clean = heard(raw)
    assert said == Heard(Format.M4A, 5000, b"")
    assert len(clean) == len(raw)
    assert made.SECRET not in clean
    assert b"frame" in clean


def test_a_film_has_its_size_also_when_it_was_turned() -> None:
    upright, turned = examined(made.film((640, 360))), examined(made.film((640, 360), turned=True))
    assert (upright.length_ms, upright.width, upright.height) == (5000, 640, 360)
    assert (turned.width, turned.height) == (360, 640)


def test_when_it_was_filmed_is_gone() -> None:
    blank = examined(made.film()).blank
    clean = bytearray(made.film())
    for at, count in blank:
        clean[at : at + count] = bytes(count)
    assert (111).to_bytes(4, "big") in made.film()
    assert (111).to_bytes(4, "big") not in clean
    assert (222).to_bytes(4, "big") not in clean


def described(sort: bytes, *entries: bytes) -> bytes:
    """A film whose track says how its codec is called, and by whom it was made."""
    table = made.box(b"stbl", made.box(b"stsd", struct.pack(">II", 0, len(entries)), *entries))
    name = made.box(b"hdlr", bytes(4) + b"mhlr" + sort + b"maker" + bytes(7) + made.SECRET)
    inside = made.box(b"trak", made.box(b"mdia", name, made.box(b"minf", table)))
    return made.film() + made.box(b"moov", inside)


def test_what_a_camera_calls_itself_in_tracks_and_encoders_is_gone() -> None:
    picture = made.box(
        b"avc1", bytes(12), b"made", bytes(26), b"\x12A camera of mine!!!".ljust(32), b"\x00\x18\xff\xff", b"avcC"
    )
    sound = made.box(b"mp4a", bytes(12), b"made", bytes(12), b"esds")
    for sort, entries, kept in ((b"vide", [picture, picture], b"avcC"), (b"soun", [sound], b"esds")):
        raw = described(sort, *entries)
        clean = bytearray(raw)
        for at, count in examined(raw).blank:
            clean[at : at + count] = bytes(count)
        for name in (made.SECRET, b"maker", b"made", b"A camera"):
            assert name in raw or sort == b"soun"
            assert name not in clean
        assert clean.count(sort) == raw.count(sort)
        assert clean.count(kept) == len(entries)


def test_the_time_of_day_and_the_tape_of_a_time_code_are_gone() -> None:
    counts = struct.pack(">IIIIBB", 0, 1, 25, 1, 25, 0)
    entry = made.box(b"tmcd", bytes(6), b"\0\1", counts, made.box(b"name", made.SECRET))
    coded = made.film().replace(b"meta" + bytes(12), b"tmcd" + bytes(12))  # the track whose sample is the secret
    for raw in (coded, described(b"tmcd", entry, entry)):
        clean = bytearray(raw)
        for at, count in examined(raw).blank:
            clean[at : at + count] = bytes(count)
        assert made.SECRET in raw
        assert made.SECRET not in clean
        assert clean.count(counts) == raw.count(counts)
        assert clean.count(b"frame") == 1


@pytest.mark.parametrize("name", [b"sefd", b"gps ", b"moov", b"wide", b"pnot", b"emsg", b"prft"])
def test_boxes_that_a_player_does_not_need_are_gone(name: bytes) -> None:
    own = made.box(name, made.SECRET)
    place = own if name != b"moov" else made.box(b"moov", own)
    for raw in (place, made.box(b"moov", own), made.box(b"moov", made.box(b"trak", own, made.box(b"hdlr", bytes(20))))):
        clean = bytearray(made.film() + raw)
        for at, count in examined(bytes(clean)).blank:
            clean[at : at + count] = bytes(count)
        assert made.SECRET not in clean


def test_a_way_that_lies_in_fragments_is_not_overlooked() -> None:
    fragment = made.box(b"moof", made.box(b"traf")) + made.box(b"mdat", made.SECRET)
    with pytest.raises(Refused) as refused:
        examined(made.film() + fragment)
    assert refused.value.why is Why.STRANGE
    assert examined(described(b"vide").replace(b"meta", b"text") + fragment).has_fragments  # no track but what is shown


@pytest.mark.parametrize("size", [0, 23, 99])
def test_a_codec_that_is_longer_than_what_it_is_in_is_broken(size: int) -> None:
    entry = size.to_bytes(4, "big") + b"avc1" + bytes(20)
    with pytest.raises(Refused) as refused:
        examined(described(b"vide", entry))
    assert refused.value.why is Why.BROKEN


@pytest.mark.parametrize("raw", [b"", made.box(b"ftyp", b"heic", bytes(4)), made.box(b"moov")])
def test_what_is_no_film_is_strange(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        examined(raw)
    assert refused.value.why is Why.STRANGE


def test_boxes_in_boxes_without_end_are_broken() -> None:
    deep = b""
    for _ in range(12):
        deep = made.box(b"mdia", deep)
    for raw in (
        made.box(b"moov", made.box(b"trak", deep)),
        made.box(b"moof", deep),
        (3).to_bytes(4, "big") + b"moov",
        made.box(b"free") * 100_001,
    ):
        with pytest.raises(Refused) as refused:
            examined(made.film() + raw)
        assert refused.value.why is Why.BROKEN


def test_changed_bytes_end_as_a_film_or_as_a_broken_one() -> None:
    chance, whole = random.Random("atoms"), made.film()
    for _ in range(depth.INPUTS_PER_DECODER):
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(8, len(raw))] = chance.randrange(256)
        try:
            found = examined(bytes(raw))
        except (Refused, *program.BROKEN):
            continue
        assert all(at >= 0 and at + count <= len(raw) for at, count in found.blank)
