"""Which way a talk goes: through a relay where there is no other, directly as soon as there is."""

from typing import Any

import trio

from lab import relays, world
from lab.world import Person, World, befriend
from node.delivery import BETTER_S
from node.network import Address, peer_text
from node.service import NodeService
from tests.stories.test_conversations import settled


async def by_a_relay(w: World) -> tuple[Person, Person, list[Address]]:
    """Alice and Bob, contacts who talk directly and know each other's addresses at Cy's relay; these, Alice's first."""
    alice, bob, cy = [await w.person(name) for name in ("alice", "bob", "cy")]
    circuits = [relays.reserve(host_of(person), host_of(cy)) for person in (alice, bob)]
    await befriend(alice, bob)
    for person, friend in ((alice, "bob"), (bob, "alice")):
        await person.call("chat.send", to=friend, text="hello")
    await w.until(lambda: settled(alice, bob))
    return alice, bob, circuits


def host_of(person: Person):  # type: ignore[no-untyped-def]
    assert person.node is not None
    return person.node.core.network


async def told_of(person: Person) -> dict[str, Any]:
    """What a person's status says of the contact."""
    assert person.node is not None
    status: Any = await NodeService(person.node.core, "default", 0).status()
    (row,) = status["contacts"]
    found: dict[str, Any] = row
    return found


def path(person: Person) -> str:
    assert person.node is not None
    return person.node.core.delivery.talks.path(1)


async def all_take(way: str, *people: Person) -> bool:
    """Whether all of these talk that way."""
    return all(path(person) == way for person in people)


def test_who_cannot_be_dialled_is_talked_with_through_a_relay_until_he_can() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await by_a_relay(w)
        for _ in range(2):
            assert await all_take("direct", alice, bob)
            w.network.cut("alice", "bob")
            await alice.call("chat.send", to="bob", text="around the corner")
            await w.until(lambda: all_take("relayed", alice, bob), patience_s=40)
            await w.until(lambda: settled(alice, bob))
            told = await told_of(alice)
            assert (told["path"], told["local"]) == ("relayed", False)
            assert told["relay"] == peer_text(host_of(w.people["cy"]).peer)
            await trio.sleep(30)
            w.network.heal("alice", "bob")
            await bob.call("chat.send", to="alice", text="and back")
            await w.until(lambda: all_take("direct", alice, bob), patience_s=2 * 1.2 * BETTER_S)
            told = await told_of(alice)
            assert (told["path"], told["relay"], told["reason"]) == ("direct", "", "")
            await w.until(lambda: settled(alice, bob))

    world.run(story, 430)


def test_a_way_through_a_relay_never_takes_the_place_of_a_direct_one() -> None:
    async def story(w: World) -> None:
        alice, bob, circuits = await by_a_relay(w)
        for person, circuit in ((alice, circuits[1]), (bob, circuits[0])):
            assert person.node is not None
            (one,) = person.node.core.delivery.talks
            link = await host_of(person).dial(circuit, None)
            assert link.is_relayed
            await person.node.core.delivery.join(1, link)
            assert list(person.node.core.delivery.talks) == [one]
            assert await all_take("direct", alice, bob)
            assert link.is_gone

    world.run(story, 431)


def test_a_beacon_ends_the_detour_at_once() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await by_a_relay(w)
        w.network.cut("alice", "bob")
        await w.until(lambda: all_take("relayed", alice, bob), patience_s=60)
        await trio.sleep(3 * BETTER_S)
        w.network.heal("alice", "bob")
        for person in (alice, bob):
            w.places.move(person.name, "home")
        await w.until(lambda: all_take("direct", alice, bob), patience_s=5)

    world.run(story, 432)


def test_the_relay_dies_and_the_talk_goes_on_where_it_can() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await by_a_relay(w)
        w.network.cut("alice", "bob")
        await w.until(lambda: all_take("relayed", alice, bob), patience_s=60)
        await w.people["cy"].kill()
        await w.until(lambda: all_take("", alice, bob), patience_s=5)
        w.network.heal("alice", "bob")
        await w.until(lambda: all_take("direct", alice, bob), patience_s=90)

    world.run(story, 433)
