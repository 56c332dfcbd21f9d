"""messages.oneway, messages.pingpong: durable, receipted messages between two real nodes, fed through the local socket.

The shipped node in its default configuration; every message is committed (`PRAGMA synchronous` is read back and shown)
before the API answers, sealed, committed on the other node, acknowledged, and marked as delivered. Beside it, in turn,
the bare loop of bare.py.
"""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import bare, figures, profiles

RUNS = 5
ONEWAY = 20_000
PINGPONG = 300  # round trips
TEXT = "x" * 100
CALL_TEXTS = 64
CALLS_OPEN = 8  # 512 texts that the API has not answered yet
SETTLE_S = 0.005


class Api:
    """A connection to a node's local socket: lines out, lines in."""

    def __init__(self, home: Path, person: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(home / person / "run" / "rpc.sock"))
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def ask(self, method: str, **params: object) -> int:
        """Sends a call; returns its number."""
        self._number += 1
        call = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self._socket.sendall(json.dumps(call).encode() + b"\n")
        return self._number

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the node says, as it comes. Raises: profiles.Failed for an error."""
        for line in self._lines:
            said = json.loads(line)
            if "error" in said:
                raise profiles.Failed(json.dumps(said["error"]))
            yield said

    def call(self, method: str, **params: object) -> Any:
        """Sends a call and returns its answer; what is said meanwhile is passed over."""
        number = self.ask(method, **params)
        return next(said["result"] for said in self.lines() if said.get("id") == number)


def main() -> None:
    """Prints both figures."""
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            synchronous = Api(home, "ana").call("node.status")["synchronous"]
            ours, floor = figures.in_turn(RUNS, lambda: oneway(home), lambda: bare.oneway(home, ONEWAY))
            figures.show("messages.oneway", ours, "1/s", "higher", "bare loop", floor, synchronous=synchronous)
            ours, floor = figures.in_turn(RUNS, lambda: pingpong(home), lambda: bare.pingpong(home, PINGPONG))
            figures.show("messages.pingpong", ours, "1/s", "higher", "bare loop", floor, synchronous=synchronous)


def oneway(home: Path) -> float:
    """Messages a second from the first call to the last delivery."""
    ana = Api(home, "ana")
    texts = [TEXT] * CALL_TEXTS
    left = ONEWAY // CALL_TEXTS
    began = time.perf_counter()
    for _ in range(CALLS_OPEN):
        ana.ask("chat.send_all", to="bo", texts=texts)
    for answered, _ in enumerate(ana.lines(), start=1):
        if answered + CALLS_OPEN <= left:
            ana.ask("chat.send_all", to="bo", texts=texts)
        if answered == left:
            break
    while ana.call("node.status")["queued"]:
        time.sleep(SETTLE_S)
    return left * CALL_TEXTS / (time.perf_counter() - began)


def pingpong(home: Path) -> float:
    """Messages a second when each waits until the one before is shown at the other end."""
    ana, bo = Api(home, "ana"), Api(home, "bo")
    ana.call("watch", topics=["chat.received"])
    bo.call("watch", topics=["chat.received"])
    seen_by_ana = (said for said in ana.lines() if said.get("method") == "change")
    seen_by_bo = (said for said in bo.lines() if said.get("method") == "change")
    began = time.perf_counter()
    for _ in range(PINGPONG):
        ana.ask("chat.send", to="bo", text=TEXT)
        next(seen_by_bo)
        bo.ask("chat.send", to="ana", text=TEXT)
        next(seen_by_ana)
    return 2 * PINGPONG / (time.perf_counter() - began)
