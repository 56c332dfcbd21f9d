"""The DHT of a throw-away host beside that of the node: by whose peers it asks, and when it asks nobody."""

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from node import ground
from node.host import open_host
from node.joining import HostDht
from node.lookup import Lookup
from node.network import Address
from protocol.faults import Unavailable

pytestmark = pytest.mark.socket

PATIENCE_S = 30.0
KEY = bytes(range(32))


async def answers(lookup: Lookup) -> bool:
    try:
        await lookup.find(KEY)
    except Unavailable:
        return False
    return True


async def test_a_throw_away_host_opened_too_early_asks_later_and_nobody_while_the_dht_is_off() -> None:
    async with AsyncExitStack() as stack:
        chen, ana, mask = [await stack.enter_async_context(open_host(bytes([n]) * 32)) for n in (1, 2, 3)]
        for host in (chen, ana, mask):
            await host.listen([Address("/ip4/127.0.0.1/tcp/0")])
        served, asking = HostDht(ground.real(), chen), HostDht(ground.real(), ana)
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        for dht, mode in ((served, "server"), (asking, "client")):
            nursery.start_soon(dht.kad.run)
            dht.switch(mode)
        beside = await stack.enter_async_context(asking.beside(mask))
        with pytest.raises(Unavailable, match="no peer of the DHT"):
            await beside.find(KEY)
        asking.kad.note_peer(chen.peer, chen.addresses())
        with trio.fail_after(PATIENCE_S):
            while asking.kad.state().peers == 0 or not await answers(beside):
                await trio.testing.wait_all_tasks_blocked(0.05)
        assert await beside.provide(KEY) == 1
        asking.switch("off")
        with pytest.raises(Unavailable, match="switched off"):
            await beside.provide(KEY)
        asking.switch("auto")
        assert await beside.provide(KEY) == 1
