"""The workshop's real program, and programs that are owned by their file: a sentence, and nothing left behind."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import trio
from PIL import Image

from node.workshop.faults import Broken, CannotOpen, Ended, Strange, TooMuch
from node.workshop.workshop import Workshop, launcher
from protocol import record
from protocol.faults import UserFault
from protocol.workshop import Avatar, Failed, Format, Heard, Moving, Pictured, Why
from tests.node.workshop import made
from tests.sources import ROOT

pytestmark = pytest.mark.process

SHOP = Workshop()
SAMPLES = ROOT / "tests" / "samples"
HEARD = record.encode(Heard(Format.WAV, 7, bytes(64)))


def owned(script: str, wall_s: float = 30.0) -> Workshop:
    """A workshop whose program is this one."""
    return Workshop((sys.executable, "-c", script), wall_s)


def answering(raw: bytes, code: int = 0) -> Workshop:
    return owned(f"import os; os.write(1, {raw!r}); os._exit({code})")


async def ended(shop: Workshop, path: Path, verb: str = "picture") -> UserFault:
    """The fault with which this file ends; there is no copy then."""
    clean = path.with_name("clean")
    with pytest.raises(UserFault) as fault:
        await getattr(shop, verb)(path, clean)
    assert clean.name not in [one.name for one in path.parent.iterdir()]
    return fault.value


def children() -> set[int]:
    """The processes that this one has started and not buried."""
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture(autouse=True)
def _leaves_nobody_behind() -> Iterator[None]:
    others = children()  # that tests before these have left
    yield
    assert children() <= others


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  the other side is a process
        await trio.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether it runs no more; somebody else than we may have to bury it."""
    try:
        return str(psutil.Process(pid).status()) == "zombie"
    except psutil.NoSuchProcess:
        return True


# --- what it is for -------------------------------------------------------------------------------------------------


async def test_a_preview_has_as_many_bytes_as_may_be_and_a_program_that_gives_more_is_not_believed(
    tmp_path: Path,
) -> None:
    path, clean = made.written(tmp_path, "a.jpg", made.jpeg()), tmp_path / "clean"
    whole = await SHOP.picture(path, clean)
    clean.unlink()
    less = len(whole.preview) - 1
    small = await SHOP.picture(path, clean, less)
    assert len(small.preview) <= less
    assert small.blurhash == whole.blurhash
    clean.unlink()
    with pytest.raises(Ended):
        await answering(record.encode(whole)).picture(path, clean, less)
    assert not clean.exists()
    bare = replace(whole, preview=b"")
    assert await answering(record.encode(bare)).picture(path, clean, 12) == bare


async def test_a_picture_a_sound_and_a_film_come_out_clean(tmp_path: Path) -> None:
    picture = await SHOP.picture(made.written(tmp_path, "a", made.jpeg(6)), tmp_path / "a.clean")
    sound = await SHOP.sound(made.written(tmp_path, "b", made.sound("OGG", "OPUS")), tmp_path / "b.clean")
    film = await SHOP.moving(made.written(tmp_path, "c", made.film(brand=b"qt  ")), tmp_path / "c.clean")
    face = await SHOP.avatar(tmp_path / "a")
    stamp = await SHOP.sticker(tmp_path / "a")
    assert isinstance(picture, Pictured)
    assert (picture.width, picture.height) == (40, 60)
    assert (sound.format.mime, sound.length_ms) == ("audio/ogg", 2000)
    assert film == Moving(Format.MOV, 5000, 640, 360)
    assert Image.open(io.BytesIO(face)).size == (256, 256)
    assert Image.open(io.BytesIO(stamp)).size == (40, 60)
    for name in "abc":
        clean = tmp_path / f"{name}.clean"
        assert made.SECRET not in clean.read_bytes()
        assert clean.stat().st_mode & 0o777 == 0o600


async def test_a_film_in_webm_comes_out_clean(tmp_path: Path) -> None:
    film = await SHOP.moving(SAMPLES / "films" / "vp8-opus.webm", tmp_path / "clean")
    sound = await SHOP.sound(SAMPLES / "films" / "sound.weba", tmp_path / "other")
    assert film == Moving(Format.WEBM, 1208, 64, 48)
    assert (sound.format, sound.length_ms, max(sound.waveform)) == (Format.WEBA, 1208, 255)
    assert b"Secret" not in (tmp_path / "clean").read_bytes() + (tmp_path / "other").read_bytes()


async def test_a_file_that_grows_meanwhile_is_taken_as_it_was(tmp_path: Path) -> None:
    path = made.written(tmp_path, "grows", made.jpeg())
    stop = threading.Event()

    def grow() -> None:
        with open(path, "ab", buffering=0) as opened:
            while not stop.is_set() and opened.tell() < 8 << 20:
                opened.write(made.SECRET * 99)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        await SHOP.picture(path, tmp_path / "clean")
    finally:
        stop.set()
        writer.join()
    assert made.SECRET not in (tmp_path / "clean").read_bytes()


async def test_what_stands_at_the_copys_place_is_not_written_over(tmp_path: Path) -> None:
    there = made.written(tmp_path, "clean", b"mine")
    with pytest.raises(CannotOpen):
        await SHOP.picture(made.written(tmp_path, "a", made.jpeg()), there)
    assert there.read_bytes() == b"mine"


# --- what is no file ------------------------------------------------------------------------------------------------


async def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "to the pipe").symlink_to("pipe")
    with trio.fail_after(20):
        for name in ("pipe", "round", "to the pipe", "nothing", ".", "a\0b", "x" * 300):
            assert isinstance(await ended(SHOP, tmp_path / name if name != "." else tmp_path), CannotOpen)
        assert isinstance(await ended(SHOP, tmp_path / "pipe", "sound"), CannotOpen)
        assert isinstance(await ended(SHOP, tmp_path / "pipe", "moving"), CannotOpen)


async def test_a_link_to_a_picture_is_that_picture(tmp_path: Path) -> None:
    made.written(tmp_path, "a", made.png())
    (tmp_path / "link").symlink_to("a")
    assert (await SHOP.picture(tmp_path / "link", tmp_path / "clean")).format == Format.PNG


# --- hostile files --------------------------------------------------------------------------------------------------


async def test_garbage_with_any_beginning_ends_with_a_sentence(tmp_path: Path) -> None:
    starts = b"\xff\xd8\xff\xe0", made.PNG_HEAD, b"GIF89a", b"RIFF\x00\x01\x00\x00WEBP", b"OggS", b"fLaC", b"\xff\xfb"
    for start in starts:
        raw = start + made.SECRET * 200
        verb = "picture" if start in starts[:4] else "sound"
        assert isinstance(await ended(SHOP, made.written(tmp_path, "it.jpg", raw), verb), Broken | Strange)
    for verb in ("picture", "sound", "moving"):
        assert isinstance(await ended(SHOP, made.written(tmp_path, "text.gif", made.SECRET * 99), verb), Strange)


async def test_case_27_a_png_that_announces_a_wall_is_too_much(tmp_path: Path) -> None:
    assert isinstance(await ended(SHOP, made.written(tmp_path, "x", made.png_announcing(60_000, 60_000))), TooMuch)


async def test_case_27_a_bomb_inside_a_small_picture_is_not_unpacked(tmp_path: Path) -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join([packer.compress(bytes(1 << 20)) for _ in range(64)]) + packer.flush()
    small = made.png_announcing(10, 10, bomb)
    said = await SHOP.picture(made.written(tmp_path, "x", small), tmp_path / "clean")
    assert (said.width, said.height) == (10, 10)


async def test_a_picture_that_needs_more_memory_than_there_is_ends_by_the_limit(tmp_path: Path) -> None:
    wall = Image.new("RGBA", (8000, 8000), (9, 200, 30, 5))
    raw = made.encoded(wall, "WEBP", lossless=True, quality=0, method=0, exif=made.exif(6))
    del wall
    fault = await ended(SHOP, made.written(tmp_path, "wall.webp", raw))
    assert isinstance(fault, TooMuch)
    assert str(fault) == "This file needs more memory than weft gives it; it can still travel as a file."


async def test_a_gif_of_a_million_frames_is_looked_at_once(tmp_path: Path) -> None:
    frame = b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
    raw = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frame * 1_000_000 + b";"
    said = await SHOP.picture(made.written(tmp_path, "x", raw), tmp_path / "clean")
    assert (said.format, said.width) == (Format.GIF, 1)


async def test_a_file_of_more_bytes_than_a_picture_has_is_too_much(tmp_path: Path) -> None:
    path = tmp_path / "hollow.jpg"
    path.touch()
    os.truncate(path, 65 << 20)
    assert isinstance(await ended(SHOP, path), TooMuch)


# --- a program that is owned by its file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage",
        HEARD + b"\x00",
        HEARD[:-1],
        record.encode(Avatar(made.webp())),
        record.encode(Heard(Format.PNG, 7, b"")),
        record.encode(Heard(Format.WAV, 7, bytes(63))),
        bytes(300),
        bytes(100_000),
    ],
)
async def test_an_answer_that_is_none_ends_with_a_sentence(raw: bytes, tmp_path: Path) -> None:
    assert isinstance(await ended(answering(raw), made.written(tmp_path, "x", b"x"), "sound"), Ended)


async def test_a_good_answer_counts_only_from_a_program_that_ended_well(tmp_path: Path) -> None:
    path = made.written(tmp_path, "x", b"x")
    assert (await answering(HEARD).sound(path, tmp_path / "clean")).length_ms == 7
    (tmp_path / "clean").unlink()
    assert isinstance(await ended(answering(HEARD, code=1), path, "sound"), Ended)
    assert isinstance(await ended(answering(record.encode(Failed(Why.BROKEN))), path, "sound"), Broken)


async def test_a_program_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    endless = owned("import os\nwhile True: os.write(1, bytes(4096))")
    assert isinstance(await ended(endless, made.written(tmp_path, "x", b"x")), Ended)


@pytest.mark.parametrize(
    ("number", "fault"), [(signal.SIGKILL, Ended), (signal.SIGSEGV, Ended), (signal.SIGXCPU, TooMuch)]
)
async def test_a_program_that_is_killed_ends_with_a_sentence(
    number: signal.Signals, fault: type[UserFault], tmp_path: Path
) -> None:
    dies = owned(f"import os; os.kill(os.getpid(), {int(number)})")
    assert isinstance(await ended(dies, made.written(tmp_path, "x", b"x")), fault)


async def test_a_program_that_hangs_is_ended_in_its_time_with_all_that_it_started(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = f"import os, time\nif not os.fork(): open({str(begun)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    fault = await ended(owned(script, wall_s=1.5), made.written(tmp_path, "x", b"x"))
    assert isinstance(fault, TooMuch)
    assert "longer" in str(fault)
    with trio.fail_after(10):
        await until(lambda: is_gone(int(begun.read_text())))


async def test_a_program_that_cannot_be_started_ends_with_a_sentence(tmp_path: Path) -> None:
    nowhere = Workshop((str(tmp_path / "python"),))
    assert isinstance(await ended(nowhere, made.written(tmp_path, "x", b"x")), Ended)


async def test_cancelling_leaves_no_program_and_no_copy(tmp_path: Path) -> None:
    path, clean, others = made.written(tmp_path, "x", b"x"), tmp_path / "clean", children()
    hangs = owned("import os, sys, time\nos.write(int(sys.argv[3]), b'x')\ntime.sleep(600)")
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangs.picture, path, clean)
            await until(lambda: clean.exists() and clean.stat().st_size > 0)
            assert len(children()) == 1 + len(others)
            nursery.cancel_scope.cancel()
    assert not clean.exists()


async def test_the_program_gets_its_files_and_next_to_no_environment(tmp_path: Path) -> None:
    script = f"""
import json, os, sys
clean = int(sys.argv[3])
def there(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
os.write(clean, json.dumps([sorted(os.environ), [n for n in range(3, 256) if there(n) and n != clean]]).encode())
os.write(1, {HEARD!r})
"""
    secret = os.open(tmp_path / "a secret", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    await owned(script).sound(made.written(tmp_path, "x", b"x"), tmp_path / "clean")
    os.close(secret)
    names, descriptors = json.loads((tmp_path / "clean").read_bytes())
    assert set(names) <= {"LC_ALL", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"}
    assert descriptors == []


def test_the_limits_hold(tmp_path: Path) -> None:
    script = f"""
import os, resource, socket, sys
sys.path.insert(0, {str(ROOT)!r})
from node.workshop import bounds
bounds.enter(1000)
bounds.close(3)
try:
    bytearray(bounds.MEMORY_BYTES_MAX)
    sys.exit("memory")
except MemoryError:
    pass
for opening in (lambda: open("/etc/passwd"), socket.socket, lambda: os.pipe()):
    try:
        opening()
        sys.exit("opened")
    except OSError:
        pass
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_CPU) == (bounds.CPU_S, bounds.CPU_S)
assert resource.getrlimit(resource.RLIMIT_FSIZE) == (1000, 1000)
print("held", end="")
"""

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("held", "")


def test_the_program_is_found_in_a_checkout() -> None:
    assert launcher() == (sys.executable, str(ROOT / "weft.py"))
