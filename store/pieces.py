"""Which files of pieces should stand on the disk, and which blobs wait for it. Here is only looked (blobs.py)."""

from dataclasses import dataclass

from protocol.blobs import Blob
from protocol.faults import UserFault
from store.blobs import State
from store.database import Tx


class BlobGone(UserFault):
    """What was here of this file is not on the disk any more, or not as it was, so nothing was done. Fetch it again."""

    code = "media.gone"
    next = "weft get ID"
    exit = 6


class OriginalGone(BlobGone):
    """This file is not here any more: the disk has lost it, or changed it. The original is needed: send that again."""

    next = "weft send NAME --file FILE"


@dataclass(frozen=True, slots=True)
class Standing:
    """A file that should be there. here: how many pieces of the blob are in it."""

    number: int
    file: str
    blob: Blob
    here: int


def standing(tx: Tx, after: int, limit: int) -> tuple[Standing, ...]:
    """The files in which any piece is, of blobs behind this number, in order."""
    rows = tx.all(
        "SELECT b.number, b.file, b.root, b.key, b.length, b.hash, b.here FROM blob_held h JOIN blob b"
        " ON b.number = h.blob WHERE h.blob > ? ORDER BY h.blob LIMIT ?",
        (after, limit),
    )
    return tuple(Standing(number, file, Blob(*blob), here) for number, file, *blob, here in rows)


def waiting(tx: Tx) -> tuple[Standing, ...]:
    """Those that are not fetched because the disk does not take more: not what a person paused."""
    rows = tx.all(
        "SELECT number, file, root, key, length, hash, here FROM blob WHERE state = ? AND reason != '' ORDER BY number",
        (int(State.PAUSED),),
    )
    return tuple(Standing(number, file, Blob(*blob), here) for number, file, *blob, here in rows)


def is_original(tx: Tx, number: int) -> bool:
    """Whether nobody told us a blob: it was made here, and may lie nowhere else."""
    return tx.one("SELECT 1 FROM blob_source WHERE blob = ? LIMIT 1", (number,)) is None
