"""Strangers before the door: few of each, one look at a time, and a fifth of a core for all together."""

import pytest
import trio
from trio.testing import MockClock

from node import gate
from node.gate import Gate, TooMany
from node.network import PeerId

ANNA, BERT = PeerId(b"a" * 32), PeerId(b"b" * 32)


def test_a_peer_that_stands_there_often_enough_is_sent_away_and_others_are_not() -> None:
    door = Gate()
    visits = [door.visit(ANNA) for _ in range(gate.VISITS_PER_PEER_MAX)]
    for visit in visits:
        visit.__enter__()
    with pytest.raises(TooMany), door.visit(ANNA):
        pass
    with door.visit(BERT):
        pass
    visits[0].__exit__(None, None, None)
    with door.visit(ANNA):
        pass


async def test_looking_takes_a_fifth_of_the_time_at_most(autojump_clock: MockClock) -> None:
    door = Gate()
    began = trio.current_time()
    looked_s = 0.0
    for looking_s in (0.5, 0.001, 0.1, 0.0, 0.02):
        async with door.turn():
            await trio.sleep(looking_s)
        looked_s += looking_s
    async with door.turn():
        passed_s = trio.current_time() - began
    assert looked_s <= passed_s / 5 + 1e-9
    assert passed_s >= 5 * gate.PAUSE_S_MIN


async def test_turns_come_one_by_one_in_order(autojump_clock: MockClock) -> None:
    door = Gate()
    seen: list[int] = []
    inside = 0

    async def look(number: int) -> None:
        nonlocal inside
        await trio.sleep(number * 0.001)
        async with door.turn():
            inside += 1
            assert inside == 1
            await trio.sleep(0.01)
            seen.append(number)
            inside -= 1

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(look, number)
    assert seen == [0, 1, 2, 3, 4]


async def test_a_turn_that_is_given_up_blocks_nobody(autojump_clock: MockClock) -> None:
    door = Gate()

    async def look_long() -> None:
        async with door.turn():
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look_long)
        await trio.sleep(0.1)
        with trio.move_on_after(0.01):
            async with door.turn():
                raise AssertionError("it is not our turn")
    with trio.fail_after(10):
        async with door.turn():
            pass
