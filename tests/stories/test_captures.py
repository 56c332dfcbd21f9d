"""What stands in a recording of a chat: of the wire between two real nodes, and of what is handed to the transport.

Cases 51 and 52. The first is what a provider or somebody in the same café has. The second is what a relay would have,
or whoever opens the Noise around it later: the simulated network carries exactly the bytes that a stream is given, and
one contract holds it and libp2p (tests/node/test_network_contract.py). Not here: beacons.
"""

import base64
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from nacl.signing import SigningKey

from crypto.sealing import BUCKETS
from lab import world
from lab.world import Person, World, befriend
from node.network import PEER_ID_BYTES, PeerId, peer_of_text, peer_text
from protocol import ids
from store import identity
from store.database import Tx
from tests.stories import cable, wiretap
from tests.stories.cable import Cable
from tests.stories.real import RealNode, has_compared, open_pair
from tests.stories.siege import connected, heard, in_database, status_of
from tests.stories.test_conversations import settled

SHORT, LONG = "x", "y" * 300
ROUNDS = 10
START_S = 30.0
OVERHEAD_BYTES_MAX = 100  # of one envelope on the wire: a Noise record, a Yamux header, a frame
CALLED = "bo-canary-81c"
TEXT = "canary-5ca1ab1e on the wire"


async def meet_over(wire: Cable, ana: RealNode, bo: RealNode, called: str = "bo") -> None:
    """Starts both so that they meet over this cable, which leads to bo, whom ana calls so."""
    await cable.move(ana, called, wire.address)
    await cable.move(bo, "ana", "/ip4/127.0.0.1/tcp/1")
    bo.up()
    ana.up()
    await connected(ana, called, START_S)
    assert wire.connections == 1


def secrets(tx: Tx) -> dict[str, bytes]:
    """Who somebody is, in every form in which it could stand in a recording."""
    me = identity.load_identity(tx)
    assert me is not None
    return {
        "account": me.account,
        "account text": ids.account_text(me.account).encode(),
        "device key": me.device_key.public,
        "identity key": me.identity_key.public,
        "presence": me.presence,
        "name": me.name.encode(),
        "recovery": me.recovery,
    }


def forms(names: dict[str, bytes]) -> dict[str, bytes]:
    """The same as bytes, hexadecimal and base64."""
    found = dict(names)
    for name, raw in names.items():
        if len(raw) >= 16:  # a short one stands somewhere by chance
            found[f"{name}, hex"] = raw.hex().encode()
            found[f"{name}, base64"] = base64.urlsafe_b64encode(raw).rstrip(b"=")
    return {name: raw for name, raw in found.items() if len(raw) >= 4}


@pytest.mark.process
@pytest.mark.socket
async def test_case_51_the_wire_of_a_chat_tells_no_account_device_message_name_text_or_peer(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        ana.call("contacts.rename", name="bo", new=CALLED)
        direct = bo.call("node.status")["addresses"][0]
        hidden = {"text": TEXT.encode(), "contact": CALLED.encode()}
        for node in (ana, bo):
            node.down()
            hidden |= {f"{node.name}: {name}": raw for name, raw in (await in_database(node, secrets)).items()}
            seed = (await in_database(node, identity.load_identity)).transport_seed
            hidden[f"{node.name}: PeerId"] = _peer(seed)
            hidden[f"{node.name}: PeerId text"] = peer_text(_peer(seed)).encode()
        with cable.laid_to(direct) as wire:
            await meet_over(wire, ana, bo, CALLED)
            for author, to in ((ana, CALLED), (bo, "ana")):
                line = author.call("chat.send", to=to, text=TEXT)
                hidden[f"{author.name}: message id"] = ids.ulid_from(line["id"])
                hidden[f"{author.name}: message id text"] = line["id"].encode()
            for reader in (ana, bo):
                await trio.to_thread.run_sync(reader.await_that, lambda r=reader: heard(r) == [TEXT], START_S)
            recorded = bytes(wire.there + wire.back)
        assert len(recorded) > 2 * BUCKETS[0]
        assert [name for name, raw in forms(hidden).items() if raw in recorded] == []


def _peer(seed: bytes) -> PeerId:
    return PeerId(bytes(SigningKey(seed).verify_key))


@pytest.mark.process
@pytest.mark.socket
async def test_case_52_on_the_wire_a_text_of_1_and_of_300_characters_are_the_same(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        direct = bo.call("node.status")["addresses"][0]
        await _have_compared(ana, bo)
        for node in (ana, bo):
            node.down()
        with cable.laid_to(direct) as wire:
            await meet_over(wire, ana, bo)
            await _have_compared(ana, bo)
            sizes: dict[str, list[tuple[int, int]]] = {SHORT: [], LONG: []}
            await _said_over(wire, ana, SHORT)  # the first takes what waited along
            for _ in range(ROUNDS):
                for text, seen in sizes.items():
                    seen.append(await _said_over(wire, ana, text))
        assert set(sizes[SHORT]) == set(sizes[LONG])
        ((out, back),) = set(sizes[SHORT])
        assert BUCKETS[0] < out <= BUCKETS[0] + OVERHEAD_BYTES_MAX
        assert 0 < back <= OVERHEAD_BYTES_MAX


async def _have_compared(ana: RealNode, bo: RealNode) -> None:
    """Returns when both have told each other of their logs, and nothing of that is under way."""
    for node, other in ((ana, "bo"), (bo, "ana")):
        there = partial(has_compared, node, other)
        await trio.to_thread.run_sync(node.await_that, there, START_S)


async def _said_over(wire: Cable, ana: RealNode, text: str) -> tuple[int, int]:
    """Bytes there and back from saying a text to its acknowledgement. It takes less than a ping is away."""
    before = len(wire.there), len(wire.back)
    ana.call("chat.send", to="bo", text=text)
    await trio.to_thread.run_sync(ana.await_that, lambda: status_of(ana, "bo")["waiting"] == 0, START_S)
    return len(wire.there) - before[0], len(wire.back) - before[1]


@pytest.mark.depth
def test_case_52_what_a_relay_would_read_has_four_lengths_and_1_and_300_characters_are_the_same() -> None:
    """The same world twice: moment by moment the same bytes' length, whether 1 or 300 characters were said."""
    assert _carried((1,)) == _carried((300,))
    assert _carried((1, 900, 3000)) != _carried((1, 900, 12_000))
    _carried((1, 300, 900, 3000, 12_000, 16_384))


def _carried(lengths: tuple[int, ...]) -> list[tuple[float, str, int]]:
    """Time, sender and length of each piece that the transport was given while texts of these lengths were said."""
    carried: list[tuple[float, str, int]] = []

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await trio.sleep(30)  # until the pair's secret is in use and nothing of the first contact is under way
        tap = w.network.tap = []
        for number in range(ROUNDS * 3):
            author, to = (alice, "bob") if number % 4 else (bob, "alice")
            await author.call("chat.send", to=to, text="z" * lengths[number % len(lengths)])
            await w.until(lambda: settled(alice, bob))
        assert {len(raw) for _, raw in wiretap.envelopes(tap)} <= set(BUCKETS)
        carried.extend((at, sender, len(piece)) for at, sender, _, piece in tap)

    world.run(story, seed=52)
    return carried


def test_case_51_what_a_relay_would_read_of_a_chat_tells_no_account_device_message_name_or_text() -> None:
    """After the first contact; in that contact itself certificates go over the stream (test_strangers.py)."""

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await trio.sleep(30)
        hidden = {"text": TEXT.encode()}
        tap = w.network.tap = []
        for person, to in ((alice, "bob"), (bob, "alice")):
            await person.kill()
            await person.start()
            await person.call("chat.send", to=to, text=TEXT)
            await w.until(lambda: settled(alice, bob))
            hidden |= await _hidden_of(person)
            hidden |= {f"message {n}": ids.ulid_from(line["id"]) for n, line in enumerate(await _lines(person, to))}
        recorded = b"".join(piece for _, _, _, piece in tap)
        assert len(recorded) > 2 * BUCKETS[0]
        assert [name for name, raw in forms(hidden).items() if raw in recorded] == []

    world.run(story, seed=51)


async def _hidden_of(person: Person) -> dict[str, bytes]:
    assert person.node is not None
    found: dict[str, bytes] = await person.node.core.database.transact(secrets)
    return {f"{person.name}: {name}": raw for name, raw in found.items()}


async def _lines(person: Person, to: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = await person.call("chat.history", to=to)
    return lines


def test_the_forms_that_are_looked_for_would_be_found() -> None:
    """The searches above can fail: what they look for is what nodes hold, and a PeerId is read back from its text."""
    peer = _peer(bytes(32))
    assert len(peer) == PEER_ID_BYTES
    assert peer_of_text(peer_text(peer)) == peer
    assert set(forms({"a": bytes(16), "b": b"abc"})) == {"a", "a, hex", "a, base64"}
