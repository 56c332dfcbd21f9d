"""A contact who asks without end fills nobody's list, and one with whom nothing can be written stops nobody."""

from functools import partial

from lab import world
from lab.world import Person, World
from ledger.tab import Tab
from ledger.terms import Request
from store import logs, people, spaces
from store.database import Tx
from tests.stories.debt_kit import allow, is_asked, pair, pay, waiting

ASKED = 1003


def _of(said: Request, _: Tab) -> Request:
    return said


async def _is_asked(person: Person, count: int) -> bool:
    """whether a person is asked for so many things"""
    return len((await waiting(person))["asked"]) == count


async def _asks(person: Person, count: int) -> bool:
    """whether so many of a person's requests wait for others"""
    return len((await waiting(person))["asking"]) == count


def test_requests_beyond_a_thousand_are_refused() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        assert ana.node is not None
        till = ana.node.core.till

        def ask(tx: Tx) -> None:
            one = till.of(tx, people.find_contact(tx, "bo").id)
            for number in range(ASKED):
                till.write(tx, one, partial(_of, Request(number.to_bytes(16, "big"), "EUR", 1)))

        await ana.node.core.database.transact(ask)
        await w.until(partial(_asks, ana, 1000))
        await w.until(partial(_is_asked, bo, 1000))

    world.run(story, seed=195)


def test_a_log_that_is_over_stops_nobody_elses_ledger() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await pair(w, "ana", "bo", "cy")
        assert ana.node is not None
        await allow(ana, bo)
        await allow(ana, cy)

        def end(tx: Tx) -> None:
            ((own,), _) = spaces.ledger(tx, people.find_contact(tx, "bo").id)
            logs.end(tx, own.log.number)

        await ana.node.core.database.transact(end)
        wish = await bo.call("payments.ask", to="ana", amount="1", unit="EUR")
        await w.until(partial(is_asked, ana, wish["id"]))
        await pay(cy, ana)

    world.run(story, seed=196)
