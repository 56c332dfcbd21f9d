"""TCP sockets for links: listening, and dialling from the port on which we listen.

A NAT gives packets from one port one outside port (most do): who dials from the port on which he listens learns from
the other end where he can be dialled, and opens the NAT for packets to it. So a hole is punched (docs/protocol/relay.md
5). Not here: what is said on a socket (host.py).
"""

import errno
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import trio

from protocol.faults import Unavailable

IP = IPv4Address | IPv6Address


class Refused(Unavailable):
    """The other end, or its network, answered that nobody may connect there."""


async def listen(ip: IP, port: int) -> Sequence[trio.SocketListener]:
    """Returns listeners on one port (0: any free one). Raises: OSError, also when another program has it.

    Only once the port is ours alone may our own dials share it: set before, the port of another program of the same
    user would have been shared with us (Linux), or taken from it (macOS).
    """
    listeners = await trio.open_tcp_listeners(port, host=str(ip))
    for listener in listeners:
        _share(listener.socket)
    return listeners


async def dial_from(ip: IP, port: int, listening: Sequence[tuple[str, int]]) -> trio.SocketStream:
    """Returns a connection from a port on which we listen.

    listening: hosts and ports; the first of the same family is used. Raises: Refused; Unavailable also when we listen
    on none, or have a connection between these two ports already.
    """
    wanted = ":" if ip.version == 6 else "."
    here = next((one for one in listening if wanted in one[0]), None)
    if here is None:
        raise Unavailable("we listen on no port from which to dial")
    sock = trio.socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _share(sock)
        await sock.bind(here)
        await sock.connect((str(ip), port))
    except OSError as error:
        sock.close()
        raise _fault(error) from error
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


def _share(sock: trio.socket.SocketType) -> None:
    """Lets other sockets of this user, that say so too, have the same port."""
    option = getattr(socket, "SO_REUSEPORT", None)
    if option is not None:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)


def _fault(error: OSError) -> Unavailable:
    if error.errno == errno.ECONNREFUSED:
        return Refused("the connection was refused")
    return Unavailable("nobody answers there")
