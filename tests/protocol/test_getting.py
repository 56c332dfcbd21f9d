"""Several sources give one blob: whatever they have, break off, stall or give wrong, what is to be had is got."""

import random
from collections.abc import Hashable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.faults import Malformed
from protocol.getting import AHEAD_MAX, ASKED_MAX, Getting
from tests import depth

EVERY = None


def test_chunks_are_asked_for_in_order_and_each_of_one_source() -> None:
    getting = Getting(20)
    getting.join("a", EVERY, 0.0)
    getting.join("b", EVERY, 0.0)
    assert getting.ask("a", 0.0) == [*range(8)]
    assert getting.ask("b", 0.0) == [*range(8, 16)]
    assert getting.ask("a", 0.0) == []
    assert getting.came("b", 8, 1.0)
    getting.took(8)
    assert getting.ask("b", 1.0) == [16]
    assert getting.missing == 19


def test_what_is_here_is_not_asked_for_again() -> None:
    getting = Getting(4, done=0b0101)
    getting.join("a", EVERY, 0.0)
    assert getting.ask("a", 0.0) == [1, 3]


def test_a_source_is_asked_for_what_it_has_alone_and_may_get_more() -> None:
    getting = Getting(4)
    getting.join("a", 0b0110 | 1 << 90, 0.0)
    assert getting.ask("a", 0.0) == [1, 2]
    getting.join("a", 0b1000, 1.0)
    assert getting.ask("a", 1.0) == [3]


def test_a_wrong_chunk_is_free_for_others_and_its_source_dropped() -> None:
    getting = Getting(2)
    getting.join("liar", EVERY, 0.0)
    getting.join("a", EVERY, 0.0)
    assert getting.ask("liar", 0.0) == [0, 1]
    assert getting.came("liar", 0, 1.0)  # and it is not what it should be
    getting.leave("liar")
    assert getting.ask("a", 1.0) == [0, 1]


def test_a_source_that_stalls_at_the_end_holds_nothing_up() -> None:
    getting = Getting(2)
    getting.join("slow", EVERY, 0.0)
    getting.join("a", 0b01, 0.0)
    assert getting.ask("slow", 0.0) == [0, 1]
    assert getting.ask("a", 5.0) == [0]  # also asked of it
    getting.join("b", EVERY, 6.0)
    assert getting.ask("b", 6.0) == [1]  # two were asked for the other one
    for source, place in (("a", 0), ("b", 1)):
        assert getting.came(source, place, 7.0)
        getting.took(place)
    assert getting.is_done
    assert not getting.came("slow", 1, 8.0)  # too late, and no fault
    assert getting.silent(9.0) == ("slow",)
    assert getting.silent(8.0) == ()


def test_who_was_asked_for_nothing_is_not_silent() -> None:
    getting = Getting(1)
    getting.join("a", EVERY, 0.0)
    assert getting.silent(100.0) == ()
    assert getting.ask("a", 100.0) == [0]
    assert getting.silent(100.0) == ()
    assert getting.silent(100.1) == ("a",)


@pytest.mark.parametrize("place", [0, 3, 99])
def test_what_was_not_asked_for_is_not_taken(place: int) -> None:
    getting = Getting(9, done=0b1)
    getting.join("a", EVERY, 0.0)
    with pytest.raises(Malformed):
        getting.came("a", place, 0.0)


@settings(max_examples=depth.EXAMPLES)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 5))
def test_whatever_sources_do_what_is_to_be_had_is_got_and_nobody_is_asked_for_more_than_he_has(
    seed: int, count: int, sources: int
) -> None:
    chance = random.Random(seed)
    getting = Getting(count)
    have = {n: chance.getrandbits(count) for n in range(sources)}
    honest = have[0]
    asked: dict[Hashable, list[int]] = {}
    now = 0.0
    for _ in range(40 * count * sources):
        now += 1.0
        n = chance.randrange(sources)
        if n not in asked:
            if n == 0 or chance.random() < 0.3:
                getting.join(n, have[n], now)
                asked[n] = []
            continue
        for place in getting.ask(n, now):
            assert have[n] >> place & 1
            assert not getting.done >> place & 1
            asked[n].append(place)
        assert len(asked[n]) <= AHEAD_MAX
        assert all(sum(place in of for of in asked.values()) <= ASKED_MAX for place in range(count))
        if asked[n] and (n == 0 or chance.random() < 0.4):
            place = asked[n].pop(chance.randrange(len(asked[n])))
            before = getting.done >> place & 1
            assert getting.came(n, place, now) is not bool(before)
            if n == 0 or chance.random() < 0.7:  # else it is a wrong one
                getting.took(place)
        if n and chance.random() < 0.1:
            getting.leave(n)
            del asked[n]
    assert getting.done & honest == honest
    assert getting.missing == count - getting.done.bit_count()
