"""Waits until a disk that failed takes something again, and then reaches everybody: no message waits longer than that.

What the disk did is a fault of store/disk.py. Until it works the node lives on, acknowledges nothing and says why.
"""

from contextlib import suppress

import structlog
import trio

from node.delivery import Delivery
from store import settings
from store.database import Database
from store.faults import StoreFault

TRY_S = 3.0  # how soon after room was made the mail comes; one small write each time
TRIED = "disk.tried"  # a setting of the node's own, written to see whether the disk takes it

log = structlog.get_logger("disk")


async def run(database: Database, delivery: Delivery) -> None:
    """Works until cancelled."""
    while True:
        await database.failed()
        log.error("the disk fails", reason=str(database.trouble or ""))
        while database.trouble is not None:
            await trio.sleep(TRY_S)
            with suppress(StoreFault):
                await database.transact(settings.put, TRIED, "yes")
                await database.transact(settings.drop, TRIED)
        log.info("the disk works again")
        await delivery.reach_all()
