"""Dialling one peer at many addresses."""

import pytest
import trio
from trio.testing import MockClock

from lab import network as lab_network
from lab.network import SimNetwork
from node import dialler
from node.network import Address, PeerId
from protocol.faults import Unavailable

NOWHERE = Address("/ip4/10.9.9.9/tcp/4001")


async def opened(sim: SimNetwork) -> tuple[lab_network.SimHost, lab_network.SimHost]:
    alice, bob = sim.node("alice", b"a" * 32), sim.node("bob", b"b" * 32)
    await bob.listen([sim.address("bob")])
    return alice, bob


async def test_the_first_address_that_answers_wins(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        alice, bob = await opened(sim)
        began = trio.current_time()
        link = await dialler.dial(alice, [NOWHERE, NOWHERE, sim.address("bob")], bob.peer)
        assert link.peer == bob.peer
        assert trio.current_time() - began < 3 * dialler.STAGGER_S  # not the 15 s of the dead one


async def test_all_links_but_the_winner_are_closed(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        alice, bob = await opened(sim)
        sim.delay = (0.1, 0.1)  # so slow that every address is tried before the first one answers
        second, third = await bob.listen([Address("/ip4/0.0.0.0/tcp/0"), Address("/ip4/0.0.0.0/tcp/0")])
        link = await dialler.dial(alice, [sim.address("bob"), second, third], None)
        await trio.sleep(1)
        assert [end for end in alice.ends if not end.is_gone] == [link]
        assert sum(not end.is_gone for end in bob.ends) == 1


async def test_a_failure_starts_the_next_at_once(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        alice, bob = await opened(sim)
        sim.delay = (0.0, 0.0)
        refused = Address(sim.address("bob").replace("4001", "9"))
        began = trio.current_time()
        await dialler.dial(alice, [refused, sim.address("bob")], bob.peer)
        assert trio.current_time() - began < dialler.STAGGER_S


async def test_no_address_and_no_answer_are_unavailable(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        alice, _ = await opened(sim)
        with pytest.raises(Unavailable):
            await dialler.dial(alice, [], None)
        with pytest.raises(Unavailable):
            await dialler.dial(alice, [NOWHERE, sim.address("bob")], PeerId(bytes(32)))


async def test_at_most_sixteen_addresses_are_tried(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        alice, _ = await opened(sim)
        many = [Address(f"/ip4/10.9.9.{place}/tcp/4001") for place in range(dialler.ADDRESSES_MAX)]
        with pytest.raises(Unavailable):
            await dialler.dial(alice, [*many, sim.address("bob")], None)


async def test_a_cancelled_dial_leaves_no_link(autojump_clock: MockClock) -> None:
    async with lab_network.open_network(seed=1) as sim:
        alice, bob = await opened(sim)
        sim.delay = (0.1, 0.1)
        with trio.move_on_after(0.15):
            await dialler.dial(alice, [sim.address("bob")], bob.peer)
        await trio.sleep(1)
        assert all(end.is_gone for end in (*alice.ends, *bob.ends))
