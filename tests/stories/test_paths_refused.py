"""Stories about payments over others that must not be made, about rings, payees reached by mail, false contacts."""

from functools import partial

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend
from ledger.tab import lock_of
from ledger.terms import Lock, Release, Reveal, Term
from protocol.probe import Found, Probe
from store import people
from store.database import Tx
from tests import depth
from tests.stories import path_kit
from tests.stories.crowd_kit import appoint, has_lines
from tests.stories.debt_kit import both_see, owed, pair
from tests.stories.path_kit import (
    UNIT,
    allow,
    are_over,
    ended,
    forward,
    invoice,
    is_in,
    join,
    locks,
    owes,
    street,
)

STAY_S = 600.0  # until what was said lies at a keeper
NOWHERE = "no way was found: none of your contacts passes on to somebody who knows the payee"


async def refused(w: World, payer: Person, code: str) -> str:
    """Why a payment failed."""
    begun = await payer.call("paths.pay", code=code)
    done = await ended(w, payer, begun["id"])
    assert done["state"] == "failed", done
    return str(done["reason"])


def test_nobody_passes_on_who_did_not_say_so_and_no_more_than_he_said() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        await bo.call("paths.unforward", to="ana")
        made = await invoice(chen)
        assert await refused(w, ana, made["code"]) == NOWHERE  # out to Chen alone is no way in from Ana
        await forward(bo, ana, each="10")
        assert await refused(w, ana, made["code"]) == NOWHERE  # 20 is asked for
        await forward(bo, ana, each="20", total="30")
        first = await ana.call("paths.pay", code=made["code"])
        assert (await ended(w, ana, first["id"]))["state"] == "paid"
        await chen.stop()
        chen_back = await _two_at_once(w, ana, bo, chen)
        assert chen_back == ["paid", "failed"]
        await w.until(partial(are_over, (ana, bo, chen)))

    world.run(story, seed=531)


async def _two_at_once(w: World, ana: Person, bo: Person, chen: Person) -> list[str]:
    """Two payments of 20 each, where 30 go at once: what becomes of each."""
    await chen.start()
    codes = [(await invoice(chen))["code"] for _ in range(2)]
    await chen.stop()
    first = await ana.call("paths.pay", code=codes[0])
    await w.until(partial(_locked_with, bo, "chen"))
    second = await ana.call("paths.pay", code=codes[1])
    done = await ended(w, ana, second["id"])
    await chen.start()
    return [(await ended(w, ana, first["id"]))["state"], done["state"]]


async def _locked_with(person: Person, other: str) -> bool:
    return any(name == other for name, _, _ in await locks(person))


def test_an_invoice_of_another_unit_or_over_the_limit_is_not_begun() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        none = "none of your contacts lets you owe so much of it"
        assert await refused(w, ana, (await chen.call("paths.invoice", amount="5", unit="USD"))["code"]) == none
        assert await refused(w, ana, (await invoice(chen, amount="100.01"))["code"]) == none
        await allow(w, ana, bo, "10")
        assert await refused(w, ana, (await invoice(chen, amount="20"))["code"]) == none
        assert await are_over((ana, bo, chen))

    world.run(story, seed=532)


def test_an_invoice_is_paid_by_one_and_once_also_by_a_contact_beside() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        eve = await w.person("eve")
        await join(w, eve, chen)
        made = await invoice(chen)
        first = await ana.call("paths.pay", code=made["code"])
        assert (await ended(w, ana, first["id"]))["state"] == "paid"
        assert "given up" in await refused(w, eve, made["code"])
        other = await invoice(chen)
        direct = await eve.call("paths.pay", code=other["code"])
        assert (await ended(w, eve, direct["id"]))["state"] == "paid"
        assert "given up" in await refused(w, ana, other["code"])
        await w.until(partial(are_over, (ana, bo, chen, eve)))
        assert (await owes(ana, bo), await owes(bo, chen), await owes(eve, chen)) == ((2000, 2000),) * 3

    world.run(story, seed=533)


def test_a_ring_of_three_is_lowered_by_its_smallest_debt() -> None:
    async def story(w: World) -> None:
        people_ = ana, bo, chen = await _ring(w)
        (begun,) = await ana.call("paths.simplify")
        done = await ended(w, ana, begun["id"])
        assert (done["state"], done["kind"], done["amount"]) == ("paid", "ring", "20.00")
        await w.until(partial(are_over, people_))
        assert [await owes(bo, ana), await owes(chen, bo), await owes(ana, chen)] == [
            (1000,) * 2,
            (0,) * 2,
            (2000,) * 2,
        ]
        assert {row["kind"] for row in await bo.call("payments.history", limit=2)} == {"path"}
        (again,) = await ana.call("paths.simplify", unit="eur")
        assert (await ended(w, ana, again["id"]))["reason"] == "no ring of debts was found"

    world.run(story, seed=534)


def test_a_ring_whose_debts_change_meanwhile_makes_nobody_owe() -> None:
    async def story(w: World) -> None:
        people_ = ana, bo, chen = await _ring(w)
        (begun,) = await ana.call("paths.simplify")
        await w.until(partial(path_kit.has_routes, bo))
        await bo.call("payments.settle", to="chen", amount="15", unit=UNIT)  # Chen has handed it over in cash
        done = await ended(w, ana, begun["id"])
        await w.until(partial(are_over, people_))
        lowered = done["minor"] if done["state"] == "paid" else 0
        assert await owes(bo, ana) == (3000 - lowered,) * 2
        assert await owes(ana, chen) == (4000 - lowered,) * 2
        assert await owes(chen, bo) == (500 - lowered,) * 2
        assert lowered in (0, 500)

    world.run(story, seed=535)


@pytest.mark.parametrize("step", range(0, 24, (6, 4, 1)[depth.LEVEL]))
@pytest.mark.parametrize("who", range(3))
def test_a_ring_in_which_somebody_is_killed_makes_nobody_owe(who: int, step: int) -> None:
    async def story(w: World) -> None:
        people_ = ana, bo, chen = await _ring(w)
        (begun,) = await ana.call("paths.simplify")
        at = await path_kit.newest_change(people_[who]) + step
        await w.until(partial(path_kit.has_come_to, people_[who], at), patience_s=60)
        await people_[who].kill()
        await people_[who].start()
        done = await ended(w, ana, begun["id"])
        await w.until(partial(are_over, people_))
        lowered = 2000 if done["state"] == "paid" else 0
        assert await owes(bo, ana) == (3000 - lowered,) * 2
        assert await owes(chen, bo) == (2000 - lowered,) * 2
        assert await owes(ana, chen) == (4000 - lowered,) * 2

    world.run(story, seed=560 + step)


async def _ring(w: World) -> list[Person]:
    """Bo owes Ana 30, Chen owes Bo 20, Ana owes Chen 40, and all pass on."""
    ana, bo, chen = found = await pair(w, "ana", "bo", "chen")
    for debtor, creditor, amount in ((bo, ana, "30"), (chen, bo, "20"), (ana, chen, "40")):
        await allow(w, debtor, creditor)
        line = await debtor.call("payments.pay", to=creditor.name, amount=amount, unit=UNIT)
        await w.until(partial(path_kit.is_offered, creditor, line["id"]))
        await creditor.call("payments.accept", id=line["id"])
        await w.until(partial(both_see, (debtor, creditor), line["id"], "settled"))
        assert await owed(creditor, debtor) == int(amount) * 100
    for one in found:
        for other in found:
            if one is not other:
                await forward(one, other)
    return found


def test_a_payee_whom_only_mail_reaches_is_paid() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        kim = await w.person("kim")
        for one in (bo, chen):
            await befriend(kim, one)
            await appoint(kim, one)
        await w.until(partial(has_lines, bo, chen, 1))
        await w.until(partial(has_lines, chen, bo, 1))
        made = await invoice(chen)
        await chen.stop()
        begun = await ana.call("paths.pay", code=made["code"])
        await w.until(partial(_locked_with, bo, "chen"))
        await trio.sleep(STAY_S)
        await bo.stop()
        await chen.start()
        await w.until(partial(is_in, chen, made["id"], "paid"))
        await trio.sleep(STAY_S)
        await chen.stop()
        await bo.start()
        assert (await ended(w, ana, begun["id"]))["state"] == "paid"
        assert await owes(ana, bo) == (2000, 2000)

    world.run(story, seed=536)


# --- false contacts


async def write(person: Person, other: str, term: Term) -> None:
    """A contact writes into his half whatever he likes."""
    assert person.node is not None
    core = person.node.core

    def append(tx: Tx) -> None:
        one = core.till.of(tx, people.find_contact(tx, other).id)
        core.till.write(tx, one, lambda _: term)

    await core.database.transact(append)


async def new_pay(person: Person, other: str) -> bytes:
    """The name of a new payment."""
    assert person.node is not None
    core = person.node.core
    return await core.database.transact(
        lambda tx: core.till.new_pay(core.till.of(tx, people.find_contact(tx, other).id))
    )


def test_a_lock_that_nobody_was_asked_about_is_released() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        lock = Lock(await new_pay(ana, "bo"), UNIT, 500, lock_of(b"?" * 32), 1)
        await write(ana, "bo", lock)
        await w.until(partial(path_kit.has_state, ana, "released"))
        assert await are_over((ana, bo, chen))

    world.run(story, seed=541)


def test_a_middle_who_shows_a_wrong_preimage_gains_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        begun = await _held_up(w, ana, bo, chen)
        pay = (await path_kit.routes(bo))[0].came
        assert pay is not None
        await write(bo, "ana", Reveal(pay, b"w" * 32))
        await trio.sleep(60)
        assert (await path_kit.paid(ana, begun))["state"] == "waiting"
        assert await owes(ana, bo) == (0, 0)
        await chen.start()
        assert (await ended(w, ana, begun))["state"] == "paid"
        await w.until(partial(are_over, (ana, bo, chen)))
        assert await owes(ana, bo) == await owes(bo, chen) == (2000, 2000)

    world.run(story, seed=542)


def test_a_middle_who_gives_up_what_he_has_passed_on_pays_it_himself() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        begun = await _held_up(w, ana, bo, chen)
        pay = (await path_kit.routes(bo))[0].came
        assert pay is not None
        await write(bo, "ana", Release(pay))
        done = await ended(w, ana, begun)
        assert (done["state"], done["preimage"]) == ("failed", "")
        await chen.start()
        await w.until(partial(are_over, (ana, bo, chen)))
        assert (await owes(ana, bo), await owes(bo, chen)) == ((0, 0), (2000, 2000))

    world.run(story, seed=544)


async def _held_up(w: World, ana: Person, bo: Person, chen: Person) -> str:
    """A payment of Ana that waits for Chen, who is away, behind Bo."""
    made = await invoice(chen)
    await chen.stop()
    begun = await ana.call("paths.pay", code=made["code"])
    await w.until(partial(_locked_with, bo, "chen"))
    return str(begun["id"])


def test_who_asks_without_end_is_answered_with_nothing_and_takes_no_room() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        assert ana.node is not None
        assert bo.node is not None
        delivery, contact = ana.node.core.delivery, 1
        for n in range(100):
            name = n.to_bytes(16, "big")
            asked = Probe(name, name, name, UNIT, 100, bytes(8), (), 1, 0)
            await delivery.say(contact, (asked, Found(name, 100)))
        made = await invoice(chen)
        await w.until(partial(_has_answered, ana, 100))
        count = await bo.node.core.database.transact(_count)
        assert count == 0
        assert await refused(w, ana, made["code"]) == NOWHERE  # she has asked too often
        await w.until(partial(_is_later, w, w.now_ms() + 600_000), patience_s=1200)
        again = await ana.call("paths.pay", code=made["code"])
        assert (await ended(w, ana, again["id"]))["state"] == "paid"

    world.run(story, seed=543)


async def _is_later(w: World, than_ms: int) -> bool:
    return w.now_ms() > than_ms


def _count(tx: Tx) -> int:
    tables = ("path_word", "path_search", "path_route")
    return sum(int(tx.all(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in tables)


async def _has_answered(person: Person, count: int) -> bool:
    assert person.node is not None
    rows = await person.node.core.database.transact(
        lambda tx: tx.all("SELECT COUNT(*) FROM message WHERE kind = ? AND device != 0", (Found.KIND,))
    )
    return int(rows[0][0]) >= count
