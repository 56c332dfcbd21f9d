"""The DHT over a real host, put together: what open_node takes of it. A world has a table instead (lab/lookup.py).

Not here: the DHT (node/kad/), whom it asks first (bootstrap.py), relays and NATs (node/relay/).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio

from node import beacon
from node.bootstrap import FEW, Bootstrap
from node.core import OpenNetwork
from node.ground import Ground
from node.identify import Offers
from node.introductions import Introductions
from node.kad.dht import Kad, Mode
from node.kad.shelf import Rules
from node.keep.server import OpenKeeping
from node.lan import News
from node.lookup import PROVIDERS_MAX, Lookup, Provider
from node.network import Network
from node.outside import Outside
from node.relay.carrier import Carrier
from node.relay.reach import Reachable
from node.relay.scouting import Candidate
from node.relay.state import Reach
from node.supervisor import supervise
from protocol import rendezvous


class Beside(Lookup):
    """The DHT for a throw-away host: it asks by peers that our own knows by now."""

    def __init__(self, ours: Kad, beside: Kad) -> None:
        self._ours, self._beside = ours, beside

    async def put(self, key: bytes, record: bytes) -> int:
        return await self._now().put(key, record)

    async def get(self, key: bytes) -> bytes | None:
        return await self._now().get(key)

    async def provide(self, key: bytes) -> int:
        return await self._now().provide(key)

    async def find(self, key: bytes) -> tuple[Provider, ...]:
        return await self._now().find(key)

    def _now(self) -> Kad:
        if self._beside.state().peers < FEW:  # ours may have met its first after the throw-away host was opened
            for known in self._ours.peers(PROVIDERS_MAX):
                self._beside.note_peer(known.peer, known.addresses)
        return self._beside


class HostDht:
    """The DHT of this host, put together with what it offers to strangers, and with what knows how it is reached.

    `outside` is what open_node takes; the other methods are what it calls.
    """

    def __init__(self, real: Ground, network: Network) -> None:
        self._real, self._network, self._carrier = real, network, cast("Carrier", network)
        self._offers = Offers(network, network.addresses)
        self.kad = self._open(network, self._offers, Mode.OFF)  # `bootstrap` switches it
        self._besides: list[Kad] = []

    def outside(
        self,
        blobs: Path,
        open_lan: beacon.Open,
        news: News,
        open_network: OpenNetwork,
        open_keeping: OpenKeeping | None = None,
        has_keeping: Callable[[], bool] = bool,
        cellar: Path | None = None,
    ) -> Outside:
        """All that a node on this host meets."""
        return Outside(
            self._network,
            blobs,
            open_lan,
            news,
            open_network,
            self.kad,
            self.beside,
            self.reachable,
            self.bootstrap,
            open_keeping,
            has_keeping,
            cellar,
        )

    def _open(self, network: Network, offers: Offers, mode: Mode) -> Kad:
        rules, now_s = Rules(rendezvous.check, rendezvous.newer), lambda: self._real.now_ms() // 1000
        return Kad(network, offers, rules, now_s, self._real.entropy("dht"), network.addresses, mode)

    def reachable(self, *parts: Any) -> Reachable:
        """Relays and what is known of NATs: peers of the DHT are asked too."""
        real, database, delivery, values = parts
        return Reachable(real, self._carrier, database, delivery, values, self._offers, self._candidates)

    def bootstrap(self, *parts: Any) -> Bootstrap:
        """The way into the DHT."""
        real, database, reachable, values = parts

        def reach() -> bool | None:
            found = reachable.reachability.reach
            return None if found is Reach.UNKNOWN else found is Reach.PUBLIC

        return Bootstrap(real, database, self.kad, self.switch, reach, Introductions(self._network), values)

    def switch(self, mode: str) -> None:
        """Takes the words of dht.mode: off is off for throw-away hosts too."""
        self.kad.set_mode(Mode(mode))
        for one in self._besides:
            one.set_mode(self._mode_beside())

    def _mode_beside(self) -> Mode:
        return Mode.OFF if self.kad.state().mode is Mode.OFF else Mode.CLIENT

    @asynccontextmanager
    async def beside(self, network: Network) -> AsyncIterator[Lookup]:
        """The DHT for a throw-away host: it asks, by peers that we know, and serves nothing."""
        one = self._open(network, Offers(network, network.addresses), self._mode_beside())
        self._besides.append(one)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervise, "dht beside", one.run)
                yield Beside(self.kad, one)
                nursery.cancel_scope.cancel()
        finally:
            self._besides.remove(one)

    def _candidates(self) -> list[Candidate]:
        return [Candidate(one.addresses[0], one.peer) for one in self.kad.peers(PROVIDERS_MAX) if one.addresses]
