"""A Lookup for simulated worlds: one table that all hosts share, as far as they reach anybody.

It implements node/lookup.py and nothing of a DHT: no routing, no copies that die with their keepers. So a world shows
what the node does with what a DHT gives or refuses; what a DHT gives is shown with real ones (tests/node/kad). Like a
keeper in a real one it trusts nobody, but it looks at sizes only: records are checked by who reads them.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from lab.network import SimHost, SimNetwork
from node.lookup import KEY_BYTES, PROVIDERS_MAX, RECORD_BYTES_MAX, Lookup, Provider
from node.network import Network
from protocol import record, rendezvous
from protocol.faults import PeerFault, Unavailable
from protocol.rendezvous import Record

CALL_S = 0.25  # what a put or a get among a few dozen real nodes takes
RECORD_S = 26 * 3600.0  # the longest that any record of ours is good
PROVIDER_S = 3600.0
COPIES_MAX = 20  # how many peers a real DHT gives a record to

Newer = Callable[[bytes, bytes], bool]
"""Whether the first of two records of one key is to replace the second."""


def newest(given: bytes, kept: bytes) -> bool:
    """As a keeper decides who has checked both; what is no record gives way to whatever comes later."""
    try:
        one, other = (record.decode(Record, raw, RECORD_BYTES_MAX) for raw in (given, kept))
    except PeerFault:
        return True
    return rendezvous.newer(one, other)


@dataclass
class Table:
    """What is kept for everybody. `is_down` may be set at any time.

    is_down: nobody gets an answer. asked, put_by: (time, name, key) of every get and of every put that was taken.
    provided, searched: every key under which somebody said that he is there, and every one that was looked up.
    """

    network: SimNetwork
    newer: Newer = newest
    is_down: bool = False
    asked: list[tuple[float, str, bytes]] = field(default_factory=list)
    put_by: list[tuple[float, str, bytes]] = field(default_factory=list)
    provided: list[tuple[bytes, Provider]] = field(default_factory=list)
    searched: list[bytes] = field(default_factory=list)
    _records: dict[bytes, tuple[float, bytes]] = field(default_factory=dict)
    _providers: dict[bytes, dict[bytes, tuple[float, Provider]]] = field(default_factory=dict)

    def of(self, host: SimHost) -> "SimLookup":
        """The table as this host sees it."""
        return SimLookup(self, host)

    @asynccontextmanager
    async def open(self, network: Network) -> AsyncIterator[Lookup]:
        """Yields the table as a further host of a machine sees it: node.core.OpenLookup."""
        assert isinstance(network, SimHost)
        yield self.of(network)

    def plant(self, key: bytes, record: bytes) -> None:
        """Puts any bytes under a key, as a keeper that lies does, whatever was there."""
        self._records[key] = (trio.current_time() + RECORD_S, record)

    def kept(self, key: bytes) -> bytes | None:
        """What is kept under a key now."""
        ends_at, record = self._records.get(key, (0.0, None))
        return record if trio.current_time() < ends_at else None

    def keep(self, key: bytes, record: bytes) -> None:
        """Keeps a record unless a newer one is here."""
        old = self.kept(key)
        if old is None or self.newer(record, old):
            self._records[key] = (trio.current_time() + RECORD_S, record)

    def keep_provider(self, key: bytes, provider: Provider) -> None:
        """Keeps that somebody is to be found under a key."""
        self._providers.setdefault(key, {})[provider.peer] = (trio.current_time() + PROVIDER_S, provider)

    def providers(self, key: bytes) -> tuple[Provider, ...]:
        """Who is to be found under a key now, in the order of their coming."""
        living = [one for ends_at, one in self._providers.get(key, {}).values() if trio.current_time() < ends_at]
        return tuple(living[:PROVIDERS_MAX])


@dataclass(frozen=True, slots=True)
class SimLookup:
    """The Lookup of one host: implements node.lookup.Lookup. Made by Table.of."""

    table: Table
    host: SimHost

    async def put(self, key: bytes, record: bytes) -> int:
        """Keeps a record; returns how many others are there to keep it. Raises: Unavailable."""
        assert len(key) == KEY_BYTES
        assert len(record) <= RECORD_BYTES_MAX
        count = await self._others()
        self.table.put_by.append((trio.current_time(), self.host.name, key))
        self.table.keep(key, record)
        return count

    async def get(self, key: bytes) -> bytes | None:
        """The record of a key. Raises: Unavailable."""
        assert len(key) == KEY_BYTES
        self.table.asked.append((trio.current_time(), self.host.name, key))
        await self._others()
        return self.table.kept(key)

    async def provide(self, key: bytes) -> int:
        """Says that this host is to be found under a key. Raises: Unavailable."""
        assert len(key) == KEY_BYTES
        count = await self._others()
        here = Provider(self.host.peer, self.host.addresses())
        self.table.provided.append((key, here))
        self.table.keep_provider(key, here)
        return count

    async def find(self, key: bytes) -> tuple[Provider, ...]:
        """Who is to be found under a key. Raises: Unavailable."""
        assert len(key) == KEY_BYTES
        self.table.searched.append(key)
        await self._others()
        return self.table.providers(key)

    async def _others(self) -> int:
        """Waits as long as a call takes; how many others this host reaches then. Raises: Unavailable for none."""
        await trio.sleep(CALL_S)
        others = 0 if self.table.is_down else len(self.table.network.reached_by(self.host.name))
        if not others:
            raise Unavailable("no other node answers")
        return min(others, COPIES_MAX)
