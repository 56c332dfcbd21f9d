"""A keeper whose disk others fill to the last byte: it gives out and deletes, says so, and goes on once there is room.

The disk is one of memory, 300 MB, mounted for the test: Linux and root. On a disk that takes no writing for another
reason (a quota) it is as test_keeper_processes.py has it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from node import keeper_disk
from protocol import keep
from protocol.keep import Status
from tests.store.keep_kit import queue
from tests.stories import keeper_kit
from tests.stories.keeper_kit import OWNER, OWNER_SEED, everything, posting
from tests.stories.real import RealNode

pytestmark = [pytest.mark.process, pytest.mark.socket]

LARGE = 65536
WITHIN_S = 30.0
WIDE = {"items": 2000, "door_items": 2000, "size": 2**26}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts a small disk: Linux and root")
    words = ("mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(tmp_path))
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounts a small disk, which this system does not allow")
    try:
        yield tmp_path
    finally:
        subprocess.run(("umount", "-l", str(tmp_path)), check=True)


def fill(folder: Path) -> Path:
    """Others write until nothing fits; their file."""
    others = folder / "others"
    with others.open("wb", buffering=0) as file:
        for size in (1 << 20, 1):
            with suppress(OSError):  # no space left
                while True:
                    file.write(bytes(size))
    return others


async def test_on_a_disk_that_others_filled_it_deletes_and_goes_on_by_itself(small_disk: Path) -> None:
    with keeper_kit.keeper(small_disk) as node:
        code = keeper_kit.start(node)
        assert node.call("keep.status")["trouble"] == ""
        async with keeper_kit.owner(code) as owner:
            await owner.open_queues((queue(1, **WIDE),))  # type: ignore[arg-type]
            await owner.put([posting(1, f"before {n}", LARGE) for n in range(4)])
            others = fill(small_disk)
            answers = {one.status for one in await owner.put([posting(1, n, LARGE) for n in range(100)])}
            assert Status.FULL in answers
            before = await everything(owner)
            assert before[:4] == [f"before {n}" for n in range(4)]
            await says(node, "Others have filled the disk")
            assert {one.status for one in await owner.put([posting(1, "x", LARGE)])} == {Status.QUOTA}
        async with keeper_kit.stream(code, OWNER_SEED) as again:
            assert (
                await again.claim(OWNER, code.permit, enrols=False) is Status.OK
            )  # who comes now gets what lies there
            used = await again.usage()
            assert isinstance(used, keep.Used)
            assert used.bytes > used.bytes_max  # and learns that there is no room
            assert await everything(again) == before
            assert await again.done(1) is Status.OK
            assert await everything(again) == before[1:]
        node.kill()
        keeper_kit.start(node)  # also now
        others.unlink()
        await says(node, "")
        async with keeper_kit.owner(code, enrols=False) as owner:
            assert await everything(owner) == before[1:]
            assert (await owner.put([posting(1, "after", LARGE)]))[0].status is Status.OK
        node.down()
    assert (small_disk / "keeper" / "keeper.spare").stat().st_size == keeper_disk.SPARE_BYTES


async def test_one_that_was_started_without_room_keeps_as_soon_as_there_is_some(small_disk: Path) -> None:
    others = small_disk / "others"
    others.write_bytes(bytes(250 << 20))
    with keeper_kit.keeper(small_disk) as node:
        code = keeper_kit.start(node)
        assert "Others have filled the disk" in node.call("keep.status")["trouble"]
        async with keeper_kit.owner(code) as owner:
            assert await owner.open_queues((queue(1),)) is Status.QUOTA
            others.unlink()
            await says(node, "")
            assert await owner.open_queues((queue(1),)) is Status.OK
            assert (await owner.put([posting(1, "a")]))[0].status is Status.OK
        node.down()


async def says(node: RealNode, trouble: str) -> None:
    """Waits until the keeper says this of its disk, or nothing, and has heeded it."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        told = node.call("keep.status")
        if told["trouble"].startswith(trouble) and bool(told["trouble"]) == bool(trouble) == (told["space"] == 0):
            return
        assert time.monotonic() < deadline, told
        await trio.sleep(0.2)
