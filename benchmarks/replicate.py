"""logs.replicate, replicate_rss, nothing_new: a long log between two real nodes, and hypercore beside it where npm is.

Ana has a log of 100,000 notes, which chen has; then she shares it with bo, and bo's node takes it in: over libp2p on
loopback, each entry with its content, checked, chained and committed (`PRAGMA synchronous` is read back and shown). The
bare loop beside it: two programs, TCP, one signature for 128 entries, BLAKE2b, plain SQLite with synchronous=FULL.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from benchmarks import bare_logs, figures, profiles
from benchmarks.messages import Api
from protocol import sync
from protocol.sync import Shared
from protocol.sync_log import Effects, Send
from protocol.sync_session import Session
from protocol.talk import Side
from tests.protocol import replicas

ENTRIES = 100_000
TEXT = "x" * 20  # a note that is padded to the shortest length
CALL_NOTES = 512
RUN, COMMIT = 128, 1024  # entries of one signature, and of one commit, in the bare loop
RUNS = 3
PATIENCE_S = 300.0
LOGS = 6  # that an ordinary pair shares
HYPERCORE = Path(__file__).parent / "hypercore"
FETCH_S = 180
_LENGTH = Struct(">I")


def main() -> None:
    """Prints the three figures, and hypercore's."""
    readers = [f"bo{number}" for number in range(RUNS + 1)]  # a new one for each run: who has a log does not ask again
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "chen", *readers):
            for other in ("chen", *readers):
                profiles.befriend(there, "ana", other)
            synchronous = Api(home, "ana").call("node.status")["synchronous"]
            _fill(home)
            grown: list[float] = []
            waiting = iter(readers)
            mine, floor = figures.in_turn(RUNS, lambda: _ours(home, next(waiting), grown), _bare)
            figures.show("logs.replicate", mine, "s", "lower", "bare loop", floor, synchronous=synchronous)
            figures.show("logs.replicate_rss", grown[1:], "MB", "lower", entries=ENTRIES, of="the reader, above idle")
    figures.show("logs.nothing_new", [float(_nothing_new())], "B", "lower", logs=LOGS)
    _show_hypercore()


def _fill(home: Path) -> None:
    """A log of so many notes, all of which chen has."""
    ana = Api(home, "ana")
    ana.call("logs.begin", name="long", readers=["chen"])
    for at in range(0, ENTRIES, CALL_NOTES):
        ana.call("logs.write_all", log="long", texts=[TEXT] * min(CALL_NOTES, ENTRIES - at))
    _await(home, "chen", "ana/long")


def _ours(home: Path, reader: str, grown: list[float]) -> float:
    """Seconds from sharing the log with a reader until he has all of it."""
    pid = Api(home, reader).call("node.status")["pid"]
    idle = _rss_mb(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # from now on VmHWM is the peak since
    began = time.perf_counter()
    Api(home, "ana").call("logs.share", log="long", name=reader)
    _await(home, reader, "ana/long")
    spent = time.perf_counter() - began
    grown.append(_rss_mb(pid, "VmHWM") - idle)
    return spent


def _await(home: Path, who: str, log: str) -> None:
    """Returns when somebody has all entries of a log; asked when he tells of a change."""
    deadline = time.perf_counter() + PATIENCE_S
    told, asked = Api(home, who), Api(home, who)
    told.call("watch", topics=["log"])
    for _ in told.lines():
        rows = asked.call("logs.list")
        if any(row["name"] == log and row["entries"] == ENTRIES for row in rows):
            return
        if time.perf_counter() > deadline:
            raise profiles.Failed(f"{who} has not all of {log} after {PATIENCE_S:.0f} s")


def _rss_mb(pid: int, name: str) -> float:
    """A figure of a process's memory in MB: VmRSS now, VmHWM its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


# --- nothing new


def _nothing_new() -> int:
    """Bytes of a session in both directions, lengths included, in which neither has anything new."""
    ana = replicas.Replica("ana", replicas.logs_of("ana", *map(str, range(LOGS - 1))))
    shared = tuple(_nobody(one) for one in ana.shared("bo"))
    sessions = [Session(side, bytes((n,)) * 8, shared, None, bytes(64)) for n, side in enumerate(Side)]
    waiting = [list(_frames(one.begin())) for one in sessions]
    total = 0
    while any(waiting):
        for mine, other in ((0, 1), (1, 0)):
            for raw in waiting[mine]:
                total += len(raw) + _LENGTH.size
                waiting[other] += _frames(sessions[other].hear(sync.decode(raw)))
            waiting[mine].clear()
    return total


def _nobody(one: Shared) -> Shared:
    """The log as neither of two readers writes it."""
    return Shared(one.log, one.author, one.secret, one.with_contents, False, one.head, one.proof)


def _frames(effects: Effects) -> list[bytes]:
    return [sync.encode(one.frame) for one in effects if isinstance(one, Send)]


# --- the bare loop


def _bare() -> float:
    """Seconds in which another program's entries come over TCP, are checked, and lie in plain SQLite."""
    with tempfile.TemporaryDirectory(prefix="weft-bare-") as folder, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"from benchmarks import replicate; replicate.send({port})"
        sender = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[1])
        try:
            connected, _ = server.accept()
            with connected, connected.makefile("rb") as source:
                source.read(1)  # its chain is made: from here on it counts
                connected.sendall(b"g")
                began = time.perf_counter()
                _take(source, Path(folder) / "bare.db")
                return time.perf_counter() - began
        finally:
            sender.wait()


def send(port: int) -> None:
    """The other program: makes the entries, then sends them."""
    chain = bare_logs.chain(ENTRIES)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(b"r")
        stream.recv(1)
        for at in range(0, ENTRIES, RUN):
            parts = [part for pair in chain[at : at + RUN] for part in pair]
            stream.sendall(b"".join(_LENGTH.pack(len(part)) + part for part in parts))


def _take(source: BinaryIO, place: Path) -> None:
    read = source.read
    connection = bare_logs.opened(place)
    for at in range(0, ENTRIES, COMMIT):
        count = min(COMMIT, ENTRIES - at)
        run = [(read(_LENGTH.unpack(read(4))[0]), read(_LENGTH.unpack(read(4))[0])) for _ in range(count)]
        bare_logs.take(connection, run, at, RUN)
    connection.close()


# --- hypercore


def _show_hypercore() -> None:
    """Its own figures, where npm can fetch it: no row of it is durable when it says so, and a batch is signed once."""
    if shutil.which("npm") is None:
        print("hypercore is left out: there is no npm", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="weft-hypercore-") as folder:
        for name in ("package.json", "package-lock.json", "measure.mjs"):
            shutil.copy(HYPERCORE / name, folder)
        fetch = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        if subprocess.run(fetch, cwd=folder, capture_output=True, timeout=FETCH_S, check=False).returncode:
            print("hypercore is left out: npm cannot fetch it", file=sys.stderr)
            return
        for what, count, unit in (("append", 5_000, "1/s"), ("batch", ENTRIES, "1/s"), ("replicate", ENTRIES, "s")):
            values = [_hypercore(folder, what, count) for _ in range(RUNS)]
            better = "lower" if unit == "s" else "higher"
            figures.show(f"logs.hypercore_{what}", values, unit, better, synchronous="off")


def _hypercore(folder: str, what: str, count: int) -> float:
    ran = subprocess.run(
        ["node", "measure.mjs", what, str(count)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        env=dict(os.environ),
    )
    return float(ran.stdout)
