"""Strangers who are never there at the same time: what they ask is left at a keeper, and so is the answer.

Chen is always there and keeps for Ana and for Bo, who know nothing of each other. Not here: mail between contacts.
"""

from typing import Any

import pytest
import trio

from crypto.keys import DhKey
from features.contacts import knocking
from lab import world
from lab.world import Person, World, has_active, texts
from protocol import ids, invite, knock
from protocol.keep import Status
from protocol.knock import Knock
from store import keepers, settings
from tests import depth
from tests.stories.stranger_kit import (
    DAY_S,
    core_of,
    doors_open,
    in_shelves,
    init_of_somebody,
    is_kept,
    kept,
    left,
    put_all,
)


async def apart(w: World, here: Person, gone: Person) -> None:
    """The one goes, then the other comes."""
    await gone.stop()
    await here.start()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("with_lookup", [False, True], ids=["by the link alone", "by the DHT too"])
def test_an_invitation_is_answered_though_the_two_are_never_there_together(seed: int, with_lookup: bool) -> None:
    async def story(w: World) -> None:
        if with_lookup:
            w.share_lookup()
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await kept(ana, chen)
        await kept(bo, chen)
        made = await ana.call("contacts.invite")
        await doors_open(w, ana)
        await ana.stop()
        await bo.call("contacts.add", link=made["link"], name="ana", greeting="it is me, bo")
        shown = await left(w, bo)
        assert shown["state"] == "asked"
        assert "left at a keeper of his until 22 Sep" in shown["reason"]  # the invitation ends then
        await apart(w, ana, bo)
        await w.until(lambda: has_active(ana, "bo"))
        await ana.call("chat.send", to="bo", text="welcome")
        await w.until(lambda: is_kept(ana, "bo"))
        await apart(w, bo, ana)
        await w.until(lambda: has_active(bo, "ana"))
        await w.until(lambda: says(bo, "ana", ["welcome"]))
        await bo.call("chat.send", to="ana", text="thank you")
        await w.until(lambda: is_kept(bo, "ana"))
        await apart(w, ana, bo)
        await w.until(lambda: says(ana, "bo", ["welcome", "thank you"]))

    world.run(story, seed)


def test_an_invitation_leads_to_the_keeper_that_is_there_now() -> None:
    """Its link carries the address of one: that of one who is away, or somewhere else by now, leads nowhere."""

    async def story(w: World) -> None:
        ana, bo, chen, dee = [await w.person(name) for name in ("ana", "bo", "chen", "dee")]
        for keeper in (chen, dee):
            await kept(ana, keeper)
        await chen.stop()
        await w.until(lambda: connected(ana, ["Dee"]))
        made = await ana.call("contacts.invite")
        await doors_open(w, ana)
        await ana.stop()
        await bo.call("contacts.add", link=made["link"], name="ana")
        assert "left at a keeper of his" in (await left(w, bo))["reason"]

    world.run(story, 0)


async def connected(person: Person, names: list[str]) -> bool:
    """Whether a person is connected with these keepers alone."""
    rows = (await person.call("keepers.list"))["keepers"]
    return [one["name"] for one in rows if one["online"]] == names


async def says(person: Person, of: str, wanted: list[str]) -> bool:
    """Whether a conversation is these texts."""
    return await texts(person, of) == wanted


@pytest.mark.depth
def test_an_invitation_is_answered_days_after_its_maker_left_and_is_not_left_twice() -> None:
    """No record of the DHT holds for so long; who starts anew knows that what he asks lies there."""

    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await kept(ana, chen)
        made = await ana.call("contacts.invite", expires_s=10 * DAY_S)
        await doors_open(w, ana)
        await ana.stop()
        await trio.sleep(4 * DAY_S)
        await bo.call("contacts.add", link=made["link"], name="ana")
        await left(w, bo)
        for _ in range(3):
            await bo.stop()
            await bo.start()
            await left(w, bo)
        assert await in_shelves(chen) == 1
        await ana.start()
        await w.until(lambda: has_active(ana, "bo"))
        await w.until(lambda: has_active(bo, "ana"))

    world.run(story, seed=3)


@pytest.mark.parametrize("bits", [20, 0], ids=["with work", "not allowed"])
def test_a_request_by_the_account_id_reaches_an_offline_person_if_he_allows_it(bits: int) -> None:
    async def story(w: World) -> None:
        w.share_lookup()
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await core_of(ana).database.transact(settings.put, "find.work", str(bits))
        await kept(ana, chen)
        await kept(bo, chen)
        account = ids.account_text(core_of(ana).identity.account)
        if bits:
            await doors_open(w, ana)
        await trio.sleep(3 * 60.0)  # all that is to be published is
        await ana.stop()
        shown_at_work: list[str] = []
        async with trio.open_nursery() as beside:
            beside.start_soon(at_work, bo, shown_at_work)
            await bo.call("contacts.add", link=account, name="ana", greeting="we met in Lisbon")
            if bits:
                assert not (await left(w, bo))["busy"]
            beside.cancel_scope.cancel()
        if not bits:
            await trio.sleep(3600.0)
            (shown,) = [one for one in await bo.call("contacts.list") if one["name"] == "ana"]
            assert (shown["state"], await in_shelves(chen)) == ("asked", 0)
            assert "its node does not answer" in shown["reason"]
            return
        assert {*shown_at_work} == {knocking.WORKS}
        await apart(w, ana, bo)
        await w.until(lambda: asks(ana, "we met in Lisbon"))
        (request,) = await ana.call("contacts.requests")
        await ana.call("contacts.accept", id_or_name=request["name"], name="bo")
        await w.until(lambda: is_kept(ana, "bo"))
        await apart(w, bo, ana)
        await w.until(lambda: has_active(bo, "ana"))

    world.run(story, seed=4)


async def at_work(person: Person, shown: list[str]) -> None:
    """Collects why somebody is not reached, each time that something changes while the node works for his keeper."""
    with core_of(person).database.watch() as changes:
        async for _ in changes:
            shown += [one["reason"] for one in await person.call("contacts.list") if one["busy"]]


# --- hostile


def test_a_second_one_who_comes_with_a_link_is_named_though_its_maker_was_away() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, eve = [await w.person(name) for name in ("ana", "bo", "chen", "eve")]
        await kept(ana, chen)
        made = await ana.call("contacts.invite")
        await doors_open(w, ana)
        await ana.stop()
        await bo.call("contacts.add", link=made["link"], name="ana")
        await left(w, bo)
        await eve.call("contacts.add", link=made["link"], name="ana")
        await left(w, eve)
        await ana.start()
        await w.until(lambda: has_active(ana, "bo"))
        await w.until(lambda: is_alarmed(ana, "bo"))
        assert not await has_active(ana, "eve")

    world.run(story, seed=5)


def test_who_withdraws_an_invitation_closes_its_door() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await kept(ana, chen)
        made = await ana.call("contacts.invite")
        other = await ana.call("contacts.invite")
        await doors_open(w, ana)
        await ana.call("contacts.revoke", id=made["id"])
        await trio.sleep(60.0)
        await ana.stop()
        await bo.call("contacts.add", link=made["link"], name="ana")
        await trio.sleep(600.0)
        (shown,) = await bo.call("contacts.list")
        assert "knows nothing of it any more" in shown["reason"]
        assert await in_shelves(chen) == 0
        await bo.call("contacts.add", link=other["link"])
        await left(w, bo)

    world.run(story, seed=6)


def test_what_strangers_leave_is_bounded_and_nonsense_keeps_nobody_out() -> None:
    """A door holds three; whoever has the link can fill it with garbage, and no other door."""

    async def story(w: World) -> None:
        ana, bo, chen, eve = [await w.person(name) for name in ("ana", "bo", "chen", "eve")]
        await kept(ana, chen)
        stolen = invite.link_from((await ana.call("contacts.invite"))["link"])
        made = await ana.call("contacts.invite")
        await doors_open(w, ana)
        find = await core_of(ana).database.transact(lambda tx: keepers.used(tx)[0].find)
        await ana.stop()
        answers = await flood(eve, chen, knock.door_of(stolen.secret, find), 100)
        assert answers == [Status.OK] * 3 + [Status.QUOTA] * 97
        assert set(await flood(eve, chen, knock.Door(bytes(16), bytes(32)), 5)) == {Status.GONE}
        await bo.call("contacts.add", link=made["link"], name="ana")
        await left(w, bo)
        assert await in_shelves(chen) == 4
        await ana.start()
        await w.until(lambda: has_active(ana, "bo"))
        await w.until(lambda: nothing_lies(chen))

    world.run(story, seed=7)


@pytest.mark.depth
@pytest.mark.parametrize("times", [(50, 200, 1000)[depth.LEVEL]])
def test_case_11_a_stranger_who_asks_without_end_uses_up_no_key_and_others_still_begin(times: int) -> None:
    """There is no pool of one-time keys: each invitation has its own set, and everybody else begins without any."""

    async def story(w: World) -> None:
        ana, bo, chen, eve = [await w.person(name) for name in ("ana", "bo", "chen", "eve")]
        await kept(ana, chen)
        link = invite.link_from((await ana.call("contacts.invite", kind="long-term", expires_s=10 * DAY_S))["link"])
        made = await ana.call("contacts.invite")
        await doors_open(w, ana)
        before = await one_time_keys(ana)
        assert before
        laid_before = dict(core_of(ana).collector.reception.strangers.records)
        taken = 0
        for _ in range(times // 10):
            await ana.stop()
            core = core_of(eve)
            doors = await knocking.look(core, link, [str(core_of(chen).network.addresses()[0])])
            assert doors is not None
            door = knock.door_of(link.secret, doors[1].places[0].find)
            entropy = core.ground.entropy("flood")
            encapsulate, bundle = core.ground.encapsulate, doors[0].bundle
            inits = [init_of_somebody(bundle, w.now_ms() // 1000, entropy, encapsulate) for _ in range(10)]
            left_there = [
                knock.seal(doors[1].inbox, door.sender, Knock(one, None), DhKey(entropy(32)), encapsulate)
                for one in inits
            ]
            taken += (await put_all(eve, chen, door, left_there)).count(Status.OK)
            await ana.start()
            await w.until(lambda: nothing_lies(chen))
        assert taken == times // 10 * 10
        assert await one_time_keys(ana) == before
        assert len(await ana.call("contacts.requests")) == min(invite.REQUESTS_MAX, taken)
        assert {*laid_before} == {*core_of(ana).collector.reception.strangers.records}
        await ana.stop()
        await bo.call("contacts.add", link=made["link"], name="ana")
        await left(w, bo)
        await ana.start()
        await w.until(lambda: has_active(ana, "bo"))

    world.run(story, seed=8)


async def one_time_keys(person: Person) -> list[Any]:
    """The one-time sets of a node."""
    return list(
        await core_of(person).database.transact(lambda tx: tx.all("SELECT number FROM prekey WHERE one_time = 1"))
    )


async def flood(stranger: Person, keeper: Person, door: knock.Door, count: int) -> list[Status]:
    """What a keeper answers to garbage at a door."""
    chance = stranger.entropy("garbage")
    return await put_all(stranger, keeper, door, [door.sender + chance(4096 - 16) for _ in range(count)])


async def nothing_lies(keeper: Person) -> bool:
    return await in_shelves(keeper) == 0


async def asks(person: Person, greeting: str) -> bool:
    """Whether a request with this greeting waits."""
    return any(one["greeting"] == greeting for one in await person.call("contacts.requests"))


async def is_alarmed(person: Person, of: str) -> bool:
    """Whether a contact's link was used by somebody else too."""
    return any(one["alarm"] == "link_twice" for one in await person.call("contacts.list") if one["name"].lower() == of)
