"""Bills between real nodes: who splits them is killed at any moment, and everybody was asked, or nobody."""

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import depth
from tests.stories.real import START_S, Failure, RealNode, is_active, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0
SPLIT_S = 0.15  # longer than one takes


def splitting(node: RealNode, made: list[str], begun: threading.Event) -> None:
    """Splits bills until the node dies; made: those that were answered, hence durable. begun: one was."""
    try:
        with node.client() as client:
            while True:
                row: dict[str, Any] = client.call("bills.split", amount="0.10", unit="EUR", names=["bo", "chen"])
                made.append(row["id"])
                begun.set()
    except (Failure, OSError):
        pass


def asking(node: RealNode) -> Counter[str]:
    """Whom a node asks, and how often."""
    return Counter(row["contact"].casefold() for row in node.call("payments.requests")["asking"])


def bills(node: RealNode) -> list[dict[str, Any]]:
    """All bills of a node."""
    found: list[dict[str, Any]] = []
    while page := node.call("bills.list", limit=100, before=found[-1]["row"] if found else None):
        found += page
    return found


def asked(node: RealNode) -> int:
    """How many requests wait for a node."""
    return len(node.call("payments.requests")["asked"])


def test_a_kill_in_the_middle_leaves_everybody_asked_or_nobody(tmp_path: Path) -> None:
    chance = random.Random(92)
    chen = RealNode(tmp_path, "chen")
    with open_pair(tmp_path) as (ana, bo):
        try:
            chen.init()
            chen.up()
            chen.call("contacts.add", link=ana.call("contacts.invite")["link"], name="ana")
            ana.await_that(lambda: is_active(ana, "chen"), START_S)
            made: list[str] = []
            for _ in range(2 + depth.KILLS // 2):
                begun = threading.Event()
                thread = threading.Thread(target=splitting, args=(ana, made, begun))
                thread.start()
                assert begun.wait(PATIENCE_S)
                time.sleep(chance.uniform(0.0, SPLIT_S))  # the moment of a kill is what is tested
                ana.kill()
                thread.join(PATIENCE_S)
                ana.up()
            found = bills(ana)
            assert found
            assert {*made} <= {one["id"] for one in found}, "answered and lost"
            assert {len(one["shares"]) for one in found} == {2}
            assert {share["state"] for one in found for share in one["shares"]} == {"open"}
            assert asking(ana) == {"bo": len(found), "chen": len(found)}
            for node in (bo, chen):
                node.await_that(lambda n=node: asked(n) == len(found), PATIENCE_S)  # type: ignore[misc]
        finally:
            if chen.program is not None:
                chen.kill()
