"""What a store has seen of spines: who is witnessed, whose word is taken, and exactly which proof a lie gives."""

from typing import NamedTuple

import pytest

from crypto.faults import Forged, Malformed
from crypto.keys import SigningKey
from protocol import entry, evidence, spine
from protocol.entry import Entry
from protocol.evidence import Contradiction, Rollback
from protocol.grant import Committed, Cosigned, Role
from protocol.log import Fork, Head
from protocol.spine import Line
from protocol.witness import Witness
from store import entries, intake, logs, people, spaces, witnessing
from store.logs import State
from store.spaces import Space
from store.witnessing import NotShared
from tests.protocol import chains, spines
from tests.protocol.spines import Spun
from tests.store.space_kit import SECRET, Sharers, head_of, open_sharers

SPINE_SECRET = b"secret of a spine, 32 bytes long"
STRANGER = SigningKey(bytes(31) + b"s")


class Spine(NamedTuple):
    """Ana's spine as Bo has it, and her log of notes, of which he has three entries."""

    two: Sharers
    of: Space
    notes: Space
    held: tuple[Entry, ...]

    def spun(self, *lines: Line, head: Entry | None = None, acks: tuple[entry.Ack, ...] = ()) -> Spun:
        return spines.spun(self.two.key, self.of.log.id, lines, head_of(head) if head else None, acks)

    def line(self, seq: int, head_id: bytes | None = None) -> Line:
        """That the log of notes has this head."""
        id_ = self.notes.log.id
        found = head_id if head_id is not None else self.held[seq].id
        return Line(spine.leaf_key(self.notes.log.secret, id_), id_, Head(seq, found))

    def say(self, spun: Spun) -> evidence.Proof | None:
        """Ana shows Bo that her spine commits to her log of notes."""
        said = Committed(self.notes.log.id, spun.committed(self.notes.log.id))
        proof: evidence.Proof | None = self.two.hear(witnessing.committed, said)
        return proof

    def take(self, *run: Entry) -> None:
        """Bo takes in entries of her spine, without contents, as a header is shown."""
        piece = intake.Piece(self.of.log.number, tuple(one.raw for one in run), (None,) * len(run))
        (took,) = intake.take(self.two.theirs, [piece], STRANGER, 1, self.two.bo.entropy)
        assert isinstance(took, intake.Took)


def spine_of(two: Sharers, count: int = 3) -> Spine:
    _, of = two.begin("spine", Role.SPINE, SPINE_SECRET)
    own, notes = two.begin()
    held = two.write(own, *map(str, range(count)))
    took = two.carry(own)
    assert isinstance(took, intake.Took)
    return Spine(two, of, notes, held)


# --- what is witnessed


async def test_a_spine_is_signed_once_for_each_newest_entry() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        tx, author = two.theirs, two.ana.mine.device
        assert witnessing.unsigned(tx) == ()
        first = s.spun(s.line(0))
        second = s.spun(s.line(1), head=first.header)
        s.take(first.header, second.header)
        (one,) = witnessing.unsigned(tx)
        assert (one.author, one.contact, one.id) == (author, two.bo.contact, second.header.id)
        witnessing.signed(tx, one)
        assert witnessing.unsigned(tx) == ()
        s.take(first.header)  # older, and known
        s.take(second.header)
        assert witnessing.unsigned(tx) == ()
        third = s.spun(s.line(2), head=second.header)
        s.take(third.header)
        assert [found.id for found in witnessing.unsigned(tx)] == [third.header.id]
        state, doubt = witnessing.load(tx, author)
        assert (state.seen, state.pending, state.proof, doubt) == (third.header, None, None, None)


async def test_a_run_with_an_entry_that_no_spine_has_is_refused_and_changes_nothing() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        good = s.spun(s.line(0))
        public = entry.write(
            chains.body(1, good.header.id, author=two.key.public, of=s.of.log.id, content=good.content), two.key
        )
        with pytest.raises(Malformed):
            witnessing.offer(two.theirs, s.of, [good.header, public])
        piece = intake.Piece(s.of.log.number, (good.header.raw, public.raw), (None, None))
        (took,) = intake.take(two.theirs, [piece], STRANGER, 1, two.bo.entropy)
        assert isinstance(took, Malformed)
        assert entries.head(two.theirs, s.of.log.number) is None  # nor was it kept
        assert witnessing.load(two.theirs, two.ana.mine.device) == (Witness(), None)


async def test_another_spine_waits_for_a_decision_and_one_that_follows_does_not() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        tx, first = two.theirs, s.spun(s.line(0))
        s.take(first.header)
        for secret, acks in ((b"2" * 32, ()), (b"3" * 32, (entry.Ack(s.of.log.id, 0, first.header.id),))):
            _, of = two.begin("spine", Role.SPINE, secret)
            other = spines.spun(two.key, of.log.id, (s.line(1),), None, acks)
            s._replace(of=of).take(other.header)
            state, _ = witnessing.load(tx, two.ana.mine.device)
            if acks:
                assert (state.seen, state.before) == (other.header, (s.of.log.id,))
            else:
                assert (state.seen, witnessing.is_doubted(tx, of)) == (first.header, True)
                assert not witnessing.is_doubted(tx, s.of)
                doubted = of, other.header
        assert witnessing.trust(tx, doubted[0])  # the person decides for the one that did not follow
        state, doubt = witnessing.load(tx, two.ana.mine.device)
        assert (state.seen, doubt) == (doubted[1], None)
        assert [one.id for one in witnessing.unsigned(tx)] == [doubted[1].id]
        assert not witnessing.trust(tx, doubted[0])  # there is nothing left to decide


@pytest.mark.parametrize("how", ["it came", "somebody had the proof"])
async def test_a_spine_with_two_histories_is_signed_no_more(how: str) -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        first, other = s.spun(s.line(0)), s.spun(s.line(1))
        s.take(first.header)
        if how == "it came":
            s.take(other.header)
        else:
            assert intake.freeze(two.theirs, Fork.of(first.header.raw, other.header.raw), 9)
        assert isinstance(logs.proof(two.theirs, s.of.log.number), Fork)
        assert people.contact(two.theirs, two.bo.contact).alarm == intake.ALARM
        assert witnessing.unsigned(two.theirs) == ()
        s.take(s.spun(s.line(1), head=first.header).header)
        assert entries.head(two.theirs, s.of.log.number) == head_of(first.header)
        _, of = two.begin("spine", Role.SPINE, b"2" * 32)  # nor one that goes it on
        after = spines.spun(two.key, of.log.id, (s.line(1),), None, (entry.Ack(s.of.log.id, 0, first.header.id),))
        s._replace(of=of).take(after.header)
        assert witnessing.unsigned(two.theirs) == ()


async def test_a_fork_of_notes_says_nothing_against_the_spine() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        first = s.spun(s.line(0))
        s.take(first.header)
        other = chains.next_entry(None, b"another", two.key, s.notes.log.id)
        assert intake.freeze(two.theirs, Fork.of(s.held[0].raw, other.raw), 9)
        assert [one.id for one in witnessing.unsigned(two.theirs)] == [first.header.id]


async def test_a_fork_of_a_spine_that_was_never_seen_stops_its_witness_too() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        first, other = s.spun(s.line(0)), s.spun(s.line(1))
        assert intake.freeze(two.theirs, Fork.of(first.header.raw, other.header.raw), 9)
        _, of = two.begin("spine", Role.SPINE, b"2" * 32)
        s._replace(of=of).take(spines.spun(two.key, of.log.id, (s.line(1),)).header)
        assert witnessing.unsigned(two.theirs) == ()


# --- cosignatures


def own_spine(two: Sharers, count: int = 2) -> tuple[Space, tuple[Entry, ...]]:
    """Ana's own spine, with so many entries."""
    own, _ = two.begin("spine", Role.SPINE, SPINE_SECRET)
    made: list[Entry] = []
    for _ in range(count):
        newest = made[-1] if made else None
        spun = spines.spun(two.key, own.log.id, (), head_of(newest) if newest else None)
        draft = entries.Draft(entry.Kind.SPINE, spun.content)
        made += entries.append(two.mine, own.log.number, [draft], two.key, chains.AT_MS)
    return own, tuple(made)


def words(two: Sharers, own: Space, seq: int) -> tuple[tuple[int, spine.Cosignature], ...]:
    return witnessing.cosignatures(two.mine, own.log.number, seq)


async def test_a_contacts_word_about_our_spine_is_kept_and_a_newer_one_takes_its_place() -> None:
    async with open_sharers() as two:
        own, made = own_spine(two)
        bo = two.bo.mine
        for at_ms in (5, 9):
            word = spine.cosign(bo.account, at_ms, made[1].id, bo.device_key)
            two.hear(witnessing.cosigned, Cosigned(word), two.ana)
            assert words(two, own, 1) == ((two.ana.contact, word),)
        assert words(two, own, 0) == ()
        logs.end(two.mine, own.log.number)
        word = spine.cosign(bo.account, 7, made[0].id, bo.device_key)
        two.hear(witnessing.cosigned, Cosigned(word), two.ana)  # late, about one that is over
        assert words(two, own, 0) == ((two.ana.contact, word),)


@pytest.mark.parametrize("lie", ["another device", "another account", "a device for its account", "no signature"])
async def test_the_word_of_somebody_else_is_forged(lie: str) -> None:
    async with open_sharers() as two:
        own, made = own_spine(two)
        bo = two.bo.mine
        good = spine.cosign(bo.account, 5, made[1].id, bo.device_key)
        word = {
            "another device": spine.cosign(bo.account, 5, made[1].id, STRANGER),
            "another account": spine.cosign(STRANGER.public, 5, made[1].id, STRANGER),
            "a device for its account": spine.cosign(bo.device, 5, made[1].id, bo.device_key),
            "no signature": spine.Cosignature(good.witness, good.time_ms + 1, good.subject, good.signature),
        }[lie]
        with pytest.raises(Forged):
            two.hear(witnessing.cosigned, Cosigned(word), two.ana)
        assert words(two, own, 1) == ()
        two.hear(witnessing.cosigned, Cosigned(good), two.ana)
        assert words(two, own, 1) == ((two.ana.contact, good),)


async def test_a_word_about_nothing_of_ours_or_of_long_ago_is_passed_over() -> None:
    async with open_sharers() as two:
        own, made = own_spine(two, 1025)
        notes, _ = two.begin()
        (note,) = two.write(notes, "a note is no spine")
        bo = two.bo.mine
        for subject in (bytes(32), note.id, made[0].id):
            word = spine.cosign(bo.account, 5, subject, bo.device_key)
            two.hear(witnessing.cosigned, Cosigned(word), two.ana)
        assert two.mine.all("SELECT log FROM cosignature") == []
        word = spine.cosign(bo.account, 5, made[1].id, bo.device_key)
        two.hear(witnessing.cosigned, Cosigned(word), two.ana)
        assert words(two, own, 1) == ((two.ana.contact, word),)


# --- commitments


async def test_what_a_spine_commits_to_is_kept_the_newest_for_each_log() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        first = s.spun(s.line(0))
        second = s.spun(s.line(2), head=first.header)
        number = s.notes.log.number
        assert witnessing.commitment(two.theirs, number) is None
        assert s.say(second) is None
        assert s.say(first) is None  # it comes late, and accuses nobody
        assert witnessing.commitment(two.theirs, number) == second.committed(s.notes.log.id)
        assert s.say(second) is None  # nor does the same again
        assert witnessing.commitment(two.theirs, number) == second.committed(s.notes.log.id)


async def test_nobody_commits_to_a_log_that_he_does_not_write_or_that_is_not_shared() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        good = s.spun(s.line(0)).committed(s.notes.log.id)
        unknown = Committed(bytes(16), good)
        ours = spaces.begin(
            two.theirs, two.bo.mine.device, Role.NOTES, "o", b"o" * 32, 0, bytes(32), (two.bo.contact,), 0, 1
        )
        his = logs.begin(two.theirs, b"h" * 16, STRANGER.public, SECRET, own=False)
        for said in (unknown, Committed(ours.log.id, good), Committed(his.id, good)):
            with pytest.raises(NotShared):
                two.hear(witnessing.committed, said)
        assert two.theirs.all("SELECT log FROM commitment") == []


@pytest.mark.parametrize("lie", ["seq", "head", "key", "another log's", "author", "kind"])
async def test_what_the_spine_does_not_commit_to_is_refused(lie: str) -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        id_ = s.notes.log.id
        spun = s.spun(s.line(1))
        said = spun.committed(id_)
        shown = [said.entry, said.content, said.at, said.seq, said.head, said.path]
        match lie:
            case "seq":
                shown[3] = 2
            case "head":
                shown[4] = s.held[2].id
            case "key":
                line = s.line(1)._replace(key=bytes(32))
                wrong = s.spun(line)
                shown[:2] = [wrong.header.raw, wrong.content]
            case "another log's":
                line = Line(spine.leaf_key(SPINE_SECRET, s.of.log.id), s.of.log.id, Head(1, s.held[1].id))
                wrong = s.spun(line)
                shown[:2] = [wrong.header.raw, wrong.content]
            case "author":
                forged = spines.spun(STRANGER, s.of.log.id, (s.line(1),))
                shown[0] = forged.header.raw
            case _:
                public = spines.spun(two.key, s.of.log.id, (s.line(1),), kind=entry.Kind.PUBLIC)
                shown[0] = public.header.raw
        with pytest.raises((Forged, Malformed)):
            two.hear(witnessing.committed, Committed(id_, evidence.Committed(*shown)))  # type: ignore[arg-type]
        assert witnessing.commitment(two.theirs, s.notes.log.number) is None
        assert {one.state for one in logs.every(two.theirs)} == {State.OK}


async def test_an_entry_in_the_place_of_the_head_contradicts_it() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        spun = s.spun(s.line(1, bytes(32)))
        proof = s.say(spun)
        key = spine.leaf_key(SECRET, s.notes.log.id)
        committed = spun.committed(s.notes.log.id)
        assert proof == Contradiction(two.ana.mine.device, key, committed, s.held[1].raw)
        proof.check()
        assert witnessing.commitment(two.theirs, s.notes.log.number) is None  # the proof has it
        assert intake.freeze(two.theirs, proof, 9)
        assert not intake.freeze(two.theirs, proof, 10)
        assert spaces.space(two.theirs, s.notes.log.number).log.state is State.FROZEN
        assert spaces.space(two.theirs, s.of.log.number).log.state is State.OK
        assert people.contact(two.theirs, two.bo.contact).alarm == intake.ALARM


async def test_an_entry_behind_the_head_that_does_not_follow_it_contradicts_it() -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        two.theirs.execute("DELETE FROM entry WHERE key = ?", (logs.key(s.notes.log.number, 1),))  # as in a gap
        spun = s.spun(s.line(1, bytes(32)))
        proof = s.say(spun)
        assert isinstance(proof, Contradiction)
        assert proof.entry == s.held[2].raw


async def test_an_entry_that_comes_after_the_spine_has_spoken_contradicts_it_too() -> None:
    async with open_sharers() as two:
        _, of = two.begin("spine", Role.SPINE, SPINE_SECRET)
        own, notes = two.begin()
        held = two.write(own, "one", "two")
        s = Spine(two, of, notes, held)
        spun = s.spun(s.line(1, bytes(32)))
        assert s.say(spun) is None
        took = two.carry(own)
        assert isinstance(took, intake.Took)
        assert took.proof == Contradiction(
            two.ana.mine.device, spine.leaf_key(SECRET, notes.log.id), spun.committed(notes.log.id), held[1].raw
        )
        assert logs.proof(two.theirs, notes.log.number) == took.proof


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("later", [(1, None), (2, bytes(32))], ids=["lower", "another"])
async def test_a_later_spine_that_commits_to_less_is_a_rollback(order: int, later: tuple[int, bytes | None]) -> None:
    async with open_sharers() as two:
        _, of = two.begin("spine", Role.SPINE, SPINE_SECRET)
        own, notes = two.begin()
        s = Spine(two, of, notes, two.write(own, "one", "two", "three"))  # nothing of it has come to Bo
        before = s.spun(s.line(2))
        after = s.spun(s.line(*later), head=before.header)
        told, accused = (before, after)[::order]
        assert s.say(told) is None
        proof = s.say(accused)
        id_ = notes.log.id
        key = spine.leaf_key(SECRET, id_)
        assert proof == Rollback(two.ana.mine.device, key, id_, before.committed(id_), after.committed(id_))
        proof.check()
        assert intake.freeze(two.theirs, proof, 9)
        assert spaces.space(two.theirs, notes.log.number).log.state is State.FROZEN


@pytest.mark.parametrize("where", ["held", "told"])
async def test_another_entry_of_the_spine_in_one_place_is_a_fork(where: str) -> None:
    async with open_sharers() as two:
        s = spine_of(two)
        one, other = s.spun(s.line(1)), s.spun(s.line(2))
        if where == "held":
            s.take(one.header)
        else:
            assert s.say(one) is None
        proof = s.say(other)
        assert proof == Fork.of(one.header.raw, other.header.raw)
        assert intake.freeze(two.theirs, proof, 9)
        assert spaces.space(two.theirs, s.of.log.number).log.state is State.FROZEN
        assert spaces.space(two.theirs, s.notes.log.number).log.state is State.OK
