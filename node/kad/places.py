"""Whose addresses count together, and which of them are told to whom.

A thousand PeerIds cost nothing, a thousand networks do: what one network (IPv4 /24, IPv6 /48, as in py-libp2p 0.8.1)
may hold in a table, a walk or a shelf is limited. Addresses of a house (private) and of a machine (loopback) count as
nothing in tables, because there all live close together; on shelves each IP of theirs counts for itself. A circuit
counts as its relay. Source: docs/protocol/dht.md 4. Not here: the limits (table.py, walk.py, shelf.py).
"""

from collections.abc import Callable, Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_network

from node.network import Address, circuit_of, parts_of

PREFIX_BITS = {4: 24, 6: 48}

PlaceOf = Callable[[Address], str | None]
"""Names the network of an address; None where it does not count. `network_of` is the one that is used."""


class Reach(IntEnum):
    """Who can dial an address at all."""

    MACHINE = 0
    HOUSE = 1
    WORLD = 2


def network_of(address: Address) -> str | None:
    """The network of an address as text; None when only a house or a machine can dial it."""
    ip = _ip_of(address)
    if not ip.is_global:
        return None
    return str(ip_network(f"{ip}/{PREFIX_BITS[ip.version]}", strict=False))


def payer_of(address: Address | None) -> str:
    """Whose quota a gift takes: the network, or the IP inside a house; one for all whose address is not known."""
    if address is None:
        return ""
    return network_of(address) or str(_ip_of(address))


def reach_of(address: Address) -> Reach:
    """Who can dial this address; of a circuit, who can dial its relay."""
    ip = _ip_of(address)
    if ip.is_loopback:
        return Reach.MACHINE
    return Reach.WORLD if ip.is_global else Reach.HOUSE


def tellable(addresses: Iterable[Address], other_end: Address | None) -> tuple[Address, ...]:
    """Those that make sense between us and who is at `other_end`, whichever of the two tells them to the other.

    Who is far away neither learns the addresses of our house nor makes us dial what lies in it. None: far away.
    """
    nearest = Reach.WORLD if other_end is None else reach_of(other_end)
    return tuple(address for address in addresses if reach_of(address) >= nearest)


def _ip_of(address: Address) -> IPv4Address | IPv6Address:
    circuit = circuit_of(address)
    return parts_of(address if circuit is None else circuit.relay)[0]
