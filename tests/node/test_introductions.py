"""Peers that a setting names by their address alone: who they are is asked each time."""

import trio
from trio.testing import MockClock

from lab import network as lab_network
from lab.network import SimNetwork
from node.introductions import DIAL_S, Introductions
from node.network import Address, PeerId, peer_text

NOWHERE = Address("/ip4/10.9.9.9/tcp/4001")
ONE = PeerId(b"1" * 32)


async def _alice(sim: SimNetwork) -> Introductions:
    return Introductions(sim.node("alice", b"a" * 32))


async def test_whoever_answers_at_an_address_is_asked_who_he_is_and_the_link_is_closed(
    autojump_clock: MockClock,
) -> None:
    async with lab_network.open_network(seed=1) as sim:
        asking, bob = await _alice(sim), sim.node("bob", b"b" * 32)
        (there,) = await bob.listen([sim.address("bob")])
        assert await asking.of(there) == (((there, bob.peer),), True)
        await trio.sleep(1)
        assert all(end.is_gone for end in bob.ends)


async def test_who_has_another_id_after_a_week_is_found_at_the_same_address(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        asking = await _alice(sim)
        before = sim.node("bob", b"b" * 32)
        (there,) = await before.listen([sim.address("bob")])
        assert await asking.of(there) == (((there, before.peer),), True)
        sim.kill("bob")
        after = sim.node("bob", b"c" * 32)
        await after.listen([there])
        assert await asking.of(there) == (((there, after.peer),), True)
        assert after.peer != before.peer


async def test_who_is_named_by_id_is_not_dialled_for_it(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        began = trio.current_time()
        assert await (await _alice(sim)).of(f"{NOWHERE}/p2p/{peer_text(ONE)}") == (((NOWHERE, ONE),), True)
        assert trio.current_time() == began


async def test_who_does_not_answer_is_left_out_and_holds_up_nobody(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        asking, bob = await _alice(sim), sim.node("bob", b"b" * 32)
        (there,) = await bob.listen([sim.address("bob")])
        began = trio.current_time()
        assert await asking.of(f"{NOWHERE},{there}") == (((there, bob.peer),), False)
        assert trio.current_time() - began <= DIAL_S


async def test_a_setting_that_is_none_names_nobody(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        asking = await _alice(sim)
        assert await asking.of("") == ((), True)
        assert await asking.of("example.org:4001") == ((), True)
