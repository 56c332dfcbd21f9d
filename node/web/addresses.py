"""Which machines may be asked for a page: those of the internet, never one of this machine or of a network at home.

A link, a redirect, or a name whose answer changes from one question to the next could lead the node to a router, a
printer or a database that trusts whoever is near. So the address itself is judged, the one that is connected to. Where
a proxy connects, only the name can be. Pure.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Ip = IPv4Address | IPv6Address

_INTERNET6 = IPv6Network("2000::/3")  # all that is given out
_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address at its end
# Of IANA's registries of special purpose, what not every Python knows.
_SPECIAL4 = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
_SPECIAL6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
# What no public name ends with (RFC 6761, 6762, 8375, 9476, and what routers use).
_NEAR = frozenset(("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "alt", "arpa"))
# What no resolver is to hear of (RFC 7686): who asks it for such a name says to others where he goes.
_HIDDEN = frozenset(("onion", "i2p"))


def is_public(ip: Ip) -> bool:
    """Whether this is an address of the internet, also where one of IPv4 is written inside one of IPv6."""
    inner = _inside(ip)
    if inner is not None:
        return is_public(inner)
    if isinstance(ip, IPv6Address):
        is_special = ip not in _INTERNET6 or any(ip in one for one in _SPECIAL6)
    else:
        is_special = any(ip in one for one in _SPECIAL4)
    return ip.is_global and not (is_special or ip.is_multicast or ip.is_reserved)


def is_beside(own: Ip, other: Ip) -> bool:
    """Whether what is reached from this address of ours is this machine, or one of its network.

    Addresses of the internet may be so too, where no firewall stands between: our own, and those of IPv6 at home.
    """
    shift = 64 if own.version == 6 else 0
    return own.version == other.version and int(own) >> shift == int(other) >> shift


def is_public_name(host: str) -> bool:
    """Whether a name may be one of the internet: with a dot, and none that is only known nearby."""
    *before, last = host.split(".")
    return bool(before) and last not in _NEAR


def is_hidden(host: str) -> bool:
    """Whether this is a name that a network behind a proxy knows, and nobody else is asked for."""
    return host.rpartition(".")[2] in _HIDDEN


def ip_of(host: str) -> Ip | None:
    """The address that a host is written as, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _inside(ip: Ip) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
