"""Where the node can be dialled: its TCP port, and the interfaces of this machine."""

import errno
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

import psutil
import trio

from node import config, interfaces
from node.doctor import findings
from node.doctor.findings import Finding
from node.doctor.patient import Patient, from_environment
from node.lan import Interface
from node.network import Address, parts_of
from protocol.faults import UserFault

CONNECT_S = 2.0
SHOWN_MAX = 4  # interfaces that a person is shown: a machine with containers has hundreds
TUNNELS = ("tun", "tap", "wg", "utun", "ppp", "tailscale", "zt", "ipsec", "nordlynx", "proton", "mullvad")
FAR_AWAY = {
    socket.AF_INET: "203.0.113.1",
    socket.AF_INET6: "2001:db8::1",
}  # for examples: nobody is there
ADDRESSES, ROUTES = ("ip address", "ip route") if sys.platform == "linux" else ("ifconfig", "netstat -rn")
PORT_SETTING = "listen.port.last"  # as node/__main__.py keeps it


async def ports(patient: Patient) -> list[Finding]:
    """Whether the node accepts on its TCP port; of a stopped one, whether it could listen there."""
    if patient.core is not None:
        return await _accept_all(patient.core.listening())
    try:
        host = str(
            config.parse("listen.address", from_environment("listen.address") or _set(patient, "listen.address"))
        )
        port = int(config.parse("listen.port", from_environment("listen.port") or _set(patient, "listen.port")))
    except UserFault as fault:
        return [findings.failure("ports", f"The environment has it wrong: {fault}", "env | grep WEFT_")]
    last = int(patient.stored.get(PORT_SETTING, "0")) if not port else 0
    if patient.ask is None and not port and patient.vault is not None:
        return [findings.unknown("ports", "Which TCP port the node uses stands in the database, which is not open.")]
    if not port and not last:
        return [findings.ok("ports", "The first start takes any free TCP port and keeps it.")]
    why = await trio.to_thread.run_sync(_bind, host, port or last)
    if why == 0:
        return [findings.ok("ports", f"TCP {port or last} is free for this node.")]
    if why == errno.EADDRINUSE:
        taken = f"TCP {port or last} is taken{_by(port or last)}"
        if last:
            said = f"{taken}, so the next start takes another one, and contacts learn of it when they are met."
            return [findings.warning("ports", said)]
        return [findings.failure("ports", f"{taken}, so the node cannot start.", "WEFT_PORT=0 weft up")]
    reason = {
        errno.EACCES: "this system lets only root listen there",
        errno.EADDRNOTAVAIL: "this machine has no such address",
    }.get(why, errno.errorcode.get(why, str(why)))
    said = f"The node cannot listen on {host}, TCP {port or last}: {reason}."
    help_command = "WEFT_LISTEN=0.0.0.0 weft up" if why == errno.EADDRNOTAVAIL else "WEFT_PORT=0 weft up"
    return [findings.failure("ports", said, help_command)]


async def networks(patient: Patient) -> list[Finding]:
    """Which interfaces there are, and over which one packets leave."""
    found = await trio.to_thread.run_sync(interfaces.current)
    outward = [one for one in found if not is_loopback(one)]
    if not outward and listens_here_only(patient):
        return [findings.warning("interfaces", "No network; the node listens on this machine only anyway.")]
    if not outward:
        said = "No network: no interface is up and has an address, so nobody else is reached. What you send waits."
        return [findings.failure("interfaces", said, ADDRESSES)]
    way = {one.name for one in outward if _source() in map(str, one.addresses)}
    told = _told(patient, outward, way)
    whole, short = _listed(outward), shortened(outward, way)
    return [replace(told, sentence=whole + told.sentence, short=short + told.sentence)]


def shortened(outward: Sequence[Interface], way: Collection[str]) -> str:
    """The first 4 interfaces that matter by name and first address, and how many more there are.

    way: names of those over which packets leave. They come first, and those with nothing but link-local addresses last.
    """

    def rank(one: Interface) -> tuple[bool, bool]:
        return one.name not in way, all(address.is_link_local for address in one.addresses)

    more = len(outward) - SHOWN_MAX
    return _listed(sorted(outward, key=rank)[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def _listed(several: Sequence[Interface]) -> str:
    return ", ".join(f"{one.name} {one.addresses[0]}" for one in several)


def _told(patient: Patient, outward: Sequence[Interface], way: set[str]) -> Finding:
    """What is said of the interfaces behind their list."""
    if listens_here_only(patient):
        said = "; but the node listens on this machine only, so others reach it when it dials them, not before."
        if from_environment("listen.address"):
            return findings.warning("interfaces", f"{said[:-1]}; WEFT_LISTEN says so. Start it without.")
        return findings.warning("interfaces", said, "weft config set listen.address 0.0.0.0")
    if tunnels := [one.name for one in outward if is_tunnel(one)]:
        first = "packets leave over it first" if way & {*tunnels} else "packets leave past it"
        said = f". {', '.join(tunnels)} is a VPN, and {first}: contacts nearby may not be reached through it."
        return findings.warning("interfaces", said, ROUTES)
    if not way:
        said = "; no way leads out of the local network, so only contacts in it are reached."
        return findings.warning("interfaces", said, ROUTES)
    return findings.ok("interfaces", f"; packets leave over {', '.join(sorted(way))}.")


def is_loopback(one: Interface) -> bool:
    """Whether it leads nowhere."""
    return all(address.is_loopback for address in one.addresses)


def flags(one: Interface) -> tuple[str, ...]:
    """What the system says of it: "broadcast", "multicast", "pointopoint", …; () where it says nothing."""
    stats: Mapping[str, object] = psutil.net_if_stats()
    return tuple(str(getattr(stats.get(one.name), "flags", "")).replace(",", " ").split())


def is_tunnel(one: Interface) -> bool:
    """Whether it leads to one other end, as a VPN does, so that nobody is nearby on it."""
    return "pointopoint" in flags(one) or one.name.lower().startswith(TUNNELS)


def listens_here_only(patient: Patient) -> bool:
    """Whether nobody but this machine can dial the node."""
    if patient.core is not None:
        return all(parts_of(address)[0].is_loopback for address in patient.core.listening())
    try:
        return ip_address(from_environment("listen.address") or _set(patient, "listen.address")).is_loopback
    except ValueError:
        return False


async def _accept_all(addresses: Sequence[Address]) -> list[Finding]:
    """A finding for each address that takes no connection, else one for all."""
    found = [(address, await _accepts(address)) for address in addresses]
    if deaf := [finding for _, finding in found if finding is not None]:
        return deaf
    hosts = ", ".join(str(parts_of(address)[0]) for address in addresses)
    return [findings.ok("ports", f"TCP {parts_of(addresses[0])[1]} takes connections ({hosts}).")]


async def _accepts(address: Address) -> Finding | None:
    ip, port = parts_of(address)
    host = "127.0.0.1" if ip.is_unspecified and ip.version == 4 else "::1" if ip.is_unspecified else str(ip)
    try:
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_tcp_stream(host, port)
            await trio.aclose_forcefully(stream)
    except (OSError, trio.TooSlowError):
        said = f"The node listens on TCP {port}, but takes no connection at {host}: a firewall, or it hangs."
        return findings.failure("ports", said, "weft down")
    return None


def _set(patient: Patient, name: str) -> str:
    return str(patient.settings[name])


def _bind(host: str, port: int) -> int:
    """0 when this machine can listen there, else the number of the fault."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as here:
            here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as trio does: a port just left is free
            here.bind((host, port))
            here.listen(1)
    except OSError as fault:
        return fault.errno or errno.EIO
    return 0


def _by(port: int) -> str:
    """Who has a TCP port, where the system says: " by nginx (pid 12)"."""
    try:
        rows = psutil.net_connections("tcp")
        pids = [row.pid for row in rows if row.status == psutil.CONN_LISTEN and row.laddr.port == port and row.pid]
        return f" by {psutil.Process(pids[0]).name()} (pid {pids[0]})" if pids else " by another program"
    except (OSError, psutil.Error):
        return " by another program"


def _source() -> str:
    """Our address towards the rest of the world, "" without a way there. Sends nothing."""
    for family, address in FAR_AWAY.items():
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as here:
                here.connect((address, 9))
                return str(here.getsockname()[0])
        except OSError:
            continue
    return ""
