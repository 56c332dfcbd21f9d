"""Logs by mail between stores: what is carried, once; what becomes of what was lost; what an anchor takes and gives."""

import pytest

from crypto.faults import Forged, Malformed
from protocol import carrying as contents
from protocol import delivery, record
from protocol.carrying import Carried, Holding
from protocol.content import Channel
from protocol.grant import Role
from protocol.ids import MessageId
from store import carried, carrying, doubts, entries, logs, outbox, passing, spaces
from store.outbox import Posted
from store.people import ContactState
from store.witnessing import NotShared
from tests.store.mail_kit import KINDS, Letter, Person, open_people, post, settle

NONCE = bytes(16)


def texts_of(letters: list[Letter]) -> list[str]:
    """Who is sent what: the name of the reader, the kind, and how many entries."""
    said = [(one.reader, KINDS.hear(one.raw, Channel.RATCHET).content) for one in letters]
    return [
        f"{reader} {type(one).__name__}" + (f" {len(one.entries)}" if isinstance(one, Carried) else "")
        for reader, one in said
    ]


def test_the_anchor_is_carried_all_and_a_reader_what_the_anchor_holds() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.write(own, "one", "two")
        first = ana.carry()
        assert texts_of(first) == ["bo Grant", "cy Grant", "bo Carried 2"]
        assert post(first, bo, cy) == [None] * 3
        assert bo.raws(own) == ana.raws(own)
        assert cy.raws(own) == ()
        assert ana.carry() == []  # it is on its way
        answers = bo.answer()
        assert texts_of(answers) == ["ana Holding"]
        post(answers, ana)
        second = ana.carry()
        assert texts_of(second) == ["cy Carried 2"]
        post(second, cy)
        assert cy.raws(own) == ana.raws(own)
        post(cy.answer(), ana)
        assert ana.carry() == bo.answer() == cy.answer() == []


def test_what_a_session_has_shown_is_not_carried() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.write(own, "one")
        post(ana.carry()[:2], bo, cy)
        carrying.known(ana.tx, own.log.number, ana.known["bo"][0], 1)
        logs.publish(ana.tx, own.log.number, 0)
        ana.write(own, "two")
        assert texts_of(ana.carry()) == ["bo Carried 1", "cy Carried 1"]


def test_what_was_lost_is_carried_again_when_its_life_is_over() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.write(own, "one")
        post(ana.carry()[:1], bo)
        ana.clock.ms += delivery.EXPIRE_MS - 1
        assert ana.carry() == []
        ana.clock.ms += 1
        again = ana.carry()
        assert texts_of(again) == ["bo Carried 1"]
        post(again, bo)
        assert bo.raws(own) == ana.raws(own)


def test_a_log_whose_grant_was_lost_is_granted_and_carried_again() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.write(own, "one")
        _, carried_ = ana.carry()
        assert post([carried_], bo) == [None]
        post(bo.answer(), ana)
        assert bo.answer() == []
        assert texts_of(ana.carry()) == ["bo Grant"]
        ana.clock.ms += carrying.LACK_MS
        settle(ana, bo)
        assert bo.raws(own) == ana.raws(own) != ()


def test_a_grant_that_comes_later_than_the_entries_loses_nothing() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.write(own, "one")
        granted, carried_ = ana.carry()
        post([carried_, granted], bo)
        settle(ana, bo)
        assert bo.raws(own) == ana.raws(own) != ()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_part_that_was_lost_is_carried_again(lost: int) -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.write(own, *("x" * 12_000 for _ in range(11)))
        letters = ana.carry()
        parts = [one for one in letters if "Carried" in texts_of([one])[0]]
        assert len(parts) == 4
        post([one for one in letters if one is not parts[lost]], bo, cy)
        settle(ana, bo, cy)
        assert bo.raws(own) == cy.raws(own) == ana.raws(own)
        assert not bo.accused()
        assert not cy.accused()


def test_no_more_than_a_window_is_on_its_way() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.write(own, *("x" for _ in range(600)))
        letters = ana.carry()
        counts = [int(one.split()[2]) for one in texts_of(letters) if "Carried" in one]
        assert sum(counts) == carrying.WINDOW_ENTRIES
        assert ana.carry() == []
        post(letters, bo)
        assert len(bo.raws(own)) == carrying.WINDOW_ENTRIES
        post(letters, bo)  # once more: nothing changes
        settle(ana, bo)
        assert bo.raws(own) == ana.raws(own)


def test_who_lacks_very_much_gets_the_newest_and_the_rest_on_a_stream() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.write(own, *("x" for _ in range(carrying.FAR_ENTRIES + 1)))
        logs.publish(ana.tx, own.log.number, carrying.FAR_ENTRIES)
        carrying.known(ana.tx, own.log.number, ana.known["bo"][0], carrying.FAR_ENTRIES + 1)
        letters = ana.carry()
        post(letters, bo, cy)
        assert texts_of(letters)[2:] == ["cy Carried 128"]
        his = cy.log(own)
        assert his is not None
        assert [one.seq for one in entries.ahead(cy.tx, his.log.number, 256)] == [*range(897, 1025)]
        post(cy.answer(), ana)
        assert ana.carry() == []


def test_the_anchor_takes_what_follows_and_gives_back_what_its_author_forgot() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.tx.execute("SAVEPOINT kept")
        ana.write(own, "one", "two")
        post(ana.carry(), bo, cy)
        held = bo.raws(own)
        ana.tx.execute("ROLLBACK TO kept")
        ana.write(own, "other")
        letters = ana.carry()
        post(letters, bo, cy)
        assert bo.raws(own) == held
        assert not bo.accused()
        back = bo.answer()
        assert texts_of(back) == ["ana Holding", "ana Carried 2"]
        post(back, ana)
        ana.regain()
        assert ana.raws(own)[:2] == held
        assert len(ana.raws(own)) == 3  # "other" was written again behind them
        settle(ana, bo, cy)
        assert bo.raws(own) == cy.raws(own) == ana.raws(own)
        assert [one.accused() for one in (ana, bo, cy)] == [False] * 3


def test_a_reader_who_holds_more_makes_the_author_ask_the_anchor() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.write(own, "one")
        post(ana.carry(), bo, cy)
        post(bo.answer(), ana)
        ana.tx.execute("SAVEPOINT kept")
        ana.write(own, "two")
        settle(ana, bo, cy)
        held = cy.raws(own)
        assert len(held) == 2
        ana.tx.execute("ROLLBACK TO kept")
        settle(ana, bo, cy)
        assert ana.raws(own) == bo.raws(own) == held


def test_an_old_word_of_the_anchor_publishes_on_any_copy_and_no_other_entry() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.tx.execute("SAVEPOINT kept")
        ana.write(own, "one")
        post(ana.carry(), bo)
        answers = bo.answer()
        post([*answers, *answers], ana)
        assert logs.log(ana.tx, own.log.number).published == 0
        ana.tx.execute("ROLLBACK TO kept")
        ana.write(own, "other")
        post(answers, ana)
        assert logs.log(ana.tx, own.log.number).published == logs.NEVER


def test_a_spine_that_others_know_better_puts_all_logs_in_doubt_until_their_anchors_are_asked() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo)
        over = ana.begin(cy, bo, role=Role.SPINE, secret=b"secret of the spine, 32 bytes...")
        ana.write(own, "one")
        settle(ana, bo, cy)
        ana.tx.execute("SAVEPOINT kept")
        ana.commit(over, own)
        letters = ana.carry()
        post(letters, bo, cy)
        ana.tx.execute("ROLLBACK TO kept")
        assert doubts.every(ana.tx) == frozenset()
        ana.clock.ms += 1
        ana.commit(over, own)
        ana.clock.ms += carrying.SPINE_MS
        post(ana.carry(), bo, cy)
        early = bo.answer()
        post(cy.answer(), ana)
        ana.regain()
        assert doubts.every(ana.tx) == {own.log.number}
        post(early, ana)
        assert doubts.every(ana.tx) == {own.log.number}
        asked = ana.carry()
        assert texts_of(asked) == ["bo Carried 0", "bo Carried 1"]  # a question, and the spine as it is now
        post(asked, bo, cy)
        answers = bo.answer()
        post(answers, ana)
        assert doubts.every(ana.tx) == frozenset()


# --- what contacts may not do


def one_letter(ana: Person, bo: Person) -> Letter:
    own = ana.begin(bo)
    ana.write(own, "one")
    granted, carried_ = ana.carry()
    assert post([granted], bo) == [None]
    return carried_


def changed(letter: Letter, ana: Person, **fields: object) -> Letter:
    said = KINDS.hear(letter.raw, Channel.RATCHET).content
    values = {name: getattr(said, name) for name in ("log", "nonce", "since", "entries", "contents")}
    return ana.letter(ana.known[letter.reader][0], Carried(**{**values, **fields}))


def test_entries_of_another_author_or_log_and_forged_ones_are_dropped() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, _):
        letter = one_letter(ana, bo)
        said = KINDS.hear(letter.raw, Channel.RATCHET).content
        raw = said.entries[0]
        hostile = (
            changed(letter, ana, entries=(raw[:-1] + bytes((raw[-1] ^ 1,)),)),
            changed(letter, ana, contents=(b"another",)),
            changed(letter, ana, entries=(raw, raw)),
            changed(letter, ana, contents=(b"", b"")),
        )
        faults = [bo.hear(one) for one in hostile]
        assert [type(fault) for fault in faults[:2]] == [Forged, Forged]
        assert all(faults)
        assert isinstance(faults[3], Malformed)
        assert isinstance(bo.hear(letter._replace(sender="cy")), NotShared)  # of ana's log
        assert bo.answer() == []
        assert bo.hear(letter) is None
        assert not bo.accused()


def test_a_fork_that_a_reader_is_carried_freezes_the_log() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.tx.execute("SAVEPOINT kept")
        for text in ("one", "other"):
            ana.tx.execute("ROLLBACK TO kept")
            ana.write(own, text)
            logs.publish(ana.tx, own.log.number, 0)  # no honest node does
            post(ana.carry(), bo, cy)
        assert cy.accused()
        his = cy.log(own)
        assert his is not None
        assert his.log.state is logs.State.FROZEN
        assert not bo.accused()  # the anchor has one of the two, and dropped the other


def test_a_word_about_a_log_that_is_not_shared_or_not_ours_is_dropped() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        letter = one_letter(ana, bo)
        assert bo.hear(letter) is None
        (word,) = bo.answer()
        assert isinstance(ana.hear(word._replace(sender="cy")), NotShared)
        said = KINDS.hear(word.raw, Channel.RATCHET).content
        uneven = bo.letter(bo.known["ana"][0], Holding(said.log, said.nonce, 0, said.head))
        assert isinstance(ana.hear(uneven), Malformed)
        assert isinstance(cy.hear(word._replace(reader="cy")), NotShared)
        assert logs.log(ana.tx, 1).published == logs.NEVER


def test_only_the_anchor_gives_back_and_no_more_than_is_looked_at() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy)
        ana.write(own, "one")
        held = entries.read(ana.tx, own.log.number, 0, 1, 1 << 20)
        said = contents.carried(own.log.id, NONCE, 0, [(one.raw, one.content) for one in held])
        assert isinstance(ana.hear(cy.letter(cy.known["ana"][0], said)), NotShared)
        for _ in range(carried.RETURNED_MAX + 1):
            assert ana.hear(bo.letter(bo.known["ana"][0], said)) is None
        assert len(carried.returned(ana.tx)) == carried.RETURNED_MAX
        empty = Carried(own.log.id, NONCE, 0, (), ())
        assert isinstance(ana.hear(bo.letter(bo.known["ana"][0], empty)), NotShared)


def test_who_asks_again_and_again_and_collects_nothing_is_not_given_more_and_more() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.write(own, "one")
        settle(ana, bo)
        question = ana.letter(ana.known["bo"][0], Carried(own.log.id, NONCE, 0, (), ()))
        assert bo.hear(question) is None
        assert texts_of(bo.answer()) == ["ana Holding", "ana Carried 1"]
        numbers = (MessageId(n.to_bytes(16, "big")) for n in range(passing.PASSING_MAX))
        posted = [Posted(number, Carried.KIND, 1, b"body") for number in numbers]
        outbox.post(bo.tx, bo.known["ana"][0], posted, bo.clock.ms)
        assert bo.hear(question) is None
        assert texts_of(bo.answer()) == ["ana Holding"]


def test_a_contact_who_speaks_of_many_logs_leaves_few_rows() -> None:
    with open_people("ana", "bo") as (ana, bo):
        for number in range(carried.ROWS_MAX + 5):
            said = Carried(number.to_bytes(16, "big"), NONCE, 0, (), ())
            assert bo.hear(ana.letter(ana.known["bo"][0], said)) is None
        assert len(bo.answer()) == carried.ROWS_MAX
        assert bo.tx.one("SELECT COUNT(*) FROM carried") == (0,)


def test_logs_that_are_over_leave_room_for_those_that_go_on() -> None:
    with open_people("ana", "bo") as (ana, bo):
        owns = [ana.begin(bo, secret=bytes((n,)) * 32) for n in range(3)]
        for own in owns:
            ana.write(own, "one")
        settle(ana, bo)
        his = bo.known["ana"][0]
        assert bo.tx.one("SELECT COUNT(*) FROM carried") == (3,)
        for n in range(carried.ROWS_MAX - 3):
            assert bo.hear(ana.letter(ana.known["bo"][0], Carried(n.to_bytes(16, "big"), NONCE, 0, (), ()))) is None
        late = ana.letter(ana.known["bo"][0], Carried(b"l" * 16, NONCE, 0, (), ()))
        count = "SELECT COUNT(*) FROM carried WHERE contact = ? AND log = ?"
        assert bo.hear(late) is None
        assert bo.tx.one(count, (his, b"l" * 16)) == (0,)
        of = bo.log(owns[0])
        assert of is not None
        logs.end(bo.tx, of.log.number)
        assert bo.hear(late) is None
        assert bo.tx.one(count, (his, b"l" * 16)) == (1,)


def test_nothing_is_carried_to_who_is_blocked_or_was_not_told() -> None:
    with open_people("ana", "bo") as (ana, bo):
        own = ana.begin(bo)
        ana.write(own, "one")
        assert carrying.ways(ana.tx) == ()
        spaces.told(ana.tx, own.log.number, ana.known["bo"][0])
        assert len(carrying.ways(ana.tx)) == 1
        ana.tx.execute("UPDATE contact SET state = ?", (int(ContactState.BLOCKED),))
        assert carrying.ways(ana.tx) == ()


def test_what_is_owed_is_found_without_reading_all_that_was_carried() -> None:
    with open_people("ana") as (ana,):
        sql = "SELECT contact, log, nonce, since, owed FROM carried WHERE owed != 0 ORDER BY contact, log"
        assert "carried_owed" in str(ana.tx.all(f"EXPLAIN QUERY PLAN {sql}"))
        passing.empty(ana.tx)  # names its index, and fails without it


def test_the_largest_content_stays_within_one_message() -> None:
    raw, said = b"e" * 2174, b"c" * 66_560
    (alone,) = contents.packed([(raw, said)])
    assert alone == ((raw, None),)  # its content waits for a stream
    small = [(b"e" * 167, b"c" * 168)] * 600
    parts = [*contents.packed(small)]
    assert [len(part) for part in parts] == [171, 171, 171, 87]
    largest = [(b"e" * 167, b"") for _ in range(600)]
    for part in (*parts, *contents.packed(largest), *contents.packed([(raw, b"c" * 1000)] * 40)):
        assert len(record.encode(contents.carried(NONCE, NONCE, 2**40 - 1, part))) < 59 * 1024
