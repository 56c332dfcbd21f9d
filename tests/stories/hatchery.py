"""Processes of nodes that need not import the node: forked from one that has done so, and in all else as `_node`.

To import takes more processor time than all that most stories ask of a node. Each of these nodes is a process of its
own, with its own signals, files and sockets; the hatchery itself runs nothing and has one thread.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

REQUEST_BYTES = 1 << 16  # that are read at once
FILES = 4  # of a request
ROOT = Path(__file__).parents[2]


class Hatched:
    """A process of a node, as subprocess.Popen has it: `pid`, `stdin`, `stdout`, and what is done to it."""

    def __init__(self, words: Sequence[str], stderr: IO[bytes], environment: Mapping[str, str]) -> None:
        """words: behind "_node". Returns once the process is there."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_told, theirs_told = os.pipe()
        self.stdin: IO[bytes] | None = os.fdopen(ours_in, "wb", buffering=0)
        self.stdout: IO[bytes] | None = os.fdopen(ours_out, "rb")
        self._told = os.fdopen(ours_told, "rb", buffering=0)
        said = {"words": [*words], "environment": {**environment}, "folder": os.getcwd()}
        self.pid = hatchery().ask(said, (theirs_in, theirs_out, stderr.fileno(), theirs_told), self._told)
        for one in (theirs_in, theirs_out, theirs_told):
            os.close(one)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises: subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(f"node {self.pid}", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal to a process that has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, within_s: float | None) -> int | None:
        if self.returncode is None:
            ready, _, _ = select.select([self._told], [], [], within_s)
            if ready:
                self.returncode = int(self._told.readline())
                self._told.close()
        return self.returncode


class Hatchery:
    """The process from which those of nodes are forked. It ends with the process that uses it."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            words = [sys.executable, "-m", "tests.stories.hatchery", str(theirs.fileno())]
            self._program = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        atexit.register(self._end)

    def ask(self, said: Mapping[str, Any], files: Sequence[int], told: IO[bytes]) -> int:
        """Asks for a process with these files as its first three, the fourth to tell of it; returns its number."""
        with self._lock:
            socket.send_fds(self._requests, [json.dumps(said).encode() + b"\n"], [*files])
            return int(told.readline())

    def _end(self) -> None:
        self._requests.close()
        self._program.wait()


@cache
def hatchery() -> Hatchery:
    """The hatchery of this process."""
    return Hatchery()


def main(requests: socket.socket) -> int:
    """Forks a process for each request, until nobody can ask any more."""
    importlib.import_module("node.__main__")
    importlib.import_module("features").load()
    gc.collect()
    gc.freeze()  # what is there is shared by all, as long as nobody writes to it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, files = _received(requests)
        if not request:
            return 0
        if os.fork() == 0:
            requests.close()
            return _watch(json.loads(request), *files)
        for file in files:
            os.close(file)


def _received(requests: socket.socket) -> tuple[bytes, list[int]]:
    """The next request; b"" at the end."""
    request, files = b"", list[int]()
    while not request.endswith(b"\n"):
        piece, more, _, _ = socket.recv_fds(requests, REQUEST_BYTES, FILES)
        files += more
        if not piece:
            return b"", files
        request += piece
    return request, files


def _watch(said: Mapping[str, Any], *files: int) -> int:
    """Tells the number of a new process, in which this returns its exit code, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *first, told = files
    for number, file in enumerate(first):
        os.dup2(file, number)
        os.close(file)
    pid = os.fork()
    if pid:
        os.dup2(2, 0)  # the pipes of the other end only end when nobody holds them
        os.dup2(2, 1)
        os.write(told, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(said["folder"])
    os.environ.clear()
    os.environ.update(said["environment"])
    sys.argv = [str(ROOT / "weft.py"), "_node", *said["words"]]
    code: int = importlib.import_module("node.__main__").main(said["words"])
    return code


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
