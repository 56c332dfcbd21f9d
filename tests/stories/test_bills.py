"""Stories about bills in simulated worlds: everybody's share, who pays, declines, is away; kills; one reminder."""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from features.bills.content import Reminder
from lab import world
from lab.world import Person, World
from protocol import ids
from store import examination, people, reminders
from store.database import Tx
from tests.stories.debt_kit import agree, owed, pair, waiting

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def has(person: Person, count: int, **wanted: object) -> Callable[[], Awaitable[bool]]:
    """Whether so many requests wait for a person that are like this."""

    async def asked() -> bool:
        return len(await requests(person, **wanted)) == count

    return asked


async def requests(person: Person, **wanted: object) -> list[dict[str, Any]]:
    """The requests that wait for a person and are like this."""
    return [row for row in (await waiting(person))["asked"] if wanted.items() <= row.items()]


async def states(person: Person, bill: str) -> dict[str, str]:
    """Who has done what about a bill."""
    return {one["contact"].casefold(): one["state"] for one in (await person.call("bills.show", id=bill))["shares"]}


def stand(person: Person, bill: str, **wanted: str) -> Callable[[], Awaitable[bool]]:
    """Whether the shares of a bill stand so."""

    async def compared() -> bool:
        return await states(person, bill) == wanted

    return compared


async def allow(person: Person, *names: str, amount: str = "100") -> None:
    """Lets contacts owe a person something."""
    for name in names:
        await person.call("payments.limit", to=name, amount=amount, unit="EUR")


async def counts(person: Person, bill: str) -> tuple[str, str, str, str]:
    """The state, what was asked, paid, and is missing."""
    row = await person.call("bills.show", id=bill)
    return row["state"], row["asked"], row["paid"], row["missing"]


async def pay(person: Person) -> None:
    """Pays the one request that is open."""
    (asked,) = await requests(person, state="open")
    await person.call("payments.accept", id=asked["id"])


def test_one_pays_one_declines_and_one_was_away() -> None:
    async def story(w: World) -> None:
        ana, bo, chen, dee = await pair(w, "ana", "bo", "chen", "dee")
        await allow(ana, "bo", "chen", "dee")
        await dee.stop()
        made = await ana.call(
            "bills.split", amount="90", unit="EUR", names=["bo", "chen", "dee"], weights=[2, 1, 1, 2], receipt="dinner"
        )
        bill = made["id"]
        assert (made["own"], made["people"], [one["amount"] for one in made["shares"]]) == (
            "30.00",
            4,
            ["30.00", "15.00", "15.00"],
        )
        await w.until(has(bo, 1, amount="30.00"))
        await w.until(has(chen, 1, amount="15.00"))
        (asked,) = await requests(bo)
        assert (asked["kind"], asked["note"], asked["contact"]) == ("bill", "dinner: bill of 90.00 EUR among 4", "ana")
        assert await counts(ana, bill) == ("open", "60.00", "0.00", "60.00")

        await pay(bo)
        await w.until(stand(ana, bill, bo="paid", chen="open", dee="open"))
        assert await counts(ana, bill) == ("open", "60.00", "30.00", "30.00")
        await w.until(has(chen, 1, bill_paid=1, bill_people=3))

        (asked,) = await requests(chen)
        await chen.call("payments.decline", id=asked["id"])
        await w.until(stand(ana, bill, bo="paid", chen="refused", dee="open"))
        assert await counts(ana, bill) == ("open", "60.00", "30.00", "30.00")

        await dee.start()
        await w.until(has(dee, 1, amount="15.00"))
        await pay(dee)
        await w.until(stand(ana, bill, bo="paid", chen="refused", dee="paid"))
        assert await counts(ana, bill) == ("over", "60.00", "45.00", "15.00")
        assert [await owed(ana, one) for one in (bo, chen, dee)] == [3000, 0, 1500]
        assert await agree((ana, bo, chen, dee))

    world.run(story, seed=701)


def test_a_node_that_is_killed_between_any_two_steps_goes_on() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await pair(w, "ana", "bo", "chen")
        await allow(ana, "bo", "chen")
        made = await ana.call("bills.split", amount="0.10", unit="EUR", names=["bo", "chen"], receipt="nuts")
        bill, before = made["id"], await ana.call("bills.list")
        await ana.kill()
        await ana.start()
        assert await ana.call("bills.list") == before
        assert sum(one["minor"] for one in made["shares"]) + made["own_minor"] == 10
        await w.until(has(bo, 1))
        await bo.kill()
        await bo.start()
        await pay(bo)
        await ana.kill()
        await bo.kill()
        await ana.start()
        await bo.start()
        await w.until(stand(ana, bill, bo="paid", chen="open"))
        await w.until(has(chen, 1))
        await ana.call("bills.stop", id=bill)
        await ana.kill()
        await ana.start()
        assert (await counts(ana, bill))[0] == "stopped"
        assert await states(ana, bill) == {"bo": "paid", "chen": "withdrawn"}
        await w.until(has(chen, 0))
        assert await agree((ana, bo, chen))

    world.run(story, seed=702)


def test_what_was_paid_of_a_stopped_bill_stays_and_can_be_given_back() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await pair(w, "ana", "bo", "chen")
        await allow(ana, "bo", "chen")
        made = await ana.call("bills.split", amount="30", unit="EUR", names=["bo", "chen"], with_me=False)
        bill = made["id"]
        assert (made["own_minor"], made["people"]) == (0, 2)
        await w.until(has(bo, 1, amount="15.00", note="bill of 30.00 EUR among 2"))
        await pay(bo)
        await w.until(stand(ana, bill, bo="paid", chen="open"))
        await w.until(has(chen, 1))
        stopped = await ana.call("bills.stop", id=bill)
        assert (stopped["state"], stopped["paid"], stopped["missing"]) == ("stopped", "15.00", "15.00")
        await w.until(has(chen, 0))
        (paid,) = [one["paid_by"] for one in stopped["shares"] if one["state"] == "paid"]
        await bo.call("payments.limit", to="ana", amount="100", unit="EUR")
        await w.until(lambda: may_owe(ana, "100.00"))
        await ana.call("payments.refund", id=paid)
        await w.until(lambda: even(ana, bo))
        assert (await ana.call("bills.list"))[0]["state"] == "stopped"
        assert await agree((ana, bo, chen))

    world.run(story, seed=703)


async def may_owe(person: Person, amount: str) -> bool:
    return any(row["credit"] == amount for row in (await person.call("payments.balances"))["balances"])


async def even(one: Person, other: Person) -> bool:
    return await owed(one, other) == 0 == await owed(other, one)


def test_who_has_not_paid_after_a_day_is_reminded_once_and_never_by_a_restart_again() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await pair(w, "ana", "bo", "chen")
        await allow(ana, "bo", "chen")
        made = await ana.call("bills.split", amount="90", unit="EUR", names=["bo", "chen"])
        await w.until(has(bo, 1, reminded_ms=0))
        await w.until(has(chen, 1))
        await pay(bo)
        await w.until(stand(ana, made["id"], bo="paid", chen="open"))
        await trio.sleep(DAY_S - HOUR_S)
        assert await requests(chen, reminded_ms=0) != []
        await ana.kill()
        await trio.sleep(2 * HOUR_S)  # the time comes while the node is down
        await ana.start()
        assert await requests(chen, reminded_ms=0) != []
        await w.until(has(chen, 0, reminded_ms=0))
        (asked,) = await requests(chen)
        assert w.now_ms() - asked["reminded_ms"] < HOUR_S * 1000
        (share,) = [one for one in (await ana.call("bills.show", id=made["id"]))["shares"] if one["state"] == "open"]
        assert 0 < share["reminded_ms"] <= asked["reminded_ms"]
        sent = await said_to(ana, "chen")
        await ana.kill()
        await trio.sleep(DAY_S)
        await ana.start()
        await trio.sleep(HOUR_S)
        assert await said_to(ana, "chen") == sent
        assert (await requests(chen))[0]["reminded_ms"] == asked["reminded_ms"]

    world.run(story, seed=704)


async def said_to(person: Person, name: str) -> int:
    """How many reminders a person's node has ever posted to a contact."""
    assert person.node is not None

    def count(tx: Tx) -> int:
        contact = people.find_contact(tx, name)
        return len(tx.all("SELECT 1 FROM message WHERE contact = ? AND kind = ?", (contact.id, Reminder.KIND)))

    return await person.node.core.database.transact(count)


def test_a_reminder_by_hand_counts_once_a_day_and_a_flood_does_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        wish = await ana.call("payments.ask", to="bo", amount="8", unit="EUR", note="cinema")
        await w.until(has(bo, 1, reminded_ms=0, note="cinema"))
        await ana.call("bills.remind", id=wish["id"])
        await w.until(has(bo, 0, reminded_ms=0))
        first = (await requests(bo))[0]["reminded_ms"]
        await trio.sleep(HOUR_S)
        for _ in range(20):
            await flood(ana, "bo", bytes(16))
            await flood(ana, "bo", ids.ulid_from(wish["id"]))
        await w.until(lambda: all_delivered(ana))
        assert (await requests(bo))[0]["reminded_ms"] == first
        await w.pass_for(ana, seconds=DAY_S)
        await ana.call("bills.remind", id=wish["id"])
        await w.until(lambda: reminded_after(bo, first))
        await bo.call("payments.decline", id=wish["id"])
        last = (await bo.call("payments.show", id=wish["id"]))["reminded_ms"]
        await w.pass_for(ana, seconds=2 * DAY_S)
        await flood(ana, "bo", ids.ulid_from(wish["id"]))  # of what is over nobody is reminded
        await w.until(lambda: all_delivered(ana))
        assert (await bo.call("payments.show", id=wish["id"]))["reminded_ms"] == last

    world.run(story, seed=705)


async def flood(person: Person, name: str, request: bytes) -> None:
    """Says a reminder without looking whether one may."""
    assert person.node is not None
    core = person.node.core
    contact = await core.database.transact(people.find_contact, name)
    await core.delivery.say(contact.id, (Reminder(request),))


async def all_delivered(person: Person) -> bool:
    """Whether nothing that a person said waits any more."""
    assert person.node is not None
    return await person.node.core.database.transact(lambda tx: not examination.waiting(tx, (), 0))


async def reminded_after(person: Person, at_ms: int) -> bool:
    return all(row["reminded_ms"] > at_ms for row in await requests(person))


def test_a_word_that_comes_before_its_request_counts_and_a_stranger_s_do_not_pile_up() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        early = [n.to_bytes(16, "big") for n in range(reminders.EARLY_MAX + 20)]
        for request in early:
            await flood(ana, "bo", request)
        await w.until(lambda: all_delivered(ana))
        assert bo.node is not None
        rows = await bo.node.core.database.transact(lambda tx: tx.all("SELECT request FROM request_word"))
        assert sorted(row for (row,) in rows) == early[: reminders.EARLY_MAX]

    world.run(story, seed=706)


def test_what_a_stop_cannot_take_back_is_taken_back_once_it_can() -> None:
    async def story(w: World) -> None:
        ana, bo, _chen = await pair(w, "ana", "bo", "chen")
        await allow(ana, "bo", "chen")
        made = await ana.call("bills.split", amount="90", unit="EUR", names=["bo", "chen"])
        await w.until(has(bo, 1))
        await ana.call("contacts.block", name="bo")
        stopped = await ana.call("bills.stop", id=made["id"])
        assert {one["contact"].casefold(): one["state"] for one in stopped["shares"]} == {
            "bo": "open",
            "chen": "withdrawn",
        }
        await ana.kill()
        await ana.start()
        await ana.call("contacts.unblock", name="bo")
        await w.until(stand(ana, made["id"], bo="withdrawn", chen="withdrawn"))

    world.run(story, seed=707)
