"""The files of large content: whether what is said to be here is on the disk, and what waits for room on it.

Only that they are there and how long they are: what is in them is checked when it is opened (node/blobs).
"""

from collections.abc import Sequence

from node.blobs.files import Files
from node.doctor import findings
from node.doctor.findings import Finding, several
from node.doctor.patient import Patient, aside
from store import pieces
from store.pieces import Standing

SLICE = 5000  # rows in one transaction: some milliseconds
NEXT = "weft files"


async def media(patient: Patient) -> list[Finding]:
    """What is gone, what waits, or that all is there; nothing where nothing is known of files."""
    if patient.ask is None:
        return []
    files, count, gone, after = Files(patient.place.blobs), 0, 0, 0
    while rows := await patient.ask(pieces.standing, after, SLICE):
        count, after = count + len(rows), rows[-1].number
        gone += await aside(_gone, files, rows)
    waiting = len(await patient.ask(pieces.waiting))
    found = []
    if gone:
        said = (
            f"{several(gone, 'file')} of what was sent and came: not in {patient.place.blobs} any more, or cut short."
        )
        again = "What came is fetched again by weft get, where somebody has it; of your own the original is needed."
        said = f"{said} {again}"
        found.append(findings.warning("media", said, NEXT))
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        said = (
            f"{several(waiting, 'file')} {verb} for the disk, and will go on by itself once it takes more. Make room:"
        )
        found.append(findings.warning("media", said, "df -h"))
    if count and not found:
        found.append(findings.ok("media", f"{several(count, 'file')}, sealed, all in their place."))
    return found


def _gone(files: Files, rows: Sequence[Standing]) -> int:
    """How many of these are not as they should be."""
    return sum(not files.stands(one.file, one.blob, _bits(one)) for one in rows)


def _bits(one: Standing) -> int:
    """All pieces where all are here; else the first at least."""
    return (1 << one.here) - 1 if one.here == one.blob.count else 1
