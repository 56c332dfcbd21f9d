"""Stories about red packets in simulated worlds: opened in an order, parted, killed, expired, served by mail."""

from functools import partial

import trio

import features as rooms
from features.packets import view
from lab import world
from lab.world import Person, World, befriend
from node.node import migrations
from store import people
from store.database import Tx, Worker, open_database
from tests.stories.debt_kit import agree, owed
from tests.stories.packet_kit import all_closed, all_see, check, database, kept, shown, state

DAY_S = 86_400


async def star(w: World, *others: str) -> tuple[Person, ...]:
    """Ana, and others who are contacts of hers alone."""
    people = [await w.person(name) for name in ("ana", *others)]
    for one in people[1:]:
        await befriend(people[0], one)
    return tuple(people)


def test_three_open_in_some_order_and_all_compute_the_same() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dee = await star(w, "bo", "chen", "dee")
        await befriend(bo, chen)
        sent = await ana.call("packets.send", to=["bo", "chen", "dee"], amount="20", unit="EUR", note="new year")
        assert (sent["state"], sent["shares"], sent["largest"], sent["kind"]) == ("open", 3, "19.98", "random")
        packet = sent["id"]
        await w.until(partial(all_see, (bo, chen, dee), packet, "waiting"))
        for one in (chen, dee, bo):
            opened = await one.call("packets.open", id=packet[-8:])
            assert (opened["state"], opened["reason"]) == ("claimed", "waits for ana's node to grant a share")
            await w.until(partial(all_see, (one,), packet, "granted"))
        await w.until(partial(all_closed, (ana, bo, chen, dee), packet))
        own = await check(ana, (bo, chen, dee), packet)
        assert [each["who"] for each in own["grants"]] == ["Chen", "Dee", "Bo"]
        assert own["remainder"] == "0.00"
        lucky = [each for each in own["grants"] if each["luckiest"]]
        assert [each["minor"] for each in lucky] == [max(each["minor"] for each in own["grants"])]
        seen = [each["who"] for each in (await shown(bo, packet))["grants"]]
        assert seen[0] == "Chen"
        assert seen[1].startswith("wf1")  # Bo does not know Dee
        assert seen[2] == "you"
        for one in (bo, chen, dee):
            assert await agree([ana, one])
        (row,) = await ana.call("payments.history", to="bo")
        assert (row["kind"], row["note"], row["state"]) == ("packet", "new year", "settled")

    world.run(story, seed=21)


def test_a_partition_during_a_packet_delays_shares_and_loses_none() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dee = await star(w, "bo", "chen", "dee")
        packet = (await ana.call("packets.send", to=["bo", "chen", "dee"], amount="9", unit="EUR", equal=True))["id"]
        await w.until(partial(all_see, (bo, chen, dee), packet, "waiting"))
        w.network.partition(("ana", "bo"), ("chen",), ("dee",))
        for one in (dee, chen, bo):
            await one.call("packets.open", id=packet)
        await w.until(partial(all_see, (bo,), packet, "granted"))
        assert await state(chen, packet) == await state(dee, packet) == "claimed"
        await trio.sleep(3600)
        w.network.heal("ana", "dee")
        await w.until(partial(all_see, (dee,), packet, "granted"))
        w.network.heal_all()
        await w.until(partial(all_closed, (ana, bo, chen, dee), packet))
        own = await check(ana, (bo, chen, dee), packet)
        assert [each["who"] for each in own["grants"]] == ["Bo", "Dee", "Chen"]
        assert [each["amount"] for each in own["grants"]] == ["3.00"] * 3
        assert not any(each["luckiest"] for each in own["grants"])

    world.run(story, seed=22)


def test_after_a_day_the_rest_is_the_senders_and_late_claims_are_told_why() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dee = await star(w, "bo", "chen", "dee")
        packet = (await ana.call("packets.send", to=["bo", "chen", "dee"], amount="9.99", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo, chen, dee), packet, "waiting"))
        await bo.call("packets.open", id=packet)
        await w.until(partial(all_see, (bo,), packet, "granted"))
        await trio.sleep(DAY_S - 600)
        assert await state(ana, packet) == "open"
        w.network.cut("ana", "chen")
        await chen.call("packets.open", id=packet)
        await trio.sleep(1200)
        assert await state(ana, packet) == "closed"
        w.network.heal_all()
        await w.until(partial(all_closed, (ana, bo, dee), packet))
        await w.until(partial(all_see, (chen,), packet, "refused"))
        await w.until(partial(all_closed, (chen,), packet))
        own = await check(ana, (bo, chen, dee), packet)
        assert [each["who"] for each in own["grants"]] == ["Bo"]
        assert float(own["remainder"]) > 0
        assert (await shown(chen, packet))["reason"] == "its time was over when your claim came"
        assert (await shown(dee, packet))["state"] == "over"
        assert not (await ana.call("payments.history", to="chen"))

    world.run(story, seed=23)


def test_the_sender_comes_back_after_the_time_and_serves_nobody_late() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await star(w, "bo", "chen")
        packet = (await ana.call("packets.send", to=["bo", "chen"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo, chen), packet, "waiting"))
        await ana.kill()
        await bo.call("packets.open", id=packet)
        await trio.sleep(DAY_S + 1)
        assert await state(bo, packet) == "claimed"
        await ana.start()
        await w.until(partial(all_closed, (ana, bo, chen), packet))
        own = await check(ana, (bo, chen), packet)
        assert (own["grants"], own["remainder"]) == ([], "5.00")

    world.run(story, seed=24)


def test_mail_brings_a_claim_while_both_are_never_there_together() -> None:
    async def story(w: World) -> None:
        ana, bo, kim = await star(w, "bo", "kim")
        await befriend(bo, kim)
        await kim.call("keepers.offer", contacts=["ana", "bo"])
        await w.until(partial(_is_kept, ana, bo))
        await bo.stop()
        packet = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await trio.sleep(600)
        await ana.stop()
        await bo.start()
        await w.until(partial(all_see, (bo,), packet, "waiting"))
        await bo.call("packets.open", id=packet)
        await trio.sleep(600)
        await bo.stop()
        await ana.start()
        await w.until(partial(all_see, (ana,), packet, "closed"))
        await trio.sleep(600)
        await ana.stop()
        await bo.start()
        await w.until(partial(all_see, (bo,), packet, "granted"))
        await ana.start()
        await w.until(partial(all_closed, (ana, bo), packet))
        await check(ana, (bo,), packet)

    world.run(story, seed=25)


async def _is_kept(*people: Person) -> bool:
    found = [await one.call("keepers.list") for one in people]
    return all(any(row["state"] == "used" and row["open"] for row in each["keepers"]) for each in found)


def test_a_sender_who_is_killed_between_claim_and_grant_goes_on_from_his_disk() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await star(w, "bo", "chen")
        packet = (await ana.call("packets.send", to=["bo", "chen"], amount="7.01", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo, chen), packet, "waiting"))
        await ana.kill()
        w.network.cut("ana", "bo")
        await bo.call("packets.open", id=packet)
        nonce = (await database(bo, lambda tx: view.opening(tx, kept(tx).id))).nonce

        def claim(tx: Tx) -> None:
            assert view.claim(tx, kept(tx), people.find_contact(tx, "bo").id, nonce, w.now_ms())

        key, path = ana._chance("database").randbytes(32), w.folder / "ana.db"
        async with open_database(path, key, migrations(rooms.load()), Worker.INLINE) as disk:
            await disk.transact(claim)  # which is all that such a kill leaves
        await ana.start()
        await w.until(partial(_has_given, ana, packet, 1))
        w.network.heal_all()  # and now his claim comes once more
        await w.until(partial(all_see, (bo,), packet, "granted"))
        await chen.call("packets.open", id=packet)
        await w.until(partial(all_closed, (ana, bo, chen), packet))
        own = await check(ana, (bo, chen), packet)
        assert ([each["who"] for each in own["grants"]], own["remainder"]) == (["Bo", "Chen"], "0.00")
        for one in (bo, chen):
            assert len(await one.call("payments.history")) == 1

    world.run(story, seed=29)


async def _has_given(person: Person, packet: str, count: int) -> bool:
    return bool((await shown(person, packet))["taken"] == count)


def test_a_sender_who_is_killed_after_a_grant_and_before_it_leaves_gives_nobody_two_shares() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await star(w, "bo", "chen")
        packet = (await ana.call("packets.send", to=["bo", "chen"], amount="7.01", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo, chen), packet, "waiting"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_kill_at_a_claim, ana)
            await bo.call("packets.open", id=packet)
            await chen.call("packets.open", id=packet)
        assert await state(bo, packet) == await state(chen, packet) == "claimed"
        await trio.sleep(5)
        await ana.start()
        await w.until(partial(all_closed, (ana, bo, chen), packet))
        own = await check(ana, (bo, chen), packet)
        assert (len(own["grants"]), own["remainder"]) == (2, "0.00")
        for one in (bo, chen):
            assert len(await one.call("payments.history")) == 1

    for seed in (30, 31):
        world.run(story, seed)


async def _kill_at_a_claim(person: Person) -> None:
    """Kills a node when a claim has come: what was written with it is on its disk, and nothing of it has left."""
    assert person.node is not None
    with person.node.core.database.watch(frozenset({view.CHANGED})) as changes:
        await changes.receive()
    await person.kill()


def test_a_share_that_is_not_accepted_in_time_goes_back_and_is_drawn_for_nobody_else() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await star(w, "bo", "chen")
        packet = (await ana.call("packets.send", to=["bo", "chen"], amount="5", unit="EUR", shares=1))["id"]
        await w.until(partial(all_see, (bo, chen), packet, "waiting"))
        w.network.cut("ana", "bo")
        await bo.call("packets.open", id=packet)
        await bo.call("payments.limit", to="ana", amount="0", unit="EUR")  # he has changed his mind
        w.network.heal_all()
        await w.until(partial(all_see, (bo,), packet, "granted"))
        await w.until(partial(all_see, (chen,), packet, "over"))
        await trio.sleep(DAY_S + 60)
        await w.until(partial(_is_back, ana, packet))
        for one in (ana, bo, chen):
            found = await shown(one, packet)
            assert (found["fair"], found["remainder"]) == (True, "0.00")
            assert [each["amount"] for each in found["grants"]] == ["5.00"]
        assert (await shown(bo, packet))["reason"] == "it was not accepted within its time, and went back"
        assert await owed(bo, ana) == await owed(chen, ana) == 0

    world.run(story, seed=26)


async def _is_back(person: Person, packet: str) -> bool:
    return [each["state"] for each in (await shown(person, packet))["grants"]] == ["refunded"]
