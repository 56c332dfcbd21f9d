"""Real nodes behind NATs: reached through a relay at once, directly where a hole can be punched, found after a move.

Ana and Bo become contacts in Ana's home; then Bo goes home. Chen is in the public network and lets others be reached
through him. Whoever moves does nothing but move. Not here: what the routers do (test_nats.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from crypto.keys import SigningKey
from node.network import PeerId, peer_text
from store import identity
from tests.stories import nats
from tests.stories.hosts import Host
from tests.stories.nats import Internet, Kind
from tests.stories.real import START_S, RealNode, is_online
from tests.stories.siege import assert_quiet, heard, in_database, status_of
from tests.stories.test_lan_hosts import befriend
from tests.stories.test_nats import needs_nats, pytestmark  # noqa: F401

AGAIN_S = 60.0  # found again, without any action
PUNCHED_S = 60.0  # a second to settle and three attempts of four seconds, on a quiet machine


@dataclass
class Town:
    """Two contacts at home behind their routers, and a relay."""

    internet: Internet
    ana_host: Host
    ana: RealNode
    bo_host: Host
    bo: RealNode
    chen: RealNode
    sent: dict[str, list[str]] = field(default_factory=lambda: {"ana": [], "bo": []})

    def say(self, author: RealNode, text: str) -> str:
        """Queues a text for the other; its id."""
        reader = self.bo if author is self.ana else self.ana
        self.sent[reader.name].append(text)
        return str(author.call("chat.send", to=reader.name, text=text)["id"])

    def is_there(self, author: RealNode, sent: str, within_s: float = START_S) -> None:
        """Waits until a text is delivered."""
        author.await_that(lambda: author.call("chat.message", id=sent)["state"] == "delivered", within_s)

    def both_say(self, text: str, within_s: float = START_S) -> None:
        """Both say something, and both get it."""
        said = [(author, self.say(author, f"{text}, says {author.name}")) for author in (self.ana, self.bo)]
        for author, one in said:
            self.is_there(author, one, within_s)

    def arrives(self, path: str, within_s: float) -> None:
        """Waits until both reach the other on this path."""
        for node, other in ((self.ana, "bo"), (self.bo, "ana")):
            node.await_that(lambda n=node, o=other: status_of(n, o)["path"] == path, within_s)  # type: ignore[misc]

    def stays(self, path: str) -> None:
        """Both reach the other on this path now."""
        assert [status_of(node, other)["path"] for node, other in ((self.ana, "bo"), (self.bo, "ana"))] == [path] * 2

    def tell(self) -> None:
        """Lets both know the other's address through the relay: they meet once more when both have one."""
        for node in (self.ana, self.bo):
            node.await_that(lambda n=node: is_reached_through_a_relay(n), START_S)  # type: ignore[misc]
        self.bo.kill()
        self.bo.up()
        self.bo.await_that(lambda: is_online(self.bo, "ana"), START_S)

    def everything_arrived_once(self) -> None:
        for node in (self.ana, self.bo):
            assert heard(node) == ["hello", *self.sent[node.name]]
        for node in (self.ana, self.bo, self.chen):
            assert_quiet(node)


def peer_id(node: RealNode) -> PeerId:
    """Of a stopped node."""
    me = trio.run(in_database, node, identity.load_identity)
    assert me is not None
    return PeerId(SigningKey(me.transport_seed).public)


def is_reached_through_a_relay(node: RealNode) -> bool:
    return any("/p2p-circuit/" in address for address in node.call("node.status")["addresses"])


@contextmanager
def town(home: Path, ana: Kind, bo: Kind, setting: str) -> Iterator[Town]:
    """Ana and Bo are contacts, Bo has just come home, Chen relays; both know Chen by this setting alone.

    By relay.addresses they told each other before how they are reached through him. By dht.bootstrap they did not.
    """
    with nats.open_internet(home, ana=ana, bo=bo, cafe="drop") as internet:
        _, chen = internet.in_public("chen")
        chen.init()
        peer = peer_text(peer_id(chen))
        chen.up()
        chen.call("node.configure", name="relay.offer", value="on")
        (address,) = [one for one in chen.call("node.status")["addresses"] if one.startswith("/ip4/44.")]
        (ana_host, ana_node), (bo_host, bo_node) = internet.at_home("ana", "ana"), internet.at_home("bo", "ana")
        for node in (ana_node, bo_node):
            node.init()
            node.up()
            node.call("node.configure", name=setting, value=f"{address}/p2p/{peer}")
        befriend(ana_node, bo_node)
        found = Town(internet, ana_host, ana_node, bo_host, bo_node, chen)
        if setting == "relay.addresses":
            found.tell()
        internet.homes["bo"].plug(bo_host)
        yield found
        found.everything_arrived_once()


@needs_nats
@pytest.mark.parametrize("setting", ["relay.addresses", "dht.bootstrap"])
def test_behind_two_nats_that_drop_they_are_relayed_then_direct_and_found_again_after_a_move(
    tmp_path: Path, setting: str
) -> None:
    with town(tmp_path, "drop", "drop", setting) as t:
        first = t.say(t.ana, "are you home?")
        t.is_there(t.ana, first, AGAIN_S)
        t.arrives("direct", PUNCHED_S)
        t.both_say("direct")
        t.internet.homes["cafe"].plug(t.bo_host)
        second = t.say(t.ana, "and now?")
        t.is_there(t.ana, second, AGAIN_S)
        t.arrives("direct", PUNCHED_S)
        t.both_say("from the café")
        t.internet.homes["ana"].plug(t.bo_host)
        third = t.say(t.ana, "come in")
        t.is_there(t.ana, third, AGAIN_S)
        t.both_say("at one table")


@needs_nats
def test_behind_a_nat_that_answers_rst_they_stay_relayed_and_status_says_why(tmp_path: Path) -> None:
    """And the relay's sudden death and return cost time, no message."""
    with town(tmp_path, "drop", "reset", "dht.bootstrap") as t:
        t.is_there(t.ana, t.say(t.ana, "are you home?"), AGAIN_S)
        t.ana.await_that(lambda: "RST" in status_of(t.ana, "bo")["reason"], PUNCHED_S)
        t.both_say("relayed")
        t.stays("relayed")
        t.chen.kill()
        t.ana.await_that(lambda: not is_online(t.ana, "bo"), START_S)
        waiting = [(author, t.say(author, f"are you there, asks {author.name}")) for author in (t.ana, t.bo)]
        t.chen.up()
        for author, one in waiting:
            t.is_there(author, one, AGAIN_S)
        t.both_say("back")
        t.stays("relayed")
