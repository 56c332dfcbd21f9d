"""Thirty-two real hosts over real sockets: everybody finds what anybody gave, also when a third has died."""

from collections.abc import Sequence
from random import Random

import pytest
import trio

from node import identify
from node.kad.dht import Mode
from node.kad.messages import PROTOCOL
from protocol.faults import Unavailable
from tests.node.kad.circle import (
    NOW_S,
    PATIENCE_S,
    Member,
    circle,
    join,
    key_of,
    member,
    note,
    owner,
    seed_of,
    until,
)

pytestmark = pytest.mark.socket

COUNT = 32
SEED = 7


def shelved(one: Member, number: int) -> bytes | None:
    """What lies at a member under an owner's key; no part of what others may see, so it is looked up inside."""
    return one.kad._shelf.get(key_of(owner(number)), NOW_S)


async def test_everybody_finds_what_anybody_gave() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(COUNT, SEED) as members:
            for number, one in enumerate(members):
                who = owner(number)
                assert await one.kad.put(key_of(who), note(who, b"said")) >= COUNT // 2
            for number in range(COUNT):
                reader = members[(number * 7 + 3) % COUNT]
                assert await reader.kad.get(key_of(owner(number))) == note(owner(number), b"said")
            assert await members[0].kad.get(key_of(owner(1000))) is None


async def test_everybody_finds_who_says_that_he_is_there() -> None:
    key = bytes(range(32))
    with trio.fail_after(PATIENCE_S):
        async with circle(COUNT, SEED) as members:
            providers = members[:3]
            for one in providers:
                assert await one.kad.provide(key) >= COUNT // 2
            for one in members[5:10]:
                found = await one.kad.find(key)
                assert {it.peer: it.addresses for it in found} == {it.peer: (it.address,) for it in providers}
            assert {it.peer for it in await providers[0].kad.find(key)} == {it.peer for it in providers[1:]}
            assert await members[0].kad.find(bytes(32)) == ()


async def test_a_record_that_changed_is_never_read_from_an_old_copy() -> None:
    who = owner(5)
    first, second = note(who, b"ok1", 1), note(who, b"ok2", 2)
    with trio.fail_after(PATIENCE_S):
        async with circle(COUNT, SEED) as members:
            publisher = members[0]
            await publisher.kad.put(key_of(who), first)
            holder = next(one for one in members[1:] if shelved(one, 5))
            reader = next(one for one in members[1:] if not shelved(one, 5))
            for one in (holder, reader):
                assert await one.kad.get(key_of(who)) == first
            await publisher.kad.put(key_of(who), second)
            for one in members:
                assert await one.kad.get(key_of(who)) == second
            with pytest.raises(Unavailable):  # nobody takes it, and neither do we
                await holder.kad.put(key_of(who), first)


async def test_who_has_an_older_record_is_corrected_by_who_reads() -> None:
    who = owner(6)
    with trio.fail_after(PATIENCE_S):
        async with circle(8, SEED) as members:
            await members[0].kad.put(key_of(who), note(who, b"old", 1))
            behind = members[3]
            for one in members:
                if one is not behind:
                    one.kad._shelf.put(key_of(who), note(who, b"new", 2), one.peer, "", NOW_S)
            for one in members[:3]:
                assert await one.kad.get(key_of(who)) == note(who, b"new", 2)
            await read_until(members[:3], behind, note(who, b"new", 2))


async def read_until(readers: Sequence[Member], behind: Member, newest: bytes) -> None:
    """A get asks a few of those near; one that asks this peer gives it the newest."""
    while shelved(behind, 6) != newest:
        for one in readers:
            await one.kad.get(key_of(owner(6)))


@pytest.mark.parametrize("seed", [1, 2])
async def test_when_30_percent_die_at_once_what_lives_is_found(seed: int) -> None:
    random = Random(seed)
    found = asked = 0
    with trio.fail_after(PATIENCE_S):
        async with circle(COUNT, seed) as members:
            for number, one in enumerate(members):
                await one.kad.put(key_of(owner(number)), note(owner(number), b"living"))
            dead = random.sample(members, int(0.3 * COUNT))
            for one in dead:
                one.scope.cancel()
            for number in range(COUNT):
                reader = random.choice([one for one in members if one not in dead])
                asked += 1
                found += await reader.kad.get(key_of(owner(number))) == note(owner(number), b"living")
    assert found >= 0.99 * asked, f"seed {seed}: {found} of {asked}"


async def test_who_does_not_serve_the_dht_is_in_nobodys_table() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(4, SEED) as members, member(seed_of(SEED, 99), Mode.CLIENT) as client:
            await join(client, members[:2])
            who = owner(1)
            assert await client.kad.put(key_of(who), note(who, b"from a client")) == 4
            assert await members[3].kad.get(key_of(who)) == note(who, b"from a client")
            async with member(seed_of(SEED, 98)) as late:  # by now everybody has looked at who asked before him
                await join(late, members)
                await until(lambda: all(late.peer in one.kad._table for one in members))
            assert not any(client.peer in one.kad._table for one in members)
            link = await members[0].network.dial(client.address, client.peer)
            for protocol in (PROTOCOL, identify.IDENTIFY, identify.PING):
                with pytest.raises(Unavailable):
                    await link.open(protocol)


async def test_serving_can_be_switched_while_it_runs() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(3, SEED) as members:
            one, other, _ = members
            who = owner(1)
            await other.kad.put(key_of(who), note(who, b"x"))
            await until(lambda: one.kad.state().records == 1)
            link = await other.network.dial(one.address, one.peer)
            one.kad.set_mode(Mode.CLIENT)
            assert not one.kad.state().is_serving
            assert one.kad.state().records == 0
            with pytest.raises(Unavailable):
                await link.open(PROTOCOL)
            assert await one.kad.get(key_of(who)) == note(who, b"x")
            one.kad.set_mode(Mode.OFF)
            for call in (one.kad.get(key_of(who)), one.kad.put(key_of(who), note(who, b"x"))):
                with pytest.raises(Unavailable):
                    await call
            one.kad.set_mode(Mode.AUTO)
            assert one.kad.state().is_serving
            one.kad.note_reachability(is_reachable=False)
            assert not one.kad.state().is_serving
            one.kad.note_reachability(is_reachable=True)
            await link.open(PROTOCOL)
            assert one.kad.state().answered_s is not None


async def test_nobody_to_ask_is_unavailable() -> None:
    with trio.fail_after(PATIENCE_S):
        async with member(seed_of(SEED, 1)) as alone:
            for call in (alone.kad.get, alone.kad.provide, alone.kad.find):
                with pytest.raises(Unavailable, match="no peer of the DHT is known yet"):
                    await call(bytes(32))
            who = owner(1)
            with pytest.raises(Unavailable):
                await alone.kad.put(key_of(who), note(who, b"x"))
            assert alone.kad.peers(5) == ()


async def test_who_was_away_for_a_moment_is_found_again_and_peers_are_remembered() -> None:
    with trio.fail_after(PATIENCE_S):
        async with circle(6, SEED) as members:
            remembered = members[0].kad.peers(3)
            assert len(remembered) == 3
            async with member(seed_of(SEED, 50)) as late:
                for one in remembered:
                    late.kad.note_peer(one.peer, one.addresses)
                await until(lambda: late.kad.state().peers == len(members))
