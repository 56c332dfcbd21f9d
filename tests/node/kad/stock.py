"""py-libp2p's own host and its own KadDHT, as they are: the oracle of the protocol.

One thing has to be changed from outside: the protocol's id is a constant in five of libp2p's modules, and there is no
other way to it (`protocol_prefix` changes nothing on the wire). The modules get ours for the length of a test.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.kad_dht import common, kad_dht, peer_routing, provider_store, value_store
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.records.validator import NamespacedValidator, Validator
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from node import guards
from node.kad import messages, space
from node.network import Address, PeerId
from protocol.faults import PeerFault
from tests.node.kad.circle import ANYWHERE, NOW_S, check, newer


class Notes(Validator):
    """The rules of test records, as libp2p asks for them."""

    def validate(self, key: str, value: bytes) -> None:
        try:
            check(space.key_of_record(key.encode()), value, NOW_S)
        except PeerFault as fault:
            raise ValueError(str(fault)) from fault

    def select(self, key: str, values: list[bytes]) -> int:
        read = [check(space.key_of_record(key.encode()), value, NOW_S) for value in values]
        best = 0
        for place, one in enumerate(read):
            if newer(one, read[best]):
                best = place
        return best


class Stock:
    """One host of libp2p with its DHT."""

    def __init__(self, host: Any, dht: Any) -> None:
        self.host = host
        self.dht = dht
        self.peer: PeerId = guards.peer_of(host.get_id())
        self.address = Address(str(host.get_addrs()[0]).partition("/p2p/")[0])


@contextmanager
def our_protocol() -> Iterator[None]:
    """Gives libp2p's modules our protocol id while the block lasts."""
    modules: list[Any] = [common, kad_dht, peer_routing, provider_store, value_store]
    theirs = common.PROTOCOL_ID
    for module in modules:
        module.PROTOCOL_ID = TProtocol(messages.PROTOCOL)
    try:
        yield
    finally:
        for module in modules:
            module.PROTOCOL_ID = theirs


@asynccontextmanager
async def stock(seed: bytes) -> AsyncIterator[Stock]:
    """Yields a host that serves the DHT."""
    keys = create_new_key_pair(seed)
    host = new_host(key_pair=keys, sec_opt={NOISE: Noise(keys, create_noise_key_pair().private_key)})
    async with host.run([Multiaddr(ANYWHERE)]):
        rules = NamespacedValidator({"weft": Notes()})
        dht = KadDHT(host, DHTMode.SERVER, validator=rules, validator_changed=True, strict_validation=True)
        async with background_trio_service(dht):
            yield Stock(host, dht)
            for peer in list(host.get_connected_peers()):
                await host.disconnect(peer)  # it would leave its sockets open
