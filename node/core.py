"""The parts of a running node that its rooms may use: a record, without verbs of its own."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from node.beacon import Beacon
from node.blobs.blobs import Blobs
from node.bootstrap import Bootstrap
from node.delivery import Delivery
from node.feature import Feature
from node.finder import Finder
from node.ground import Ground
from node.keep.collector import Collector
from node.keep.courier import Courier
from node.keep.leaver import Leaver
from node.keep.server import Keeping
from node.logs.scribe import Scribe
from node.lookup import Lookup
from node.network import Address, Network
from node.publisher import Publisher
from node.sync import Sync
from node.till import Till
from node.web.looking import Web
from node.workshop.looking import Looking
from store.database import Database
from store.identity import Identity

if TYPE_CHECKING:
    from node.relay.reach import Reachable  # imports libp2p

OpenNetwork = Callable[[bytes], AbstractAsyncContextManager[Network]]
"""Opens one more host of this machine under a transport key (seed: 32 bytes): node/host.py's open_host."""

OpenLookup = Callable[[Network], AbstractAsyncContextManager[Lookup]]
"""Opens the DHT for such a host, as one who asks and serves nothing."""


@dataclass(frozen=True, slots=True)
class Core:
    """What open_node has put together, running. open_lookup: None where this node uses no DHT."""

    ground: Ground
    network: Network
    database: Database
    identity: Identity
    delivery: Delivery
    features: tuple[Feature, ...]
    services: Mapping[str, Any]
    listening: Callable[[], tuple[Address, ...]]
    beacon: Beacon
    lookup: Lookup | None
    finder: Finder | None  # these two None where there is no Lookup
    publisher: Publisher | None
    open_network: OpenNetwork
    open_lookup: OpenLookup | None = None
    reachable: "Reachable | None" = None  # None in a simulated world: it has no relays
    bootstrap: Bootstrap | None = None  # None in a simulated world: it has a Lookup without a way in
    sync: Sync = field(kw_only=True)
    collector: Collector = field(kw_only=True)
    courier: Courier = field(kw_only=True)
    leaver: Leaver = field(kw_only=True)
    scribe: Scribe = field(kw_only=True)
    keeping: Keeping = field(kw_only=True)
    till: Till = field(kw_only=True)
    blobs: Blobs = field(kw_only=True)
    workshop: Looking = field(kw_only=True)
    web: Web = field(kw_only=True)
    stop: trio.Event = field(default_factory=trio.Event)
