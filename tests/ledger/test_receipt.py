"""What shows that an invoice was paid: a receipt in the payee's half, or the preimage of its lock (ledger 9.4)."""

import pytest

from ledger import path
from ledger.payment import Side
from ledger.tab import Said, Tab, lock_of
from ledger.terms import LINES_BYTES_MAX, Accept, Cause, Offer, Receipt, Settle, Term
from protocol import invoice, record
from protocol.faults import OverLimit
from tests.protocol.invoices import bill

PAY, PREIMAGE = b"p" * 16, b"x" * 32
BILL = bill(lock=lock_of(PREIMAGE))


def test_the_preimage_of_its_lock_proves_that_it_was_paid() -> None:
    assert path.proves(BILL, PREIMAGE)
    assert not path.proves(BILL, bytes(32))
    assert not path.proves(bill(), PREIMAGE)


def test_a_receipt_names_payment_and_invoice_and_changes_nothing() -> None:
    name = invoice.name(BILL)
    offer = Offer(PAY, "EUR", BILL.amount, BILL.expires_ms, cause=int(Cause.INVOICE), of=name)
    receipt = Receipt(PAY, name, "1 coffee")
    said: tuple[tuple[Side, Term], ...] = (
        (Side.LOW, offer),
        (Side.HIGH, Accept(PAY, bytes(32))),
        (Side.LOW, Settle(PAY, bytes(32))),
        (Side.HIGH, receipt),
    )
    tab = Tab()
    for side, term in said:
        tab.take(side, Said(tab.heads[side.other], term, bytes(32)))
        if term is said[2][1]:
            before = (tab.balance(Side.HIGH, "EUR"), dict(tab.payments))
    assert (tab.balance(Side.HIGH, "EUR"), dict(tab.payments)) == before
    assert before[0] == BILL.amount
    (one,) = tab.payments.values()
    assert (one.cause, one.of) == (Cause.INVOICE, receipt.invoice)
    assert record.decode(Receipt, record.encode(receipt), 2_048) == receipt


@pytest.mark.parametrize(
    ("pay", "of", "lines"),
    [(b"", bytes(32), ""), (PAY, bytes(31), ""), (PAY, bytes(32), "x" * (LINES_BYTES_MAX + 1))],
)
def test_a_receipt_keeps_to_its_limits(pay: bytes, of: bytes, lines: str) -> None:
    with pytest.raises(OverLimit):
        Receipt(pay, of, lines)
