"""A hostile peer who shares the space costs bounded memory and a PeerFault, and changes nothing (invariant 9).

Eve has the secrets, so her tags are good. She lies about digests and heads, sends what nobody asked for, asks without
end, and holds back what she said to have.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Forged, PeerFault
from protocol import entry, sync
from protocol.log import Fork
from protocol.sync import Done, Frame, Have, Hello, Live, Proven, Run, Want
from protocol.sync_fetch import OPEN_MAX
from protocol.sync_log import OutOfTurn, TooMuchAsked, Unasked
from protocol.sync_session import HAVES_MAX, PROOFS_MAX
from protocol.talk import Side
from tests.protocol import chains, spines
from tests.protocol.replicas import SECRET, Replica, ends_of, key_of, log_of, logs_of

ANA, EVE, CY = "ana", "eve", "cy"
MINE, HERS, THIRD = log_of(ANA), log_of(EVE), log_of(CY)
NONCES = bytes(8) + b"eve-----"
NAMING = NONCES + ends_of(ANA, EVE, Side.DIALLER)
LENGTH = 5


class Victim:
    """Ana, with five entries of her own log and none of Eve's, in a session with Eve."""

    def __init__(self, is_greeted: bool = True) -> None:
        self.ana = Replica(ANA, logs_of(ANA, EVE, CY))
        for number in range(LENGTH):
            self.ana.append(MINE, b"%d" % number)
        self.ana.connect(EVE, Side.DIALLER, NONCES[:8])
        if is_greeted:
            self.say(Hello(NONCES[8:], b"d" * 32))

    def say(self, *frames: Frame) -> None:
        for frame in frames:
            self.ana.hear(EVE, sync.encode(frame))

    def said(self, kind: type[Frame]) -> list[Any]:
        return [frame for frame in self.ana.frames if type(frame) is kind]

    def have(self, seq: int, log: bytes = HERS) -> None:
        self.say(heads(None, {log: seq}))


def tag(log: bytes) -> bytes:
    """Eve's name for a log."""
    return sync.tag(SECRET, log, Side.LISTENER, NAMING)


def heads(since: bytes | None, seqs: Mapping[bytes, int], part: int = sync.PART_LAST, mark: bytes = bytes(8)) -> Have:
    """What Eve says to have, veiled as it must be."""
    veiled = tuple(seq ^ sync.veil(SECRET, log, Side.LISTENER, NAMING) for log, seq in seqs.items())
    return Have(since, tuple(map(tag, seqs)), veiled, (mark,) * len(seqs), part)


def hers(count: int, branch: bytes = b"") -> tuple[bytes, ...]:
    """Entries of Eve's log."""
    return chains.raws(chains.chain(count, None, branch, key_of(EVE), HERS))


def run(first: int, raws: Sequence[bytes]) -> Run:
    return Run(tag(HERS), first, tuple(raws), ())


def faulty(fault: type[PeerFault], victim: Victim, *frames: Frame) -> None:
    before = [kept.entries[:] for kept in victim.ana.disk.logs.values()]
    with pytest.raises(fault):
        victim.say(*frames)
    assert [kept.entries for kept in victim.ana.disk.logs.values()] == before


@pytest.mark.parametrize(
    "frame",
    [
        Have(None, (), (), (), sync.PART_LAST),
        Want((tag(MINE),), (0,), (0,)),
        run(0, hers(1)),
        Live(tag(HERS), 0, hers(1)[0], None),
        Done(bytes(32)),
    ],
)
def test_nothing_is_said_before_hello(frame: Frame) -> None:
    faulty(OutOfTurn, Victim(is_greeted=False), frame)


def test_hello_comes_once() -> None:
    faulty(OutOfTurn, Victim(), Hello(bytes(8), bytes(32)))


@pytest.mark.parametrize(
    "frame",
    [
        Want((bytes(16),), (0,), (0,)),
        Run(bytes(16), 0, hers(1), ()),
        Live(bytes(16), 0, hers(1)[0], None),
        Want((sync.tag(SECRET, MINE, Side.DIALLER, NAMING),), (0,), (0,)),
    ],
)
def test_a_tag_that_is_unknown_or_our_own_names_no_log(frame: Frame) -> None:
    # Who echoes our tags shows only that he can read; his own show that he has the secret.
    faulty(OutOfTurn, Victim(), frame)


def test_heads_of_logs_that_are_not_shared_are_passed_over() -> None:
    victim = Victim()
    victim.say(Have(None, tuple(bytes((n,)) * 16 for n in range(200)), (7,) * 200, (bytes(8),) * 200, sync.PART_LAST))
    assert not victim.said(Want)


def test_what_nobody_asked_for_is_refused() -> None:
    faulty(Unasked, Victim(), run(0, hers(2)))
    victim = Victim()
    victim.have(2)
    faulty(Unasked, victim, run(1, hers(3)[1:]))
    faulty(Unasked, victim, run(0, hers(4)))
    victim = Victim()
    victim.have(1)
    victim.say(run(0, hers(2)))
    faulty(Unasked, victim, run(2, hers(3)[2:]))
    assert len(victim.ana.disk.logs[HERS].entries) == 2


def test_entries_of_another_log_author_or_signature_are_forged() -> None:
    others = chains.raws(chains.chain(2, key=key_of(CY), of=THIRD))
    unsigned = [*hers(1), chains.unsigned(chains.chain(2, key=key_of(EVE), of=HERS)[1]).raw]
    for raws in (others, unsigned, chains.raws(chains.chain(2, key=key_of(CY), of=HERS))):
        victim = Victim()
        victim.have(1)
        faulty(Forged, victim, run(0, raws))


def test_a_content_that_an_entry_does_not_name_is_forged() -> None:
    victim = Victim()
    victim.have(0)
    faulty(Forged, victim, Run(tag(HERS), 0, hers(1), (b"another",)))


def test_asking_for_more_than_was_shown_or_without_end_is_refused() -> None:
    faulty(TooMuchAsked, Victim(), Want((tag(MINE),), (0,), (LENGTH,)))
    faulty(TooMuchAsked, Victim(), Want((tag(HERS),), (0,), (0,)))
    victim = Victim()
    victim.ana.out[EVE].clear()
    victim.say(*[Want((tag(MINE),) * sync.RANGES_MAX, (0,) * sync.RANGES_MAX, (4,) * sync.RANGES_MAX)] * 3)
    assert len(victim.said(Run)) == 3 * sync.RANGES_MAX
    # While one is read, no more than 32 may wait.
    session = victim.ana.sessions[EVE]
    whole = Want((tag(MINE),) * sync.RANGES_MAX, (0,) * sync.RANGES_MAX, (4,) * sync.RANGES_MAX)
    session.hear(whole)
    with pytest.raises(TooMuchAsked):
        session.hear(Want((tag(MINE),), (0,), (0,)))


def test_heads_beyond_all_measure_cost_sixteen_ranges() -> None:
    victim = Victim()
    for _ in range(HAVES_MAX - 1):
        victim.say(heads(None, {HERS: entry.SEQ_MAX, THIRD: entry.SEQ_MAX}, sync.PART_MORE))
    asked = sum(len(want.tags) for want in victim.said(Want))
    assert 0 < asked <= OPEN_MAX
    assert not victim.ana.sessions[EVE].is_idle  # the caller's deadline ends it
    faulty(OutOfTurn, victim, *[Have(None, (), (), (), sync.PART_MORE)] * 2)


def test_ranges_that_do_not_come_are_given_up_and_nothing_is_remembered() -> None:
    victim = Victim()
    victim.have(9)
    victim.say(run(0, ()))
    assert victim.ana.sessions[EVE].is_idle
    assert not victim.said(Done)
    victim.say(Done(bytes(32)))
    assert not victim.ana.disk.memories
    victim.have(9)
    assert len(victim.said(Want)) == 1


def test_a_digest_that_lies_keeps_back_what_she_has_and_nothing_else() -> None:
    victim = Victim(is_greeted=False)
    hello = victim.said(Hello)[0]
    victim.say(Hello(NONCES[8:], hello.digest))
    assert victim.ana.sessions[EVE].is_idle
    assert victim.ana.checked[EVE] == ()
    assert not victim.said(Have)
    victim.ana.append(MINE, b"more")  # she is told what she claims to follow
    assert victim.said(Live)
    for number in range(50):
        victim.say(Done(bytes((number,)) * 32))
    assert (EVE, MINE) not in victim.ana.held or victim.ana.held[EVE, MINE] == LENGTH - 1


def test_a_claim_to_hold_what_was_pushed_is_the_digest_alone() -> None:
    victim = Victim()
    victim.say(Have(None, (), (), (), sync.PART_LAST), Done(bytes(32)))
    assert (EVE, MINE) not in victim.ana.held
    victim.say(Want((tag(MINE),), (0,), (4,)))
    assert (EVE, MINE) not in victim.ana.held
    victim.say(Done(b"2" * 32))
    assert victim.ana.held[EVE, MINE] == 4


def test_proofs_are_checked_and_counted() -> None:
    made = spines.wrote(key_of(CY), SECRET)
    good = Fork.of(*hers(1), *hers(1, b"another"))
    others = Fork.of(*(chains.chain(1, None, say, key_of(CY), HERS)[0].raw for say in (b"a", b"b")))
    bad = Fork.of(*hers(1), *hers(1))
    faulty(Forged, Victim(), Proven(others))  # a fork of hers by somebody else's key accuses nobody
    faulty(PeerFault, Victim(), Proven(bad))
    victim = Victim()
    victim.say(Proven(made.contradiction()), Proven(good), Proven(good))
    assert victim.ana.accused == {THIRD: made.contradiction(), HERS: good}
    victim.have(9)
    assert not victim.said(Proven)  # she knows them
    frames = [Proven(good)] * (PROOFS_MAX + len(victim.ana.disk.logs))
    faulty(OutOfTurn, victim, *frames)


def test_her_fork_is_proven_and_her_log_asked_for_no_more() -> None:
    victim = Victim()
    victim.have(1)
    victim.say(run(0, hers(2)))
    branch = hers(3, b"another")
    victim.have(2)
    victim.say(run(2, branch[2:]))  # does not follow: the one before is asked for
    assert victim.said(Want)[-1].firsts == (1,)
    victim.say(run(1, branch[1:2]))
    proof = victim.ana.accused[HERS]
    assert isinstance(proof, Fork)
    proof.check()
    assert victim.said(Proven) == [Proven(proof)]
    victim.have(9)
    victim.say(Live(tag(HERS), 3, hers(4)[3], None))
    assert len(victim.ana.disk.logs[HERS].entries) == 2
    victim.say(Want((tag(HERS),), (0,), (1,)))
    assert victim.said(Run)[-1].entries == ()


def test_a_head_that_differs_without_a_proof_is_given_up() -> None:
    victim = Victim()
    victim.have(0)
    victim.say(run(0, hers(1)))
    other = heads(None, {HERS: 0}, sync.PART_NEWS, b"another!")
    victim.say(other, run(0, hers(1)), other, other)
    assert len(victim.said(Want)) == 2
    assert victim.ana.sessions[EVE].is_idle
    assert not victim.ana.accused


seqs, branches = st.integers(0, 6), st.sampled_from([b"", b"b"])
haves = st.builds(
    lambda since, mine, theirs, part: heads(since, {MINE: mine, HERS: theirs}, part),
    st.sampled_from([None, bytes(16)]),
    seqs,
    st.integers(0, 3_000),
    st.integers(0, 2),
)
wants = st.builds(
    lambda log, first, more: Want((log,), (first,), (first + more,)),
    st.sampled_from([tag(MINE), tag(HERS)]),
    seqs,
    seqs,
)
runs = st.builds(lambda first, count, branch: run(first, hers(7, branch)[first : first + count]), seqs, seqs, branches)
lives = st.builds(lambda seq, branch: Live(tag(HERS), seq, hers(7, branch)[seq], None), seqs, branches)
dones = st.builds(Done, st.sampled_from([bytes(32), b"d" * 32]))
frames_of: st.SearchStrategy[Frame] = st.one_of(haves, wants, runs, lives, dones)


@given(st.lists(frames_of, max_size=30))
def test_whatever_she_says_only_peer_faults_come_of_it(said: list[Frame]) -> None:
    victim = Victim()
    for frame in said:
        try:
            victim.say(frame)
        except PeerFault:
            break
    kept = victim.ana.disk.logs
    assert len(kept[MINE].entries) == LENGTH
    assert kept[MINE].proof is None
    held = [raw for raw, _ in kept[HERS].entries]
    assert held in ([*hers(7)[: len(held)]], [*hers(7, b"b")[: len(held)]])
    proof = kept[HERS].proof
    if proof is not None:
        assert {one.body.author for one in proof.check()} == {key_of(EVE).public}


# --- a pipe


def test_who_passes_the_frames_of_two_on_to_each_other_names_nothing_and_gets_nothing() -> None:
    ana, cy = Replica(ANA, logs_of(ANA, CY)), Replica(CY, logs_of(ANA, CY))
    ana.append(MINE, b"for cy")
    cy.append(THIRD, b"for ana")
    ana.connect(EVE, Side.DIALLER, b"ana-----")  # to each the other end is eve, who has no secret of theirs
    cy.connect(EVE, Side.LISTENER, b"cy------")
    while ana.out[EVE] or cy.out[EVE]:
        for one, other in ((ana, cy), (cy, ana)):
            while one.out[EVE]:
                other.hear(EVE, one.out[EVE].popleft())
    for one, log in ((ana, THIRD), (cy, MINE)):
        assert one.sessions[EVE].named() == ()
        assert one.disk.logs[log].head is None
        assert not [frame for frame in one.frames if isinstance(frame, Run)]
