"""Opens a whole node over a network and a database: the same for a real one and for one in a simulated world."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import structlog
import trio

from node import config, disk
from node.beacon import Beacon
from node.bell import Bell
from node.blobs.blobs import Blobs
from node.blobs.files import Files
from node.core import Core
from node.delivery import Delivery
from node.feature import Feature, kinds_of
from node.finder import Finder
from node.ground import Ground
from node.inward import Inward
from node.keep import post
from node.keep.depot import SETTING, Cellar, cellar_in
from node.keep.server import Keeping
from node.logs.carrier import Carrier
from node.logs.scribe import Scribe
from node.network import Address, Link, Network, Stream, address_of, parts_of
from node.outside import Outside
from node.publisher import Publisher
from node.supervisor import supervise
from node.sync import Sync
from node.talk import Talk
from node.till import Till
from protocol import blob_stream, talk
from protocol import sync as logs_protocol
from protocol.faults import Unavailable
from store import blobs as blob_rows
from store import leaving, settings, upkeep, uses
from store.conversations import SCHEMA
from store.database import Database, Migration
from store.identity import Identity
from store.schema import CORE

EVERYWHERE, EVERYWHERE6 = IPv4Address("0.0.0.0"), IPv6Address("::")
TIDY_S = 6 * 3600.0  # prekeys live 7 days, messages 30: looked at four times a day
TIDY_FIRST_S = 600.0  # a clock that is wrong after a start is set by then; what was queued too long is tried once more

log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class Node:
    """A running node: its core, and the addresses where it listens."""

    core: Core
    addresses: tuple[Address, ...]


def migrations(features: Sequence[Feature]) -> tuple[Migration, ...]:
    """The tables of the store and of all rooms, in the order in which they are made."""
    return (
        *CORE,
        *SCHEMA,
        *blob_rows.SCHEMA,
        *leaving.SCHEMA,
        *uses.SCHEMA,
        *(one for feature in features for one in feature.migrations),
    )


@asynccontextmanager
async def open_node(
    ground: Ground,
    outside: Outside,
    database: Database,
    identity: Identity,
    features: Sequence[Feature],
    listen: Sequence[Address],
) -> AsyncIterator[Node]:
    """A node that listens, reaches its contacts and serves its rooms until the block is left.

    listen: the first of these that can be bound. Raises: Unavailable when none of the addresses can be bound.
    """
    network, lookup = outside.network, outside.lookup
    inward = Inward(ground, database, identity, kinds_of(features), tuple(features))
    await inward.retry_unheard()
    sync = Sync(inward)

    async def beside(one: Talk, link: Link | None) -> None:
        for task in (collector, courier, leaver, blobs):
            task.met(one.contact)
        await sync.beside(one, link)

    delivery = Delivery(inward, network, run_id=ground.entropy("run")(16), beside=beside)
    blobs = Blobs(inward, delivery.talks, Files(outside.blobs))
    collector, courier, leaver = post.put_together(inward, delivery, network, lookup, blobs)
    services: dict[str, Any] = {}
    listening: list[Address] = []  # filled below: the rooms are opened before the node listens
    values = config.effective(await database.transact(settings.all_set))
    device = identity.certificate.device
    where, is_on = lambda: tuple(listening), values["lan.beacon"] is True
    lan = Beacon(ground, network, database, device, delivery, where, outside.open_lan, outside.news, is_on)
    find_reach, find_way = outside.open_reachable, outside.open_bootstrap
    reachable = None if find_reach is None else find_reach(ground, database, delivery, values)
    moved = Bell() if reachable is None else reachable.moved
    core = Core(
        ground,
        network,
        database,
        identity,
        delivery,
        tuple(features),
        services,
        where,
        lan,
        lookup,
        None if lookup is None else Finder(ground, network, database, delivery, lookup),
        None if lookup is None else Publisher(ground, database, device, network.peer, lookup, network.addresses, moved),
        outside.open_network,
        outside.open_lookup,
        reachable,
        None if find_way is None else find_way(ground, database, reachable, values),
        sync=sync,
        collector=collector,
        courier=courier,
        leaver=leaver,
        scribe=Scribe(inward, delivery, sync),
        keeping=Keeping(ground, network, outside.open_keeping, outside.has_keeping, _cellar(outside, database)),
        till=Till(inward),
        blobs=blobs,
        workshop=outside.workshop,
        web=outside.web,
    )
    for feature in features:
        services[feature.name] = feature.open(core)
    _open_doors(core)
    listening += await _listen(network, listen)
    async with trio.open_nursery() as nursery:
        _start(nursery, core)
        yield Node(core, tuple(listening))
        nursery.cancel_scope.cancel()


def _cellar(outside: Outside, database: Database) -> Cellar | None:
    """Where files are kept for others; None where none are."""
    return None if outside.cellar is None else cellar_in(outside.cellar, database, int(config.setting(SETTING).default))


def _start(nursery: trio.Nursery, core: Core) -> None:
    """Starts all that works by itself, each under its own supervision."""
    nursery.start_soon(supervise, "delivery", core.delivery.run)
    nursery.start_soon(supervise, "logs", core.sync.run)
    nursery.start_soon(supervise, "collector", core.collector.run)
    nursery.start_soon(supervise, "courier", core.courier.run)
    nursery.start_soon(supervise, "leaver", core.leaver.run)
    core.beacon.heeding += [one.network_changed for one in (core.collector, core.courier, core.leaver)]
    nursery.start_soon(supervise, "carrier", Carrier(core.delivery.inward, core.delivery, core.sync.desks).run)
    nursery.start_soon(supervise, "spine", core.scribe.run)
    nursery.start_soon(supervise, "keeping", core.keeping.run)
    nursery.start_soon(supervise, "blobs", core.blobs.run)
    nursery.start_soon(supervise, "upkeep", _tidy, core)
    nursery.start_soon(supervise, "beacon", core.beacon.run)
    nursery.start_soon(supervise, "disk", disk.run, core.database, core.delivery)
    if core.finder is not None and core.publisher is not None:
        core.beacon.heeding += [core.finder.network_changed, core.publisher.bell]
        nursery.start_soon(supervise, "finder", core.finder.run)
        nursery.start_soon(supervise, "publisher", core.publisher.run)
    if core.bootstrap is not None:
        core.beacon.heeding.append(core.bootstrap.network_changed)
        nursery.start_soon(supervise, "dht", core.bootstrap.dht.run)
        nursery.start_soon(supervise, "bootstrap", core.bootstrap.run)
    if core.reachable is not None:
        core.beacon.heeding.append(core.reachable.network_changed)
        nursery.start_soon(supervise, "relays", core.reachable.run)
    for feature in core.features:
        if feature.run is not None:
            nursery.start_soon(supervise, feature.name, feature.run, core.services[feature.name])


async def _listen(network: Network, choices: Sequence[Address]) -> tuple[Address, ...]:
    """The first of these that can be bound: the port of the last start may have been taken. Raises: Unavailable.

    Who listens on all addresses of IPv4 does so on those of IPv6 too, under the same port, where there is IPv6.
    """
    for choice in choices[:-1]:
        with suppress(Unavailable):
            bound = await network.listen((choice,))
            break
    else:
        bound = await network.listen(choices[-1:])
    ip, port = parts_of(bound[0])
    if ip == EVERYWHERE:
        with suppress(Unavailable):
            bound += await network.listen((address_of(EVERYWHERE6, port),))
    return bound


def _open_doors(core: Core) -> None:
    doors = _doors(core)

    async def accept(protocol: str, stream: Stream) -> None:
        await doors[protocol](stream)

    core.network.serve(tuple(doors), accept)


def _doors(core: Core) -> Mapping[str, Any]:
    """Which protocol is served by what: the talk by delivery, the others by their rooms."""

    def door(feature: Feature, protocol: str) -> Any:
        async def serve(stream: Stream) -> None:
            await feature.serves[protocol](core.services[feature.name], stream)

        return serve

    doors: dict[str, Any] = {
        talk.PROTOCOL: core.delivery.accept,
        logs_protocol.PROTOCOL: core.sync.accept,
        blob_stream.PROTOCOL: core.blobs.accept,
    }
    for feature in core.features:
        for protocol in feature.serves:
            doors[protocol] = door(feature, protocol)
    return doors


async def _tidy(core: Core) -> None:
    await trio.sleep(TIDY_FIRST_S)
    while True:
        await core.database.transact(upkeep.tidy, core.ground.now_ms(), core.ground.entropy("prekeys"))
        await trio.sleep(TIDY_S)
