"""Two contacts who share no secret any more agree anew by an invitation, and stay what they are to each other."""

from pathlib import Path

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from tests.features.kit import only
from tests.stories.test_backups import (
    DAY_S,
    kept,
    lose_and_restore,
    lost_device_runs,
    secret_of_pair,
    verify_each_other,
)
from tests.stories.test_conversations import settled


async def is_met(one: Person) -> bool:
    return bool((await only(one))["online"])


async def is_away(one: Person) -> bool:
    return not await is_met(one)


async def has_agreed(alice: Person, bob: Person) -> bool:
    """Whether both use the same secret."""
    return await secret_of_pair(alice, "bob") == await secret_of_pair(bob, "alice") is not None


async def estranged(w: World, alice: Person, bob: Person) -> Path:
    """Alice came back from a backup that is older than the secret which bob knows, and he has forgotten those in it."""
    await befriend(alice, bob)
    await verify_each_other(alice, bob)
    await w.until(lambda: has_agreed(alice, bob))
    file = w.folder / "alice.weft"
    await kept(alice, file)
    await alice.kill()
    await lose_and_restore(alice, file)
    await alice.start()
    await w.until(lambda: is_met(alice))
    await alice.call("chat.send", to="bob", text="restored once")
    await w.until(lambda: settled(alice, bob))
    for person in (alice, bob):
        await person.kill()
    await trio.sleep(31 * DAY_S)
    await bob.start()
    await trio.sleep(DAY_S)  # he tidies up once a day
    await bob.call("chat.send", to="alice", text="where are you?")
    await lose_and_restore(alice, file)
    await alice.start()
    await alice.call("chat.send", to="bob", text="back again")
    await trio.sleep(3600)
    assert not await is_met(alice)  # neither knows what the other proves itself with
    assert not await is_met(bob)
    return file


@pytest.mark.depth
@pytest.mark.parametrize(
    ("inviter", "kind", "seed"), [("bob", "once", 71), ("alice", "once", 72), ("bob", "long-term", 76)]
)
def test_a_backup_from_before_an_earlier_restore_meets_again_by_an_invitation(
    inviter: str, kind: str, seed: int
) -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await estranged(w, alice, bob)
        giver, taker = (bob, alice) if inviter == "bob" else (alice, bob)
        link = (await giver.call("contacts.invite", kind=kind, expires_s=86_400))["link"]
        shown = await taker.call("contacts.add", link=link)
        assert (shown["state"], shown["verified"]) == ("active", "qr" if taker is bob else "digits")
        await w.until(lambda: is_met(alice))
        await w.until(lambda: settled(alice, bob))
        assert (await texts(alice, "bob"))[-2:] == ["where are you?", "back again"]
        assert sorted(await texts(bob, "alice")) == ["back again", "restored once", "where are you?"]
        of_alice, of_bob = await only(bob), await only(alice)
        assert (of_alice["verified"], of_alice["alarm"], of_alice["state"]) == ("qr", "recovered", "active")
        assert (of_bob["verified"], of_bob["alarm"], of_bob["state"]) == ("digits", "", "active")
        await w.until(lambda: has_agreed(alice, bob))
        for person in (alice, bob):  # and they meet under the new one
            await person.kill()
            await person.start()
        await w.until(lambda: is_met(alice))
        await bob.call("chat.send", to="alice", text="as ever")
        await w.until(lambda: settled(alice, bob))
        assert (await texts(alice, "bob"))[-1] == "as ever"

    world.run(story, seed)


def test_what_is_agreed_anew_without_need_breaks_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await verify_each_other(alice, bob)
        link = (await bob.call("contacts.invite"))["link"]
        await bob.stop()
        await w.until(lambda: is_away(alice))
        await alice.call("chat.send", to="bob", text="while you were away")
        await alice.call("contacts.add", link=link)
        await bob.start()
        await w.until(lambda: is_met(alice))
        await w.until(lambda: settled(alice, bob))
        await bob.call("chat.send", to="alice", text="here")
        await w.until(lambda: settled(alice, bob))
        assert await texts(alice, "bob") == ["while you were away", "here"]
        assert [(await only(one))["verified"] for one in (alice, bob)] == ["digits", "qr"]
        assert [(await only(one))["state"] for one in (alice, bob)] == ["active", "active"]

    world.run(story, seed=73)


@pytest.mark.parametrize("end", ["spent", "expired"])
def test_an_invitation_that_leads_nowhere_leaves_the_contact_as_it_was(end: str) -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        link = (await bob.call("contacts.invite", expires_s=3600))["link"]
        if end == "spent":
            await chen.call("contacts.add", link=link)
            await w.until(lambda: world.both_active(chen, bob))
        await bob.stop()
        await w.until(lambda: is_away(alice))
        await alice.call("contacts.add", link=link)
        if end == "expired":
            await trio.sleep(3700)
        await bob.start()
        await w.until(lambda: _has_reason(alice))
        row = await only(alice)
        assert (row["state"], row["reason"].partition(" ")[0]) == ("active", "somebody" if end == "spent" else "the")
        await w.until(lambda: is_met(alice))

    world.run(story, seed=74)


async def _has_reason(person: Person) -> bool:
    row = await only(person)
    return "invitation" in row["reason"] and "tries again" not in row["reason"]


def test_no_link_of_a_lost_device_lets_it_in_again() -> None:
    """Whoever has the lost disk makes an invitation with it, and gets somebody to follow it."""

    async def story(w: World) -> None:
        alice, bob = await lost_device_runs(w)
        link = (await alice.call("contacts.invite", expires_s=36_000))["link"]
        await w.until(lambda: is_away(bob))
        await bob.call("contacts.add", link=link)
        await bob.call("chat.send", to="alice", text="for the new one alone")
        await trio.sleep(600)
        devices = (await bob.call("contacts.show", name="alice"))["devices"]
        assert [one["revoked"] for one in devices] == [True, False]
        assert "for the new one alone" not in await texts(alice, "bob")
        assert bob.node is not None
        taken = "SELECT COUNT(*) FROM pair_secret WHERE taken = 1"
        assert (await bob.node.core.database.transact(lambda tx: tx.one(taken)))[0] > 0
        assert (await only(bob))["state"] == "active"

    world.run(story, seed=75)
