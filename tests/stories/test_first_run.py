"""A newcomer's first minutes: the README's own commands, typed as they stand there, and the demo."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import demo

pytestmark = [pytest.mark.process, pytest.mark.socket]

ROOT = Path(__file__).resolve().parents[2]
CALL_S = 120.0
TYPED = re.compile(r"^\$ (.*?)(?:\s{2,}#.*)?$", re.MULTILINE)
LINK = re.compile(r"weft:i/[\w-]+")


def first_screen() -> tuple[list[str], list[str]]:
    """What Ana types, and what Bo types, by the README."""
    text = (ROOT / "README.md").read_text()
    fences = re.findall(
        r"```\n(.*?)```", text[text.index("## Two minutes") : text.index("## Daily install")], re.DOTALL
    )
    ana, bo = (TYPED.findall(fence) for fence in fences if TYPED.search(fence))
    return ana, bo


class Machine:
    """A shell of a person: a home of its own, `weft` on the path, nobody at the terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir(parents=True)
        weft = programs / "weft"
        weft.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "weft.py"}" "$@"\n')
        weft.chmod(0o755)
        self.environ = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "WEFT_HOME": str(folder / "home"),
            "WEFT_LISTEN": "127.0.0.1",
        }
        self.environ.pop("WEFT_PROFILE", None)

    def types(self, line: str, code: int = 0) -> str:
        """What a line of the shell prints on stdout; it must end with this code."""
        ran = subprocess.run(
            ["sh", "-c", line],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=CALL_S,
            check=False,
        )
        assert ran.returncode == code, f"$ {line}\n{ran.stdout}{ran.stderr}"
        return ran.stdout


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:  # short enough for sockets, whatever a test is called
        made = Machine(Path(folder) / "a"), Machine(Path(folder) / "b")
        yield made
        for machine in made:
            subprocess.run(["weft", "down"], env=machine.environ, capture_output=True, timeout=CALL_S, check=False)


def test_the_readme_takes_a_newcomer_to_a_delivered_message(machines: tuple[Machine, Machine]) -> None:
    ana, bo = machines
    lines_of_ana, lines_of_bo = first_screen()
    assert len(lines_of_ana) + len(lines_of_bo) >= 6
    said = ""
    for line in lines_of_ana:
        if "activate" not in line:  # the virtual environment, which the tests run in already
            said += ana.types(line)
    link = LINK.findall(said)[-1]
    for line in lines_of_bo:
        told = bo.types(LINK.sub(link, line.replace("…", "")))
    assert told.startswith("✔ delivered")
    assert "Bo: hi" in ana.types("weft inbox")
    assert bo.types("weft status ana --json").count('"online":true') == 1
    ana.types("weft contacts verify bo --digits 1", code=7)
    bo.types("weft send ann hi", code=5)
    bo.types("weft down && weft send ana hi", code=3)
    ana.types('weft send bo "are you there" --wait delivered 1', code=6)


def test_only_the_owner_reads_what_a_node_writes(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    ana.types("umask 000; weft init --name Ana && weft up -d && weft down")
    files = list((ana.folder / "home" / "default").rglob("*"))
    assert len(files) > 5
    assert [str(file) for file in files if file.stat().st_mode & 0o077] == []


def test_a_port_that_is_taken_is_said_and_got_around(machines: tuple[Machine, Machine]) -> None:
    ana, bo = machines
    ana.types("weft init && weft up -d")
    port = ana.types("weft status --json").split("/tcp/")[1].split('"')[0]
    told = bo.types(f"weft init -q && WEFT_PORT={port} weft up -d --json", code=1).splitlines()[-1]
    assert '"code":"node.listen"' in told
    assert "weft up" in told
    assert "Traceback" not in told
    assert '"code":"config.value"' in bo.types("WEFT_LISTEN=banana weft up -d --json", code=2)
    bo.types("WEFT_PORT=0 weft up -d")


def test_a_profile_without_its_database_is_not_begun_anew(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    ana.types("weft init && rm home/default/weft.db*".replace("home/", f"{ana.folder}/home/"))
    assert '"code":"profile.damaged"' in ana.types("weft up -d --json", code=1)
    assert not (ana.folder / "home" / "default" / "weft.db").exists()
    assert '"code":"profile.exists"' in ana.types("weft init --json", code=1)


@pytest.mark.parametrize("broken", [False, True])
def test_the_demo_tells_the_truth(broken: bool) -> None:
    command = [sys.executable, "-m", "lab.demo", *(["--break-one"] if broken else [])]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=CALL_S, check=False)
    assert ran.returncode == int(broken), ran.stdout + ran.stderr
    unsent = demo.SCRIPT[demo.BROKEN]
    assert unsent is not None
    assert (f"✖ “{unsent[2]}”" in ran.stdout) is broken
    assert ("each delivered exactly once" in ran.stdout) is not broken
