"""Stories about debts between two people in simulated worlds: paid, declined, taken back, asked for, settled up."""

from functools import partial
from typing import Any

import pytest
import trio

from lab import world
from lab.world import Person, World
from ledger.terms import Cause, Offer
from store import payments, people
from store.database import Tx
from store.people import STOPS
from tests.features.kit import Faults
from tests.stories.crowd_kit import HOUR_S
from tests.stories.debt_kit import (
    agree,
    allow,
    both_see,
    has_offer,
    is_asked,
    is_wish,
    line,
    offer,
    owed,
    pair,
    pay,
    state,
    waiting,
)

NOTHING_WAITS: dict[str, list[Any]] = {"offers": [], "open": [], "asked": [], "asking": []}
MANY = 100


def test_lunch_is_paid_and_both_know_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        row = await ana.call("payments.pay", to="bo", amount="12.50", unit="EUR", note="lunch")
        assert (row["state"], row["amount"], row["unit"], row["reason"]) == (
            "offered",
            "12.50",
            "EUR",
            "waits for Bo to accept it",
        )
        await w.until(partial(has_offer, bo, row["id"]))
        (found,) = (await waiting(bo))["offers"]
        assert (found["contact"], found["amount"], found["note"]) == ("ana", "12.50", "lunch")
        await bo.call("payments.accept", id=row["id"][-8:])
        await w.until(partial(both_see, (ana, bo), row["id"], "settled"))
        assert (await owed(bo, ana), await owed(ana, bo)) == (1250, -1250)
        assert await agree((ana, bo))

    world.run(story, seed=11)


@pytest.mark.parametrize("end", ["declined", "recalled", "expired"])
def test_what_is_not_accepted_is_not_owed(end: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        payment = await offer(ana, bo, within_s=60)
        await w.until(partial(has_offer, bo, payment))
        match end:
            case "declined":
                await bo.call("payments.decline", id=payment)
            case "recalled":
                await bo.stop()
                await ana.call("payments.recall", id=payment)
                await trio.sleep(HOUR_S)
                row = await line(ana, payment)
                assert (row["state"], row["reason"]) == ("refunding", "refunding: waiting for Bo")
                await bo.start()
            case _:
                await trio.sleep(50.0)
                assert await both_see((ana, bo), payment, "offered")
        await w.until(partial(both_see, (ana, bo), payment, "declined" if end == "declined" else "refunded"))
        assert await Faults(bo).code("payments.accept", id=payment) == "payment.over"
        assert await Faults(ana).code("payments.recall", id=payment) == "payment.over"
        assert (await owed(bo, ana), await waiting(ana), await waiting(bo)) == (0, NOTHING_WAITS, NOTHING_WAITS)
        assert await agree((ana, bo))

    world.run(story, seed=12)


def test_a_recall_and_an_acceptance_that_cross_come_to_one_end() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        payment = await offer(ana, bo)
        await w.until(partial(has_offer, bo, payment))
        w.network.cut("ana", "bo")
        await bo.call("payments.accept", id=payment)
        await ana.call("payments.recall", id=payment)
        await trio.sleep(HOUR_S)
        assert (await state(ana, payment), await state(bo, payment)) == ("refunding", "accepted")
        w.network.heal_all()
        await w.until(partial(both_see, (ana, bo), payment, "refunded"))
        assert (await owed(bo, ana), await agree((ana, bo))) == (0, True)

    world.run(story, seed=13)


def test_what_was_received_is_given_back_in_parts_and_never_more() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        paid = await pay(ana, bo, "12.50")
        back = await bo.call("payments.refund", id=paid, amount="2.50")
        assert (back["kind"], back["amount"]) == ("refund", "2.50")
        await w.until(partial(both_see, (ana, bo), back["id"], "settled"))  # nobody is asked: it was hers
        assert await Faults(bo).code("payments.refund", id=paid, amount="10.01") == "payment.refund"
        whole = await bo.call("payments.refund", id=paid)
        assert whole["amount"] == "10.00"
        assert await Faults(bo).code("payments.refund", id=paid) == "payment.refund"
        await w.until(partial(both_see, (ana, bo), whole["id"], "settled"))
        assert await Faults(bo).code("payments.refund", id=paid, amount="0.01") == "payment.refund"
        assert (await owed(bo, ana), await agree((ana, bo))) == (0, True)

    world.run(story, seed=14)


def test_what_is_given_back_beyond_the_debt_says_what_it_waits_for_and_what_helps() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        paid = await pay(ana, bo, "12.50")
        noted = await bo.call("payments.settle", to="ana", amount="5", unit="EUR")
        await w.until(partial(both_see, (ana, bo), noted["id"], "settled"))
        back = await bo.call("payments.refund", id=paid)  # of which ana owes 7.50 alone, and bo may owe her nothing
        assert back["reason"] == "waits until ana lets you owe so much"
        await w.until(partial(has_offer, ana, back["id"]))
        fault = await Faults(ana).of("payments.accept", id=back["id"])
        assert (fault.code, fault.next) == ("payment.limit", "weft ledger limit Bo 5.00 EUR")
        await ana.call("payments.limit", to="bo", amount="5", unit="EUR")
        await w.until(partial(both_see, (ana, bo), back["id"], "settled"))
        assert (await owed(ana, bo), await agree((ana, bo))) == (500, True)

    world.run(story, seed=114)


@pytest.mark.parametrize("end", ["paid", "refused", "withdrawn"])
def test_a_request_is_paid_refused_or_taken_back(end: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        wish = await bo.call("payments.ask", to="ana", amount="8", unit="EUR", note="cinema")
        await w.until(partial(is_asked, ana, wish["id"]))
        match end:
            case "paid":
                row = await ana.call("payments.accept", id=wish["id"])
                assert (row["amount"], row["note"]) == ("8.00", "cinema")
                await w.until(partial(both_see, (ana, bo), row["id"], "settled"))  # bo had asked for it
            case "refused":
                await ana.call("payments.decline", id=wish["id"])
            case _:
                await bo.call("payments.recall", id=wish["id"])
        for one in (ana, bo):
            await w.until(partial(is_wish, one, wish["id"], end))
        assert await Faults(ana).code("payments.accept", id=wish["id"]) == "payment.over"
        assert (await waiting(ana), await waiting(bo)) == (NOTHING_WAITS, NOTHING_WAITS)
        assert (await owed(bo, ana), await agree((ana, bo))) == (800 if end == "paid" else 0, True)

    world.run(story, seed=15)


def test_debts_are_settled_up_by_whoever_owed_and_by_whom_he_owed() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        await pay(ana, bo, "30")
        # Bo was given 10 in cash, and says so: it can only be less that he is owed, so nobody is asked.
        got = await bo.call("payments.settle", to="ana", amount="10", unit="EUR")
        await w.until(partial(both_see, (ana, bo), got["id"], "settled"))
        assert (got["kind"], await owed(bo, ana)) == ("settlement", 2000)
        # Ana gave him 20 more, and says so: bo is asked, and it counts once he has confirmed it.
        gave = await ana.call("payments.settle", to="bo", amount="20", unit="EUR", how="bank transfer")
        await w.until(partial(is_asked, bo, gave["id"]))
        assert (gave["kind"], await owed(bo, ana)) == ("settlement", 2000)
        row = await bo.call("payments.accept", id=gave["id"])
        await w.until(partial(both_see, (ana, bo), row["id"], "settled"))
        assert (await owed(bo, ana), await agree((ana, bo))) == (0, True)
        assert await Faults(ana).code("payments.settle", to="bo", amount="0.01", unit="EUR") == "payment.not_owed"

    world.run(story, seed=16)


def test_a_limit_that_is_lowered_while_an_offer_is_on_its_way_holds() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        w.network.cut("ana", "bo")
        payments = [await offer(ana, bo, "40") for _ in range(2)]
        assert await Faults(ana).code("payments.pay", to="bo", amount="20.01", unit="EUR") == "payment.limit"
        await bo.call("payments.limit", to="ana", amount="50", unit="EUR")
        w.network.heal_all()
        for payment in payments:
            await w.until(partial(has_offer, bo, payment))
        await bo.call("payments.accept", id=payments[0])
        assert await Faults(bo).code("payments.accept", id=payments[1]) == "payment.limit"
        await bo.call("payments.limit", to="ana", amount="0", unit="EUR")  # what is owed stays owed
        await w.until(partial(both_see, (ana, bo), payments[0], "settled"))
        assert await Faults(ana).code("payments.pay", to="bo", amount="0.01", unit="EUR") == "payment.limit"
        await ana.call("payments.recall", id=payments[1])
        await w.until(partial(both_see, (ana, bo), payments[1], "refunded"))
        assert (await owed(bo, ana), await agree((ana, bo))) == (4000, True)

    world.run(story, seed=17)


def test_payments_that_cross_are_both_owed() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        await allow(ana, bo)
        w.network.cut("ana", "bo")
        there, back = await offer(ana, bo, "12.50"), await offer(bo, ana, "20")
        w.network.heal_all()
        await w.until(partial(has_offer, bo, there))
        await w.until(partial(has_offer, ana, back))
        w.network.cut("ana", "bo")
        await bo.call("payments.accept", id=there)
        await ana.call("payments.accept", id=back)
        w.network.heal_all()
        for payment in (there, back):
            await w.until(partial(both_see, (ana, bo), payment, "settled"))
        assert (await owed(ana, bo), await agree((ana, bo))) == (750, True)

    world.run(story, seed=18)


def test_a_hundred_payments_at_once_are_all_settled_once() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana, "1000")
        made: list[str] = []

        async def offer_one(cents: int) -> None:
            made.append(await offer(ana, bo, f"0.{cents:02}"))

        async with trio.open_nursery() as nursery:
            for number in range(MANY):
                nursery.start_soon(offer_one, number % 99 + 1)
        await w.until(partial(has_offers, bo, MANY))
        async with trio.open_nursery() as nursery:
            for payment in made:
                nursery.start_soon(partial(bo.call, "payments.accept", id=payment))
        await w.until(partial(has_settled, ana, MANY))
        await w.until(partial(has_settled, bo, MANY))
        assert await owed(bo, ana) == sum(number % 99 + 1 for number in range(MANY))
        assert await agree((ana, bo))
        assert (await waiting(ana), await waiting(bo)) == (NOTHING_WAITS, NOTHING_WAITS)

    world.run(story, seed=19)


async def has_offers(person: Person, count: int) -> bool:
    """whether so many offers wait for somebody"""
    return len((await waiting(person))["offers"]) == count


async def has_settled(person: Person, count: int) -> bool:
    """whether so many payments are settled for somebody"""
    assert person.node is not None
    sql = "SELECT COUNT(*) FROM payment WHERE stage = 5"
    return bool(await person.node.core.database.transact(lambda tx: tx.one(sql)) == (count,))


@pytest.mark.parametrize("why", ["blocked", "alarm"])
def test_with_whom_nothing_is_kept_nothing_moves_until_it_is_again(why: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        payment = await offer(ana, bo, within_s=60)
        await w.until(partial(has_offer, bo, payment))
        await shut(bo, why)
        code = await Faults(bo).code("payments.accept", id=payment)
        assert code == ("contact.blocked" if why == "blocked" else "contact.account_changed")
        await trio.sleep(HOUR_S)
        assert (await state(ana, payment), await state(bo, payment)) in (("refunding", "offered"), ("refunding",) * 2)
        await reopen(bo, why)
        await w.until(partial(both_see, (ana, bo), payment, "refunded"), patience_s=HOUR_S)
        assert (await owed(bo, ana), await agree((ana, bo))) == (0, True)

    world.run(story, seed=20)


async def shut(bo: Person, why: str) -> None:
    if why == "blocked":
        await bo.call("contacts.block", name="ana")
    else:
        await _alarm(bo, STOPS)


async def reopen(bo: Person, why: str) -> None:
    if why == "blocked":
        await bo.call("contacts.unblock", name="ana")
    else:
        await _alarm(bo, "")


async def _alarm(bo: Person, alarm: str) -> None:
    assert bo.node is not None

    def put(tx: Tx) -> None:
        people.set_alarm(tx, people.find_contact(tx, "ana").id, alarm)

    await bo.node.core.database.transact(put)


def test_what_nobody_accepted_in_time_comes_back_by_itself() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        row = await ana.call("payments.pay", to="bo", amount="5", unit="EUR", expires_s=120)
        await w.until(partial(has_offers, bo, 1))
        await w.until(partial(both_see, (ana, bo), row["id"], "refunded"))
        assert await agree((ana, bo))

    world.run(story, seed=12)


def test_of_several_payments_for_one_request_one_is_taken_without_asking() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        wish = await bo.call("payments.ask", to="ana", amount="2", unit="EUR")
        await w.until(partial(is_asked, ana, wish["id"]))
        assert ana.node is not None
        core = ana.node.core

        def pay_twice(tx: Tx) -> None:
            one = core.till.of(tx, people.find_contact(tx, "bo").id)
            (asked,) = payments.open_requests(tx)

            def say(said: Offer) -> None:
                core.till.write(tx, one, lambda _: said)

            for _ in range(2):
                of = (core.till.new_pay(one), "EUR", 200, ana.now_ms() + 600_000, (), "")
                say(Offer(*of, int(Cause.REQUEST), asked.request))

        for count in (1, 3):
            await core.database.transact(pay_twice)
            await w.until(partial(has_offers, bo, count))
            await trio.sleep(30)
            assert (await owed(bo, ana), len((await waiting(bo))["offers"])) == (200, count)

    world.run(story, seed=46)


def test_what_a_newcomer_is_told() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        faults = Faults(ana)
        wrong = await faults.of("payments.pay", to="bo", amount="5", unit="EUR")
        assert (wrong.code, str(wrong)) == (
            "payment.limit",
            "Bo has not let you owe anything in EUR yet; nothing was written."
            " He does so with weft ledger limit NAME 100 EUR.",
        )
        await bo.call("payments.limit", to="ana", amount="4", unit="EUR")
        await w.until(partial(_may_owe, ana, "4.00"))
        assert str(await faults.of("payments.pay", to="bo", amount="5", unit="EUR")).startswith(
            "Bo lets you owe at most 4.00 EUR, so you can offer 4.00 EUR more"
        )
        wrong = await faults.of("payments.accept", id="zz")
        assert (wrong.code, wrong.next) == ("id.malformed", "weft pay requests")
        wish = await bo.call("payments.ask", to="ana", amount="2", unit="EUR")
        await w.until(partial(is_asked, ana, wish["id"]))
        line = await ana.call("payments.accept", id=wish["id"])
        assert line["reason"] == "waits for Bo's node to take it"

    world.run(story, seed=39)


async def _may_owe(person: Person, amount: str) -> bool:
    rows = (await person.call("payments.balances"))["balances"]
    return any(row["credit"] == amount for row in rows)
