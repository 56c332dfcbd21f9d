"""Real nodes for the tests that need processes: started as `weft up` starts them, called over their local socket."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cli.client import Client
from cli.faults import Failure
from tests import depth
from tests.stories.hatchery import Hatched

LAUNCHER = Path(__file__).parents[2] / "weft.py"
START_S = 30.0
MADE = Path(tempfile.mkdtemp(prefix="weft-made-"))  # homes of nobody, to be copied
atexit.register(shutil.rmtree, MADE, ignore_errors=True)


@dataclass
class RealNode:
    """A profile and, while it runs, the process of its node."""

    home: Path
    name: str
    passphrase: str = ""
    prefix: tuple[str, ...] = ()  # words before the command, such as those that run it on another host
    listen: str = "127.0.0.1"
    program: "subprocess.Popen[bytes] | Hatched | None" = field(default=None, repr=False)
    before: Callable[[], None] | None = None  # what its process does before it becomes the node

    @property
    def folder(self) -> Path:
        return self.home / self.name

    def init(self) -> None:
        """Makes the profile: a copy of one that this process has made by that name, where nothing else is asked for."""
        if self.passphrase or self.prefix or self.before or self.folder.exists():
            self._init()
            return
        made = MADE / self.name
        if not made.exists():
            RealNode(MADE, self.name)._init()
        shutil.copytree(made, self.folder)

    def _init(self) -> None:
        assert "account" in self._start("init", {"name": self.name.title(), "passphrase": self.passphrase})
        self._wait(0)

    def up(self) -> dict[str, Any]:
        """Starts the node; it serves on return. What it said of itself."""
        ready = self._start("run", {"passphrase": self.passphrase})
        assert ready.get("ready"), ready
        return ready

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        assert self.program is not None
        self.program.send_signal(signal.SIGKILL)
        self._wait(-signal.SIGKILL)

    def down(self) -> None:
        """Ends it with SIGTERM."""
        assert self.program is not None
        self.program.terminate()
        self._wait(0)

    def client(self) -> Client:
        """A connection of its own to the local socket. Raises: Failure when nobody serves there."""
        return Client(self.folder)

    def call(self, method: str, **params: Any) -> Any:
        """One call of the local API. Raises: Failure."""
        with self.client() as client:
            return client.call(method, **params)

    def await_that(self, true: Callable[[], bool], within_s: float) -> None:
        """Waits for something that this node's changes tell of, or that becomes true within a second after one."""
        deadline = time.monotonic() + within_s
        with self.client() as client:
            client.watch()
            while not true():
                assert time.monotonic() < deadline, f"not within {within_s} s"
                for _ in client.changes(1.0):
                    break

    def _start(self, verb: str, said: dict[str, str]) -> dict[str, Any]:
        assert self.program is None
        self.folder.mkdir(parents=True, exist_ok=True)
        errors = self.home / f"{self.name}.stderr"
        with errors.open("ab") as stderr:
            self.program = self._launched([verb, "--profile", self.name], stderr)
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(json.dumps(said).encode() + b"\n")
        self.program.stdin.close()
        line = self.program.stdout.readline()
        assert line, errors.read_text()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _launched(self, words: list[str], stderr: IO[bytes]) -> "subprocess.Popen[bytes] | Hatched":
        environment = {**os.environ, "WEFT_HOME": str(self.home), "WEFT_LISTEN": self.listen}
        if not self.prefix and self.before is None and depth.LEVEL < 2:  # the soak starts what everybody starts
            return Hatched(words, stderr, environment)
        return subprocess.Popen(
            [*self.prefix, sys.executable, str(LAUNCHER), "_node", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            preexec_fn=self.before,
        )

    def _wait(self, code: int) -> None:
        assert self.program is not None
        assert self.program.wait(START_S) == code
        assert self.program.stdout is not None
        self.program.stdout.close()
        self.program = None


@contextmanager
def open_pair(home: Path) -> Iterator[tuple[RealNode, RealNode]]:
    """Two running nodes that are contacts; whatever still runs at the end is killed."""
    ana, bo = RealNode(home, "ana"), RealNode(home, "bo")
    try:
        for node in (ana, bo):
            node.init()
            node.up()
        link = ana.call("contacts.invite")["link"]
        bo.call("contacts.add", link=link, name="ana")
        for node, other in ((ana, "bo"), (bo, "ana")):
            node.await_that(lambda n=node, o=other: is_active(n, o), START_S)  # type: ignore[misc]
        yield ana, bo
    finally:
        for node in (ana, bo):
            if node.program is not None:
                node.kill()


def is_online(node: RealNode, other: str) -> bool:
    """Whether a node is connected to a contact of this name."""
    rows = node.call("node.status")["contacts"]
    return any(one["name"].lower() == other and one["online"] for one in rows)


def is_active(node: RealNode, other: str) -> bool:
    """Whether a node has an active contact of this name."""
    return any(one["name"].lower() == other and one["state"] == "active" for one in node.call("contacts.list"))


def has_compared(node: RealNode, other: str) -> bool:
    """Whether a node has been granted the spine of a contact, and its own was compared on the stream to its anchor."""
    rows = [one for one in node.call("logs.list") if one["role"] == "spine"]
    theirs = any(one["author"].lower() == other for one in rows)
    return theirs and any(one["author"] == "" and one["is_open"] for one in rows)


__all__ = ["Failure", "RealNode", "has_compared", "is_active", "is_online", "open_pair"]
