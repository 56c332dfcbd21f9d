"""Asking peers what they offer and how they see us: may one be our relay, where are we, does it reach us.

On a link from any port a peer is asked what it offers, where it sees us, and to dial us back; on one from the port on
which we listen, what a NAT makes of that. Source: docs/protocol/relay.md 4, 6. Not here: what follows from the answers
(reachability.py, reach.py).
"""

from dataclasses import dataclass

import trio

from node import identify
from node.guests import place_of
from node.identify import Identified
from node.network import Address, Link, PeerId, parts_of
from node.relay.carrier import Carrier
from node.relay.dialback import DIALBACK, Dialback
from node.relay.messages import HOP
from node.relay.reachability import Sightings
from protocol.faults import PeerFault, Unavailable

IDENTIFY_S = 5.0
EXAMINE_S = 30.0  # a peer in all: two dials, two questions and a dial-back


@dataclass(frozen=True, slots=True)
class Candidate:
    """A peer who may be a relay, or a witness of how we are seen."""

    address: Address
    peer: PeerId


@dataclass(frozen=True, slots=True)
class Scout:
    """Who asks, and where the answers go."""

    carrier: Carrier
    sightings: Sightings
    dialback: Dialback

    async def examine(self, candidate: Candidate, port: int) -> bool:
        """Asks one peer all of it; returns whether it offers a relay. port: on which we listen.

        Raises: Unavailable, PeerFault.
        """
        try:
            with trio.fail_after(EXAMINE_S):
                said = await self._ask_from_anywhere(candidate, port)
                await self._ask_from_port(candidate)
        except trio.TooSlowError as slow:
            raise Unavailable("no answer in time") from slow
        return HOP in said.protocols

    async def look(self, link: Link) -> Address | None:
        """Where the other end of a link from our port sees us; None when it does not say."""
        said = await _identify(link)
        if said.observed is not None and parts_of(said.observed)[1]:
            self.sightings.saw_port(_place(link.address), said.observed)
        return said.observed

    async def _ask_from_anywhere(self, candidate: Candidate, port: int) -> Identified:
        link = await self.carrier.dial(candidate.address, candidate.peer)
        try:
            said = await _identify(link)
            if said.observed is not None:
                self.sightings.saw(_place(candidate.address), said.observed)
            if DIALBACK in said.protocols:
                await self._ask_back(link, candidate, port)
            return said
        finally:
            with trio.CancelScope(shield=True):  # closing a link is bounded by the host itself
                await link.aclose()

    async def _ask_back(self, link: Link, candidate: Candidate, port: int) -> None:
        try:
            reached = await self.dialback.ask(link, port)
        except (PeerFault, Unavailable):
            return  # it does not try now, which says nothing of us
        self.sightings.dialled_back(_place(candidate.address), reached)

    async def _ask_from_port(self, candidate: Candidate) -> None:
        async with self.carrier.trunks.borrowed(candidate.address, candidate.peer) as trunk:
            if trunk.is_from_port:
                await self.look(trunk)


async def _identify(link: Link) -> Identified:
    with trio.move_on_after(IDENTIFY_S):
        return await identify.identify(link)
    raise Unavailable("a peer does not say who it is")


def _place(address: Address) -> str:
    return place_of(str(parts_of(address)[0]))
