"""What a keeper that holds a million envelopes for a thousand owners takes for one more, and for giving some out.

    python -m benchmarks keepers

keepers.put: one envelope of 1 KiB through a door, from the request to the answer, which comes after the commit; each
for another owner. Beside it: 1 KiB appended to a file, and fsync. keepers.get: the oldest 58 envelopes of an owner who
has claimed, one frame of 60 KB; each of another owner. Beside it: as many bytes asked for and sent over TCP.
keepers.rss: the memory of the keeper's process at the end, beside a process that has imported libp2p and does nothing.

The shipped program, over real sockets of libp2p. Its database is filled by the shipped functions of the store, 1,000
envelopes a transaction, while it is stopped.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import trio

from benchmarks import collecting, figures, node, profiles
from crypto.keys import SigningKey
from node import dialler
from node.host import open_host
from node.keep import client
from node.keep.client import KeeperStream, Posting
from node.network import Address, PeerId
from protocol import invite, keep, keep_code, keep_proof
from protocol.keep import Status
from protocol.keep_code import Code
from store import own_keeper, permits, shelves
from store.database import Tx, Worker, open_database
from store.shelves import Arriving

OWNERS = 1_000
QUEUES = 10  # of an owner
ENVELOPES = 1_000  # of an owner
PERMIT_SPACE = 64 * 2**20
PUTS = 300
WARM, WARM_ROUNDS = 100, 15  # puts before: then the write-ahead log has its size, and is written over
GETS = 100
ENVELOPE_BYTES = 1024
PAGE = 58
ASKED = b"fetch".ljust(64)
NONCE = bytes(32)


def main() -> None:
    """Prints the figures."""
    collecting.main()
    with profiles.home() as home:
        with _keeper(home):
            pass  # it has made its key and its database
        began = time.monotonic()
        trio.run(_fill, home / "keeper")
        os.sync()  # two gigabytes that the system still has to write would be measured too
        filled_s = round(time.monotonic() - began, 1)
        file_mb = round((home / "keeper" / "keeper.db").stat().st_size / 1e6)
        with _keeper(home) as (code, pid), (home / "plain").open("wb") as plain, _echo() as echo:
            remarks = {"owners": OWNERS, "envelopes": OWNERS * ENVELOPES, "file_mb": file_mb, "filled_s": filled_s}
            trio.run(_measure, code, plain.fileno(), echo, remarks)
            figures.show(
                "keepers.rss", [node.rss_mb(pid)], "MB", "lower", "libp2p's imports alone", [node._imports_mb()]
            )


async def _measure(code: Code, plain: int, echo: socket.socket, remarks: dict[str, object]) -> None:
    chance = random.Random(6)
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(open_host(os.urandom(32)))
        addresses = [Address(invite.address_text(one)) for one in code.endpoints]
        link = await dialler.dial(host, addresses, PeerId(code.peer))
        keeper = await stack.enter_async_context(client.open_stream(link, host.peer))
        for _ in range(WARM_ROUNDS):
            kept = await keeper.put([_posting(chance) for _ in range(WARM)])
            assert {one.status for one in kept} == {Status.OK}
        ours, theirs = [], []
        for _ in range(PUTS):
            ours.append(await _put_ms(keeper, chance))
            theirs.append(_append_ms(plain))
        figures.show("keepers.put", ours[1:], "ms", "lower", "1 KiB appended, and fsync", theirs[1:], **remarks)
        ours, theirs = [], []
        for number in chance.sample(range(1, OWNERS + 1), GETS):
            async with client.open_stream(link, host.peer) as owners:
                ours.append(await _get_ms(owners, number))
            theirs.append(_echo_ms(echo))
        figures.show("keepers.get", ours[1:], "ms", "lower", "as many bytes over TCP", theirs[1:], **remarks)


async def _put_ms(keeper: KeeperStream, chance: random.Random) -> float:
    """How long one durable put takes, for an owner who is drawn."""
    posting = _posting(chance)
    began = time.perf_counter()
    (kept,) = await keeper.put((posting,))
    took = time.perf_counter() - began
    assert kept.status is Status.OK
    return took * 1000


def _posting(chance: random.Random) -> Posting:
    """An envelope for an owner who is drawn."""
    door = _door(chance.randint(1, OWNERS), chance.randrange(QUEUES))
    return Posting(_id(door), _put_key(door), os.urandom(ENVELOPE_BYTES), keep.DAY_S)


async def _get_ms(owners: KeeperStream, number: int) -> float:
    """How long one page takes that an owner fetches, after his claim."""
    assert await owners.claim(_owner(number), _secret(number), enrols=False) is Status.OK
    began = time.perf_counter()
    page = await owners.fetch(0, PAGE, 0)
    took = time.perf_counter() - began
    assert isinstance(page, keep.Items)
    assert len(page.items) == PAGE
    return took * 1000


def _append_ms(plain: int) -> float:
    began = time.perf_counter()
    os.write(plain, os.urandom(ENVELOPE_BYTES))
    os.fsync(plain)
    return (time.perf_counter() - began) * 1000


def _echo_ms(echo: socket.socket) -> float:
    began = time.perf_counter()
    echo.sendall(ASKED)
    left = PAGE * ENVELOPE_BYTES
    while left:
        left -= len(echo.recv(left))
    return (time.perf_counter() - began) * 1000


@contextmanager
def _echo() -> Iterator[socket.socket]:
    """A connection whose other end answers each question with a page."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as mine:
        theirs, _ = server.accept()

        def answer() -> None:
            with theirs:
                while theirs.recv(len(ASKED)):
                    theirs.sendall(bytes(PAGE * ENVELOPE_BYTES))

        threading.Thread(target=answer, daemon=True).start()
        yield mine


async def _fill(folder: Path) -> None:
    """Gives a thousand owners their queues, doors and envelopes."""
    key = (folder / "keeper.key").read_bytes()
    async with open_database(folder / "keeper.db", key, own_keeper.TABLES, Worker.INLINE) as database:
        for number in range(1, OWNERS + 1):
            await database.transact(_fill_one, number)


def _fill_one(tx: Tx, number: int) -> None:
    permits.make(tx, number, PERMIT_SPACE, keep.FRIEND.ttl_s, _secret(number))
    permit = permits.named(tx, keep_proof.permit_id(_secret(number)))
    assert permit is not None
    shelves.enrol(tx, permit.id, _owner(number).public)
    mine = shelves.owner(tx, _owner(number).public)
    assert mine is not None
    doors = [_door(number, place) for place in range(QUEUES)]
    queues = [
        keep.Queue(
            _id(door), 500, keep.FRIEND.bytes, keep.FRIEND.ttl_s, (keep.Door(_id(door), _put_key(door), 500, 0),)
        )
        for door in doors
    ]
    assert shelves.open_queues(tx, mine, queues) is Status.OK
    arriving = []
    for n in range(ENVELOPES):
        door = doors[n % QUEUES]
        envelope = os.urandom(ENVELOPE_BYTES)
        put = keep_proof.put(_put_key(door), NONCE, 1, _id(door), envelope, keep.FRIEND.ttl_s)
        arriving.append(Arriving(put, 1, NONCE, keep_proof.envelope_id(envelope)))
    assert {one.status for one in shelves.put(tx, arriving, 0, ())} == {Status.OK}


def _owner(number: int) -> SigningKey:
    return SigningKey(number.to_bytes(32, "big"))


def _secret(number: int) -> bytes:
    return b"permit".ljust(24) + number.to_bytes(8, "big")


def _door(number: int, place: int) -> int:
    return number * QUEUES + place


def _id(door: int) -> bytes:
    return random.Random(door).randbytes(16)  # as random as real ones: what an index costs depends on it


def _put_key(door: int) -> bytes:
    return b"key".ljust(24) + door.to_bytes(8, "big")


@contextmanager
def _keeper(home: Path) -> Iterator[tuple[Code, int]]:
    """The keeper as shipped; its code and its process."""
    there = profiles.place(home)
    told: Any = profiles.call(there, "keeper", "keeper", "node", "-d")
    try:
        yield keep_code.of_text(told["code"]), told["pid"]
    finally:
        profiles.call(there, "keeper", "down")
