"""The table that stands for a DHT in a world: kept for all, by the clock, and gone for who reaches nobody."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from lab import lookup, network
from lab.world import World, befriend, run
from protocol.faults import Unavailable

KEY, OTHER = b"k" * 32, b"o" * 32


Town = tuple[network.SimNetwork, lookup.Table, list[lookup.SimLookup]]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """Three hosts and their table."""
    async with network.open_network(seed=7) as sim:
        table = lookup.Table(sim)
        hosts = [sim.node(name, name[:1].encode() * 32) for name in ("ana", "bo", "cy")]
        for host in hosts:
            await host.listen((sim.address(host.name),))
        yield sim, table, [table.of(host) for host in hosts]


async def test_a_record_is_found_by_everybody_until_it_is_old(town: Town, autojump_clock: MockClock) -> None:
    _, _, (ana, bo, cy) = town
    assert await ana.put(KEY, b"here") == 2
    assert await bo.get(KEY) == b"here"
    assert await cy.get(OTHER) is None
    await trio.sleep(lookup.RECORD_S)
    assert await bo.get(KEY) is None


async def test_the_newer_record_stays_whoever_comes_later(town: Town, autojump_clock: MockClock) -> None:
    _, table, (ana, bo, _) = town
    table.newer = lambda one, other: one > other
    await ana.put(KEY, b"2")
    await bo.put(KEY, b"1")
    assert await ana.get(KEY) == b"2"


async def test_who_is_cut_from_everybody_gets_no_answer(town: Town, autojump_clock: MockClock) -> None:
    sim, table, (ana, bo, _) = town
    sim.partition(["ana"], ["bo", "cy"])
    for call in (ana.put(KEY, b"x"), ana.get(KEY), ana.provide(KEY), ana.find(KEY)):
        with pytest.raises(Unavailable):
            await call
    assert await bo.put(KEY, b"x") == 1
    sim.heal_all()
    assert await ana.get(KEY) == b"x"
    table.is_down = True
    with pytest.raises(Unavailable):
        await ana.get(KEY)


async def test_who_is_to_be_found_under_a_key_is_found_once_and_for_an_hour(
    town: Town, autojump_clock: MockClock
) -> None:
    sim, _, (ana, bo, cy) = town
    await ana.provide(KEY)
    await ana.provide(KEY)
    await bo.provide(KEY)
    assert [one.addresses for one in await cy.find(KEY)] == [(sim.address("ana"),), (sim.address("bo"),)]
    await trio.sleep(lookup.PROVIDER_S)
    assert await cy.find(KEY) == ()


def test_a_world_has_a_lookup_only_when_its_story_says_so() -> None:
    async def story(world: World) -> None:
        ana = await world.person("ana")
        world.share_lookup()
        bo = await world.person("bo")
        assert ana.node is not None
        assert bo.node is not None
        assert ana.node.core.lookup is None
        assert bo.node.core.lookup is not None
        await befriend(ana, bo)

    run(story, seed=1)
