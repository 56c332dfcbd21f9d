"""Stories about payments over others that do not go through at once: silent nodes, kills, ways that are given up."""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise

import pytest
import trio

from lab import world
from lab.world import World
from tests import depth
from tests.stories import path_kit
from tests.stories.path_kit import OVER, are_over, ended, forward, invoice, is_in, join, locks, owes, paid, street

WAITING = "waiting for somebody behind Bo; 20.00 EUR of your limit is reserved"


def test_a_payee_who_is_away_holds_it_up_and_all_see_whom_it_waits_for() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen)
        await chen.stop()
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(_waits, ana, begun["id"], WAITING))
        await w.until(partial(_has_locks, bo, [("ana", False, "20.00"), ("chen", True, "20.00")]))
        (mine,) = [row for row in (await bo.call("payments.balances"))["reserved"] if row["mine"]]
        assert mine["reason"] == "waits for Chen, or for somebody behind"
        assert await owes(ana, bo) == (0, 0)
        await chen.start()
        assert (await ended(w, ana, begun["id"]))["state"] == "paid"
        await w.until(partial(are_over, (ana, bo, chen)))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((2000, 2000), (2000, 2000))

    world.run(story, seed=511)


def test_a_middle_that_is_silent_is_named_and_it_goes_on_when_he_is_back() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen)
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(is_in, ana, begun["id"], "waiting"))
        await bo.kill()
        said = (await paid(ana, begun["id"]))["reason"]
        assert said == "waiting for Bo's node; 20.00 EUR of your limit is reserved"
        assert await locks(ana) == [("bo", True, "20.00")]
        second = await invoice(chen, amount="90")  # of 100 that Bo lets her owe, 20 are reserved
        refused = await ana.call("paths.pay", code=second["code"])
        assert (await ended(w, ana, refused["id"]))["reason"].startswith("none of your contacts lets you owe")
        await bo.start()
        assert (await ended(w, ana, begun["id"]))["state"] == "paid"
        await w.until(partial(are_over, (ana, bo, chen)))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((2000, 2000), (2000, 2000))

    world.run(story, seed=512)


def test_nothing_goes_on_before_the_payer_holds_that_it_was_acknowledged() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen)
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(_has_locks, bo, [("ana", False, "20.00")]))
        await ana.kill()
        await trio.sleep(60)
        assert await locks(bo) == [("ana", False, "20.00")]
        await ana.start()
        assert (await ended(w, ana, begun["id"]))["state"] == "paid"

    world.run(story, seed=516)


WHOLE = 10  # so many changes each of them makes at least before it is over


@pytest.mark.parametrize("step", range(0, 26, (4, 3, 1)[depth.LEVEL]))
@pytest.mark.parametrize("who", ["ana", "bo", "chen"])
def test_whoever_is_killed_between_any_two_steps_it_is_over_for_all_or_for_none(who: str, step: int) -> None:
    async def story(w: World) -> None:
        people = await street(w, "ana", "bo", "chen")
        ana, _, chen = people
        victim = next(one for one in people if one.name == who)
        made = await invoice(chen)
        begun = await ana.call("paths.pay", code=made["code"])
        before = await path_kit.newest_change(victim)
        with_step = partial(path_kit.has_come_to, victim, before + step)
        await w.until(partial(_either, with_step, partial(is_in, ana, begun["id"], *OVER)))
        assert step >= WHOLE or not await is_in(ana, begun["id"], *OVER)
        await victim.kill()
        await victim.start()
        done = await ended(w, ana, begun["id"])
        await w.until(partial(are_over, people))
        wanted = 2000 if done["state"] == "paid" else 0
        for payer, payee in pairwise(people):
            assert await owes(payer, payee) == (wanted, wanted)
        assert (await paid(chen, made["id"]))["state"] == ("paid" if wanted else "open")

    world.run(story, seed=520 + step)


@pytest.mark.parametrize("step", range(2, 26, (8, 5, 2)[depth.LEVEL]))
@pytest.mark.parametrize("who", ["bo", "chen"])
def test_of_three_locks_all_or_none_are_owed_whoever_is_killed(who: str, step: int) -> None:
    async def story(w: World) -> None:
        people = await street(w, "ana", "bo", "chen", "dee")
        victim = next(one for one in people if one.name == who)
        made = await invoice(people[-1])
        begun = await people[0].call("paths.pay", code=made["code"])
        before = await path_kit.newest_change(victim)
        with_step = partial(path_kit.has_come_to, victim, before + step)
        await w.until(partial(_either, with_step, partial(is_in, people[0], begun["id"], *OVER)))
        assert step >= WHOLE or not await is_in(people[0], begun["id"], *OVER)
        await victim.kill()
        await victim.start()
        done = await ended(w, people[0], begun["id"])
        await w.until(partial(are_over, people))
        wanted = 2000 if done["state"] == "paid" else 0
        for payer, payee in pairwise(people):
            assert await owes(payer, payee) == (wanted, wanted)

    world.run(story, seed=570 + step)


def test_a_way_that_is_given_up_is_followed_by_another() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        dee = await w.person("dee")
        await join(w, ana, dee)
        await join(w, dee, chen)
        w.network.cut("ana", "dee")
        made = await invoice(chen)
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(path_kit.has_routes, bo))
        await path_kit.forget_routes(bo)
        w.network.heal("ana", "dee")
        for other in (ana, chen):
            await forward(dee, other)
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["contact"].casefold()) == ("paid", "dee")
        await w.until(partial(are_over, (ana, bo, chen, dee)))
        assert (await owes(ana, bo), await owes(ana, dee), await owes(dee, chen)) == (
            (0, 0),
            (2000, 2000),
            (2000, 2000),
        )
        rows = await ana.call("payments.history", limit=10)
        assert sorted(row["state"] for row in rows) == ["released", "settled"]
        assert await path_kit.questions(bo) == 1  # who gave it up is not asked again

    world.run(story, seed=513)


def test_where_there_is_no_other_way_nothing_is_owed_and_it_can_be_tried_anew() -> None:
    async def story(w: World) -> None:
        people = await street(w, "ana", "bo", "chen")
        ana, bo, chen = people
        made = await invoice(chen)
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(path_kit.has_routes, bo))
        await path_kit.forget_routes(bo)
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["reason"]) == (
            "failed",
            "it was given up further on, and there is no other way now",
        )
        await w.until(partial(are_over, people))
        again = await ana.call("paths.pay", code=made["code"])
        assert (again["id"], again["state"]) == (begun["id"], "searching")
        assert (await ended(w, ana, begun["id"]))["state"] == "paid"
        await w.until(partial(are_over, people))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((2000, 2000), (2000, 2000))

    world.run(story, seed=514)


def test_what_was_passed_on_is_found_again_in_the_ledgers_where_the_promise_is_lost() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen)
        await chen.stop()
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(_has_locks, bo, [("ana", False, "20.00"), ("chen", True, "20.00")]))
        await bo.stop()
        await bo.start()
        await path_kit.forget_routes(bo)
        await chen.start()
        assert (await ended(w, ana, begun["id"]))["state"] == "paid"
        await w.until(partial(are_over, (ana, bo, chen)))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((2000, 2000), (2000, 2000))

    world.run(story, seed=515)


async def _either(one: Callable[[], Awaitable[bool]], other: Callable[[], Awaitable[bool]]) -> bool:
    return await one() or await other()


async def _waits(person: world.Person, of: str, reason: str) -> bool:
    return bool((await paid(person, of))["reason"] == reason)


async def _has_locks(person: world.Person, wanted: list[tuple[str, bool, str]]) -> bool:
    return await locks(person) == wanted
