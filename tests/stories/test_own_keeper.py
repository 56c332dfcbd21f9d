"""A keeper node of one's own, as processes: used by its code, it has the mail of whoever is never there together."""

from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.keep import Status
from tests.store import keep_kit
from tests.stories import keeper_kit
from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

WITHIN_S = 60.0


def test_mail_for_who_is_off_lies_at_her_own_node(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo), keeper_kit.keeper(tmp_path) as node:
        code = node._start("keep", {})["code"]
        assert ana.call("keepers.use", who=code, name="cellar") == {"name": "cellar", "own": True, "state": "used"}
        ana.await_that(lambda: row(ana)["open"] == 1, WITHIN_S)
        assert (row(ana)["name"], row(ana)["fault"]) == ("cellar", "")
        ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
        assert ana.call("node.status")["keepers"] == 1

        ana.down()
        bo.call("chat.send", to="ana", text="see you at 8")
        bo.await_that(lambda: line(bo, "ana")["state"] == "kept", WITHIN_S)
        assert line(bo, "ana")["reason"].startswith("kept by ana's own node until ")
        told = bo.call("node.status")
        assert (told["queued"], told["kept"], told["contacts"][0]["waiting"], told["contacts"][0]["kept"]) == (
            1,
            1,
            1,
            1,
        )
        bo.down()
        ana.up()
        ana.await_that(lambda: bool(ana.call("chat.history", to="bo")), WITHIN_S)
        assert line(ana, "bo")["text"] == "see you at 8"
        ana.await_that(lambda: row(ana)["items"] == 0, WITHIN_S)  # what was counted before it was fetched is gone

        ana.call("keepers.stop", who="cellar")
        ana.await_that(lambda: not ana.call("keepers.list")["keepers"], WITHIN_S)  # closed there, then forgotten


async def test_who_has_left_a_node_does_not_take_it_from_who_uses_it_now(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, _bo), keeper_kit.keeper(tmp_path) as node:
        code = node._start("keep", {})["code"]
        ana.call("keepers.use", who=code)
        ana.await_that(lambda: row(ana)["open"] == 1, WITHIN_S)
        node.down()
        ana.call("keepers.stop", who="home")
        async with keeper_kit.owner(keeper_kit.start(node)) as other:  # before ana, who waits some seconds, is there
            await trio.to_thread.run_sync(
                lambda: ana.await_that(lambda: not ana.call("keepers.list")["keepers"], WITHIN_S)
            )
            assert await other.open_queues((keep_kit.queue(1),)) is Status.OK


def test_two_accounts_that_use_one_code_are_told_why_each_loses_it(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo), keeper_kit.keeper(tmp_path) as node:
        code = node._start("keep", {})["code"]
        ana.call("keepers.use", who=code)
        ana.await_that(lambda: row(ana)["open"] == 1, WITHIN_S)
        assert row(ana)["fault"] == ""
        bo.call("keepers.use", who=code)
        ana.await_that(lambda: "its code was used by somebody else" in row(ana)["fault"], WITHIN_S)
        (told,) = ana.call("node.status")["keeping"]["faults"]
        assert told["fault"] == row(ana)["fault"]
        assert (row(bo)["open"], row(bo)["fault"]) == (1, "")

        ana.call("keepers.use", who="home")
        bo.await_that(lambda: "its code was used by somebody else" in row(bo)["fault"], WITHIN_S)
        ana.await_that(
            lambda: "somebody else has used its code, which is for one account" in row(ana)["fault"], WITHIN_S
        )
        ana.await_that(lambda: row(ana)["open"] == 1, WITHIN_S)
        ana.call("keepers.use", who="home")  # it is known now
        assert row(ana)["fault"] == ""


def test_an_offer_of_a_contact_is_used_by_itself(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        made = bo.call("keepers.offer", contacts=["ana"], space=100_000_000)
        assert (made["space"], made["owners"][0]["space"]) == (100_000_000, 5_000_000)
        ana.await_that(lambda: bool(ana.call("keepers.list")["keepers"]) and row(ana)["state"] == "used", WITHIN_S)
        ana.await_that(lambda: row(ana)["seen_ms"] > 0, WITHIN_S)
        assert row(ana)["space"] == 5_000_000
        bo.call("keepers.stop_for", name="ana")
        ana.await_that(lambda: not ana.call("keepers.list")["keepers"], WITHIN_S)
        assert bo.call("keepers.list")["owners"] == []


def row(node: RealNode) -> dict[str, Any]:
    """The one keeper that a node has."""
    (found,) = node.call("keepers.list")["keepers"]
    one: dict[str, Any] = found
    return one


def line(node: RealNode, to: str) -> dict[str, Any]:
    """The one line that was said with somebody."""
    (found,) = node.call("chat.history", to=to)
    one: dict[str, Any] = found
    return one
