"""The network interfaces of this machine, and the kernel's news of them. No polling: the kernel says when they change.

Linux tells over netlink (rtnetlink(7)), macOS and the BSDs over a routing socket (route(4)); both need no privilege.
"""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import psutil
import trio

from node.lan import Interface

SETTLED_S = 0.3  # a cable that is plugged in makes a dozen messages, and its address comes a little later
NEWS_BYTES = 65_536  # of one read: what it says is not looked at

_LINUX_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links, addresses and routes of IPv4 and IPv6


def current() -> tuple[Interface, ...]:
    """Returns the interfaces that are up and have an address, in the order of their numbers."""
    stats = psutil.net_if_stats()
    found: list[Interface] = []
    for name, rows in psutil.net_if_addrs().items():
        if name not in stats or not stats[name].isup:
            continue
        ipv4 = [
            (IPv4Address(row.address), broadcast_of(row.address, row.netmask, row.broadcast))
            for row in rows
            if row.family == socket.AF_INET
        ]
        ipv6 = [IPv6Address(row.address.partition("%")[0]) for row in rows if row.family == socket.AF_INET6]
        if not ipv4 and not ipv6:
            continue
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            continue  # it has gone meanwhile
        ipv6.sort(key=lambda one: (not one.is_link_local, one))
        found.append(Interface(name, index, tuple(ipv4), tuple(ipv6)))
    return tuple(sorted(found, key=lambda one: one.index))


def broadcast_of(address: str, netmask: str | None, told: str | None) -> IPv4Address | None:
    """Returns the broadcast address of a subnet, None where it has none (loopback, the two ends of a tunnel).

    told: what the system says. Linux says the address itself where nobody set one (`ip address add` without `brd`),
    and takes the last address of the subnet all the same.
    """
    if told is None or told != address or netmask is None:
        return None if told is None else IPv4Address(told)
    subnet = IPv4Network((address, netmask), strict=False)
    return subnet.broadcast_address if subnet.prefixlen < 31 else None


class KernelNews:
    """The kernel's news: implements node.lan.News. Made by open_news."""

    def __init__(self, source: trio.socket.SocketType | None) -> None:
        self._source = source

    async def changed(self) -> None:
        """Returns after a change and SETTLED_S of silence; never, where the kernel tells nothing."""
        if self._source is None:
            await trio.sleep_forever()
            return
        await self._next(self._source)
        quiet = False
        while not quiet:
            with trio.move_on_after(SETTLED_S) as silence:
                await self._next(self._source)
            quiet = silence.cancelled_caught

    async def _next(self, source: trio.socket.SocketType) -> None:
        try:
            await source.recv(NEWS_BYTES)
        except OSError as fault:
            if fault.errno != errno.ENOBUFS:  # so much news that some was dropped is news
                raise


@asynccontextmanager
async def open_news() -> AsyncIterator[KernelNews]:
    """Yields the kernel's news of interfaces, addresses and routes until the block is left."""
    source = _source()
    if source is None:
        yield KernelNews(None)
        return
    with source:
        yield KernelNews(source)


def _source() -> trio.socket.SocketType | None:
    try:
        if hasattr(socket, "AF_NETLINK"):
            raw = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            raw.bind((0, _LINUX_GROUPS))
        elif hasattr(socket, "AF_ROUTE"):
            raw = socket.socket(socket.AF_ROUTE, socket.SOCK_RAW, 0)
        else:
            return None
    except OSError:
        return None  # a sandbox without it: beacons every minute are all there is
    return trio.socket.from_stdlib_socket(raw)
