"""Local networks in a simulated world: everybody in one place hears what is sent there, after a moment.

It keeps the promises of node/lan.py (tests/node/test_lan.py). A host is in one place at a time, or in none: then it has
no interface. Not here: the hosts' addresses and connections (network.py), which no place changes.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from typing import NamedTuple

import trio

from lab.network import SimNetwork
from node.lan import Heard, Interface, Lan, Sent, Way
from protocol.faults import Unavailable

DELAY_S = (0.0005, 0.002)
HEARD_MAX = 64
INTERFACE = "air0"


class Spread(NamedTuple):
    """A packet that was sent: when, from which host."""

    at: float
    name: str
    packet: bytes


class Places:
    """Where each host is, and who listens there. `loss`: the chance that a packet does not reach a listener."""

    def __init__(self, network: SimNetwork, nursery: trio.Nursery, seed: int) -> None:
        self.loss = 0.0
        self.tap: list[Spread] | None = None  # set it to [] to record
        self.taken = False  # whether another program has the port
        self._network = network
        self._nursery = nursery
        self._chance = random.Random(f"{seed}/places")
        self._place: dict[str, str] = {}  # host -> place
        self._ears: dict[str, list[trio.MemorySendChannel[Heard]]] = {}  # host -> where its packets go
        self._news: dict[str, SimNews] = {}

    def move(self, name: str, place: str | None) -> None:
        """Brings a host to a place, or away from all; its node is told that its network changed."""
        if place is None:
            self._place.pop(name, None)
        else:
            self._place[name] = place
        if name in self._news:
            self._news[name].ring()

    def news(self, name: str) -> "SimNews":
        """What the system of this host says of its networks from now on, to a node that starts."""
        self._news[name] = SimNews()
        return self._news[name]

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[Lan]:
        """Yields the Lan of a host until the block is left. Raises: Unavailable while another program has the port."""
        if self.taken:
            raise Unavailable("UDP port 47474 is taken by another program")
        heard_in, heard_out = trio.open_memory_channel[Heard](HEARD_MAX)
        self._ears.setdefault(name, []).append(heard_in)
        try:
            yield SimLan(self, name, heard_out)
        finally:
            self._ears[name].remove(heard_in)
            if not self._ears[name]:
                del self._ears[name]

    def address(self, name: str) -> IPv4Address | None:
        """The address that a host has where it is; None where it is nowhere."""
        return self._network.ip(name) if name in self._place else None

    def spread(self, name: str, packet: bytes, forged: IPv4Address | None = None) -> None:
        """Sends a packet to everybody in the place of its sender, who hears it too. forged: the source it pretends."""
        source = forged or self.address(name)
        assert source is not None
        if self.tap is not None:
            self.tap.append(Spread(trio.current_time(), name, packet))
        for hearer in list(self._ears):
            if self._place.get(hearer) != self._place[name]:
                continue
            delay_s = self._chance.uniform(*DELAY_S)
            if self._chance.random() >= self.loss:
                self._nursery.start_soon(self._arrive, hearer, Heard(packet, source, INTERFACE), delay_s)

    async def _arrive(self, hearer: str, heard: Heard, delay_s: float) -> None:
        await trio.sleep(delay_s)
        for ear in self._ears.get(hearer, ()):
            with suppress(trio.WouldBlock, trio.BrokenResourceError):  # a flood, or it is just closing
                ear.send_nowait(heard)


class SimLan:
    """The Lan of one host: implements node.lan.Lan. Made by Places.open."""

    def __init__(self, places: Places, name: str, heard: trio.MemoryReceiveChannel[Heard]) -> None:
        self._places = places
        self._name = name
        self._heard = heard

    def interfaces(self) -> tuple[Interface, ...]:
        """Returns the one interface, or none."""
        address = self._places.address(self._name)
        return () if address is None else (Interface(INTERFACE, 1, ((address, None),), ()),)

    async def send(self, interface: Interface, packet: bytes) -> tuple[Sent, ...]:
        """Sends to everybody in the same place."""
        await trio.lowlevel.checkpoint()
        ((source, _),) = interface.ipv4
        if self._places.address(self._name) is None:
            return (Sent(Way.MULTICAST, source, "the interface is gone"),)
        self._places.spread(self._name, packet)
        return (Sent(Way.MULTICAST, source, ""),)

    async def receive(self) -> Heard:
        """Returns the next packet."""
        return await self._heard.receive()


class SimNews:
    """What a simulated system says of its networks: implements node.lan.News."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Says that something changed."""
        self._rung.set()

    async def changed(self) -> None:
        """Returns after the next change."""
        await self._rung.wait()
        self._rung = trio.Event()
