"""How often a notice that somebody types is sent, and heeded."""

import trio
from trio.testing import MockClock

from node.typists import CAME_MAX, GAP_S, HEED_S, Typists


async def test_one_of_a_contact_is_heeded_in_two_seconds(autojump_clock: MockClock) -> None:
    typists = Typists()
    for _ in range(1000):
        typists.heard(7)
    typists.heard(8)
    assert [typists.came.receive_nowait().contact for _ in range(2)] == [7, 8]
    assert typists.came.statistics().current_buffer_used == 0
    await trio.sleep(HEED_S)
    typists.heard(7)
    assert typists.came.receive_nowait().at == trio.current_time()


async def test_one_to_a_contact_is_due_in_four_seconds(autojump_clock: MockClock) -> None:
    typists = Typists()
    assert typists.is_due(7)
    typists.told(7)
    assert (typists.is_due(7), typists.is_due(8)) == (False, True)
    await trio.sleep(GAP_S)
    assert typists.is_due(7)


async def test_many_contacts_at_once_fill_nothing(autojump_clock: MockClock) -> None:
    typists = Typists()
    for contact in range(10 * CAME_MAX):
        typists.heard(contact)
    assert typists.came.statistics().current_buffer_used == CAME_MAX
