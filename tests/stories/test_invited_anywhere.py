"""Real nodes behind two NATs that have never met: an invitation alone makes them contacts, and they talk both ways.

Neither can be dialled where the link says. Chen is in the public network, in the DHT, and lets others be reached
through him; both know him by dht.bootstrap alone. Contacts who are found again: test_found_anywhere.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.network import peer_text
from tests.stories import nats
from tests.stories.nats import Kind
from tests.stories.real import RealNode, is_active
from tests.stories.siege import assert_quiet, heard, status_of
from tests.stories.test_found_anywhere import peer_id
from tests.stories.test_lan_hosts import say
from tests.stories.test_nats import needs_nats, pytestmark  # noqa: F401

MET_S = 60.0  # a look in vain before the inviter has a relay, and the next one 18 s later at most


@contextmanager
def invited(home: Path, ana: Kind, bo: Kind) -> Iterator[tuple[RealNode, RealNode, str]]:
    """Ana and Bo at home behind their routers, running, and a link of Ana's; each knows Chen alone.

    The invitation is made at once, so what lies in the DHT first names nothing that others can dial.
    """
    with nats.open_internet(home, ana=ana, bo=bo) as internet:
        _, chen = internet.in_public("chen")
        chen.init()
        peer = peer_text(peer_id(chen))
        chen.up()
        chen.call("node.configure", name="relay.offer", value="on")
        (address,) = [one for one in chen.call("node.status")["addresses"] if one.startswith("/ip4/44.")]
        inviter, asker = internet.at_home("ana", "ana")[1], internet.at_home("bo", "bo")[1]
        for node in (asker, inviter):
            node.init()
            node.up()
            node.call("node.configure", name="dht.bootstrap", value=f"{address}/p2p/{peer}")
        yield inviter, asker, inviter.call("contacts.invite")["link"]
        for node in (inviter, asker, chen):
            assert_quiet(node)


@needs_nats
@pytest.mark.parametrize(("ana", "bo"), [("drop", "drop"), ("reset", "symmetric")])
def test_an_invitation_makes_contacts_of_two_who_are_behind_nats_and_have_never_met(
    tmp_path: Path, ana: Kind, bo: Kind
) -> None:
    with invited(tmp_path, ana, bo) as (inviter, asker, link):
        asker.call("contacts.add", link=link, name="ana")
        for node, other in ((asker, "ana"), (inviter, "bo")):
            node.await_that(lambda n=node, o=other: is_active(n, o), MET_S)  # type: ignore[misc]
        say(asker, "ana", "knock, knock")
        say(inviter, "bo", "come in")
        assert [heard(asker), heard(inviter)] == [["come in"], ["knock, knock"]]
        for node, other in ((asker, "ana"), (inviter, "bo")):
            assert status_of(node, other)["path"] in (("relayed", "direct") if ana == bo else ("relayed",))
