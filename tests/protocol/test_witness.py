"""Invariant 12: a witness never signs a smaller or a different head, whatever comes in whatever order.

The rule is C2SP's: check, put on the disk, and only then sign (spine.md 4).
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crypto.faults import Forged, Malformed
from protocol import entry, witness
from protocol.entry import Ack, Entry
from protocol.log import Head
from protocol.witness import Accuse, Ask, Doubt, Persist, Sign, Witness
from tests import depth
from tests.protocol import chains, spines
from tests.protocol.chains import ANA

OF, NEXT = b"spine of ana....", b"another of ana.."


def chain(
    count: int, head: Head | None = None, of: bytes = OF, say: int = 0, acks: tuple[Ack, ...] = ()
) -> tuple[Entry, ...]:
    """So many entries of a spine after a head; say: what tells branches apart."""
    found = []
    for _ in range(count):
        made = spines.spun(ANA, of, (), head, acks if head is None else ())
        one = entry.write(_with_time(made.header, say), ANA)
        head = chains.head_of(one)
        found.append(one)
    return tuple(found)


def _with_time(header: Entry, say: int) -> entry.Body:
    body = header.body
    return entry.Body(
        body.author,
        body.log,
        body.seq,
        body.prev,
        body.at_ms + say,
        body.acks,
        body.kind,
        body.content_length,
        body.content_hash,
    )


CHAIN = chain(6)
BRANCH = chain(3, chains.head_of(CHAIN[1]), say=1)


def seen(count: int) -> Witness:
    """A witness who has signed so many of the chain."""
    return Witness(seen=CHAIN[count - 1]) if count else Witness()


def test_it_is_signed_after_it_is_on_the_disk() -> None:
    state, effects = witness.offer(Witness(), CHAIN[:3])
    assert effects == (Persist(CHAIN[2]),)
    assert state.seen is None
    assert witness.offer(state, CHAIN[:4]) == (state, ())
    state, effects = witness.persisted(state)
    assert effects == (Sign(CHAIN[2].id),)
    assert witness.head(state) == chains.head_of(CHAIN[2])


def test_what_was_lost_before_the_disk_is_offered_again_and_what_was_lost_after_it_signed_again() -> None:
    state, _ = witness.offer(seen(2), CHAIN[2:3])
    assert witness.offer(seen(2), CHAIN[2:3])[1] == (Persist(CHAIN[2]),)
    state, _ = witness.persisted(state)
    assert witness.offer(Witness(seen=state.seen), CHAIN[2:3])[1] == (Sign(CHAIN[2].id),)


@pytest.mark.parametrize("count", range(1, 6))
def test_what_is_older_is_not_signed_and_accuses_nobody(count: int) -> None:
    for last in range(1, count):
        assert witness.offer(seen(count), CHAIN[:last]) == (seen(count), ())


def test_a_gap_is_asked_for() -> None:
    assert witness.offer(seen(2), CHAIN[4:]) == (seen(2), (Ask(2),))
    assert witness.offer(seen(2), CHAIN[1:])[1] == (Persist(CHAIN[5]),)


def test_a_branch_is_a_proof_and_nothing_is_signed_after_it() -> None:
    assert witness.offer(seen(3), BRANCH[1:])[1] == (Ask(2),)
    state, effects = witness.offer(seen(3), BRANCH)
    (accused,) = effects
    assert isinstance(accused, Accuse)
    accused.proof.check()
    assert witness.offer(state, CHAIN[2:4]) == (state, ())
    assert witness.offer(state, CHAIN[2:3]) == (state, ())


def test_a_branch_below_what_was_seen_is_not_signed() -> None:
    assert witness.offer(seen(5), BRANCH[:2]) == (seen(5), ())


def test_an_entry_without_a_good_signature_convicts_nobody() -> None:
    bad = chains.unsigned(BRANCH[0])
    run = (bad, *chain(1, chains.head_of(bad)))
    with pytest.raises(Forged):
        witness.offer(seen(3), run)


def test_only_spines_are_signed() -> None:
    for run in (chains.chain(1), (*CHAIN[:2], *chains.chain(1, chains.head_of(CHAIN[1]), of=OF))):
        with pytest.raises(Malformed):
            witness.offer(Witness(), run)


def test_another_spine_follows_when_it_acknowledges_the_newest_that_was_seen() -> None:
    newest = chains.head_of(CHAIN[2])
    good = chain(2, of=NEXT, acks=(Ack(OF, *newest),))
    state, effects = witness.offer(seen(3), good)
    assert effects == (Persist(good[1]),)
    state, effects = witness.persisted(state)
    assert effects == (Sign(good[1].id),)
    # The one before is over: neither its old nor its new entries are signed.
    assert witness.offer(state, CHAIN) == (state, ())
    assert witness.offer(seen(3), good[1:])[1] == (Ask(0),)


@pytest.mark.parametrize(
    "ack", [None, Ack(OF, *chains.head_of(CHAIN[1])), Ack(OF, 2, bytes(32)), Ack(NEXT, *chains.head_of(CHAIN[2]))]
)
def test_another_spine_that_does_not_follow_waits_for_a_person(ack: Ack | None) -> None:
    other = chain(2, of=NEXT, acks=() if ack is None else (ack,))
    assert witness.offer(seen(3), other) == (seen(3), (Doubt(other[0]),))
    state, effects = witness.trust(seen(3), other[0])
    assert effects == (Persist(other[0]),)
    state, _ = witness.persisted(state)
    assert witness.offer(state, other)[1] == (Persist(other[1]),)
    assert witness.offer(state, CHAIN) == (state, ())


def test_how_many_spines_an_author_may_leave_behind_is_bounded() -> None:
    state = Witness()
    for number in range(40):
        acks = () if state.seen is None else (Ack(state.seen.body.log, *chains.head_of(state.seen)),)
        state, _ = witness.offer(state, chain(1, of=number.to_bytes(16, "big"), acks=acks))
        state, _ = witness.persisted(state)
    assert len(state.before) == witness.BEFORE_MAX


class Witnessed(RuleBasedStateMachine):
    """An author who writes two branches, and a witness who is offered any part of them and loses power."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.disk = Witness(), Witness()
        self.signed: list[bytes] = []

    @rule(branch=st.booleans(), first=st.integers(0, 5), count=st.integers(1, 6))
    def offer(self, branch: bool, first: int, count: int) -> None:
        whole = (*CHAIN[:2], *BRANCH) if branch else CHAIN
        run = whole[first : first + count]
        if run:
            self.state, effects = witness.offer(self.state, run)
            for effect in effects:
                if isinstance(effect, Accuse):
                    effect.proof.check()
                    self.disk = self.state
                elif isinstance(effect, Sign):
                    self.signed.append(effect.subject)

    @rule(is_lost=st.booleans())
    def write(self, is_lost: bool) -> None:
        if self.state.pending is None:
            return
        if is_lost:
            self.state = self.disk
            return
        self.state, effects = witness.persisted(self.state)
        self.disk = self.state
        for effect in effects:
            assert isinstance(effect, Sign)
            self.signed.append(effect.subject)

    @rule()
    def lose_power(self) -> None:
        self.state = self.disk

    @invariant()
    def what_was_signed_is_one_chain_and_only_grows(self) -> None:
        places = {one.id: one.body.seq for one in (*CHAIN, *BRANCH)}
        seqs = [places[one] for one in self.signed]
        assert seqs == sorted(seqs)
        for whole in (CHAIN, (*CHAIN[:2], *BRANCH)):
            ids = {one.id for one in whole}
            if set(self.signed) <= ids:
                return
        raise AssertionError("two branches were signed")


Witnessed.TestCase.settings = settings(max_examples=5 * depth.EXAMPLES, stateful_step_count=30, deadline=None)
TestWitnessed = Witnessed.TestCase
