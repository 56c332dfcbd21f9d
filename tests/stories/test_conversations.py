"""Stories of two and three people whose nodes live in one simulated world; each ends with what all nodes agree on."""

import random

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from tests import depth

BAD_SEEDS = (129, 270)  # three streams at once: the one that was kept was not the one that was known


async def agree(one: Person, other: Person, expected: list[str]) -> None:
    """Both conversations hold exactly these texts, in this order, and all of them are delivered."""
    assert await texts(one, other.name) == expected
    assert await texts(other, one.name) == expected
    for person, friend in ((one, other), (other, one)):
        lines = await person.call("chat.history", to=friend.name, limit=1000)
        assert [line["text"] for line in lines if line["mine"] and line["state"] != "delivered"] == []


async def settled(*people: Person) -> bool:
    """Nothing waits in anybody's outbox."""
    for person in people:
        if person.node is None:
            return False
        for friend in await person.node.core.services["contacts"].list():
            lines = await person.node.core.services["chat"].history(friend.name, 1000)
            if any(line.mine and line.state != "delivered" for line in lines):
                return False
    return True


def test_a_conversation_is_delivered_both_ways() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="hi")
        await w.until(lambda: settled(alice, bob))
        await bob.call("chat.send", to="alice", text="hello yourself")
        await w.until(lambda: settled(alice, bob))
        await agree(alice, bob, ["hi", "hello yourself"])

    world.run(story, seed=1)


def test_what_is_said_to_somebody_away_waits_and_arrives_once() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await bob.kill()
        said = [f"number {n}" for n in range(5)]
        for text in said:
            line = await alice.call("chat.send", to="bob", text=text)
            assert line["state"] == "queued"
        await alice.kill()
        await alice.start()
        await bob.start()
        await w.until(lambda: settled(alice, bob))
        await agree(alice, bob, said)

    world.run(story, seed=2)


def test_a_cut_cable_loses_nothing_and_repeats_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="before")
        w.network.cut("alice", "bob")
        await alice.call("chat.send", to="bob", text="into the cut")
        await bob.call("chat.send", to="alice", text="from the other side")
        w.network.heal("alice", "bob")
        await w.until(lambda: settled(alice, bob))
        for person, friend in ((alice, "bob"), (bob, "alice")):
            assert sorted(await texts(person, friend)) == ["before", "from the other side", "into the cut"]

    world.run(story, seed=3)


def test_a_request_waits_for_a_decision_and_nothing_is_sent_back_before() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        made = await alice.call("contacts.invite", kind="long-term", expires_s=30 * 86_400)
        await bob.call("contacts.add", link=made["link"], name="alice", greeting="it is me")

        async def asked() -> bool:
            return [one["greeting"] for one in await alice.call("contacts.requests")] == ["it is me"]

        await w.until(asked)

        async def waits() -> bool:
            return [one["state"] for one in await bob.call("contacts.list")] == ["waiting"]

        await w.until(waits)
        await alice.call("contacts.accept", id_or_name="bob")
        await w.until(lambda: world.both_active(alice, bob))
        await alice.call("chat.send", to="bob", text="welcome")
        await w.until(lambda: settled(alice, bob))
        await agree(alice, bob, ["welcome"])

    world.run(story, seed=4)


def test_a_one_time_link_presented_twice_adds_nobody_and_is_told() -> None:
    async def story(w: World) -> None:
        alice, bob, mallory = await w.person("alice"), await w.person("bob"), await w.person("mallory")
        made = await alice.call("contacts.invite")
        await bob.call("contacts.add", link=made["link"], name="alice")
        await w.until(lambda: world.both_active(alice, bob))
        await alice.call("contacts.verify", name="bob")
        await mallory.call("contacts.add", link=made["link"], name="alice")

        async def refused() -> bool:
            return [one["state"] for one in await mallory.call("contacts.list")] == ["refused"]

        await w.until(refused)
        (only,) = await alice.call("contacts.list")
        assert (only["name"], only["verified"], only["alarm"]) == ("Bob", "no", "link_twice")

    world.run(story, seed=5)


def test_two_who_invite_each_other_at_once_have_one_conversation() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        of_alice = await alice.call("contacts.invite")
        of_bob = await bob.call("contacts.invite")
        await alice.call("contacts.add", link=of_bob["link"], name="bob")
        await bob.call("contacts.add", link=of_alice["link"], name="alice")
        await w.until(lambda: world.both_active(alice, bob))
        await alice.call("chat.send", to="bob", text="one")
        await bob.call("chat.send", to="alice", text="two")
        await w.until(lambda: settled(alice, bob))
        assert sorted(await texts(alice, "bob")) == sorted(await texts(bob, "alice")) == ["one", "two"]

    world.run(story, seed=6)


def test_the_same_words_on_both_sides() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        found: list[list[str]] = []

        async def compare(person: Person, name: str) -> None:
            found.append((await person.call("contacts.compare", name=name))["words"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(compare, alice, "bob")
            nursery.start_soon(compare, bob, "alice")
        assert found[0] == found[1]
        assert len(found[0]) == 3

    world.run(story, seed=7)


def test_who_is_blocked_sees_somebody_away() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("contacts.block", name="bob")
        await bob.call("chat.send", to="alice", text="are you there?")
        await trio.sleep(600)
        assert await texts(alice, "bob") == []
        assert [line["state"] for line in await bob.call("chat.history", to="alice")] == ["queued"]
        await alice.call("contacts.unblock", name="bob")
        await w.until(lambda: settled(alice, bob), patience_s=1200)
        assert await texts(alice, "bob") == ["are you there?"]

    world.run(story, seed=8)


@pytest.mark.parametrize("seed", sorted({*range(100, 100 + depth.WORLDS), *BAD_SEEDS}))
def test_bad_days(seed: int) -> None:
    """Loss, cuts, kills and replays while three talk: nothing posted is lost, nothing is shown twice."""

    async def story(w: World) -> None:
        chance = random.Random(seed)
        people = [await w.person(name) for name in ("alice", "bob", "chen")]
        for index, one in enumerate(people):
            for other in people[index + 1 :]:
                await befriend(one, other)
        w.network.loss, w.network.replay = 0.01, 0.05
        said: dict[tuple[str, str], list[str]] = {}
        for number in range(40):
            speaker, hearer = chance.sample(people, 2)
            match chance.randrange(10):
                case 0:
                    w.network.cut(speaker.name, hearer.name)
                case 1 | 2:
                    w.network.heal_all()
                case 3:
                    await speaker.kill()
                    await trio.sleep(chance.random() * 30)
                    await speaker.start()
            text = f"{number} from {speaker.name}"
            await speaker.call("chat.send", to=hearer.name, text=text)
            said.setdefault((speaker.name, hearer.name), []).append(text)
            await trio.sleep(chance.random() * 5)
        w.network.heal_all()
        w.network.loss = 0.0
        await w.until(lambda: settled(*people), patience_s=3600)
        for person in people:
            for friend in people:
                if friend is not person:
                    there = said.get((person.name, friend.name), []) + said.get((friend.name, person.name), [])
                    assert sorted(await texts(person, friend.name)) == sorted(there)

    world.run(story, seed)
