"""Sounds, inside the workshop's program: a copy without metadata, the length, a waveform of 64 peaks.

libsndfile sees a file that is already without metadata. Not here: limits of memory and time (bounds.py), what is
metadata (tags.py, atoms.py, matroska.py).
"""

import io
import os
from collections.abc import Callable
from itertools import pairwise

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # soundfile brings NumPy, whose threads take addresses that we would count

import soundfile

from node.workshop import atoms, matroska, opus, tags
from node.workshop.faults import Refused
from protocol.workshop import LENGTH_MS_MAX, WAVEFORM_BYTES, Format, Heard, Why

HEARD_S = 2  # of each 64th of a sound: what is longer is sampled, so that an hour takes no longer than two minutes
CHANNELS_MAX = 8
_LIBRARY = {"WAV": Format.WAV, "WAVEX": Format.WAV, "OGG": Format.OGG, "MP3": Format.MP3, "FLAC": Format.FLAC}


def sound(raw: bytes, write_clean: Callable[[bytes], None]) -> Heard:
    """What is said of a sound; its clean copy is written on the way. Raises: Refused, and what soundfile raises."""
    if raw[4:8] == b"ftyp" or raw.startswith(matroska.BEGINS):
        return _inside(raw, write_clean)
    untagged = tags.strip(raw)
    del raw
    with soundfile.SoundFile(io.BytesIO(untagged.raw)) as opened:
        if _LIBRARY.get(opened.format) != untagged.format:
            raise Refused(Why.STRANGE)
        if opened.channels > CHANNELS_MAX or opened.frames * 1000 > LENGTH_MS_MAX * opened.samplerate:
            raise Refused(Why.LARGE)
        heard = Heard(untagged.format, opened.frames * 1000 // opened.samplerate, _waveform(opened))
    write_clean(untagged.raw)
    return heard


def loudness(peaks: list[int]) -> bytes:
    """A byte for each peak, in proportion, the highest 255; silence is all zeros."""
    highest = max(peaks, default=0)
    return bytes(peak * 255 // highest if highest else 0 for peak in peaks)


def _waveform(opened: soundfile.SoundFile) -> bytes:
    peaks, at, frame_bytes = [], 0, 2 * opened.channels
    for part in range(WAVEFORM_BYTES):
        start, end = (opened.frames * edge // WAVEFORM_BYTES for edge in (part, part + 1))
        if start != at:
            opened.seek(start)
        held = bytearray(frame_bytes * max(1, min(end - start, HEARD_S * opened.samplerate)))
        count = opened.buffer_read_into(held, dtype="int16")  # fewer where there are fewer than it says
        samples = memoryview(held)[: count * frame_bytes].cast("h")
        at = start + count
        peaks.append(_peak(samples))
    return loudness(peaks)


def _inside(raw: bytes, write_clean: Callable[[bytes], None]) -> Heard:
    """Sound in MP4, WebM or Matroska: the length, and of Opus a waveform; weft has no decoder of AAC."""

    def read(at: int, count: int) -> bytes:
        return raw[at : at + count]

    found: atoms.Found | matroska.Found
    if raw.startswith(matroska.BEGINS):
        found = matroska.examine(read, len(raw))
        kind, end = Format.WEBA if found.is_webm else Format.MKA, found.end
    else:
        found = atoms.examine(read, len(raw))
        kind, end = Format.M4A, len(raw)
    if found.width or found.height:
        raise Refused(Why.STRANGE)
    clean = bytearray(raw[:end])
    for at, count in found.blank:
        clean[at : at + count] = bytes(count)
    for at, written in found.written:
        clean[at : at + len(written)] = written
    write_clean(bytes(clean))
    return Heard(kind, found.length_ms, _opus(raw, found) if isinstance(found, matroska.Found) else b"")


def _opus(raw: bytes, found: matroska.Found) -> bytes:
    """The waveform of a WebM with nothing but Opus, by as much of each 64th as of other sounds; else b""."""
    total, count = 0, len(found.packets)
    edges, packets = [0], list[bytes]()
    for part in range(WAVEFORM_BYTES):
        first, last = (count * edge // WAVEFORM_BYTES for edge in (part, part + 1))
        stretch = 0
        for start, end in found.packets[first : max(first + 1, last)]:
            if end - start > opus.PACKET_BYTES_MAX or stretch >= HEARD_S * opus.RATE:
                break
            packets.append(raw[start:end])
            stretch += opus.samples(packets[-1])
        total += stretch
        edges.append(total)
    if not total:
        return b""
    try:
        with soundfile.SoundFile(io.BytesIO(opus.wrapped(found.opus, packets))) as opened:
            heard, wide = memoryview(opened.buffer_read(dtype="int16")).cast("h"), opened.channels
    except soundfile.SoundFileError:  # the copy is as whole as the file; there is nothing to show of it
        return b""
    frames = len(heard) // wide  # some fewer than the packets have: a decoder takes a start
    places = [edge * frames // total * wide for edge in edges]
    return loudness([_peak(heard[start:end]) for start, end in pairwise(places)])


def _peak(samples: memoryview) -> int:
    return max(max(samples), -min(samples)) if len(samples) else 0
