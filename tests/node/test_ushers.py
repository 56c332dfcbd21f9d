"""When a reader is told where a feed goes on: after a little, and later while its author is here."""

from node.logs import ushers
from node.logs.ushers import WAIT_MS, WITH_AUTHOR_MS
from store import handovers
from tests.store.space_kit import open_sharers, stranger
from tests.store.test_handovers import feeds

SINCE_MS = 1_000_000


async def test_it_is_waited_a_little_and_longer_while_the_author_is_here() -> None:
    async with open_sharers() as two:
        tx, ana = two.theirs, two.bo.contact
        first, second = await feeds(two, True)
        cy = stranger(tx, "Cy").id
        nobody, with_ana = frozenset({cy}), frozenset({cy, ana})
        assert ushers.due(tx, SINCE_MS, nobody) == ((), False)
        handovers.lacks(tx, cy, {first: 0, second: -1}, {first: 0, second: 0}, SINCE_MS)
        debts = handovers.debts(tx)
        assert len(debts) == 1
        assert ushers.due(tx, SINCE_MS + WAIT_MS - 1, nobody) == ((), True)
        assert ushers.due(tx, SINCE_MS + WAIT_MS, nobody) == (debts, False)
        assert ushers.due(tx, SINCE_MS + WITH_AUTHOR_MS - 1, with_ana) == ((), True)
        assert ushers.due(tx, SINCE_MS + WITH_AUTHOR_MS, with_ana) == (debts, False)
        assert ushers.due(tx, SINCE_MS - WITH_AUTHOR_MS, with_ana) == (debts, False)  # a clock was ahead
        handovers.paid(tx, second, cy)
        assert ushers.due(tx, SINCE_MS + WITH_AUTHOR_MS, nobody) == ((), False)
