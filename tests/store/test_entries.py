"""Logs on the disk: appending, taking in, quarantine, forks, contents, and one's own log after a restore (log.md 5)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto.faults import Forged, Malformed
from protocol import entry, log
from protocol.entry import Ack, Kind
from protocol.log import BrokenChain, Fork, NoFork
from store import entries, logs, schema, unchained
from store.database import Tx, Worker, changes_after, newest_change, open_database
from store.entries import Draft
from store.faults import LogFrozen
from store.logs import State
from tests.protocol import chains
from tests.protocol.chains import ANA, AT_MS, BO, CONTENT, LOG, OTHER, chain, head_of
from tests.store import log_kit

CHAIN = chain(12)
BRANCH = chain(6, head_of(CHAIN[3]), b"another")  # the same places from 4 on
DRAFTS = tuple(Draft(kind, f"content {kind.name}".encode()) for kind in Kind)


@pytest.fixture
def tx() -> Iterator[Tx]:
    with log_kit.open_tx() as opened:
        yield opened


# --- logs


def test_a_log_is_begun_once(tx: Tx) -> None:
    first = log_kit.theirs(tx)
    assert log_kit.theirs(tx) == first == logs.log(tx, first.number) == logs.by_id(tx, LOG)
    assert (first.author, first.secret, first.own, first.state) == (ANA.public, log_kit.REF, False, State.OK)
    assert entries.head(tx, first.number) is None
    assert logs.by_id(tx, OTHER) is None
    mine = log_kit.mine(tx)
    assert logs.every(tx) == (first, mine)


# --- appending


def test_what_is_appended_is_signed_chained_and_there(tx: Tx) -> None:
    mine = log_kit.mine(tx)
    ack = Ack(LOG, 5, bytes(32))
    made = entries.append(tx, mine.number, (*DRAFTS, Draft(Kind.PUBLIC, b"", (ack,))), ANA, AT_MS)
    made += entries.append(tx, mine.number, DRAFTS, ANA, AT_MS + 1)
    assert log_kit.raws(tx, mine.number) == chains.raws(made)
    assert [one.body.seq for one in made] == list(range(7))
    assert [entry.open(one.raw, ANA.public) for one in made] == list(made)
    assert made[3].body.acks == (ack,)
    assert [one.content for one in log_kit.held(tx, mine.number)][:4] == [*(draft.content for draft in DRAFTS), b""]
    assert entries.head(tx, mine.number) == head_of(made[-1])


def test_logs_lie_beside_each_other(tx: Tx) -> None:
    mine, theirs = log_kit.mine(tx), log_kit.theirs(tx)
    made = entries.append(tx, mine.number, DRAFTS, ANA, AT_MS)
    log_kit.take(tx, theirs.number, CHAIN)
    assert log_kit.raws(tx, mine.number) == chains.raws(made)
    assert log_kit.raws(tx, theirs.number) == chains.raws(CHAIN)


# --- taking in


def test_runs_are_taken_in_order_and_again(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    assert log_kit.take(tx, number, CHAIN[:5]).entries == CHAIN[:5]
    assert log_kit.take(tx, number, CHAIN[:5]) == entries.Taken()
    assert log_kit.take(tx, number, CHAIN[1:3]) == entries.Taken()
    assert log_kit.take(tx, number, CHAIN[3:8]).entries == CHAIN[5:8]
    assert log_kit.take(tx, number, CHAIN[8:]).entries == CHAIN[8:]
    assert log_kit.raws(tx, number) == chains.raws(CHAIN)


def test_what_comes_too_early_waits(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    assert log_kit.take(tx, number, CHAIN[6:8]) == entries.Taken(waiting=2)
    assert log_kit.take(tx, number, CHAIN[7:9]) == entries.Taken(waiting=3)
    assert log_kit.take(tx, number, CHAIN[11:]) == entries.Taken(waiting=4)
    assert log_kit.raws(tx, number) == ()
    assert log_kit.take(tx, number, CHAIN[:6]) == entries.Taken(CHAIN[:9], waiting=1)
    assert log_kit.take(tx, number, CHAIN[9:]).entries == CHAIN[9:]
    assert log_kit.raws(tx, number) == chains.raws(CHAIN)
    assert log_kit.waiting(tx, number) == []


def test_what_waits_brings_its_content(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[1:3])
    log_kit.take(tx, number, CHAIN[3:4], None)
    log_kit.take(tx, number, CHAIN[:3], None)
    assert [one.content for one in log_kit.held(tx, number)] == [None, CONTENT, CONTENT, None]


@pytest.mark.parametrize("start", [0, 2, 5])
def test_a_run_with_a_bad_end_changes_nothing(tx: Tx, start: int) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:3])
    with pytest.raises(Forged):
        log_kit.take(tx, number, (*CHAIN[start:8], chains.unsigned(CHAIN[8])))
    with pytest.raises(Forged):
        log_kit.take(tx, number, chain(2, head_of(CHAIN[2]), key=BO))
    with pytest.raises(Forged):
        log_kit.take(tx, number, chain(2, head_of(CHAIN[2]), of=OTHER))
    with pytest.raises(BrokenChain):
        log_kit.take(tx, number, (CHAIN[3], CHAIN[5]))
    with pytest.raises(Malformed):
        log_kit.take(tx, number, ())
    assert log_kit.raws(tx, number) == chains.raws(CHAIN[:3])
    assert log_kit.waiting(tx, number) == []


def test_a_content_that_is_not_the_one_named_is_refused_with_its_run(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    with pytest.raises(Forged):
        log_kit.take(tx, number, CHAIN[:3], b"Content")
    assert log_kit.raws(tx, number) == ()


def test_one_bad_signature_inside_a_run_is_no_evidence(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    bad = chains.unsigned(CHAIN[1])
    run = (CHAIN[0], bad, *chain(2, head_of(bad)))
    log_kit.take(tx, number, run)
    assert log_kit.raws(tx, number) == chains.raws(run)
    assert entries.entry_at(tx, number, 1) == bad
    with pytest.raises(Forged):
        entries.evidence(tx, number, 1)
    assert entries.evidence(tx, number, 2) == run[2]
    assert entries.evidence(tx, number, 9) is entries.entry_at(tx, number, 9) is None


# --- the quarantine has limits


def test_the_farthest_from_the_head_go_first(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    long = chain(unchained.LOG_COUNT_MAX + 40)
    assert log_kit.take(tx, number, long[20:]).waiting == unchained.LOG_COUNT_MAX
    assert log_kit.waiting(tx, number) == list(range(20, 20 + unchained.LOG_COUNT_MAX))
    assert log_kit.take(tx, number, long[10:20]).waiting == unchained.LOG_COUNT_MAX
    assert log_kit.waiting(tx, number) == list(range(10, 10 + unchained.LOG_COUNT_MAX))
    assert len(log_kit.take(tx, number, long[:10]).entries) == unchained.LOG_COUNT_MAX + 10


def test_large_ones_fill_it_sooner(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    content = bytes(60_000)
    long = chain(40, branch=content)
    log_kit.take(tx, number, long[1:], content)
    assert 10 < len(log_kit.waiting(tx, number)) < 18
    assert log_kit.waiting(tx, number)[0] == 1


def test_a_node_has_one_too(tx: Tx) -> None:
    content = bytes(60_000)
    for epoch in range(40):
        of = log.log_id(chains.SECRET, ANA.public, epoch)
        number = logs.begin(tx, of, ANA.public, b"", own=False).number
        log_kit.take(tx, number, chain(9, branch=content, of=of)[1:], content)
    row = tx.one("SELECT COUNT(*), SUM(bytes), MAX(log) FROM unchained")
    assert row is not None
    assert unchained.NODE_BYTES_MAX - 2 * 61_000 < row[1] <= unchained.NODE_BYTES_MAX
    assert row[2] < 40


def test_what_waits_has_a_good_signature_of_its_own(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    bad = chains.unsigned(CHAIN[6])
    with pytest.raises(Forged):
        log_kit.take(tx, number, (bad, *chain(1, head_of(bad))))
    assert log_kit.waiting(tx, number) == []


# --- forks


def frozen_by(tx: Tx, number: int) -> set[bytes]:
    """The two entries that froze a log, which grows no more."""
    proof = logs.proof(tx, number)
    assert proof is not None
    assert logs.log(tx, number).state is State.FROZEN
    before = log_kit.raws(tx, number)
    assert log_kit.take(tx, number, CHAIN) == entries.Taken()
    assert log_kit.raws(tx, number) == before
    assert not tx.attempt(logs.freeze, tx, proof, AT_MS).unwrap()
    return {one.raw for one in proof.check()}


def test_another_branch_freezes_the_log_with_its_proof(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:8])
    taken = log_kit.take(tx, number, (*CHAIN[2:4], *BRANCH), None)
    assert taken.fork == logs.proof(tx, number)
    assert taken.entries == ()
    assert frozen_by(tx, number) == {CHAIN[4].raw, BRANCH[0].raw}
    assert log_kit.raws(tx, number) == chains.raws(CHAIN[:8])


def test_a_branch_without_its_beginning_is_asked_for_it(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:6])
    with pytest.raises(BrokenChain):
        log_kit.take(tx, number, BRANCH[2:], None)
    log_kit.take(tx, number, BRANCH[1:], None)
    assert frozen_by(tx, number) == {CHAIN[5].raw, BRANCH[1].raw}


def test_two_that_wait_in_one_place_are_a_fork(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[5:7])
    log_kit.take(tx, number, BRANCH[2:4], None)
    assert frozen_by(tx, number) == {CHAIN[6].raw, BRANCH[2].raw}
    assert log_kit.waiting(tx, number) == []


def test_one_that_waits_beside_another_branch_is_a_fork_when_its_place_is_taken(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, BRANCH[2:3], None)
    assert log_kit.take(tx, number, CHAIN[:6]).waiting == 1
    assert log_kit.take(tx, number, CHAIN[6:]).fork is not None
    assert frozen_by(tx, number) == {CHAIN[6].raw, BRANCH[2].raw}


def test_a_proof_from_elsewhere_freezes(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    proof = Fork.of(CHAIN[5].raw, BRANCH[1].raw)
    assert logs.freeze(tx, proof, AT_MS)
    assert frozen_by(tx, number) == {CHAIN[5].raw, BRANCH[1].raw}


def test_a_proof_about_a_log_that_is_not_here_changes_nothing(tx: Tx) -> None:
    assert not logs.freeze(tx, Fork.of(CHAIN[5].raw, BRANCH[1].raw), AT_MS)


def test_somebody_else_cannot_freeze_a_log_by_forking_under_its_id(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    one, other = (chain(1, branch=branch, key=BO)[0] for branch in (b"one", b"other"))
    assert Fork.of(one.raw, other.raw).check()
    assert not logs.freeze(tx, Fork.of(one.raw, other.raw), AT_MS)
    assert logs.log(tx, number).state is State.OK


def test_what_is_no_proof_freezes_nothing(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    for fork, fault in (
        (Fork.of(CHAIN[5].raw, CHAIN[6].raw), NoFork),
        (Fork(CHAIN[5].raw, CHAIN[5].raw), NoFork),
        (Fork.of(CHAIN[5].raw, chains.unsigned(BRANCH[1]).raw), Forged),
    ):
        with pytest.raises(fault):
            logs.freeze(tx, fork, AT_MS)
    assert logs.log(tx, number).state is State.OK
    assert logs.proof(tx, number) is None


def test_a_forker_who_spoils_his_signatures_is_proven_by_the_next_good_one(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:8])
    bad = chains.unsigned(BRANCH[0])
    later = chain(2, head_of(bad))
    log_kit.take(tx, number, (bad, *later), None)
    assert frozen_by(tx, number) == {CHAIN[5].raw, later[0].raw}


def test_without_two_good_signatures_nobody_is_accused(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:5])
    bad = chains.unsigned(BRANCH[0])
    with pytest.raises(Forged):
        log_kit.take(tx, number, (bad, *chain(2, head_of(bad))), None)
    assert logs.log(tx, number).state is State.OK
    assert log_kit.raws(tx, number) == chains.raws(CHAIN[:5])


# --- contents


def test_a_content_comes_later_once(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:4], None)
    assert entries.awaited(tx, number, 1, 2) == (1, 2)
    with pytest.raises(Forged):
        entries.fill(tx, number, 1, b"Content")
    assert entries.fill(tx, number, 1, CONTENT)
    assert not entries.fill(tx, number, 1, CONTENT)
    assert not entries.fill(tx, number, 9, CONTENT)
    log_kit.take(tx, number, CHAIN[2:4])  # with their contents this time
    assert entries.awaited(tx, number, 0, 100) == (0,)
    assert [one.content for one in log_kit.held(tx, number)] == [None, CONTENT, CONTENT, CONTENT]


async def test_who_reads_a_log_is_told_when_a_content_comes_that_was_awaited(tmp_path: Path) -> None:
    async with open_database(tmp_path / "a.db", bytes(32), schema.CORE, Worker.INLINE) as db:
        number = (await db.transact(log_kit.theirs)).number

        async def is_told(f: Any, *args: Any) -> bool:
            """Whether watchers of logs hear of this one."""
            before = await db.read(newest_change)
            await db.transact(f, *args)
            rows = await db.read(changes_after, before, 10)
            assert {(topic, key) for _, topic, key in rows} <= {(logs.TOPIC, number)}
            return bool(rows)

        assert await is_told(log_kit.take, number, CHAIN[:3], None)
        assert not await is_told(log_kit.take, number, CHAIN[:2], None)  # it is here already, and nothing more came
        assert await is_told(log_kit.take, number, CHAIN[:2])
        assert await db.read(entries.awaited, number, 0, 10) == (2,)
        assert not await is_told(log_kit.take, number, CHAIN[:2])
        assert not await is_told(entries.fill, number, 1, CONTENT)
        assert await is_told(entries.fill, number, 2, CONTENT)


def test_an_empty_content_is_not_awaited(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, (chains.next_entry(None, b""),), None)
    assert log_kit.held(tx, number)[0].content == b""


def test_a_deleted_content_is_gone_and_not_taken_again(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN[:4])
    entries.detach(tx, number, (1, 2, 77))
    log_kit.take(tx, number, CHAIN[:4])
    assert not entries.fill(tx, number, 2, CONTENT)
    assert [one.content for one in log_kit.held(tx, number)] == [CONTENT, None, None, CONTENT]
    assert entries.awaited(tx, number, 0, 100) == ()
    assert log_kit.take(tx, number, CHAIN[4:]).entries == CHAIN[4:]


def test_reading_stops_at_a_count_and_at_a_size(tx: Tx) -> None:
    number = log_kit.theirs(tx).number
    log_kit.take(tx, number, CHAIN)
    size = len(CHAIN[1].raw) + len(CONTENT)
    assert [one.seq for one in entries.read(tx, number, 2, 3, 1 << 20)] == [2, 3, 4]
    assert [one.seq for one in entries.read(tx, number, 2, 9, 3 * size)] == [2, 3, 4]
    assert [one.seq for one in entries.read(tx, number, 2, 9, 1)] == [2]
    assert entries.read(tx, number, 12, 9, 1 << 20) == ()


# --- one's own log


def test_what_was_not_published_is_taken_back(tx: Tx) -> None:
    number = log_kit.mine(tx).number
    first = entries.append(tx, number, DRAFTS, ANA, AT_MS)
    logs.publish(tx, number, 1)
    logs.publish(tx, number, 0)
    assert logs.log(tx, number).published == 1
    assert entries.take_back(tx, number, 2) == 1
    again = entries.append(tx, number, DRAFTS, ANA, AT_MS + 1)
    assert log_kit.raws(tx, number) == chains.raws((*first[:2], *again))


def test_what_others_hold_of_ours_is_told_apart_before_anybody_is_accused(tx: Tx) -> None:
    number = logs.begin(tx, LOG, ANA.public, b"", own=True).number
    log_kit.take(tx, number, CHAIN[:4])  # from a backup, or from a contact
    assert logs.log(tx, number).published == 3
    entries.append(tx, number, DRAFTS, ANA, AT_MS)
    taken = log_kit.take(tx, number, CHAIN[2:8])
    assert taken == entries.Taken(parted=4)
    assert logs.log(tx, number).state is State.OK
    assert entries.take_back(tx, number, 4) == 3
    assert log_kit.take(tx, number, CHAIN[2:8]).entries == CHAIN[4:8]
    assert logs.log(tx, number).published == 7


def test_a_copied_profile_that_published_accuses_nobody_by_itself_and_its_log_is_over(tx: Tx) -> None:
    number = logs.begin(tx, LOG, ANA.public, b"", own=True).number
    log_kit.take(tx, number, CHAIN[:8])
    entries.append(tx, number, DRAFTS, ANA, AT_MS)
    assert log_kit.take(tx, number, BRANCH[3:5], None) == entries.Taken(parted=7)  # the place that was published last
    assert logs.log(tx, number).state is State.OK
    assert logs.proof(tx, number) is None
    logs.end(tx, number)
    with pytest.raises(LogFrozen):
        entries.append(tx, number, DRAFTS, ANA, AT_MS)
    assert log_kit.raws(tx, number)[:8] == chains.raws(CHAIN[:8])


# --- growth


PLANS = [
    "SELECT key, raw FROM entry WHERE key BETWEEN 1 AND 2 ORDER BY key DESC LIMIT 1",
    "SELECT key, raw, kept, content FROM entry WHERE key BETWEEN 1 AND 2 ORDER BY key LIMIT 3",
    "SELECT raw FROM entry WHERE key = 1",
    "UPDATE entry SET kept = 1 WHERE key = 1",
    "SELECT key FROM entry INDEXED BY entry_awaited WHERE kept = 1 AND key BETWEEN 1 AND 2 ORDER BY key",
    "SELECT number FROM log WHERE id = x'00'",
    "SELECT seq FROM unchained WHERE log = 1 ORDER BY seq LIMIT 1",
    "SELECT COUNT(*), TOTAL(bytes) FROM unchained WHERE log = 1",
]


@pytest.mark.parametrize("sql", PLANS)
def test_no_statement_walks_through_a_log(tx: Tx, sql: str) -> None:
    steps = [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}")]
    assert all(step.startswith("SEARCH") for step in steps), steps
