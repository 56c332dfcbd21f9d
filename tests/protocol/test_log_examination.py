"""What a file of evidence shows: every item by itself, what is wrong at its place, and the walk goes on (log.md 6)."""

from dataclasses import replace

import pytest

from crypto.keys import SigningKey
from protocol import entry, identity, ids, log_examination, log_file, spine
from protocol.entry import Entry, Kind
from protocol.log import Fork, Head
from protocol.log_examination import Convicted, Finding, Wrong
from protocol.log_file import Claimed, Covered, Item, Shown
from tests import depth
from tests.protocol import chains, handed, spines
from tests.protocol.chains import ANA, BO, LOG
from tests.protocol.handed import cosigned, examined, file_of, note_key, said, sealed

GOOD = handed.handed()
CHAIN = chains.chain(5)
OTHER_BRANCH = chains.chain(1, chains.head_of(CHAIN[1]), b"another")[0]
FORK = Fork.of(CHAIN[2].raw, OTHER_BRANCH.raw)
STEP = (61, 7, 1)[depth.LEVEL]  # of the bits that are flipped


def claimed(*entries: Entry) -> tuple[Item, ...]:
    return tuple(map(Claimed, entries))


def sealed_entry(text: str = "said") -> tuple[Entry, bytes]:
    content = sealed(0, text)
    return entry.write(chains.body(kind=Kind.SEALED, content=content), ANA), content


def the_wrong(*items: Item, author: bytes | None = None) -> list[tuple[int, Wrong]]:
    """What was found, as (place among the items, what)."""
    found, _ = examined(items, author)
    places = [len(file_of(items[:n])) for n in range(len(items))]
    assert found.is_good == (not found.findings)
    return [(places.index(one.offset), one.wrong) for one in found.findings]


# --- what is good


def test_a_good_file_is_good_and_says_what_it_shows() -> None:
    found, heard = examined(GOOD.raw)
    assert (found.is_good, found.wrong, found.findings) == (True, 0, [])
    notes, over = found.logs
    assert (notes.author, notes.id, notes.first, notes.head) == (ANA.public, LOG, 0, chains.head_of(GOOD.notes[3]))
    assert (notes.entries, notes.gaps, notes.breaks, notes.contents, notes.opened) == (4, 0, 0, 3, 1)
    assert (notes.covered, notes.covered_seq, notes.cosigned) == (1, 3, 1)
    assert notes.witnesses == {BO.public: chains.AT_MS + 1}
    assert (over.id, over.entries, over.contents, over.cosigned) == (GOOD.header.body.log, 1, 1, 2)
    assert [(one.seq, one.kind, one.said) for one in heard] == [
        (0, Kind.SEALED, said("first")),
        (2, Kind.PUBLIC, said("public")),
    ]
    assert [one.proof.__name__ for one in found.convicted] == ["Fork", "Contradiction", "Rollback"]
    assert found.proofs == 3
    assert found.certificates == [handed.certificate()]


def test_entries_that_begin_anywhere_are_a_chain_from_there() -> None:
    (one,) = examined(claimed(*CHAIN[2:]))[0].logs
    assert (one.first, one.head.seq, one.entries, one.gaps, one.breaks) == (2, 4, 3, 0, 0)


def test_gaps_are_counted_and_are_not_wrong() -> None:
    found, _ = examined(claimed(CHAIN[0], CHAIN[2], CHAIN[4]))
    assert found.is_good
    assert (found.logs[0].gaps, found.logs[0].entries) == (2, 3)


def test_logs_may_alternate() -> None:
    mine, theirs = chains.chain(2), chains.chain(2, key=BO)
    found, _ = examined(claimed(mine[0], theirs[0], mine[1], theirs[1]))
    assert found.is_good
    assert [(one.author, one.entries, one.gaps) for one in found.logs] == [(ANA.public, 2, 0), (BO.public, 2, 0)]


def test_a_proof_that_holds_names_its_author_and_the_file_stays_good() -> None:
    found, _ = examined((*claimed(*CHAIN), FORK))
    assert found.is_good
    assert found.convicted == [Convicted(len(file_of(claimed(*CHAIN))), Fork, ANA.public, LOG)]


def test_a_certificate_is_good_whenever_it_is_shown() -> None:
    one = identity.certify(handed.ACCOUNT, ids.DeviceId(ANA.public), bytes(32), 1, 5, 5)
    found, _ = examined((one, *claimed(*CHAIN)))
    assert (found.is_good, found.certificates) == (True, [one])


# --- what is wrong: one variant for each check; the walk goes on


@pytest.mark.parametrize(
    "bad",
    [
        replace(handed.certificate(), account=ids.AccountId(BO.public)),
        replace(handed.certificate(), device=ids.DeviceId(BO.public)),
        replace(handed.certificate(), not_after_s=7),
        replace(handed.certificate(), signature=bytes(64)),
        identity.certify(handed.ACCOUNT, ids.DeviceId(ANA.public), bytes(32), 1, 6, 5),
    ],
)
def test_a_certificate_that_its_account_did_not_sign_is_found(bad: identity.Certificate) -> None:
    assert the_wrong(*claimed(*CHAIN), bad) == [(5, Wrong.CERTIFICATE)]
    assert examined((bad,))[0].certificates == []


def test_what_stands_behind_a_certificate_is_not_of_the_entry_before_it() -> None:
    found, _ = examined((Claimed(GOOD.header), handed.certificate(), cosigned(GOOD.header)))
    assert [one.wrong for one in found.findings] == [Wrong.BYTES]


def test_each_signature_is_checked_by_itself() -> None:
    # The chain alone would vouch for entry 1: entry 2 names its bytes.
    bad = chains.unsigned(CHAIN[1])
    after = chains.next_entry(chains.head_of(bad))
    assert the_wrong(*claimed(CHAIN[0], bad, after)) == [(1, Wrong.SIGNATURE)]
    found, _ = examined(claimed(CHAIN[0], bad, after))
    assert found.findings == [Finding(len(CHAIN[0].raw) + 1, Wrong.SIGNATURE, LOG, 1)]
    assert (found.logs[0].entries, found.logs[0].head.seq, found.logs[0].gaps) == (2, 2, 1)


def test_nothing_is_taken_from_what_belongs_to_an_entry_without_a_good_signature() -> None:
    one, content = sealed_entry()
    bad = chains.unsigned(one)
    found, heard = examined((Claimed(bad), Shown(content, note_key(0)), GOOD.covered, cosigned(bad)))
    assert (found.wrong, found.logs, heard) == (1, (), [])
    # Nor is it taken for the entry before.
    found, heard = examined((Claimed(GOOD.header), Claimed(bad), Shown(content, note_key(0)), GOOD.covered))
    assert (found.wrong, found.logs[0].contents, heard) == (1, 0, [])


def test_an_entry_that_does_not_follow_is_found() -> None:
    beside = chains.next_entry(chains.head_of(OTHER_BRANCH))
    assert the_wrong(*claimed(*CHAIN[:3], beside)) == [(3, Wrong.CHAIN)]
    (one,) = examined(claimed(*CHAIN[:3], beside))[0].logs
    assert (one.breaks, one.entries) == (1, 4)


@pytest.mark.parametrize("late", [CHAIN[2], OTHER_BRANCH, CHAIN[0]])
def test_an_entry_of_an_earlier_place_is_found(late: Entry) -> None:
    assert the_wrong(*claimed(*CHAIN[:3], late, CHAIN[3])) == [(3, Wrong.ORDER)]


def test_entries_of_another_device_are_found() -> None:
    other = chains.chain(1, key=BO)[0]
    assert the_wrong(*claimed(CHAIN[0], other, CHAIN[1]), author=ANA.public) == [(1, Wrong.AUTHOR)]
    assert the_wrong(*claimed(CHAIN[0], other, CHAIN[1])) == []


def test_another_content_is_found() -> None:
    one, content = sealed_entry()
    other = sealed(0, "more")
    assert the_wrong(Claimed(one), Shown(other, note_key(0)), *claimed(CHAIN[2])) == [(1, Wrong.CONTENT)]
    assert examined((Claimed(one), Shown(other, note_key(0))))[1] == []
    assert the_wrong(Claimed(one), Shown(content, note_key(0))) == []


def test_a_key_that_opens_nothing_is_found() -> None:
    one, content = sealed_entry()
    assert the_wrong(Claimed(one), Shown(content, note_key(1))) == [(1, Wrong.KEY)]
    assert the_wrong(Claimed(CHAIN[0]), Shown(chains.CONTENT, note_key(0))) == [(1, Wrong.KEY)]
    no_padding = bytes((1,)) * 100
    raw = entry.write(chains.body(kind=Kind.SEALED, content=no_padding), ANA)
    assert the_wrong(Claimed(raw), Shown(no_padding, note_key(0))) == [(1, Wrong.KEY)]


def test_what_may_not_stand_in_a_spine_is_found() -> None:
    bad = entry.write(chains.body(kind=Kind.SPINE), ANA)
    assert the_wrong(Claimed(bad), Shown(chains.CONTENT, None)) == [(1, Wrong.SPINE)]
    acks = (entry.Ack(LOG, 0, bytes(32)),) * 2
    assert the_wrong(Claimed(entry.write(chains.body(kind=Kind.SPINE, acks=acks), ANA))) == [(0, Wrong.SPINE)]


def test_a_cosignature_of_something_else_is_found() -> None:
    spun = Claimed(GOOD.header)
    assert the_wrong(spun, cosigned(GOOD.notes[0])) == [(1, Wrong.COSIGNATURE)]
    assert the_wrong(spun, cosigned(GOOD.header), *claimed(CHAIN[0])) == []


def test_the_cosignature_of_an_account_is_proven_by_its_devices_alone() -> None:
    account = b"a" * 32
    items = (Claimed(GOOD.header), cosigned(GOOD.header, BO, account))
    found, _ = examined(items)
    assert (found.is_good, found.logs[0].cosigned, found.logs[0].unproven) == (True, 0, 1)
    found, _ = examined(items, devices={account: (ANA.public, BO.public)})
    assert (found.is_good, found.logs[0].cosigned, found.logs[0].witnesses) == (True, 1, {account: chains.AT_MS + 1})
    found, _ = examined(items, devices={account: (ANA.public,)})
    assert (found.findings[0].wrong, found.logs[0].cosigned, found.logs[0].unproven) == (Wrong.COSIGNATURE, 0, 0)


def test_a_cosignature_that_is_none_proves_nothing() -> None:
    one = replace(cosigned(GOOD.header), signature=bytes(64))
    found, _ = examined((Claimed(GOOD.header), one))
    assert (found.logs[0].cosigned, found.logs[0].unproven, found.logs[0].witnesses) == (0, 1, {})


def test_a_commitment_is_to_the_entry_before_it() -> None:
    last, key = GOOD.notes[3], GOOD.covered.key
    good = GOOD.covered.committed
    assert the_wrong(Claimed(last), GOOD.covered) == []
    for wrong in (
        Covered(good, bytes(32)),
        Covered(replace(good, head=bytes(32)), key),
        Covered(replace(good, seq=2), key),
        Covered(replace(good, at=good.at ^ 1), key),
        Covered(replace(good, entry=chains.unsigned(GOOD.header).raw), key),
    ):
        assert the_wrong(Claimed(last), wrong, *claimed(CHAIN[0])) == [(1, Wrong.COVERED), (2, Wrong.ORDER)]
    # A good commitment, behind an entry that it is not about: of the same log, and of another.
    assert the_wrong(Claimed(GOOD.notes[2]), GOOD.covered) == [(1, Wrong.COVERED)]
    assert the_wrong(*claimed(chains.chain(1, of=chains.OTHER)[0]), GOOD.covered) == [(1, Wrong.COVERED)]
    assert the_wrong(*claimed(chains.chain(1, key=BO)[0]), GOOD.covered) == [(1, Wrong.COVERED)]


def test_a_cosignature_behind_a_commitment_is_about_its_spine() -> None:
    last = Claimed(GOOD.notes[3])
    assert the_wrong(last, GOOD.covered, cosigned(GOOD.header)) == []
    assert the_wrong(last, GOOD.covered, cosigned(GOOD.notes[3])) == [(2, Wrong.COSIGNATURE)]
    found, _ = examined((last, Covered(GOOD.covered.committed, bytes(32)), cosigned(GOOD.header)))
    assert (found.wrong, found.logs[0].cosigned) == (1, 0)
    found, _ = examined((Claimed(GOOD.header), GOOD.covered, cosigned(GOOD.header)))
    assert (found.wrong, found.logs[0].cosigned) == (1, 0)


def test_the_newest_entry_that_is_covered_is_named() -> None:
    older = GOOD.notes[2]
    lines = (spine.Line(GOOD.covered.key, LOG, chains.head_of(older)),)
    covered = Covered(spines.spun(ANA, b"another spine...", lines).committed(LOG), GOOD.covered.key)
    for items in (
        (Claimed(older), covered, Claimed(GOOD.notes[3]), GOOD.covered),
        (Claimed(GOOD.notes[3]), GOOD.covered, Claimed(older), covered),
    ):
        (one,) = examined(items)[0].logs
        assert (one.covered, one.covered_seq) == (2, 3)


def test_a_proof_that_is_none_is_found() -> None:
    wrote = spines.wrote()
    for none in (
        Fork(FORK.second, FORK.first),
        replace(wrote.contradiction(), key=bytes(32)),
        replace(wrote.rollback(), later=wrote.rollback().earlier),
    ):
        assert the_wrong(none, *claimed(CHAIN[0])) == [(0, Wrong.PROOF)]
        assert examined((none,))[0].convicted == []


def test_where_the_bytes_end_to_be_evidence_is_found() -> None:
    raw = file_of(claimed(*CHAIN[:2]))
    for more in (b"\xa0", file_of(claimed(CHAIN[2]))[:-1]):
        found, _ = examined(raw + more)
        assert found.findings == [Finding(len(raw), Wrong.BYTES, None, None)]
        assert (found.is_good, found.logs[0].entries) == (False, 2)


# --- limits


def test_what_is_kept_has_limits_and_all_is_counted() -> None:
    found = log_examination.Examination()
    bad, at = Claimed(chains.unsigned(CHAIN[0])), 0
    for at in range(log_examination.FINDINGS_MAX + 5):
        found.take(log_file.Placed(at, bad))
        found.take(log_file.Placed(at, FORK))
    assert (len(found.findings), found.wrong) == (log_examination.FINDINGS_MAX, at + 1)
    assert (len(found.convicted), found.proofs) == (log_examination.FINDINGS_MAX, at + 1)


@pytest.mark.depth
def test_one_log_more_than_are_examined_is_found() -> None:
    found = log_examination.Examination()
    for n in range(log_examination.LOGS_MAX + 1):
        one = chains.next_entry(None, of=n.to_bytes(16, "big"))
        found.take(log_file.Placed(n, Claimed(one)))
    assert [(one.offset, one.wrong) for one in found.findings] == [(log_examination.LOGS_MAX, Wrong.LOGS)]
    assert len(found.logs) == log_examination.LOGS_MAX


def test_sixteen_witnesses_are_named_and_all_are_counted() -> None:
    witnesses = [SigningKey(bytes(30) + bytes((n, 7))) for n in range(20)]
    found, _ = examined((Claimed(GOOD.header), *(cosigned(GOOD.header, one) for one in witnesses)))
    assert found.logs[0].cosigned == 20
    assert [*found.logs[0].witnesses] == [one.public for one in witnesses[: log_examination.WITNESSES_MAX]]


# --- law


def test_no_bit_of_a_file_is_flipped_unnoticed() -> None:
    """Each flip is refused, found, or leaves a cosignature that proves nothing: every bit counts for something."""
    missed = []
    for bit in range(depth.LEVEL, 8 * len(GOOD.raw), STEP):
        changed = bytearray(GOOD.raw)
        changed[bit // 8] ^= 1 << bit % 8
        found, _ = examined(bytes(changed))
        if found.is_good and not any(one.unproven for one in found.logs):
            missed.append(bit)
    assert missed == []


def test_a_spine_that_commits_to_another_head_covers_nothing() -> None:
    lines = (spine.Line(GOOD.covered.key, LOG, Head(3, bytes(32))),)
    spun = spines.spun(ANA, b"another spine...", lines)
    assert the_wrong(Claimed(GOOD.notes[3]), Covered(spun.committed(LOG), GOOD.covered.key)) == [(1, Wrong.COVERED)]


def test_an_examination_raises_nothing_whatever_the_order() -> None:
    for before in GOOD.items:
        for item in GOOD.items:  # the reader would refuse most of these pairs
            found = log_examination.Examination(BO.public)
            found.take(log_file.Placed(0, before))
            found.take(log_file.Placed(1, item))
