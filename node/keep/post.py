"""Puts together what a node does with keepers as one of those who use them: collect its mail, and leave others theirs,
and files.

Not here: keeping for others (server.py).
"""

from node.blobs.files import Files
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
    inward: Inward, delivery: Delivery, network: Network, lookup: Lookup | None, files: Files
) -> tuple[Collector, Courier, Leaver]:
    """The three tasks of a node. lookup: None where there is no DHT. files: of blobs."""
    roads = Roads(network, delivery.talks, lookup)
    reception = Reception(inward, delivery, Strangers(inward.ground))
    return (
        Collector(inward, delivery, roads, reception),
        Courier(inward, delivery, roads),
        Leaver(inward, delivery, roads, files),
    )
