"""Real nodes whose owners are strangers, and a real DHT between them: found by an account id, and by an old link.

Nobody's beacon is heard, and nobody is told an address but the one way into the DHT. Not here: what lies there
(test_finding.py), networks and NATs (test_found_anywhere.py).
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stories.real import START_S, RealNode, is_active

pytestmark = [pytest.mark.process, pytest.mark.socket]

FOUND_S = 60.0  # the DHT is asked at once, then after 15 s, 30 s …


@contextmanager
def open_town(home: Path) -> Iterator[tuple[RealNode, RealNode, RealNode]]:
    """Three running nodes without contacts, of which Ana and Bo know that Chen is in the DHT."""
    ana, bo, chen = (RealNode(home, name) for name in ("ana", "bo", "chen"))
    try:
        for node in (chen, ana, bo):
            node.init()
            node.up()
            node.call("node.configure", name="lan.beacon", value="no")
        known = chen.call("node.status")
        way_in = f"{known['addresses'][0]}/p2p/{known['peer']}"
        for node in (ana, bo):
            node.call("node.configure", name="dht.bootstrap", value=way_in)
            node.await_that(lambda n=node: n.call("node.status")["dht"]["peers"] > 0, START_S)  # type: ignore[misc]
        yield ana, bo, chen
    finally:
        for node in (ana, bo, chen):
            if node.program is not None:
                node.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def move(node: RealNode) -> None:
    """Kills a node and starts it at another port, of which nobody is told."""
    node.call("node.configure", name="listen.port", value=str(free_port()))
    node.kill()
    node.up()


def only(node: RealNode) -> dict[str, Any]:
    (row,) = node.call("contacts.list")
    return dict(row)


def become_active(ana: RealNode, bo: RealNode) -> None:
    for node, other in ((ana, "bo"), (bo, "ana")):
        node.await_that(lambda n=node, o=other: is_active(n, o), FOUND_S)  # type: ignore[misc]


def talk(ana: RealNode, bo: RealNode) -> None:
    """Both say something, and both get it."""
    for author, reader in ((ana, "bo"), (bo, "ana")):
        sent = author.call("chat.send", to=reader, text=f"{author.name} is here")["id"]
        author.await_that(
            lambda a=author, s=sent: a.call("chat.message", id=s)["state"] == "delivered",  # type: ignore[misc]
            START_S,
        )


def test_a_stranger_with_the_account_id_alone_is_accepted_and_heard_although_both_were_killed_meanwhile(
    tmp_path: Path,
) -> None:
    with open_town(tmp_path) as (ana, bo, _):
        account = ana.call("node.status")["account"]
        bo.call("contacts.add", link=account, name="ana", greeting="we met at the fair")
        ana.await_that(lambda: bool(ana.call("contacts.requests")), FOUND_S)
        (request,) = ana.call("contacts.requests")
        assert request["greeting"] == "we met at the fair"
        bo.await_that(lambda: only(bo)["state"] == "waiting", START_S)
        assert not is_active(bo, "ana"), "nobody is a contact before the other says so"
        for node in (bo, ana):
            node.kill()
            node.up()
        ana.call("contacts.accept", id_or_name=request["name"])
        become_active(ana, bo)
        talk(ana, bo)


def test_a_link_whose_maker_has_moved_is_answered_from_where_he_is_now(tmp_path: Path) -> None:
    with open_town(tmp_path) as (ana, bo, _):
        link = ana.call("contacts.invite")["link"]
        move(ana)
        bo.call("contacts.add", link=link, name="ana")
        become_active(ana, bo)
        talk(ana, bo)
