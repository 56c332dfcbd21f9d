"""Whether beacons get onto the local network and back: packets of our own, sent on every way and listened for.

What comes back has passed this machine's sockets and firewall; whether a Wi-Fi lets it through to others is seen only
when they are heard. Not here: the beacon itself (node/beacon.py).
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import trio

from crypto import keys
from node import lan
from node.datagrams import open_datagrams
from node.doctor import findings, ports
from node.doctor.findings import Finding, Level, several
from node.doctor.patient import Patient
from node.lan import PORT, Interface, Lan, Sent, Way
from protocol.beacon import PACKET_BYTES
from protocol.faults import Unavailable

PROBES = 3  # of each way: one may be lost
HEAR_S = 1.5  # our own come back within a millisecond, if at all
SWITCH = "lan.beacon"
INVITE = "weft invite --qr"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of the probes of one way on one interface. fault: what the system said to the last that failed."""

    way: Way
    sent: int
    heard: int
    fault: str


async def nearby(patient: Patient) -> list[Finding]:
    """For each interface and way, how many of our packets came back; and what the beacon of a node that runs heard."""
    if patient.settings.get(SWITCH, True) is False:  # off means that nothing is sent
        said = "Switched off by its setting, so contacts nearby do not find this node by themselves. To change it:"
        return [Finding("lan", Level.OK, said, f"weft config set {SWITCH} yes")]
    found = _beacon(patient)
    try:
        async with patient.core.beacon.open() if patient.core else open_datagrams() as here:
            served = [one for one in _served(patient, here.interfaces()) if one.addresses]
            wanted = [one for one in served if not ports.is_loopback(one) and not ports.is_tunnel(one)]
            tried = await probe(here, wanted, patient.ground.entropy("probes"))
    except Unavailable:
        if any(one.level is Level.FAILURE for one in found):
            return found  # the node has said so
        said = f"UDP {PORT} is held by another program for itself, so no beacon is heard. End that program, or:"
        return [*found, findings.failure("lan", said, INVITE)]
    if not wanted:
        said = "The node listens on no interface that leads to other machines, so nobody is found nearby."
        return [*found, findings.ok("lan", said)]
    works = any(one.heard for ways in tried.values() for one in ways)
    mute = [one.name for one in wanted if (flags := ports.flags(one)) and "multicast" not in flags]
    return [*found, *(_muted(judge(name, ways, works), name in mute) for name, ways in tried.items())]


async def probe(here: Lan, wanted: Sequence[Interface], entropy: keys.Entropy) -> dict[str, tuple[Tried, ...]]:
    """Sends probes on every way of these interfaces and listens; by interface, what became of each way."""
    copies: Counter[bytes] = Counter()
    sent: dict[str, dict[Way, list[tuple[bytes, Sent]]]] = {}
    async with _heard(here, copies):
        for one in wanted:
            sent[one.name] = {way: await _send(here, part, way, entropy) for way, part in _parts(one)}
        await trio.sleep(HEAR_S)
    return {name: _tried(ways, copies) for name, ways in sent.items()}


def judge(name: str, ways: Sequence[Tried], works: bool) -> Finding:
    """What the probes of an interface mean. works: whether any came back on any interface."""
    deaf = [one for one in ways if not one.heard]
    what, told = f"lan {name}", "; ".join(_told(ways))
    if ways and not deaf:
        return findings.ok(what, f"{told}.")
    if len(deaf) < len(ways):
        good = " and ".join(one.way.value for one in ways if one.heard)
        said = f"{' and '.join(one.way.value for one in deaf)} blocked ({told}). Contacts here are found by {good}."
        return findings.warning(what, f"{said} To mend it allow UDP {PORT}.", "")
    said = f"Nothing came back ({told or 'no way to send'}). Allow UDP {PORT} in the firewall, or:"
    return (findings.warning if works else findings.failure)(what, said, INVITE)


def _beacon(patient: Patient) -> list[Finding]:
    """What the node itself says of its beacon."""
    if patient.core is None:
        return []
    beacon = patient.core.beacon
    if beacon.fault:
        said = f"It does not work: {beacon.fault}. Contacts elsewhere are not affected. Nearby:"
        return [findings.failure("beacon", said, INVITE)]
    others = sum(one.others for one in beacon.tallies.values())
    own = sum(one.own for one in beacon.tallies.values())
    said = f"On; since the start it heard {several(own, 'packet')} of its own and {others} of others."
    return [findings.ok("beacon", said)]


def _muted(found: Finding, is_mute: bool) -> Finding:
    """What was found, where it is well, of an interface whose multicast is switched off: others may hear nothing."""
    if not is_mute or found.level is not Level.OK:
        return found
    name = found.name.removeprefix("lan ")
    said = f"{found.sentence} But multicast is switched off on it, so packets of others may not get here."
    return findings.warning(found.name, said, f"ip link set dev {name} multicast on")


def _told(ways: Sequence[Tried]) -> Iterator[str]:
    """What happened, for the ways on which the same happened together."""
    alike: dict[str, list[str]] = {}
    for one in ways:
        said = f"sent {one.sent}, heard {one.heard} of own{f' ({one.fault})' if one.fault else ''}"
        alike.setdefault(said, []).append(one.way.value)
    for said, names in alike.items():
        yield f"{', '.join(names)}: {said}"


def _served(patient: Patient, all_: Sequence[Interface]) -> list[Interface]:
    """The interfaces with those of their addresses at which the node is dialled, as far as that is known."""
    if patient.core is not None:
        return [lan.narrowed(one, patient.core.listening()) for one in all_]
    if ports.listens_here_only(patient):
        return []
    return [*all_]


def _parts(one: Interface) -> list[tuple[Way, Interface]]:
    """The ways of an interface, and the interface cut down to that way; a broadcast goes along with a multicast."""
    found = []
    if one.ipv4:
        address, broadcast = one.ipv4[0]
        found.append((Way.MULTICAST, replace(one, ipv4=((address, None),), ipv6=())))
        if broadcast is not None:
            found.append((Way.BROADCAST, replace(one, ipv4=((address, broadcast),), ipv6=())))
    if any(address.is_link_local for address in one.ipv6):
        found.append((Way.MULTICAST6, replace(one, ipv4=())))
    return found


async def _send(here: Lan, part: Interface, way: Way, entropy: keys.Entropy) -> list[tuple[bytes, Sent]]:
    """The probes of a way, and what became of each when it was sent."""
    found = []
    for packet in (entropy(PACKET_BYTES) for _ in range(PROBES)):
        found += [(packet, sent) for sent in await here.send(part, packet) if sent.way is way]
    return found


def _tried(ways: Mapping[Way, list[tuple[bytes, Sent]]], copies: Counter[bytes]) -> tuple[Tried, ...]:
    multicast = any(copies[packet] for packet, _ in ways.get(Way.MULTICAST, ()))
    found = []
    for way, probes in ways.items():
        along = int(multicast and way is Way.BROADCAST)  # copies that came by the multicast that went along
        heard = sum(copies[packet] > along for packet, _ in probes)
        fault = next((sent.fault for _, sent in probes if sent.fault), "")
        found.append(Tried(way, sum(not sent.fault for _, sent in probes), heard, fault))
    return tuple(found)


@asynccontextmanager
async def _heard(here: Lan, copies: Counter[bytes]) -> AsyncIterator[None]:
    """Counts every packet that comes while the block lasts."""

    async def listen() -> None:
        while True:
            copies[(await here.receive()).packet] += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        yield
        nursery.cancel_scope.cancel()
