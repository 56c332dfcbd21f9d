"""Puts together what a node does with keepers as one of those who use them: collect its mail, and leave others theirs.

Not here: keeping for others (server.py).
"""

from node.delivery import Delivery
from node.inward import Inward
from node.keep.collector import Collector
from node.keep.courier import Courier
from node.keep.reception import Reception
from node.keep.roads import Roads
from node.keep.strangers import Strangers
from node.lookup import Lookup
from node.network import Network


def put_together(
    inward: Inward, delivery: Delivery, network: Network, lookup: Lookup | None
) -> tuple[Collector, Courier]:
    """The two tasks of a node. lookup: None where there is no DHT."""
    roads = Roads(network, delivery.talks, lookup)
    reception = Reception(inward, delivery, Strangers(inward.ground))
    return Collector(inward, delivery, roads, reception), Courier(inward, delivery, roads)
