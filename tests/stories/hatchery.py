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
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

REQUEST_BYTES = 1 << 16  # that are read at once
FILES = 4  # of a request
ROOT = Path(__file__).parents[2]


class Hatched:
    """A process of a node, as subprocess.Popen has it: `pid`, `stdin`, `stdout`, and what is done to it."""

    def __init__(self, words: Sequence[str], stderr: IO[bytes], environment: Mapping[str, str]) -> None:
        """words: behind "_node". Returns once the process is there. Raises: ChildProcessError when there is none."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_told, theirs_told = os.pipe()
        self.stdin: IO[bytes] | None = os.fdopen(ours_in, "wb", buffering=0)
        self.stdout: IO[bytes] | None = os.fdopen(ours_out, "rb")
        self._told = os.fdopen(ours_told, "rb", buffering=0)
        said = {"words": [*words], "environment": {**environment}, "folder": os.getcwd()}
        self.pid = hatchery().ask(said, (theirs_in, theirs_out, theirs_told), stderr.fileno(), self._told)
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
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, within_s: float | None) -> int | None:
        if self.returncode is None:
            looks = select.poll()
            looks.register(self._told, select.POLLIN)
            if looks.poll(None if within_s is None else within_s * 1000):
                line = self._told.readline()
                self._told.close()
                self.returncode = int(line or -signal.SIGKILL)
                if not line:  # whoever watched it was killed: nobody knows how it ends
                    os.kill(self.pid, signal.SIGKILL)
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

    def ask(self, said: Mapping[str, Any], files: Sequence[int], stderr: int, told: IO[bytes]) -> int:
        """Asks for a process; returns its number. Raises: ChildProcessError.

        files: its standard input and output, and where its end is told, which are closed here. told: the other end.
        """
        with self._lock:
            try:
                socket.send_fds(self._requests, [json.dumps(said).encode() + b"\n"], [*files, stderr])
                is_asked = True
            except OSError:
                is_asked = False
            finally:
                for one in files:
                    os.close(one)
            line = told.readline() if is_asked else b""
        if not line:
            hatchery.cache_clear()
            raise ChildProcessError("no node was forked; why is on standard error")
        return int(line)

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
    stdin, stdout, told, stderr = files
    for number, file in enumerate((stdin, stdout, stderr)):
        os.dup2(file, number)
        os.close(file)
    pid = os.fork()
    if pid:
        os.dup2(2, 0)  # the pipes of the other end only end when nobody holds them
        os.dup2(2, 1)
        os.write(told, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        with suppress(BrokenPipeError):  # nobody is there any more who wants to know
            os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(said["folder"])
    os.environ.clear()
    os.environ.update(said["environment"])
    importlib.import_module("trio._core._run")._r.seed()  # or tasks are shuffled in the same way in all
    sys.argv = [str(ROOT / "weft.py"), "_node", *said["words"]]
    code: int = importlib.import_module("node.__main__").main(said["words"])
    return code


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
