"""What is kept of conversations, on two real nodes: threads, sockets and the machine's own clock."""

from pathlib import Path

import pytest

from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

WITHIN_S = 30.0
LIFE_S = 5


def texts(node: RealNode, of: str) -> list[str]:
    """What a person typed, as a node shows it."""
    return [line["text"] for line in node.call("chat.history", to=of) if not line["notice"]]


def test_what_is_read_is_told_and_then_disappears_also_over_a_restart(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        bo.call("node.configure", name="chat.receipts", value="on")
        ana.call("chat.timer", to="bo", seconds=LIFE_S)
        bo.await_that(lambda: bo.call("chat.timer", to="ana")["timer_s"] == LIFE_S, WITHIN_S)
        sent = ana.call("chat.send", to="bo", text="for five seconds")
        bo.await_that(lambda: texts(bo, "ana") == ["for five seconds"], WITHIN_S)
        (row,) = bo.call("chat.chats")
        assert (row["unread"], row["excerpt"], row["last"]["lasts_s"]) == (2, "for five seconds", LIFE_S)
        assert bo.call("chat.search", query="seconds")[0]["id"] == sent["id"]
        assert bo.call("chat.read", to="ana") == {"read": 2}
        bo.down()
        ana.await_that(lambda: texts(ana, "bo") == [], WITHIN_S)
        bo.up()
        bo.await_that(lambda: texts(bo, "ana") == [], WITHIN_S)
        assert bo.call("chat.search", query="seconds") == []
        ana.await_that(lambda: ana.call("chat.history", to="bo")[0]["state"] == "read", WITHIN_S)  # the notice
