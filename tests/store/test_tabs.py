"""What two owe each other, folded from two half-logs on two disks (docs/protocol/ledger.md)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from features.payments import clerk
from ledger.payment import Stage
from ledger.terms import Ackn, Dismiss, Limit, Request, Term
from store import entries, expected, payments, spaces
from store.faults import TabPaused
from store.payments import Asking
from tests.store import tab_kit
from tests.store.tab_kit import UNIT, Pair


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with tab_kit.open_pair() as found:
        yield found


async def test_a_payment_is_the_same_on_both_disks(pair: Pair) -> None:
    pay = pair.pay(pair.ana, 700)
    assert pair.ana.owed == -700
    assert pair.bo.stages() == {(False, pay): Stage.SETTLED}
    pair.agree()


async def test_what_a_transaction_undoes_is_in_no_tab_and_its_rows_come_later(pair: Pair) -> None:
    """A command that is refused after it has caught up undoes the rows of what it had caught up with."""

    def refused(then: Term | None) -> None:
        one = pair.bo.one
        if then is not None:
            pair.bo.write(lambda _: then)
        raise TabPaused(str(one.pause))

    for then in (None, Limit(UNIT, 1)):
        pay = pair.ana.offer()
        pair.carry(pair.ana)
        with pytest.raises(TabPaused):
            pair.bo.tx.attempt(refused, then).unwrap()
        pair.check(pair.bo)
        assert pair.bo.stages()[False, pay] is Stage.OFFERED
    pair.agree()


async def test_a_transaction_that_is_undone_as_a_whole_leaves_no_trace(pair: Pair) -> None:
    tx = pair.ana.tx
    tx.execute("BEGIN")
    pair.ana.offer()
    pair.ana.allow(3, "USD")
    tx.execute("ROLLBACK")
    assert pair.ana.stages() == {}
    pair.agree()
    pair.pay(pair.ana)
    pair.agree()


async def test_an_image_says_what_all_entries_do(pair: Pair) -> None:
    for _ in range(90):
        pair.pay(pair.ana)
        pair.pay(pair.bo, 3)
    waiting = pair.ana.offer()
    pair.sync()
    pair.bo.say(Ackn())
    pair.agree()
    assert pair.ana.tx.all("SELECT contact FROM tab") == [(1,)]
    pair.ana.restart()
    assert pair.ana.one.since_image < 300
    pair.agree()
    states = pair.ana.one.tab.state()
    pair.ana.forget_images()
    assert pair.ana.one.tab.state() == states
    pair.agree()
    pair.bo.accept(waiting)
    pair.agree()


async def test_an_image_of_entries_that_stand_no_more_is_not_used(pair: Pair) -> None:
    for _ in range(170):
        pair.pay(pair.ana)
    pair.bo.say(Ackn())
    pair.sync()
    assert pair.ana.one.since_image == 0
    ours = spaces.ledger(pair.ana.tx, 1)[0][0].log.number
    pair.ana.tx.execute("UPDATE tab SET ours_id = ?", (bytes(32),))
    pair.ana.restart()
    assert pair.ana.one.since_image == 0  # another one was made of all
    assert pair.ana.one.tab.heads[pair.ana.one.side] == 1 + len(entries.read(pair.ana.tx, ours, 1, 1 << 20, 1 << 30))
    pair.agree()


async def test_requests_follow_and_are_over_once(pair: Pair) -> None:
    pair.ana.say(Request(b"r" * 16, UNIT, 5, memo="lunch"))
    pair.ana.say(Request(b"s" * 16, UNIT, 6))
    pair.sync()
    pair.bo.one  # noqa: B018 - catches up
    pair.bo.say(Dismiss(b"r" * 16, 0))
    pair.ana.say(Dismiss(b"s" * 16, 1))
    pair.ana.say(Request(b"r" * 16, UNIT, 9))  # said already
    pair.agree()
    for one, mine in ((pair.ana, True), (pair.bo, False)):
        for again in (False, True):
            rows = {tuple(row) for row in one.tx.all("SELECT mine, request, amount, state FROM request")}
            assert rows == {
                (int(mine), b"r" * 16, 5, int(Asking.REFUSED)),
                (int(mine), b"s" * 16, 6, int(Asking.WITHDRAWN)),
            }
            if not again:
                one.forget_images()
                pair.check(one)


# --- growth


def _plan(pair: Pair, statement: str) -> list[str]:
    return [row[3] for row in pair.ana.tx.all(f"EXPLAIN QUERY PLAN {statement}")]


GOOD = (
    "SEARCH",
    "LIST SUBQUERY",
    "SCAN payment USING INDEX payment_open",  # what is not over alone
    "SCAN request USING INDEX request_open",
)


@pytest.mark.parametrize("contact", [None, 1])
async def test_no_list_walks_through_all_payments(pair: Pair, contact: int | None) -> None:
    seen: list[str] = []
    for _ in range(3):
        pair.pay(pair.ana)
    pair.ana.say(Request(b"r" * 16, UNIT, 5))
    tx, (newest, *_) = pair.ana.tx, payments.history(pair.ana.tx, None, None, 1)
    (asked,) = payments.open_requests(tx)
    connection: Any = tx._connection
    connection.set_trace_callback(seen.append)
    try:
        payments.history(tx, contact, None, 10)
        payments.history(tx, contact, 3, 10)
        payments.settled(tx, contact, 0, 2**50)
        payments.open_payments(tx)
        payments.open_requests(tx)
        payments.by_request(tx, asked)
        payments.asked_beyond(tx, 1, 1000, 1)
        payments.refunded(tx, newest)
        payments.found(tx, 1, True, b"p" * 16)
        payments.tell(tx, [(1, True, newest.pay)])
        expected.holds(tx, newest)
        payments.ending(tx, b"00")
        clerk.over(tx, 1)
        clerk.next_expiry(tx, 1)
        spaces.ledger(tx, 1)
    finally:
        connection.set_trace_callback(None)
    for statement in seen:
        steps = _plan(pair, statement)
        assert all(step.startswith(GOOD) for step in steps), (statement, steps)
