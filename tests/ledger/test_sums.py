"""What a tab and a book keep beside the fold: sums, order, images, the other's view; whatever anybody writes."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import book, image
from ledger.book import Book, Difference
from ledger.payment import Side
from ledger.tab import Said, Tab, lock_of
from ledger.terms import Accept, Ackn, Decline, Limit, Lock, Offer, Release, Reveal, Settle, Term, Void
from tests import depth

UNITS = ("EUR", "h")
PREIMAGE = b"x" * 32

pays = st.integers(1, 12).map(lambda n: n.to_bytes(16, "big"))
units = st.sampled_from(UNITS)
amounts = st.integers(1, 9)
terms: st.SearchStrategy[Term] = st.one_of(
    st.builds(Limit, units, st.integers(0, 20)),
    st.builds(lambda pay, unit, amount: Offer(pay, unit, amount, 1), pays, units, amounts),
    st.builds(lambda pay, unit, amount: Lock(pay, unit, amount, lock_of(PREIMAGE), 1), pays, units, amounts),
    st.builds(lambda pay: Accept(pay, bytes(32)), pays),
    st.builds(lambda pay: Settle(pay, bytes(32)), pays),
    st.builds(Decline, pays),
    st.builds(Void, pays),
    st.builds(lambda pay: Reveal(pay, PREIMAGE), pays),
    st.builds(Release, pays),
    st.builds(Ackn),
)
steps = st.lists(st.tuples(st.sampled_from(Side), terms, st.integers(0, 3), st.booleans()), max_size=60)


@dataclass
class Plain:
    """Both views of a tab as two folds: what a book has to come to."""

    side: Side
    tab: Tab = field(default_factory=Tab)
    theirs: Tab = field(default_factory=Tab)
    unseen: list[Said] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def write(self, said: Said) -> None:
        self.tab.take(self.side, said)
        self.unseen.append(said)

    def hear(self, said: Said) -> None:
        other = self.side.other
        self.tab.take(other, said)
        while self.theirs.heads[self.side] < said.ack:
            self.theirs.take(self.side, self.unseen.pop(0))
        if isinstance(said.term, Accept | Settle) and self.theirs.state() != said.term.state:
            self.differences.append(Difference(self.theirs.heads[other], said.term.state, self.theirs.state()))
        self.theirs.take(other, said)


def _lived(life: list[Any], behind_max: int) -> tuple[Book, Plain]:
    """A book and what it has to come to, after all of this. Some say truly how they stood."""
    one, plain = Book(Side.LOW, behind_max=behind_max), Plain(Side.LOW)
    for at, (side, term, unseen, is_true) in enumerate(life):
        view = plain.tab if side is Side.LOW else plain.theirs
        if is_true and isinstance(term, Accept | Settle):
            term = type(term)(term.pay, view.state())
        ack = max(0, plain.tab.heads[side.other] - unseen)
        said = Said(ack, term, at.to_bytes(32, "big"))
        for each in (one, plain):
            (each.write if side is Side.LOW else each.hear)(said)
        if at % behind_max == 0:
            one.forget_what_is_over()
    return one, plain


@given(steps, st.integers(1, 7))
@settings(max_examples=depth.EXAMPLES * 5, deadline=None)
def test_a_book_finds_what_two_folds_find(life: list[Any], every: int) -> None:
    one, plain = _lived(life, every)
    assert one.differences == plain.differences[: book.DIFFERENCES_MAX]
    assert one.tab.state() == plain.tab.state()
    assert one.is_even is (not plain.unseen)


@given(steps, st.integers(1, 7))
@settings(max_examples=depth.EXAMPLES * 5, deadline=None)
def test_sums_are_those_of_what_is_open_and_an_image_goes_on_as_the_tab_does(life: list[Any], every: int) -> None:
    tab = _lived(life, every)[0].tab
    again = image.tab(image.of(tab))
    for each in (tab, again):
        opened = [*each.open()]
        assert opened == sorted(opened, key=lambda one: (one.payer, one.pay))
        for payer in Side:
            for unit in UNITS:
                of = [one for one in opened if (one.payer, one.unit) == (payer, unit)]
                assert each.reserved(payer, unit) == sum(one.amount for one in of)
                assert each.bound(payer, unit) == sum(one.amount for one in of if one.is_taken or one.lock is not None)
    for side, term in ((Side.LOW, Ackn()), (Side.HIGH, Ackn()), *((side, term) for side, term, *_ in life)):
        for each in (tab, again):
            each.take(side, Said(each.heads[side.other], term, bytes(32)))
        assert tab.state() == again.state()
        assert {*tab.open()} == {*again.open()}


def test_a_state_of_many_rows_is_not_compared() -> None:
    one = Book(Side.LOW)
    for n in range(book.COMPARED_MAX + 1):
        one.hear(Said(0, Offer(n.to_bytes(16, "big"), "EUR", 1, 1), bytes(32)))
    one.hear(Said(0, Settle(bytes(16), bytes(32)), bytes(32)))
    assert one.differences == []
    one.write(Said(one.tab.heads[1], Decline(bytes(16)), bytes(32)))
    one.hear(Said(1, Settle(bytes(16), bytes(32)), bytes(32)))
    assert len(one.differences) == 1
