"""The life of a message: one table, from which its page is drawn; and how patiently others are looked for."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import delivery
from protocol.delivery import Event, State
from protocol.faults import PeerFault

PAGE = Path(__file__).parents[2] / "docs" / "protocol" / "delivery.md"
PEER = sorted(delivery.FROM_PEER, key=lambda event: event.value)


def test_the_way_of_an_ordinary_message() -> None:
    state = State.QUEUED
    for event, after in (
        (Event.SEND, State.SENT),
        (Event.REQUEUE, State.QUEUED),
        (Event.SEND, State.SENT),
        (Event.HOLD, State.HELD),
        (Event.RECEIPT, State.DELIVERED),
        (Event.READ, State.READ),
    ):
        state = delivery.step(state, event)
        assert state is after


def test_the_numbers_of_states_are_stored_and_stay() -> None:
    assert [(state.name, int(state)) for state in State] == [
        ("QUEUED", 0),
        ("SENT", 1),
        ("HELD", 2),
        ("DELIVERED", 3),
        ("READ", 4),
        ("EXPIRED", 5),
        ("FAILED", 6),
        ("KEPT", 7),
    ]


@given(st.lists(st.sampled_from(Event)))
def test_nothing_comes_back_from_delivered_and_read(events: list[Event]) -> None:
    state = State.DELIVERED
    for event in events:
        if event is not Event.FAIL:
            after = delivery.step(state, event)
            assert after in (State.DELIVERED, State.READ)
            assert after >= state
            state = after


@pytest.mark.parametrize("state", [s for s in State if s is not State.FAILED])
def test_an_acknowledgement_is_true_whenever_it_comes(state: State) -> None:
    assert delivery.step(state, Event.ACK) in (State.DELIVERED, State.READ)
    assert delivery.step(state, Event.RECEIPT) in (State.DELIVERED, State.READ)
    assert delivery.step(state, Event.READ) is State.READ


@pytest.mark.parametrize(("state", "event"), product(State, Event))
def test_a_second_time_changes_nothing(state: State, event: Event) -> None:
    after = delivery.TABLE[state].get(event)
    if after is not None and event is not Event.FAIL:
        assert delivery.TABLE[after].get(event, after) is after


@pytest.mark.parametrize("event", PEER)
def test_nobody_acknowledges_what_never_left(event: Event) -> None:
    with pytest.raises(delivery.ImpossibleAck):
        delivery.step(State.FAILED, event)
    assert issubclass(delivery.ImpossibleAck, PeerFault)


@pytest.mark.parametrize("state", [State.SENT, State.HELD, State.DELIVERED, State.READ, State.EXPIRED])
def test_only_what_waits_here_can_be_refused_here(state: State) -> None:
    with pytest.raises(AssertionError):
        delivery.step(state, Event.FAIL)


def test_every_event_of_a_peer_has_an_answer_in_every_state() -> None:
    for state, event in product(State, PEER):
        if state is not State.FAILED:
            delivery.step(state, event)


def test_the_page_shows_the_table() -> None:
    assert f"```\n{delivery.drawing()}\n```" in PAGE.read_text()


def test_the_wait_doubles_to_a_minute_for_each_contact_and_to_ten_for_many_or_after_a_day() -> None:
    middle = [delivery.redial_after_s(n, 1, 0.5) for n in range(12)]
    assert middle == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
    assert [delivery.redial_after_s(n, 4, 0.5) for n in (8, 9, 10)] == [64, 128, 240]
    assert [delivery.redial_after_s(n, 5_000, 0.5) for n in (9, 10, 11, 12, 13)] == [128, 256, 512, 600, 600]
    assert [delivery.redial_after_s(n, 1, 0.5) for n in (1440, 1441, 10**9)] == [60, 600, 600]


CONTACTS = st.integers(1, 5_000)


@given(st.integers(1, 10**12), CONTACTS, st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_by_a_fifth(failures: int, contacts: int, jitter: float) -> None:
    middle_s = delivery.redial_after_s(failures, contacts, 0.5)
    assert 0.8 * middle_s - 1e-9 <= delivery.redial_after_s(failures, contacts, jitter) <= 1.2 * middle_s + 1e-9


@given(st.integers(0, 3000), CONTACTS, st.floats(0, 1, exclude_max=True))
def test_patience_grows(failures: int, contacts: int, jitter: float) -> None:
    waits_s = delivery.redial_after_s(failures, contacts, jitter)
    assert waits_s <= delivery.redial_after_s(failures + 1, contacts, jitter)
    assert waits_s <= delivery.redial_after_s(failures, contacts + 1, jitter)


def test_a_message_is_tried_for_thirty_days() -> None:
    assert delivery.EXPIRE_MS == 30 * 86_400_000
