"""dht.connect: from the start of a node to the talk with a contact whom it finds by the DHT alone, among 32 nodes.

Two shipped nodes and thirty hosts that serve the DHT, all on loopback. Both nodes moved while the other was away, so
that no address that they know of each other is good; the one who starts joins the DHT by one peer of dht.bootstrap, or
by those it remembers, looks the other up and dials. From when `weft up` has returned to when the status says online.
"""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import trio

from benchmarks import figures, profiles
from benchmarks.messages import Api
from node.host import open_host
from node.identify import Offers
from node.kad.dht import Kad, Mode
from node.kad.shelf import Rules
from node.network import Address, Network, peer_text
from protocol import rendezvous

SERVERS = 30
RUNS = 5
PATIENCE_S = 60.0
ANYWHERE = Address("/ip4/127.0.0.1/tcp/0")


def main() -> None:
    """Prints the figure."""
    figures.show("dht.connect", trio.run(measure, RUNS), "s", "lower", nodes=SERVERS + 2)


async def measure(runs: int) -> list[float]:
    """Seconds of each run. Raises: profiles.Failed."""
    async with servers(SERVERS) as (entry, *_):
        return await trio.to_thread.run_sync(_runs, runs, entry)


@asynccontextmanager
async def servers(count: int) -> AsyncIterator[list[str]]:
    """Hosts that serve the DHT and know one another; yields them as dht.bootstrap names them."""
    random, named = Random(1), list[str]()
    async with trio.open_nursery() as nursery:
        known: list[tuple[Network, Address]] = []
        for _ in range(count):
            network, address, kad = await nursery.start(_live, random.randbytes(32))
            for other, there in random.sample(known, min(2, len(known))):
                kad.note_peer(other.peer, (there,))
            known.append((network, address))
            named.append(f"{address}/p2p/{peer_text(network.peer)}")
        yield named
        nursery.cancel_scope.cancel()


async def _live(seed: bytes, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    async with open_host(seed) as network:
        (address,) = await network.listen((ANYWHERE,))
        rules, draw = Rules(rendezvous.check, rendezvous.newer), Random(seed).randbytes
        offers = Offers(network, network.addresses)
        kad = Kad(network, offers, rules, lambda: int(time.time()), draw, network.addresses, Mode.SERVER)
        task_status.started((network, address, kad))
        await kad.run()


def _runs(runs: int, entry: str) -> list[float]:
    with profiles.home() as home, profiles.running(profiles.place(home), "ana", "bo"):
        for person in ("ana", "bo"):
            profiles.call(profiles.place(home), person, "config", "set", "lan.beacon", "no")
            profiles.call(profiles.place(home), person, "config", "set", "dht.bootstrap", entry)
        profiles.befriend(profiles.place(home), "ana", "bo")
        return [_one(home) for _ in range(runs)]


def _one(home: Path) -> float:
    """Both move, one after the other, while the other is away."""
    for person in ("ana", "bo"):
        profiles.call(profiles.place(home), person, "down")
    began_ms = time.time() * 1000
    _up(home, "ana")
    _until(home, "ana", lambda told: told["dht"]["published_ms"] > began_ms)
    _up(home, "bo")
    began = time.perf_counter()
    _until(home, "bo", lambda told: bool(told["contacts"][0]["online"]))
    return time.perf_counter() - began


def _up(home: Path, person: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    profiles.call(profiles.place(home, WEFT_PORT=str(port)), person, "up", "-d")


def _until(home: Path, person: str, is_so: Any) -> None:
    """Waits until the status of a node says so. Raises: profiles.Failed."""
    deadline = time.monotonic() + PATIENCE_S
    api = Api(home, person)
    while not is_so(api.call("node.status")):
        if time.monotonic() > deadline:
            raise profiles.Failed(f"{person} is not there after {PATIENCE_S:.0f} s")
        time.sleep(0.01)
