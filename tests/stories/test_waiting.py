"""Somebody has a request and takes time to decide. Meanwhile both move, so that neither is where the other was told.

Who asked finds the other by the record that led to him first. The first search is test_finding.py's.
"""

import pytest
import trio

from features.contacts import asking
from lab import world
from lab.lookup import Table
from lab.world import Person, World, texts
from protocol import account_record, invitation_record, invite, rendezvous
from tests import depth
from tests.features.kit import only
from tests.stories.test_finding import DAY_S, account_text, in_state, node_of, published, requested

HOUR_S = 3600.0
EXPIRES_S = (8 * 3600, 8 * 3600, 2 * DAY_S)[depth.LEVEL]  # worlds begin at 14:13 UTC: there is a midnight in it


async def waiting(w: World, led_by: str, expires_s: int = 2 * DAY_S) -> tuple[Person, Person, Table, bytes]:
    """Bob's request stands with Alice, found by this; where in the table what led to her lies today."""
    table = w.share_lookup()
    alice, bob = await w.person("alice"), await w.person("bob")
    await w.person("chen")  # who keeps what is put
    today = rendezvous.epoch_of(w.now_ms() // 1000)
    if led_by == "account":
        await published(w, table, alice)
        link, name = account_text(alice), account_record.name_of(node_of(alice).identity.account, today)
    else:
        link = (await alice.call("contacts.invite", kind="long-term", expires_s=expires_s))["link"]
        keys = invitation_record.keys_of(invite.InviteKeys.of(invite.link_from(link).secret), today)
        name = keys.name.public
    await bob.call("contacts.add", link=link, name="alice", greeting="hello")
    await requested(w, alice, "hello")
    await in_state(w, bob, "waiting")
    return alice, bob, table, rendezvous.dht_key(name)


async def moved(person: Person, *, is_restarted: bool) -> None:
    """He is somewhere else from now on, and nobody is where he was."""
    person.port += 1000
    if is_restarted:
        await person.kill()
        await person.start()
    else:
        node_of(person).network.move(person.port)


async def accepted(alice: Person) -> None:
    await alice.call("contacts.accept", id_or_name=(await only(alice, "contacts.requests"))["name"], name="bob")


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("led_by", ["account", "invitation"])
def test_who_decides_after_both_have_moved_is_found_by_who_asked(led_by: str, is_restarted: bool) -> None:
    async def story(w: World) -> None:
        alice, bob, _, _ = await waiting(w, led_by)
        await trio.sleep(HOUR_S)
        for person in (alice, bob):
            await moved(person, is_restarted=is_restarted)
        await trio.sleep(HOUR_S)
        await accepted(alice)
        await w.until(lambda: world.both_active(alice, bob), patience_s=2 * HOUR_S)
        await alice.call("chat.send", to="bob", text="at last")

        async def arrived() -> bool:
            return await texts(bob, "alice") == ["at last"]

        await w.until(arrived)

    world.run(story, seed=930)


@pytest.mark.depth
@pytest.mark.parametrize("led_by", ["account", "invitation"])
def test_who_takes_long_is_asked_for_seldom_and_not_after_the_decision(led_by: str) -> None:
    async def story(w: World) -> None:
        alice, bob, table, key = await waiting(w, led_by)
        before = len(table.asked)
        await trio.sleep(8 * HOUR_S)
        asked = [at for at, who, what in table.asked[before:] if (who, what) == ("bob", key)]
        assert 4 <= len(asked) <= 10
        assert asked[-1] - asked[-2] > asking.WAIT_S[1] / 2
        assert (await only(bob))["reason"] == "your request waits for a decision"
        await accepted(alice)
        await w.until(lambda: world.both_active(alice, bob))
        before = len(table.asked)
        await trio.sleep(1.2 * asking.WAIT_S[1])
        assert not [at for at, who, what in table.asked[before:] if (who, what) == ("bob", key)]

    world.run(story, seed=931)


@pytest.mark.depth
def test_a_request_outlives_the_invitation_that_led_to_it() -> None:
    async def story(w: World) -> None:
        alice, bob, _, _ = await waiting(w, "invitation", EXPIRES_S)
        await trio.sleep(1.5 * EXPIRES_S)
        await in_state(w, bob, "waiting")
        await accepted(alice)
        await w.until(lambda: world.both_active(alice, bob), patience_s=2 * HOUR_S)

    world.run(story, seed=932)


def test_who_comes_into_another_network_asks_and_looks_at_once() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await w.person("chen")
        link = (await alice.call("contacts.invite"))["link"]
        await moved(alice, is_restarted=True)
        await trio.sleep(60)  # her record says where she is
        table.is_down = True
        await bob.call("contacts.add", link=link, name="alice")
        await trio.sleep(HOUR_S)
        table.is_down = False
        w.places.move("bob", "cafe")
        await w.until(lambda: world.both_active(alice, bob), patience_s=10)

    world.run(story, seed=933)
