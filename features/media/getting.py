"""Fetching a file that was told, and saving it to a folder: what every room does that shows files.

Not here: which message or moment tells it; the fetching itself (node/blobs).
"""

import os
from contextlib import suppress
from pathlib import Path

from features.media import names
from features.media.faults import BadPlace
from node import ground
from node.core import Core
from protocol.faults import quoted
from protocol.file import File
from store import blobs
from store.blobs import Row, State
from store.pieces import BlobGone, OriginalGone

NAMES_MAX = 1000  # files of one name in one folder


async def require_standing(core: Core, number: int) -> None:
    """Raises: BlobGone, where what was here of a file is gone from the disk."""
    with suppress(OSError):  # nobody can tell; what is done next says what is wrong
        await core.blobs.require_standing(number)


async def require_ready(core: Core, number: int) -> None:
    """Returns where a blob can be fetched, or is here. Raises: OriginalGone (it was ours), NoRoomForBlob."""
    try:
        await require_standing(core, number)
    except OriginalGone:
        raise
    except BlobGone:
        pass  # that is why it is fetched again
    await core.blobs.require_room_for(number)


async def save(core: Core, row: Row, said: File, folder: str) -> dict[str, object]:
    """Writes a whole file into a folder, under its name or the next free one: {"file", "bytes"}.

    Raises: BadPlace, BlobFalse, BlobNotHere, BlobGone.
    """
    place = Path(folder)
    if not await ground.aside(core.ground, _is_folder, place):
        raise BadPlace
    if row.state is State.FALSE:
        raise blobs.BlobFalse
    if row.state is not State.WHOLE:
        raise blobs.BlobNotHere
    # From now on no quota takes it for a while.
    await core.database.transact(blobs.used, row.number, core.ground.now_ms())
    name = names.saved(said.name)
    for number in range(1, NAMES_MAX):
        file = place / (name if number == 1 else names.numbered(name, number))
        if await ground.aside(core.ground, os.path.lexists, file):
            continue
        try:
            await core.blobs.save(row.number, file)
        except FileExistsError:
            continue
        except OSError as broken:
            why = f"The file cannot be saved in {quoted(folder)} ({broken.strerror}); it stays here."
            raise BadPlace(why) from None
        return {"file": str(file), "bytes": said.blob.length}
    raise BadPlace


def _is_folder(place: Path) -> bool:
    return place.is_absolute() and place.is_dir()
