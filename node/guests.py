"""Who may hold one of our inbound links: whoever has proven himself, and of strangers so many that they harm nobody.

    accepted ──first byte──> stranger ──Noise, Yamux, channel proof──> known
    SILENT_MAX               STRANGERS_MAX                             as long as his talk lives
    10 s                     30 s

Where there is no room the newcomer gets in, and the oldest from the address that holds most has to go. So 900 sockets
that nobody uses cost 900 file descriptors at their owner's and nothing here, and a contact who comes from the same
address as they do, or whose address they share with half a city, is let in: he speaks at once, and proves himself
before so many others have come after him. Not here: sockets and handshakes (host.py), the proof (channel.py).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Protocol

import trio

INBOUND_MAX = 256  # so that others cannot take the room of our own dials
SILENT_MAX = 64  # accepted, and not a byte yet: a dialler of weft speaks at once
STRANGERS_MAX = 64  # have spoken and proven nothing; one that holds all it may costs 0.7 MB
STRANGERS_PER_PLACE_MAX = 48  # from one address
SILENT_S = 10.0
STRANGER_S = 30.0  # for a handshake, and then a proof (11 s) or an invitation (20 s)
WELCOME_S = 600.0  # for the link of one who keeps asking for what is offered to strangers (a DHT, a relay)


class Vouched(Protocol):
    """What a link says of its other end."""

    @property
    def is_vouched(self) -> bool:
        """Whether it has proven who it is, on a stream that lives."""


@dataclass(eq=False)
class Guest:
    """One inbound link from its first packet on. Its scope is cancelled when it has to go."""

    place: str
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    has_spoken: bool = False
    link: Vouched | None = None

    @property
    def is_known(self) -> bool:
        """Whether whoever is there has proven himself."""
        return self.link is not None and self.link.is_vouched

    @property
    def is_leaving(self) -> bool:
        """Whether it had to go already."""
        return self.scope.cancel_called


class Guests:
    """All inbound links of one host."""

    def __init__(self) -> None:
        self._guests: dict[Guest, None] = {}  # the oldest first

    @contextmanager
    def admit(self, place: str) -> Iterator[Guest]:
        """Yields a guest whose link may last as long as the block; the block is cancelled when it has to go.

        place: place_of() his address; for all who come through one relay, that relay.
        """
        guest = Guest(place)
        self._guests[guest] = None
        self.make_room()
        try:
            with guest.scope:
                yield guest
        finally:
            del self._guests[guest]

    def make_room(self) -> None:
        """Sends away whoever is too many; called when one has come, and when one has spoken."""
        here = [guest for guest in self._guests if not guest.is_leaving]
        strangers = [guest for guest in here if not guest.is_known]
        silent = [guest for guest in strangers if not guest.has_spoken]
        spoken = [guest for guest in strangers if guest.has_spoken]
        _thin(silent, SILENT_MAX, SILENT_MAX)
        _thin(spoken, STRANGERS_MAX, STRANGERS_PER_PLACE_MAX)
        room = INBOUND_MAX - (len(here) - len(strangers))
        _thin([guest for guest in strangers if not guest.is_leaving], room, room)


def place_of(ip: str) -> str:
    """Whose links are counted together: an IPv4 address, or the 64 bits of an IPv6 address that one network has."""
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return address.packed[:8].hex()
    return str(address)


def _thin(guests: Iterable[Guest], count_max: int, per_place_max: int) -> None:
    """Sends the oldest of the fullest place away until so many are left in all and of each place."""
    places: dict[str, list[Guest]] = {}
    for guest in guests:
        places.setdefault(guest.place, []).append(guest)
    counts = Counter({place: len(there) for place, there in places.items()})
    while counts and (counts.total() > count_max or counts.most_common(1)[0][1] > per_place_max):
        ((fullest, _),) = counts.most_common(1)
        places[fullest].pop(0).scope.cancel()
        counts[fullest] -= 1
        if not counts[fullest]:
            del counts[fullest]
