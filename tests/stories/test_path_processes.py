"""A payment over somebody between real nodes: the one in the middle is killed again and again, and nobody loses."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import depth
from tests.stories.real import START_S, RealNode, is_active

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0
UNIT = "EUR"
NAMES = ("ana", "bo", "chen")


@contextmanager
def open_street(home: Path) -> Iterator[list[RealNode]]:
    """Ana, who may owe Bo, who may owe Chen, and passes on; whatever still runs at the end is killed."""
    nodes = [RealNode(home, name) for name in NAMES]
    ana, bo, chen = nodes
    try:
        for node in nodes:
            node.init()
            node.up()
        for payer, payee in ((ana, bo), (bo, chen)):
            link = payee.call("contacts.invite")["link"]
            payer.call("contacts.add", link=link, name=payee.name)
            for node, other in ((payer, payee.name), (payee, payer.name)):
                node.await_that(lambda n=node, o=other: is_active(n, o), START_S)  # type: ignore[misc]
            payee.call("payments.limit", to=payer.name, amount="100", unit=UNIT)
            payer.await_that(may_owe(payer), PATIENCE_S)
        for other in ("ana", "chen"):
            bo.call("paths.forward", to=other, each="20", total="60", unit=UNIT)
        yield nodes
    finally:
        for node in nodes:
            if node.program is not None:
                node.kill()


def may_owe(node: RealNode) -> Callable[[], bool]:
    """The question whether a node knows that it may owe somebody."""
    return lambda: any(row["credit"] == "100.00" for row in node.call("payments.balances")["balances"])


def payment(node: RealNode, of: str) -> dict[str, Any]:
    found: dict[str, Any] = node.call("paths.show", id=of)
    return found


def owed(node: RealNode, by: str) -> int:
    """What a contact owes, in cents."""
    rows = node.call("payments.balances")["balances"]
    return sum(row["minor"] for row in rows if row["contact"].casefold() == by)


def is_still(node: RealNode) -> bool:
    """Whether nothing is on its way."""
    return not node.call("payments.balances")["reserved"]


def test_whoever_pays_over_a_node_that_is_killed_pays_once_or_not_at_all(tmp_path: Path) -> None:
    chance = random.Random(71)
    with open_street(tmp_path) as (ana, bo, chen):
        paid = 0
        for _ in range(3 + depth.KILLS // 8):
            code = chen.call("paths.invoice", amount="2", unit=UNIT)["code"]
            begun = ana.call("paths.pay", code=code)
            kill_at = time.monotonic() + chance.uniform(0, 0.25)
            with ana.client() as client:
                client.watch()
                for _ in client.changes(max(0.0, kill_at - time.monotonic())):
                    if time.monotonic() >= kill_at:
                        break
            bo.kill()
            bo.up()
            ana.await_that(lambda of=begun["id"]: payment(ana, of)["state"] in ("paid", "failed"), PATIENCE_S)  # type: ignore[misc]
            done = payment(ana, begun["id"])
            paid += done["state"] == "paid"
            assert bool(done["preimage"]) is (done["state"] == "paid")
            for node in (ana, bo, chen):
                node.await_that(lambda n=node: is_still(n), PATIENCE_S)  # type: ignore[misc]
            assert (owed(bo, "ana"), owed(chen, "bo")) == (200 * paid, 200 * paid)
            assert (owed(ana, "bo"), owed(bo, "chen")) == (-200 * paid, -200 * paid)
        assert paid
