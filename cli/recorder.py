"""Records a voice note from the microphone, by a program of this system, and makes it small.

The recording lies in a directory that only its owner opens, in memory where the system has such a place, until it was
sealed. The node has no part in it. Not here: sending it (cli/moving.py).
"""

import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli import faults, show
from cli.faults import Failure
from cli.options import Door

LIMIT_S = 15 * 60.0  # without SECONDS: nobody speaks for so long, but a terminal may be forgotten
LIMIT_S_MAX = 3600.0  # 350 MB before it is made small
RATE = 48_000
START_S = 5.0  # without a sample a program has no microphone
END_S = 5.0  # that a program takes to end its file
TICK_S = 0.1
LEVELS = 32  # shown side by side
DROP = "x"
_OTHERWISE = "weft send NAME --voice PATH"
_HEAD_BYTES = 4096  # in which the samples of a WAV file begin
_CODED = {8000, 12_000, 16_000, 24_000, 48_000}  # rates that Opus has
_COMPRESSION = 0.9  # about 30 kbit/s
_WAV = ["-r", str(RATE), "-c", "1"]
PROGRAMS: Mapping[str, tuple[str, ...]] = {  # in this order: what mixes sources before what takes a device
    "pw-record": ("--rate", str(RATE), "--channels", "1", "--format", "s16"),
    "parecord": ("--file-format=wav", f"--rate={RATE}", "--channels=1", "--format=s16le"),
    "arecord": ("-q", "-t", "wav", "-f", "S16_LE", *_WAV),
    "rec": ("-q", *_WAV, "-b", "16"),
    "ffmpeg": ("-nostdin", "-loglevel", "error", "-f", "pulse", "-i", "default", "-ac", "1", "-ar", str(RATE)),
}
_FFMPEG_HERE = {"darwin": ("avfoundation", ":default")}


@dataclass
class Recording:
    """A file that is being written: how many samples are in it, and how loud they were."""

    file: Path
    rate: int = RATE
    channels: int = 1
    count: int = 0
    peak: int = 0
    levels: list[int] = field(default_factory=list)
    _at: int = 0  # up to where it was read; 0 before its samples began
    _start: int = 0

    @property
    def ms(self) -> int:
        """How long it is."""
        return self.count * 1000 // (self.rate * self.channels)

    def look(self) -> None:
        """Takes in what was written since."""
        try:
            with self.file.open("rb") as opened:
                if not self._at and not self._begin(opened.read(_HEAD_BYTES)):
                    return
                opened.seek(self._at)
                raw = opened.read()
        except FileNotFoundError:
            return
        samples = array("h", raw[: len(raw) & ~1])
        if sys.byteorder == "big":
            samples.byteswap()
        if samples:
            self._at += 2 * len(samples)
            self.count += len(samples)
            level = max(max(samples), -min(samples))
            self.peak = max(self.peak, level)
            self.levels = [*self.levels, min(255, level >> 7)][-LEVELS:]

    def seconds(self) -> Iterator[bytes]:
        """The samples, a second at a time."""
        with self.file.open("rb") as opened:
            opened.seek(self._start)
            left = 2 * self.count
            while left and (part := opened.read(min(left, 2 * self.rate * self.channels))):
                left -= len(part)
                yield part

    def _begin(self, head: bytes) -> bool:
        """Finds where the samples begin, and what they are. The lengths that stand there are not true yet."""
        at, bits = 12, 0
        while head[8:12] == b"WAVE" and at + 8 <= len(head):
            name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
            if name == b"fmt ":
                self.channels = max(1, int.from_bytes(head[at + 10 : at + 12], "little"))
                self.rate = max(1, int.from_bytes(head[at + 12 : at + 16], "little"))
                bits = int.from_bytes(head[at + 22 : at + 24], "little")
            if name == b"data":
                if bits == 16:  # else these are no samples that we read, now or later
                    self._at = self._start = at + 8
                return bits == 16
            at += 8 + size + size % 2
        return False


@contextmanager
def recorded(door: Door, limit_s: float) -> Iterator[Path | None]:
    """A voice note, recorded now, in a file that is gone afterwards; None where the person has dropped it.

    Raises: Failure where there is no program, no microphone, or nothing to hear.
    """
    programs = [(name, found) for name in PROGRAMS if (found := shutil.which(name, path=door.environ.get("PATH", "")))]
    if not programs:
        said = "No program here records from a microphone. Install one: pipewire (pw-record), pulseaudio-utils "
        raise Failure("record.none", f"{said}(parecord), alsa-utils (arecord), sox or ffmpeg.", next=_OTHERWISE)
    with tempfile.TemporaryDirectory(prefix="weft-voice-", dir=_place(door.environ)) as folder:
        why = ""
        for name, program in programs:
            recording = Recording(Path(folder, name) / "voice.wav")  # a name that tells nothing
            recording.file.parent.mkdir()
            is_wanted, words = _run(door, name, program, recording, limit_s)
            if recording.count:
                break
            why = f"{name}: {words}" if words else f"{name} gives no sound"
        else:
            said = f"Nothing can be recorded here ({why}). Is there a microphone, and may this terminal use it?"
            raise Failure("record.failed", said, next=_OTHERWISE)
        if is_wanted and not recording.peak:
            said = "The microphone gave nothing but silence, so nothing was sent. Is it switched off?"
            raise Failure("record.silent", said, next=_OTHERWISE)
        yield _small(recording) if is_wanted else None


def command(name: str, program: str, file: Path, platform: str = sys.platform) -> Sequence[str]:
    """What is run to record into a file."""
    options = PROGRAMS[name]
    if name == "ffmpeg" and platform in _FFMPEG_HERE:
        how, device = _FFMPEG_HERE[platform]
        options = tuple({"pulse": how, "default": device}.get(one, one) for one in options)
    return (program, *options, str(file))


def _run(door: Door, name: str, program: str, recording: Recording, limit_s: float) -> tuple[bool, str]:
    """Records until the person, the limit or the program ends it: whether he wants it, and what the program says."""
    errors = recording.file.with_suffix(".err")
    with errors.open("wb") as out, _heeding():
        running = subprocess.Popen(
            command(name, program, recording.file),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=out,
            env={name: value for name, value in door.environ.items() if not name.startswith("WEFT_")},
            start_new_session=True,  # Ctrl-C is for us; the program is ended so that its file is whole
        )
        is_wanted = True
        try:
            is_wanted = _follow(door, name, running, recording, limit_s)
        except KeyboardInterrupt:
            is_wanted = bool(recording.count)  # before the first sound it means what it always does
            if not is_wanted:
                raise
        finally:
            _end(running)
            show.passing(door, "")
    recording.look()
    said = errors.read_text(errors="replace").strip().splitlines()
    return is_wanted, faults.quoted(said[-1]) if said else ""


@contextmanager
def _heeding() -> Iterator[None]:
    """Who closes the terminal, or has this program ended, ends the recording too: else its program would go on."""

    def over(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = (one for one in (signal.SIGHUP, signal.SIGTERM) if signal.getsignal(one) is signal.SIG_DFL)
        before = {number: signal.signal(number, over) for number in numbers}
    try:
        yield
    finally:
        for number, heeded in before.items():
            signal.signal(number, heeded)


def _follow(door: Door, name: str, running: "subprocess.Popen[bytes]", recording: Recording, limit_s: float) -> bool:
    began, told = time.monotonic(), False
    with selectors.DefaultSelector() as selector:
        if door.asks:
            selector.register(sys.stdin, selectors.EVENT_READ)
        while running.poll() is None:
            if door.asks and selector.select(TICK_S):
                return sys.stdin.readline().strip().lower() != DROP
            if not door.asks:
                with suppress(subprocess.TimeoutExpired):
                    running.wait(TICK_S)
            recording.look()
            if recording.ms >= limit_s * 1000 or (not recording.count and time.monotonic() - began > START_S):
                break
            if recording.count and not told:
                told = True
                show.talk(door, f"Recording with {name}, at most {show.length(round(limit_s * 1000))}. {_how(door)}")
            show.passing(door, f"● {show.length(recording.ms)} {show.wave(recording.levels)}")
    return True


def _how(door: Door) -> str:
    return f"Enter or Ctrl-C sends it; {DROP} and Enter drops it." if door.asks else "Ctrl-C ends it, and sends it."


def _end(running: "subprocess.Popen[bytes]") -> None:
    """Ends the program as Ctrl-C does, so that it writes what it has; one that does not heed it is killed."""
    for by in (signal.SIGINT, signal.SIGKILL):
        if running.poll() is None:
            running.send_signal(by)
            with suppress(subprocess.TimeoutExpired):
                running.wait(END_S)


def _small(recording: Recording) -> Path:
    """The recording as Ogg Opus, or FLAC; as it is where this installation can make neither."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # soundfile brings NumPy, which else starts a thread a core
    try:
        import soundfile
    except (ImportError, OSError):  # its library is missing
        return recording.file
    is_opus = "OPUS" in soundfile.available_subtypes("OGG") and recording.rate in _CODED
    form, subtype, ending = ("OGG", "OPUS", "ogg") if is_opus else ("FLAC", "PCM_16", "flac")
    file = recording.file.with_name(f"voice.{ending}")
    shape = {"samplerate": recording.rate, "channels": recording.channels, "format": form, "subtype": subtype}
    more = {"compression_level": _COMPRESSION} if is_opus else {}
    try:
        with soundfile.SoundFile(file, "w", **shape, **more) as made:
            for part in recording.seconds():
                made.buffer_write(part[: len(part) - len(part) % (2 * recording.channels)], "int16")
    except soundfile.SoundFileError:
        return recording.file
    return file


def _place(environ: Mapping[str, str]) -> str | None:
    """Where the recording lies: in memory and of this person alone, where the system has such a place."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return runtime if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK) else None
