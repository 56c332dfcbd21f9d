"""Ledgers in real processes: killed at any moment, all that was said to be written is there, and both agree."""

import random
from pathlib import Path

import pytest

from ledger.payment import Stage
from store import logs, payments
from store.database import Tx
from store.logs import State
from store.tabs import Tabs
from tests import depth
from tests.store import tab_victim
from tests.store.tab_victim import Debtor
from tests.store.test_kill import kill_one

ORDER = {"offered": Stage.OFFERED, "accepted": Stage.ACCEPTED, "settled": Stage.SETTLED}


def _stages(tx: Tx, one: Debtor) -> dict[tuple[bool, str], Stage]:
    """One's rows, which say what a fold of all entries does, and no log of which is forked."""
    found = one.tabs.of(tx, one.side.contact)
    rows = payments.stages(tx, one.side.contact, 0)
    tx.execute("DELETE FROM tab")
    one.tabs = Tabs(one.side.mine.account)
    again = one.tabs.of(tx, one.side.contact)
    assert again.tab.state() == found.tab.state()
    assert rows == payments.stages(tx, one.side.contact, 0)
    assert found.book.differences == again.book.differences == []
    here = {(again.is_mine(key), key.pay): each.stage for key, each in again.tab.payments.items()}
    assert here.items() <= rows.items()
    assert all(rows[each].is_final for each in rows.keys() - here.keys())  # forgotten, where an image was made
    assert all(log.state is State.OK for log in logs.every(tx))
    return {(mine, pay.hex()): stage for (mine, pay), stage in rows.items()}


@pytest.mark.process
async def test_killed_at_any_moment_no_debt_is_lost_and_both_agree(tmp_path: Path) -> None:
    chance = random.Random(7)
    told: list[str] = []
    for _ in range(depth.KILLS):
        told += kill_one(tmp_path, chance.uniform(0.0, 0.3), "tests.store.tab_victim")
    assert len(told) > depth.KILLS
    async with tab_victim.open_debtors(tmp_path) as both:
        rows = {one.side.name: await one.side.run(_stages, one) for one in both}
        for line in told:
            what, name, pay = line.split()
            assert rows[name][what != "accepted", pay] >= ORDER[what]
        for _ in range(3):
            for one, other in (both, both[::-1]):
                await tab_victim.carry(one, other)
                await other.side.run(other.accept)
                await other.side.run(other.settle)
        ana, bo = [await one.side.run(_stages, one) for one in both]
        assert ana == {(not mine, pay): stage for (mine, pay), stage in bo.items()}
        assert {*ana.values()} == {Stage.SETTLED}
        owed = [await one.side.run(lambda tx: payments.balances(tx)[0].owed) for one in both]
        assert owed[0] == -owed[1]
