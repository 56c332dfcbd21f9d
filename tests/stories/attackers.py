"""What those who attack a real node need: sockets, links after a true Noise handshake, and frames by hand.

Not here: the attacked (siege.py), the attacks themselves (test_attacks.py and its neighbours).
"""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import trio

from node import guards
from node.network import Address, parts_of
from node.records import Records, Socket
from node.yamux import Session
from protocol import invite, talk

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8


async def tcp(address: Address) -> trio.SocketStream:
    """A TCP connection and nothing more."""
    ip, port = parts_of(address)
    return await trio.open_tcp_stream(str(ip), port)


async def break_off(stream: trio.SocketStream) -> None:
    """Ends a TCP connection with a reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def ended(stream: trio.SocketStream, within_s: float) -> bool:
    """Whether the other end closes a connection within this time; what it says before is thrown away."""
    with trio.move_on_after(within_s):
        with suppress(trio.BrokenResourceError):
            while await stream.receive_some(65_536):
                pass
        return True
    return False


async def session(address: Address, seed: bytes) -> Session:
    """A link after the true Noise and Yamux negotiation; nobody runs it yet. seed: 32 bytes, of the PeerId."""
    upgrader = guards.Upgrader(seed)
    stream = await tcp(address)
    try:
        sealed = await upgrader.upgrade_security(guards.raw_connection(stream, is_initiator=True), True, None)
        return (await upgrader.upgrade_connection(sealed, None)).session
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


@asynccontextmanager
async def records(address: Address, seed: bytes) -> AsyncIterator[Records]:
    """A link on which Yamux is written by hand."""
    made = (await session(address, seed)).records
    try:
        yield made
    finally:
        await made.aclose()


def frame(kind: int, flags: int, number: int, value: int, body: bytes = b"") -> bytes:
    """One Yamux frame."""
    return struct.pack(">BBHII", 0, kind, flags, number, value) + body


async def link_ended(link: Records, within_s: float) -> bool:
    """Whether the other end closes a link within this time."""
    with trio.move_on_after(within_s):
        with suppress(Exception):  # a reset, or the end of the socket inside a record
            while await link.receive():
                pass
        return True
    return False


def named(protocol: str) -> bytes:
    """The first words on a stream: multistream-select for one protocol."""
    name = protocol.encode() + b"\n"
    return b"\x13/multistream/1.0.0\n" + bytes([len(name)]) + name


@dataclass(frozen=True)
class Greed:
    """How much a stranger sends on one link: streams at each door, bytes behind each proof, pings."""

    streams: int
    bytes_behind: int
    pings: int


ALLOWED = Greed(1, 60_000, 5_000)  # just what a node takes from a stranger
MORE = Greed(3, 250_000, 60_000)


async def hold_all(address: Address, seed: bytes, greed: Greed) -> None:
    """Takes a node's memory as a stranger, again and again, until cancelled.

    Proofs with much behind them, pings whose answers it leaves unread, half a record, and then nothing more.
    """
    proof = bytes((0, 0, 0, 32)) + bytes(32) + (600).to_bytes(4) + bytes(600)
    while True:
        with suppress(Exception):  # it is sent away in many ways
            async with records(address, seed) as link:
                for number in range(1, 4 * greed.streams, 2):
                    words = named((talk.PROTOCOL, invite.PROTOCOL)[number // 2 % 2]) + proof
                    link.put(frame(DATA, SYN, number, len(words), words))
                    link.put(frame(DATA, 0, number, greed.bytes_behind, bytes(greed.bytes_behind)))
                link.put(frame(PING, SYN, 0, 7) * greed.pings)
                await link.flush()
                assert isinstance(link.wire, Socket)
                await link.wire.stream.send_all(b"\xff\xff" + bytes(65_000))
                await trio.sleep(20)
        await trio.sleep(0.1)
