"""Logs: ids, the chain rule, runs under one signature, proofs of forks that accuse nobody wrongly (log.md 2, 4)."""

import ast
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.faults import Forged, Malformed, PeerFault
from protocol import entry, log
from protocol.entry import Entry
from protocol.log import BrokenChain, Fork, Head, NoFork
from tests import depth, rules, sources
from tests.protocol import chains
from tests.protocol.chains import ANA, BO, LOG, OTHER, SECRET, chain, head_of, raws

CHAIN = chain(5)
BRANCH = chain(3, head_of(CHAIN[1]), b"another")
UGLY = entry.parse_without_looking_at_the_signature.__name__


def test_the_id_of_a_log_is_keyed_blake2b_128() -> None:
    message = b"weft/1/log\x00" + ANA.public + (7).to_bytes(8, "big")
    assert log.log_id(SECRET, ANA.public, 7) == hashlib.blake2b(message, digest_size=16, key=SECRET).digest()
    ids = {
        log.log_id(secret, author, epoch)
        for secret in (SECRET, bytes(32))
        for author in (ANA.public, BO.public)
        for epoch in (0, 1, log.EPOCH_MAX)
    }
    assert len(ids) == 12


@pytest.mark.house
def test_only_the_log_asks_for_entries_that_nobody_checked() -> None:
    callers = {
        path
        for path, tree in sources.product().items()
        for node in rules.walked(tree)
        if isinstance(node, ast.Attribute | ast.Name) and UGLY in (getattr(node, "attr", ""), getattr(node, "id", ""))
    }
    assert callers == {"protocol/entry.py", "protocol/log.py", "protocol/log_file.py"}


# --- the chain


def test_a_chain_follows() -> None:
    head = None
    for one in CHAIN:
        head = log.follow(head, one)
        assert head == head_of(one)


@pytest.mark.parametrize(
    ("head", "one"),
    [
        (None, CHAIN[1]),
        (head_of(CHAIN[0]), CHAIN[0]),
        (head_of(CHAIN[0]), CHAIN[2]),
        (head_of(CHAIN[1]), CHAIN[1]),
        (Head(0, bytes(32)), CHAIN[1]),
        (Head(1, CHAIN[0].id), CHAIN[1]),
        (head_of(CHAIN[2]), BRANCH[1]),
    ],
)
def test_what_does_not_follow_breaks_the_chain(head: Head | None, one: Entry) -> None:
    with pytest.raises(BrokenChain):
        log.follow(head, one)


# --- runs


@given(st.integers(0, 4), st.integers(1, 5))
def test_a_run_is_taken_from_any_head(start: int, count: int) -> None:
    part = CHAIN[start : start + count]
    head = head_of(CHAIN[start - 1]) if start else None
    assert log.check_run(raws(part), head, ANA.public, LOG) == part


def test_a_run_needs_its_head() -> None:
    for head in (None, head_of(CHAIN[0]), head_of(BRANCH[0])):
        with pytest.raises(BrokenChain):
            log.check_run(raws(CHAIN[2:]), head, ANA.public, LOG)


@pytest.mark.parametrize("lost", range(4))
def test_a_run_with_a_gap_a_double_or_a_swap_is_refused(lost: int) -> None:
    found = list(raws(CHAIN))
    swapped = [*found[:lost], found[lost + 1], found[lost], *found[lost + 2 :]]
    for run in (found[:lost] + found[lost + 1 :], found[: lost + 1] + found[lost:], swapped):
        with pytest.raises(BrokenChain):
            log.check_run(run, None, ANA.public, LOG)


@given(st.integers(0, 4), st.integers(1, 5))
def test_a_piece_begins_anywhere(start: int, count: int) -> None:
    part = CHAIN[start : start + count]
    assert log.check_piece(raws(part), ANA.public, LOG) == part


@given(st.sampled_from(range(1, 5)), st.sampled_from([CHAIN[0].id, CHAIN[1].id, BRANCH[1].id, bytes(32)]))
def test_the_chain_rule_holds_inside_a_piece(seq: int, prev: bytes) -> None:
    one = entry.write(chains.body(seq, prev), ANA)
    pieces = (raws((CHAIN[1], one)), raws((CHAIN[0], CHAIN[1], one)))
    try:
        log.follow(head_of(CHAIN[1]), one)
    except BrokenChain:
        for piece in pieces:
            with pytest.raises(BrokenChain):
                log.check_piece(piece, ANA.public, LOG)
    else:
        assert [log.check_piece(piece, ANA.public, LOG)[-1] for piece in pieces] == [one, one]


def test_a_run_is_of_one_author_and_one_log() -> None:
    for one in (chain(1, head_of(CHAIN[4]), key=BO), chain(1, head_of(CHAIN[4]), of=OTHER)):
        with pytest.raises(Forged):
            log.check_run(raws((*CHAIN, *one)), None, ANA.public, LOG)
    with pytest.raises(Forged):
        log.check_run(raws(CHAIN), None, BO.public, LOG)
    with pytest.raises(Forged):
        log.check_run(raws(CHAIN), None, ANA.public, OTHER)


@settings(max_examples=5 * depth.EXAMPLES, deadline=None)
@given(st.integers(0, 4), st.integers(0, 10_000))
def test_the_last_signature_covers_every_byte_of_the_run(index: int, place: int) -> None:
    found = [bytearray(one.raw) for one in CHAIN]
    bit = place % (8 * len(found[index]))
    found[index][bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerFault):
        log.check_run([bytes(raw) for raw in found], None, ANA.public, LOG)


def test_the_last_signature_is_checked() -> None:
    with pytest.raises(Forged):
        log.check_run(raws((*CHAIN[:4], chains.unsigned(CHAIN[4]))), None, ANA.public, LOG)


def test_a_bad_signature_inside_a_run_is_its_authors_and_no_evidence() -> None:
    bad = chains.unsigned(CHAIN[1])
    run = (CHAIN[0], bad, *chain(1, head_of(bad)))
    assert log.check_run(raws(run), None, ANA.public, LOG) == run
    with pytest.raises(Forged):
        entry.open(bad.raw, ANA.public)


def test_a_run_has_1_to_1024_entries() -> None:
    for count in (0, log.RUN_ENTRIES_MAX + 1):
        with pytest.raises(Malformed):
            log.check_run([CHAIN[0].raw] * count, None, ANA.public, LOG)


def test_what_was_stored_is_recalled() -> None:
    assert tuple(log.recall(one.raw) for one in CHAIN) == CHAIN


# --- forks


@given(st.integers(0, 2))
def test_two_branches_are_a_proof_that_stands_alone(index: int) -> None:
    one, other = CHAIN[2 + index], BRANCH[index]
    proof = Fork.of(one.raw, other.raw)
    assert proof == Fork.of(other.raw, one.raw)
    found = Fork.decode(proof.encode())
    assert found == proof
    assert {entry.id for entry in found.check()} == {one.id, other.id}


def test_another_time_alone_is_a_fork_too() -> None:
    later = chains.next_entry(head_of(CHAIN[1]), at_ms=chains.AT_MS + 1)
    assert Fork.of(CHAIN[2].raw, later.raw).check()


FOREIGN = chain(3, key=BO, of=LOG)


@pytest.mark.parametrize(
    "other",
    [
        CHAIN[2],  # the same bytes
        CHAIN[3],  # the next place
        chains.next_entry(head_of(CHAIN[1]), of=OTHER),
        FOREIGN[2],
    ],
)
def test_an_honest_author_is_not_accused(other: Entry) -> None:
    with pytest.raises(NoFork):
        Fork.of(CHAIN[2].raw, other.raw).check()


def test_what_nobody_signed_accuses_nobody() -> None:
    forged = (
        chains.unsigned(BRANCH[0]).raw,
        chains.signed(chains.payload(BRANCH[0]), BO),  # Bo signs in Ana's name
        CHAIN[2].raw[:-64] + CHAIN[2].raw[-32:] + CHAIN[2].raw[-64:-32],
    )
    for raw in forged:
        with pytest.raises(Forged):
            Fork.of(CHAIN[2].raw, raw).check()


def test_a_proof_has_one_order() -> None:
    one, other = sorted((CHAIN[2].raw, BRANCH[0].raw))
    assert Fork(one, other).check()
    with pytest.raises(NoFork):
        Fork(other, one).check()


def test_a_proof_of_malformed_entries_is_malformed() -> None:
    with pytest.raises(Malformed):
        Fork(bytes(entry.ENTRY_BYTES_MIN), CHAIN[2].raw).check()


def test_a_proof_is_small() -> None:
    assert len(Fork.of(CHAIN[2].raw, BRANCH[0].raw).encode()) < 450
    largest = Fork(bytes(entry.ENTRY_BYTES_MAX), bytes(entry.ENTRY_BYTES_MAX)).encode()
    assert len(largest) <= log.FORK_BYTES_MAX
    assert Fork.decode(largest).encode() == largest
    with pytest.raises(Malformed):
        Fork.decode(largest + b"\x00")
