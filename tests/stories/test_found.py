"""Contacts who are no more where they were find each other by their records, and by nothing that a record says alone.

The table that the worlds share claims nothing about a DHT (lab/lookup.py); real ones are in tests/interop.
"""

import pytest
import trio

from lab import world
from lab.lookup import Table
from lab.world import Person, World, befriend
from protocol import ids, presence_record, rendezvous
from protocol.presence_record import Presence, Whereabouts
from store import presence, settings
from tests.stories.test_conversations import settled
from tests.stories.test_lan import is_away, is_online

HOUR_S, DAY_S = 3600.0, 86_400.0


async def acquainted(w: World, *, lookup: bool = True) -> tuple[Person, Person, Table]:
    """Alice and Bob, contacts who run and talk, Cy who is the third node, and what lies in the table."""
    table = w.share_lookup() if lookup else Table(w.network)
    alice, bob = await w.person("alice"), await w.person("bob")
    await w.person("cy")
    await befriend(alice, bob)
    for person, friend in ((alice, "bob"), (bob, "alice")):  # behind this, what makes them contacts has arrived too
        await person.call("chat.send", to=friend, text="hello")
    await w.until(lambda: settled(alice, bob))
    return alice, bob, table


async def key_of(person: Person, days_ahead: int = 0) -> rendezvous.Keys:
    """The keys of a person's record of the day."""
    assert person.node is not None
    _, secret = await person.node.core.database.transact(presence.own)
    return presence_record.keys_of(secret, rendezvous.epoch_of(person.now_ms() // 1000) + days_ahead)


def lies_at(keys: rendezvous.Keys) -> bytes:
    return rendezvous.dht_key(keys.name.public)


async def published(person: Person, table: Table) -> bool:
    """Whether a record of the person's lies there that names where he is now."""
    assert person.node is not None
    keys = await key_of(person)
    raw = table.kept(lies_at(keys))
    if raw is None:
        return False
    said, _ = presence_record.open_sealed(keys, raw, person.now_ms() // 1000)
    return said.devices[0].addresses == person.node.core.network.addresses()


async def moved(person: Person) -> None:
    """Ends a person's node and starts it elsewhere."""
    await person.kill()
    person.port += 1000
    await person.start()


def test_a_contact_whose_address_changed_while_the_other_was_away_is_found() -> None:
    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        await w.until(lambda: published(bob, table))
        await alice.stop()
        await moved(bob)
        await w.until(lambda: published(bob, table))
        await bob.call("chat.send", to="alice", text="I have moved")
        await alice.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=10)
        await w.until(lambda: settled(alice, bob))

    world.run(story, 410)


def test_two_who_both_moved_find_each_other() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await acquainted(w)
        await alice.kill()
        await bob.kill()
        for person in (alice, bob):
            person.port += 1000
        await alice.start()
        await trio.sleep(600)
        await bob.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=10)

    world.run(story, 411)


def test_without_a_lookup_they_do_not() -> None:
    """What the other stories show is the record's doing."""

    async def story(w: World) -> None:
        alice, bob, _ = await acquainted(w, lookup=False)
        await alice.kill()
        await bob.kill()
        for person in (alice, bob):
            person.port += 1000
            await person.start()
        await trio.sleep(600)
        assert await is_away(alice, "bob")

    world.run(story, 411)


def test_who_goes_to_another_network_is_talked_with_again_within_a_minute() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await acquainted(w)
        assert bob.node is not None
        await trio.sleep(HOUR_S)
        alice_listens_elsewhere(w, alice)
        bob.node.core.network.move(5001)  # type: ignore[attr-defined]
        w.places.move("bob", "cafe")
        began = trio.current_time()
        await bob.call("chat.send", to="alice", text="from the café")
        await w.until(lambda: settled(alice, bob), patience_s=60)
        assert trio.current_time() - began < 60

    world.run(story, 412)


def alice_listens_elsewhere(w: World, alice: Person) -> None:
    """Alice moves in the same moment, so that no dial of either reaches the other where he was."""
    assert alice.node is not None
    alice.node.core.network.move(5002)  # type: ignore[attr-defined]
    w.places.move("alice", "train")


async def forged(of: Person, addresses: tuple[str, ...], days: int = 0) -> bytes:
    """A record that any contact of a person can make: all of them hold the key."""
    assert of.node is not None
    keys = await key_of(of, days)
    day = rendezvous.epoch_of(of.now_ms() // 1000) + days
    now_s = of.now_ms() // 1000 + rendezvous.CLOCK_S_MAX // 2
    device = ids.DeviceId(of.node.core.identity.certificate.device)
    said = Presence((Whereabouts(device, b"t" * 32, addresses, now_s),))
    return presence_record.seal(rendezvous.appoint(keys.name, day, b"f" * 32), keys, said, now_s, b"n" * 24)


def test_a_forged_record_costs_dials_and_nothing_else() -> None:
    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        await w.until(lambda: published(bob, table))
        key = lies_at(await key_of(bob))
        eve = w.network.address("cy")
        own = w.network.address("alice")
        lies = await forged(bob, (eve, own, "/ip4/10.9.9.9/tcp/1", "/dns4/evil/tcp/1", "x"))
        await bob.stop()
        table.plant(key, lies)
        await alice.call("chat.send", to="bob", text="for you alone")
        await trio.sleep(60)
        assert await is_away(alice, "bob")
        assert [one for one in table.asked if one[1] == "alice" and one[2] == key]
        bob.port += 1000
        await bob.start()  # his record goes over the forged one, whatever its sequence says
        await w.until(lambda: published(bob, table))
        await w.until(lambda: settled(alice, bob), patience_s=60)

    world.run(story, 413)


def test_what_is_no_record_of_today_is_not_followed() -> None:
    """Garbage, another person's record, and the one of yesterday under today's key."""

    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        await w.until(lambda: published(bob, table))
        await w.until(lambda: published(alice, table))
        key, old = lies_at(await key_of(bob)), table.kept(lies_at(await key_of(bob)))
        another = table.kept(lies_at(await key_of(alice)))
        assert old is not None
        assert another is not None
        yesterday = await forged(bob, (w.network.address("bob"),), days=-1)
        await bob.stop()
        for raw in (b"", b"garbage", another, yesterday, old[:-1], old[:-1] + bytes((old[-1] ^ 1,)), bytes(4096)):
            table.plant(key, raw)
            await trio.sleep(60)
            assert alice.node is not None
            assert alice.node.core.finder is not None
            (sought,) = alice.node.core.finder.sought.values()
            assert sought.sequence == -1, raw
            assert await is_away(alice, "bob")

    world.run(story, 414)


def test_a_record_that_is_out_of_date_delays_nobody_who_is_elsewhere_known() -> None:
    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        await w.until(lambda: published(bob, table))
        table.is_down = True
        for person in (alice, bob):
            w.places.move(person.name, "home")
            await person.kill()
            person.port += 1000
            await person.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=3)

    world.run(story, 415)


def test_where_nobody_answers_nothing_is_worse_than_without_a_lookup() -> None:
    times = []

    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        table.is_down = True
        await bob.stop()
        await trio.sleep(HOUR_S)
        began = trio.current_time()
        await bob.start()
        await w.until(lambda: is_online(alice, "bob"))
        times.append(trio.current_time() - began)
        await bob.call("chat.send", to="alice", text="back")
        await w.until(lambda: settled(alice, bob))
        await trio.sleep(60)
        assert bob.node is not None
        assert bob.node.core.publisher is not None
        assert bob.node.core.publisher.fault == "no other node answers"
        table.is_down = False
        await w.until(lambda: published(bob, table), patience_s=310)

    world.run(story, 416)
    assert times[0] <= 2


def test_who_was_blocked_finds_nobody_any_more() -> None:
    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        chen = await w.person("chen")
        await befriend(alice, chen)
        await chen.call("chat.send", to="alice", text="hello")
        await w.until(lambda: settled(alice, chen))
        await w.until(lambda: published(alice, table))
        old = await key_of(alice)
        await alice.call("contacts.block", name="bob")
        await w.until(lambda: settled(alice, chen))
        await w.until(lambda: published(alice, table))
        raw = table.kept(lies_at(old))
        assert raw is not None
        said, _ = presence_record.open_sealed(old, raw, alice.now_ms() // 1000)
        assert [one.addresses for one in said.devices] == [()], "what he could find was taken back"
        await moved(alice)
        await w.until(lambda: is_online(chen, "alice"), patience_s=60)
        await trio.sleep(HOUR_S)
        assert bob.node is not None
        assert alice.node is not None
        told = bob.node.core.delivery.ways.of(1, ())
        assert not set(told) & set(alice.node.core.network.addresses())
        assert table.kept(lies_at(old)) == raw

    world.run(story, 417)


@pytest.mark.depth
def test_every_day_has_its_record_and_midnight_parts_nobody() -> None:
    async def story(w: World) -> None:
        alice, bob, table = await acquainted(w)
        await alice.stop()
        seen = set()
        for _ in range(3):
            await trio.sleep(rendezvous.ends_s(rendezvous.epoch_of(bob.now_ms() // 1000)) - bob.now_ms() / 1000 - 60)
            assert table.kept(lies_at(await key_of(bob, 1))) is not None, "tomorrow's lies there before midnight"
            await trio.sleep(61)
            assert await published(bob, table)
            seen.add(lies_at(await key_of(bob)))
        assert len(seen) == 3
        await moved(bob)
        await w.until(lambda: published(bob, table))
        await alice.start()
        await w.until(lambda: is_online(alice, "bob"), patience_s=10)

    world.run(story, 418)


def test_a_person_without_contacts_whom_strangers_may_not_find_leaves_no_record() -> None:
    async def story(w: World) -> None:
        for name in ("alice", "bob"):
            person = await w.person(name)
            assert person.node is not None
            await person.node.core.database.transact(settings.put, "find.account", "no")
            await person.stop()
        table = w.share_lookup()
        for person in w.people.values():
            await person.start()
        await trio.sleep(DAY_S)
        assert table.put_by == []

    world.run(story, 419)


def test_the_same_seed_tells_the_same_story() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await acquainted(w)
        for person in (alice, bob):
            await moved(person)
        await w.until(lambda: is_online(alice, "bob"), patience_s=20)

    assert world.run(story, 420) == world.run(story, 420)
