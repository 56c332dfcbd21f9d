"""Contacts who are blocked, or show another account, while mail lies at keepers: nothing is said, nothing breaks."""

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from protocol import keep
from protocol.keep import Status
from store import people
from store.database import Tx
from tests.stories.crowd_kit import DAY_S, HOUR_S, appoint, has_lines, states
from tests.stories.false_keepers import always, false_keeper, told
from tests.stories.stranger_kit import core_of, in_shelves


@pytest.mark.depth
def test_who_is_blocked_while_away_is_left_nothing_more_and_others_are_served() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        async with false_keeper(w, always(Status.OK, keep.DAY_S)) as keeper:
            await told(ana, "bo", [keeper.line("bo")])
            await ana.call("chat.send", to="bo", text="hello")
            await w.until(lambda: _is_said(ana, "kept"))
            await trio.sleep(2 * HOUR_S)
            before = len(keeper.puts())
            await ana.call("contacts.block", name="bo")
            await trio.sleep(20 * DAY_S)  # his bundle gets old, copies end: all that would have him left something
            assert len(keeper.puts()) == before

    world.run(story, seed=1)


def test_case_34_mail_of_who_shows_another_account_is_taken_in_and_nobody_is_told_anything() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        for first, second in ((ana, bo), (bo, chen), (ana, chen)):
            await befriend(first, second)
        await appoint(chen, ana)
        await appoint(chen, bo)
        await w.until(lambda: has_lines(bo, ana, 1))
        await w.until(lambda: has_lines(ana, bo, 1))
        await ana.stop()
        await bo.call("chat.send", to="ana", text="from before")
        await w.until(lambda: _is_said(bo, "kept", "ana"))
        await bo.stop()
        await chen.call("chat.send", to="ana", text="from chen")
        await _alarm(w, ana, "bo")
        assert await texts(ana, "bo") == ["from before"]
        assert await texts(ana, "chen") == ["from chen"]
        await trio.sleep(HOUR_S)
        assert await in_shelves(chen) == 0  # no receipt
        await ana.call("contacts.verify", name="bo")

    world.run(story, seed=2)


async def _alarm(w: World, owner: Person, name: str) -> None:
    """The owner comes back and learns of the other account before she reaches her keeper."""
    w.network.partition([owner.name], [one for one in w.people if one != owner.name])
    await owner.start()
    await core_of(owner).database.transact(_raise_alarm, name)
    w.network.heal_all()
    core_of(owner).collector.network_changed.ring()

    async def has_mail() -> bool:
        return bool(await texts(owner, name)) and bool(await texts(owner, "chen"))

    await w.until(has_mail)


def _raise_alarm(tx: Tx, name: str) -> None:
    people.set_alarm(tx, people.find_contact(tx, name).id, people.STOPS)


async def _is_said(sender: Person, state: str, to: str = "bo") -> bool:
    return set(await states(sender, to)) == {state}
