"""Debts and misfortune in simulated worlds: killed between steps, never there together, old disks, a payer who lies."""

import random
from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from ledger.terms import Ackn
from protocol import log as chains
from protocol import record
from store import authoring, entries, people, spaces
from store.database import Tx
from tests import depth
from tests.features.kit import Faults
from tests.stories import log_kit
from tests.stories.crowd_kit import DAY_S, HOUR_S, appoint, has_lines
from tests.stories.debt_kit import accept, agree, allow, both_see, has_offer, line, offer, owed, pair, pay, state

PATIENCE_S = 2 * DAY_S
ROUNDS = (1, 3, 20)[depth.LEVEL]


async def killed(victims: tuple[Person, ...], chance: random.Random) -> None:
    """All of these are killed at a moment that chance knows, and start again, perhaps much later."""
    await trio.sleep(chance.choice((0.0, 0.01, 0.05, 0.2)))
    for one in victims:
        await one.kill()
    await trio.sleep(chance.choice((0.0, 1.0, HOUR_S / 2)))
    for one in victims:
        await one.start()


def test_nodes_that_are_killed_between_any_two_steps_go_on_where_they_were() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana, "10000")
        chance, count = random.Random(31), 0
        for _ in range(ROUNDS):
            for victims in ((ana,), (bo,), (ana, bo)):
                for step in ("offered", "seen", "accepted"):
                    payment, count = await offer(ana, bo), count + 1
                    if step == "offered":
                        await killed(victims, chance)
                    await w.until(partial(has_offer, bo, payment), PATIENCE_S)
                    if step == "seen":
                        await killed(victims, chance)
                    await bo.call("payments.accept", id=payment)
                    if step == "accepted":
                        await killed(victims, chance)
                    await w.until(partial(both_see, (ana, bo), payment, "settled"), PATIENCE_S)
        assert (await owed(bo, ana), await agree((ana, bo))) == (count * 1250, True)

    world.run(story, seed=31)


def test_two_who_are_never_there_together_pay_through_a_keeper() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        kim = await w.person("kim")
        for one in (ana, bo):
            await befriend(kim, one)
            await appoint(kim, one)
        for sender, owner in ((ana, bo), (bo, ana)):
            await w.until(partial(has_lines, sender, owner, 1))
        await bo.stop()
        payment = await offer(ana, bo, within_s=7 * int(DAY_S))
        for one, other in ((ana, bo), (bo, ana), (ana, bo), (bo, ana), (ana, bo)):
            await trio.sleep(HOUR_S)
            await one.stop()
            await other.start()
            if other is bo and await state(bo, payment) in ("", "offered"):
                await accept(bo, payment)
        await bo.stop()
        await ana.start()
        assert await state(ana, payment) == "settled"
        await ana.stop()
        await bo.start()
        assert await state(bo, payment) == "settled"
        w.network.cut("ana", "bo")
        await ana.start()
        assert (await owed(bo, ana), await agree((ana, bo))) == (1250, True)

    world.run(story, seed=32)


@pytest.mark.parametrize("victim", ["ana", "bo"])
@pytest.mark.parametrize("step", ["allowed", "offered", "accepted"])
def test_a_disk_that_is_set_back_loses_nothing_that_the_other_has(victim: str, step: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        person = {"ana": ana, "bo": bo}[victim]
        await allow(bo, ana)
        first = await pay(ana, bo, "1")
        payment = await offered_until(person, ana, bo, step)
        await w.until(partial(both_see, (ana, bo), payment, "settled"))
        await trio.sleep(60.0)
        await person.kill()
        log_kit.put_disk_back(person, "kept")
        await person.start()
        for known in (first, payment):
            await w.until(partial(both_see, (ana, bo), known, "settled"), PATIENCE_S)
        await pay(ana, bo, "2")
        assert (await owed(bo, ana), await agree((ana, bo))) == (1550, True)
        for one in (ana, bo):
            assert (await log_kit.proofs(one))["proofs"] == []

    world.run(story, seed=33)


async def offered_until(person: Person, ana: Person, bo: Person, step: str) -> str:
    """A payment, in the course of which a copy of a person's disk is made: before it, offered, or accepted."""
    if step == "allowed":
        await keep(person)
    payment = await offer(ana, bo)
    await ana.world.until(partial(has_offer, bo, payment))
    if step == "offered":
        await keep(person)
    await accept(bo, payment)
    if step == "accepted":
        await keep(person)
    return payment


async def keep(person: Person) -> None:
    await person.stop()
    log_kit.keep_disk(person, "kept")
    await person.start()


@pytest.mark.parametrize("victim", ["ana", "bo"])
def test_what_is_written_on_an_old_disk_before_anybody_is_met_is_written_again(victim: str) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        person, other = (ana, bo) if victim == "ana" else (bo, ana)
        for creditor, debtor in ((bo, ana), (ana, bo)):
            await allow(creditor, debtor)
        await keep(person)
        await pay(ana, bo, "1")
        await pay(bo, ana, "2")
        await person.kill()
        log_kit.put_disk_back(person, "kept")
        w.network.cut("ana", "bo")
        await person.start()
        made = await person.call("payments.pay", to=other.name, amount="5", unit="EUR", note="on an old disk")
        w.network.heal_all()

        async def is_there() -> bool:
            """whether the other sees what was written on the old disk, once"""
            return [row["amount"] for row in (await other.call("payments.requests"))["offers"]] == ["5.00"]

        await w.until(is_there, PATIENCE_S)
        (row,) = (await other.call("payments.requests"))["offers"]
        assert (row["note"], made["note"]) == ("on an old disk",) * 2
        await other.call("payments.accept", id=row["id"])
        await w.until(partial(both_see, (ana, bo), row["id"], "settled"), PATIENCE_S)
        assert await owed(bo, ana) == -100 + (500 if person is ana else -500)
        assert await agree((ana, bo))

    world.run(story, seed=34)


def test_a_payer_who_signs_two_histories_is_proven_to_and_gets_no_more_credit() -> None:
    async def story(w: World) -> None:
        mal, bo = await pair(w, "mal", "bo")
        await allow(bo, mal)
        paid = await pay(mal, bo)
        waits = await offer(mal, bo, "5")
        await w.until(partial(has_offer, bo, waits))
        await trio.sleep(60.0)
        assert mal.node is not None
        assert bo.node is not None
        me, now_ms = mal.node.core.identity, mal.now_ms()

        def other(tx: Tx) -> tuple[bytes, bytes]:
            """Another entry in the place of the newest that mal has signed, as if there had been no offer."""
            (own,) = spaces.ledger(tx, people.find_contact(tx, "bo").id)[0]
            newest = entries.head(tx, own.log.number)
            assert newest is not None
            before = entries.entry_at(tx, own.log.number, newest.seq - 1)
            assert before is not None
            said = authoring._sealed(own, newest.seq, record.encode(Ackn()), mal.entropy("lies"))
            return log_kit.sign(tx, me, own, said, newest.seq, before.id, now_ms).raw, said

        raw, said = await mal.node.core.database.transact(other)
        await mal.stop()

        def hear(tx: Tx) -> None:
            """What bo's node does with what comes from a log of mal's."""
            (log,) = spaces.ledger(tx, people.find_contact(tx, "mal").id)[1]
            assert chains.recall(raw).body.log == log.log.id
            entries.take_in(tx, log.log.number, (raw,), (said,), bo.now_ms())

        await bo.node.core.database.transact(hear)

        async def told() -> bool:
            """whether bo is told why nothing is counted any more"""
            found = (await bo.call("payments.balances"))["paused"]
            return [row["contact"] for row in found] == ["mal"] and "proven to be forked" in found[0]["reason"]

        await w.until(told)
        (proof,) = (await log_kit.proofs(bo))["proofs"]
        assert proof["kind"] == "fork"
        assert await Faults(bo).code("payments.accept", id=waits) == "ledger.paused"
        assert await Faults(bo).code("payments.limit", to="mal", amount="1", unit="EUR") == "ledger.paused"
        assert (await owed(bo, mal), (await line(bo, paid))["state"]) == (1250, "settled")  # he had acknowledged that
        await mal.start()
        await trio.sleep(HOUR_S)
        assert await owed(bo, mal) == 1250

    world.run(story, seed=35)
