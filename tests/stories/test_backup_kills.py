"""Real processes killed in the middle of a backup or a restore: nothing half is taken for whole, nothing is left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crypto import words
from tests import depth
from tests.protocol import backups
from tests.stories.real import LAUNCHER, START_S, RealNode

pytestmark = pytest.mark.process
ROOT = Path(__file__).parents[2]
MESSAGES = 170  # 2.5 MB: three transactions of messages
STAGES_MIN = 30
STRIDE = (7, 6, 1)[depth.LEVEL]  # in the soak every stage
TRIES_MAX = 20
WORDS = words.words_of(backups.SECRET)


def weft(home: Path, *said: str, stdin: str = "") -> tuple[int, Any]:
    """Exit code and JSON of a command in the profile `ana`."""
    ran = subprocess.run(
        [sys.executable, str(LAUNCHER), *said, "--profile", "ana", "--json"],
        env={**os.environ, "WEFT_HOME": str(home), "WEFT_LISTEN": "127.0.0.1"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def restore_until(home: Path, file: Path, stage: int) -> int:
    """Restores the profile `ana` in a process that kills itself at this stage; its exit code, 0 where it ended."""
    said = {"file": str(file), "words": WORDS, "passphrase": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.stories.restore_victim", "ana", str(stage)],
        cwd=ROOT,
        env={**os.environ, "WEFT_HOME": str(home)},
        input=json.dumps(said) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
    return ran.returncode


def require_whole(home: Path) -> None:
    """Returns when all of the backup is in the profile, and its node starts."""
    node = RealNode(home, "ana")
    node.up()
    try:
        (bo,) = node.call("contacts.list")
        assert (bo["state"], bo["verified"]) == ("active", "digits")
        assert len(node.call("chat.history", to="bo", limit=1000)) == MESSAGES
    finally:
        node.kill()


def test_a_restore_that_is_killed_at_any_stage_leaves_all_or_nothing_and_says_so(tmp_path: Path) -> None:
    file, home = tmp_path / "ana.weft", tmp_path / "home"
    file.write_bytes(backups.file_of(backups.whole([f"{n} ".ljust(15_000, "x") for n in range(MESSAGES)])))
    stage, is_whole = 0, False
    while not is_whole:  # each one over what the one before it left
        killed = restore_until(home, file, stage) != 0
        is_whole = (home / "ana" / "vault").exists() and not (home / "ana" / "unfinished").exists()
        assert killed or is_whole
        if (home / "ana" / "unfinished").exists():
            code, told = weft(home, "up", "-d")
            assert (code, told["error"]["code"]) == (3, "profile.empty")
            assert told["error"]["message"].startswith("A restore was begun here and was interrupted")
            assert told["error"]["next"] == "weft --profile ana backup restore FILE"
        stage += STRIDE
    assert stage >= STAGES_MIN
    require_whole(home)
    code, told = weft(home, "backup", "restore", "--words-file", "-", str(file), stdin=WORDS)
    assert (code, told["error"]["code"]) == (1, "profile.exists")


def test_who_is_told_that_a_restore_was_interrupted_does_it_again(tmp_path: Path) -> None:
    file, home = tmp_path / "ana.weft", tmp_path / "home"
    file.write_bytes(backups.file_of(backups.whole([f"{n} ".ljust(15_000, "x") for n in range(MESSAGES)])))
    assert restore_until(home, file, STAGES_MIN // 2) == -signal.SIGKILL
    assert (home / "ana" / "weft.db").exists()
    code, told = weft(home, "backup", "restore", "--words-file", "-", str(file), stdin=WORDS)
    assert (code, told["messages"]) == (0, MESSAGES)
    require_whole(home)


def test_a_node_that_is_killed_in_the_middle_of_a_backup_leaves_what_the_next_one_removes(tmp_path: Path) -> None:
    file, home, stick = tmp_path / "before.weft", tmp_path / "home", tmp_path / "stick"
    stick.mkdir()
    file.write_bytes(backups.file_of(backups.whole([f"{n} ".ljust(15_000, "x") for n in range(MESSAGES)])))
    assert weft(home, "backup", "restore", "--words-file", "-", str(file), stdin=WORDS)[0] == 0
    node = RealNode(home, "ana")
    try:
        left = next(found for number in range(TRIES_MAX) if (found := _killed_while_it_writes(node, stick, number)))
        assert [one.name for one in left] == [one.name for one in stick.iterdir() if one.name.startswith(".")]
        node.up()
        assert weft(home, "backup", "create", str(stick / "whole.weft"))[0] == 0
        assert not any(one.name.startswith(".") for one in stick.iterdir())
        assert weft(home, "backup", "verify", str(stick / "whole.weft"))[1]["messages"] == MESSAGES
    finally:
        if node.program is not None:
            node.kill()


def test_a_backup_of_a_stopped_node_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    file, home, stick = tmp_path / "before.weft", tmp_path / "home", tmp_path / "stick"
    stick.mkdir()
    file.write_bytes(backups.file_of(backups.whole([f"{n} ".ljust(15_000, "x") for n in range(MESSAGES)])))
    assert weft(home, "backup", "restore", "--words-file", "-", str(file), stdin=WORDS)[0] == 0
    codes = {_given_up_while_it_writes(home, stick, number) for number in range(TRIES_MAX // 4)}
    assert 130 in codes
    assert codes <= {0, 130}
    assert not any(one.name.startswith(".") for one in stick.iterdir())


def _given_up_while_it_writes(home: Path, stick: Path, number: int) -> int:
    """The exit code of a backup that was asked to end as soon as there was a draft; 0 where it was faster."""
    program = subprocess.Popen(
        [sys.executable, str(LAUNCHER), "_node", "backup", "--profile", "ana"],
        env={**os.environ, "WEFT_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert program.stdin is not None
    program.stdin.write(json.dumps({"passphrase": "", "file": str(stick / f"{number}.weft")}).encode() + b"\n")
    program.stdin.close()
    while program.poll() is None and not any(stick.glob(".*")):
        pass  # as above
    program.terminate()
    return program.wait(START_S)


def _killed_while_it_writes(node: RealNode, stick: Path, number: int) -> list[Path]:
    """What is left of a backup whose node was killed as soon as there was a draft; nothing where it was faster."""
    node.up()
    asked = subprocess.Popen(
        [sys.executable, str(LAUNCHER), "backup", "create", str(stick / f"{number}.weft"), "--profile", "ana", "-q"],
        env={**os.environ, "WEFT_HOME": str(node.home)},
        stderr=subprocess.DEVNULL,
    )
    while asked.poll() is None and not any(stick.glob(".*")):
        pass  # the moment in which it appears is what is waited for
    node.kill()
    asked.wait(START_S)
    return [*stick.glob(".*")]
