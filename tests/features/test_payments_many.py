"""A contact who asks without end fills nobody's list."""

from functools import partial

from lab import world
from lab.world import Person, World
from ledger.tab import Tab
from ledger.terms import Request
from store import people
from store.database import Tx
from tests.stories.debt_kit import pair, waiting

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
