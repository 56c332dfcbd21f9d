"""The doctor on files: what is gone from the disk or cut, what waits for room, and that all is there."""

import os
from pathlib import Path

from crypto import chunks
from node.blobs.disk import NO_ROOM
from node.blobs.files import Files
from node.doctor import media
from node.doctor.findings import Level
from protocol.blobs import Blob
from store import blobs
from store.database import Tx
from tests.node import patients
from tests.node.patients import Made, of, worst

BLOBS = tuple(Blob(bytes([n]) * 32, bytes([n]) * 32, 2 * chunks.CHUNK_BYTES, bytes(32)) for n in range(1, 5))
PIECES = [(0, bytes(chunks.SEALED_BYTES_MAX)), (1, bytes(chunks.SEALED_BYTES_MAX))]


def _made(tx: Tx) -> None:
    for number, blob in enumerate(BLOBS[:3], 1):
        blobs.made(tx, blob, bytes(64), f"file-{number}", 0)
    half = blobs.told(tx, BLOBS[3], 1, "half", 0)
    blobs.want(tx, half)
    blobs.came(tx, half, "half-4", 0b1, 0)


async def with_files(folder: Path) -> tuple[Made, Files]:
    """A profile with three whole files and half a one."""
    made = await patients.make(folder)
    files = Files(made.place.blobs)
    for number in (1, 2, 3):
        files.write(f"file-{number}", PIECES)
    files.write("half-4", PIECES[:1])
    async with made.database() as database:
        await database.transact(_made)
    return made, files


async def test_files_that_are_all_there_are_counted(tmp_path: Path) -> None:
    assert of(await (await patients.make(tmp_path / "empty")).findings(names=("media",)), "media") == []
    made, _ = await with_files(tmp_path)
    (one,) = of(await made.findings(names=("media",)), "media")
    assert (one.level, one.sentence) == (Level.OK, "4 files, sealed, all in their place.")


async def test_files_that_are_gone_or_cut_are_counted_and_nothing_is_changed(tmp_path: Path) -> None:
    made, files = await with_files(tmp_path)
    (files.folder / "file-1").unlink()
    os.truncate(files.folder / "file-2", 5)
    os.truncate(files.folder / "half-4", 5)
    before = patients.snapshot(made.place.root)
    one = worst(await made.findings(names=("media",)), "media")
    assert (one.level, one.next) == (Level.WARNING, media.NEXT)
    assert one.sentence.startswith("3 files of what was sent and came: not in ")
    assert patients.snapshot(made.place.root) == before


async def test_what_waits_for_room_is_said(tmp_path: Path) -> None:
    made, _ = await with_files(tmp_path)
    async with made.database() as database:
        await database.transact(blobs.stuck, 4, "half-4", NO_ROOM)
    one = worst(await made.findings(names=("media",)), "media")
    assert (one.level, one.next) == (Level.WARNING, "df -h")
    assert one.sentence.startswith("1 file waits for the disk")
