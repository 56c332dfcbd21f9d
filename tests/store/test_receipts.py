"""Receipts as rows: what the payee has written in his half, for what was paid, also when all is folded anew."""

from collections.abc import AsyncIterator

import pytest

from ledger import commands
from ledger.terms import Cause, Offer, Receipt
from store import expected, payments, receipts
from store.payments import Paid
from store.receipts import Slip
from tests.store import tab_kit
from tests.store.tab_kit import DAY_MS, UNIT, Holder, Pair

NAME = b"i" * 32


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with tab_kit.open_pair() as found:
        yield found


def offered(one: Holder, cause: Cause = Cause.INVOICE, of: bytes = NAME) -> bytes:
    """Something is offered for an invoice."""
    pay = commands.new_pay(one.one.tab, one.one.side, one.side.clock.ms, one.side.entropy)
    one.say(Offer(pay, UNIT, 5, one.side.clock.ms + DAY_MS, cause=int(cause), of=of))
    return pay


def bought(pair: Pair, cause: Cause = Cause.INVOICE, of: bytes = NAME) -> bytes:
    """Ana pays Bo for an invoice."""
    pay = offered(pair.ana, cause, of)
    pair.sync()
    pair.bo.accept(pay)
    pair.sync()
    pair.ana.settle(pay)
    pair.sync()
    return pay


def slip(one: Holder, pay: bytes, mine: bool) -> Slip | None:
    assert one.one
    found = payments.found(one.tx, one.side.contact, mine, pay)
    assert isinstance(found, Paid)
    return receipts.of(one.tx, found)


async def test_both_have_the_receipt_that_the_payee_wrote_also_when_all_is_folded_anew(pair: Pair) -> None:
    pay = bought(pair)
    assert slip(pair.ana, pay, mine=True) is None
    pair.bo.say(Receipt(pay, NAME, "1 coffee"))
    pair.sync()
    for again in (False, True):
        ours, theirs = slip(pair.ana, pay, mine=True), slip(pair.bo, pay, mine=False)
        assert ours == theirs
        assert ours is not None
        assert (ours.invoice, ours.lines) == (NAME, "1 coffee")
        for one in (pair.ana, pair.bo):
            if not again:
                one.tx.execute("DELETE FROM tab_mark")
                one.tx.execute("UPDATE receipt SET lines = 'of a half that is gone'")
                one.forget_images()
    pair.agree()


async def test_the_payers_own_word_is_no_receipt_and_neither_is_one_for_something_else(pair: Pair) -> None:
    pay = bought(pair)
    pair.ana.say(Receipt(pay, NAME, "a yacht"))
    pair.bo.say(Receipt(bytes(16), NAME, "a yacht"))
    pair.sync()
    assert slip(pair.ana, pay, mine=True) is slip(pair.bo, pay, mine=False) is None
    pair.bo.say(Receipt(pay, bytes(32), "another invoice"))
    pair.bo.say(Receipt(pay, NAME, "the first word counts"))
    pair.sync()
    assert slip(pair.ana, pay, mine=True) is slip(pair.bo, pay, mine=False) is None
    lunch = bought(pair, Cause.NONE, b"")
    pair.bo.say(Receipt(lunch, b"".ljust(32), "a lunch was no purchase"))
    waits = offered(pair.ana)
    pair.sync()
    pair.bo.say(Receipt(waits, NAME, "it is not paid"))
    pair.sync()
    assert slip(pair.ana, lunch, mine=True) is slip(pair.ana, waits, mine=True) is None


async def test_an_invoice_is_expected_in_whole_and_anything_else_up_to_its_amount(pair: Pair) -> None:
    pays = [offered(pair.ana), offered(pair.ana, Cause.BILL, b"b" * 16)]
    pair.sync()
    assert pair.bo.one
    tx, contact = pair.bo.tx, pair.bo.side.contact
    rows = [payments.found(tx, contact, False, pay) for pay in pays]
    for most, wanted in ((6, [False, True]), (5, [True, True]), (4, [False, False])):
        expected.expect(tx, contact, Cause.INVOICE, NAME, UNIT, most)
        expected.expect(tx, contact, Cause.BILL, b"b" * 16, UNIT, most)
        assert [expected.holds(tx, row) for row in rows if row is not None] == wanted
    expected.expect(tx, contact, Cause.INVOICE, NAME, UNIT, 5)
    expected.expect_no_more(tx, contact, Cause.INVOICE, NAME)
    assert [expected.holds(tx, row) for row in rows if row is not None] == [False, False]
