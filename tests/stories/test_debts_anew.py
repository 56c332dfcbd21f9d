"""Stories about ledgers that two begin anew: after a fork, by agreement, against silence, through kills."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from crypto import hashing
from features.books import service
from features.payments.service import Payments
from lab import world
from lab.world import Person, World
from ledger.evidence import NoSuchPayment
from ledger.payment import Stage
from protocol import entry
from protocol.log import Fork
from store import entries, logs, spaces
from store.database import Tx
from tests.features.kit import Faults
from tests.ledger import signed
from tests.protocol import backups
from tests.stories.debt_kit import agree, both_see, owed, pair, state, waiting
from tests.stories.test_backups import lose_and_restore
from tests.stories.test_debt_shown import is_the_same, shown

OWES: list[dict[str, object]] = [{"amount": "12.50", "unit": "EUR", "by": "them"}]


async def _may_owe(person: Person, amount: str) -> bool:
    return any(row["credit"] == amount for row in (await person.call("payments.balances"))["balances"])


async def _pays(w: World, payer: Person, payee: Person, amount: str) -> str:
    """A payment from its offer to its end."""
    line = await payer.call("payments.pay", to=payee.name, amount=amount, unit="EUR")
    await w.until(partial(both_see, (payer, payee), line["id"], "offered"))
    await payee.call("payments.accept", id=line["id"])
    await w.until(partial(both_see, (payer, payee), line["id"], "settled"))
    return str(line["id"])


async def _fork(forker: Person, other: Person) -> None:
    """Somebody has signed another entry in the place of his first one, and both have the proof."""
    assert forker.node is not None
    assert other.node is not None
    key = forker.node.core.identity.device_key

    def prove(tx: Tx) -> Fork:
        own = spaces.ledger(tx, 1)[0][0]
        newest = entries.head(tx, own.log.number)
        held = None if newest is None else entries.entry_at(tx, own.log.number, newest.seq)
        assert held is not None
        other_body = replace(held.body, content_length=3, content_hash=hashing.digest(b"two"))
        return Fork.of(held.raw, entry.write(other_body, key).raw)

    proof = await forker.node.core.database.transact(prove)
    for one in (forker, other):
        assert one.node is not None
        await one.node.core.database.transact(logs.freeze, proof, one.now_ms())


async def _proposed(person: Person, count: int = 1) -> bool:
    return len([one for one in (await person.call("payments.balances"))["proposals"] if not one["mine"]]) == count


async def _is_paused(person: Person, count: int = 1) -> bool:
    return len((await person.call("payments.balances"))["paused"]) == count


async def _owes(people: tuple[Person, Person], amount: int) -> bool:
    """Whether both say that the first is owed so much, and nothing stands still or is proposed."""
    one, other = people
    if await owed(one, other) != amount or not await agree(people):
        return False
    return not any([(await each.call("payments.balances"))["proposals"] for each in people])


async def _credit(w: World, ana: Person, bo: Person) -> None:
    for one, other in ((ana, bo), (bo, ana)):
        await one.call("payments.limit", to=other.name, amount="100", unit="EUR")
    for one in (ana, bo):
        await w.until(partial(_may_owe, one, "100.00"))


@pytest.mark.parametrize("seed", [61, 62])
def test_a_forked_ledger_is_begun_anew_and_pays_again(seed: int) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await _credit(w, ana, bo)
        first = await _pays(w, bo, ana, "10")
        offered = await bo.call("payments.pay", to="ana", amount="7", unit="EUR", note="never taken")
        await w.until(partial(state_is, ana, offered["id"], "offered"))
        await _fork(bo, ana)
        for one in (ana, bo):
            await w.until(partial(_is_paused, one))
        told = await ana.call("payments.reset", to="bo", owed=OWES, reason="a copied disk")
        assert (told["state"], [one["owed"] for one in told["balances"]]) == ("proposed", ["12.50"])
        await w.until(partial(_proposed, bo))
        assert bo.node is not None
        room: Payments = bo.node.core.services["payments"]
        told_bo: dict[str, Any] = await bo.node.core.database.transact(room.waiting)
        (row,) = told_bo["proposals"]
        assert (row["contact"], row["reason"], [one["owed"] for one in row["balances"]]) == (
            "ana",
            "a copied disk",
            ["-12.50"],
        )
        assert (await bo.call("payments.agree", to="ana"))["state"] == "agreed"
        await w.until(partial(_owes, (ana, bo), 1250))
        for one in (ana, bo):
            await w.until(partial(_may_owe, one, "100.00"))  # the limits were given again
        assert await both_see((ana, bo), first, "settled")
        assert await state(bo, offered["id"]) in ("lapsed", "")
        await _pays(w, bo, ana, "2.50")
        await w.until(partial(_owes, (ana, bo), 1500))
        assert (await waiting(bo))["offers"] == []
        for one, sign in ((ana, 1), (bo, -1)):  # what is exported comes to the balance
            assert one.node is not None
            found = await one.node.core.database.transact(service.bookings, None, service.END_MS)
            assert sum(booking.amount for booking in found) == sign * 1500

    world.run(story, seed)


async def state_is(person: Person, payment: str, wanted: str) -> bool:
    return await state(person, payment) == wanted


async def _is_shown(payer: Person, payee: Person, payment: str) -> bool:
    """Whether both hand on the same: soon after it is settled, what is known to lie at the other's goes so far."""
    try:
        return await is_the_same(payer, payee, payment)
    except NoSuchPayment:
        return False


def test_of_a_payment_of_either_generation_both_show_the_same() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await _credit(w, ana, bo)
        paid = [await _pays(w, bo, ana, "10")]
        await ana.call("payments.reset", to="bo", owed=OWES)
        await w.until(partial(_proposed, bo))
        await bo.call("payments.agree", to="ana")
        await w.until(partial(_owes, (ana, bo), 1250))
        for one in (ana, bo):
            await w.until(partial(_may_owe, one, "100.00"))
        paid.append(await _pays(w, bo, ana, "2.50"))
        for payment in paid:
            await w.until(partial(_is_shown, bo, ana, payment))
            verdict = signed.agreed(await shown(ana, "bo", False, payment)).verdict
            assert verdict is not None
            assert verdict.stage is Stage.SETTLED

    world.run(story, 70)


def test_who_has_the_words_alone_begins_the_ledger_anew() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await _credit(w, ana, bo)
        await _pays(w, bo, ana, "10")
        assert bo.node is not None
        me = bo.node.core.identity
        await bo.kill()
        file = w.folder / "words.weft"  # as if there were no backup: of no contact
        file.write_bytes(backups.file_of([backups.head(account=me.account, lists=me.lists, name="bo")], me.recovery))
        await lose_and_restore(bo, file)
        await bo.start()
        link = (await ana.call("contacts.invite"))["link"]
        await bo.call("contacts.add", link=link, name="ana")
        await w.until(partial(world.both_active, ana, bo))
        await w.until(partial(_is_paused, bo))  # what Ana has written answers a log that he does not have
        assert await Faults(bo).code("payments.limit", to="ana", amount="5", unit="EUR") == "ledger.paused"
        await ana.call("payments.reset", to="bo", owed=OWES, reason="your lost phone")
        await w.until(partial(_proposed, bo))
        await bo.call("payments.agree", to="ana")
        await w.until(partial(_owes, (ana, bo), 1250))
        await w.until(partial(_may_owe, bo, "100.00"))
        await _pays(w, bo, ana, "2.50")
        await w.until(partial(_owes, (ana, bo), 1500))

    world.run(story, 71)


def test_silence_refuses_and_a_changed_ledger_is_asked_about() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await _credit(w, ana, bo)
        await ana.call("payments.reset", to="bo", owed=OWES)
        await w.until(partial(_proposed, bo))
        await _pays(w, bo, ana, "3")  # nobody answers, and all goes on
        assert (await owed(ana, bo), await owed(bo, ana)) == (300, -300)
        await bo.call("payments.agree", to="ana")  # now it is another ledger than Ana had before her
        await w.until(partial(_is_paused, bo))
        await w.until(partial(_asks, ana))
        assert await owed(ana, bo) == 300
        assert (await ana.call("payments.agree", to="bo"))["state"] == "begun"
        await w.until(partial(_owes, (ana, bo), 1250))

    world.run(story, 63)


async def _asks(person: Person) -> bool:
    return any(one["state"] == "agreed" for one in (await person.call("payments.balances"))["proposals"])


@pytest.mark.parametrize("seed", range(64, 68))
def test_a_kill_between_any_steps_changes_nothing(seed: int) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await _credit(w, ana, bo)
        people = (ana, bo)
        await ana.call("payments.reset", to="bo", owed=OWES)
        await people[seed % 2].kill()
        await people[seed % 2].start()
        await w.until(partial(_proposed, bo))
        await bo.call("payments.agree", to="ana")
        await people[seed // 2 % 2].kill()
        await people[seed // 2 % 2].start()
        await w.until(partial(_owes, (ana, bo), 1250))
        for one in people:
            await w.until(partial(_may_owe, one, "100.00"))
            await one.kill()
            await one.start()
        await _pays(w, ana, bo, "2.50")
        await w.until(partial(_owes, (ana, bo), 1000))

    world.run(story, seed)


def test_what_is_wrong_is_said_in_words_and_writes_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo, bo2 = await pair(w, "ana", "bo1", "bo2")
        faults = Faults(ana)
        for rows, code in (
            ([{"amount": "5", "unit": "EUR"}], "ledger.balances"),
            ([{"amount": "5", "unit": "EUR", "by": "ana"}], "ledger.balances"),
            ([{"amount": 5, "unit": "EUR", "by": "me"}], "ledger.balances"),
            ([{"amount": "5", "unit": "EUR", "by": "me"}] * 2, "ledger.balances"),
            ([{"amount": "5", "unit": "EURO", "by": "me"}], "amount.unit"),
            ([{"amount": "x", "unit": "EUR", "by": "me"}], "amount.malformed"),
            ([{"amount": "-1", "unit": "EUR", "by": "me"}], "amount.nothing"),
            ([{"amount": "0.001", "unit": "EUR", "by": "me"}], "amount.decimals"),
            ([{"amount": "9" * 30, "unit": "EUR", "by": "me"}], "amount.large"),
        ):
            assert await faults.code("payments.reset", to="bo1", owed=rows) == code
        assert await faults.code("payments.reset", to="bo1", owed=[], reason="x" * 501) == "limit"
        assert await faults.code("payments.agree", to="bo1") == "ledger.nothing_proposed"
        await ana.call("contacts.block", name="bo2")
        dee = await w.person("dee")
        link = (await dee.call("contacts.invite"))["link"]
        await dee.stop()
        await ana.call("contacts.add", link=link, name="dee")
        ways: tuple[tuple[str, dict[str, object]], ...] = (("payments.reset", {"owed": []}), ("payments.agree", {}))
        for method, more in ways:
            for who, code in (
                ("nobody", "contact.unknown"),
                ("bo", "contact.ambiguous"),
                ("bo2", "contact.blocked"),
                ("dee", "contact.not_yet"),
                ("ana", "payment.self"),
            ):
                assert await faults.code(method, to=who, **more) == code
        missing = {one for one in faults.missing("payments") if one[0] in ("payments.reset", "payments.agree")}
        assert {code for _, code in missing} == {"contact.account_changed"}
        assert (await ana.call("payments.balances"))["proposals"] == []
        del bo, bo2

    world.run(story, 69)
