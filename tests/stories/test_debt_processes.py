"""Debts between real nodes, all by the commands of a terminal: the other is down, and both are killed between steps."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import depth
from tests.stories.real import LAUNCHER, RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0


def weft(node: RealNode, *words: str) -> str:
    """What a command prints that ends well."""
    environ = {**os.environ, "WEFT_HOME": str(node.home)}
    command = [sys.executable, str(LAUNCHER), "--profile", node.name, *words]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
    return ran.stdout


def asked(node: RealNode, *words: str) -> Any:
    """The same as JSON."""
    return json.loads(weft(node, *words, "--json"))


def owed(node: RealNode) -> int:
    """What the other owes, in cents."""
    return sum(row["minor"] for row in asked(node, "ledger")["balances"] if row["unit"] == "EUR")


def states(node: RealNode) -> dict[str, str]:
    return {row["id"]: row["state"] for row in node.call("payments.history", limit=1000)}


def offers(node: RealNode) -> list[str]:
    return [row["id"] for row in node.call("payments.requests")["offers"]]


def may_owe(node: RealNode) -> bool:
    return any(row["credit"] == "100.00" for row in node.call("payments.balances")["balances"])


def test_a_payment_goes_on_through_nodes_that_are_down_and_killed_between_its_steps(tmp_path: Path) -> None:
    chance = random.Random(61)
    with open_pair(tmp_path) as (ana, bo):
        assert "ana may owe you at most 100.00 EUR" in weft(bo, "ledger", "limit", "ana", "100", "EUR")
        ana.await_that(lambda: may_owe(ana), PATIENCE_S)
        count = 1 + depth.KILLS // 4
        for number in range(count):
            bo.down()
            row = asked(ana, "pay", "bo", "0.50", "EUR", "--note", f"coffee {number}")
            ana.kill()
            bo.up()
            ana.up()
            bo.await_that(lambda row=row: row["id"] in offers(bo), PATIENCE_S)  # type: ignore[misc]
            said = weft(bo, "pay", "accept", row["id"][-8:])
            assert "0.50 EUR ← ana" in said
            for victim in chance.choice(((ana,), (bo,), (ana, bo))):
                victim.kill()
                victim.up()
            for node in (ana, bo):
                node.await_that(lambda n=node, r=row: states(n)[r["id"]] == "settled", PATIENCE_S)  # type: ignore[misc]
        assert (owed(bo), owed(ana)) == (count * 50, -count * 50)
        assert "received" in weft(bo, "ledger", "history")
        back = asked(bo, "pay", "refund", row["id"][-8:])
        bo.await_that(lambda: states(bo)[back["id"]] == "settled", PATIENCE_S)
        assert owed(bo) == (count - 1) * 50
        assert asked(bo, "ledger")["paused"] == asked(ana, "ledger")["paused"] == []
