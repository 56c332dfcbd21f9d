"""A small internet on one machine: a public network, and homes behind routers that translate addresses.

```
   ana 192.168.11.2 --[ana]-- router 44.9.0.11 --+
                                                 +--[net]-- chen 44.9.0.100
   bo  192.168.12.2 --[bo ]-- router 44.9.0.12 --+
```
The public addresses are ones that Python and our code take for global; nothing leaves the machine. Not here: the hosts
and their cables (hosts.py). The kinds of routers are tested with plain sockets in test_nats.py.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.stories import hosts
from tests.stories.hosts import CABLE, Host, Lab
from tests.stories.real import RealNode

PUBLIC = "net"  # the switch of the public network
OUTSIDE = "wan0"  # a router's interface there

Kind = Literal["drop", "reset", "symmetric"]
"""How a router treats what nobody inside asked for. Each maps a port of the inside to one of its own.

drop: says nothing to it. The port is kept, whoever it talks to, so two hosts behind such routers can open one
  connection from both ends at once.
reset: answers a SYN with RST, and lets nothing through any more between these two ports, as a router does that takes an
  incoming SYN for a connection to itself. So opening from both ends fails, whoever comes first.
symmetric: says nothing to it, and takes another port for each connection, so nobody else can know it.
"""

_KNOCKS = f"""
  set knocks {{ type ipv4_addr . inet_service . inet_service; flags dynamic, timeout; timeout 30s; }}
  chain knocked {{
    type filter hook prerouting priority raw; policy accept;
    iifname {OUTSIDE} tcp flags & (syn | ack) == syn add @knocks {{ ip saddr . tcp sport . tcp dport }}
    iifname {OUTSIDE} ip saddr . tcp sport . tcp dport @knocks reject with tcp reset
  }}"""


def possible() -> bool:
    """Whether hosts and routers can be made here."""
    if not hosts.possible() or shutil.which("nft") is None:
        return False
    with hosts.open_lab(Path()) as lab:
        inside = lab.host("probe").inside
        tried = subprocess.run([*inside, "nft", _rules("reset")], capture_output=True, check=False)
    return tried.returncode == 0


def _rules(kind: Kind) -> str:
    """The rules of a router, as nft reads them."""
    ports = "random,fully-random" if kind == "symmetric" else ""
    known = "ct state established,related accept"
    return f"""table ip home {{ {_KNOCKS if kind == "reset" else ""}
  chain inside {{ type filter hook forward priority filter; policy drop; iifname {CABLE} accept; {known}; }}
  chain itself {{ type filter hook input priority filter; policy drop; iifname {CABLE} accept; {known}; }}
  chain outside {{ type nat hook postrouting priority srcnat; oifname {OUTSIDE} masquerade {ports}; }}
}}"""


@dataclass
class Home:
    """A local network, and the router between it and the public one."""

    name: str
    number: int  # of its addresses
    router: Host
    hosts: int = 1  # the router is the first

    @property
    def address(self) -> str:
        """What others see of everybody inside."""
        return f"44.9.0.{self.number}"

    def plug(self, host: Host) -> str:
        """Puts a host's cable in here, out of where it was, and returns its new address."""
        self.hosts += 1
        address = f"192.168.{self.number}.{self.hosts}"
        host.plug(self.name, f"{address}/24", gateway=f"192.168.{self.number}.1")
        return address


@dataclass
class Internet:
    """The homes, the public network, and the hosts in both."""

    lab: Lab
    homes: dict[str, Home] = field(default_factory=dict)
    public: int = 99  # the last part of the newest public address

    def at_home(self, name: str, home: str) -> tuple[Host, RealNode]:
        """A new host in a home, and a profile on it; the node is not started."""
        host, node = self.lab.node(name)
        self.homes[home].plug(host)
        return host, node

    def in_public(self, name: str) -> tuple[Host, RealNode]:
        """A new host that everybody can dial, and a profile on it; the node is not started."""
        host, node = self.lab.node(name)
        self.expose(host)
        return host, node

    def expose(self, host: Host) -> str:
        """Puts a host's cable into the public network, out of where it was, and returns its new address."""
        self.public += 1
        host.plug(PUBLIC, f"44.9.0.{self.public}/24")
        return f"44.9.0.{self.public}"


@contextmanager
def open_internet(home: Path, **homes: Kind) -> Iterator[Internet]:
    """A public network and homes of these names (at most 6 letters), each behind a router of that kind."""
    with hosts.open_lab(home, PUBLIC, *homes) as lab:
        internet = Internet(lab)
        for number, (name, kind) in enumerate(homes.items(), 11):
            router = lab.host(f"{name}r")
            router.plug(name, f"192.168.{number}.1/24")
            router.lay(PUBLIC, f"{name}w", OUTSIDE, f"44.9.0.{number}/24")
            hosts.run(*router.inside, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            hosts.run(*router.inside, "nft", _rules(kind))
            internet.homes[name] = Home(name, number, router)
        yield internet
