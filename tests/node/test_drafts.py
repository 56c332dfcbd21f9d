"""Drafts: what a killed run left is removed by the next one, and nothing else ever is."""

import fcntl
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from node import drafts

LEFT = ".ana-0123456789abcdef.weft-draft"
WRITER = """
import os, sys
from pathlib import Path
from node import drafts
draft = drafts.begin(Path(sys.argv[1]), os.urandom)
draft.out.write(b"x" * 100_000)
draft.out.flush()
print(draft.place.name, flush=True)
sys.stdin.readline()
draft.settle(False)
"""


def begun(file: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that is in the middle of a draft of this file, and the draft."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert writer.stdout is not None
    return writer, file.parent / writer.stdout.readline().strip()


def left(file: Path) -> Path:
    """What a process left that was killed in the middle of a draft."""
    writer, place = begun(file)
    assert place.stat().st_size == 100_000
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    return place


@pytest.mark.process
def test_what_a_killed_run_left_is_removed_by_the_next_one_there(tmp_path: Path) -> None:
    killed = [left(tmp_path / "ana.weft"), left(tmp_path / "another.weft")]
    assert all(place.exists() for place in killed[1:])
    assert not killed[0].exists()  # the second one has removed what the first left
    draft = drafts.begin(tmp_path / "ana.weft", os.urandom)
    assert [*tmp_path.iterdir()] == [draft.place]
    draft.drop()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.process
def test_what_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ana.weft"
    writer, place = begun(file)
    draft = drafts.begin(file, os.urandom)
    assert place.exists()
    draft.drop()
    writer.communicate("\n")
    assert writer.returncode == 0
    assert [*tmp_path.iterdir()] == [file]
    assert file.read_bytes() == b"x" * 100_000


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("somebody's")
    (tmp_path / LEFT).symlink_to("kept")
    (tmp_path / LEFT.replace("0", "1")).mkdir()
    os.mkfifo(tmp_path / LEFT.replace("0", "2"))
    for name in (".ana-0123456789abcdef", ".ana-0123456789abcde.weft-draft", "ana-0123456789abcdef.weft-draft", ".x"):
        (tmp_path / name).write_text("somebody's")
    before = {*tmp_path.iterdir()}
    draft = drafts.begin(tmp_path / "ana.weft", os.urandom)
    draft.drop()
    assert {*tmp_path.iterdir()} == before
    assert (tmp_path / "kept").read_text() == "somebody's"


def test_another_name_is_drawn_where_one_is_taken(tmp_path: Path) -> None:
    drawn = iter([b"1" * 8, b"1" * 8, b"2" * 8])
    first, second = (drafts.begin(tmp_path / "ana", lambda _: next(drawn)) for _ in range(2))
    assert [one.place.name for one in (first, second)] == [f".ana-{n * 8}.weft-draft" for n in ("31", "32")]
    for one in (first, second):
        one.drop()


@pytest.mark.parametrize("name", ["x" * 255, "字" * 85, "é" * 127, os.fsdecode(b"\xff" * 255), "ana\nbo"])
def test_every_name_that_a_file_can_have_has_a_draft(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    draft = drafts.begin(file, os.urandom)
    assert drafts.DRAFT.fullmatch(draft.place.name)
    draft.out.write(b"whole")
    assert draft.settle(replace=False) == 5
    draft.drop()
    assert file.read_bytes() == b"whole"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_of_two_that_want_a_free_name_one_gets_it(tmp_path: Path) -> None:
    file = tmp_path / "ana"
    first, second = drafts.begin(file, os.urandom), drafts.begin(file, os.urandom)
    for number, one in enumerate((first, second)):
        one.out.write(str(number).encode())
    first.settle(replace=False)
    with pytest.raises(FileExistsError):
        second.settle(replace=False)
    for one in (first, second):
        one.drop()
    assert [*tmp_path.iterdir()] == [file]
    assert file.read_bytes() == b"0"


def test_a_lock_is_held_until_the_draft_is_dropped(tmp_path: Path) -> None:
    draft = drafts.begin(tmp_path / "ana", os.urandom)
    with draft.place.open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.drop()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _race(folder: Path, start: object, count: int) -> None:
    start.wait()  # type: ignore[attr-defined]
    for number in range(count):
        draft = drafts.begin(folder / "ana", os.urandom)
        draft.out.write(b"%d" % number)
        draft.settle(replace=True)  # fails where its draft was swept away
        draft.drop()


@pytest.mark.process
def test_many_that_begin_and_sweep_at_once_lose_no_draft(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Event()
    racers = [spawn.Process(target=_race, args=(tmp_path, start, 150)) for _ in range(3)]
    for one in racers:
        one.start()
    start.set()
    for one in racers:
        one.join()
    assert [one.exitcode for one in racers] == [0, 0, 0]
    assert [one.name for one in tmp_path.iterdir()] == ["ana"]
