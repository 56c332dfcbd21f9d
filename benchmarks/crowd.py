"""Contacts of one node, as many as links come on standard input, all in this one process: for benchmarks/idle.py.

    python -m benchmarks.crowd ADDRESS FOLDER     one line of JSON on stdin: {"stay": [links], "leave": [links]}

Each follows its link to its end and talks; those that leave are gone then. Prints "there" and lives until it is killed.
Each is a whole node with the shipped parts, a real host and the DHT; only the program around it and the beacon are not.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

import features
from node import ground, log
from node.host import open_host
from node.joining import HostDht
from node.lan import Lan
from node.network import Address
from node.node import Node, migrations, open_node
from protocol.faults import Unavailable
from store import identity
from store.database import Worker, open_database

PATIENCE_S = 60.0


class Silence:
    """News of a network that never changes."""

    async def changed(self) -> None:
        """Never returns."""
        await trio.sleep_forever()


@asynccontextmanager
async def no_lan() -> AsyncIterator[Lan]:
    """There is no beacon here."""
    raise Unavailable("the crowd has no beacon")
    yield


@asynccontextmanager
async def contact(folder: Path, name: str, address: Address, link: str) -> AsyncIterator[Node]:
    """A node that has followed a link and talks with whoever made it."""
    real, rooms = replace(ground.real(), worker=Worker.INLINE), features.load()
    async with AsyncExitStack() as stack:
        opened = open_database(folder / f"{name}.db", os.urandom(32), migrations(rooms), Worker.INLINE)
        database = await stack.enter_async_context(opened)
        make = identity.create_identity
        me = await database.transact(make, os.urandom(32), name, real.now_ms(), os.urandom)
        network = await stack.enter_async_context(open_host(me.transport_seed))
        outside = HostDht(real, network).outside(folder / f"{name}.blobs", no_lan, Silence(), open_host)
        node = await stack.enter_async_context(open_node(real, outside, database, me, rooms, (address,)))
        contacts: Any = node.core.services["contacts"]
        await contacts.add(link=link, name="measured")
        with trio.fail_after(PATIENCE_S):
            while not [one for one in await contacts.list() if one.state == "active" and one.online]:  # noqa: ASYNC110
                await trio.sleep(0.1)
        yield node


async def live(address: Address, folder: Path, stay: list[str], leave: list[str]) -> None:
    """Brings them all, and lives for ever."""
    async with AsyncExitStack() as stack:
        for number, link in enumerate(stay):
            await stack.enter_async_context(contact(folder, f"stays {number}", address, link))
        for number, link in enumerate(leave):
            async with contact(folder, f"leaves {number}", address, link):
                await trio.sleep(2.0)  # its record is published meanwhile
        print("there", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    told = json.loads(sys.stdin.readline())
    with log.on_stderr("error"):
        trio.run(live, Address(sys.argv[1]), Path(sys.argv[2]), told["stay"], told["leave"])
