"""One profile, one node: second nodes, copies, what a killed node left, and a vault that somebody has touched."""

import json
import os
import select
import shutil
import signal
import socket
from pathlib import Path

import pytest

from tests.stories.real import RealNode
from tests.stories.test_first_run import Machine, machines

pytestmark = [pytest.mark.process, pytest.mark.socket]

__all__ = ["machines"]


def error_of(out: str) -> dict[str, str]:
    """The error that a command with --json told last."""
    found: dict[str, str] = json.loads(out.splitlines()[-1])["error"]
    return found


def default(machine: Machine) -> Path:
    return machine.folder / "home" / "default"


def kill(machine: Machine) -> None:
    """Ends the node with SIGKILL, and waits until it is gone."""
    pid = int((default(machine) / "run" / "pid").read_text())
    watched = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    gone, _, _ = select.select([watched], [], [], 10.0)
    os.close(watched)
    assert gone


def test_a_second_node_on_a_profile_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    node = RealNode(tmp_path, "ana")
    node.init()
    node.up()
    try:
        second = RealNode(tmp_path, "ana")
        refused = second._start("run", {"passphrase": ""})["error"]
        second._wait(1)
        assert refused["code"] == "node.running"
        assert f"pid {node.program.pid}" in refused["message"]  # type: ignore[union-attr]
        assert node.call("node.status")["pid"] == node.program.pid  # type: ignore[union-attr]
    finally:
        node.kill()


def test_up_twice_says_that_it_is_up_already(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    ana.types("weft init -q && weft up -d")
    again = json.loads(ana.types("weft up -d --json"))
    assert again["already"] is True
    assert json.loads(ana.types("weft status --json"))["pid"] == again["pid"]


def test_what_a_killed_node_left_is_in_nobodys_way(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    ana.types("weft init -q && weft up -d")
    kill(ana)
    assert (default(ana) / "run" / "rpc.sock").exists()
    assert (default(ana) / "run" / "pid").exists()
    assert error_of(ana.types("weft status --json", code=3))["code"] == "node.down"
    ana.types("weft down", code=3)
    ana.types("weft up -d && weft status && weft down")


def test_a_copy_of_a_profile_whose_path_is_too_long_for_a_socket_is_another_profile(
    machines: tuple[Machine, Machine],
) -> None:
    ana, _ = machines
    home = ana.folder / ("long" * 30)
    ana.environ["WEFT_HOME"] = str(home)
    ana.types("weft init -q && weft up -d")
    assert not (home / "default" / "run" / "rpc.sock").exists()
    shutil.copytree(home / "default", home / "copy")
    assert error_of(ana.types("weft --profile copy status --json", code=3))["code"] == "node.down"
    assert error_of(ana.types("weft --profile copy up -d --json", code=1))["code"] == "profile.copied"
    ana.types("weft status && weft down")
    ana.types("weft --profile copy up -d && weft --profile copy status && weft --profile copy down")


@pytest.mark.parametrize("left", ["a file", "a dead socket", "a path that is none", "a directory"])
def test_whatever_stands_where_the_socket_should_is_removed_or_named(
    machines: tuple[Machine, Machine], left: str
) -> None:
    ana, _ = machines
    ana.types("weft init -q && weft up -d && weft down")
    run = default(ana) / "run"
    match left:
        case "a file":
            (run / "rpc.sock").write_text("not a socket")
        case "a dead socket":
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(run / "rpc.sock"))
        case "a path that is none":
            (run / "rpc.path").write_bytes(b"\xff\x00\n")
            (run / "pid").write_bytes(b"\xff\x00\n")
        case "a directory":
            (run / "rpc.sock").mkdir()
    assert error_of(ana.types("weft status --json", code=3))["code"] == "node.down"
    if left == "a directory":
        refused = error_of(ana.types("weft up -d --json", code=1))
        assert refused["code"] == "profile.unwritable"
        assert "rpc.sock" in refused["message"]
        (run / "rpc.sock").rmdir()
    ana.types("weft up -d && weft status && weft down")


def test_a_copied_profile_is_refused_while_the_other_runs_whichever_it_is(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    ana.types("weft init -q && weft up -d")
    copy = default(ana).with_name("copy")
    shutil.copytree(default(ana), copy, ignore=shutil.ignore_patterns("rpc.sock"))  # while it runs
    refused = error_of(ana.types("weft --profile copy up -d --json", code=1))
    assert refused["code"] == "profile.copied"
    assert "copy of the profile default" in refused["message"]
    assert "Nothing was changed" in refused["message"]
    assert refused["next"] == "weft --profile default status"
    ana.types("weft status && weft down")
    ana.types("weft --profile copy up -d")
    assert "copy of the profile copy" in error_of(ana.types("weft up -d --json", code=1))["message"]
    ana.types("weft --profile copy down && weft up -d")
    kill(ana)
    ana.types("weft --profile copy up -d && weft --profile copy down")


@pytest.fixture
def ana(machines: tuple[Machine, Machine]) -> Machine:
    """A machine with a passphrase in the file `right`, and another in `wrong`."""
    machine, _ = machines
    (machine.folder / "right").write_text("correct horse\n")
    (machine.folder / "wrong").write_text("correct hors\n")
    machine.types("WEFT_PASSPHRASE_FILE=right weft init -q")
    return machine


def test_a_wrong_passphrase_is_code_4_and_changes_nothing(ana: Machine) -> None:
    before = {path.name: path.read_bytes() for path in default(ana).iterdir() if path.is_file()}
    error = error_of(ana.types("WEFT_PASSPHRASE_FILE=wrong weft up -d --json", code=4))
    assert error["code"] == "profile.locked"
    assert "nothing was changed" in error["message"]
    assert error_of(ana.types("weft up -d --json", code=4))["code"] == "profile.locked"  # nobody types one
    assert error_of(ana.types("WEFT_PASSPHRASE_FILE=none weft up -d --json", code=4))["code"] == "profile.locked"
    assert before == {path.name: path.read_bytes() for path in default(ana).iterdir() if path.is_file()}
    ana.types("WEFT_PASSPHRASE_FILE=right weft up -d")


def test_lowered_argon2_parameters_are_refused_by_the_node(ana: Machine) -> None:
    file = default(ana) / "vault"
    strong = file.read_bytes()
    memory = strong.index((256 << 20).to_bytes(8, "big"))  # docs/protocol/vault.md 1: bytes that one guess takes
    file.write_bytes(strong[:memory] + (8192).to_bytes(8, "big") + strong[memory + 8 :])
    error = error_of(ana.types("WEFT_PASSPHRASE_FILE=right weft up -d --json", code=1))
    assert error["code"] == "profile.damaged"
    assert "nothing was changed" in error["message"]
    file.write_bytes(strong)
    ana.types("WEFT_PASSPHRASE_FILE=right weft up -d")


@pytest.mark.parametrize("kept_bytes", [0, 1, 40, -1])
def test_a_truncated_vault_is_refused_and_kept_as_it_is(ana: Machine, kept_bytes: int) -> None:
    file = default(ana) / "vault"
    whole = file.read_bytes()
    file.write_bytes(whole[:kept_bytes])
    error = error_of(ana.types("WEFT_PASSPHRASE_FILE=right weft up -d --json", code=1))
    assert error["code"] == "profile.damaged"
    assert "nothing was changed" in error["message"]
    assert file.read_bytes() == whole[:kept_bytes]
    assert error_of(ana.types("WEFT_PASSPHRASE_FILE=right weft init --json", code=1))["code"] == "profile.exists"
