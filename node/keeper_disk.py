"""The disk of a keeper of one's own, which others fill too: it goes on giving out and deleting, and takes what there is
room for.

    keeper.spare   32 MiB that are given up when the disk is full: where nothing can be written, nothing can be deleted

What it takes goes with what is free, looked at once a minute; so it stops before the disk is full, and begins again by
itself. Not here: quotas (store/shelves.py), the disk of a person's node (disk.py).
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import structlog
import trio

from node import keeper_files
from node.keep.server import Keeping
from node.profile import Profile
from protocol import keep
from store import permits
from store.database import Database
from store.faults import StoreFault
from store.keeper_words import NO_ROOM

SPACE_BYTES = 10 << 30  # of one's own machine, for one's own mail alone, if its disk has so much
RESERVE_BYTES = 128 << 20  # of the disk, the spare file included: it stays free of what is kept
SPARE_BYTES = 32 << 20  # more than a whole log (16 MiB, store/connection.py) and its copy in the database
CHUNK_BYTES = 1 << 20
LOOK_S = 60.0  # while there is room
TRY_S = 5.0  # while the disk fails, or has no room
STEP_BYTES = 16 << 20  # less is no news: each is a write

log = structlog.get_logger("keeper")


def free(place: Profile) -> int:
    """What the disk has free, with what can be given up."""
    spare = keeper_files.spare(place)
    return shutil.disk_usage(place.root).free + (spare.stat().st_size if spare.exists() else 0)


def space_of(place: Profile) -> int:
    """To how many bytes the file may grow, as the disk is now."""
    held = keeper_files.database(place).stat().st_size
    return max(0, min(SPACE_BYTES, held + free(place) - RESERVE_BYTES))


def trouble(place: Profile, database: Database) -> str:
    """What a person should know of the disk; "" for nothing."""
    if database.trouble is not None:
        return database.trouble.lasting
    if free(place) < RESERVE_BYTES:
        return (
            "Others have filled the disk: nothing new is kept until there is room; what lies here is given out and"
            " deleted as ever."
        )
    return ""


def ready(place: Profile) -> None:
    """Gives the spare file up where a database could not even be opened without; half of one is no use to anybody."""
    _unfinished(keeper_files.spare(place)).unlink(missing_ok=True)
    if shutil.disk_usage(place.root).free < SPARE_BYTES:
        keeper_files.spare(place).unlink(missing_ok=True)


async def run(place: Profile, keeping: Keeping, database: Database) -> None:
    """Works until cancelled."""
    while True:
        await look(place, keeping, database)
        if trouble(place, database):
            await trio.sleep(TRY_S)
        else:
            with trio.move_on_after(LOOK_S):
                await database.failed()


async def look(place: Profile, keeping: Keeping, database: Database) -> None:
    """Gives the spare file up or makes it, and says what may be kept from now on."""
    spare, is_failing = keeper_files.spare(place), database.trouble is not None
    if is_failing and spare.exists():
        log.error("the disk is full", reason=str(database.trouble))
        spare.unlink(missing_ok=True)
    elif not spare.exists() and shutil.disk_usage(place.root).free >= RESERVE_BYTES:
        await trio.to_thread.run_sync(_make, spare)
    with suppress(StoreFault):
        space, before = space_of(place), await keeping.given()
        if is_failing or abs(space - before) >= STEP_BYTES or (space != before and space in (0, SPACE_BYTES)):
            await keeping.give(space)
            await keeping.permit(permits.OWN, max(space, NO_ROOM), keep.OWN.ttl_s)  # its owner is told by this
            log.info("may keep", space=space)


def _make(spare: Path) -> None:
    """Takes the room, as far as the disk gives it."""
    temporary = _unfinished(spare)
    try:
        with open(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            for _ in range(0, SPARE_BYTES, CHUNK_BYTES):
                file.write(bytes(CHUNK_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, spare)
    except OSError:
        temporary.unlink(missing_ok=True)


def _unfinished(spare: Path) -> Path:
    return spare.with_name(f"{spare.name}.new")
