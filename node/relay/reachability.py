"""Whether others can dial us, and what a NAT makes of our port: what peers in different places say, weighed.

Nobody is believed alone: an address counts when two peers in different places see us there. Pure but for the record of
what was said. Source: docs/protocol/relay.md 6. Not here: asking them (scouting.py), the dial-back (dialback.py).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from node.network import Address, address_of, parts_of
from node.relay.state import Mapping, Reach, Reachability

WITNESSES = 2  # in different places, for anything to be true
SIGHTINGS_MAX = 16  # the newest are kept, one of each place

IP = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the peers of one place said.

    seen: our address, when we dialled from any port. from_port: when we dialled from the one on which we listen.
    dialled_back: whether one reached us there; None: not tried, or it could not.
    """

    seen: Address | None = None
    from_port: Address | None = None
    dialled_back: bool | None = None


class Sightings:
    """What was said of us, by place. The network changed: `clear`."""

    def __init__(self) -> None:
        self._said: dict[str, Sighting] = {}

    def saw(self, place: str, seen: Address) -> None:
        """A peer sees a link of ours from any port come from there."""
        self._put(place, replace(self._of(place), seen=seen))

    def saw_port(self, place: str, seen: Address) -> None:
        """A peer sees a link of ours from the port on which we listen come from there."""
        self._put(place, replace(self._of(place), from_port=seen))

    def dialled_back(self, place: str, succeeded: bool) -> None:
        """A peer tried to dial us."""
        self._put(place, replace(self._of(place), dialled_back=succeeded))

    def clear(self) -> None:
        """Forgets all: it was said of another network."""
        self._said.clear()

    @property
    def said(self) -> tuple[Sighting, ...]:
        """All of it, the oldest first."""
        return tuple(self._said.values())

    def newest_port(self) -> Address | None:
        """Where the last peer saw our port; for one who is about to punch a hole and has nothing better."""
        return next((one.from_port for one in reversed(self.said) if one.from_port is not None), None)

    def _of(self, place: str) -> Sighting:
        return self._said.get(place, Sighting())

    def _put(self, place: str, sighting: Sighting) -> None:
        self._said.pop(place, None)
        self._said[place] = sighting
        while len(self._said) > SIGHTINGS_MAX:
            del self._said[next(iter(self._said))]


def judge(said: Sequence[Sighting], own: Sequence[Address]) -> Reachability:
    """The verdict. own: direct addresses at which we listen."""
    ours = [parts_of(address) for address in own]
    public = [address for address, (ip, _) in zip(own, ours, strict=True) if ip.is_global]
    ip = _agreed(said)
    if ip is None:
        if public:
            return Reachability(Reach.UNKNOWN, "nobody outside has said yet whether he reaches us", Mapping.UNKNOWN)
        where = "we have no address of the whole network, and nobody outside has said where he sees us"
        return Reachability(Reach.UNKNOWN, where, Mapping.UNKNOWN)
    has_it = any(mine == ip for mine, _ in ours)
    mapping = Mapping.NONE if has_it else _mapping(said, ip, {port for _, port in ours})
    port = next((port for mine, port in ours if mine == ip), None)
    if port is None and mapping in (Mapping.KEPT, Mapping.ONE):
        port = _ports(said, ip).most_common(1)[0][0]
    observed = None if port is None else address_of(ip, port)
    answers = [one.dialled_back for one in said if one.dialled_back is not None]
    if any(answers):
        reached = observed or next(iter(public), None)
        return Reachability(Reach.PUBLIC, "peers outside have dialled us", mapping, reached, observed)
    if has_it and not answers:
        return Reachability(Reach.UNKNOWN, "no peer outside has tried to dial us", mapping, observed, observed)
    if has_it:
        why = f"{len(answers)} peers outside tried to dial us, and none got through: a firewall"
        return Reachability(Reach.BEHIND_NAT, why, mapping, None, observed)
    kept = observed if mapping is Mapping.KEPT else None
    return Reachability(Reach.BEHIND_NAT, f"others see us at {ip}, which is not ours", mapping, kept, observed)


def _agreed(said: Sequence[Sighting]) -> IP | None:
    """The address of the whole network at which peers of two places see us."""
    votes: Counter[IP] = Counter()
    for one in said:
        votes.update({parts_of(seen)[0] for seen in (one.seen, one.from_port) if seen is not None})
    agreed = [ip for ip, count in votes.most_common() if count >= WITNESSES and ip.is_global]
    return next(iter(agreed), None)


def _ports(said: Sequence[Sighting], ip: IP) -> Counter[int]:
    """The outside ports of the one on which we listen, with how many places saw each."""
    seen = (parts_of(one.from_port) for one in said if one.from_port is not None)
    return Counter(port for there, port in seen if there == ip)


def _mapping(said: Sequence[Sighting], ip: IP, own: set[int]) -> Mapping:
    ports = _ports(said, ip)
    if ports.total() < WITNESSES:
        return Mapping.UNKNOWN
    if len(ports) > 1:
        return Mapping.MANY
    return Mapping.KEPT if set(ports) <= own else Mapping.ONE
