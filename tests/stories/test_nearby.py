"""Two strangers in one café, or in one part of town, meet because both want it; and everybody else learns little."""

from contextlib import suppress
from typing import Any

import pytest
import trio

from lab import world
from lab.lookup import Table
from lab.world import Person, World, has_active
from node.beacon import STEADY_S
from protocol import nearby
from protocol.faults import UserFault

PLACE, NEXT_CELL, ELSEWHERE = "52.5200,13.4050", "52.5200,13.4500", "52.52,14.9"


async def cafe(w: World, *names: str, place: str = "cafe") -> list[Person]:
    """People whose nodes run in one place."""
    people = [await w.person(name) for name in names]
    for person in people:
        w.places.move(person.name, place)
    return people


async def visible(person: Person, **how: Any) -> None:
    """Makes a person visible under his own name."""
    assert (await person.call("nearby.on", name=person.name.title(), **how))["on"]


async def seen_by(person: Person) -> dict[str, dict[str, Any]]:
    """Whom a person sees now, by the names that they claim."""
    return {row["name"]: row for row in await person.call("nearby.list")}


async def sees(person: Person, name: str) -> bool:
    """Whether a person sees somebody who claims this name."""
    return name in await seen_by(person)


async def greeted(person: Person) -> list[dict[str, Any]]:
    """The greetings of others that a person sees."""
    return [row for row in await person.call("nearby.greetings") if not row["mine"]]


async def greet(one: Person, other: str, text: str = "hello") -> None:
    """One greets another whom he sees."""
    await one.world.until(lambda: sees(one, other), patience_s=5)
    await one.call("nearby.greet", id=(await seen_by(one))[other]["id"], text=text)


async def accept_the_only(person: Person) -> dict[str, Any]:
    """A person accepts the one greeting there is."""
    (row,) = await greeted(person)
    accepted: dict[str, Any] = await person.call("nearby.accept", id=row["id"])
    return accepted


def test_two_at_one_cafe_see_each_other_greet_and_become_contacts() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        await visible(ana)
        await visible(bo)
        await w.until(lambda: sees(ana, "Bo"), patience_s=3)
        await w.until(lambda: sees(bo, "Ana"), patience_s=3)
        assert (await seen_by(ana))["Bo"]["distance"] == "same network"
        await greet(bo, "Ana", "is this seat free?")
        (row,) = await greeted(ana)
        assert (row["name"], row["text"], row["state"]) == ("Bo", "is this seat free?", "waiting")
        assert await ana.call("contacts.list") == await bo.call("contacts.list") == []
        await accept_the_only(ana)
        await w.until(lambda: has_active(ana, "bo"), patience_s=60)
        await w.until(lambda: has_active(bo, "ana"), patience_s=60)
        assert (await greeted(ana))[0]["state"] == "handed"
        assert [one["state"] for one in await bo.call("nearby.greetings")] == ["accepted"]
        await ana.call("nearby.off")
        await bo.call("nearby.off")
        await bo.call("chat.send", to="ana", text="thank you")

        async def arrived() -> bool:
            return [one["text"] for one in await ana.call("chat.history", to="bo")] == ["thank you"]

        await w.until(arrived)

    world.run(story, 401)


def test_who_is_not_visible_sees_nobody_and_sends_and_answers_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await cafe(w, "ana", "bo", "chen")
        await visible(bo)
        await trio.sleep(5)
        assert ana.node is not None
        with pytest.raises(Exception, match="Nearby mode is off"):
            await ana.call("nearby.list")
        assert (await ana.call("nearby.status"))["on"] is False
        await visible(chen)
        await w.until(lambda: sees(chen, "Bo"), patience_s=5)
        assert set(await seen_by(chen)) == {"Bo"}
        (known,) = w.network.machine("ana")
        assert nearby.PROTOCOL not in known.accepts
        _, thrown_away = w.network.machine("bo")
        assert set(thrown_away.accepts) == {nearby.PROTOCOL}

    world.run(story, 402)


def test_off_acts_at_once_no_packet_no_host_no_provider() -> None:
    async def story(w: World) -> None:
        table = w.table = Table(w.network)
        ana, bo = await cafe(w, "ana", "bo")
        for person in (ana, bo):
            await visible(person, place=PLACE)
        await w.until(lambda: sees(bo, "Ana"), patience_s=10)
        mask = w.network.machine("ana")[1].peer
        w.places.tap = []
        given = len([one for _, one in table.provided if one.peer == mask])
        await ana.call("nearby.off")
        assert len(w.network.machine("ana")) == 1
        assert not await sees(bo, "Ana")
        await trio.sleep(2 * nearby.SLOT_S)
        assert len([one for _, one in table.provided if one.peer == mask]) == given == 1
        assert mask in {one.peer for _, one in table.provided}
        assert_no_nearby_packets(w, "ana")

    world.run(story, 403)


def assert_no_nearby_packets(w: World, name: str) -> None:
    """Nothing that this host sent since the tap was set is a packet of somebody visible."""
    assert w.places.tap is not None
    for one in w.places.tap:
        if one.name == name:
            with pytest.raises(Exception, match="verify"):
                nearby.announced(one.packet, (world.EPOCH_MS + int(one.at * 1000)) // 1000)


def test_who_looks_around_or_greets_in_the_moment_of_the_end_is_told_so_and_nothing_crashes() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        await visible(bo, for_s=4 * 3600)
        for number in range(40):
            await visible(ana)
            await w.until(lambda: sees(ana, "Bo"), patience_s=5)
            one = (await seen_by(ana))["Bo"]["id"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(until_it_ends, ana, "nearby.list", {})
                nursery.start_soon(until_it_ends, ana, "nearby.greet", {"id": one, "text": "hello"})
                await trio.sleep(number * 0.0005)
                nursery.start_soon(ana.call, "nearby.off")

    world.run(story, 410)


async def until_it_ends(person: Person, method: str, how: dict[str, str]) -> None:
    """A call whose nearby mode ends while it is at work."""
    with suppress(UserFault):
        await person.call(method, **how)


def test_it_ends_by_itself_and_not_later_because_the_node_was_away() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        await visible(bo, for_s=4 * 3600)
        await visible(ana, for_s=600)
        await w.until(lambda: sees(bo, "Ana"), patience_s=5)
        await trio.sleep(300)
        await ana.kill()
        await ana.start()
        await w.until(lambda: sees(bo, "Ana"), patience_s=5)
        assert 200 < (await ana.call("nearby.status"))["left_s"] < 300
        await trio.sleep(310)
        assert (await ana.call("nearby.status"))["on"] is False
        assert not await sees(bo, "Ana")
        await visible(ana, for_s=600)
        await ana.kill()
        await trio.sleep(601)
        await ana.start()
        await trio.sleep(5)
        assert (await ana.call("nearby.status"))["on"] is False
        assert not await sees(bo, "Ana")
        assert len(w.network.machine("ana")) == 1

    world.run(story, 404)


def test_people_of_one_part_of_town_find_each_other_with_a_rough_distance() -> None:
    async def story(w: World) -> None:
        table = w.table = Table(w.network)
        people = [await w.person(name) for name in ("ana", "bo", "chen", "dora")]
        for person, place in zip(people, (PLACE, PLACE, NEXT_CELL, ELSEWHERE), strict=True):
            await visible(person, place=place)
        ana, bo, chen, dora = people
        await trio.sleep(1)
        found = await seen_by(ana)
        assert {name: row["distance"] for name, row in found.items()} == {
            "Bo": "within about 5 km",
            "Chen": "about 5-15 km",
        }
        assert await seen_by(dora) == {}
        asked = len(table.searched)
        await greet(chen, "Ana")
        await chen.call("nearby.list")
        assert len(table.searched) == asked + 18, "and not 18 for each look"
        await accept_the_only(ana)
        await w.until(lambda: has_active(chen, "ana"), patience_s=60)
        await bo.call("nearby.off")
        assert "Bo" not in await seen_by(ana)

    world.run(story, 405)


def test_they_find_each_other_in_the_next_half_hour_too_under_other_keys() -> None:
    async def story(w: World) -> None:
        table = w.table = Table(w.network)
        ana, bo = await w.person("ana"), await w.person("bo")
        for person in (ana, bo):
            await visible(person, place=PLACE, for_s=4 * 3600)
        before = set()
        for _ in range(4):
            await w.until(lambda: sees(bo, "Ana"), patience_s=60)
            assert len(await bo.call("nearby.list")) == 1, "once, not with the key of before too"
            before.add((await seen_by(bo))["Ana"]["id"])
            await trio.sleep(nearby.SLOT_S)
        assert len(before) == 4
        assert ana.node is not None
        kept = await ana.node.core.database.transact(lambda tx: tx.one("SELECT COUNT(*) FROM nearby_mask"))
        assert kept == (2,), "older keys are erased"
        assert len(w.network.machine("ana")) <= 3
        keys = [key for key, one in table.provided]
        assert len(set(keys)) == 5, "a key a slot"

    world.run(story, 406)


def test_without_a_dht_a_cell_is_said_not_to_work_and_the_local_network_does() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        for person in (ana, bo):
            await visible(person, place=PLACE)
        await w.until(lambda: sees(bo, "Ana"), patience_s=5)
        assert (await ana.call("nearby.status"))["trouble"] == "this node uses no DHT"
        await ana.stop()
        table = w.table = Table(w.network, is_down=True)
        await ana.start()
        await trio.sleep(3)
        assert (await ana.call("nearby.status"))["trouble"] == "no other node answers"
        table.is_down = False
        await trio.sleep(30)
        assert (await ana.call("nearby.status"))["trouble"] == ""
        assert await sees(bo, "Ana")

    world.run(story, 407)


def test_a_greeting_waits_through_a_restart_and_through_the_half_hour() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        for person in (ana, bo):
            await visible(person, for_s=2 * 3600)
        await greet(bo, "Ana")
        for person in (ana, bo):
            await person.kill()
            await person.start()
        assert [row["text"] for row in await greeted(ana)] == ["hello"]
        await trio.sleep(nearby.SLOT_S - 60)
        await accept_the_only(ana)
        await w.until(lambda: has_active(bo, "ana"), patience_s=90)
        await w.until(lambda: has_active(ana, "bo"), patience_s=90)

    world.run(story, 408)


def test_the_contact_beacon_may_be_off_while_one_is_visible() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        assert ana.node is not None
        ana.node.core.beacon.turn(False)
        await visible(ana)
        await visible(bo)
        await w.until(lambda: sees(bo, "Ana"), patience_s=5)
        await w.until(lambda: sees(ana, "Bo"), patience_s=5)
        await ana.call("nearby.off")
        w.places.tap = []
        await trio.sleep(3 * STEADY_S)
        assert {one.name for one in w.places.tap} == {"bo"}

    world.run(story, 409)
