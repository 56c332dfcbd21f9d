"""A shop between real nodes: the customer is killed as soon as he has ordered, and the shop while it is paid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.faults import Failure
from tests import depth
from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0


def paid(node: RealNode, method: str, count: int) -> Callable[[], bool]:
    """The question whether so many sales or purchases are paid."""

    def so() -> bool:
        rows: list[dict[str, Any]] = node.call(method, limit=1000)
        return [row["state"] for row in rows].count("paid") == count

    return so


def has_receipt(node: RealNode, payment: str) -> Callable[[], bool]:
    """The question whether a receipt is there."""

    def so() -> bool:
        try:
            node.call("shop.receipt", id=payment)
        except Failure as failure:
            if failure.code != "shop.receipt":
                raise
            return False
        return True

    return so


def test_who_is_killed_pays_once_and_has_his_receipt(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        ana.call("payments.limit", to="bo", amount="1000", unit="EUR")
        code = ana.call("shop.offer", title="coffee", amount="2.80", unit="EUR")["code"]

        def is_allowed() -> bool:
            return any(row["credit"] == "1000.00" for row in bo.call("payments.balances")["balances"])

        bo.await_that(is_allowed, PATIENCE_S)
        lives = 2 + depth.KILLS // 2
        for life in range(1, lives + 1):
            victim = bo if life % 2 else ana
            made = bo.call("shop.buy", code=code, quantity=life, key=str(life))
            victim.kill()
            victim.up()
            assert bo.call("shop.buy", code=code, quantity=life, key=str(life))["id"] == made["id"]
            ana.await_that(paid(ana, "shop.sales", life), PATIENCE_S)
            bo.await_that(paid(bo, "shop.bought", life), PATIENCE_S)
            (newest,) = bo.call("shop.bought", limit=1)
            bo.await_that(has_receipt(bo, newest["payment"]), PATIENCE_S)
            papers = [node.call("shop.receipt", id=newest["payment"]) for node in (ana, bo)]
            assert papers[0]["lines"] == papers[1]["lines"]
            assert papers[0]["invoice"] == papers[1]["invoice"]
        (owed,) = ana.call("payments.balances")["balances"]
        assert owed["minor"] == 280 * sum(range(1, lives + 1))
        assert len(bo.call("payments.history", limit=1000)) == lives
