"""Logs in real processes: killed at any moment, no acknowledged append is lost, and the chain is whole."""

import random
from pathlib import Path

import pytest

from crypto import hashing
from store.database import Tx
from tests import depth
from tests.store import log_kit, log_victim
from tests.store.test_kill import kill_one


def ids(tx: Tx, number: int) -> list[str]:
    """The ids of a log, which verifies from its first entry to its last; its contents are the victim's or deleted."""
    held = log_kit.held(tx, number)
    for one in held:
        assert one.content in (None, log_victim.content_of(one.seq))
    return [hashing.digest(one.raw).hex() for one in held]


@pytest.mark.process
async def test_killed_at_any_moment_no_append_is_lost_and_the_chain_verifies(tmp_path: Path) -> None:
    chance = random.Random(5)
    told: list[str] = []
    for _ in range(depth.KILLS):
        told += kill_one(tmp_path, chance.uniform(0.0, 0.15), "tests.store.log_victim")
    said = {
        what: {int(line.split()[1]): line.split()[2] for line in told if line.startswith(what)}
        for what in ("appended", "taken")
    }
    deleted = {int(line.split()[1]) for line in told if line.startswith("deleted")}
    assert len(said["appended"]) > depth.KILLS
    assert sum(line.startswith("appended") for line in told) == len(said["appended"])  # no place was written twice
    async with (
        log_victim.open_log(tmp_path, *log_victim.OWN) as (ana, of_ana),
        log_victim.open_log(tmp_path, *log_victim.COPY) as (bo, of_bo),
    ):
        own, copy = await ana.transact(ids, of_ana), await bo.transact(ids, of_bo)
        assert said["appended"] == {seq: own[seq] for seq in said["appended"]}
        assert said["taken"] == {seq: copy[seq] for seq in said["taken"]}
        assert copy == own[: len(copy)]
        there = await bo.transact(log_kit.held, of_bo)
        assert not any(one.content for one in there if one.seq in deleted)
        assert all(one.content for one in there if one.seq % 7)
        await ana.transact(log_victim.append, of_ana, 3)
        assert len(await ana.transact(ids, of_ana)) == len(own) + 3
