"""The node's program and the composition root: the only place that knows rooms, libp2p, the profile and the local API.

weft.py _node init --profile P     one JSON line on stdin {"name", "passphrase"}; one JSON line on stdout
weft.py _node run  --profile P     one JSON line on stdin {"passphrase"}; one JSON line when it serves or cannot
weft.py _node doctor --profile P   one JSON line on stdin {"passphrase", "door"}; one JSON line with what was found
weft.py _node backup --profile P   {"passphrase", "file", "replace"}: writes a backup of a profile whose node is stopped
weft.py _node verify --profile P   {"words" or "passphrase", "file"}: reads all of a backup
weft.py _node keep --profile P     {"addresses", "bootstrap", "files"}: a keeper of one's own (node/keeper_program.py)
weft.py _node restore --profile P  {"words", "passphrase", "file"}: makes the profile from a backup
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog
import trio

import features
from crypto import keys
from node import backup, claim, config, ground, keeper_program, log, memory, profile, rpc
from node.datagrams import open_datagrams
from node.doctor import findings, patient, rounds
from node.host import open_host
from node.interfaces import open_news
from node.joining import HostDht
from node.making import making, require_none
from node.network import Address
from node.node import Node, migrations, open_node
from node.service import NodeService
from protocol import ids
from protocol.faults import Unavailable, UserFault
from store import examination, identity, settings
from store.database import Database, Tx, Worker, open_database
from store.faults import StoreDamaged, StoreFault
from store.keeping import KEEPING, keeping_key

LINE_BYTES_MAX = 1 << 16
GIVEN_UP = 130  # as a shell says it of a program that Ctrl-C has ended
OWNER_ONLY = 0o077  # umask: what this program makes, its owner alone reads; SQLite makes its files 0644 otherwise
SWITCH_S = 0.0002  # how long the database's thread may hold the interpreter while sockets wait; 5 ms costs 5 % of all
PORT_SETTING = "listen.port.last"  # the port that the system gave, so that old addresses stay good
KNOWN_S = 2.0  # whether one is still visible nearby is read in a moment; a start does not hang on it

LOG = structlog.get_logger("node")


class Usage(UserFault):
    """The node's program was started with words it does not know. Start it with: weft up."""

    code = "usage"
    next = "weft up"
    exit = 2


class CannotListen(UserFault):
    """The node cannot listen where it was told to. Nothing is lost; it can listen on any free port."""

    code = "node.listen"
    next = "WEFT_PORT=0 weft up"
    exit = 1


def main(argv: list[str]) -> int:
    """Runs one verb of the node's program; its exit code."""
    os.umask(OWNER_ONLY)
    try:
        match argv:
            case ["init", "--profile", name]:
                return trio.run(_init, profile.named(name), _said())
            case ["run", "--profile", name]:
                return trio.run(_run, profile.named(name), _said())
            case ["keep", "--profile", name]:
                return trio.run(keeper_program.run, profile.named(name), _said(), _answer)
            case ["doctor", "--profile", name]:
                return trio.run(_doctor, profile.named(name), _said())
            case ["backup", "--profile", name]:
                return trio.run(_backup, profile.named(name), _said())
            case ["verify", "--profile", name]:
                return _verify(profile.named(name), _said())
            case ["restore", "--profile", name]:
                return trio.run(_restore, profile.named(name), _said())
            case _:
                raise Usage
    except UserFault as fault:
        return _fail(fault)
    except BaseExceptionGroup as faults:
        asked, rest = faults.split(UserFault)
        if asked is None or rest is not None:
            raise
        return _fail(_first(asked))


async def _init(place: profile.Profile, said: Mapping[str, str]) -> int:
    """Makes the profile, its vault, its database and the identity in it."""
    profile.forbid_core_dumps()
    keys.require_ml_kem()
    passphrase = said.get("passphrase", "").encode()
    real = ground.real()
    with making(place):
        key = await trio.to_thread.run_sync(profile.create, place, passphrase, os.urandom, limiter=_vault_thread())
        async with open_database(place.database, key, migrations(features.load()), Worker.THREAD) as database:
            me = await database.transact(
                identity.create_identity, os.urandom(32), said.get("name", "") or place.name, real.now_ms(), os.urandom
            )
    _answer({"name": me.name, "account": ids.account_text(me.account), "keyfile": not passphrase})
    return 0


async def _run(place: profile.Profile, said: Mapping[str, str]) -> int:
    """Serves until SIGINT, SIGTERM or node.stop."""
    profile.forbid_core_dumps()
    keys.require_ml_kem()
    sys.setswitchinterval(SWITCH_S)
    real = ground.real()
    async with AsyncExitStack() as stack:
        if not profile.exists(place):
            raise profile.NoIdentity
        stack.enter_context(profile.locked(place))
        passphrase = said.get("passphrase", "").encode()
        key = await trio.to_thread.run_sync(profile.unlock, place, passphrase, limiter=_vault_thread())
        profile.require_database(place)
        rooms = features.load()
        database = await stack.enter_async_context(open_database(place.database, key, migrations(rooms), Worker.THREAD))
        stack.enter_context(claim.held(place, await database.read(_device)))
        me, values = await database.transact(_facts, real.now_ms(), real.entropy("transport"))
        with profile.writing(place):
            stack.enter_context(log.opened(place.log, str(values["log.level"])))
        network = await stack.enter_async_context(open_host(me.transport_seed))
        listen = await database.transact(_listen, values)
        news = await stack.enter_async_context(open_news())
        try:
            keeping = partial(open_database, place.keeping, keeping_key(key), KEEPING, Worker.THREAD)
            outside = HostDht(real, network).outside(
                place.blobs,
                open_datagrams,
                news,
                open_host,
                keeping,
                place.keeping.exists,
                place.keeping.with_suffix(".files"),
            )
            opened = open_node(real, outside, database, me, rooms, listen)
            node = await stack.enter_async_context(opened)
        except StoreFault:
            raise
        except Unavailable:
            where = f"{listen[-1]} cannot be listened on: it is taken, or no address of this machine. Nothing is lost."
            raise CannotListen(where) from None
        await database.transact(_keep_port, node.addresses)
        await _serve(place, node, database, real.now_ms())
    return 0


async def _doctor(place: profile.Profile, said: Mapping[str, str]) -> int:
    """Examines a profile whose node does not answer, and the machine; changes nothing."""
    profile.forbid_core_dumps()
    with log.on_stderr("warning"):
        tables = migrations(features.load())
        passphrase, door = said.get("passphrase", ""), said.get("door", "")
        async with patient.stopped(place, ground.real(), tables, passphrase, door) as found:
            _answer(findings.report(await rounds.examine(found)))
    return 0


async def _backup(place: profile.Profile, said: Mapping[str, str]) -> int:
    """Writes a backup of a profile that no node serves."""
    profile.forbid_core_dumps()
    with profile.locked(place):
        key = await trio.to_thread.run_sync(
            profile.unlock, place, said.get("passphrase", "").encode(), limiter=_vault_thread()
        )
        profile.require_database(place)
        rooms, file = features.load(), said.get("file", "")
        database = open_database(place.database, key, migrations(rooms), Worker.THREAD)
        async with _given_up_on_signals(), database as opened:
            me = await opened.read(identity.load_identity)
            if me is None:
                raise profile.ProfileDamaged("The database of this profile holds no identity; nothing was changed.")
            replace = said.get("replace") == "yes"
            made = await backup.create(opened, me, rooms, ground.real(), backup.place_of(file), replace)
            _answer({"file": file, **asdict(made)})
            return 0
    return GIVEN_UP


def _verify(place: profile.Profile, said: Mapping[str, str]) -> int:
    """Reads all of a backup with the words that were said, else with those of the profile; changes nothing."""
    profile.forbid_core_dumps()
    if said.get("words"):
        secret = backup.secret_of(said["words"])
    else:
        key = profile.unlock(place, said.get("passphrase", "").encode())
        profile.require_database(place)
        with profile.kept_still(place), examination.open_still(place.database, key) as tx:
            me = examination.answer(tx, identity.load_identity)
        if me is None:
            raise profile.ProfileDamaged("The database of this profile holds no identity; nothing was changed.")
        secret = me.recovery
    file = said.get("file", "")
    _answer({"file": file, **asdict(backup.verify(backup.place_of(file), secret, features.load()))})
    return 0


async def _restore(place: profile.Profile, said: Mapping[str, str]) -> int:
    """Makes a profile from a backup, once all of it was read and found good."""
    profile.forbid_core_dumps()
    keys.require_ml_kem()
    require_none(place)
    file, rooms = backup.place_of(said.get("file", "")), features.load()
    secret = backup.secret_of(said.get("words", ""))
    found = await trio.to_thread.run_sync(backup.verify, file, secret, rooms)
    passphrase = said.get("passphrase", "").encode()
    is_made = False
    async with _given_up_on_signals():
        with making(place):
            create = partial(profile.create, place, passphrase, os.urandom, command=profile.RESTORE)
            key = await trio.to_thread.run_sync(create, limiter=_vault_thread())
            async with open_database(place.database, key, migrations(rooms), Worker.THREAD) as database:
                await backup.restore(database, file, secret, rooms, ground.real().now_ms(), os.urandom)
        is_made = True
    if not is_made:
        return GIVEN_UP
    _answer({"file": str(file), **asdict(found), "keyfile": not passphrase})
    return 0


async def _serve(place: profile.Profile, node: Node, database: Database, now_ms: int) -> None:
    """The local API around a running node, until somebody ends it."""
    core = node.core
    services: dict[str, object] = {**core.services, "node": NodeService(core, place.name, now_ms)}
    shows = {topic: show for feature in core.features for topic, show in feature.shows.items()}
    passing = {
        topic: partial(watch, core.services[feature.name])
        for feature in core.features
        for topic, watch in feature.passing.items()
    }
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            with profile.writing(place):
                await nursery.start(rpc.serve, profile.socket_path(place), services, shows, database, passing)
            memory.settle()
            nearby = core.services["nearby"]
            with trio.move_on_after(KNOWN_S):
                await nearby.visibility.known.wait()
            addresses = [*core.network.addresses()]
            _answer({"ready": True, "pid": os.getpid(), "addresses": addresses, "nearby": nearby.said()})
            LOG.info("up", addresses=[*node.addresses])
            nursery.start_soon(_on_signal, signals, core.stop)
            await core.stop.wait()
            await trio.sleep(0.05)  # the answer to node.stop goes out first
            LOG.info("down")
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _given_up_on_signals() -> AsyncIterator[None]:
    """Within the block SIGINT and SIGTERM cancel it, so that what it made is taken away; else they end the process."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def give_up() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(give_up)
            yield
            nursery.cancel_scope.cancel()


async def _on_signal(signals: Any, stop: trio.Event) -> None:
    async for number in signals:
        LOG.info("signal", number=number)
        stop.set()


def _device(tx: Tx) -> ids.DeviceId:
    """The device of this profile. Raises: ProfileDamaged."""
    me = identity.load_identity(tx)
    if me is None:
        raise profile.ProfileDamaged("The database of this profile holds no identity; nothing was changed.")
    return me.device


def _facts(tx: Tx, now_ms: int, entropy: keys.Entropy) -> tuple[identity.Identity, dict[str, Any]]:
    """The identity, with a new transport key when the old one has lived for a week, and the settings."""
    me = identity.load_identity(tx)
    assert me is not None
    if identity.transport_is_old(me, now_ms):
        identity.rotate_transport(tx, entropy(32), now_ms)
        me = identity.load_identity(tx)
        assert me is not None
    return me, config.effective(settings.all_set(tx))


def _listen(tx: Tx, values: Mapping[str, Any]) -> tuple[Address, ...]:
    """Where to listen: the port that was set, else the one of the last start, else any free one."""
    host = str(config.parse("listen.address", os.environ.get("WEFT_LISTEN") or str(values["listen.address"])))
    port = int(config.parse("listen.port", os.environ.get("WEFT_PORT") or str(values["listen.port"])))
    family = "ip6" if ":" in host else "ip4"
    last = settings.get(tx, PORT_SETTING)
    ports = (port,) if port else ((int(last), 0) if last else (0,))
    return tuple(Address(f"/{family}/{host}/tcp/{one}") for one in ports)


def _keep_port(tx: Tx, addresses: tuple[Address, ...]) -> None:
    settings.put(tx, PORT_SETTING, addresses[0].rsplit("/", 1)[1])


def _vault_thread() -> trio.CapacityLimiter:
    """Room for one Argon2id: it takes 256 MiB and a core for half a second."""
    return trio.CapacityLimiter(1)


def _said() -> Mapping[str, str]:
    """The one line of JSON on standard input."""
    line = sys.stdin.readline(LINE_BYTES_MAX).strip()
    said = json.loads(line) if line else {}
    if not isinstance(said, dict):
        raise Usage
    return {str(name): str(value) for name, value in said.items()}


def _answer(answer: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _fail(fault: UserFault) -> int:
    if isinstance(fault, StoreDamaged):
        fault.next = profile.ProfileDamaged.next  # no node runs that could be stopped first
    error = {"code": fault.code, "message": str(fault), "next": fault.next, "data": fault.data, "exit": fault.exit}
    _answer({"error": error})
    return fault.exit


def _first(group: BaseExceptionGroup[Any]) -> UserFault:
    found: Any = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, UserFault)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
