"""Case 20 with real nodes: killed at any moment while both talk, what was acknowledged is at the other end, once."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.faults import Failure
from tests import depth
from tests.stories.real import LAUNCHER, RealNode, open_pair

SETTLE_S = 60.0
BUSY_S = (0.05, 0.6)  # how long both talk before the next kill: from the first sealing to a few hundred messages


@dataclass
class Speaker:
    """Says numbered texts through the local socket until it is told to end, and keeps its own list.

    pause_s: between two of them.
    """

    node: RealNode
    to: str
    pause_s: float = 0.0
    said: list[str] = field(default_factory=list)  # answered: durable
    asked: set[str] = field(default_factory=set)  # sent to the socket; perhaps durable, when the node died over it
    _end: threading.Event = field(default_factory=threading.Event)

    def talk(self) -> None:
        """Works in its own thread; a node that is killed ends the connection, and the next one is tried."""
        while not self._end.is_set():
            try:
                with self.node.client() as client:
                    while not self._end.is_set():
                        text = f"{self.node.name} {len(self.asked)}"
                        self.asked.add(text)
                        client.call("chat.send", to=self.to, text=text)
                        self.said.append(text)
                        self._end.wait(self.pause_s)
            except (Failure, OSError):
                self._end.wait(0.05)  # nobody serves there until the node is up again

    def end(self) -> None:
        """Ends the thread after its present call."""
        self._end.set()


def everything(node: RealNode) -> list[str]:
    """All texts that others wrote to a node, in the order of their rows, as `weft inbox --json` shows them."""
    environ = {**os.environ, "WEFT_HOME": str(node.home)}
    command = [sys.executable, str(LAUNCHER), "--profile", node.name, "inbox", "--json", "--limit", "1000", "--after"]
    texts: list[str] = []
    after = 0
    while True:
        ran = subprocess.run([*command, str(after)], env=environ, capture_output=True, check=True, timeout=SETTLE_S)
        page = json.loads(ran.stdout)["messages"]
        if not page:
            return texts
        texts += [row["text"] for row in page]
        after = page[-1]["seq"]


def waiting(node: RealNode) -> int:
    """How many messages wait in a node's outbox."""
    return int(node.call("node.status")["queued"])


@pytest.mark.process
@pytest.mark.socket
def test_case_20_real_nodes_killed_at_any_moment_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    chance = random.Random(20)
    with open_pair(tmp_path) as (ana, bo):
        speakers = (Speaker(ana, "bo"), Speaker(bo, "ana"))
        threads = [threading.Thread(target=speaker.talk) for speaker in speakers]
        for thread in threads:
            thread.start()
        try:
            for _ in range(depth.KILLS):
                time.sleep(chance.uniform(*BUSY_S))  # the moment of a kill is what is tested
                victims = chance.choice(((ana,), (bo,), (ana, bo)))
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    victim.up()
        finally:
            for speaker in speakers:
                speaker.end()
            for thread in threads:
                thread.join(SETTLE_S)
        for speaker, hearer in ((speakers[0], bo), (speakers[1], ana)):
            speaker.node.await_that(lambda s=speaker: waiting(s.node) == 0, SETTLE_S)  # type: ignore[misc]
            arrived = everything(hearer)
            assert len(speaker.said) > depth.KILLS
            assert len(arrived) == len(set(arrived)), "shown twice"
            assert set(speaker.said) <= set(arrived), "acknowledged and lost"
            assert set(arrived) <= speaker.asked
            numbers = [int(text.split()[1]) for text in arrived]
            assert numbers == sorted(numbers), "out of order"
        for node in (ana, bo):
            assert all(one["alarm"] == "" for one in node.call("contacts.list"))
