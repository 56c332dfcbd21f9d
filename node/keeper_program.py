"""A keeper of one's own: a second weft without a screen, an account or a ratchet key, always on.

    weft.py _node keep --profile P     {"addresses": "IP:PORT …" or "auto", "bootstrap": "…", "files": "MB"}; one JSON
                                       line when it serves. All are remembered: what is not said is as before

    <profile>/keeper.key   the key of keeper.db, 0600: it starts without anybody, so nothing stronger opens it
    <profile>/keeper.db    what lies there for the owner, and who the keeper is

It publishes where it is, for who has its code, and serves /weft/keep/1. What it holds are envelopes that it cannot
open. Not here: what it keeps and for whom (keep/server.py, store/shelves.py), the command (cli/commands/keeper.py).
"""

import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import structlog
import trio

from crypto.keys import Entropy
from node import config, ground, keeper_disk, keeper_files, log, profile, rpc
from node.bootstrap import Bootstrap
from node.host import open_host
from node.introductions import Introductions
from node.joining import HostDht
from node.keep.depot import SETTING, cellar_in
from node.keep.server import Keeping
from node.network import Address, Network, parts_of, peer_text
from node.publisher import Publisher
from node.supervisor import supervise
from protocol import invite, keep, keep_code
from protocol import rpc as local_api
from protocol.faults import Unavailable, UserFault
from protocol.invite import Endpoint
from protocol.version import VERSION
from store import own_keeper, permits, settings
from store.database import Database, Tx, Worker, open_database
from store.keeper_words import NO_ROOM
from store.own_keeper import Self

PORT_SETTING = "listen.port.last"  # the port that the system gave, so that the code stays good
ADDRESSES_SETTING = "keeper.addresses"  # those that the person gave
FILES_MB = 2000  # of files for its owner, unless he says otherwise
AUTO = "auto"  # in place of addresses: what this machine knows of itself
KEY_BYTES = 32

LOG = structlog.get_logger("keeper")


class HasIdentity(UserFault):
    """This profile is somebody's, and a keeper holds nobody's keys. Give it its own; nothing was changed."""

    code = "keeper.identity"
    next = "weft --profile keeper keeper node"
    exit = 1


class CannotKeepHere(UserFault):
    """The keeper cannot listen there: the port is taken, or may not be used. Nothing was lost."""

    code = "node.listen"
    next = "weft keeper node"
    exit = 1


@dataclass
class KeepService:
    """What a door asks a keeper of one's own. Every public method is a call of the local API, `keep.NAME`."""

    place: profile.Profile
    database: Database
    keeping: Keeping
    publisher: Publisher
    network: Network
    me: Self
    named: tuple[Endpoint, ...]  # addresses that the person gave

    async def status(self) -> dict[str, object]:
        """Returns what this keeper holds, for how long it may grow, and whether it is found: {bytes, items, queues,
        space, files, files_bytes, seen_ms, copies, trouble, ...}. trouble: what is wrong with its disk."""
        uses = await self.keeping.usage()
        own = next((one for one in uses if one.contact == permits.OWN), None)
        files_bytes, files = await self.keeping.files(permits.OWN)
        return {
            "pid": os.getpid(),
            "addresses": [*self.network.addresses()],
            "peer": peer_text(self.network.peer),
            "bytes": 0 if own is None else own.bytes,
            "items": 0 if own is None else own.items,
            "queues": 0 if own is None else own.queues,
            "seen_ms": 0 if own is None else own.seen_ms,
            "space": await self.keeping.given(),
            "files": files,
            "files_bytes": files_bytes,
            "copies": self.publisher.copies,
            "published": self.publisher.fault or "yes",
            "trouble": keeper_disk.trouble(self.place, self.database),
            "version": VERSION,
        }

    async def code(self) -> dict[str, object]:
        """Returns the code that the owner's device takes; whoever has it may keep mail here in the owner's place."""
        space = max(await self.keeping.given(), NO_ROOM)
        permit = await self.keeping.permit(permits.OWN, space, keep.OWN.ttl_s)
        where = self.named or _best(self.network.addresses())
        code = keep_code.Code(permit, self.me.find, self.network.peer, where[: invite.ADDRESSES_MAX])
        return {"code": keep_code.text_of(code)}


@dataclass
class StopService:
    """The calls `node.NAME` that `weft down` needs."""

    ending: trio.Event = field(default_factory=trio.Event)

    async def stop(self) -> dict[str, object]:
        """Ends the keeper cleanly, after this answer."""
        self.ending.set()
        return {}

    async def version(self) -> dict[str, object]:
        """Returns the version of weft and of the local API."""
        return {"version": VERSION, "protocol": local_api.API}


async def run(place: profile.Profile, said: Mapping[str, str], answer: Callable[[Mapping[str, object]], None]) -> int:
    """Serves until SIGINT, SIGTERM or node.stop. answer: takes the line that says that it serves."""
    profile.forbid_core_dumps()
    if profile.exists(place):
        raise HasIdentity
    real = ground.real()
    with profile.writing(place):
        place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.root.chmod(0o700)
    async with AsyncExitStack() as stack:
        stack.enter_context(profile.locked(place))
        with profile.writing(place):
            keeper_disk.ready(place)
            key = _key(keeper_files.key(place), real.entropy("keeper"))
            stack.enter_context(log.opened(place.log, "info"))
        opening = open_database(keeper_files.database(place), key, own_keeper.TABLES, Worker.THREAD)
        database = await stack.enter_async_context(opening)
        me = await database.transact(own_keeper.begin, real.entropy("keeper"))
        if "files" in said:
            await database.transact(settings.put, SETTING, str(config.parse(SETTING, said["files"])))
        if "bootstrap" in said:
            text = str(config.parse("dht.bootstrap", said["bootstrap"]))
            await database.transact(settings.put, "dht.bootstrap", text)
        before = await database.transact(lambda tx: settings.get(tx, ADDRESSES_SETTING) or AUTO)
        told = said.get("addresses") or before
        named = invite.addresses_of(map(_multiaddr, told.split()))
        network = await stack.enter_async_context(open_host(me.transport_seed))
        bound = await _listen(network, await database.transact(_ports, named))
        await database.transact(settings.put, PORT_SETTING, str(parts_of(bound)[1]))
        await database.transact(settings.put, ADDRESSES_SETTING, told)  # now that one can listen there
        await _serve(place, real, database, network, me, named, answer)
    return 0


async def _serve(
    place: profile.Profile,
    real: ground.Ground,
    database: Database,
    network: Network,
    me: Self,
    named: tuple[Endpoint, ...],
    answer: Callable[[Mapping[str, object]], None],
) -> None:
    """The keeper, its record and its local API, until somebody ends it."""
    values = config.effective(await database.transact(settings.all_set))
    dht = HostDht(real, network)
    bootstrap = Bootstrap(
        real, database, dht.kad, dht.switch, lambda: None, Introductions(network), values, contacts=lambda *_: ()
    )
    where = partial(_where, network, named)
    publisher = Publisher(
        real, database, keep_code.KEEPER, network.peer, dht.kad, where, facts=lambda _: (me.find, True)
    )
    cellar = cellar_in(keeper_files.cellar(place), database, FILES_MB)
    keeping = Keeping(real, network, partial(_opened, database), lambda: True, cellar)
    service, stop = KeepService(place, database, keeping, publisher, network, me, named), StopService()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, "keeping", keeping.run)
            is_first = not [one for one in await keeping.usage() if one.contact == permits.OWN]
            await keeper_disk.look(place, keeping, database)
            code = await service.code()
            for name, task in (("dht", dht.kad.run), ("bootstrap", bootstrap.run), ("publisher", publisher.run)):
                nursery.start_soon(supervise, name, task)
            nursery.start_soon(supervise, "disk", keeper_disk.run, place, keeping, database)
            services: dict[str, object] = {"keep": service, "node": stop}
            with profile.writing(place):
                await nursery.start(rpc.serve, profile.socket_path(place), services, {}, database)
            answer({"ready": True, "pid": os.getpid(), "addresses": [*where()], "first": is_first, **code})
            LOG.info("up", addresses=[*network.addresses()])
            nursery.start_soon(_on_signal, signals, stop.ending)
            await stop.ending.wait()
            await trio.sleep(0.05)  # the answer to node.stop goes out first
            LOG.info("down")
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[Database]:
    """The database of the program, which is the keeper's."""
    yield database


async def _on_signal(signals: Any, ending: trio.Event) -> None:
    async for _ in signals:
        ending.set()


async def _listen(network: Network, choices: tuple[Address, ...]) -> Address:
    """Listens at the first of these that can be bound, and returns it. Raises: CannotKeepHere."""
    for choice in choices:
        try:
            return (await network.listen((choice,)))[0]
        except Unavailable:
            continue
    raise CannotKeepHere(f"The keeper cannot listen at {choices[-1]}: it is taken, or no address of this machine.")


def _ports(tx: Tx, named: tuple[Endpoint, ...]) -> tuple[Address, ...]:
    """Where to listen: at the port that others are told, else that of the last start, else any free one."""
    host = str(config.parse("listen.address", os.environ.get("WEFT_LISTEN", "0.0.0.0")))
    family = "ip6" if ":" in host else "ip4"
    last = settings.get(tx, PORT_SETTING)
    ports = (named[0].port,) if named else ((int(last), 0) if last else (0,))
    return tuple(Address(f"/{family}/{host}/tcp/{port}") for port in ports)


def _where(network: Network, named: tuple[Endpoint, ...]) -> tuple[Address, ...]:
    """Where others dial it, for its record: what the person said first."""
    told = tuple(Address(invite.address_text(one)) for one in named)
    return told + tuple(one for one in network.addresses() if one not in told)


def _best(addresses: tuple[Address, ...]) -> tuple[Endpoint, ...]:
    """Of the addresses of this machine those that most others could dial, first."""
    direct = invite.addresses_of(addresses)
    return tuple(sorted(direct, key=lambda one: (not ip_address(one.ip).is_global, ip_address(one.ip).is_loopback)))


def _multiaddr(text: str) -> str:
    """The multiaddr of IP:PORT or [IP]:PORT; what is none stays as it is, and is left out."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    return f"/ip{6 if ':' in host else 4}/{host}/tcp/{port}"


def _key(path: Path, entropy: Entropy) -> bytes:
    """The key in the file, which is made at the first start. Raises: ProfileDamaged."""
    if not path.exists():
        temporary = path.with_name("keeper.key.new")
        with open(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(entropy(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise profile.ProfileDamaged(f"The file {path} is damaged; nothing was changed.")
    return key
