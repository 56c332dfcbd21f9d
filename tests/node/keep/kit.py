"""A keeper that serves on a simulated network, and hosts that ask it."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from crypto import keys
from crypto.keys import SigningKey
from lab.network import SimHost, SimNetwork, open_network
from node.ground import Ground
from node.keep import client, deposit_client
from node.keep.client import KeeperStream, Posting
from node.keep.deposit_client import DepositStream
from node.keep.depot import Cellar
from node.keep.server import Keeping
from protocol import keep
from protocol.keep import Status
from store.database import Database, Worker, open_database
from store.keeping import KEEPING
from tests.store import keep_kit

START_MS = 1_790_000_000_000
GIB = 2**30
FILES = 4_000_000
MONTH_S = 30 * keep.DAY_S
OWNER = SigningKey(b"O" * 32)


@dataclass
class Place:
    """A keeper on its network. `permit`: of contact 1."""

    sim: SimNetwork
    host: SimHost
    keeping: Keeping
    clock: "Clock"
    permit: bytes = b""

    @asynccontextmanager
    async def stream(self, name: str) -> AsyncIterator[KeeperStream]:
        """A stream of a host of this name, which is made for it; the same name is the same PeerId."""
        async with self.sim.open_host(name, name.encode().ljust(32)) as host:
            link = await host.dial(self.host.addresses()[0], self.host.peer)
            async with client.open_stream(link, host.peer) as stream:
                yield stream

    @asynccontextmanager
    async def deposits(self, name: str) -> AsyncIterator[DepositStream]:
        """The same about files."""
        async with self.sim.open_host(name, name.encode().ljust(32)) as host:
            link = await host.dial(self.host.addresses()[0], self.host.peer)
            async with deposit_client.open_stream(link, host.peer) as stream:
                yield stream

    @asynccontextmanager
    async def owner(self, name: str = "owner", key: SigningKey = OWNER) -> AsyncIterator[KeeperStream]:
        """A stream that has claimed, with contact 1's permit."""
        async with self.stream(name) as stream:
            assert await stream.claim(key, self.permit, enrols=True) is Status.OK
            yield stream


@dataclass
class Clock:
    """The machine's clock of a keeper, which runs with trio's."""

    off_ms: int = 0
    _began: float = field(default_factory=trio.current_time)

    def now_ms(self) -> int:
        return START_MS + self.off_ms + int((trio.current_time() - self._began) * 1000)


def posting(door: int, text: object, size: int = 1024, ttl_s: int = keep.DAY_S) -> Posting:
    """An envelope for a door of keep_kit."""
    return Posting(keep_kit.sender_of(door), keep_kit.put_key_of(door), keep_kit.envelope(text, size), ttl_s)


def texts(page: keep.Items | Status) -> list[str]:
    """What stands in the envelopes of a page."""
    assert isinstance(page, keep.Items)
    return [item.envelope.decode().rstrip(".") for item in page.items]


def opener(path: Path, worker: Worker = Worker.INLINE) -> Callable[[], AbstractAsyncContextManager[Database]]:
    return lambda: open_database(path, bytes(32), KEEPING, worker)


@asynccontextmanager
async def open_keeper(
    folder: Path,
    clock: Clock | None = None,
    seed: int = 1,
    worker: Worker = Worker.INLINE,
    files: int = FILES,
    reserve_bytes: int = 0,
) -> AsyncIterator[Place]:
    """A keeper whose database and files lie in this folder, with a permit for contact 1. files: his allowance."""
    clock = clock or Clock()
    path = folder / "keeping.db"
    chance = random.Random(seed)
    ground = Ground(clock.now_ms, lambda _: chance.randbytes, keys.encapsulate, Worker.INLINE)
    async with open_network(seed) as sim, sim.open_host("keeper", b"keeper".ljust(32)) as host:

        async def allowance() -> int:
            return files

        cellar = Cellar(folder / "files", allowance, reserve_bytes)
        keeping = Keeping(ground, host, opener(path, worker), path.exists, cellar)
        await host.listen((sim.address("keeper"),))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeping.run)
            place = Place(sim, host, keeping, clock)
            place.permit = await keeping.permit(1, GIB, MONTH_S)
            yield place
            nursery.cancel_scope.cancel()
