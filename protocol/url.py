"""Addresses of the web in their one form: ASCII, small letters, no user, no fragment; as a browser would take them.

    https://example.org/path?query          https://xn--strae-oqa.de:8443/          http://192.0.2.1/

What does not have this form is refused, so the host that is shown is the one that a browser opens. Not here: how what a
person types gets it (node/web/links.py), which hosts may be asked (node/web/addresses.py).
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

URL_BYTES_MAX = 2048
HOST_CHARS_MAX = 253  # of DNS
PORTS = {"http": 80, "https": 443}
# No backslash, which browsers read as a slash, and no fragment, which is nobody's but the browser's.
_URL = re.compile(
    r'(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?(/[!"$-\[\]-~]*)',
    re.ASCII,
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER = re.compile(
    r"[0-9]+|0x[0-9a-f]*", re.ASCII
)  # as a last label: browsers take all before it for an IPv4 address


@dataclass(frozen=True, slots=True)
class Parts:
    """An address in parts. host: IPv6 without its brackets; target: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def shown(self) -> str:
        """The host as a person sees it, with the port where one is named."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def whole(self) -> str:
        """The address itself."""
        return f"{self.scheme}://{self.shown}{self.target}"


def parts(text: str) -> Parts | None:
    """The parts of an address in its one form; None for anything else."""
    found = _URL.fullmatch(text) if len(text) <= URL_BYTES_MAX else None
    if found is None:
        return None
    scheme, host, port, target = found.groups()
    number = int(port or PORTS[scheme])
    if not is_host(host) or number > 65_535:
        return None
    made = Parts(scheme, host.strip("[]"), number, target)
    return made if made.whole == text else None  # a default port is not named


def is_host(host: str) -> bool:
    """Whether this is a name, an IPv4 address, or an IPv6 address in brackets, each in the form that is shown."""
    if host.startswith("["):
        return _is_same(IPv6Address, host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _is_same(IPv4Address, host)
    return len(host) <= HOST_CHARS_MAX and all(map(_LABEL.fullmatch, labels))


def _is_same(kind: type[IPv4Address] | type[IPv6Address], text: str) -> bool:
    try:
        return str(kind(text)) == text
    except AddressValueError:
        return False
