"""Links on which nobody writes, while nobody looks: what they cost, and that who looks or writes is told the truth."""

import math
from typing import Any

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from node.silence import ANSWER_S, AWAKE_S, QUIET_PING_S
from node.talks import SILENT
from tests.stories.test_conversations import settled

NOTICED_S = 20.0
ASLEEP_S = 2 * AWAKE_S + 60.0
HOUR_S = 3600.0


async def _bob(person: Person, call: str) -> dict[str, Any]:
    """What this person is told of Bob; to ask is to look."""
    if call == "contacts.show":
        return dict(await person.call(call, name="Bob"))
    (row,) = await person.call(call)
    return dict(row)


def _is_live(person: Person) -> bool:
    """Whether the node holds a talk with its one contact; nobody has looked for that."""
    assert person.node is not None
    return bool(list(person.node.core.delivery.talks))


async def _quiet(w: World) -> tuple[Person, Person]:
    """Two who are connected and have said nothing for so long that they ask each other seldom."""
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    await w.until(lambda: settled(alice, bob))
    w.network.notice_s = math.inf
    await trio.sleep(ASLEEP_S)
    return alice, bob


@pytest.mark.parametrize("call", ["contacts.list", "contacts.show"])
def test_who_looks_at_a_quiet_contact_is_told_whether_he_answers(call: str) -> None:
    async def story(w: World) -> None:
        alice, _ = await _quiet(w)
        assert (await _bob(alice, call))["reason"] == ""
        await trio.sleep(ASLEEP_S)
        w.network.cut("alice", "bob")
        await trio.sleep(19.0)
        assert _is_live(alice)
        began = trio.current_time()
        assert (await _bob(alice, call))["reason"] == SILENT
        assert trio.current_time() - began <= 2.0
        await w.until(lambda: _is_shown_away(alice, call), patience_s=60)
        assert trio.current_time() - began <= NOTICED_S

    world.run(story, seed=70)


def test_mail_on_a_quiet_link_that_is_dead_arrives_by_the_next_one() -> None:
    async def story(w: World) -> None:
        alice, bob = await _quiet(w)
        w.network.cut("alice", "bob")
        began = trio.current_time()
        await alice.call("chat.send", to="bob", text="are you there?")
        await w.until(lambda: _gone(alice), patience_s=60)
        assert trio.current_time() - began <= NOTICED_S
        w.network.heal("alice", "bob")
        await w.until(lambda: settled(alice, bob))
        assert await texts(bob, "alice") == ["are you there?"]

    world.run(story, seed=71)


def test_a_quiet_link_that_dies_is_given_up_though_nobody_looks() -> None:
    async def story(w: World) -> None:
        alice, bob = await _quiet(w)
        w.network.cut("alice", "bob")
        await trio.sleep(QUIET_PING_S + 3.0 + ANSWER_S + 1.0)
        assert not _is_live(alice)
        assert not _is_live(bob)

    world.run(story, seed=72)


def test_a_silent_hour_costs_a_question_every_two_and_a_half_minutes() -> None:
    async def story(w: World) -> None:
        await _quiet(w)
        w.network.tap = []
        await trio.sleep(HOUR_S)
        asked = {round(at) for at, sender, receiver, _ in w.network.tap if {sender, receiver} == {"alice", "bob"}}
        assert 1 <= len(asked) <= 2 * HOUR_S / QUIET_PING_S

    world.run(story, seed=73)


async def _is_shown_away(person: Person, call: str) -> bool:
    return not (await _bob(person, call))["online"]


async def _gone(person: Person) -> bool:
    return not _is_live(person)
