"""What a node meets beyond its clock and its disk, as whoever opens it has it: a real machine, or a simulated world.

Not here: time and chance (ground.py), what is made of all this (node.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from node import beacon, config
from node.bootstrap import Bootstrap
from node.core import OpenLookup, OpenNetwork
from node.delivery import Delivery
from node.ground import Ground
from node.keep.server import OpenKeeping
from node.lan import News
from node.lookup import Lookup
from node.network import Network
from node.web.fetching import Fetcher
from node.web.looking import Web
from node.workshop.looking import Looking
from node.workshop.workshop import Workshop
from store.database import Database

if TYPE_CHECKING:
    from node.relay.reach import Reachable  # imports libp2p

OpenBootstrap = Callable[[Ground, Database, "Reachable | None", Mapping[str, config.Value]], Bootstrap]
OpenReachable = Callable[[Ground, Database, Delivery, Mapping[str, config.Value]], "Reachable"]


@dataclass(frozen=True, slots=True)
class Outside:
    """network: the node's own host. blobs: the folder of large content, made when there is some.

    open_lan: the sockets of the beacon, opened while it is switched on.

    lookup: the DHT, None where there is none: then contacts are found where they were and on the local network.
    open_network, open_lookup: throw-away hosts, and the DHT for them. open_bootstrap: the way into the DHT of `lookup`;
    open_reachable: relays and what is known of NATs. A simulated world needs neither. open_keeping: the database of
    what is kept for others, None where nothing can be kept; has_keeping: whether there is one already;
    cellar: the folder of the files that are kept for others, None where none are.
    workshop: opens pictures and sounds. web: fetches pages for previews of links.
    """

    network: Network
    blobs: Path
    open_lan: beacon.Open
    news: News
    open_network: OpenNetwork
    lookup: Lookup | None = None
    open_lookup: OpenLookup | None = None
    open_reachable: OpenReachable | None = None
    open_bootstrap: OpenBootstrap | None = None
    open_keeping: OpenKeeping | None = None
    has_keeping: Callable[[], bool] = bool  # no
    cellar: Path | None = None
    workshop: Looking = field(default_factory=Workshop)
    web: Web = field(default_factory=Fetcher)
