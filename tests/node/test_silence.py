"""When a silent talk is asked and given up: the promise of 20 s, and what a talk costs whom nobody looks at."""

import pytest

from node.silence import ANSWER_S, AWAKE_S, PING_LATER_S, PING_S, QUIET_PING_S, SILENCE_S, Attention, Silence

BEGAN = 1000.0


def _begun(*, dialled: bool = True) -> Silence:
    one = Silence(Attention(), dialled)
    one.begin(BEGAN)
    return one


@pytest.mark.parametrize(("dialled", "after_s"), [(True, PING_S), (False, PING_S + PING_LATER_S)])
def test_after_mail_it_is_asked_soon_by_its_dialler_first(dialled: bool, after_s: float) -> None:
    assert _begun(dialled=dialled).asks_at(BEGAN, is_waiting=False) == BEGAN + after_s


def test_it_is_asked_once_until_something_is_heard() -> None:
    one = _begun()
    one.ask(BEGAN + PING_S)
    assert one.asks_at(BEGAN + PING_S, is_waiting=True) == float("inf")
    one.heard_at = BEGAN + PING_S + 1
    assert one.asks_at(BEGAN + PING_S + 1, is_waiting=True) == BEGAN + PING_S + 1 + PING_S


def test_it_is_given_up_only_after_it_was_asked() -> None:
    one = _begun()
    assert one.ends_at() == float("inf")
    one.ask(BEGAN + PING_S)
    assert one.ends_at() == BEGAN + SILENCE_S < BEGAN + 20
    one.ask(BEGAN + SILENCE_S - 1)  # as by somebody who looks again and again
    assert one.ends_at() == BEGAN + SILENCE_S


def test_where_nobody_writes_and_nobody_looks_it_is_asked_seldom() -> None:
    one, now = _begun(), BEGAN + AWAKE_S
    one.heard_at = now
    assert one.asks_at(now, is_waiting=False) == now + QUIET_PING_S
    one.ask(now + QUIET_PING_S)
    assert one.ends_at() == now + QUIET_PING_S + ANSWER_S


def test_mail_that_waits_wakes_it() -> None:
    one, now = _begun(), BEGAN + AWAKE_S + PING_S
    one.heard_at = BEGAN + AWAKE_S
    assert one.asks_at(now, is_waiting=False) > now
    assert one.asks_at(now, is_waiting=True) <= now


def test_mail_that_moves_wakes_it_for_a_while() -> None:
    one, now = _begun(), BEGAN + 10 * AWAKE_S
    one.heard_at = one.moved_at = now
    assert one.asks_at(now, is_waiting=False) == now + PING_S
    assert one.asks_at(now + AWAKE_S, is_waiting=False) == now + QUIET_PING_S


def test_a_look_wakes_every_talk_of_the_node() -> None:
    attention, now = Attention(), BEGAN + 10 * AWAKE_S
    talks = [Silence(attention, dialled) for dialled in (True, False)]
    for one in talks:
        one.begin(BEGAN)
        one.heard_at = now - PING_S - PING_LATER_S
    assert all(one.asks_at(now, is_waiting=False) > now for one in talks)
    attention.looked_at = now
    assert all(one.asks_at(now, is_waiting=False) <= now for one in talks)


def test_what_was_heard_long_ago_is_old() -> None:
    one = _begun()
    assert not one.is_old(BEGAN + SILENCE_S - 1)
    assert one.is_old(BEGAN + SILENCE_S)
