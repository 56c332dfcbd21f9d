"""How this node comes into the DHT: whom it asks first, and whom it will ask after the next start.

    dht.bootstrap ─┐
    invitations    │
    contacts       ├─> the DHT, while it knows few peers: at 0, 2, 5, 10, 30 s, then every minute
    remembered     ┘   <── every 10 min, once it knows some: the 64 that answered last are kept

No peer is special and none is built in. Contacts on the local network are among these as soon as they are connected.
Not here: lookups and tables (node/kad/), when records are put and asked for (publisher.py, finder.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Protocol

import structlog
import trio

from node import config
from node.bell import Bell
from node.ground import Ground
from node.introductions import Introductions
from node.lookup import Lookup, Provider
from node.network import CIRCUIT, Address, PeerId
from store import peers
from store.database import Database, Tx

FEW = 4  # peers; with fewer we look for more
PAUSES_S = (2.0, 3.0, 5.0, 20.0)  # between the first rounds
ROUND_S = 60.0  # then, while few are known; and how often reachability is looked at
KEEP_S = 600.0  # how often those that answered are written down
INVITERS_MAX = 8  # of the invitations that were followed last
CONTACTS_MAX = 32  # devices of contacts that are asked in one round

log = structlog.get_logger("dht")


class DhtState(Protocol):
    """What a DHT says of itself. answered_s: seconds since a peer last answered; None: none ever did."""

    @property
    def is_serving(self) -> bool:
        """Whether it answers others."""

    @property
    def peers(self) -> int:
        """How many it knows."""

    @property
    def records(self) -> int:
        """How many it keeps for others."""

    @property
    def answered_s(self) -> float | None:
        """How long ago a peer answered."""


class Dht(Lookup, Protocol):
    """The Lookup of a real node: node/kad/dht.py's Kad."""

    def note_peer(self, peer: PeerId, addresses: Sequence[Address]) -> None:
        """Takes a peer that may serve the DHT."""

    def note_reachability(self, is_reachable: bool) -> None:
        """Takes it whether others can dial us."""

    def peers(self, count: int) -> tuple[Provider, ...]:
        """The peers that answered last."""

    def state(self) -> DhtState:
        """What it does and has now."""

    async def run(self) -> None:
        """Works until cancelled."""


@dataclass
class Bootstrap:
    """The way into the DHT. `run` works until cancelled; `turn` takes other settings at once.

    switch: sets what this node does in the DHT, by the words of dht.mode. reach: whether others can dial us, None while
    nobody knows.
    """

    ground: Ground
    database: Database
    dht: Dht
    switch: Callable[[str], None]
    reach: Callable[[], bool | None]
    introductions: Introductions
    values: Mapping[str, config.Value]
    network_changed: Bell = field(default_factory=Bell)  # rung from outside
    contacts: Callable[[Tx, int], tuple[peers.Peer, ...]] = peers.of_contacts  # where those we know may be
    _inviters: dict[PeerId, tuple[Address, ...]] = field(default_factory=dict)
    _kept_at: float = float("-inf")
    _was_reached: bool | None = None

    @property
    def mode(self) -> str:
        """What dht.mode says."""
        return str(self.values["dht.mode"])

    def turn(self, values: Mapping[str, config.Value]) -> None:
        """Takes other settings."""
        self.values = values
        self.switch(self.mode)
        self.network_changed.ring()

    def meet(self, peer: PeerId, addresses: Sequence[Address]) -> None:
        """Takes where an invitation says that its maker is: for somebody new, often the only node that he knows."""
        if self._inviters.pop(peer, None) != tuple(addresses):
            self.network_changed.ring()
        self._inviters[peer] = tuple(addresses)
        if len(self._inviters) > INVITERS_MAX:
            del self._inviters[next(iter(self._inviters))]

    def why_not(self) -> str:
        """Why the DHT is of no use now, for a person; "" when it is."""
        state = self.dht.state()
        if self.mode == "off":
            return "switched off: weft config set dht.mode auto"
        if state.peers:
            return ""
        if state.answered_s is not None:
            return "no peer answers any more"
        return "no peer answered yet: contacts, or addresses in dht.bootstrap, lead to the first"

    async def run(self) -> None:
        """Works until cancelled."""
        self.switch(self.mode)
        pauses = chain(PAUSES_S, repeat(ROUND_S))
        while True:
            if self.mode != "off":
                await self._round()
            with trio.move_on_after(next(pauses)):
                await self.network_changed.wait()
                pauses = chain(PAUSES_S, repeat(ROUND_S))

    async def _round(self) -> None:
        """Names peers to a DHT that knows few, keeps those of one that knows some, and says how we are reached."""
        reached = self.reach()
        if reached is not None and reached != self._was_reached:
            self._was_reached = reached
            self.dht.note_reachability(reached)
        if self.dht.state().peers < FEW:
            for one in await self._known():
                direct = tuple(Address(text) for text in one.addresses if CIRCUIT not in text)
                if direct:
                    self.dht.note_peer(PeerId(one.peer), direct)
        elif trio.current_time() - self._kept_at >= KEEP_S:
            self._kept_at = trio.current_time()
            found = [peers.Peer(one.peer, one.addresses) for one in self.dht.peers(peers.PEERS_MAX)]
            await self.database.transact(peers.remember, found, self.ground.now_ms())

    async def _known(self) -> tuple[peers.Peer, ...]:
        """Everybody who may be in the DHT, the least likely first: who is named last is kept longest."""
        remembered = await self.database.transact(peers.remembered)
        contacts = await self.database.transact(self.contacts, CONTACTS_MAX)
        introduced = await self.introductions.of(str(self.values["dht.bootstrap"]))
        named = [peers.Peer(peer, (address,)) for address, peer in introduced.peers]
        inviters = [peers.Peer(peer, addresses) for peer, addresses in self._inviters.items()]
        return (*reversed(remembered), *reversed(contacts), *inviters, *named)
