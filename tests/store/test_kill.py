"""Case 20 with real processes: killed at any moment, all that was said to be on the disk is there, once."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from protocol.delivery import State
from tests import depth
from tests.store import kit, victim

ROOT = Path(__file__).parents[2]
START_S = 20.0


def kill_one(folder: Path, after_s: float, program: str = "tests.store.victim") -> list[str]:
    """Lines that a victim printed before it was killed, so long after its first."""
    child = subprocess.Popen([sys.executable, "-m", program, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    deadline = time.monotonic() + START_S
    first = child.stdout.readline()
    assert first, "the victim failed"
    assert time.monotonic() < deadline
    time.sleep(after_s)  # real processes, real time: this is what is tested
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read()
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    lines = (first + rest).decode().splitlines(keepends=True)
    return [line.strip() for line in lines if line.endswith("\n")]


@pytest.mark.process
async def test_case_20_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(20)
    told: list[str] = []
    for _ in range(depth.KILLS):
        told += kill_one(tmp_path, chance.uniform(0.0, 0.15))
    said = {
        what: [line.split()[1] for line in told if line.startswith(what)] for what in ("posted", "accepted", "acked")
    }
    assert len(said["posted"]) > depth.KILLS
    clock = kit.Clock(time.time_ns() // 1_000_000)
    async with (
        kit.open_side(tmp_path / "ana.db", "Ana", clock) as ana,
        kit.open_side(tmp_path / "bo.db", "Bo", clock) as bo,
    ):
        ana.entropy = bo.entropy = os.urandom
        arrived = await bo.notes()
        assert len(arrived) == len(set(arrived))
        assert set(said["accepted"]) <= set(arrived)
        rows = await ana.run(lambda tx: tx.all("SELECT seq, state FROM message ORDER BY seq"))
        assert len(rows) >= len(said["posted"])
        delivered = sum(state == State.DELIVERED for _, state in rows)
        assert delivered >= len(said["acked"])
        await victim.deliver_rest(ana, bo)
        arrived = await bo.notes()
        assert len(arrived) == len(set(arrived)) == len(rows)
        assert set(said["posted"]) <= set(arrived)
