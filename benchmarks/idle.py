"""idle.bytes_per_day: what a node with 50 contacts sends and receives in a day of silence, in MB of IP packets.

The measured node is the shipped one on a host of its own (a network namespace); 31 contacts are online and serve the
DHT with it, 19 are away. Two windows of 10 minutes: before those 19 were there, and after. What the second costs more
is looks for them, counted in the node's log; a day has LOOKS_A_DAY of them for who is away for long. The talks, the
beacon and the DHT without looks are extrapolated from the first window. Linux and root only, else nothing is measured.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import figures, profiles
from benchmarks.profiles import Failed
from node import finder
from tests.stories import hosts
from tests.stories.real import RealNode

ONLINE, AWAY = 31, 19
WINDOW_S = 600.0
SETTLE_S = 300.0  # after the last contact came, until the window begins: the tables of 32 nodes have settled by then
DAY_S = 86_400.0
LOOKS_A_DAY = DAY_S / finder.RARELY_S
MB = 1e6
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Prints the figure."""
    if not hosts.possible():
        print("idle.bytes_per_day needs network namespaces: Linux and root", file=sys.stderr)
        return
    parts = measure(WINDOW_S)
    rounded: dict[str, Any] = {f"{name}_mb": round(value, 2) for name, value in parts.items()}
    figures.show("idle.bytes_per_day", [sum(parts.values())], "MB", "lower", contacts=ONLINE + AWAY, **rounded)


def measure(window_s: float) -> dict[str, float]:
    """MB a day, by what they are for. Raises: Failed."""
    with profiles.home() as home, hosts.open_lab(home, "sw") as lab:
        host, node = lab.node("ana")
        host.plug("sw", "10.77.0.1/24")
        node.init()
        node.up()
        others = lab.host("crowd")
        others.plug("sw", "10.77.0.2/24")
        port = int(node.call("node.status")["addresses"][0].rsplit("/", 1)[1])
        crowd = _Crowd(others, home)
        try:
            crowd.come(node, stay=ONLINE, leave=0)
            time.sleep(SETTLE_S)
            quiet, _ = _window(host, node, port, window_s)
            crowd.come(node, stay=0, leave=AWAY)
            time.sleep(SETTLE_S)
            busy, looks = _window(host, node, port, window_s)
        finally:
            crowd.end()
    a_day = DAY_S / window_s / MB
    parts = {name: count * a_day for name, count in quiet.items()}
    a_look = max(0, sum(busy.values()) - sum(quiet.values())) / max(1, looks)
    print(f"{looks} looks of {a_look:.0f} bytes; {quiet} then {busy}", file=sys.stderr)
    return parts | {"looks": AWAY * LOOKS_A_DAY * a_look / MB}


class _Crowd:
    """The processes in which the contacts live."""

    def __init__(self, host: hosts.Host, home: Path) -> None:
        self._host, self._home = host, home
        self._programs: list[subprocess.Popen[str]] = []

    def come(self, node: RealNode, stay: int, leave: int) -> None:
        """Returns when all are contacts of the node, and those that leave are gone. Raises: Failed."""
        folder = self._home / f"crowd{len(self._programs)}"
        folder.mkdir()
        words = (*self._host.inside, sys.executable, "-m", "benchmarks.crowd", "/ip4/10.77.0.2/tcp/0", str(folder))
        program = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._programs.append(program)
        assert program.stdin is not None
        assert program.stdout is not None
        links = [node.call("contacts.invite")["link"] for _ in range(stay + leave)]
        program.stdin.write(json.dumps({"stay": links[:stay], "leave": links[stay:]}) + "\n")
        program.stdin.close()
        if program.stdout.readline().strip() != "there":
            raise Failed("the contacts did not come")

    def end(self) -> None:
        for program in self._programs:
            program.kill()
            program.wait()


def _window(host: hosts.Host, node: RealNode, port: int, seconds: float) -> tuple[dict[str, int], int]:
    """Bytes by kind, and how many looks for contacts there were meanwhile."""
    words = (*host.inside, sys.executable, "-m", "benchmarks.tally", hosts.CABLE, str(port), str(seconds))
    before = _looks(node)
    counted = subprocess.run(words, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    found: Any = json.loads(counted.stdout)
    return found, _looks(node) - before


def _looks(node: RealNode) -> int:
    """How often the node has looked for a contact, by its log: to ask it for its status would wake the talks."""
    return sum('"event": "looked"' in line for line in (node.folder / "log" / "node.log").read_text().splitlines())
