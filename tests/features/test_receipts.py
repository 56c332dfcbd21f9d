"""Read receipts in a simulated world: who switches them on tells, and nobody else does."""

import trio

from features.chat import reading
from features.chat.content import SEEN_IDS_MAX, Seen
from lab import world
from lab.world import Person, World, befriend
from protocol import ids
from store import people, settings
from store.database import Tx
from tests.features.test_chat import delivered
from tests.features.test_search import run

DAY_S = 86_400


async def says(speaker: Person, to: str, text: str) -> None:
    """Says something, and waits until it is there."""
    sent = (await speaker.call("chat.send", to=to, text=text))["id"]

    async def is_there() -> bool:
        return bool((await speaker.call("chat.message", id=sent))["state"] == "delivered")

    await speaker.world.until(is_there)


async def states(person: Person, of: str) -> list[str]:
    """What became of all that a person said."""
    return [line["state"] for line in await person.call("chat.history", to=of, limit=1000) if line["mine"]]


async def is_read(person: Person, of: str, count: int) -> bool:
    return (await states(person, of)).count("read") == count


async def said(person: Person) -> int:
    """How often a person has told what was read."""
    rows = await run(person, lambda tx: tx.all(f"SELECT 1 FROM message WHERE device = 0 AND kind = {Seen.KIND}"))
    return len(rows)


async def pair(w: World) -> tuple[Person, Person]:
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    return alice, bob


def test_without_the_setting_nothing_about_reading_is_told() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        assert (await bob.call("chat.read", to="alice"))["read"] == 0
        await says(alice, "bob", "one")
        assert await bob.call("chat.read", to="alice") == {"read": 1}
        await trio.sleep(DAY_S)
        assert await said(bob) == 0
        assert await states(alice, "bob") == ["delivered"]

    world.run(story, seed=370)


def test_who_has_switched_it_on_tells_what_was_read_since() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await says(alice, "bob", "before")
        await bob.call("chat.read", to="alice")
        await run(bob, turned, "on")
        await says(alice, "bob", "one")
        await says(alice, "bob", "two")
        await says(bob, "alice", "mine is not told")
        await bob.call("chat.read", to="alice")
        await w.until(lambda: is_read(alice, "bob", 2))
        assert await states(alice, "bob") == ["delivered", "read", "read"]
        await bob.call("chat.read", to="alice")  # nothing is new
        assert await said(bob) == 1
        assert await states(bob, "alice") == ["delivered"]  # she tells nothing
        await run(bob, turned, "off")
        await says(alice, "bob", "three")
        await bob.call("chat.read", to="alice")
        assert await said(bob) == 1

    world.run(story, seed=371)


def test_what_was_read_while_the_other_is_away_is_told_later() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await run(bob, turned, "on")
        await says(alice, "bob", "one")
        await alice.kill()
        await bob.call("chat.read", to="alice")
        await bob.kill()
        await bob.start()
        await alice.start()
        await w.until(lambda: is_read(alice, "bob", 1))
        (line,) = [line for line in await alice.call("chat.history", to="bob") if line["mine"]]
        assert line["state_ms"] > line["at_ms"]

    world.run(story, seed=372)


def test_nothing_is_told_to_who_is_blocked_or_has_changed_and_reading_goes_on() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await run(bob, turned, "on")
        await says(alice, "bob", "one")
        await bob.call("contacts.block", name="alice")
        assert await bob.call("chat.read", to="alice") == {"read": 1}
        assert await said(bob) == 0

    world.run(story, seed=373)


def test_many_are_told_in_parts_and_only_the_newest() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await run(bob, turned, "on")
        for _ in range(9):
            await alice.call("chat.send_all", to="bob", texts=["x"] * SEEN_IDS_MAX)
        await w.until(lambda: delivered(alice, "bob"))
        await w.until(lambda: has_all(bob))
        assert (await bob.call("chat.read", to="alice"))["read"] == 9 * SEEN_IDS_MAX
        assert await said(bob) == 8
        sql = "SELECT COUNT(*) FROM message WHERE device = 0 AND kind = 120 AND state = 4"

        async def all_told() -> bool:
            return bool(await run(alice, lambda tx: tx.one(sql)) == (reading.TOLD_MAX,))

        await w.until(all_told)
        unread = await run(
            alice, lambda tx: tx.all("SELECT state FROM message WHERE device = 0 AND kind = 120 ORDER BY seq")
        )
        assert [state for (state,) in unread[:SEEN_IDS_MAX]] == [3] * SEEN_IDS_MAX  # the oldest

    world.run(story, seed=374)


async def has_all(person: Person) -> bool:
    sql = "SELECT COUNT(*) FROM message WHERE device != 0 AND kind = 120"
    return bool(await run(person, lambda tx: tx.one(sql)) == (9 * SEEN_IDS_MAX,))


def test_a_receipt_for_what_is_not_his_changes_nothing() -> None:
    async def story(w: World) -> None:
        alice, _ = await pair(w)
        chen = await w.person("chen")
        await befriend(alice, chen)
        await says(alice, "bob", "for bob")
        (line,) = await alice.call("chat.history", to="bob")
        assert chen.node is not None
        contact = await run(chen, people.find_contact, "alice")
        await chen.node.core.delivery.say(contact.id, (Seen((bytes(ids.ulid_from(line["id"])), bytes(16))),))
        await says(chen, "alice", "after it")
        assert await states(alice, "bob") == ["delivered"]

    world.run(story, seed=375)


def turned(tx: Tx, value: str) -> None:
    """As `weft config set chat.receipts` does."""
    settings.put(tx, reading.SETTING, value)
