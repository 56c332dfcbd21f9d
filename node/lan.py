"""The local network as the beacon needs it: interfaces, packets to everybody on them, and the news that they changed.

Implemented by node/datagrams.py and node/interfaces.py on a real machine and by lab/lan.py in a simulated world; both
pass tests/node/test_lan.py. Not here: what the packets say (protocol/beacon.py) and when they are sent (beacon.py).
"""

from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from crypto.faults import Malformed
from node.network import Address, address_of, parts_of
from protocol.beacon import IP

PORT = 47474  # UDP; shared by all profiles of a machine


class Way(Enum):
    """How a packet reaches everybody on an interface: networks let one through and not the other."""

    MULTICAST = "IPv4 multicast"
    BROADCAST = "IPv4 broadcast"
    MULTICAST6 = "IPv6 multicast"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that is up. ipv4: each address with its subnet's broadcast address, None where it has none.

    index: the system's number. ipv6: link-local addresses first, without their zone.
    """

    name: str
    index: int
    ipv4: tuple[tuple[IPv4Address, IPv4Address | None], ...]
    ipv6: tuple[IPv6Address, ...]

    @property
    def addresses(self) -> tuple[IP, ...]:
        """All its addresses, IPv4 first."""
        return (*(address for address, _ in self.ipv4), *self.ipv6)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a packet on one way out. source: the address it leaves from. fault: "" or what the system said."""

    way: Way
    source: IP
    fault: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A packet that came: from whom, and over which of our interfaces (its name)."""

    packet: bytes
    source: IP
    interface: str


class Lan(Protocol):
    """The beacon's network. One task sends, one receives."""

    def interfaces(self) -> tuple[Interface, ...]:
        """Returns the interfaces that are up and have an address, in a stable order; from now on each is heard."""

    async def send(self, interface: Interface, packet: bytes) -> tuple[Sent, ...]:
        """Sends on every way that these addresses of the interface allow; returns what became of it. Raises no fault.

        interface: one of interfaces(), perhaps with fewer addresses: no packet leaves from another.
        """

    async def receive(self) -> Heard:
        """Returns the next packet of up to 160 bytes; longer ones come cut to 161. Our own come back too."""


class News(Protocol):
    """What the system says of its networks."""

    async def changed(self) -> None:
        """Returns when interfaces, addresses or routes have changed and a moment has passed without another change."""


def narrowed(interface: Interface, listening: tuple[Address, ...]) -> Interface:
    """Returns the interface with those of its addresses at which this node can be dialled; perhaps none."""
    hosts = [parts_of(address)[0] for address in listening]

    def served(ip: IP) -> bool:
        return any(host.version == ip.version and (host.is_unspecified or host == ip) for host in hosts)

    return replace(
        interface,
        ipv4=tuple(one for one in interface.ipv4 if served(one[0])),
        ipv6=tuple(one for one in interface.ipv6 if served(one)),
    )


def dialled_at(ip: IP, port: int, interface: str) -> Address:
    """Returns where a device on this interface is dialled. A link-local IPv6 address gets the interface as its zone.

    Raises: Malformed for an address that nobody can be dialled at.
    """
    if ip.is_multicast or ip.is_unspecified or (ip.version == 4 and ip == IPv4Address("255.255.255.255")):
        raise Malformed("a beacon names an address that nobody has")
    if isinstance(ip, IPv6Address) and ip.is_link_local:
        ip = IPv6Address(f"{ip}%{interface}")
    return address_of(ip, port)


def is_near(source: IP, here: Interface) -> bool:
    """Returns whether a packet's source belongs to the network of the interface over which it came.

    Somebody far away can send a packet to our port, and write any source on it: who dials strangers dials none of them.
    """
    if source.is_link_local or source.is_loopback or source.is_private:
        return True
    return any(broadcast is not None and _reaches(source, address, broadcast) for address, broadcast in here.ipv4)


def _reaches(source: IP, address: IPv4Address, broadcast: IPv4Address) -> bool:
    """Whether both lie in the largest subnet that can have this broadcast address: its last bits are all ones."""
    host_bits = (~int(broadcast) & int(broadcast) + 1).bit_length() - 1
    return source.version == 4 and int(source) >> host_bits == int(address) >> host_bits
