"""What is taken without asking is taken once, also where a contact offers it twice in one breath."""

from functools import partial
from typing import Any

import pytest

from lab import world
from lab.world import Person, World
from ledger.tab import Tab
from ledger.terms import AMOUNT_MAX, Cause, Offer
from protocol import ids
from store import expected, people
from store.database import Tx
from tests.features.kit import Faults
from tests.stories.debt_kit import accept, allow, has_offer, is_asked, owed, pair, pay, waiting

PACKET = b"p" * 16
DAY_MS = 86_400_000


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def offer_twice(
    payer: Person, payee: Person, amount: int, cause: Cause, of: tuple[bytes, bytes], unit: str = "EUR"
) -> list[str]:
    """A node that is not honest writes two offers in one transaction; their ids."""
    assert payer.node is not None
    till = payer.node.core.till

    def write(tx: Tx) -> list[str]:
        one, names = till.of(tx, people.find_contact(tx, payee.name).id), []
        for each in of:
            pay, expires_ms = till.new_pay(one), payer.now_ms() + DAY_MS
            said = Offer(pay, unit, amount, expires_ms, (), "", int(cause), each)
            assert till.write(tx, one, partial(_of, said))
            names.append(ids.ulid(pay))
        return names

    found: list[str] = await run(payer, write)
    return found


def _of(said: Offer, _: Tab) -> Offer:
    return said


async def offers(person: Person) -> int:
    return len((await waiting(person))["offers"])


async def is_one_left(person: Person, of: Person, minor: int) -> bool:
    """whether one offer still waits for a person, and the other is owed"""
    return await offers(person) == 1 and await owed(person, of) == minor


def test_a_debt_is_settled_up_once_where_it_is_said_twice() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        await allow(ana, bo)
        await pay(ana, bo, "10")
        await offer_twice(bo, ana, 1000, Cause.HANDED_OVER, (b"", b""))
        await w.until(partial(is_one_left, ana, bo, 0))

    world.run(story, seed=190)


def test_a_request_is_answered_once() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        wish = await bo.call("payments.ask", to="ana", amount="10", unit="EUR")
        await w.until(partial(is_asked, ana, wish["id"]))
        name = await run(bo, lambda tx: tx.one("SELECT request FROM request"))
        await offer_twice(ana, bo, 1000, Cause.REQUEST, (name[0], name[0]))
        await w.until(partial(is_one_left, bo, ana, 1000))
        assert (await bo.call("payments.show", id=wish["id"]))["state"] == "paid"

    world.run(story, seed=191)


@pytest.mark.parametrize("shares", [(b"\x00", b"\x01"), (b"\xff\x01", b"\xff\x02")])
def test_one_share_of_a_packet_is_taken(shares: tuple[bytes, bytes]) -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        await run(bo, lambda tx: expected.expect(tx, 1, Cause.PACKET, PACKET, "EUR", 1000))
        await offer_twice(ana, bo, 600, Cause.PACKET, (PACKET + shares[0], PACKET + shares[1]))
        await w.until(partial(is_one_left, bo, ana, 600))

    world.run(story, seed=192)


def test_what_is_on_its_way_counts_where_somebody_settles_up() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        await allow(ana, bo)
        await pay(ana, bo, "10")
        await ana.stop()
        await bo.call("payments.settle", to="ana", amount="7", unit="EUR")
        assert await Faults(bo).code("payments.settle", to="ana", amount="7", unit="EUR") == "payment.not_owed"
        await bo.call("payments.settle", to="ana", amount="3", unit="EUR")
        await ana.start()
        await w.until(partial(_is_even, bo, ana))

    world.run(story, seed=193)


async def _is_even(person: Person, of: Person) -> bool:
    return await owed(person, of) == 0


def test_vouchers_beyond_all_bounds_are_refused_in_words() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        assert ana.node is not None
        unit = f"v:{ids.account_text(ana.node.core.identity.account)}/coffee"
        first, second = await offer_twice(ana, bo, AMOUNT_MAX, Cause.VOUCHER, (b"", b""), unit)
        await accept(bo, first)
        await w.until(partial(has_offer, bo, second))
        assert await Faults(bo).code("payments.accept", id=second) == "payment.limit"

    world.run(story, seed=194)
