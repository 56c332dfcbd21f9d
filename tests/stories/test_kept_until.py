"""What a person reads of what keepers have for others: who has it and until when, and nothing once that day is over."""

from typing import Any

import trio

from features.chat.content import Text
from lab import world
from lab.world import Person, World, befriend
from node.doctor.findings import Finding, Level
from node.service import NodeService
from store import whereabouts
from tests.node.test_doctor_network import looked_at
from tests.stories.crowd_kit import appoint, has_lines
from tests.stories.log_kit import row
from tests.stories.stranger_kit import DAY_S, core_of, doors_open, kept, left

MONTH_MS = 30 * DAY_S * 1000


async def waits_at_chen(w: World) -> tuple[Person, Person, Person]:
    """Ana has said two things to Bo, who is away; Chen has both."""
    ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
    await befriend(ana, bo)
    await befriend(ana, chen)
    await befriend(bo, chen)
    await appoint(chen, bo)
    await w.until(lambda: has_lines(ana, bo, 1))
    await bo.stop()
    for text in ("one", "two"):
        await ana.call("chat.send", to="bo", text=text)

    async def are_kept() -> bool:
        return [one["state"] for one in await said(ana)] == ["kept", "kept"]

    await w.until(are_kept)
    return ana, bo, chen


async def said(person: Person) -> list[dict[str, Any]]:
    """What Ana has said to Bo, as she sees it."""
    found: list[dict[str, Any]] = await person.call("chat.history", to="bo")
    return found


async def status(person: Person) -> dict[str, Any]:
    """What `weft status` is told."""
    return await NodeService(core_of(person), person.name, 0).status()


async def of_bo(w: World, person: Person) -> Finding:
    """What the doctor says of Bo."""
    return next(one for one in await looked_at(w, person) if one.name == "contact Bo")


def test_the_doctor_says_who_keeps_what_waits() -> None:
    async def story(w: World) -> None:
        ana, _bo, _chen = await waits_at_chen(w)
        day = whereabouts.day(w.now_ms() + MONTH_MS)
        found = await of_bo(w, ana)
        assert (found.level, found.next) == (Level.OK, "")
        assert "2 messages wait for " in found.sentence
        assert found.sentence.endswith(f" s, kept by Chen until {day}.")
        newest = f"(SELECT MAX(seq) FROM message WHERE kind = {Text.KIND})"
        lose = f"UPDATE parcel SET until_ms = 0 WHERE message = {newest}"
        await core_of(ana).database.transact(lambda tx: tx.execute(lose))
        found = await of_bo(w, ana)
        assert found.level is Level.WARNING
        assert found.sentence.endswith(
            f": 1 is kept by Chen until {day}, and 1 until you meet or it is left with Chen."
        )

    world.run(story, seed=11)


def test_what_was_kept_until_a_day_that_is_over_waits_again_at_once() -> None:
    """The node was off until then, and its upkeep has not run yet."""

    async def story(w: World) -> None:
        ana, _bo, chen = await waits_at_chen(w)
        assert (await status(ana))["kept"] == 2
        for one in (ana, chen):
            await one.stop()
        ana.clock_off_ms = MONTH_MS
        await ana.start()
        assert [one["state"] for one in await said(ana)] == ["queued", "queued"]
        assert all("it goes when either of you meets" in one["reason"] for one in await said(ana))
        assert (await ana.call("chat.message", id=(await said(ana))[0]["id"]))["state"] == "queued"
        told = await status(ana)
        assert (told["queued"], told["kept"]) == (2, 0)
        assert (await of_bo(w, ana)).sentence.endswith(", until you meet or it is left with Chen.")

    world.run(story, seed=12)


def test_entries_that_lie_at_a_keeper_for_their_anchor_are_said_to_be_there() -> None:
    async def story(w: World) -> None:
        ana, _bo, chen = await waits_at_chen(w)
        await ana.call("logs.begin", name="trip", readers=["bo"], anchor="bo")
        await ana.call("logs.write_all", log="trip", texts=["one", "two", "three"])

        async def are_kept() -> bool:
            return bool((await row(ana, "trip"))["kept"] == 3)

        await w.until(are_kept)
        day = whereabouts.day(w.now_ms() + MONTH_MS)
        one = await row(ana, "trip")
        assert (one["waits_for"], one["kept_by"]) == ("Bo", f"kept by Chen until {day}")
        await chen.stop()
        await ana.call("logs.write", log="trip", text="four")
        await trio.sleep(600.0)
        one = await row(ana, "trip")
        assert (one["entries"] - one["published"], one["kept"]) == (4, 3)
        await trio.sleep(1.5 * DAY_S)
        (told,) = (await status(ana))["logs"]["waiting"]
        assert (told["anchor"], told["entries"], told["kept"], told["kept_by"][:13]) == ("Bo", 4, 3, "kept by Chen ")

    world.run(story, seed=14)


def test_what_lies_at_keepers_for_an_anchor_is_looked_up_once_for_all_logs() -> None:
    """Of who lacks much it is long to read."""

    async def story(w: World) -> None:
        ana, _bo, chen = await waits_at_chen(w)
        logs = ("trip", "walk", "swim")
        for name in logs:
            await ana.call("logs.begin", name=name, readers=["bo"], anchor="bo")
            await ana.call("logs.write", log=name, text="one")

        async def are_kept() -> bool:
            return {(await row(ana, name))["kept"] for name in logs} == {1}

        await w.until(are_kept)
        await chen.stop()
        await trio.sleep(1.5 * DAY_S)
        asked: list[str] = []
        core_of(ana).database._connection.set_trace_callback(asked.append)
        for look, count in ((lambda: ana.call("logs.list"), 3), (lambda: status(ana), 3)):
            asked.clear()
            await look()
            read = [sql for sql in asked if sql.startswith("SELECT body FROM message WHERE seq")]
            assert len(read) == len(set(read)) == count

    world.run(story, seed=15)


def test_the_doctor_says_until_when_a_request_lies_at_a_keeper() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await kept(ana, chen)
        made = await ana.call("contacts.invite")
        await doors_open(w, ana)
        await ana.stop()
        await bo.call("contacts.add", link=made["link"], name="ana")
        await left(w, bo)
        (found,) = await looked_at(w, bo)
        day = whereabouts.day(made["expires_ms"])
        assert found.level is Level.OK
        assert found.sentence.endswith(f"is away: your request lies at a keeper of its until {day}.")

    world.run(story, seed=13)
