"""send --record: voice messages from programs that record: real processes here, without a microphone."""

import io
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
import soundfile

from cli import recorder
from cli.recorder import Recording
from tests.cli import fake
from tests.cli.test_escapes import steering
from tests.cli.test_terminal import _program, _terminal

pytestmark = pytest.mark.process

# Writes a tone into the file that is named last, ten times as fast as it would sound, until SIGINT.
SOUNDS = """
import array, math, os, signal, struct, sys, time
open(os.path.join(os.path.dirname(sys.argv[0]), "started"), "a").write(" ".join(sys.argv[1:]) + "\\n")
assert not [name for name in os.environ if name.startswith("WEFT_")]
over = []
signal.signal(signal.SIGINT, lambda *_: over.append(1))
tone = array.array("h", [int(LOUD * math.sin(n / 20)) for n in range(4800)]).tobytes()
out = open(sys.argv[-1], "wb", buffering=0)
head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16)
out.write(head + b"LIST" + struct.pack("<I", 8) + b"INFOdata" + b"data" + struct.pack("<I", 0xFFFFFFFF))
while not over and out.tell() < 20_000_000:  # whatever becomes of a test, it ends
    out.write(tone)
    time.sleep(0.01)
"""
FAILS = 'import sys; sys.stderr.write("\\x1b[31mno default source\\n"); sys.exit(1)'
WAITS = "import time; time.sleep(600)"


def put(tmp_path: Path, name: str, script: str, loud: int = 9000) -> Path:
    """A program on the path of the person."""
    folder = tmp_path / "programs"
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{script.replace('LOUD', str(loud))}")
    program.chmod(0o755)
    return folder


def at(world: fake.World, tmp_path: Path) -> None:
    """Only those programs are there."""
    (tmp_path / "run").mkdir(exist_ok=True)
    world.door.environ = {
        **world.door.environ,
        "PATH": str(tmp_path / "programs"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }


async def test_what_is_recorded_until_the_limit_is_sent_small_and_nothing_is_left(tmp_path: Path) -> None:
    folder = put(tmp_path, "arecord", SOUNDS)
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        ran = await world.weft("send", "bo", "--record", "2s")
        assert (ran.code, ran.out) == (0, "• [file] voice.ogg (4.0 MB) for Bo   (id …00000F01)\n")
        assert ran.err == "Recording with arecord, at most 0:02. Ctrl-C ends it, and sends it.\n"
        ((_, to, path, shape),) = world.media.asked
        assert (to, shape, Path(str(path)).name) == ("Bo", "voice", "voice.ogg")
        assert Path(str(path)).is_relative_to(tmp_path / "run")
        assert list((tmp_path / "run").iterdir()) == []
        sound = soundfile.info(io.BytesIO(world.media.sealed[0]))
        assert (sound.format, sound.subtype, sound.samplerate, sound.channels) == ("OGG", "OPUS", 48_000, 1)
        assert 2 <= sound.duration < 30
        assert len(world.media.sealed[0]) < sound.duration * 8000
        words = (folder / "started").read_text().split()
        assert words[:-1] == ["-q", "-t", "wav", "-f", "S16_LE", "-r", "48000", "-c", "1"]
        assert (await world.weft("send", "bo", "--record", "1", "--json")).json["files"][0]["name"] == "voice.ogg"


async def test_a_program_without_a_microphone_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "pw-record", FAILS)
    folder = put(tmp_path, "rec", SOUNDS)
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        ran = await world.weft("send", "bo", "--record", "1s")
        assert (ran.code, "Recording with rec," in ran.err, len(world.media.asked)) == (0, True, 1)
        assert (folder / "started").read_text().startswith("-q -r 48000 -c 1 -b 16 /")


async def test_where_nothing_records_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        ran = await world.weft("send", "bo", "--record")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            "No program here records from a microphone. Install one: pipewire (pw-record), pulseaudio-utils "
            "(parecord), alsa-utils (arecord), sox or ffmpeg. Next: weft send NAME --voice PATH\n"
        )
        assert (await world.weft("send", "bo", "--record", "--json")).json["error"]["code"] == "record.none"
        put(tmp_path, "parecord", FAILS)
        ran = await world.weft("send", "bo", "--record")
        assert ran.err.startswith("Nothing can be recorded here (parecord:  [31mno default source). Is there a micro")
        assert (ran.code, steering(ran.err)) == (1, [])
        put(tmp_path, "arecord", SOUNDS, loud=0)
        ran = await world.weft("send", "bo", "--record", "1", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (1, "record.silent")
        assert world.media.asked == []
        assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.depth
async def test_a_program_that_gives_nothing_or_does_not_end_is_ended(tmp_path: Path) -> None:
    put(tmp_path, "parecord", WAITS)
    put(tmp_path, "arecord", SOUNDS.replace("over.append(1)", "None"))
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        ran = await world.weft("send", "bo", "--record", "1s")
        assert (ran.code, len(world.media.asked)) == (0, 1)


async def test_nobody_speaks_in_vain(tmp_path: Path) -> None:
    folder = put(tmp_path, "arecord", SOUNDS)
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        ran = await world.weft("send", "eve", "--record")
        assert (ran.code, "No contact is called eve" in ran.err) == (5, True)
        for words in (
            ("hi", "10"),
            ("--file", "x"),
            ("--lines",),
            ("--reply", "ABCD"),
            ("--preview",),
            ("10", "--wait", "read"),
            ("--as-is",),
        ):
            ran = await world.weft("send", "bo", "--record", *words)
            assert (ran.code, "A recording goes alone" in ran.err) == (2, True), words
        for limit in ("0", "0.5", "2h", "soon"):
            assert (await world.weft("send", "bo", "--record", limit)).code == 2
        assert not (folder / "started").exists()
        world.serving.cancel()
    stopped = fake.stopped(tmp_path)
    at(stopped, tmp_path)
    assert (stopped.weft_now("send", "bo", "--record").code, (folder / "started").exists()) == (3, False)


@pytest.mark.parametrize(("typed", "sent"), [("\n", 1), ("x\n", 0), ("^C", 1)])
async def test_at_a_terminal_one_sees_it_and_says_when_it_is_enough(tmp_path: Path, typed: str, sent: int) -> None:
    put(tmp_path, "arecord", SOUNDS)
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        async with _terminal(world, _program(tmp_path), "send", "bo", "--record") as terminal:
            await terminal.until("at most 15:00. Enter or Ctrl-C sends it; x and Enter drops it.")
            await terminal.until("● 0:0")
            await terminal.until("▃")
            if typed == "^C":
                terminal.program.send_signal(signal.SIGINT)
            else:
                terminal.type(typed)
            await terminal.until("voice.ogg" if sent else "It was dropped; nothing was sent.")
            assert await terminal.ended() == 0
        assert len(world.media.asked) == sent
        assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("by", [signal.SIGHUP, signal.SIGTERM])
async def test_who_closes_the_terminal_is_listened_to_no_more(tmp_path: Path, by: signal.Signals) -> None:
    note = 'open(os.path.join(os.path.dirname(sys.argv[0]), "number"), "w").write(str(os.getpid()))\nover = []\n'
    folder = put(tmp_path, "arecord", SOUNDS.replace("over = []\n", note))
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        async with _terminal(world, _program(tmp_path), "send", "bo", "--record") as terminal:
            await terminal.until("▃")
            number = int((folder / "number").read_text())
            terminal.program.send_signal(by)
            code = await terminal.ended()
        with pytest.raises(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        assert (code, world.media.asked) == (128 + by, [])
        assert list((tmp_path / "run").iterdir()) == []


async def test_while_it_lasts_nobody_else_opens_it(tmp_path: Path) -> None:
    put(tmp_path, "arecord", SOUNDS)
    async with fake.node(tmp_path, "Bo") as world:
        at(world, tmp_path)
        async with _terminal(world, _program(tmp_path), "send", "bo", "--record") as terminal:
            await terminal.until("● 0:0")
            (folder,) = (tmp_path / "run").iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            terminal.type("x\n")
            assert await terminal.ended() == 0


def test_a_head_that_is_not_whole_or_of_another_kind_has_no_samples(tmp_path: Path) -> None:
    fmt = b"fmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0"
    head = b"RIFF\0\0\0\0WAVE" + fmt + b"data\0\0\0\0"
    for raw in (b"", head[:-1], b"RIFX" * 9, head.replace(b"\x04\0\x10\0", b"\x04\0\x18\0") + bytes(99)):
        (tmp_path / "a.wav").write_bytes(raw)
        recording = Recording(tmp_path / "a.wav")
        for _ in range(2):
            recording.look()
        assert recording.count == 0
    (tmp_path / "a.wav").write_bytes(head + b"\x01\0\xff\x7f\x05")
    recording.look()
    assert (recording.count, recording.channels, recording.rate, recording.peak) == (2, 2, 48_000, 32_767)
    (tmp_path / "a.wav").write_bytes(head + b"\x01\0\xff\x7f\x05\0\x00\x80")
    recording.look()
    assert (recording.count, recording.peak, recording.levels) == (4, 32_768, [255, 255])
    assert b"".join(recording.seconds()) == b"\x01\0\xff\x7f\x05\0\x00\x80"
    Recording(tmp_path / "none.wav").look()


def test_every_program_writes_into_the_file_that_is_named_last() -> None:
    for name in recorder.PROGRAMS:
        words = recorder.command(name, f"/usr/bin/{name}", Path("/run/a.wav"), "linux")
        assert (words[0], words[-1]) == (f"/usr/bin/{name}", "/run/a.wav")
    assert "avfoundation" in recorder.command("ffmpeg", "ffmpeg", Path("a.wav"), "darwin")
    assert ":default" in recorder.command("ffmpeg", "ffmpeg", Path("a.wav"), "darwin")
