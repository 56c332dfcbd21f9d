"""Hostile peers of the DHT: garbage, silence, lies, rings, floods. Whoever is honest still finds what is there."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from node import delimited, guards
from node.delimited import DelimitedReader
from node.host import open_host
from node.kad import messages, server, shelf, space
from node.kad.messages import Kind, Message, Peer
from node.network import Address, Network, PeerId, Stream, parts_of
from protocol.faults import Malformed, Unavailable
from tests.node.kad.circle import (
    ANYWHERE,
    NOW_S,
    PATIENCE_S,
    Member,
    circle,
    join,
    key_of,
    lives,
    note,
    owner,
    seed_of,
    until,
)

pytestmark = pytest.mark.socket

SEED = 11
EVE = b"e" * 32
WHO = owner(1)
KEY, WIRE_KEY = key_of(WHO), space.record_key(key_of(WHO))

Serve = Callable[[Stream, Message], Awaitable[None]]


async def listens(network: Network, serve: Serve, address: Address = ANYWHERE) -> Address:
    """Lets a hostile host answer the DHT's questions in its own way."""

    async def accept(_protocol: str, stream: Stream) -> None:
        stream.welcome()
        reader = DelimitedReader(stream, messages.REQUEST_BYTES_MAX)
        while (raw := await reader.read()) is not None:
            await serve(stream, messages.decode(raw))

    network.serve([messages.PROTOCOL], accept)
    (bound,) = await network.listen([address])
    return bound


async def say(stream: Stream, message: Message) -> None:
    await delimited.write(stream, messages.encode(message, NOW_S))


async def garbage(stream: Stream, _question: Message) -> None:
    await delimited.write(stream, b"\xff" * 100)


async def endless(stream: Stream, _question: Message) -> None:
    await stream.send_all(delimited.varint(2**30) + bytes(1000))


async def silence(_stream: Stream, _question: Message) -> None:
    await trio.sleep_forever()


async def nonsense(stream: Stream, question: Message) -> None:
    await say(stream, Message(Kind.PING if question.kind is not Kind.PING else Kind.FIND_NODE))


async def forgery(stream: Stream, question: Message) -> None:
    await say(stream, Message(question.kind, question.key, note(owner(2), b"forged")))


@pytest.mark.parametrize("serve", [garbage, endless, silence, nonsense, forgery])
async def test_a_peer_that_answers_badly_or_not_at_all_hides_nothing_and_leaves_the_table(serve: Serve) -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(6, SEED) as members, open_host(EVE) as eve:
            address = await listens(eve, serve)
            await members[0].kad.put(KEY, note(WHO, b"x"))
            for one in members[:2]:
                one.kad._table.hear(Peer(eve.peer, (address,)), trio.current_time())  # as if she had been good once
                assert await one.kad.get(KEY) == note(WHO, b"x")
                assert await one.kad.get(bytes(32)) is None  # everybody is asked for what nobody has
                await until(lambda one=one: eve.peer not in one.kad._table)  # type: ignore[misc]


BAD = {
    "forged": note(owner(2), b"x"),
    "changed": note(WHO, b"x")[:-1] + b"y",
    "expired": note(WHO, b"x", 9, NOW_S),
    "oversized": note(WHO, bytes(4096), 9),
    "empty": b"",
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
async def test_a_bad_record_ends_the_stream_and_is_not_kept(raw: bytes) -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(1, SEED) as (one,), open_host(EVE) as eve:
            stream = await (await eve.dial(one.address, one.peer)).open(messages.PROTOCOL)
            await say(stream, Message(Kind.PUT_VALUE, WIRE_KEY, raw))
            assert await stream.receive_some(1000) == b""
            assert one.kad.state().records == 0


async def test_a_replayed_older_record_is_answered_with_the_newer_one() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(1, SEED) as (one,), open_host(EVE) as eve:
            stream = await (await eve.dial(one.address, one.peer)).open(messages.PROTOCOL)
            reader = DelimitedReader(stream, messages.ANSWER_BYTES_MAX)
            old, new = note(WHO, b"old", 1), note(WHO, b"new", 2)
            for sent, kept in ((new, new), (old, new), (new, new)):
                await say(stream, Message(Kind.PUT_VALUE, WIRE_KEY, sent))
                assert messages.decode(await reader.demand()).record == kept


async def test_nobody_speaks_for_others() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(1, SEED) as (one,), open_host(EVE) as eve:
            stream = await (await eve.dial(one.address, one.peer)).open(messages.PROTOCOL)
            victim = Peer(PeerId(b"v" * 32), (Address("/ip4/127.0.0.1/tcp/9"),))
            await say(stream, Message(Kind.ADD_PROVIDER, space.provider_key(KEY), providers=(victim,)))
            assert await stream.receive_some(1000) == b""
            assert one.kad.state().providers == 0


async def test_idle_streams_of_one_peer_cost_nobody_else_anything() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(3, SEED) as members, open_host(EVE) as eve:
            await members[0].kad.put(KEY, note(WHO, b"x"))
            for one in members:
                link = await eve.dial(one.address, one.peer)
                held = [await link.open(messages.PROTOCOL) for _ in range(24)]
                for refused in held[server.STREAMS_PER_PEER_MAX :]:
                    assert await refused.receive_some(1) == b""
                await say(held[0], Message(Kind.PING))  # those within the bound were not left yet, after ten seconds
                assert await held[0].receive_some(100) == delimited.framed(messages.encode(Message(Kind.PING), NOW_S))
            for one in members:
                assert await one.kad.get(KEY) == note(WHO, b"x")


async def test_a_flood_of_records_is_slowed_down_and_costs_others_nothing() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(1, SEED) as (one,), open_host(EVE) as eve, open_host(b"a" * 32) as ana:
            await flood(ana, one, range(1, 2))
            await flood(eve, one, range(2, 76))
            assert one.kad.state().records <= shelf.RECORDS_PER_PEER_MAX + 1
            await flood(ana, one, range(1, 2))


async def flood(giver: Network, one: Member, numbers: Sequence[int]) -> None:
    """Gives records on eight streams at once, until each is refused or all is given."""
    link = await giver.dial(one.address, one.peer)

    async def give(some: Sequence[int]) -> None:
        with suppress(Unavailable, Malformed):
            stream = await link.open(messages.PROTOCOL)
            reader = DelimitedReader(stream, messages.ANSWER_BYTES_MAX)
            for number in some:
                who = owner(number)
                wire_key = space.record_key(key_of(who))
                await say(stream, Message(Kind.PUT_VALUE, wire_key, note(who, b"flood")))
                assert messages.decode(await reader.demand()).key == wire_key

    async with trio.open_nursery() as nursery:
        for start in range(8):
            nursery.start_soon(give, numbers[start::8])


def by_ip(address: Address) -> str | None:
    """On loopback each IP stands for a network, as /24 and /48 do in the world."""
    return str(parts_of(address)[0])


@pytest.mark.parametrize("lies", ["says that there is nothing", "does not answer"])
async def test_a_ring_of_twenty_around_a_key_hides_nothing(lies: str) -> None:
    hostile_ip = "/ip4/127.9.9.9/tcp/0"
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            honest: list[Member] = []
            for number in range(16):
                address = Address(f"/ip4/127.1.{number}.1/tcp/0")
                one = await lives(nursery, seed_of(SEED, number), by_ip, address)
                await join(one, honest[-2:])
                honest.append(one)
            ring: list[Peer] = []

            async def lie(stream: Stream, question: Message) -> None:
                if lies == "does not answer" and question.kind is not Kind.FIND_NODE:
                    await trio.sleep_forever()
                record = question.record if question.kind is Kind.PUT_VALUE else None
                await say(stream, Message(question.kind, question.key, record, tuple(ring)))

            for seed in ground(space.target_of(WIRE_KEY), 20):
                host = await nursery.start(hosts, seed)
                ring.append(Peer(host.peer, (await listens(host, lie, Address(hostile_ip)),)))
            for one in honest:
                for liar in ring:
                    await one.kad._greet(liar)  # they answer well, and are taken as far as they may be
            assert await honest[0].kad.put(KEY, note(WHO, b"x")) >= 10
            for one in honest[::3]:
                assert await one.kad.get(KEY) == note(WHO, b"x")
            nursery.cancel_scope.cancel()


async def hosts(seed: bytes, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    async with open_host(seed) as host:
        task_status.started(host)
        await trio.sleep_forever()


def ground(target: int, count: int) -> list[bytes]:
    """Seeds of PeerIds that lie near to a target: the best of two thousand."""

    def distance(seed: bytes) -> int:
        peer = guards.peer_of(ID.from_pubkey(create_new_key_pair(seed).public_key))
        return space.position_of(peer) ^ target

    return sorted((seed_of(666, number) for number in range(2000)), key=distance)[:count]
