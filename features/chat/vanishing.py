"""The one task that waits until something is to disappear, and erases it then; at the start what is overdue.

It sleeps until the next time, or until something is read, said or delivered that will disappear. Not here: what has a
life, and what is erased (lasting.py).
"""

import trio

from features.chat import lasting
from node.core import Core

LOOK_S = 600.0  # at the latest while something is waited for: a machine that slept has another clock
DELIVERED = frozenset({lasting.BEGUN, "delivery"})


async def run(core: Core) -> None:
    """Erases what is due, whenever it is, until cancelled."""
    database = core.database
    with database.watch(frozenset({lasting.BEGUN})) as begun:
        while True:
            while not await database.transact(lasting.erase_due, core.ground.now_ms()):
                pass
            if not await database.read(lasting.waits_for_delivery):
                await _wait(core, begun)
                continue
            with database.watch(DELIVERED) as moved:  # each delivery wakes this task: only while one is waited for
                await _wait(core, moved)


async def _wait(core: Core, changes: trio.MemoryReceiveChannel[int]) -> None:
    """Returns when something is due, after ten minutes at the latest, or at the next change."""
    due_ms = await core.database.read(lasting.next_due)
    wait_s = float("inf") if due_ms is None else min(LOOK_S, max(0.0, (due_ms - core.ground.now_ms()) / 1000))
    with trio.move_on_after(wait_s):
        await changes.receive()
