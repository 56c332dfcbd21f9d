"""Our DHT and py-libp2p's own, as it is, in one network: what one gives the other finds, in both directions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from libp2p.peer.peerinfo import PeerInfo
from multiaddr import Multiaddr

from node import guards
from node.kad import space
from tests.node.kad.circle import PATIENCE_S, Member, circle, key_of, note, owner, until
from tests.node.kad.stock import Stock, our_protocol, stock

pytestmark = pytest.mark.socket

WHO = owner(1)
WIRE_KEY = space.record_key(key_of(WHO)).decode()
PLACE = bytes(range(32))


@asynccontextmanager
async def mixed() -> AsyncIterator[tuple[Stock, list[Member]]]:
    """One of theirs among three of ours; it began with one of ours, which we have looked at since."""
    with our_protocol(), trio.fail_after(PATIENCE_S):
        async with circle(3) as members, stock(b"s" * 32) as theirs:
            first = members[0]
            await theirs.host.connect(PeerInfo(guards.id_of(first.peer), [Multiaddr(first.address)]))
            await theirs.dht.peer_routing.find_closest_peers_network(theirs.host.get_id().to_bytes())
            await until(lambda: theirs.peer in first.kad._table)
            yield theirs, members


async def test_what_libp2p_puts_we_get() -> None:
    async with mixed() as (theirs, members):
        await theirs.dht.put_value(WIRE_KEY, note(WHO, b"theirs"))
        for one in members:
            assert await one.kad.get(key_of(WHO)) == note(WHO, b"theirs")


async def test_what_we_put_libp2p_keeps_and_gets() -> None:
    async with mixed() as (theirs, members):
        for one in members[1:]:
            one.kad.note_peer(theirs.peer, (theirs.address,))
        assert await members[0].kad.put(key_of(WHO), note(WHO, b"ours")) == len(members)
        kept = theirs.dht.value_store.get(WIRE_KEY.encode())
        assert kept.value == note(WHO, b"ours")
        theirs.dht.value_store.store.clear()
        assert await theirs.dht.get_value(WIRE_KEY) == note(WHO, b"ours")


async def test_what_libp2p_provides_we_find() -> None:
    async with mixed() as (theirs, members):
        assert await theirs.dht.provide(space.provider_key(PLACE).hex())
        for one in members:
            assert [(it.peer, it.addresses) for it in await one.kad.find(PLACE)] == [(theirs.peer, (theirs.address,))]


async def test_what_we_provide_libp2p_finds() -> None:
    async with mixed() as (theirs, members):
        assert await members[1].kad.provide(PLACE) == len(members)
        theirs.dht.provider_store.providers.clear()
        found = await theirs.dht.find_providers(space.provider_key(PLACE).hex())
        assert {guards.peer_of(one.peer_id) for one in found} == {members[1].peer}
        assert {str(address) for one in found for address in one.addrs} == {members[1].address}


async def test_libp2p_asks_us_for_peers_and_learns_all_of_them() -> None:
    async with mixed() as (theirs, members):
        near = await theirs.dht.peer_routing.find_closest_peers_network(b"any key of at most fifty bytes")
        assert {guards.peer_of(one) for one in near} >= {one.peer for one in members}
