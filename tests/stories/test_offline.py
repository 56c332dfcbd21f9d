"""Without any network a node starts, keeps what it is told and says why it waits; when one comes, it is used."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from lab.world import World, befriend, run, texts
from tests.stories.real import LAUNCHER, RealNode

REDIAL_S_MAX = 80.0  # a minute and a fifth, and a dial
REFUSED = 77
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of Linux


def test_who_starts_without_a_network_is_connected_when_it_comes() -> None:
    async def story(world: World) -> None:
        ana, bo = await world.person("ana"), await world.person("bo")
        await befriend(ana, bo)
        await ana.stop()
        world.network.cut("ana", "bo")
        await ana.start()
        line = await ana.call("chat.send", to="bo", text="when there is a network")
        assert line["state"] == "queued"
        assert "it goes when either of you meets" in line["reason"]

        async def told() -> bool:
            (one,) = await ana.call("contacts.list")
            return bool(one["reason"]) and not one["online"]

        await world.until(told)
        await trio.sleep(3600)
        assert await texts(bo, "ana") == []
        world.network.heal("ana", "bo")

        async def arrived() -> bool:
            return [*await texts(bo, "ana")] == ["when there is a network"]

        await world.until(arrived, REDIAL_S_MAX)

    run(story, seed=41)


def leave_the_network() -> None:
    """Takes this process out of every network, with or without the right to: then as a user of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NETWORK) != 0 and libc.unshare(NEW_USER | NEW_NETWORK) != 0:
        os._exit(REFUSED)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[RealNode]:
    if subprocess.run(["true"], preexec_fn=leave_the_network, check=False).returncode == REFUSED:
        pytest.skip("this system lets nobody leave the network")
    node = RealNode(tmp_path, "ana", listen="0.0.0.0")
    node.init()
    node.before = leave_the_network
    yield node
    if node.program is not None:
        node.kill()


@pytest.mark.process
@pytest.mark.socket
def test_a_node_without_any_interface_starts_and_says_so(alone: RealNode) -> None:
    alone.up()
    status = alone.call("node.status")
    assert status["addresses"] == []
    shown = typed(alone, "status")
    assert "LAN: no network" in shown
    made = alone.call("contacts.invite")
    assert made["addresses"] == 0
    assert "This node has no network" in typed(alone, "invite", "--no-wait")
    alone.down()


def typed(node: RealNode, *words: str) -> str:
    """What a command prints, and says beside it."""
    ran = subprocess.run(
        [sys.executable, str(LAUNCHER), "--profile", node.name, *words],
        env={**os.environ, "WEFT_HOME": str(node.home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ran.stdout + ran.stderr
