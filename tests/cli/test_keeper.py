"""keeper node: what its program is given, and what it says. The keeper itself: stories/test_keeper_processes.py."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli import fake

PROGRAM = """
import json, os, sys
said = json.loads(sys.stdin.readline())
with open(os.environ["HEARD"], "w") as file:
    json.dump({"argv": sys.argv[1:], "said": said}, file)
told = {"ready": True, "pid": 7, "addresses": ["/ip4/192.0.2.7/tcp/4001"], "first": FIRST, "code": "weft:k/AAAA"}
print(json.dumps(told), flush=True)
"""


def machine(tmp_path: Path, first: bool = True) -> fake.World:
    """A terminal whose program of the node says what a keeper says."""
    world = fake.stopped(tmp_path)
    (tmp_path / "node.py").write_text(PROGRAM.replace("FIRST", repr(first)))
    environ = {**world.door.environ, "HEARD": str(tmp_path / "heard")}
    world.door = replace(world.door, environ=environ, launcher=(sys.executable, str(tmp_path / "node.py")))
    return world


def test_the_first_start_says_what_to_run_on_the_own_device(tmp_path: Path) -> None:
    for words in (("-d",), ()):
        ran = machine(tmp_path).weft_now("keeper", "node", "--address", "192.0.2.7:4001", *words)
        assert ran.code == 0
        assert "weft keeper use weft:k/AAAA" in ran.out
        assert "192.0.2.7" in ran.out
        heard = json.loads((tmp_path / "heard").read_text())
        assert heard == {
            "argv": ["_node", "keep", "--profile", "default"],
            "said": {"addresses": "192.0.2.7:4001"},
        }


def test_a_later_start_says_how_the_code_is_shown_again(tmp_path: Path) -> None:
    world = machine(tmp_path, first=False)
    ran = world.weft_now("keeper", "node", "-d", "--bootstrap", "/ip4/192.0.2.1/tcp/1")
    assert "weft keeper node --code" in ran.out
    assert "weft:k/" not in ran.out
    assert json.loads((tmp_path / "heard").read_text())["said"]["bootstrap"] == "/ip4/192.0.2.1/tcp/1"
    assert world.weft_now("keeper", "node", "-d", "--json").json["code"] == "weft:k/AAAA"


def test_who_has_an_identity_there_is_sent_to_another_profile(tmp_path: Path) -> None:
    world = machine(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now("keeper", "node", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "keeper.identity")
    assert ran.json["error"]["next"] == "weft --profile keeper keeper node"
    assert not (tmp_path / "heard").exists()


@pytest.mark.parametrize(
    "address", ["", "192.0.2.7", "192.0.2.7:0", "192.0.2.7:65536", "a:1", "2001:db8::7", "[::1]:x"]
)
def test_what_is_no_address_is_said_before_anything_starts(tmp_path: Path, address: str) -> None:
    ran = machine(tmp_path).weft_now("keeper", "node", "--address", address)
    assert (ran.code, "An address is written" in ran.err) == (2, True)
    assert not (tmp_path / "heard").exists()


def test_addresses_are_forgotten_by_auto_alone(tmp_path: Path) -> None:
    assert machine(tmp_path).weft_now("keeper", "node", "-d", "--address", "auto").code == 0
    assert json.loads((tmp_path / "heard").read_text())["said"] == {"addresses": "auto"}
    ran = machine(tmp_path).weft_now("keeper", "node", "-d", "--address", "auto", "--address", "192.0.2.7:4001")
    assert (ran.code, "An address is written" in ran.err) == (2, True)


def test_three_addresses_do_not_fit_a_code(tmp_path: Path) -> None:
    words = [word for n in (1, 2, 3) for word in ("--address", f"192.0.2.{n}:4001")]
    assert machine(tmp_path).weft_now("keeper", "node", *words).code == 2


def test_a_unit_starts_it_as_this_command_would(tmp_path: Path) -> None:
    ran = machine(tmp_path).weft_now("keeper", "node", "--unit", "--address", "[2001:db8::7]:4001")
    line = next(line for line in ran.out.splitlines() if line.startswith("ExecStart="))
    assert line.endswith("--profile default keeper node --no-input --address '[2001:db8::7]:4001'")
    assert f"WEFT_HOME={tmp_path / 'home'}" in ran.out
    assert "StandardOutput=null" in ran.out  # the code is not for the journal
    assert "systemctl --user enable --now weft-default" in ran.err
    assert not (tmp_path / "heard").exists()
    ran = machine(tmp_path).weft_now("keeper", "node", "--unit", "--bootstrap", "/ip4/192.0.2.1/tcp/1")
    assert "keeper node --no-input --bootstrap /ip4/192.0.2.1/tcp/1\n" in ran.out
    ran = machine(tmp_path).weft_now("keeper", "node", "--unit", "--files", "500")
    assert "keeper node --no-input --files 500\n" in ran.out


def test_how_much_of_files_it_takes_is_said_to_it(tmp_path: Path) -> None:
    assert machine(tmp_path).weft_now("keeper", "node", "-d", "--files", "0").code == 0
    assert json.loads((tmp_path / "heard").read_text())["said"]["files"] == "0"
    assert machine(tmp_path).weft_now("keeper", "node", "-d", "--files", "much").code == 2


def test_the_code_of_a_keeper_that_does_not_run_is_not_known(tmp_path: Path) -> None:
    ran = machine(tmp_path).weft_now("keeper", "node", "--code")
    assert (ran.code, "weft keeper node -d" in ran.err) == (3, True)
