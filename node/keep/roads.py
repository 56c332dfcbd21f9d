"""The ways to a keeper: the link of a talk with whoever keeps, else a dial, else where its record in the DHT says.

A keeper is never dialled without the PeerId that was told for it. Not here: what is said there (client.py).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from node import dialler, finder
from node.lookup import Lookup
from node.network import Link, Network, PeerId
from node.talks import Talks
from protocol import presence_record, rendezvous
from protocol.faults import PeerFault, Unavailable
from protocol.presence_record import Whereabouts

DIAL_S = 10.0
LOOK_S = 20.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a keeper is. peer: 32 bytes; find: the secret of its record; contact: who keeps, where it is one of ours.

    is_met: it is reached on a talk with that contact and in no other way.
    """

    peer: bytes
    addresses: tuple[str, ...]
    find: bytes
    contact: int | None
    is_met: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """A link to a keeper. moved: where its record says that it is, when it was found there."""

    link: Link
    moved: Whereabouts | None = None


@dataclass(frozen=True, slots=True)
class Roads:
    """How this node comes to keepers. lookup: None where there is no DHT."""

    network: Network
    talks: Talks
    lookup: Lookup | None

    @asynccontextmanager
    async def to(self, place: Place, now_s: int) -> AsyncIterator[Way]:
        """A way to a keeper, for as long as the block runs. Raises: Unavailable where it cannot be reached."""
        if (beside := self._beside(place)) is not None:
            yield Way(beside)
            return
        if place.is_met:
            raise Unavailable("he is away")
        way = await self._dialled(place, now_s)
        try:
            yield way
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await way.link.aclose()

    def _beside(self, place: Place) -> Link | None:
        """The link of a talk with whoever keeps there."""
        for one in self.talks:
            is_there = one.contact == place.contact if place.contact is not None else one.stream.peer == place.peer
            if is_there and one.link is not None and not one.link.is_gone:
                return one.link
        return None

    async def _dialled(self, place: Place, now_s: int) -> Way:
        try:
            return Way(await self._dial(place.peer, place.addresses))
        except (Unavailable, trio.TooSlowError):
            moved = await self._found(place, now_s)
            if moved is None:
                raise Unavailable("it does not answer") from None
        try:
            return Way(await self._dial(moved.peer, moved.addresses), moved)
        except (Unavailable, trio.TooSlowError):
            raise Unavailable("it does not answer where its record says that it is") from None

    async def _dial(self, peer: bytes, addresses: Sequence[str]) -> Link:
        with trio.fail_after(DIAL_S):
            known = finder.dialable(addresses, self.network.addresses())
            return await dialler.dial(self.network, known, PeerId(peer))

    async def _found(self, place: Place, now_s: int) -> Whereabouts | None:
        """Where the record of a keeper says that it is; None where there is none."""
        if self.lookup is None:
            return None
        for day in rendezvous.epochs_asked(now_s):
            keys = presence_record.keys_of(place.find, day)
            try:
                with trio.fail_after(LOOK_S):
                    raw = await self.lookup.get(rendezvous.dht_key(keys.name.public))
                if raw is not None:
                    return presence_record.open_sealed(keys, raw, now_s)[0].devices[0]
            except (PeerFault, Unavailable, trio.TooSlowError):
                continue
        return None
