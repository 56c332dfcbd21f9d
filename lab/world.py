"""A world in a box: whole nodes on a simulated network, a virtual clock and one seed; a day of mail costs a second.

    def story(world: World) -> None: ...
    run(story, seed=7)

The nodes are opened by the same open_node as real ones, over SQLCipher files in a temporary folder, so that a restart
is a restart from disk. One seed gives one transcript, in any process and under any PYTHONHASHSEED: the scheduler, the
network, and each node's entropy by purpose are seeded from it. A story that fails prints its seed.
Not here: the network's misfortunes (network.py), real processes (demo.py).
"""

import hashlib
import json
import os
import random
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import trio
from trio.testing import MockClock

import features as rooms
from crypto import keys
from crypto.vault import Cost
from lab.bench import Bench
from lab.lan import Places
from lab.lookup import Table
from lab.network import PORT, SimHost, SimNetwork, open_network
from lab.web import Sites
from node.ground import Ground
from node.network import address_of, parts_of
from node.node import Node, migrations, open_node
from node.outside import Outside
from store import identity
from store.database import Worker, open_database
from store.keeping import KEEPING

if TYPE_CHECKING:
    from trio_typing import TaskStatus

EPOCH_MS = 1_790_000_000_000  # the wall clock of a world at its start, ms since 1970 (2026-09-21)
CHEAP = Cost(1, 8 * 2**20)  # of a handle's key: in line, a node waits for it
MEMORY = next(filter(os.path.isdir, ("/dev/shm",)), None)  # a world dies with its databases: no disk is waited for
PATIENCE_S = 600.0  # virtual seconds after which `until` gives up


class NeverTrue(Exception):
    """A story waited for something that did not happen in time."""


class Crashed(Exception):
    """A service of a node crashed in a story: our bug."""


@dataclass
class Person:
    """One node of the world and its owner. `start`, `stop` and `kill` are its life; `call` is its local API."""

    world: "World"
    name: str
    port: int = PORT  # where it listens from its next start on
    life: int = 0
    clock_off_ms: int = 0  # how far this person's clock is from the world's
    node: Node | None = None
    _scope: trio.CancelScope | None = None
    _ended: trio.Event = field(default_factory=trio.Event)

    async def start(self) -> None:
        """Opens the node from what is on its disk, or as a new one."""
        assert self.node is None
        self.life += 1
        self._ended = trio.Event()
        await self.world.nursery.start(self._live)

    async def stop(self) -> None:
        """Ends the node as SIGTERM does."""
        assert self._scope is not None
        self._scope.cancel()
        await self._ended.wait()

    async def kill(self) -> None:
        """Ends the node as SIGKILL does to its peers: no goodbye; what was committed is on its disk."""
        self.world.network.kill(self.name)
        await self.stop()

    async def call(self, method: str, **params: object) -> Any:
        """Calls the local API as a door does, and notes it in the transcript."""
        assert self.node is not None
        room, _, verb = method.partition(".")
        answer = plain(await getattr(self.node.core.services[room], verb)(**params))
        self.world.note(self.name, method, params, answer)
        return answer

    def now_ms(self) -> int:
        """What this person's clock shows."""
        return self.world.now_ms() + self.clock_off_ms

    def entropy(self, purpose: str) -> keys.Entropy:
        """One stream a purpose and a life, so that one more draw in one place moves no other place."""
        stream = (self.name, self.life, purpose)
        if stream not in self.world.streams:
            chance = random.Random(f"{self.world.seed}/{self.name}/{self.life}/{purpose}")
            self.world.streams[stream] = chance.randbytes
        return self.world.streams[stream]

    def _chance(self, of: str) -> random.Random:
        """What stays the same over all lives."""
        return random.Random(f"{self.world.seed}/{self.name}/{of}")

    def _outside(self, host: SimHost) -> Outside:
        places, table, network = self.world.places, self.world.table, self.world.network
        kept = self.world.folder / f"{self.name}.keeping.db"
        return Outside(
            host,
            self.world.folder / f"{self.name}.blobs",
            lambda: places.open(self.name),
            places.news(self.name),
            lambda seed: network.open_beside(self.name, seed),
            None if table is None else table.of(host),
            None if table is None else table.open,
            open_keeping=lambda: open_database(kept, self._chance("keeping").randbytes(32), KEEPING, Worker.INLINE),
            has_keeping=kept.exists,
            cellar=self.world.folder / f"{self.name}.keeping.files",
            workshop=Bench(),
            web=self.world.sites,
        )

    async def _live(self, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        features = tuple(one for one in rooms.load() if one.name not in self.world.without)
        ground = Ground(self.now_ms, self.entropy, self.world.encapsulation(self), Worker.INLINE, CHEAP)
        key = self._chance("database").randbytes(32)
        path = self.world.folder / f"{self.name}.db"
        try:
            with trio.CancelScope() as self._scope:
                async with open_database(path, key, migrations(features), Worker.INLINE) as database:
                    me = await database.transact(identity.load_identity)
                    if me is None:
                        secret = self.entropy("recovery")(32)
                        make = identity.create_identity
                        me = await database.transact(
                            make, secret, self.name.title(), ground.now_ms(), self.entropy("identity")
                        )
                    ip, _ = parts_of(self.world.network.address(self.name))
                    listen = (address_of(ip, self.port),)
                    async with (
                        self.world.network.open_host(self.name, me.transport_seed) as host,
                        open_node(ground, self._outside(host), database, me, features, listen) as self.node,
                    ):
                        task_status.started()
                        await trio.sleep_forever()
        finally:
            self.node = None
            self._ended.set()


@dataclass
class World:
    """The people, the network between them, and the transcript of all that the API said.

    table: what a DHT keeps; None as long as nobody called share_lookup, and then no node has one. without: rooms that
    no node has, for stories about what is below them.
    """

    seed: int
    network: SimNetwork
    nursery: trio.Nursery
    folder: Path
    places: Places
    table: Table | None = None
    people: dict[str, Person] = field(default_factory=dict)
    streams: dict[tuple[str, int, str], keys.Entropy] = field(default_factory=dict)
    sites: Sites = field(default_factory=Sites)
    without: frozenset[str] = frozenset()
    _notes: Any = field(default_factory=hashlib.sha256)

    def now_ms(self) -> int:
        """The wall clock of everybody in this world."""
        return EPOCH_MS + int(trio.current_time() * 1000)

    async def person(self, name: str, clock_off_ms: int = 0) -> Person:
        """A new person with a running node."""
        person = self.people[name] = Person(self, name, clock_off_ms=clock_off_ms)
        await person.start()
        return person

    def share_lookup(self) -> Table:
        """Gives everybody who starts from now on a Lookup, over one table."""
        self.table = Table(self.network)
        return self.table

    def encapsulation(self, person: Person) -> keys.Encapsulate:
        """ML-KEM-768 with the person's own chance, by an implementation that takes it as an argument."""
        from kyber_py.ml_kem import ML_KEM_768  # 0.1 s to import and only needed here

        draw = person.entropy("kem")

        def encapsulate(public: bytes) -> tuple[bytes, bytes]:
            secret, ciphertext = ML_KEM_768._encaps_internal(public, draw(32))
            return ciphertext, secret

        return encapsulate

    async def pass_for(self, *people: Person, seconds: float) -> None:
        """So much time, in which only the nodes of these people run; the others stop, and are started at its end.

        For days that are about what one node does by itself: heartbeats of all others would cost more than all else.
        """
        away = [one for one in self.people.values() if one.node is not None and one not in people]
        for one in away:
            await one.stop()
        await trio.sleep(seconds)
        for one in away:
            await one.start()

    async def until(self, true: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
        """Waits until a question about the nodes is answered with yes, asking after each change in any database.

        Raises: NeverTrue after patience_s virtual seconds.
        """
        with trio.move_on_after(patience_s):
            while not await true():
                await self._change()
            return
        raise NeverTrue(f"seed {self.seed}: not within {patience_s} s: {true.__doc__ or true.__name__}")

    async def _change(self) -> None:
        """Returns after the next change in any database, or after a second for what is no change (links, nodes)."""
        with trio.move_on_after(1.0):
            async with trio.open_nursery() as nursery:
                for person in self.people.values():
                    if person.node is not None:
                        nursery.start_soon(self._one_change, person.node, nursery.cancel_scope)
                await trio.sleep_forever()

    async def _one_change(self, node: Node, done: trio.CancelScope) -> None:
        with node.core.database.watch() as changes:
            await changes.receive()
            done.cancel()

    def note(self, *what: object) -> None:
        """Adds to the transcript: who, what, and the answer, with the time."""
        self._notes.update(json.dumps([trio.current_time(), *what], default=str, sort_keys=True).encode())

    def transcript(self) -> str:
        """The hash of all that was noted, hexadecimal."""
        return str(self._notes.hexdigest())


@asynccontextmanager
async def open_world(seed: int, folder: Path) -> AsyncIterator["World"]:
    """A world without people, on a good network; everything in it ends with the block."""
    async with open_network(seed) as network, trio.open_nursery() as nursery:
        yield World(seed, network, nursery, folder, Places(network, nursery, seed))
        nursery.cancel_scope.cancel()


def run(story: Callable[[World], Awaitable[None]], seed: int) -> str:
    """Lives a story in a world of this seed and returns the hash of its transcript.

    Raises: whatever the story raises, with the seed printed before it.
    """

    async def live() -> str:
        with tempfile.TemporaryDirectory(prefix="weft-world-", dir=MEMORY) as folder:
            async with open_world(seed, Path(folder)) as world:
                await story(world)
                return world.transcript()

    seed_scheduler(seed)
    crashes: list[str] = []
    try:
        with _listening(crashes):
            transcript = trio.run(live, clock=MockClock(autojump_threshold=0))
        if crashes:
            raise Crashed(crashes[0])
        return transcript
    except BaseException:
        print(f"\nthe world of seed {seed} failed; run it again with lab.world.run(story, seed={seed})")
        raise


@contextmanager
def _listening(crashes: list[str]) -> Iterator[None]:
    """Keeps the nodes' log from the terminal, and collects crashes: in a world they are failures."""

    def collect(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        if event.get("exc_info"):
            crashes.append(traceback.format_exc())
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[collect], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def seed_scheduler(seed: int) -> None:
    """Makes trio's shuffling of runnable tasks repeat: the names are those that its own Hypothesis hook sets."""
    import trio._core._run as scheduler

    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    scheduler._r.seed(seed)


def plain(answer: Any) -> Any:
    """An answer of a service as the local API's JSON shows it: dictionaries, lists, text and numbers."""
    if is_dataclass(answer) and not isinstance(answer, type):
        return asdict(answer)
    if isinstance(answer, list | tuple):
        return [plain(one) for one in answer]
    return answer


async def befriend(one: Person, other: Person) -> None:
    """Makes two people contacts by a one-time invitation."""
    made = await one.call("contacts.invite")
    await other.call("contacts.add", link=made["link"], name=one.name)
    await one.world.until(lambda: both_active(one, other))


async def both_active(one: Person, other: Person) -> bool:
    """Whether each has the other as an active contact."""
    return await has_active(one, other.name) and await has_active(other, one.name)


async def has_active(person: Person, name: str) -> bool:
    """Whether a person has an active contact of that name."""
    if person.node is None:
        return False
    found = await person.node.core.services["contacts"].list()
    return any(one.name.casefold() == name.casefold() and one.state == "active" for one in found)


async def texts(person: Person, of: str) -> Sequence[str]:
    """The texts of a conversation as a person sees them, in order."""
    if person.node is None:
        return ()
    return [line.text for line in await person.node.core.services["chat"].history(of, 1000)]
