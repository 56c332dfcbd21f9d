"""A file of 200 MB between two nodes, what it costs in memory, and what it does to a chat beside it.

media.file_rate: from `media.get` on the receiver's local socket until all of it is there: every piece came sealed, was
checked against the manifest in the message, and is on the disk (fsync). whole_s: the same with sealing at the sender
before and opening into a folder after it. Beside it, in turn, a raw stream of py-libp2p (stock.py): Noise and Yamux,
zeros, nothing checked and nothing written.
media.file: the one as a share of the other, in the same round.
media.file_bare: the same beside a bare stream between two of the node's own hosts, which are faster than libp2p's;
`python -m benchmarks.media` is its other end.
media.memory: the most memory of the receiver's node during 2 GB, above what it had before; the sender's as a remark.
media.chat_delay: a message of 100 bytes until it is delivered, while 2 GB travel the same way, more than without.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import trio

from benchmarks import figures, profiles, stock
from benchmarks.messages import Api
from benchmarks.node import rss_mb
from node.host import open_host
from node.network import Address, Stream

BYTES = 200_000_000
LARGE_BYTES = 2_000_000_000
RUNS = 5
PROTOCOL = "/weft/bench/1"
PIECE = bytes(65_507)
SERVED, DIALLER = b"s" * 32, b"d" * 32
MESSAGES = 100
DELAY_RUNS = 3
GAP_S = 0.02
TEXT = "x" * 100
LIBP2P = "a raw py-libp2p stream"


def main() -> None:
    """Prints the figures."""
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            ana, bo = Api(home, "ana"), Api(home, "bo")
            ana.call("watch", cursor=None, topics=["delivery"])
            bo.call("watch", cursor=None, topics=["media.progress"])
            _rate(home, ana, bo)
            _delay(home, ana, bo)
            _memory(home, there, ana, bo)


def _rate(home: Path, ana: Api, bo: Api) -> None:
    ours, raw, bare, wholes = [], [], [], []
    for _ in range(RUNS + 1):
        began = time.monotonic()
        ident = _told(ana, bo, _random(home / "file.bin", BYTES))
        sealed = time.monotonic()
        _fetch(bo, ident)
        there = time.monotonic()
        saved = bo.call("media.save", id=ident, folder=str(home))
        wholes.append(time.monotonic() - began)
        Path(saved["file"]).unlink()
        ours.append(BYTES / 1e6 / (there - sealed))
        raw.append(BYTES / 1e6 / stock.stream_s(stock.free_port(), BYTES))
        bare.append(BYTES / 1e6 / _bare_s())
        for one in (ana, bo):
            one.call("media.drop", id=ident)
    ours, raw, bare, wholes = ours[1:], raw[1:], bare[1:], wholes[1:]  # the first warms both
    figures.show("media.file_rate", ours, "MB/s", "higher", LIBP2P, raw, whole_s=round(median(wholes), 2))
    for name, baseline, theirs in (("media.file", LIBP2P, raw), ("media.file_bare", "a bare stream", bare)):
        figures.show(name, [a / b for a, b in zip(ours, theirs, strict=True)], "ratio", "higher", baseline, [1])


def _delay(home: Path, ana: Api, bo: Api) -> None:
    without, during = [], []
    for _ in range(DELAY_RUNS):
        without.append(_talk(ana, MESSAGES))
        ident = _told(ana, bo, _random(home / "file.bin", LARGE_BYTES))
        bo.ask("media.get", id=ident)
        during.append(_talk(ana, MESSAGES))
        if ana.call("media.show", id=ident)["given"] == ana.call("media.show", id=ident)["pieces"]:
            raise profiles.Failed("the file was there before the last message was said")
        _await_here(bo, ident)
        for one in (ana, bo):
            one.call("media.drop", id=ident)
    more = [(a - b) * 1000 for a, b in zip(during, without, strict=True)]
    figures.show("media.chat_delay", more, "ms", "lower", "without a transfer", [one * 1000 for one in without])


def _memory(home: Path, there: profiles.Place, ana: Api, bo: Api) -> None:
    pids = [profiles.call(there, name, "status")["pid"] for name in ("ana", "bo")]
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
    before = [rss_mb(pid) for pid in pids]
    ident = _told(ana, bo, _random(home / "large.bin", LARGE_BYTES))
    _fetch(bo, ident)
    sender, receiver = (rss_mb(pid, "VmHWM") - idle for pid, idle in zip(pids, before, strict=True))
    figures.show("media.memory", [receiver], "MB", "lower", sender=round(sender, 1))


def _random(place: Path, length: int) -> Path:
    with place.open("wb") as file:
        for start in range(0, length, 1 << 24):
            file.write(os.urandom(min(1 << 24, length - start)))
    return place


def _told(ana: Api, bo: Api, place: Path) -> str:
    """Sends a file; returns its message's id, once the other node knows of it."""
    ident: str = ana.call("media.send", to="bo", path=str(place))["id"]
    place.unlink()
    while not any(one["id"] == ident for one in bo.call("media.list", limit=1)):
        time.sleep(0.005)
    return ident


def _fetch(bo: Api, ident: str) -> None:
    """Returns when all of it is there."""
    bo.ask("media.get", id=ident)
    _await_here(bo, ident)


def _await_here(bo: Api, ident: str) -> None:
    for said in bo.lines():
        if said.get("method") == "change" and _is_here(said["params"]["data"], ident):
            return


def _is_here(file: dict[str, Any], ident: str) -> bool:
    return bool(file["id"] == ident and file["state"] == "here")


def _talk(ana: Api, count: int) -> float:
    """Sends messages one by one; the median time until one is delivered, in seconds."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        number = ana.ask("chat.send", to="bo", text=TEXT)
        ident = ""
        delivered: set[str] = set()
        for said in ana.lines():
            if said.get("id") == number:
                ident = said["result"]["id"]
            elif said.get("method") == "change" and said["params"]["data"]["state"] in ("delivered", "read"):
                delivered.add(said["params"]["data"]["id"])
            if ident and ident in delivered:
                break
        took.append(time.monotonic() - began)
        time.sleep(GAP_S)
    return median(took)


# --- the baseline


def _bare_s() -> float:
    """How long so many bytes take on a stream that another process fills."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.media"], stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            return trio.run(_taken_s, Address(program.stdout.readline().decode().strip()))
        finally:
            program.kill()


async def _taken_s(address: Address) -> float:
    async with open_host(DIALLER) as host:
        link = await host.dial(address, None)
        stream = await link.open(PROTOCOL)
        await stream.send_all(b"?")
        began, left = time.monotonic(), BYTES
        while left > 0:
            left -= len(await stream.receive_some(1 << 18))
        return time.monotonic() - began


async def _serve() -> None:
    async def accept(_protocol: str, stream: Stream) -> None:
        await stream.receive_some(1)
        stream.vouch()
        for _ in range(BYTES // len(PIECE) + 1):
            await stream.send_all(PIECE)
        await trio.sleep_forever()

    async with open_host(SERVED) as host:
        host.serve((PROTOCOL,), accept)
        (address,) = await host.listen((Address("/ip4/127.0.0.1/tcp/0"),))
        print(address, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_serve)
