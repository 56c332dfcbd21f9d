"""Contacts on one local network find each other with no configuration; nobody else learns that they are there."""

import re
from itertools import pairwise

import pytest
import trio

from lab import world
from lab.network import PORT
from lab.world import Person, World, befriend
from protocol import beacon
from tests.stories.test_conversations import settled


async def is_online(person: Person, name: str) -> bool:
    """Whether a person sees a contact as connected."""
    return bool((await person.call("contacts.show", name=name))["online"])


async def is_away(person: Person, name: str) -> bool:
    """Whether a person sees a contact as away."""
    return not await is_online(person, name)


async def moved_away(w: World) -> tuple[Person, Person]:
    """Two contacts who know only an address of each other that is no good any more, and are not connected."""
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    for person, friend in ((alice, "bob"), (bob, "alice")):  # behind this, what makes them contacts has arrived too
        await person.call("chat.send", to=friend, text="hello")
    await w.until(lambda: settled(alice, bob))
    for person in (alice, bob):
        await person.kill()
        person.port += 1000
    return alice, bob


def test_who_comes_to_the_place_is_online_within_two_seconds() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        for person in (alice, bob):
            w.places.move(person.name, "home")
        await alice.start()
        await trio.sleep(90)
        began = trio.current_time()
        await bob.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=2)
        await w.until(lambda: is_online(bob, "alice"), patience_s=2)
        assert trio.current_time() - began <= 2
        await alice.call("chat.send", to="bob", text="there you are")
        await w.until(lambda: settled(alice, bob))

    world.run(story, 70)


def test_without_a_place_in_common_nobody_is_found() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        w.places.move("alice", "home")
        w.places.move("bob", "office")
        await alice.start()
        await bob.start()
        await trio.sleep(120)
        assert await is_away(alice, "bob")
        w.places.move("bob", "home")
        await w.until(lambda: is_online(alice, "bob"), patience_s=5)

    world.run(story, 71)


def test_lost_packets_are_made_good_by_the_next() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        w.places.loss = 0.5
        for person in (alice, bob):
            w.places.move(person.name, "home")
            await person.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=300)

    world.run(story, 72)


def test_the_switch_acts_at_once_in_both_directions() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        for person in (alice, bob):
            w.places.move(person.name, "home")
        await alice.start()
        assert alice.node is not None
        core = alice.node.core
        core.beacon.turn(False)
        await bob.start()
        w.places.tap = []
        await trio.sleep(300)
        assert {one.name for one in w.places.tap} == {"bob"}
        assert await is_away(bob, "alice")
        core.beacon.turn(True)
        await w.until(lambda: is_online(bob, "alice"), patience_s=2)

    world.run(story, 73)


def test_who_is_blocked_recognises_nobody() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        chen = await w.person("chen")
        await alice.start()
        await befriend(alice, chen)
        await alice.call("contacts.block", name="bob")
        await w.until(lambda: settled(alice, chen))
        for name in ("alice", "bob", "chen"):
            w.places.move(name, "home")
        await bob.start()
        await trio.sleep(200)
        assert bob.node is not None
        assert await is_away(bob, "alice")
        assert bob.node.core.delivery.reasons[1] != "his node answered but did not recognise us yet"
        assert await is_online(chen, "alice")
        await alice.call("contacts.unblock", name="bob")
        await w.until(lambda: is_online(alice, "bob"), patience_s=200)

    world.run(story, 74)


def test_case_51_a_listener_finds_nothing_that_names_anybody_or_stays_the_same() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        w.places.tap = []
        for person in (alice, bob):
            w.places.move(person.name, "home")
            await person.start()
        await trio.sleep(2 * beacon.QUARTER_S + 100)
        packets = {name: [one.packet for one in w.places.tap if one.name == name] for name in ("alice", "bob")}
        for person in (alice, bob):
            assert person.node is not None
            core = person.node.core
            me = core.identity
            said = packets[person.name]
            assert len(said) > 20
            assert {len(packet) for packet in said} == {beacon.PACKET_BYTES}
            names = (me.account, me.certificate.device, me.presence, core.network.peer, me.name.encode(), b"weft")
            assert not [name for name in names for packet in said if name in packet]
            quarters = {packet[1:17] for packet in said}
            assert 3 <= len(quarters) <= 4, "an id lives a quarter of an hour"
            assert len({packet[17:41] for packet in said}) == len(said), "a nonce came twice"
        everything = b"".join(packets["alice"] + packets["bob"])
        assert not re.search(rb"[ -~]{16}", everything), "text can be read"

    world.run(story, 75)


@pytest.mark.parametrize(
    ("forges", "after_s", "dials"),
    [(False, 5, False), (True, 120, False), (True, 7200, False), (True, 5, True)],
)
def test_what_was_recorded_is_worth_nothing_from_elsewhere_or_later(forges: bool, after_s: float, dials: bool) -> None:
    """Somebody plays Bob's packets where Alice is. At once and with Bob's own source she dials him; docs/threats.md."""

    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        w.places.tap = []
        w.places.move("alice", "home")
        w.places.move("mallory", "home")
        w.places.move("bob", "office")
        await alice.start()
        await bob.start()
        await trio.sleep(3)
        recorded = [one.packet for one in w.places.tap if one.name == "bob"]
        source = w.places.address("bob")
        w.places.move("bob", None)
        await trio.sleep(after_s)
        for packet in recorded:
            w.places.spread("mallory", packet, source if forges else None)
        await trio.sleep(5)
        assert await is_online(alice, "bob") is dials

    world.run(story, 76)


def test_garbage_in_the_air_harms_nobody() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        for name in ("alice", "bob", "mallory"):
            w.places.move(name, "home")
        await alice.start()
        for number in range(500):
            w.places.spread("mallory", bytes((1, *(number.to_bytes(4, "big") * 40)))[: number % 170])
            if number % 50 == 0:
                await trio.sleep(0.1)
        await bob.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=4)

    world.run(story, 77)


def test_three_packets_at_the_start_then_one_a_minute_and_few_answers() -> None:
    """Bob cannot be dialled, so Alice hears somebody who is not connected again and again."""

    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        w.network.cut("alice", "bob")
        for person in (alice, bob):
            w.places.move(person.name, "home")
        w.places.tap = []
        await alice.start()
        await trio.sleep(400)
        at = [one.at - w.places.tap[0].at for one in w.places.tap]
        assert at[:3] == pytest.approx([0.0, 0.3, 1.0], abs=0.01)
        assert all(48 <= later - earlier <= 72 for earlier, later in pairwise(at[2:]))
        w.places.tap = []
        await bob.start()
        await trio.sleep(30)
        said = [one.name for one in w.places.tap]
        assert said.count("bob") <= 3 + 2, "his burst and an answer or two"
        assert 1 <= said.count("alice") <= 3, "an answer to a device that starts, not one to each of its packets"

    world.run(story, 78)


def test_a_flood_of_unknown_ids_makes_no_packet_and_little_work() -> None:
    async def story(w: World) -> None:
        alice, _ = await moved_away(w)
        for name in ("alice", "mallory"):
            w.places.move(name, "home")
        await alice.start()
        await trio.sleep(5)
        assert alice.node is not None
        table = alice.node.core.beacon._table
        w.places.tap = []
        for number in range(2000):
            w.places.spread("mallory", b"\x01" + number.to_bytes(4, "big") * 39 + b"abc")
            if number % 40 == 0:
                await trio.sleep(0.01)
        assert {one.name for one in w.places.tap} == {"mallory"}
        assert len(table) <= 3

    world.run(story, 79)


def test_a_port_that_is_taken_is_said_and_tried_again_when_the_network_changes() -> None:
    async def story(w: World) -> None:
        alice, bob = await moved_away(w)
        w.places.taken = True
        w.places.move("alice", "home")
        await alice.start()
        await trio.sleep(1)
        assert alice.node is not None
        core = alice.node.core
        assert core.beacon.fault == "UDP port 47474 is taken by another program"
        w.places.taken = False
        w.places.move("bob", "home")
        w.places.move("alice", "home")
        await bob.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=2)
        assert core.beacon.fault == ""

    world.run(story, 80)


@pytest.mark.parametrize(("off_s", "found"), [(30, True), (400, False), (1200, False)])
def test_a_wrong_clock_is_no_recording_once_it_is_known(off_s: int, found: bool) -> None:
    """How far it is off is learnt while the two are connected in another way; up to 15 minutes."""

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob", clock_off_ms=off_s * 1000)
        await befriend(alice, bob)
        for person, friend in ((alice, "bob"), (bob, "alice")):
            await person.call("chat.send", to=friend, text="hello")
        await w.until(lambda: settled(alice, bob))

        async def part_and_meet(patience_s: float) -> bool:
            for person in (alice, bob):
                await person.kill()
                person.port += 1
            for person in (alice, bob):
                w.places.move(person.name, "home")
                await person.start()
            with trio.move_on_after(patience_s):
                await w.until(lambda: is_online(alice, "bob"))
                return True
            return False

        assert await part_and_meet(100) is found
        for person in (alice, bob):
            await person.kill()
        bob.port = alice.port = PORT  # where they know each other
        for person in (alice, bob):
            await person.start()
        await w.until(lambda: is_online(alice, "bob"))
        await trio.sleep(150)  # beacons are heard beside the talk
        assert await part_and_meet(100) is (off_s <= beacon.OFFSET_S_MAX)

    world.run(story, 81)
