"""js-libp2p as its makers publish it, and a host of ours: ping, identify, streams in both directions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from node import host, identify
from node.identify import Offers
from node.network import Address, Network, Stream, peer_text
from protocol.faults import Unavailable
from tests.others.js_peer import Failed, JsPeer, open_peer

pytestmark = [pytest.mark.process, pytest.mark.socket]

ANYWHERE = Address("/ip4/127.0.0.1/tcp/0")
OURS, THEIRS = b"w" * 32, b"j" * 32
ECHO = "/weft/test/echo/1"  # js/peer.mjs answers it too
PATIENCE_S = 60


async def echo(_protocol: str, stream: Stream) -> None:
    stream.welcome()
    while heard := await stream.receive_some(65_536):
        await stream.send_all(heard)


@asynccontextmanager
async def pair(packages: Path, place: Path) -> AsyncIterator[tuple[Network, Address, Offers, JsPeer]]:
    """A host of ours that offers an echo, where it listens, and one of theirs."""
    async with host.open_host(OURS) as weft, open_peer(packages, place, THEIRS) as js:
        offers = Offers(weft, weft.addresses)
        offers.offer([ECHO], echo)
        (address,) = await weft.listen([ANYWHERE])
        with trio.fail_after(PATIENCE_S):
            yield weft, Address(f"{address}/p2p/{peer_text(weft.peer)}"), offers, js


async def test_it_pings_us_and_reads_what_we_say_of_ourselves(packages: Path, tmp_path: Path) -> None:
    async with pair(packages, tmp_path) as (weft, address, _, js):
        assert await js.call("ping", address=address) >= 0
        said = await js.call("identify", peer=peer_text(weft.peer))
        assert said["agent"] == identify.AGENT
        assert sorted(said["protocols"]) == sorted([ECHO, identify.IDENTIFY, identify.PING])
        assert said["addresses"] == [address.partition("/p2p/")[0]]
        assert said["observed"].startswith("/ip4/127.0.0.1/tcp/")


async def test_we_ping_it_and_read_what_it_says_of_itself(packages: Path, tmp_path: Path) -> None:
    async with pair(packages, tmp_path) as (weft, _, _, js):
        link = await weft.dial(js.addresses[0], js.peer)
        said = await identify.identify(link)
        assert said.peer == js.peer
        assert said.addresses == js.addresses
        assert {ECHO, identify.IDENTIFY, identify.PING} <= set(said.protocols)
        assert said.observed is not None
        stream = await link.open(identify.PING)
        for number in range(3):
            await stream.send_all(bytes([number]) * identify.PING_BYTES)
            assert await stream.receive_some(identify.PING_BYTES) == bytes([number]) * identify.PING_BYTES


async def test_with_no_offer_it_connects_and_learns_nothing(packages: Path, tmp_path: Path) -> None:
    async with pair(packages, tmp_path) as (weft, address, offers, js):
        offers.withdraw([ECHO])
        assert (await js.call("dial", address=address))["peer"] == peer_text(weft.peer)
        for act in ({"act": "ping", "address": address}, {"act": "identify", "peer": peer_text(weft.peer)}):
            with pytest.raises(Failed, match="UnsupportedProtocol"):
                await js.call(**act)
        with pytest.raises(Failed, match="UnsupportedProtocol"):
            await js.call("say", address=address, words="00")


async def test_a_megabyte_goes_to_it_and_comes_back_and_from_it_too(packages: Path, tmp_path: Path) -> None:
    """More than a window of either side: both renew it."""
    many = bytes(range(256)) * 4096
    async with pair(packages, tmp_path) as (weft, address, _, js):
        assert bytes.fromhex(await js.call("say", address=address, words=many[:400_000].hex())) == many[:400_000]
        stream = await (await weft.dial(js.addresses[0], js.peer)).open(ECHO)
        heard = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, many)
            while len(heard) < len(many):
                heard += await stream.receive_some(65_536)
        assert heard == many


async def test_it_is_refused_where_another_is_expected_and_gone_when_it_is_killed(
    packages: Path, tmp_path: Path
) -> None:
    async with pair(packages, tmp_path) as (weft, _, _, js):
        with pytest.raises(Unavailable):
            await weft.dial(js.addresses[0], weft.peer)
        link = await weft.dial(js.addresses[0], js.peer)
        stream = await link.open(ECHO)
        await js.kill()
        await link.closed()
        with pytest.raises(Unavailable):
            await stream.receive_some(1)
