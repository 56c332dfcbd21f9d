"""Real nodes that are never on together, and a contact of both who keeps their mail: killed, and with wrong clocks.

Each lie of a keeper is in test_lying_keepers.py, the keeper's own deaths in test_keeper_processes.py.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests import depth
from tests.stories import keeper_kit
from tests.stories.real import START_S, RealNode, is_active, open_pair
from tests.stories.test_keeper_processes import WEEK_S, clock_that_is_off
from tests.stories.test_kills import Speaker, everything

pytestmark = [pytest.mark.process, pytest.mark.socket]

WITHIN_S = 90.0
MAIL = 90  # texts of a round: two pages
COLLECTING_S = 0.35  # from the first question to the last confirmation, on a slow disk
LEAVING_S = (0.1, 0.7)
PAUSE_S = 0.02  # a queue at a friend's holds 500
KILLS = (2, 4, 40)[depth.LEVEL]  # each costs two starts of a node
KILLS_MAX = 20  # before it is emptied


@contextmanager
def open_three(home: Path) -> Iterator[tuple[RealNode, RealNode, RealNode]]:
    """Ana and Bo, who is off; Chen is a contact of both, keeps for both, and both know where."""
    with open_pair(home) as (ana, bo), ExitStack() as stack:
        chen = RealNode(home, "chen")
        chen.init()
        chen.up()
        stack.callback(_end, chen)
        for node in (ana, bo):
            link = node.call("contacts.invite")["link"]
            chen.call("contacts.add", link=link, name=node.name)
            node.await_that(lambda n=node: is_active(n, "chen"), START_S)  # type: ignore[misc]
            chen.await_that(lambda n=node: is_active(chen, n.name), START_S)  # type: ignore[misc]
        chen.call("keepers.offer", contacts=["ana", "bo"])
        for node in (ana, bo):
            node.await_that(lambda n=node: _is_settled(n), WITHIN_S)  # type: ignore[misc]
        bo.down()
        yield ana, bo, chen


def _end(node: RealNode) -> None:
    if node.program is not None:
        node.kill()


def _is_settled(node: RealNode) -> bool:
    """Whether a queue is open for the other, who was told."""
    found = node.call("keepers.list")["keepers"]
    return any(one["open"] == 1 for one in found) and node.call("node.status")["queued"] == 0


def said_by(node: RealNode, to: str) -> set[str]:
    """How far the texts of a node are."""
    return {one["state"] for one in node.call("chat.history", to=to, limit=1000) if one["mine"]}


def has(node: RealNode, count: int, of: str = "bo") -> bool:
    """Whether so many texts of somebody have come to a node; `everything` costs a process and more."""
    return sum(not one["mine"] for one in node.call("chat.history", to=of, limit=1000)) >= count


def leave(node: RealNode, to: str, texts: list[str]) -> None:
    """A node comes on, says this, and goes when all of it lies at a keeper."""
    node.up()
    for text in texts:
        node.call("chat.send", to=to, text=text)
    node.await_that(lambda: said_by(node, to) <= {"kept", "delivered"}, WITHIN_S)
    node.down()


def learns(node: RealNode, to: str) -> None:
    """A node comes on, learns that all of it was delivered, and goes."""
    node.up()
    node.await_that(lambda: said_by(node, to) == {"delivered"}, WITHIN_S)
    node.down()


def test_two_who_are_never_on_together_and_a_contact_who_keeps(tmp_path: Path) -> None:
    with open_three(tmp_path) as (ana, bo, _):
        ana.down()
        leave(bo, "ana", ["one", "two", "three"])
        ana.up()
        ana.await_that(partial(has, ana, 3), WITHIN_S)
        ana.call("chat.send", to="bo", text="four")
        ana.await_that(lambda: said_by(ana, "bo") == {"kept"}, WITHIN_S)
        assert everything(ana) == ["one", "two", "three"]
        ana.down()
        bo.up()
        bo.await_that(lambda: said_by(bo, "ana") == {"delivered"}, WITHIN_S)
        bo.await_that(partial(has, bo, 1, "ana"), WITHIN_S)
        assert everything(bo) == ["four"]
        bo.await_that(lambda: bo.call("node.status")["queued"] == 0, WITHIN_S)  # the receipt too
        bo.down()
        learns(ana, "bo")


@pytest.mark.parametrize("off_s", [WEEK_S, -WEEK_S])
def test_a_receiver_whose_clock_is_wrong_by_a_week_gets_all_and_says_so(tmp_path: Path, off_s: int) -> None:
    with open_three(tmp_path) as (ana, bo, _):
        ana.down()
        leave(bo, "ana", ["one", "two"])
        ana.prefix = clock_that_is_off(tmp_path, off_s)
        ana.up()
        ana.await_that(partial(has, ana, 2), WITHIN_S)
        assert everything(ana) == ["one", "two"]
        ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
        ana.down()
        learns(bo, "ana")


def test_case_20_killed_while_it_collects_from_a_keeper_each_text_is_there_once_and_in_order(tmp_path: Path) -> None:
    chance = random.Random(20)
    texts: list[str] = []
    with open_three(tmp_path) as (ana, bo, _):
        ana.down()
        for round_ in range(1 + KILLS // 8):
            new = [f"{round_}/{n}" for n in range(MAIL)]
            leave(bo, "ana", new)
            texts += new
            for _ in range(min(8, KILLS)):
                ana.up()
                time.sleep(chance.uniform(0.0, COLLECTING_S))  # the moment of a kill is what is tested
                ana.kill()
                ana.up()
                arrived = everything(ana)
                ana.kill()
                assert arrived == texts[: len(arrived)]
            ana.up()
            ana.await_that(partial(has, ana, len(texts)), WITHIN_S)
            assert everything(ana) == texts
            ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
            ana.down()
            learns(bo, "ana")


def test_case_20_killed_while_it_leaves_mail_nothing_is_lost_or_there_twice(tmp_path: Path) -> None:
    chance = random.Random(21)
    with open_three(tmp_path) as (ana, bo, _):
        ana.down()
        speaker = Speaker(bo, "ana", PAUSE_S)
        for done in range(0, KILLS, KILLS_MAX):
            bo.up()
            thread = threading.Thread(target=speaker.talk)
            thread.start()
            try:
                for _ in range(min(KILLS_MAX, KILLS - done)):
                    time.sleep(chance.uniform(*LEAVING_S))  # as above
                    bo.kill()
                    bo.up()
            finally:
                speaker.end()
                thread.join(WITHIN_S)
            bo.await_that(lambda: said_by(bo, "ana") <= {"kept", "delivered"}, WITHIN_S)
            bo.down()
            ana.up()
            ana.await_that(partial(has, ana, len(speaker.said)), WITHIN_S)
            ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
            arrived = everything(ana)
            ana.down()
            assert len(arrived) == len(set(arrived)), "shown twice"
            assert set(speaker.said) <= set(arrived) <= speaker.asked
            numbers = [int(text.split()[1]) for text in arrived]
            assert numbers == sorted(numbers), "out of order"
            speaker = replace(speaker, _end=threading.Event())


def test_two_who_are_never_on_together_and_a_keeper_node_each(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo), ExitStack() as stack:
        for node in (ana, bo):
            keeper = stack.enter_context(keeper_kit.keeper(tmp_path / f"{node.name}s"))
            node.call("keepers.use", who=keeper._start("keep", {})["code"])
            node.await_that(lambda n=node: _is_settled(n), WITHIN_S)  # type: ignore[misc]
        ana.down()
        bo.down()
        leave(bo, "ana", ["one", "two"])
        ana.up()
        ana.await_that(partial(has, ana, 2), WITHIN_S)
        assert everything(ana) == ["one", "two"]
        ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
        ana.down()
        learns(bo, "ana")
