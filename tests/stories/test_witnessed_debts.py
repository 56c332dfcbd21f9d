"""A payer who is away when what she offered is accepted: a contact of both has seen it in time, or nobody has."""

from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from protocol import record, spine
from store import entries, logs, mutual, people, spaces
from store.database import Tx
from tests.stories.crowd_kit import DAY_S, HOUR_S
from tests.stories.debt_kit import accept, agree, allow, both_see, has_offer, line, offer, owed, state
from tests.stories.log_kit import circle

DAY_MS = int(DAY_S) * 1000


async def knows_mutual(one: Person, other: Person, names: set[str]) -> bool:
    """whether a person knows who is a contact of her and of another"""
    assert one.node is not None

    def look(tx: Tx) -> set[str]:
        contact = people.find_contact(tx, other.name)
        return {people.contact(tx, each).name.casefold() for each in mutual.of(tx, contact.id)}

    return await one.node.core.database.transact(look) == names


async def three(w: World) -> tuple[Person, Person, Person]:
    """Ana, who may owe bo 100, bo, and chen, a contact of both, as they know."""
    ana, bo, chen = await circle(w, "ana", "bo", "chen")
    await allow(bo, ana)
    await chen.call("logs.begin", name="trip", readers=["ana", "bo"])
    await chen.call("logs.write", log="trip", text="one")
    await w.until(partial(knows_mutual, ana, bo, {"chen"}))
    return ana, bo, chen


async def offered(ana: Person, bo: Person) -> str:
    """Ana has offered something for an hour, bo knows, and she is away."""
    payment = await offer(ana, bo, within_s=int(HOUR_S))
    await ana.world.until(partial(has_offer, bo, payment))
    await ana.stop()
    return payment


async def is_witnessed(one: Person, payment: str) -> bool:
    """whether somebody sees that a payment was settled by chen's word"""
    row = await line(one, payment)
    return bool(row) and (row["state"], row["witness"].casefold()) == ("settled", "chen")


async def comes_back(ana: Person, payment: str, *, at_once: str, meets: bool = True) -> None:
    """Ana comes back after her time, and takes back what she does not know to be accepted."""
    ana.world.network.cut("ana", "bo")
    await ana.start()

    async def taken_back() -> bool:
        """ana's node has taken it back"""
        return await state(ana, payment) == at_once

    await ana.world.until(taken_back)
    if meets:
        ana.world.network.heal_all()


def test_what_a_contact_of_both_saw_in_time_is_settled_though_the_payer_takes_it_back() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await three(w)
        payment = await offered(ana, bo)
        await bo.call("payments.accept", id=payment)
        await w.until(partial(is_witnessed, bo, payment), patience_s=120.0)
        await trio.sleep(2 * HOUR_S)
        await comes_back(ana, payment, at_once="refunding")
        await w.until(partial(is_witnessed, ana, payment))
        for one in (ana, bo):
            await one.stop()
            await one.start()
            assert await is_witnessed(one, payment)
        assert (await owed(bo, ana), await owed(ana, bo)) == (1250, -1250)
        assert await agree((ana, bo))
        assert await nothing_is_awaited(bo)

    world.run(story, seed=1201)


async def nothing_is_awaited(one: Person) -> bool:
    """whether a node has forgotten whom it had asked"""
    assert one.node is not None
    counts = "SELECT (SELECT COUNT(*) FROM asked_word) + (SELECT COUNT(*) FROM asked_time)"
    return bool(await one.node.core.database.transact(lambda tx: tx.one(counts)) == (0,))


def test_a_payer_who_confirms_needs_no_witness() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await three(w)
        payment = await offer(ana, bo)
        await accept(bo, payment)
        await w.until(partial(both_see, (ana, bo), payment, "settled"))
        await trio.sleep(HOUR_S)
        assert [(await line(one, payment))["witness"] for one in (ana, bo)] == ["", ""]
        assert await nothing_is_awaited(bo)

    world.run(story, seed=1202)


@pytest.mark.parametrize(("away_s", "end"), [(HOUR_S / 2, "settled"), (2 * HOUR_S, "refunded")])
def test_a_witness_who_was_away_counts_where_he_comes_in_time(away_s: float, end: str) -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        payment = await offered(ana, bo)
        await chen.stop()
        await bo.call("payments.accept", id=payment)
        await trio.sleep(away_s)
        assert await state(bo, payment) == "accepted"
        await chen.start()
        await trio.sleep(2 * HOUR_S)
        await comes_back(ana, payment, at_once="refunding")
        await w.until(partial(both_see, (ana, bo), payment, end))
        assert await is_witnessed(bo, payment) is (end == "settled")
        assert await owed(bo, ana) == (1250 if end == "settled" else 0)
        assert await agree((ana, bo))
        assert await nothing_is_awaited(bo)

    world.run(story, seed=1203)


def test_a_word_that_is_there_when_the_void_comes_is_said_before_anything_else() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await three(w)
        payment = await offered(ana, bo)
        w.network.cut("bo", "chen")
        await bo.call("payments.accept", id=payment)
        await w.until(partial(has_asked, bo))
        await trio.sleep(2 * HOUR_S)
        await comes_back(ana, payment, at_once="refunding", meets=False)
        assert ana.node is not None
        assert bo.node is not None
        assert chen.node is not None
        me, now_ms = chen.node.core.identity, w.now_ms() - 2 * int(HOUR_S) * 1000
        taken_back = (await ana.node.core.database.transact(_half_of_ana))[-1]

        def both_come(tx: Tx) -> None:
            """The word of chen and the void of ana, of which bo's node hears together."""
            (row,) = tx.all("SELECT number, subject FROM asked_word")
            word = spine.cosign(me.device, now_ms, row[1], me.device_key)
            tx.execute("UPDATE asked_word SET raw = ? WHERE number = ?", (record.encode(word), row[0]))
            (log,) = spaces.ledger(tx, people.find_contact(tx, "ana").id)[1]
            entries.take_in(tx, log.log.number, (taken_back.raw,), (taken_back.content or b"",), w.now_ms())
            tx.changed(logs.TOPIC, log.log.number)

        await bo.node.core.database.transact(both_come)
        w.network.heal("ana", "bo")
        await w.until(partial(is_witnessed, ana, payment))
        assert await is_witnessed(bo, payment)
        assert (await owed(bo, ana), await agree((ana, bo))) == (1250, True)

    world.run(story, seed=1206)


def _half_of_ana(tx: Tx) -> tuple[entries.Held, ...]:
    (log,) = spaces.ledger(tx, people.find_contact(tx, "bo").id)[0]
    return entries.read(tx, log.log.number, 0, 100, 1 << 20)


async def has_asked(one: Person) -> bool:
    """whether a node has asked a witness"""
    assert one.node is not None
    count = await one.node.core.database.transact(lambda tx: tx.one("SELECT COUNT(*) FROM asked_word"))
    return bool(count == (1,))


def test_a_word_that_comes_after_the_payment_was_seen_taken_back_changes_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await three(w)
        payment = await offered(ana, bo)
        w.network.cut("bo", "chen")
        await bo.call("payments.accept", id=payment)
        await trio.sleep(2 * HOUR_S)
        await comes_back(ana, payment, at_once="refunding")
        w.network.cut("bo", "chen")
        await w.until(partial(both_see, (ana, bo), payment, "refunded"))
        w.network.heal_all()
        await trio.sleep(HOUR_S)
        assert await both_see((ana, bo), payment, "refunded")
        assert await agree((ana, bo))

    world.run(story, seed=1204)


@pytest.mark.parametrize("ahead_ms", [0, DAY_MS, -DAY_MS])
@pytest.mark.parametrize("late", ["ana", "bo"])
def test_without_a_contact_of_both_it_comes_back_to_both_whatever_the_clocks_say(ahead_ms: int, late: str) -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana", ahead_ms if late == "ana" else 0)
        bo = await w.person("bo", ahead_ms if late == "bo" else 0)
        await befriend(ana, bo)
        await allow(bo, ana)
        payment = await offered(ana, bo)
        await bo.call("payments.accept", id=payment)
        await trio.sleep(2 * HOUR_S)
        assert await state(bo, payment) == "accepted"
        await comes_back(ana, payment, at_once="refunding")
        await w.until(partial(both_see, (ana, bo), payment, "refunded"))
        assert (await owed(bo, ana), await agree((ana, bo))) == (0, True)

    world.run(story, seed=1205)
