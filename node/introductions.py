"""Peers that a person names in a setting, by their address and, if he wants, by the PeerId that must be there.

A PeerId lives a week, an address often for years: where only the address is named, whoever answers there is asked who
he is, each time. Nothing is believed of him for it: the DHT and relays are used as strangers are. Not here: the text
of the setting (config.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import trio

from crypto.faults import Malformed
from node import config
from node.network import Address, Network, PeerId
from protocol.faults import PeerFault, Unavailable

DIAL_S = 5.0


class Introduced(NamedTuple):
    """Where each of them is, and whether these are all that were named."""

    peers: tuple[tuple[Address, PeerId], ...]
    are_all: bool


@dataclass(frozen=True, slots=True)
class Introductions:
    """Finds out who the peers of a setting are."""

    network: Network

    async def of(self, text: str) -> Introduced:
        """The peers that the setting names, in its order; without those who should say who they are and do not answer.

        text was checked when it was set; what an older version took, and this one does not, names nobody.
        """
        try:
            named = config.peers_of(text)
        except Malformed:
            return Introduced((), True)
        met = dict(named)
        async with trio.open_nursery() as nursery:
            for address in (address for address, peer in named if peer is None):
                nursery.start_soon(self._ask, address, met)
        known = _known([(address, met[address]) for address, _ in named])
        return Introduced(tuple(known), len(known) == len(named))

    async def _ask(self, address: Address, met: dict[Address, PeerId | None]) -> None:
        with trio.move_on_after(DIAL_S):
            try:
                link = await self.network.dial(address, None)
            except (PeerFault, Unavailable):
                return
            met[address] = link.peer
            with trio.CancelScope(shield=True):  # closing a link is bounded by the network itself
                await link.aclose()


def _known(found: Sequence[tuple[Address, PeerId | None]]) -> list[tuple[Address, PeerId]]:
    return [(address, peer) for address, peer in found if peer is not None]
