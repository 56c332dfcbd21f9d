"""weft doctor: what is found by a node, or by its program where no node answers, as a person and a script see it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.version import VERSION
from tests.cli import fake

PROGRAM = """
import json, os, sys
said = json.loads(sys.stdin.readline())
with open(os.path.join(os.environ["WEFT_HOME"], "doctor.said"), "w") as file:
    json.dump([sys.argv[2:], said], file)
if said["passphrase"] == "crash":
    sys.exit("it broke")
row = {"name": "vault", "level": "unknown", "sentence": "Locked.", "next": "weft doctor"}
print(json.dumps({"findings": [row], "ok": True}))
"""
WELL = {"name": "disk", "level": "ok", "sentence": "14 GB free.", "next": ""}
ODD = {"name": "contact Bo", "level": "warning", "sentence": "Away.", "next": "weft status Bo"}
SICK = {"name": "files", "level": "failure", "sentence": "key is open to others.", "next": "chmod 600 '/a b/key'"}


def _stopped(tmp_path: Path) -> fake.World:
    world = fake.stopped(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "node.py").write_text(PROGRAM)
    world.door = replace(world.door, launcher=(sys.executable, str(tmp_path / "node.py")))
    return world


async def test_a_finding_is_a_line_with_its_mark_and_what_to_type(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.node.findings = [WELL, ODD, SICK]
        ran = await world.weft("doctor")
        assert ran.code == 1
        assert ran.out.splitlines() == [
            "✔ disk        14 GB free.",
            "! contact Bo  Away.",
            "              → weft status Bo",
            "✖ files       key is open to others.",
            "              → chmod 600 '/a b/key'",
        ]
        assert ran.err == "✖ 1 to mend, 1 to look at.\n"
        ran = await world.weft("doctor", "-q")
        assert (ran.code, ran.err, len(ran.out.splitlines())) == (1, "", 5)


async def test_a_person_is_shown_the_short_sentence_and_a_script_the_whole(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.node.findings = [{**WELL, "short": "14 GB."}, {**ODD, "short": ""}]
        assert [line[14:] for line in (await world.weft("doctor")).out.splitlines()[:2]] == ["14 GB.", "Away."]
        assert (await world.weft("doctor", "--json")).json["findings"] == [WELL, ODD]
        assert (await world.weft("doctor", "--jsonl")).lines == [WELL, ODD]


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [([WELL], 0, "✔ All is well."), ([WELL, ODD], 0, "! 1 to look at."), ([SICK, SICK], 1, "✖ 2 to mend.")],
)
async def test_only_what_is_broken_fails(tmp_path: Path, found: list[dict[str, str]], code: int, said: str) -> None:
    async with fake.node(tmp_path) as world:
        world.node.findings = found
        ran = await world.weft("doctor")
        assert (ran.code, ran.err.strip()) == (code, said)
        ran = await world.weft("doctor", "--json")
        assert (ran.code, ran.json) == (code, {"findings": found, "ok": code == 0})
        ran = await world.weft("doctor", "--jsonl")
        assert (ran.code, ran.lines) == (code, found)


async def test_names_cannot_write_on_the_terminal_and_commands_name_the_profile(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.node.findings = [
            {
                "name": "contact \x1b[2JBo\n✔ vault",
                "level": "warning",
                "sentence": "\x1b[31mA\u202ey",
                "next": "weft status '\x07'",
            }
        ]
        ran = await world.weft("doctor", "--profile", "default")
        assert [len(ran.out.splitlines()), *(one in ran.out for one in ("\x1b", "\x07", "\u202e"))] == [
            2,
            False,
            False,
            False,
        ]
        assert "→ weft --profile default status" in ran.out


@pytest.mark.process
def test_without_a_node_its_program_examines_and_leaves_no_file(tmp_path: Path) -> None:
    world = _stopped(tmp_path)
    ran = world.weft_now("doctor")
    assert (ran.code, ran.out) == (0, "? vault  Locked.\n         → weft doctor\n")
    assert ran.err == "Examining…\n! 1 not examined.\n"
    told = json.loads((tmp_path / "home" / "doctor.said").read_text())
    assert told == [["doctor", "--profile", "default"], {"passphrase": "", "door": VERSION}]
    assert not world.directory.exists()
    (world.directory / "log").mkdir(parents=True)
    assert world.weft_now("doctor", "--json").json["ok"]
    assert list((world.directory / "log").iterdir()) == []


@pytest.mark.process
def test_the_passphrase_is_handed_over_where_one_is_wanted(tmp_path: Path) -> None:
    world = _stopped(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    told = tmp_path / "home" / "doctor.said"
    fake.make_identity(world)
    world.weft_now("doctor", environ={"WEFT_PASSPHRASE_FILE": str(secret)})
    assert json.loads(told.read_text())[1]["passphrase"] == ""  # there is a key file
    (world.directory / "key").unlink()
    world.weft_now("doctor", environ={"WEFT_PASSPHRASE_FILE": str(secret)})
    assert json.loads(told.read_text())[1]["passphrase"] == "correct horse"
    ran = world.weft_now("doctor", "--json", environ={"WEFT_PASSPHRASE_FILE": str(tmp_path / "none")})
    assert [(row["name"], row["level"]) for row in ran.json["findings"]] == [
        ("passphrase", "failure"),
        ("vault", "unknown"),
    ]
    assert json.loads(told.read_text())[1]["passphrase"] == ""


@pytest.mark.process
def test_a_program_that_breaks_is_a_finding_too(tmp_path: Path) -> None:
    world = _stopped(tmp_path)
    fake.make_identity(world)
    (world.directory / "key").unlink()
    (world.directory / "log").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("crash\n")
    ran = world.weft_now("doctor", environ={"WEFT_PASSPHRASE_FILE": str(secret)})
    assert ran.code == 1
    assert ran.out.startswith("✖ program  weft's program ended before it was done (code 1)")
    assert "Its last words: it broke." in ran.out
    assert (world.directory / "log" / "doctor.log").read_text() == "it broke\n"
    assert not (world.directory / "log" / "start.log").exists()


@pytest.mark.process
async def test_a_node_that_hangs_is_examined_from_outside(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        (tmp_path / "node.py").write_text(PROGRAM)
        world.door = replace(world.door, launcher=(sys.executable, str(tmp_path / "node.py")))
        world.node.hangs = True
        ran = await world.weft("doctor", "--json")
        assert ran.json["findings"] == [
            {"name": "vault", "level": "unknown", "sentence": "Locked.", "next": "weft doctor"}
        ]
        assert json.loads((tmp_path / "home" / "doctor.said").read_text())[1]["passphrase"] == ""
