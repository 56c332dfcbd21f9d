"""relay.oneway: durable messages between two real nodes through the relay of a third, and directly, in the same run.

All three are the shipped node on loopback. The two know each other directly first; then both move to other ports, so
that the only address that still holds is the one through the relay, and look for no better way (`relay.punch no`).
"""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import figures, messages, profiles
from benchmarks.messages import Api

RUNS = 3
WAY_S = 60.0  # for a reservation, and for a contact to be reached through it

Samples = list[float]


def main() -> None:
    """Prints the figure."""
    relayed, direct = measure(RUNS)
    figures.show("relay.oneway", relayed, "1/s", "higher", "the direct path", direct)


def measure(runs: int) -> tuple[Samples, Samples]:
    """Messages a second through a relay and directly, of so many runs each. Raises: profiles.Failed."""
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "relay", "ana", "bo"):
            profiles.call(there, "relay", "config", "set", "relay.offer", "on")
            (offered, *_) = Api(home, "relay").call("node.status")["offers"]
            for name, wanted in (("lan.beacon", "no"), ("relay.punch", "no"), ("relay.addresses", offered)):
                for person in ("ana", "bo"):
                    profiles.call(there, person, "config", "set", name, wanted)
            _until(home, "bo", lambda told: bool(told["relays"]))
            profiles.befriend(there, "ana", "bo")
            direct = [messages.oneway(home) for _ in range(runs)]
            for person in ("ana", "bo"):  # both, before one of them tells the other where it went
                profiles.call(there, person, "down")
            for person in ("ana", "bo"):
                profiles.call(profiles.place(home, WEFT_PORT=str(_free_port())), person, "up", "-d")
            _until(home, "ana", lambda told: [one["path"] for one in told["contacts"]] == ["relayed"])
            relayed = [messages.oneway(home) for _ in range(runs)]
            _until(home, "ana", lambda told: [one["path"] for one in told["contacts"]] == ["relayed"])
    return relayed, direct


def _until(home: Path, person: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
    """Waits until the status of a node says so. Raises: profiles.Failed."""
    deadline = time.monotonic() + WAY_S
    while not is_so(Api(home, person).call("node.status")):
        if time.monotonic() > deadline:
            raise profiles.Failed(f"{person} has not the way that is measured after {WAY_S:.0f} s")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
