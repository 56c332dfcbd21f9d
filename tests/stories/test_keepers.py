"""Mail for people who are away: left at a mutual contact's, collected later, receipted; never there together."""

import trio

from lab import world
from lab.world import Person, World, befriend, texts
from protocol import identity, ids
from store import devices, lines, people
from store.database import Tx
from tests.stories.crowd_kit import DAY_S, HOUR_S, appoint, has_lines, states
from tests.stories.stranger_kit import core_of, kept

# What a node sends in six hours, bytes: two contacts, one keeper or two for whom it keeps, and nothing to say.
SILENCE_BYTES_MAX = {"ana": 5_500, "bo": 5_500, "chen": 6_000}


async def _three(one: World) -> None:
    ana, bo, chen = [await one.person(name) for name in ("ana", "bo", "chen")]
    for first, second in ((ana, bo), (bo, chen), (ana, chen)):
        await befriend(first, second)
    await appoint(chen, bo)
    await appoint(chen, ana)
    await one.until(lambda: has_lines(ana, bo, 1))
    await one.until(lambda: has_lines(bo, ana, 1))


def test_two_who_are_never_there_together_talk_through_a_mutual_contact() -> None:
    async def story(one: World) -> None:
        await _three(one)
        ana, bo = one.people["ana"], one.people["bo"]
        await bo.stop()
        for n in range(20):
            await ana.call("chat.send", to="bo", text=f"hello {n}")

        async def kept() -> bool:
            return set(await states(ana, "bo")) == {"kept"}

        await one.until(kept)
        await ana.stop()
        await bo.start()

        async def read() -> bool:
            return len(await texts(bo, "ana")) == 20

        await one.until(read)
        assert await texts(bo, "ana") == [f"hello {n}" for n in range(20)]
        await bo.call("chat.send", to="ana", text="thanks")

        async def answered() -> bool:
            return set(await states(bo, "ana")) == {"kept"}

        await one.until(answered)
        await bo.stop()
        await ana.start()

        async def learnt() -> bool:
            return set(await states(ana, "bo")) == {"delivered"} and (await texts(ana, "bo"))[-1] == "thanks"

        await one.until(learnt)

    world.run(story, seed=1)


def test_a_quarter_of_a_silent_day_with_a_keeper_costs_6_kb() -> None:
    """Three know each other and one keeps for the others; talks take 2.6 kB of it, streams to the keeper the rest."""

    async def story(one: World) -> None:
        await _three(one)
        await trio.sleep(2 * HOUR_S)
        before = one.network.sent_bytes.copy()
        await trio.sleep(DAY_S / 4)
        spent = one.network.sent_bytes - before
        assert set(spent) == set(SILENCE_BYTES_MAX)
        assert all(spent[name] <= most for name, most in SILENCE_BYTES_MAX.items()), spent

    world.run(story, seed=5)


def test_who_gets_another_permit_is_back_at_once() -> None:
    async def story(one: World) -> None:
        ana, bo, chen = [await one.person(name) for name in ("ana", "bo", "chen")]
        await befriend(ana, bo)
        await kept(ana, chen)
        await one.until(lambda: has_queues(chen))
        contact = await core_of(chen).database.transact(people.find_contact, "ana")
        await core_of(chen).keeping.revoke(contact.id)
        await trio.sleep(HOUR_S / 2)  # she has tried, and was refused
        await chen.call("keepers.offer", contacts=["ana"])
        await one.until(lambda: has_queues(chen), patience_s=30.0)

    world.run(story, seed=2)


def test_mail_at_a_keeper_whose_disk_was_put_back_is_collected() -> None:
    async def story(one: World) -> None:
        await _three(one)
        ana, bo, chen = one.people["ana"], one.people["bo"], one.people["chen"]
        for n in range(2):
            await bo.stop()
            if n:  # as it was before Bo had anything there
                await core_of(chen).keeping.database.transact(_begin_numbers_anew)
            for text in ("one", "two")[: 2 - n]:
                await ana.call("chat.send", to="bo", text=f"{text} {n}")
            await one.until(lambda: _is_said(ana, "kept"))
            await bo.start()
            await one.until(lambda: _is_said(ana, "delivered"))
        assert await texts(bo, "ana") == ["one 0", "two 0", "one 1"]

    world.run(story, seed=3)


def test_a_contact_who_has_lost_all_that_he_kept_keeps_on_for_whom_he_kept() -> None:
    async def story(one: World) -> None:
        ana, bo, chen = [await one.person(name) for name in ("ana", "bo", "chen")]
        await befriend(ana, bo)
        await kept(bo, chen)
        await one.until(lambda: has_lines(ana, bo, 1))
        before = await core_of(chen).keeping.database.transact(_secrets)
        await chen.stop()
        lost = list(one.folder.glob("chen.keeping.db*"))
        assert lost
        for path in lost:
            path.unlink()
        await chen.start()
        await one.until(lambda: keeps_again(chen))
        assert not before & await core_of(chen).keeping.database.transact(_secrets)
        await bo.stop()
        await ana.call("chat.send", to="bo", text="still")
        await one.until(lambda: _is_said(ana, "kept"))
        await ana.stop()
        await bo.start()
        await one.until(lambda: _has(bo, "still"))

    world.run(story, seed=4)


def _secrets(tx: Tx) -> set[bytes]:
    return {secret for (secret,) in tx.all("SELECT secret FROM permit")}


async def _has(reader: Person, text: str) -> bool:
    return text in await texts(reader, "ana")


async def _is_said(sender: Person, state: str) -> bool:
    """Whether the last that Ana said is so far."""
    return (await states(sender, "bo"))[-1] == state


async def has_queues(keeper: Person) -> bool:
    """Whether somebody has queues at a keeper."""
    uses = await core_of(keeper).keeping.database.transact(lambda tx: tx.one("SELECT SUM(queues) FROM owner"))
    return bool(uses and uses[0])


async def keeps_again(keeper: Person) -> bool:
    """The same of one whose database is not open yet."""
    return core_of(keeper).keeping.is_serving and await has_queues(keeper)


def _begin_numbers_anew(tx: Tx) -> None:
    tx.execute("UPDATE owner SET seq = 0 WHERE items = 0")


def test_a_device_that_a_contact_has_got_since_is_told_where_mail_can_be_left() -> None:
    async def story(one: World) -> None:
        await _three(one)
        ana, bo = one.people["ana"], one.people["bo"]
        before = await _version_told(ana, "bo")
        key, draw, now_s = core_of(bo).identity.account_key(), ana.entropy("another device"), ana.now_ms() // 1000
        added = identity.certify(key, ids.DeviceId(draw(32)), draw(32), 2, now_s - 9, now_s + 99_999)

        def add(tx: Tx) -> None:
            contact = people.find_contact(tx, "bo")
            devices.add_device(tx, contact.id, added)
            tx.changed(people.CHANGED, contact.id)

        await core_of(ana).database.transact(add)

        async def is_told() -> bool:
            return await _version_told(ana, "bo") > before

        await one.until(is_told, patience_s=60.0)

    world.run(story, seed=4)


async def _version_told(owner: Person, name: str) -> int:
    def look(tx: Tx) -> int:
        return lines.told(tx, people.find_contact(tx, name).id)[0]

    version: int = await core_of(owner).database.transact(look)
    return version
