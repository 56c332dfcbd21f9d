"""Invariant 6: no copy of a disk, however old and however many run, makes an honest author fork (spine.md 6).

Every interleaving within bounds, by the explorer; rules that lack one thing each fork him there, so it is not blind.
Several logs with a spine over them: test_publishing_spine.py.
"""

import pytest

from protocol import publishing
from protocol.publishing import Desk, Offer, Persist, Reopen, Retake, Tell, Trouble
from tests import depth
from tests.protocol import explorer
from tests.protocol.explorer import Bounds, Rule

ANCHOR, READER = explorer.name(0), explorer.name(1)


def to_all_at_once(desk: Desk, _: bytes) -> int:
    """The anchor is asked, but does not get an entry before the others."""
    return desk.seq if desk.is_open else desk.held


def without_asking(desk: Desk, _: bytes) -> int:
    return desk.seq


SMALL = {
    "restored, with a reader": (Rule(1, 2), Bounds(signed=3, runs=3, wire=1, machines=1)),
    "copied to a second machine": (Rule(1, 1), Bounds(signed=2, runs=3, wire=1, machines=2)),
    "by mail, restored": (Rule(1, 2), Bounds(signed=2, runs=2, wire=1, machines=1, mail=2)),
    "by mail alone, copied": (Rule(1, 2), Bounds(signed=2, runs=3, wire=0, machines=2, mail=2)),
}
LARGE = {
    "restored, more on its way": (Rule(1, 2), Bounds(signed=3, runs=3, wire=2, machines=1)),
    "copied, with a reader": (Rule(1, 2), Bounds(signed=2, runs=3, wire=1, machines=2)),
    "copied, more entries": (Rule(1, 1), Bounds(signed=3, runs=3, wire=1, machines=2)),
    "copied, more on its way": (Rule(1, 1), Bounds(signed=2, runs=3, wire=2, machines=2)),
    "by mail, copied, with a reader": (Rule(1, 2), Bounds(signed=2, runs=2, wire=1, machines=2, mail=1)),
}
WIDEST = {
    "copied, more starts": (Rule(1, 2), Bounds(signed=2, runs=4, wire=1, machines=2)),
    "by mail, copied, more starts": (Rule(1, 1), Bounds(signed=2, runs=3, wire=1, machines=2, mail=1, states=10**6)),
    "by mail, restored, more entries": (Rule(1, 2), Bounds(signed=3, runs=2, wire=1, machines=1, mail=2, states=10**6)),
}
EXPLORED = {**SMALL, **(LARGE if depth.LEVEL else {}), **(WIDEST if depth.LEVEL > 1 else {})}
BROKEN = {
    "the word of any contact": Rule(2, 2, to_all_at_once),
    "a reader gets it before the anchor has it": Rule(1, 2, to_all_at_once),
    "nobody is asked": Rule(1, 1, without_asking),
    "two runs are served at a time": Rule(1, 1, is_fencing=False),
}
BY_MAIL = {
    "what the anchor says he holds is not looked at": Rule(1, 2, is_compared=False),
    "a stream goes on when mail has brought something else": Rule(1, 1, is_yielding=False),
    "a reader gets it when the anchor is offered it": Rule(1, 2, without_asking),
}


@pytest.mark.parametrize("case", EXPLORED)
def test_no_interleaving_forks_an_honest_author(case: str) -> None:
    states, way = explorer.explore(*EXPLORED[case])
    assert way is None
    assert states > 10_000


@pytest.mark.parametrize("case", BROKEN)
def test_a_rule_that_lacks_one_thing_forks_him(case: str) -> None:
    _, way = explorer.explore(BROKEN[case], Bounds(signed=2, runs=3, wire=2, machines=1))
    assert way is not None


@pytest.mark.parametrize("case", BY_MAIL)
def test_a_rule_for_mail_that_lacks_one_thing_forks_him(case: str) -> None:
    _, way = explorer.explore(BY_MAIL[case], Bounds(signed=2, runs=2, wire=1, machines=1, mail=2))
    assert way is not None


# --- the steps of one desk


def test_nothing_new_is_shown_before_the_anchor_has_answered() -> None:
    desk, effects = publishing.appended(Desk(ANCHOR, seq=3, held=2), 4)
    assert effects == ()
    assert [publishing.shown_to(desk, contact) for contact in (ANCHOR, READER)] == [2, 2]
    desk, effects = publishing.compared(desk, 3, is_ours=True)
    assert effects == (Persist(3), Offer(3, to_all=True), Offer(4, to_all=False))
    assert [publishing.shown_to(desk, contact) for contact in (ANCHOR, READER)] == [4, 3]


def test_the_others_get_it_when_the_anchor_has_it_on_his_disk() -> None:
    desk, _ = publishing.compared(Desk(ANCHOR), publishing.NONE, is_ours=True)
    desk, effects = publishing.appended(desk, 0)
    assert effects == (Offer(0, to_all=False),)
    assert publishing.shown_to(desk, READER) == publishing.NONE
    desk, effects = publishing.held(desk, 0)
    assert effects == (Persist(0), Offer(0, to_all=True))
    assert publishing.shown_to(desk, READER) == 0
    assert publishing.held(desk, 0) == (desk, ())


def test_who_was_set_back_takes_his_own_entries_back_and_is_told() -> None:
    desk, effects = publishing.compared(Desk(ANCHOR, seq=3, held=1), 5, is_ours=False)
    assert effects == (Retake(),)
    assert not desk.is_open
    desk, effects = publishing.retaken(desk, 7, 5)
    assert effects == (Tell(Trouble.OLD_COPY), Persist(5), Offer(5, to_all=True), Offer(7, to_all=False))
    assert desk.is_open


def test_what_is_met_after_the_log_was_open_comes_from_another_machine() -> None:
    desk, _ = publishing.compared(Desk(ANCHOR, seq=1, held=1), 1, is_ours=True)
    desk, _ = publishing.compared(publishing.closed(desk), 2, is_ours=False)
    _, effects = publishing.retaken(desk, 2, 2)
    assert effects[0] == Tell(Trouble.TWO_MACHINES)


def test_a_log_that_parts_in_what_is_published_is_over_and_accuses_nobody() -> None:
    desk, _ = publishing.compared(Desk(ANCHOR, seq=3, held=3), 3, is_ours=False)
    desk, effects = publishing.parted(desk)
    assert effects == (Tell(Trouble.FORKED), Reopen())
    assert publishing.compared(desk, 3, is_ours=True) == (desk, ())
    assert publishing.committable(desk) is None


def test_an_anchor_who_cannot_be_asked_may_be_given_up() -> None:
    desk, effects = publishing.give_up(Desk(ANCHOR, seq=3, held=1))
    assert effects == (Reopen(),)
    assert publishing.shown_to(desk, ANCHOR) == 1


def test_a_new_stream_voids_what_was_said_on_the_one_before() -> None:
    desk, _ = publishing.compared(Desk(ANCHOR, seq=1, held=0), 0, is_ours=True)
    assert desk.is_open
    again = publishing.closed(desk)
    assert publishing.held(again, 1) == (again, ())
    assert publishing.shown_to(again, ANCHOR) == 0


def test_only_what_the_anchor_holds_is_committed_to() -> None:
    desk = Desk(ANCHOR, seq=3, held=1)
    assert publishing.committable(desk) == 1
    assert publishing.committable(Desk(ANCHOR, seq=3)) is None
    nothing, _ = publishing.compared(Desk(ANCHOR), publishing.NONE, is_ours=True)
    assert publishing.committable(nothing) is None


# --- by mail


def test_the_anchor_is_offered_all_in_any_run_and_the_others_what_he_holds() -> None:
    desk = Desk(ANCHOR, seq=3, held=1)
    assert [publishing.offered_to(desk, contact) for contact in (ANCHOR, READER)] == [3, 1]
    over, _ = publishing.give_up(desk)
    assert [publishing.offered_to(over, contact) for contact in (ANCHOR, READER)] == [1, 1]


def test_his_word_publishes_and_opens_nothing() -> None:
    desk, effects = publishing.told(Desk(ANCHOR, seq=3, held=1), 2)
    assert effects == (Persist(2), Offer(2, to_all=True))
    assert not desk.is_open
    assert [publishing.shown_to(desk, contact) for contact in (ANCHOR, READER)] == [2, 2]
    assert publishing.told(desk, 0) == (desk, ())  # it is late


def test_what_he_gives_back_is_told_and_closes_the_log() -> None:
    opened, _ = publishing.compared(Desk(ANCHOR, seq=1, held=1), 1, is_ours=True)
    for desk, trouble in ((Desk(ANCHOR, seq=1, held=0), Trouble.OLD_COPY), (opened, Trouble.TWO_MACHINES)):
        found, effects = publishing.regained(desk, 3, 2)
        assert effects == (Tell(trouble), Persist(2), Offer(2, to_all=True))
        assert not found.is_open
        assert publishing.shown_to(found, READER) == 2
