"""The life of the node: whether it runs and answers, what a killed one left, what crashed lately."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from node.doctor import findings
from node.doctor.files import OTHERS
from node.doctor.findings import DAY_MS, Finding, several, span
from node.doctor.patient import Patient
from node.ground import utc
from node.profile import Lock, exists
from protocol import rpc
from protocol.version import VERSION

ANSWER_S = 2.0  # a node that works answers in milliseconds
ANSWER_BYTES_MAX = 1 << 16
LOG_BYTES = 1 << 20  # of the end of the log: some thousand lines
LAST_WORDS_CHARS = 200


async def node(patient: Patient) -> list[Finding]:
    """Whether a node serves this profile, of which version, or what the last one left behind."""
    place = patient.place
    if patient.core is not None:
        up = span(patient.ground.now_ms() - patient.up_since_ms)
        if patient.door not in ("", VERSION):
            said = f"It runs weft {VERSION}, and this command is of weft {patient.door}. Start it anew: weft down, then"
            return [findings.warning("node", said, "weft up -d")]
        return [findings.ok("node", f"Runs for {up} (pid {os.getpid()}, weft {VERSION}).")]
    pid = _pid(place.run / "pid")
    match patient.lock:
        case Lock.HELD:
            if await _answers(_socket_path(patient)):
                return [findings.ok("node", f"Runs (pid {pid}) and answers.")]
            said = f"It runs (pid {pid}) but does not answer, so it hangs or just starts. What it accepted is kept."
            return [findings.failure("node", f"{said} To end it:", f"kill -9 {pid}" if pid else "")]
        case Lock.UNREADABLE:
            return [findings.unknown("node", f"{place.run / 'lock'} cannot be read, so nobody knows whether it runs.")]
    if not exists(place):
        return []
    if not pid:
        return [findings.warning("node", "Not running.", "weft up")]
    said = f"Not running: the last one (pid {pid}) was killed or crashed. Nothing it accepted is lost; the next"
    return [findings.warning("node", f"{said} start clears away what it left.", "weft up")]


async def local_socket(patient: Patient) -> list[Finding]:
    """Whether the local API stands where doors look, for its owner alone."""
    if not os.access(patient.place.run, os.X_OK):
        return []
    path = _socket_path(patient)
    try:
        seen = path.lstat()
    except OSError:
        if patient.lock is Lock.HELD:
            said = f"{path} is gone, so no command reaches the node that runs. End it as said, then:"
            return [findings.failure("socket", said, "weft up")]
        return []
    if not stat.S_ISSOCK(seen.st_mode):
        said = f"{path} is no socket: something else put it there."
        return [findings.failure("socket", said, findings.typed("rm", path))]
    if patient.lock is not Lock.HELD:
        return [findings.ok("socket", "Left by a node that was killed; the next start makes it anew.")]
    folder = path.parent.stat()
    if (seen.st_mode | folder.st_mode) & OTHERS or seen.st_uid != folder.st_uid:
        wrong, right = (path, "600") if seen.st_mode & OTHERS else (path.parent, "700")
        said = f"{wrong} is open to others, who could command this node: it must be 0{right}."
        return [findings.failure("socket", said, findings.typed(f"chmod {right}", wrong))]
    return [findings.ok("socket", f"{path}, {stat.S_IMODE(seen.st_mode):04o}, yours alone.")]


def log(patient: Patient) -> list[Finding]:
    """What crashed within the last day, and how the last start ended."""
    path = patient.place.log
    if not os.access(path.parent, os.X_OK):
        return []
    found = []
    since = utc(patient.ground.now_ms() - DAY_MS)
    crashes = [line for line in _lines(path) if line.get("level") in ("error", "critical") and _at(line) >= since]
    if crashes:
        last = crashes[-1]
        which = next((f" ({last[name]})" for name in ("service", "method", "where") if name in last), "")
        why = str(last.get("fault", "")).partition(":")[0]
        said = f"{several(len(crashes), 'error')} within a day; the last at {_at(last)} UTC: {last.get('event')}{which}"
        said += f", {why}." if why else "."
        said += " The node went on. The log holds no texts and no keys, so it may be sent to whoever mends weft:"
        found.append(findings.warning("log", said, findings.typed('grep \'"level": "error"\'', path)))
    if patient.lock is Lock.FREE and (words := _last_words(path.with_name("start.log"))):
        said = f"The last start said: {words}"
        found.append(findings.warning("log", said, findings.typed("cat", path.with_name("start.log"))))
    return found or [findings.ok("log", "No error within a day.")]


def _socket_path(patient: Patient) -> Path:
    """Where doors look for the node: run/rpc.sock, or what run/rpc.path names."""
    run = patient.place.run
    with suppress(OSError, ValueError):
        if place := rpc.place_of((run / "rpc.path").read_text(), run.stat().st_ino):
            return Path(place)
    return run / "rpc.sock"


async def _answers(path: Path) -> bool:
    """Whether a node on this socket answers a call."""
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "node.version", "params": {}})
    try:
        with trio.fail_after(ANSWER_S):
            async with await trio.open_unix_socket(os.fspath(path)) as stream:
                await stream.send_all(call.encode() + b"\n")
                return bool(await stream.receive_some(ANSWER_BYTES_MAX))
    except (OSError, ValueError, trio.TooSlowError, trio.BrokenResourceError):
        return False


def _pid(path: Path) -> int:
    """The pid in this file; 0 when there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records at the end of the log, and of the file before it; what is none is left out."""
    for raw in (*_tail(path.with_name(f"{path.name}.1")), *_tail(path)):
        with suppress(ValueError):
            record = json.loads(raw)
            if isinstance(record, dict):
                yield record


def _tail(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            return file.read(LOG_BYTES).splitlines()
    except OSError:
        return []


def _at(record: dict[str, Any]) -> str:
    return str(record.get("timestamp", ""))[:19]


def _last_words(path: Path) -> str:
    lines = [line for raw in _tail(path) if (line := raw.decode(errors="replace").strip())]
    return lines[-1][:LAST_WORDS_CHARS] if lines else ""
