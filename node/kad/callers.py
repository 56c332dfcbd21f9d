"""Looks whether those who ask us serve the DHT themselves, one after another and seldom: only then others hear of them.

A caller proves by his link who he is, not that he can be dialled. So he is asked back on the link by which he came what
he serves and where he listens (identify), then dialled there as anybody would, and asked. He is dialled only at the IP
that he came from: who names another's makes us knock at nobody's door. Source: docs/protocol/dht.md 4. Not here: whom
else we ask (dht.py).
"""

from collections.abc import Awaitable, Callable

import trio

from node import identify
from node.identify import Identified
from node.kad import messages
from node.kad.messages import Peer
from node.kad.table import Table
from node.network import Address, Link, PeerId, Stream, address_of, circuit_of, parts_of
from protocol.faults import PeerFault, Unavailable

WAITING_MAX = 16  # who is not looked at now comes again
LOOKERS = 2
LOOK_S = 10.0
AGAIN_S = 600.0  # before the same caller is looked at again
SEEN_MAX = 1024
ADDRESSES_MAX = 4  # dialled of one caller


class Callers:
    """Those who asked, and wait to be looked at."""

    def __init__(self, table: Table, ask: Callable[[Peer], Awaitable[None]]) -> None:
        """ask: asks a peer something, and puts it into the table when it answers. Raises as Links.ask."""
        self._table = table
        self._ask = ask
        self._seen: dict[PeerId, float] = {}  # when each was noted; the longest ago first
        self._notes, self._noted = trio.open_memory_channel[tuple[Link, Address]](WAITING_MAX)

    def note(self, stream: Stream) -> None:
        """Takes somebody who has asked us; nobody waits for what comes of it."""
        now = trio.current_time()
        if stream.link is None or stream.remote is None or stream.is_relayed or not self._table.wants(stream.peer):
            return
        if now < self._seen.get(stream.peer, float("-inf")) + AGAIN_S:
            return
        try:
            self._notes.send_nowait((stream.link, stream.remote))
        except trio.WouldBlock:
            return
        self._seen.pop(stream.peer, None)
        self._seen[stream.peer] = now
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]

    async def run(self) -> None:
        """Looks at one after another until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(LOOKERS):
                nursery.start_soon(self._look)

    async def _look(self) -> None:
        async for link, remote in self._noted:
            with trio.move_on_after(LOOK_S):
                try:
                    said = await identify.identify(link)
                    addresses = dialled_at(said, remote)
                    if messages.PROTOCOL in said.protocols and addresses:
                        await self._ask(Peer(said.peer, addresses))
                except (PeerFault, Unavailable):
                    continue  # a client, or one that nobody can dial


def dialled_at(said: Identified, remote: Address) -> tuple[Address, ...]:
    """Where a caller may be dialled: at the IP that he came from, under the ports on which he says that he listens.

    On one machine, where a program comes from one IP and listens at another, at any IP of the machine.
    """
    came_from = parts_of(remote)[0]
    listens = [parts_of(address) for address in said.addresses if circuit_of(address) is None]
    found = [(ip if ip.is_loopback and came_from.is_loopback else came_from, port) for ip, port in listens]
    return tuple(dict.fromkeys(address_of(ip, port) for ip, port in found))[:ADDRESSES_MAX]
