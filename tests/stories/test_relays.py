"""Real nodes that reach each other through the relay of a third; networks with NATs are in other stories."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stories.real import RealNode, is_active

pytestmark = [pytest.mark.process, pytest.mark.socket]

PATIENCE_S = 60.0


@contextmanager
def nodes(home: Path, *names: str) -> Iterator[list[RealNode]]:
    """Running nodes of these names; whatever still runs at the end is killed."""
    made = [RealNode(home, name) for name in names]
    try:
        for node in made:
            node.init()
            node.up()
        yield made
    finally:
        for node in made:
            if node.program is not None:
                node.kill()


def until(true: Callable[[], bool]) -> None:
    """Waits for what no change of the local API tells of."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def status(node: RealNode) -> Any:
    return node.call("node.status")


def paths(node: RealNode) -> list[str]:
    return [one["path"] for one in status(node)["contacts"]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def use(node: RealNode, offered: str) -> None:
    for name, value in (("lan.beacon", "no"), ("relay.punch", "no"), ("relay.addresses", offered)):
        node.call("node.configure", name=name, value=value)


def move(*them: RealNode) -> None:
    """All of them listen elsewhere, and nobody could tell the others where."""
    for node in them:
        node.call("node.configure", name="listen.port", value=str(free_port()))
        node.kill()
    for node in them:
        node.up()


def test_contacts_whose_only_good_address_is_a_circuit_talk_through_it_and_again_after_the_relay_was_killed(
    tmp_path: Path,
) -> None:
    with nodes(tmp_path, "relay", "ana", "bo") as (relay, ana, bo):
        relay.call("node.configure", name="relay.offer", value="on")
        (offered,) = status(relay)["offers"]
        for node in (ana, bo):
            use(node, offered)
        until(lambda: all(status(node)["relays"] for node in (ana, bo)))
        bo.call("contacts.add", link=ana.call("contacts.invite")["link"], name="ana")
        for node, other in ((ana, "bo"), (bo, "ana")):
            until(lambda n=node, o=other: is_active(n, o))  # type: ignore[misc]
        until(lambda: paths(ana) == paths(bo) == ["direct"])
        move(ana, bo)
        until(lambda: paths(ana) == paths(bo) == ["relayed"])
        ana.call("chat.send", to="bo", text="through the relay")
        until(lambda: not status(ana)["queued"])
        relay.kill()
        move(ana, bo)  # else they meet where each said that it went
        ana.call("chat.send", to="bo", text="while it is away")
        until(lambda: not any(status(node)["relays"] for node in (ana, bo)))
        relay.up()
        until(lambda: paths(ana) == ["relayed"] and not status(ana)["queued"])


def test_what_is_switched_off_is_used_no_more(tmp_path: Path) -> None:
    with nodes(tmp_path, "relay", "ana") as (relay, ana):
        relay.call("node.configure", name="relay.offer", value="on")
        use(ana, status(relay)["offers"][0])
        until(lambda: bool(status(ana)["relays"]))
        (circuit,) = status(ana)["relays"]
        assert circuit in status(ana)["addresses"]
        ana.call("node.configure", name="relay.use", value="no")
        until(lambda: not status(ana)["relays"] and circuit not in status(ana)["addresses"])
        ana.call("node.configure", name="relay.use", value="yes")
        until(lambda: bool(status(ana)["relays"]))
        relay.call("node.configure", name="relay.offer", value="off")
        assert status(relay)["offers"] == []
