"""The profile of a keeper, by the commands typed there: it says what it is, and becomes nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stories.real import LAUNCHER

pytestmark = [pytest.mark.process, pytest.mark.socket]


@dataclass(frozen=True)
class Machine:
    """A machine with one profile."""

    home: Path

    def weft(self, *words: str) -> tuple[int, str]:
        """The exit code of a command, and what it wrote."""
        environ = {**os.environ, "WEFT_HOME": str(self.home), "WEFT_LISTEN": "127.0.0.1", "NO_COLOR": "1"}
        ran = subprocess.run(
            [sys.executable, str(LAUNCHER), *words], env=environ, capture_output=True, text=True, check=False
        )
        return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which a keeper runs."""
    machine = Machine(tmp_path)
    code, said = machine.weft("keeper", "node", "-d")
    assert code == 0, said
    yield machine
    machine.weft("down")


def test_a_keeper_that_runs_says_how_it_stands(server: Machine) -> None:
    for words in (("status",), ("keeper",), ("keeper", "list")):
        code, said = server.weft(*words)
        assert (code, said.splitlines()[0].split("   ")[0]) == (0, "Keeper")
        assert "Nobody uses it yet." in said
        assert "weft keeper node --code" in said
    code, said = server.weft("doctor")
    assert code == 0
    assert "! keeper" in said
    assert "Nobody uses it yet. Not in the DHT (no peer of the DHT is known yet)" in said
    assert "config set" not in said  # a keeper has no such settings, and the environment says where it listens
    assert not {"weft init", "weft rpc --schema"} & {line.strip(" →") for line in said.splitlines()}


def test_one_that_runs_is_not_started_again_nor_changed(server: Machine) -> None:
    code, said = server.weft("keeper", "node", "-d")
    assert (code, "Keeper is up already (pid " in said) == (0, True)
    code, said = server.weft("keeper", "node", "-d", "--address", "192.0.2.7:4001")
    assert (code, said.endswith("nothing was changed. Stop it first: weft down\n")) == (1, True)


def test_its_profile_becomes_nobodys(server: Machine) -> None:
    for running in (True, False):
        code, said = server.weft("init", "--no-input")
        assert (code, "A keeper stands there" in said) == (1, True)
        code, said = server.weft("up", "-d")
        assert (code, "has no identity; nothing was changed. Its own start: weft keeper node -d" in said) == (1, True)
        if running:
            code, said = server.weft("send", "bo", "hi")
            assert (code, "which has no account and cannot do that. What it does: weft status" in said) == (1, True)
            server.weft("down")
    for words in (("status",), ("keeper",), ("send", "bo", "hi")):
        code, said = server.weft(*words)
        assert (code, said) == (3, "This profile is a keeper's, and it does not run. Start it: weft keeper node -d\n")
    code, said = server.weft("doctor")
    assert (code, "! keeper" in said, "weft keeper node -d" in said) == (0, True, True)
