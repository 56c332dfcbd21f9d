"""Real nodes on local networks: found without configuration, again on another network, and by IPv6 alone."""

import socket
from pathlib import Path

import pytest

from tests.stories import hosts
from tests.stories.real import START_S, RealNode, is_active, is_online, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

FOUND_S = 10.0  # for what takes one second on a quiet machine
NOTICED_S = 30.0  # a link that is gone without a word is noticed within 20 s
needs_hosts = pytest.mark.skipif(not hosts.possible(), reason="makes network namespaces: Linux, root and iproute2")


def befriend(ana: RealNode, bo: RealNode) -> None:
    """Makes two running nodes contacts who have exchanged everything that makes them such."""
    link = ana.call("contacts.invite")["link"]
    bo.call("contacts.add", link=link, name="ana")
    for node, other in ((ana, "bo"), (bo, "ana")):
        node.await_that(lambda n=node, o=other: is_active(n, o), START_S)  # type: ignore[misc]
    for node, other in ((ana, "bo"), (bo, "ana")):
        say(node, other, "hello")


def at_home(lab: hosts.Lab) -> tuple[tuple[hosts.Host, RealNode], tuple[hosts.Host, RealNode]]:
    """Two hosts in the switch "home" whose nodes run and are contacts."""
    (ana_host, ana), (bo_host, bo) = found = lab.node("ana"), lab.node("bo")
    ana_host.plug("home", "10.1.0.2/24")
    bo_host.plug("home", "10.1.0.3/24")
    for node in (ana, bo):
        node.init()
        node.up()
    befriend(ana, bo)
    return found


def say(node: RealNode, to: str, text: str) -> None:
    """Sends a text and waits until it is delivered."""
    sent = node.call("chat.send", to=to, text=text)["id"]
    node.await_that(lambda: node.call("chat.message", id=sent)["state"] == "delivered", START_S)


def move_port(node: RealNode) -> None:
    """Makes the address that others know useless from the next start on: the node takes another port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        node.call("node.configure", name="listen.port", value=str(probe.getsockname()[1]))


def test_two_profiles_of_one_machine_find_each_other_after_both_changed_their_ports(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        for node, other in ((ana, "bo"), (bo, "ana")):
            say(node, other, "hello")
        for node in (ana, bo):
            move_port(node)
        for node in (ana, bo):
            node.kill()
        for node in (ana, bo):
            node.up()
        ana.await_that(lambda: is_online(ana, "bo"), FOUND_S)
        say(bo, "ana", "found")


def test_with_the_switch_off_they_do_not(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        for node, other in ((ana, "bo"), (bo, "ana")):
            say(node, other, "hello")
        for node in (ana, bo):
            move_port(node)
            node.call("node.configure", name="lan.beacon", value="off")
            node.kill()
        for node in (ana, bo):
            node.up()
        assert ana.call("node.status")["beacon"] == "off"
        sent = ana.call("chat.send", to="bo", text="where are you?")["id"]
        ana.await_that(lambda: "nobody answers" in ana.call("node.status")["contacts"][0]["reason"], FOUND_S)
        assert ana.call("chat.message", id=sent)["state"] == "queued"
        for node in (ana, bo):
            node.call("node.configure", name="lan.beacon", value="on")
        ana.await_that(lambda: ana.call("chat.message", id=sent)["state"] == "delivered", FOUND_S)


@needs_hosts
def test_two_hosts_find_each_other_at_home_and_again_at_the_office(tmp_path: Path) -> None:
    """With no address of before that is any good: other networks, other ports; the nodes run on."""
    with hosts.open_lab(tmp_path, "home", "office") as lab:
        (ana_host, ana), (bo_host, bo) = at_home(lab)
        for host in (ana_host, bo_host):
            host.pull()
        ana.await_that(lambda: not is_online(ana, "bo"), NOTICED_S)
        sent = ana.call("chat.send", to="bo", text="on my way")["id"]
        ana_host.plug("office", "10.2.0.22/24")
        bo_host.plug("office", "10.2.0.33/24")
        ana.await_that(lambda: ana.call("chat.message", id=sent)["state"] == "delivered", FOUND_S)
        bo.await_that(lambda: is_online(bo, "ana"), FOUND_S)


@needs_hosts
def test_two_hosts_with_nothing_but_link_local_ipv6_find_each_other(tmp_path: Path) -> None:
    with hosts.open_lab(tmp_path, "home", "desk") as lab:
        (ana_host, _ana), (bo_host, bo) = at_home(lab)
        ana_host.plug("desk")
        bo_host.plug("desk")
        sent = bo.call("chat.send", to="ana", text="no IPv4 here")["id"]
        bo.await_that(lambda: bo.call("chat.message", id=sent)["state"] == "delivered", NOTICED_S)


@needs_hosts
def test_a_node_that_starts_without_any_network_is_found_when_one_comes(tmp_path: Path) -> None:
    with hosts.open_lab(tmp_path, "home") as lab:
        (_ana_host, ana), (bo_host, bo) = at_home(lab)
        bo.down()
        bo_host.pull()
        bo.up()
        sent = bo.call("chat.send", to="ana", text="from the cellar")["id"]
        (line,) = bo.call("chat.history", to="ana", limit=1)
        assert "last seen" in line["reason"]
        bo_host.plug("home", "10.1.0.77/24")
        bo.await_that(lambda: bo.call("chat.message", id=sent)["state"] == "delivered", FOUND_S)
        ana.await_that(lambda: is_online(ana, "bo"), FOUND_S)
