"""Several hosts on one machine: network namespaces, each with a cable into a switch that can be pulled and plugged.

Linux and root only; `possible()` says whether. What is tested here is what one host cannot show: networks that differ.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.stories.real import RealNode

CABLE = "lan0"  # the interface of a host


def possible() -> bool:
    """Whether namespaces can be made here."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    made = subprocess.run(["ip", "netns", "add", _named("probe")], capture_output=True, check=False).returncode == 0
    if made:
        run("ip", "netns", "del", _named("probe"))
    return made


def run(*words: str) -> None:
    """Runs a command that must succeed."""
    subprocess.run(words, check=True, capture_output=True, text=True)


def _named(name: str) -> str:
    """A name of this test run alone: several may run on one machine. Interfaces have at most 15 letters."""
    return f"wt{os.getpid() % 100_000}{name}"


@dataclass(frozen=True)
class Host:
    """A namespace with its own loopback and one cable."""

    name: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What runs a command on this host."""
        return ("ip", "netns", "exec", _named(self.name))

    def plug(self, switch: str, *addresses: str, gateway: str = "") -> None:
        """Puts the cable into a switch and gives the interface these addresses (10.1.0.2/24); IPv6 comes by itself."""
        self.pull()
        self.lay(switch, f"{self.name}v", CABLE, *addresses)
        if gateway:
            run(*self.inside, "ip", "route", "add", "default", "via", gateway)

    def lay(self, switch: str, outer: str, inner: str, *addresses: str) -> None:
        """Lays a cable from an interface `inner` of this host into a switch, where it is `outer`."""
        run("ip", "link", "add", _named(outer), "type", "veth", "peer", "name", inner, "netns", _named(self.name))
        run("ip", "link", "set", _named(outer), "master", _named(switch), "up")
        run(*self.inside, "sysctl", "-qw", f"net.ipv6.conf.{inner}.accept_dad=0")
        run(*self.inside, "ip", "link", "set", inner, "up")
        for address in addresses:
            run(*self.inside, "ip", "address", "add", address, "brd", "+", "dev", inner)

    def pull(self) -> None:
        """Pulls the cable."""
        subprocess.run(["ip", "link", "del", _named(f"{self.name}v")], capture_output=True, check=False)


@dataclass
class Lab:
    """The hosts and switches of one test."""

    home: Path
    hosts: list[Host] = field(default_factory=list)
    nodes: list[RealNode] = field(default_factory=list)

    def host(self, name: str) -> Host:
        """A new host without a cable."""
        run("ip", "netns", "add", _named(name))
        host = Host(name)
        self.hosts.append(host)
        run(*host.inside, "ip", "link", "set", "lo", "up")
        return host

    def node(self, name: str) -> tuple[Host, RealNode]:
        """A new host without a cable, and a profile on it; the node is not started."""
        host = self.host(name)
        node = RealNode(self.home, name, prefix=host.inside, listen="0.0.0.0")
        self.nodes.append(node)
        return host, node


@contextmanager
def open_lab(home: Path, *switches: str) -> Iterator[Lab]:
    """Switches without hosts; everything is gone after the block."""
    lab = Lab(home)
    try:
        for switch in switches:
            run("ip", "link", "add", _named(switch), "type", "bridge")
            run("ip", "link", "set", _named(switch), "up")
        yield lab
    finally:
        for node in lab.nodes:
            if node.program is not None:
                node.kill()
        for host in lab.hosts:
            host.pull()
            subprocess.run(["ip", "netns", "del", _named(host.name)], capture_output=True, check=False)
        for switch in switches:
            subprocess.run(["ip", "link", "del", _named(switch)], capture_output=True, check=False)
