"""The window of a talk: what it takes, how it opens, what an acknowledgement frees."""

import pytest

from node.window import ENVELOPES_FIRST, Room, Window
from protocol import talk
from protocol.faults import PeerFault
from store.outbox import Outgoing

SMALL = 1024


def fill(window: Window, count: int, size: int = SMALL, first: int = 1) -> list[int]:
    """Seals and writes so many envelopes; their numbers."""
    sealed = [Outgoing(seq, bytes(size)) for seq in range(first, first + count)]
    window.enter(sealed)
    return [window.number(one) for one in sealed]


def opened() -> Window:
    """A window that has opened wholly."""
    window = Window()
    while window.room().envelopes < talk.WINDOW_ENVELOPES:
        numbers = fill(window, window.room().envelopes)
        window.settle(talk.Ack(numbers[-1], ()))
    return window


def test_it_begins_small_and_doubles_with_each_window_that_arrives() -> None:
    window = Window()
    rooms = []
    while (room := window.room().envelopes) < talk.WINDOW_ENVELOPES:
        rooms.append(room)
        window.settle(talk.Ack(fill(window, room)[-1], ()))
    assert rooms == [ENVELOPES_FIRST * 2**step for step in range(len(rooms))]


def test_what_is_held_does_not_open_it() -> None:
    window = Window()
    numbers = fill(window, ENVELOPES_FIRST)
    assert window.settle(talk.Ack(numbers[-1], tuple(numbers[1:]))) == ([1], list(range(2, ENVELOPES_FIRST + 1)))
    assert window.room().envelopes == ENVELOPES_FIRST + 1


def test_it_is_full_by_number_by_bytes_and_by_what_the_other_end_takes() -> None:
    window = opened()
    assert window.room() == Room(talk.WINDOW_ENVELOPES, talk.WINDOW_BYTES)
    fill(window, talk.WINDOW_ENVELOPES - 1)
    assert window.room().envelopes == 1
    window.reserve(1)
    assert window.room() == Room(0, 0)
    window.release(1)
    few_but_large = opened()
    fill(few_but_large, 16, 65_536)
    assert few_but_large.room() == Room(0, 0)
    cautious = opened()
    cautious.limit = 3
    assert cautious.room().envelopes == 3


def test_an_acknowledgement_frees_everything_up_to_its_number() -> None:
    window = opened()
    numbers = fill(window, 5, first=100)
    assert window.settle(talk.Ack(numbers[2], ())) == ([100, 101, 102], [])
    assert [window.in_flight(number) is None for number in numbers] == [True, True, True, False, False]
    assert window.settle(talk.Ack(numbers[2], ())) == ([], [])
    assert window.settle(talk.Ack(numbers[4], ())) == ([103, 104], [])


def test_nothing_is_acknowledged_that_was_never_written() -> None:
    window = Window()
    window.enter([Outgoing(1, bytes(SMALL))])
    with pytest.raises(PeerFault):
        window.settle(talk.Ack(1, ()))
