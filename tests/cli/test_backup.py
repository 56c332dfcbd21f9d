"""backup create, verify, restore: what is asked of the node or of its program, which is a small script of the test."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli import start
from tests.cli import fake

PROGRAM = """
import json, os, sys
verb, _, name = sys.argv[2:5]
said = json.loads(sys.stdin.readline())
with open(os.environ["HEARD"], "w") as file:
    json.dump({"verb": verb, "said": said}, file)
if said.get("words") == "wrong":
    error = {"code": "backup.words", "message": "It does not open.", "next": "", "exit": 4, "data": {}}
    print(json.dumps({"error": error}))
    sys.exit(4)
print(json.dumps(ANSWER | {"file": said["file"]}))
"""


def _world(tmp_path: Path) -> fake.World:
    world = fake.stopped(tmp_path)
    (tmp_path / "node.py").write_text(PROGRAM.replace("ANSWER", repr(fake.BACKUP)))
    environ = {**world.door.environ, "HEARD": str(tmp_path / "heard")}
    world.door = replace(world.door, environ=environ, launcher=(sys.executable, str(tmp_path / "node.py")))
    return world


def _heard(tmp_path: Path) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads((tmp_path / "heard").read_text())
    return heard


def _words_file(tmp_path: Path, text: str = fake.WORDS) -> str:
    file = tmp_path / "words"
    file.write_text(text.replace(" ", "\n", 5))
    return str(file)


async def test_a_running_node_writes_the_backup(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        file = Path.cwd() / "ana.weft"
        ran = await world.weft("backup", "create", "ana.weft")
        assert (ran.code, ran.out) == (0, f"✔ Backup written: {file} (1 contact, 12 messages, 1.2 MB)\n")
        assert "Only your 24 words open it: weft backup words" in ran.err
        ran = await world.weft("backup", "create", "ana.weft")
        assert (ran.code, "weft backup create --force" in ran.err) == (1, True)
        ran = await world.weft("backup", "create", "ana.weft", "--force", "--json")
        assert ran.json == {**fake.BACKUP, "file": str(file)}


def test_without_an_identity_there_is_nothing_to_keep(tmp_path: Path) -> None:
    ran = fake.stopped(tmp_path).weft_now("backup", "create", "x", "-q")
    assert (ran.code, ran.err) == (3, "No identity here yet. Make one: weft init\n")


@pytest.mark.process
def test_of_a_stopped_node_its_program_writes_it(tmp_path: Path) -> None:
    world = _world(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now("backup", "create", "/x/ana.weft", "--force")
    assert (ran.code, "1 contact, 12 messages" in ran.out) == (0, True)
    said = {"file": "/x/ana.weft", "replace": "yes", "passphrase": ""}
    assert _heard(tmp_path) == {"verb": "backup", "said": said}


@pytest.mark.process
def test_a_locked_profile_says_how_to_open_it(tmp_path: Path) -> None:
    world = _world(tmp_path)
    fake.make_identity(world)
    (world.directory / "key").unlink()
    for verb in ("create", "verify"):
        ran = world.weft_now("backup", verb, "x")
        assert ran.code == 4
        assert f"Give it: WEFT_PASSPHRASE_FILE=FILE weft backup {verb} FILE" in ran.err
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    ran = world.weft_now("backup", "verify", "x", environ={"WEFT_PASSPHRASE_FILE": str(secret)})
    assert (ran.code, _heard(tmp_path)["said"]["passphrase"]) == (0, "correct horse")


@pytest.mark.process
@pytest.mark.parametrize("given", ["file", "stdin"])
def test_verify_takes_the_words_that_are_given_and_makes_no_profile(tmp_path: Path, given: str) -> None:
    world = _world(tmp_path)
    file, typed = ("-", fake.WORDS) if given == "stdin" else (_words_file(tmp_path), "")
    ran = world.weft_now("backup", "verify", "x", "--words-file", file, stdin=typed)
    assert ran.code == 0
    assert ran.out.startswith("✔ Whole: Ana (wf1qq…f3), made 1970-01-01")
    assert ran.out.endswith("1 contact, 12 messages\n")
    assert _heard(tmp_path) == {"verb": "verify", "said": {"file": os.path.abspath("x"), "words": fake.WORDS}}
    assert not world.directory.exists()


@pytest.mark.process
def test_two_at_once_and_one_that_fails_leave_no_empty_log(tmp_path: Path) -> None:
    world = _world(tmp_path)
    fake.make_identity(world)
    log = world.directory / "log"
    log.mkdir()
    assert world.weft_now("backup", "verify", "x", "--words-file", _words_file(tmp_path, "wrong")).code == 4
    assert [*log.iterdir()] == []
    with start.quiet_log(world.door, "backup.log") as first, start.quiet_log(world.door, "backup.log") as second:
        assert first == second == log / "backup.log"
    assert [*log.iterdir()] == []


@pytest.mark.process
def test_words_that_do_not_open_it_are_code_4(tmp_path: Path) -> None:
    world = _world(tmp_path)
    ran = world.weft_now("backup", "verify", "x", "--words-file", _words_file(tmp_path, "wrong"), "--json")
    assert (ran.code, ran.json["error"]["code"]) == (4, "backup.words")


@pytest.mark.process
async def test_verify_takes_the_words_of_the_node_that_runs(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        made = _world(tmp_path)
        world.door = replace(world.door, environ=made.door.environ, launcher=made.door.launcher)
        assert (await world.weft("backup", "verify", "x")).code == 0
        assert _heard(tmp_path)["said"]["words"] == fake.WORDS


@pytest.mark.parametrize("verb", ["verify", "restore"])
def test_without_words_and_without_anybody_to_ask_nothing_happens(tmp_path: Path, verb: str) -> None:
    world = fake.stopped(tmp_path)
    ran = world.weft_now("backup", verb, "x", "-q")
    assert (ran.code, f"Give them: weft backup {verb} --words-file" in ran.err) == (4, True)
    ran = world.weft_now("backup", verb, "x", "--words-file", str(tmp_path / "none"), "-q")
    assert (ran.code, "No such file" in ran.err) == (4, True)
    (tmp_path / "noise").write_bytes(b"\xff\xfe")
    ran = world.weft_now("backup", verb, "x", "--words-file", str(tmp_path / "noise"), "-q")
    assert (ran.code, "not text in UTF-8" in ran.err) == (4, True)
    ran = world.weft_now("backup", verb, "x", "--words-file", "-", "-q", stdin=b"\xff\xfe")
    assert (ran.code, "stdin cannot be read (it is not text in UTF-8)" in ran.err) == (4, True)
    assert not world.directory.exists()


@pytest.mark.process
def test_restore_hands_words_and_passphrase_over_on_stdin(tmp_path: Path) -> None:
    world = _world(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    words = ("backup", "restore", "/x/ana.weft", "--words-file", _words_file(tmp_path))
    ran = world.weft_now(*words, environ={"WEFT_PASSPHRASE_FILE": str(secret)})
    assert (ran.code, ran.out.startswith("✔ Restored: Ana (wf1qq…f3) as of 1970-01-01")) == (0, True)
    assert "Your contacts will accept this device alone" in ran.err
    said = {"file": "/x/ana.weft", "words": fake.WORDS, "passphrase": "correct horse"}
    assert _heard(tmp_path) == {"verb": "restore", "said": said}


def test_restore_never_touches_a_profile_that_is_there(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now("backup", "restore", "x", "-q")
    assert (ran.code, "weft --profile NAME backup restore FILE" in ran.err) == (1, True)
