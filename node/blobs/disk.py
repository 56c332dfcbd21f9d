"""What the disk does to files of pieces: one that is gone is noticed when it is opened; what waits for room goes on.

Not here: what is written and read (files.py), the disk under the database (node/disk.py).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

import structlog
import trio

from node import ground
from node.blobs.files import NAME_BYTES, Files, sealed_total
from node.inward import Inward
from protocol.blobs import Blob
from store import blobs, pieces
from store.blobs import Row
from store.database import Tx
from store.faults import StoreFault
from store.pieces import BlobGone, OriginalGone

NO_ROOM = "it waits for room on the disk"
NO_DISK = "it waits for the disk, which does not take it"
TRY_S = 10.0  # how soon after there is room it goes on

log = structlog.get_logger("blobs")


async def is_gone(inward: Inward, files: Files, number: int) -> bool:
    """Whether pieces were here whose file is gone, or is not as it was; then they are not here from now on.

    Raises: OSError, where nobody can tell.
    """
    row = await inward.database.read(blobs.row, number)
    if row is None or not row.bits or await ground.aside(inward.ground, files.stands, row.file, row.blob, row.bits):
        return False
    return await _gone(inward, row)


async def require(inward: Inward, files: Files, number: int) -> None:
    """Returns where the file of a blob is as it should be. Raises: BlobGone, OriginalGone; OSError."""
    if await is_gone(inward, files, number):
        await _refuse(inward, number)


async def give_up(inward: Inward, row: Row) -> NoReturn:
    """What the disk gives of a blob is not what was written: it is not here from now on. Raises: BlobGone always."""
    await _gone(inward, row)
    await _refuse(inward, row.number)


async def resume(inward: Inward, files: Files, has_room: Callable[[int], bool]) -> None:
    """Lets what waits for the disk go on once it takes it, until cancelled. has_room: for so many bytes."""
    entropy = inward.ground.entropy("blob")
    with inward.database.watch(frozenset({blobs.CHANGED})) as changes:
        while True:
            waiting = await inward.database.read(pieces.waiting)
            if not waiting:
                await changes.receive()
                continue
            await trio.sleep(TRY_S)
            fitting: list[int] = []
            taken = 0  # what goes on needs room too, one after another
            for one in waiting:
                missing = sealed_missing(one.blob, one.here)
                if has_room(taken + missing):
                    taken += missing
                    fitting.append(one.number)
            if not fitting:
                continue
            is_taken: bool = await ground.aside(inward.ground, files.is_taken, entropy(NAME_BYTES).hex())
            if is_taken:
                with suppress(StoreFault):
                    await inward.database.transact(_go_on, fitting)


async def _gone(inward: Inward, row: Row) -> bool:
    if await inward.database.transact(blobs.gone, row.number, row.file):
        log.error("a file of pieces is gone, or not as it was", file=row.file)
        return True
    return False


async def _refuse(inward: Inward, number: int) -> NoReturn:
    raise OriginalGone if await inward.database.read(pieces.is_original, number) else BlobGone


def sealed_missing(blob: Blob, here: int) -> int:
    """About how many bytes are missing of a blob."""
    return sealed_total(blob) * (blob.count - here) // blob.count


def _go_on(tx: Tx, numbers: Sequence[int]) -> None:
    for number in numbers:
        blobs.go_on(tx, number)
