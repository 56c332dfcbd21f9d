"""identify and ping: only while something is offered, never more than that, and as libp2p's own host reads them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from libp2p import new_host
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID as LIBP2P_IDENTIFY
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.peer.peerinfo import PeerInfo
from libp2p.utils.varint import read_length_prefixed_protobuf
from multiaddr import Multiaddr

from crypto.faults import Forged, Malformed, PeerFault
from node import allowance, guards, host, identify
from node.identify import Identified, Offers
from node.network import Address, Link, Network, PeerId, Stream
from protocol.faults import Unavailable

ANYWHERE = Address("/ip4/127.0.0.1/tcp/0")
ANA, BO = b"a" * 32, b"b" * 32
OFFERED = "/weft/kad/1.0.0"
PATIENCE_S = 20
PEER = PeerId(b"p" * 32)


async def refuse(_protocol: str, _stream: Stream) -> None:
    return


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Network, Network, Address, Offers]]:
    async with host.open_host(ANA) as ana, host.open_host(BO) as bo:
        bo.serve(["/weft/talk/1"], refuse)
        (address,) = await bo.listen([ANYWHERE])
        with trio.fail_after(PATIENCE_S):
            yield ana, bo, address, Offers(bo, bo.addresses)


@pytest.mark.socket
async def test_nothing_is_said_while_nothing_is_offered_and_nothing_when_it_ends() -> None:
    async with two() as (ana, bo, address, offers):
        link = await ana.dial(address, bo.peer)
        for _ in range(2):
            for protocol in (identify.IDENTIFY, identify.PING, OFFERED):
                with pytest.raises(Unavailable):
                    await link.open(protocol)
            offers.offer([OFFERED, "/other"], refuse)
            said = await identify.identify(link)
            assert said.protocols == (OFFERED, "/other", identify.IDENTIFY, identify.PING)
            assert said.addresses == (address,)
            assert said.observed is not None
            assert said.observed.startswith("/ip4/127.0.0.1/tcp/")
            offers.withdraw([OFFERED])
            assert (await identify.identify(link)).protocols == ("/other", identify.IDENTIFY, identify.PING)
            offers.withdraw(["/other"])


@pytest.mark.socket
async def test_pings_come_back_and_not_for_ever() -> None:
    async with two() as (ana, bo, address, offers):
        offers.offer([OFFERED], refuse)
        stream = await (await ana.dial(address, bo.peer)).open(identify.PING)
        for count in range(identify.PINGS_MAX):
            await stream.send_all(bytes([count]) * identify.PING_BYTES)
            assert await stream.receive_some(identify.PING_BYTES) == bytes([count]) * identify.PING_BYTES
        assert await stream.receive_some(1) == b""


@pytest.mark.socket
async def test_who_asks_what_is_offered_may_ask_more_often_than_who_proves_nothing() -> None:
    async with two() as (ana, bo, address, offers):
        offers.offer([OFFERED], refuse)
        link = await ana.dial(address, bo.peer)
        for _ in range(2 * allowance.STREAMS_WASTED_MAX):
            await identify.identify(link)
        with pytest.raises(Unavailable):
            await ask_often(link, allowance.WELCOME_STREAMS_MAX)


async def ask_often(link: Link, count: int) -> None:
    for _ in range(count):
        await identify.identify(link)


@pytest.mark.socket
async def test_who_was_dialled_can_be_asked_by_who_served_it() -> None:
    heard: list[Identified] = []

    async def ask_back(_protocol: str, stream: Stream) -> None:
        assert stream.link is not None
        heard.append(await identify.identify(stream.link))

    async with two() as (ana, bo, address, _):
        bo.serve(["/back"], ask_back)
        Offers(ana, ana.addresses).offer([OFFERED], refuse)
        stream = await (await ana.dial(address, bo.peer)).open("/back")
        assert await stream.receive_some(1) == b""
    assert [(one.peer, one.protocols[0], one.observed) for one in heard] == [(ana.peer, OFFERED, address)]


@pytest.mark.socket
async def test_libp2ps_own_host_identifies_and_pings_us() -> None:
    async with two() as (_, bo, address, offers):
        offers.offer([OFFERED], refuse)
        stock = new_host()
        async with stock.run([Multiaddr(ANYWHERE)]):
            peer = guards.id_of(bo.peer)
            await stock.connect(PeerInfo(peer, [Multiaddr(address)]))
            stream = await stock.new_stream(peer, [LIBP2P_IDENTIFY])
            message = Identify()
            message.ParseFromString(await read_length_prefixed_protobuf(stream))
            assert list(message.protocols) == [OFFERED, identify.IDENTIFY, identify.PING]
            assert [str(Multiaddr(one)) for one in message.listen_addrs] == [address]
            assert message.public_key == stock.get_peerstore().pubkey(peer).serialize()
            assert len(await PingService(stock).ping(peer, 3)) == 3
            await stock.disconnect(peer)  # it would leave its socket open


def test_what_is_said_survives() -> None:
    said = Identified(PEER, ("/a", "/b"), (Address("/ip4/1.2.3.4/tcp/5"),), Address("/ip6/2001:db8::1/tcp/9"))
    assert identify.decode(identify.encode(said), PEER) == said


def test_another_key_than_the_links_is_forged() -> None:
    with pytest.raises(Forged):
        identify.decode(identify.encode(Identified(PEER, (), (), None)), PeerId(b"q" * 32))


def test_bytes_that_are_no_protobuf_are_malformed() -> None:
    with pytest.raises(Malformed):
        identify.decode(b"\xff", PEER)


def test_a_flood_of_protocols_and_addresses_is_cut() -> None:
    addresses = tuple(Address(f"/ip4/1.2.3.4/tcp/{port}") for port in range(1, 50))
    said = Identified(PEER, tuple(f"/{number}" for number in range(200)), addresses, None)
    heard = identify.decode(identify.encode(said), PEER)
    assert (len(heard.protocols), len(heard.addresses)) == (identify.PROTOCOLS_MAX, identify.ADDRESSES_MAX)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(PeerFault):
        identify.decode(raw, PEER)
