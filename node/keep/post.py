"""Puts together what a node does with keepers as one of those who use them: collect its mail, and leave others theirs,
and files.

Not here: keeping for others (server.py).
"""

from node.blobs.blobs import Blobs
from node.blobs.kept import Kept
from node.delivery import Delivery
from node.inward import Inward
from node.keep.collector import Collector
from node.keep.courier import Courier
from node.keep.leaver import Leaver
from node.keep.reception import Reception
from node.keep.roads import Roads
from node.keep.strangers import Strangers
from node.lookup import Lookup
from node.network import Network


def put_together(
    inward: Inward, delivery: Delivery, network: Network, lookup: Lookup | None, blobs: Blobs
) -> tuple[Collector, Courier, Leaver]:
    """The three tasks of a node. lookup: None where there is no DHT. blobs: which come from keepers too."""
    roads = Roads(network, delivery.talks, lookup)
    blobs.kept = Kept(inward, roads)
    reception = Reception(inward, delivery, Strangers(inward.ground))
    return (
        Collector(inward, delivery, roads, reception),
        Courier(inward, delivery, roads),
        Leaver(inward, delivery, roads, blobs.files),
    )
