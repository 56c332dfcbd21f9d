"""Proofs of rollbacks convict whoever signed what cannot be, and nobody else (invariant 8; spine.md 5)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Forged, Malformed, PeerFault
from protocol import entry, evidence, record
from protocol.entry import Kind
from protocol.evidence import Contradiction, NoRollback, Rollback
from protocol.log import Fork, Head
from tests.protocol import chains, spines
from tests.protocol.chains import ANA, BO

WROTE = spines.wrote()
FIRST = WROTE.lines[0]
CONTRADICTION, ROLLBACK = WROTE.contradiction(), WROTE.rollback()


def against(raw: bytes) -> Contradiction:
    """A proof with this entry of the first log."""
    return replace(CONTRADICTION, entry=raw)


def test_an_entry_in_the_place_of_a_committed_head_convicts() -> None:
    for of_branch, index in ((1, 1), (2, 0), (0, 2)):
        proof = against(WROTE.branch(of_branch)[index].raw)
        header, found = proof.check()
        assert header == WROTE.header
        assert found.body.seq == FIRST.head.seq
        assert evidence.accused(proof) == (ANA.public, FIRST.log)


def test_an_entry_that_should_follow_a_committed_head_convicts() -> None:
    assert evidence.accused(against(WROTE.branch(1)[2].raw)) == (ANA.public, FIRST.log)


def test_a_later_spine_with_a_lower_or_another_head_convicts() -> None:
    other = WROTE.later((FIRST._replace(head=chains.head_of(WROTE.branch(2)[0])), *WROTE.lines[1:]))
    for later in (WROTE.lowered(0), WROTE.lowered(1), other):
        proof = replace(ROLLBACK, later=later.committed(FIRST.log))
        assert evidence.accused(proof) == (ANA.public, FIRST.log)


def test_two_spines_in_one_place_are_a_fork_like_any_other() -> None:
    one, other = WROTE.later(WROTE.lines), WROTE.lowered(1)
    proof = Fork.of(one.header.raw, other.header.raw)
    assert evidence.accused(proof) == (ANA.public, WROTE.spine)


# --- nobody honest is accused


def test_what_an_honest_author_wrote_convicts_nobody() -> None:
    for one in (*WROTE.logs[0], chains.next_entry(FIRST.head, key=ANA, of=FIRST.log)):
        with pytest.raises(NoRollback):
            against(one.raw).check()
    grown = WROTE.later((FIRST._replace(head=Head(9, bytes(32))), *WROTE.lines[1:]))
    for later in (WROTE.later(WROTE.lines), grown):
        with pytest.raises(NoRollback):
            replace(ROLLBACK, later=later.committed(FIRST.log)).check()


def test_an_entry_far_from_the_committed_head_says_nothing() -> None:
    for one in (WROTE.branch(0)[0], WROTE.branch(1)[0]):
        with pytest.raises(NoRollback):
            against(one.raw).check()


def test_the_earlier_spine_may_have_the_lower_head() -> None:
    earlier, later = ROLLBACK.later, ROLLBACK.earlier
    with pytest.raises(NoRollback):
        replace(ROLLBACK, earlier=earlier, later=later).check()
    with pytest.raises(NoRollback):
        replace(ROLLBACK, later=ROLLBACK.earlier).check()


def test_spines_of_two_logs_are_not_compared() -> None:
    of = b"another spine..."
    lowered = (FIRST._replace(head=chains.head_of(WROTE.logs[0][0])), *WROTE.lines[1:])
    first = spines.spun(ANA, of, lowered)
    second = spines.spun(ANA, of, lowered, chains.head_of(first.header))
    with pytest.raises(NoRollback):
        replace(ROLLBACK, later=second.committed(FIRST.log)).check()


def test_only_entries_of_the_kind_spine_commit() -> None:
    for kind in (Kind.PUBLIC, Kind.SEALED):
        claimed = spines.spun(ANA, WROTE.spine, WROTE.lines, kind=kind)
        with pytest.raises(Malformed):
            replace(CONTRADICTION, committed=claimed.committed(FIRST.log)).check()


def test_nobody_makes_a_leaf_speak_of_another_log() -> None:
    second = WROTE.lines[1]
    other = chains.chain(3, branch=b"x", key=ANA, of=second.log)
    for key in (FIRST.key, second.key, bytes(32)):
        with pytest.raises(Forged):
            replace(CONTRADICTION, key=key, entry=other[2].raw).check()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("author", BO.public),
        ("key", bytes(32)),
        ("entry", chains.unsigned(WROTE.branch(1)[1]).raw),
        ("entry", chains.chain(3, key=BO, of=FIRST.log)[2].raw),
        ("entry", chains.chain(3, key=ANA, of=chains.OTHER)[2].raw),
        ("committed", replace(CONTRADICTION.committed, content=WROTE.lowered(1).content)),
        ("committed", replace(CONTRADICTION.committed, seq=1)),
        ("committed", replace(CONTRADICTION.committed, head=bytes(32))),
        ("committed", replace(CONTRADICTION.committed, path=CONTRADICTION.committed.path[1:])),
        ("committed", replace(CONTRADICTION.committed, at=CONTRADICTION.committed.at ^ 1)),
        ("committed", replace(CONTRADICTION.committed, entry=chains.unsigned(WROTE.header).raw)),
    ],
)
def test_a_proof_with_one_thing_changed_is_none(field: str, value: Any) -> None:
    with pytest.raises((Forged, Malformed)):
        replace(CONTRADICTION, **{field: value}).check()


@given(st.sampled_from([CONTRADICTION, ROLLBACK]), st.integers(0, 20_000))
def test_no_flipped_bit_leaves_a_proof(proof: Contradiction | Rollback, place: int) -> None:
    raw = bytearray(proof.encode())
    raw[place // 8 % len(raw)] ^= 1 << place % 8
    with pytest.raises(PeerFault):
        evidence.decode(bytes(raw)).check()


def test_proofs_are_read_as_written() -> None:
    fork = Fork.of(WROTE.logs[0][2].raw, WROTE.branch(1)[1].raw)
    for proof in (fork, CONTRADICTION, ROLLBACK):
        assert evidence.decode(record.encode(proof)) == proof
        assert len(record.encode(proof)) < 2_000
    assert evidence.decode(CONTRADICTION.encode()).check()[1].raw == CONTRADICTION.entry


def test_the_largest_proof_fits() -> None:
    acks = tuple(entry.Ack(b"l" * 16, entry.SEQ_MAX, b"i" * 32) for _ in range(entry.ACKS_MAX))
    longest = chains.body(entry.SEQ_MAX, bytes(32), at_ms=entry.AT_MS_MAX, acks=acks)
    raw = entry.write(longest, ANA).raw
    committed = replace(
        CONTRADICTION.committed, entry=raw, content=bytes(40), at=2**20 - 1, seq=entry.SEQ_MAX, path=(bytes(32),) * 20
    )
    for proof in (
        replace(CONTRADICTION, committed=committed, entry=raw),
        replace(ROLLBACK, earlier=committed, later=committed),
    ):
        assert evidence.decode(proof.encode()) == proof
