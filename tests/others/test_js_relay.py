"""Circuits with js-libp2p in every part: as the relay, as who is reached through it, as who dials."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import trio

from node.host import Host
from node.identify import Offers
from node.network import Address, Circuit, PeerId, Stream, circuit_of, circuit_text, peer_text
from node.relay import circuits, messages
from node.relay.hop import Relay
from node.relay.messages import Reserve, Status
from protocol.faults import Unavailable
from tests.node.relay import hosts
from tests.node.relay.hosts import TERMS, echoes, now_ms
from tests.others.js_peer import Failed, JsPeer, open_peer

pytestmark = [pytest.mark.process, pytest.mark.socket]

ECHO = "/weft/test/echo/1"  # js/peer.mjs answers it too
SAID = b"through a relay " * 1024
PARTS = [parts for parts in product(("weft", "js"), repeat=3) if "js" in parts]


@dataclass
class End:
    """A host of either kind, and what all of them can."""

    host: Host | JsPeer
    address: Address

    @property
    def peer(self) -> PeerId:
        return self.host.peer

    async def reserve(self, relay: "End") -> Address:
        """Lets others come through this relay; the address for it, as this host sees it."""
        if isinstance(self.host, JsPeer):
            return Address(await self.host.call("reserve", relay=f"{relay.address}/p2p/{peer_text(relay.peer)}"))
        self.host.serve([messages.STOP], hosts.taking(self.host, relay.address))
        stream = await (await self.host.dial(relay.address, relay.peer)).open(messages.HOP)
        answer = await circuits.ask(stream, Reserve())
        await stream.aclose()
        assert answer.status == Status.OK
        assert relay.address in answer.addresses
        return circuit_text(Circuit(relay.address, relay.peer, self.peer))

    async def hears(self, at: Address, said: bytes) -> None:
        """Asserts that what it says at an address comes back."""
        if isinstance(self.host, JsPeer):
            assert bytes.fromhex(await self.host.call("say", address=at, words=said.hex())) == said
            return
        link = await self.host.dial(at, None)
        assert link.is_relayed
        await echoes(await link.open(ECHO), said)
        await link.aclose()


@asynccontextmanager
async def cast(packages: Path, place: Path, kinds: tuple[str, str, str]) -> AsyncIterator[tuple[End, End, End]]:
    """A relay, a holder and a caller of these kinds."""
    async with AsyncExitStack() as stack:
        stack.enter_context(trio.fail_after(hosts.PATIENCE_S))
        ends = []
        for seed, kind in zip((hosts.RELAY, hosts.HOLDER, hosts.CALLER), kinds, strict=True):
            if kind == "js":
                opened = open_peer(packages, place, seed, relay=seed == hosts.RELAY)
                js = await stack.enter_async_context(opened)
                ends.append(End(js, js.addresses[0]))
                continue
            made, address = await stack.enter_async_context(hosts.opened(seed))
            made.serve([ECHO], hosts.echo)
            ends.append(End(made, address))
            if seed == hosts.RELAY:
                Relay(made, Offers(made, made.addresses), now_ms, TERMS).turn(True, TERMS)
        relay, holder, caller = ends
        yield relay, holder, caller


@pytest.mark.parametrize("kinds", PARTS, ids=lambda kinds: "{}-relays-to-{}-for-{}".format(*kinds))
async def test_a_circuit_carries_what_is_said(packages: Path, tmp_path: Path, kinds: tuple[str, str, str]) -> None:
    async with cast(packages, tmp_path, kinds) as (relay, holder, caller):
        circuit = await holder.reserve(relay)
        found = circuit_of(circuit)
        assert found == Circuit(relay.address, relay.peer, holder.peer)
        for _ in range(2):
            await caller.hears(circuit, SAID)


@pytest.mark.parametrize("kinds", [("weft", "js", "js"), ("js", "weft", "js"), ("js", "js", "weft")])
async def test_who_holds_nothing_is_not_reached(packages: Path, tmp_path: Path, kinds: tuple[str, str, str]) -> None:
    async with cast(packages, tmp_path, kinds) as (relay, holder, caller):
        circuit = circuit_text(Circuit(relay.address, relay.peer, holder.peer))
        with pytest.raises((Failed, Unavailable)):
            await caller.hears(circuit, SAID)


async def test_each_reads_the_limits_of_the_others_circuit(packages: Path, tmp_path: Path) -> None:
    async with cast(packages, tmp_path, ("weft", "weft", "js")) as (relay, holder, caller):
        assert isinstance(caller.host, JsPeer)
        circuit = await holder.reserve(relay)
        assert await caller.host.call("dial", address=circuit) == {"peer": peer_text(holder.peer), "limited": True}
    async with cast(packages, tmp_path / "2", ("js", "weft", "weft")) as (relay, holder, caller):
        assert isinstance(caller.host, Host)
        circuit = await holder.reserve(relay)
        link = await caller.host.dial(circuit, holder.peer)
        stream = await link.open(ECHO)
        with pytest.raises(Unavailable):  # theirs carries 128 KiB
            await echoes_until_cut(stream)
        await caller.hears(circuit, SAID)


async def test_a_relay_of_theirs_that_dies_ends_its_circuits_and_nothing_else(packages: Path, tmp_path: Path) -> None:
    async with cast(packages, tmp_path, ("js", "weft", "weft")) as (relay, holder, caller):
        assert isinstance(relay.host, JsPeer)
        assert isinstance(caller.host, Host)
        link = await caller.host.dial(await holder.reserve(relay), holder.peer)
        stream = await link.open(ECHO)
        await echoes(stream)
        await relay.host.kill()
        await link.closed()
        with pytest.raises(Unavailable):
            await stream.receive_some(1)
        direct = await caller.host.dial(holder.address, holder.peer)
        await echoes(await direct.open(ECHO), SAID)


async def echoes_until_cut(stream: Stream) -> None:
    """Says and hears a mebibyte, piece by piece. Raises: Unavailable when the stream is cut before that."""
    for _ in range(1 << 6):
        await stream.send_all(bytes(1 << 14))
        heard = 0
        while heard < 1 << 14:
            piece = await stream.receive_some(1 << 14)
            if not piece:
                raise Unavailable("it ended")
            heard += len(piece)
