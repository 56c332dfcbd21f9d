"""lan.online, lan.cold: how long until a contact on the same network is shown online, found by the beacon alone.

Two shipped nodes on loopback. Before each run both get another port, so that no address they know is good. The first
runs; the second is started with `weft up -d`. lan.cold counts from that command, lan.online from when it says that the
node is up, both until both nodes show the other as online. Beside lan.cold: what it takes to import libp2p alone.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import figures, profiles
from benchmarks.messages import Api

RUNS = 10


def main() -> None:
    """Prints both figures."""
    online: list[float] = []
    cold: list[float] = []
    imports: list[float] = []
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            profiles.call(there, "bo", "send", "ana", "hello", "--wait", "delivered", "30")
        for _ in range(RUNS):
            imports.append(_imported_s())
            up_s, met_s = _met_s(home)
            online.append(met_s - up_s)
            cold.append(met_s)
    figures.show("lan.online", online, "s", "lower")
    figures.show("lan.cold", cold, "s", "lower", "import libp2p", imports)


def _met_s(home: Path) -> tuple[float, float]:
    """Seconds from the command until it says that the node is up, and until both show the other online."""
    first = profiles.place(home, WEFT_PORT=str(_free_port()))
    second = profiles.place(home, WEFT_PORT=str(_free_port()))
    profiles.call(first, "ana", "up", "-d")
    try:
        began = time.perf_counter()
        profiles.call(second, "bo", "up", "-d")
        up_s = time.perf_counter() - began
        for person in ("ana", "bo"):
            _await_online(home, person)
        return up_s, time.perf_counter() - began
    finally:
        for person in ("bo", "ana"):
            profiles.call(first, person, "down")


def _await_online(home: Path, person: str) -> None:
    api = Api(home, person)
    api.call("watch", topics=["contacts"])
    while not api.call("node.status")["contacts"][0]["online"]:
        next(said for said in api.lines() if said.get("method") == "change")


def _imported_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import libp2p"], check=True)
    return time.perf_counter() - began


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
