"""The Lan over UDP: a socket of each family hears all interfaces; a packet leaves from one bound to its own address.

Every way out is tried on every interface, because networks differ in what they let through: Wi-Fi often drops
multicast, some switches drop broadcast, some networks have IPv6 alone. Not here: which interfaces there are
(interfaces.py).
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Any

import trio

from node import interfaces
from node.lan import PORT, Heard, Interface, Lan, Sent, Way
from protocol.beacon import IP, PACKET_BYTES
from protocol.faults import Unavailable

GROUP = IPv4Address("239.255.47.74")  # administratively scoped (RFC 2365): routers keep it on the local network
GROUP6 = IPv6Address("ff02::4747")  # link-local scope
HEARD_MAX = 64  # packets that wait for the node; more come from a flood, and beacons are sent again
ANCILLARY_BYTES = 256  # room for one packet-information record of either family

_MREQN = Struct("=4s4si")  # group, address, interface: ip(7)
_MREQ6 = Struct("=16sI")  # group, interface: ipv6(7)
_INFO = Struct("=I4s4s")  # interface, local address, destination
_INFO6 = Struct("=16sI")  # destination, interface
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8 if sys.platform == "linux" else 26)


@asynccontextmanager
async def open_datagrams() -> AsyncIterator[Lan]:
    """Yields the Lan of this machine until the block is left.

    Raises: Unavailable when another program has the port for itself, or there is no UDP here.
    """
    ears = [ear for family in (socket.AF_INET, socket.AF_INET6) if (ear := _ear(family)) is not None]
    if not ears:
        raise Unavailable(f"UDP port {PORT} is taken by another program")
    heard_in, heard_out = trio.open_memory_channel[Heard](HEARD_MAX)
    async with trio.open_nursery() as nursery:
        for ear in ears:
            nursery.start_soon(_listen, ear, heard_in)
        try:
            yield Datagrams(ears, heard_out)
        finally:
            nursery.cancel_scope.cancel()
            for ear in ears:
                ear.close()


class Datagrams:
    """Implements node.lan.Lan. Made by open_datagrams."""

    def __init__(self, ears: list[trio.socket.SocketType], heard: trio.MemoryReceiveChannel[Heard]) -> None:
        self._ears = ears
        self._heard = heard

    def interfaces(self) -> tuple[Interface, ...]:
        """Returns the interfaces that are up and have an address; from now on the groups' packets are heard on each."""
        found = interfaces.current()
        for one in found:
            for ear in self._ears:
                with suppress(OSError):  # it was asked before
                    if ear.family == socket.AF_INET:
                        here = _MREQN.pack(GROUP.packed, IPv4Address(0).packed, one.index)
                        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, here)
                    else:
                        here = _MREQ6.pack(GROUP6.packed, one.index)
                        ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, here)
        return found

    async def send(self, interface: Interface, packet: bytes) -> tuple[Sent, ...]:
        """Sends by multicast from the first IPv4 address, to each subnet's broadcast, by multicast of IPv6."""
        sent: list[Sent] = []
        for place, (source, broadcast) in enumerate(interface.ipv4):
            if place == 0:
                sent.append(await _send(Way.MULTICAST, source, (str(GROUP), PORT), interface, packet))
            if broadcast is not None:
                sent.append(await _send(Way.BROADCAST, source, (str(broadcast), PORT), interface, packet))
        for source6 in [one for one in interface.ipv6 if one.is_link_local][:1]:  # loopback has none, and needs none
            to = (str(GROUP6), PORT, 0, interface.index)
            sent.append(await _send(Way.MULTICAST6, source6, to, interface, packet))
        return tuple(sent)

    async def receive(self) -> Heard:
        """Returns the next packet."""
        return await self._heard.receive()


def _ear(family: socket.AddressFamily) -> trio.socket.SocketType | None:
    """A socket that hears the port on every interface; None where the family or the port is not to be had."""
    try:
        raw = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        return None
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET:
            raw.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            raw.bind(("", PORT))
        else:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            raw.bind(("::", PORT))
    except OSError:
        raw.close()
        return None
    return trio.socket.from_stdlib_socket(raw)


async def _listen(ear: trio.socket.SocketType, heard: trio.MemorySendChannel[Heard]) -> None:
    while True:
        try:
            packet, ancillary, _, source = await ear.recvmsg(PACKET_BYTES + 1, ANCILLARY_BYTES)
            interface = socket.if_indextoname(_index(ancillary))
        except OSError:
            continue  # an error of an earlier packet, or the interface has gone meanwhile
        with suppress(trio.WouldBlock):
            heard.send_nowait(Heard(packet, ip_address(str(source[0]).partition("%")[0]), interface))


def _index(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The number of the interface that a packet came over; 0, which none has, where the system did not say."""
    for level, kind, content in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(content) >= _INFO.size:
            return int(_INFO.unpack_from(content)[0])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(content) >= _INFO6.size:
            return int(_INFO6.unpack_from(content)[1])
    return 0


async def _send(way: Way, source: IP, to: tuple[Any, ...], interface: Interface, packet: bytes) -> Sent:
    family = socket.AF_INET if source.version == 4 else socket.AF_INET6
    try:
        with trio.socket.socket(family, socket.SOCK_DGRAM) as mouth:
            if family == socket.AF_INET:
                mouth.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, source.packed)
                await mouth.bind((str(source), 0))
            else:
                mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
                await mouth.bind((str(source), 0, 0, interface.index if source.is_link_local else 0))
            await mouth.sendto(packet, to)
    except OSError as fault:
        return Sent(way, source, fault.strerror or "it failed")
    return Sent(way, source, "")
