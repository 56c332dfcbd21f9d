"""Nodes to measure and to try: the `weft` command as shipped, with profiles of its own in a folder, on loopback."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAUNCHER = (sys.executable, str(Path(__file__).resolve().parent.parent / "weft.py"))
CALL_S = 60.0  # no call takes longer unless something is broken


class Failed(Exception):
    """A command did not do what it should."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which `weft` is called, and in which environment: WEFT_HOME says where its profiles lie."""

    weft: tuple[str, ...]
    environment: Mapping[str, str]


def place(home: Path, weft: tuple[str, ...] = LAUNCHER, **more: str) -> Place:
    """A place whose profiles lie in `home` and whose nodes listen on loopback only."""
    return Place(weft, {**os.environ, "WEFT_HOME": str(home), "WEFT_LISTEN": "127.0.0.1", **more})


def call(there: Place, profile: str, *words: str) -> Any:
    """What `weft … --json` prints. Raises: Failed."""
    line = [*there.weft, "--profile", profile, "--no-input", *words, "--json"]
    ran = subprocess.run(line, env=there.environment, capture_output=True, text=True, timeout=CALL_S, check=False)
    if ran.returncode != 0:
        raise Failed(f"weft {' '.join(words)} of {profile}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return json.loads(ran.stdout)


@contextmanager
def running(there: Place, *names: str) -> Iterator[None]:
    """New profiles of these names, whose nodes run until the block ends."""
    started = []
    try:
        for name in names:
            call(there, name, "init", "--name", name.title())
            call(there, name, "up", "-d")
            started.append(name)
        yield
    finally:
        for name in started:
            call(there, name, "down")


@contextmanager
def home() -> Iterator[Path]:
    """A folder for profiles, with a path short enough for a socket; gone after the block."""
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        yield Path(folder)


def befriend(there: Place, inviter: str, guest: str) -> None:
    """Makes two running profiles contacts, each under the other's profile name, and waits until both can send."""
    link = call(there, inviter, "invite", "--no-wait")["link"]
    call(there, guest, "add", link, "--as", inviter, "--wait", "30")
    call(there, inviter, "send", guest, "hello", "--wait", "delivered", "30")
    call(there, guest, "send", inviter, "hello", "--wait", "delivered", "30")
