"""What a node costs that has nothing to do, what attacks cost it, and how soon it meets a contact again.

node.idle_rss, node.idle_cpu: with one contact connected; the system's own count. Beside the memory: a Python process
that has imported libp2p and does nothing.
node.reconnect: a contact is killed and started again; from its "up" to connected. Beside it: libp2p's own connect().
node.attack_rss: the most memory that a node takes above its idle state, over all attacks of strangers. Beside it:
libp2p's own host, when 200 MB are pushed into one stream that it does not read.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import trio

from benchmarks import figures, profiles, stock
from benchmarks.messages import Api
from node import guards, streams
from node.network import Address
from protocol import talk
from protocol.faults import Unavailable
from tests.stories import attackers
from tests.stories.attackers import DATA, SYN, WINDOW, frame

RUNS = 3
IDLE_S = 20.0  # several rounds of everything that a node does by itself
SETTLE_S = 3.0
TICKS = os.sysconf("SC_CLK_TCK")
IMPORTS = "import libp2p, sys; print(flush=True); sys.stdin.read()"


AWAY_S = 5.0  # how long a killed contact is away: the other node's next dial is seconds off by then
RECONNECTS = 5
CONNECTED_S_MAX = 60.0
STOCK_S_MAX = 90.0  # its negative cache lasts 60 s
ATTACK_S = 6.0
STRANGERS = 150
SOCKETS = 900
STREAMS = 10_000
FLOOD_BYTES = 200_000_000


def main() -> None:
    """Prints the figures."""
    _idle()
    _reconnect()
    _attacks()


def _idle() -> None:
    memory, processor, bare = [], [], []
    for _ in range(RUNS):
        with profiles.home() as home:
            there = profiles.place(home)
            with profiles.running(there, "ana", "bo"):
                profiles.befriend(there, "ana", "bo")
                pid = profiles.call(there, "ana", "status")["pid"]
                time.sleep(SETTLE_S)  # measured is what comes after the start
                before = _cpu_s(pid)
                time.sleep(IDLE_S)
                processor.append(100 * (_cpu_s(pid) - before) / IDLE_S)
                memory.append(rss_mb(pid))
        bare.append(_imports_mb())
    figures.show("node.idle_rss", memory, "MB", "lower", "libp2p's imports alone", bare)
    figures.show("node.idle_cpu", processor, "%", "lower")


def _reconnect() -> None:
    took = []
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            ana = Api(home, "ana")
            for _ in range(RECONNECTS):
                os.kill(profiles.call(there, "bo", "status")["pid"], signal.SIGKILL)
                time.sleep(AWAY_S)
                profiles.call(there, "bo", "up", "-d")
                began = time.monotonic()
                while not ana.call("node.status")["contacts"][0]["online"]:
                    if time.monotonic() > began + CONNECTED_S_MAX:
                        raise profiles.Failed("the contact was not connected again")
                    time.sleep(0.01)
                took.append(time.monotonic() - began)
    theirs = stock.reconnect_s(stock.free_port(), STOCK_S_MAX)
    figures.show("node.reconnect", took, "s", "lower", "raw py-libp2p connect()", [theirs])


def _attacks() -> None:
    guards.quiet()  # libp2p tells stderr of every attacker that is sent away
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            status = profiles.call(there, "ana", "status")
            time.sleep(SETTLE_S)
            address = Address(status["addresses"][0])
            attacks = (_hold_all, _hold_sockets, _overrun, _open_streams)
            peaks = [_peak_mb(status["pid"], address, attack) for attack in attacks]
    port = stock.free_port()
    with stock.running(port) as program:
        time.sleep(SETTLE_S)
        theirs = _peak_mb(program.pid, Address(f"/ip4/127.0.0.1/tcp/{port}"), _overrun)
    figures.show("node.attack_rss", [max(peaks)], "MB", "lower", "raw py-libp2p host", [theirs], each=peaks)


def _peak_mb(pid: int, address: Address, attack: Callable[[Address], Awaitable[None]]) -> float:
    """The most memory during an attack, above what it was before."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
    before = rss_mb(pid)

    async def for_a_while() -> None:
        with trio.move_on_after(ATTACK_S):
            await attack(address)

    trio.run(for_a_while)
    return round(rss_mb(pid, "VmHWM") - before, 1)


async def _hold_all(address: Address) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(STRANGERS):
            nursery.start_soon(attackers.hold_all, address, number.to_bytes(32), attackers.ALLOWED)


async def _hold_sockets(address: Address) -> None:
    async def hold() -> None:
        while True:
            with suppress(OSError, trio.BrokenResourceError):
                async with await attackers.tcp(address) as stream:
                    await stream.send_all(attackers.named(talk.PROTOCOL)[:20])
                    await attackers.ended(stream, ATTACK_S)
            await trio.sleep(0.5)

    async with trio.open_nursery() as nursery:
        for _ in range(SOCKETS):
            nursery.start_soon(hold)


async def _overrun(address: Address) -> None:
    words = attackers.named(talk.PROTOCOL) + bytes((0, 0, 0, 32)) + bytes(32) + (600).to_bytes(4) + bytes(600)
    piece = frame(DATA, 0, 1, streams.DATA_BYTES_MAX, bytes(streams.DATA_BYTES_MAX))
    async with attackers.records(address, b"o" * 32) as link:
        link.put(frame(DATA, SYN, 1, len(words), words))
        with suppress(Unavailable):
            for _ in range(FLOOD_BYTES // len(piece)):
                link.put(piece)
                await link.flush()
            await trio.sleep_forever()


async def _open_streams(address: Address) -> None:
    async with attackers.records(address, b"n" * 32) as link:
        with suppress(Unavailable):
            for number in range(1, 2 * STREAMS, 2):
                link.put(frame(WINDOW, SYN, number, 0))
                await link.flush()
            await trio.sleep_forever()


def _imports_mb() -> float:
    command = [sys.executable, "-c", IMPORTS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        size = rss_mb(process.pid)
        process.kill()
    return size


def rss_mb(pid: int, name: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise profiles.Failed(f"process {pid} is gone")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
