"""Three real hosts on loopback: a relay, who holds a reservation there, and who calls; and echoes over circuits."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import trio

from node import host
from node.host import Host
from node.identify import Offers
from node.network import Accept, Address, Circuit, PeerId, Stream, circuit_text
from node.relay import circuits, messages
from node.relay.hop import Relay, Terms
from node.relay.messages import Answer, Reserve, Status

RELAY, HOLDER, CALLER, OTHER = b"r" * 32, b"h" * 32, b"c" * 32, b"o" * 32
ECHO = "/echo/1"
LOOPBACK = Address("/ip4/127.0.0.1/tcp/0")
PATIENCE_S = 60  # for what must end; only a failing test waits so long
TERMS = Terms(circuits=8, minutes=60, circuit_megabytes=10, day_megabytes=100)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def echo(protocol: str, stream: Stream) -> None:
    stream.vouch()  # a stranger may not say much
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


@asynccontextmanager
async def opened(seed: bytes) -> AsyncIterator[tuple[Host, Address]]:
    """Yields a host that serves ECHO on loopback, and its address."""
    async with host.open_host(seed) as made:
        assert isinstance(made, Host)
        made.serve([ECHO], echo)
        (address,) = await made.listen([LOOPBACK])
        yield made, address


@dataclass
class Town:
    """A relay that is on, and two hosts that know it."""

    relay: Relay
    relay_host: Host
    relay_address: Address
    holder: Host
    caller: Host

    def turn(self, **terms: int) -> None:
        """Sets other terms."""
        self.relay.turn(True, replace(TERMS, **terms))

    async def reserve(self, holder: Host | None = None) -> Answer:
        """Asks for a reservation, and takes circuits of this relay from now on. The link lives as long as its host."""
        holder = holder or self.holder
        link = await holder.dial(self.relay_address, self.relay_host.peer)
        stream = await link.open(messages.HOP)
        answer = await circuits.ask(stream, Reserve())
        await stream.aclose()
        holder.serve([messages.STOP], taking(holder, self.relay_address))
        return answer

    def circuit(self, target: PeerId | None = None) -> Address:
        """The address of the holder, or another, through the relay."""
        return circuit_text(Circuit(self.relay_address, self.relay_host.peer, target or self.holder.peer))


def taking(holder: Host, relay: Address) -> Accept:
    """Who takes every circuit that a relay brings."""

    async def take(protocol: str, stream: Stream) -> None:
        messages.decode_stop(await circuits.read(stream))
        raw = messages.encode_stop(Answer(Status.OK))
        await stream.send_all(bytes([len(raw)]) + raw)
        stream.vouch()
        await holder.host_through(stream, relay)

    return take


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    with trio.fail_after(PATIENCE_S):
        async with opened(RELAY) as (there, address), opened(HOLDER) as (holder, _), opened(CALLER) as (caller, _):
            offers = Offers(there, there.addresses)
            relay = Relay(there, offers, now_ms, TERMS)
            relay.turn(True, TERMS)
            yield Town(relay, there, address, holder, caller)


async def echoes(stream: Stream, said: bytes = b"alive") -> None:
    """Asserts that what is said comes back."""
    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, said)
        while len(received) < len(said):
            data = await stream.receive_some(65_536)
            assert data, "the stream ended too early"
            received += data
    assert received == said
