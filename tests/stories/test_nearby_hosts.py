"""Real nodes whose owners are strangers to each other: seen, greeted, accepted, gone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from node.host import open_host
from node.network import Address
from protocol import invite, nearby, talk
from protocol.faults import Unavailable
from tests.stories import hosts
from tests.stories.real import START_S, RealNode, is_active

pytestmark = [pytest.mark.process, pytest.mark.socket]

SEEN_S = 20.0  # for what takes one second on a quiet machine
DECIDED_S = 60.0  # the greeter's node asks every 5 to 30 s
needs_hosts = pytest.mark.skipif(not hosts.possible(), reason="makes network namespaces: Linux, root and iproute2")


@contextmanager
def open_strangers(home: Path) -> Iterator[tuple[RealNode, RealNode]]:
    """Two running nodes that know nothing of each other; whatever still runs at the end is killed."""
    ana, bo = RealNode(home, "ana"), RealNode(home, "bo")
    try:
        for node in (ana, bo):
            node.init()
            node.up()
        yield ana, bo
    finally:
        for node in (ana, bo):
            if node.program is not None:
                node.kill()


def seen(node: RealNode, name: str) -> dict[str, Any] | None:
    """The stranger of this name whom a node sees now."""
    rows = node.call("nearby.list")
    return next((row for row in rows if row["name"] == name), None)


def greetings(node: RealNode) -> list[dict[str, Any]]:
    """What others said to a node."""
    return [row for row in node.call("nearby.greetings") if not row["mine"]]


def ports(node: RealNode) -> set[int]:
    """The TCP ports at which a node listens."""
    assert node.program is not None
    connections = psutil.Process(node.program.pid).net_connections("tcp")
    return {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}


async def spoken_at(port: int, protocols: Sequence[str]) -> list[str]:
    """Which of these protocols are spoken at a port of this machine."""
    found = []
    async with open_host(b"a scanner's own transport key, 32"[:32]) as host:
        for protocol in protocols:
            link = await host.dial(Address(f"/ip4/127.0.0.1/tcp/{port}"), None)
            with suppress(Unavailable):
                await link.open(protocol)
                found.append(protocol)
            await link.aclose()
    return found


def meet(ana: RealNode, bo: RealNode) -> None:
    """Bo greets Ana, who accepts; both become contacts."""
    ana.call("nearby.on", name="Ana", for_s=3600)
    bo.call("nearby.on", name="Bo", for_s=3600)
    bo.await_that(lambda: seen(bo, "Ana") is not None, SEEN_S)
    ana.await_that(lambda: seen(ana, "Bo") is not None, SEEN_S)
    found = seen(bo, "Ana")
    assert found is not None
    assert found["distance"] == "same network"
    bo.call("nearby.greet", id=found["id"], text="is this seat free?")
    (row,) = greetings(ana)
    assert (row["name"], row["text"]) == ("Bo", "is this seat free?")


def become_contacts(ana: RealNode, bo: RealNode) -> None:
    """Ana accepts the one greeting that there is."""
    (row,) = greetings(ana)
    ana.call("nearby.accept", id=row["id"])
    bo.await_that(lambda: is_active(bo, "ana"), DECIDED_S)
    ana.await_that(lambda: is_active(ana, "bo"), START_S)


def test_two_profiles_of_one_machine_meet_and_a_kill_on_the_way_changes_nothing(tmp_path: Path) -> None:
    with open_strangers(tmp_path) as (ana, bo):
        before = ports(ana)
        meet(ana, bo)
        assert len(ports(ana) - before) in (1, 2)  # two at the turn of its time, which is the clock's half hour
        for node in (ana, bo):
            node.kill()
            assert node.up()["nearby"].startswith("on, "), "who is visible again is told so"
        become_contacts(ana, bo)
        during = ports(ana)
        ana.call("nearby.off")
        left = ports(ana)
        assert left < during, "the throw-away host is closed on return"
        assert len(left) == len(before), "every one of them: at the turn of its time there are two"
        assert seen(bo, "Ana") is None
        assert ana.call("node.status")["nearby"] == "off"
        assert bo.call("node.status")["nearby"].startswith("on, ")
        sent = bo.call("chat.send", to="ana", text="thank you")["id"]
        bo.await_that(lambda: bo.call("chat.message", id=sent)["state"] == "delivered", START_S)


def test_a_throw_away_host_speaks_one_protocol_and_has_another_key_each_time(tmp_path: Path) -> None:
    everything = (nearby.PROTOCOL, talk.PROTOCOL, invite.PROTOCOL, "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0")
    with open_strangers(tmp_path) as (ana, bo):
        bo.call("nearby.on", name="Bo")
        before = ports(ana)
        ids = set()
        for _ in range(2):
            ana.call("nearby.on", name="Ana")
            (port,) = ports(ana) - before
            assert trio.run(spoken_at, port, everything) == [nearby.PROTOCOL]
            bo.await_that(lambda: seen(bo, "Ana") is not None, SEEN_S)
            found = seen(bo, "Ana")
            assert found is not None
            ids.add(found["id"])
        assert len(ids) == 2


@needs_hosts
def test_two_hosts_in_one_cafe_meet_and_those_in_another_are_not_seen(tmp_path: Path) -> None:
    with hosts.open_lab(tmp_path, "cafe", "home") as lab:
        (ana_host, ana), (bo_host, bo), (dora_host, dora) = (lab.node(name) for name in ("ana", "bo", "dora"))
        ana_host.plug("cafe", "10.1.0.2/24")
        bo_host.plug("cafe", "10.1.0.3/24")
        dora_host.plug("home", "10.1.0.4/24")
        for node in (ana, bo, dora):
            node.init()
            node.up()
        dora.call("nearby.on", name="Dora")
        meet(ana, bo)
        assert {row["name"] for row in ana.call("nearby.list")} == {"Bo"}
        assert dora.call("nearby.list") == []
        become_contacts(ana, bo)
