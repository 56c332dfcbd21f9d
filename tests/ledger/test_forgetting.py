"""A tab forgets what is over, also what its payee attested before he acknowledged that it was taken back."""

from ledger.payment import Stage
from ledger.tab import Said, Tab
from ledger.terms import Ackn
from tests.ledger.explorer import KEY, TERMS, Cosigned, P, R, Word, _attest


def test_a_void_that_lost_to_a_witness_is_acknowledged_after_it_was_forgotten() -> None:
    tab, accept = Tab(), b"a" * 32
    tab.take(P, Said(0, TERMS[Word.OFFER], bytes(32)))
    tab.take(R, Said(1, TERMS[Word.ACCEPT], accept))
    tab.take(P, Said(0, TERMS[Word.VOID], bytes(32)))
    tab.take(R, Said(0, _attest(accept, Cosigned.IN_TIME), bytes(32)))
    assert tab.payments[KEY].stage is Stage.SETTLED
    tab.forget_what_is_over()
    assert KEY not in tab.payments
    tab.take(R, Said(2, Ackn(), bytes(32)))
    assert tab.debts == {"EUR": -5}
