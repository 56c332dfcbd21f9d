"""The promises of node/lan.py, kept alike by the simulated local network and by UDP sockets on this machine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
import trio

from crypto.faults import Malformed
from lab import network as lab_network
from lab.lan import Places
from node import interfaces
from node.datagrams import open_datagrams
from node.lan import Heard, Interface, Lan, dialled_at, is_near, narrowed
from node.network import Address
from protocol.beacon import PACKET_BYTES

PATIENCE_S = 20  # for anything that must end
LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Two:
    """Two ends of one local network, and the interface on which they meet."""

    alice: Lan
    bob: Lan
    here: Interface


@asynccontextmanager
async def open_simulated() -> AsyncIterator[Two]:
    async with lab_network.open_network(seed=1) as sim, trio.open_nursery() as nursery:
        places = Places(sim, nursery, seed=1)
        async with places.open("alice") as alice, places.open("bob") as bob:
            places.move("alice", "home")
            places.move("bob", "home")
            yield Two(alice, bob, alice.interfaces()[0])
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_real() -> AsyncIterator[Two]:
    async with open_datagrams() as alice, open_datagrams() as bob:
        here = next(one for one in alice.interfaces() if LOOPBACK in one.addresses)
        bob.interfaces()
        yield Two(alice, bob, narrowed(here, (Address("/ip4/127.0.0.1/tcp/4001"),)))


@pytest.fixture(params=["simulated", pytest.param("sockets", marks=pytest.mark.socket)])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    async with open_simulated() if request.param == "simulated" else open_real() as both:
        yield both


async def hear(lan: Lan, packet: bytes) -> Heard:
    """The next packet with these bytes; others on this machine may send too."""
    with trio.fail_after(PATIENCE_S):
        while (heard := await lan.receive()).packet != packet:
            pass
    return heard


async def test_a_packet_reaches_the_other_and_comes_back(two: Two) -> None:
    packet = b"to everybody".ljust(PACKET_BYTES, b".")
    sent = await two.alice.send(two.here, packet)
    assert [one.source for one in sent if not one.fault] == [two.here.ipv4[0][0]]
    for lan in (two.alice, two.bob):
        heard = await hear(lan, packet)
        assert (heard.source, heard.interface) == (two.here.ipv4[0][0], two.here.name)


async def test_packets_keep_coming(two: Two) -> None:
    packets = [bytes((number,)) * PACKET_BYTES for number in range(20)]
    for packet in packets:
        await two.alice.send(two.here, packet)
        await hear(two.bob, packet)


async def test_who_waits_can_be_cancelled_and_loses_nothing(two: Two) -> None:
    packet = b"after a while".ljust(PACKET_BYTES, b".")
    with trio.move_on_after(0.05):
        await hear(two.bob, packet)
    await two.alice.send(two.here, packet)
    await hear(two.bob, packet)


async def test_nobody_is_heard_in_another_place() -> None:
    async with lab_network.open_network(seed=1) as sim, AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        places = Places(sim, nursery, seed=1)
        lans = {name: await stack.enter_async_context(places.open(name)) for name in ("alice", "bob", "chen")}
        for name, place in (("alice", "home"), ("bob", "office"), ("chen", "home")):
            places.move(name, place)
        await lans["alice"].send(lans["alice"].interfaces()[0], b"hello home")
        await hear(lans["chen"], b"hello home")
        places.move("alice", "office")
        await lans["alice"].send(lans["alice"].interfaces()[0], b"hello office")
        assert (await lans["bob"].receive()).packet == b"hello office"
        places.move("alice", None)
        assert lans["alice"].interfaces() == ()
        nursery.cancel_scope.cancel()


@pytest.mark.socket
async def test_a_long_packet_is_cut_where_it_can_still_be_told() -> None:
    async with open_real() as two:
        await two.alice.send(two.here, b"x" * 1000)
        assert len((await hear(two.bob, b"x" * (PACKET_BYTES + 1))).packet) == PACKET_BYTES + 1


@pytest.mark.socket
async def test_the_sources_that_are_not_ours_send_nothing_and_say_why() -> None:
    async with open_real() as two:
        foreign = Interface(two.here.name, two.here.index, ((IPv4Address("192.0.2.77"), None),), ())
        (sent,) = await two.alice.send(foreign, b"x" * PACKET_BYTES)
        assert sent.fault


@pytest.mark.socket
async def test_the_kernel_is_asked_for_news_and_waiting_for_it_can_be_cancelled() -> None:
    async with interfaces.open_news() as news:
        with trio.move_on_after(0.05) as waited:
            await news.changed()
        assert waited.cancelled_caught


def test_this_machine_has_a_loopback_interface() -> None:
    assert any(LOOPBACK in one.addresses for one in interfaces.current())


BOTH = Interface(
    "eth0",
    2,
    ((IPv4Address("10.0.0.5"), IPv4Address("10.0.0.255")), (IPv4Address("192.168.1.5"), None)),
    (IPv6Address("fe80::5"), IPv6Address("fd00::5")),
)


@pytest.mark.parametrize(
    ("listening", "left"),
    [
        ((), ()),
        (("/ip4/0.0.0.0/tcp/1",), ("10.0.0.5", "192.168.1.5")),
        (("/ip4/192.168.1.5/tcp/1",), ("192.168.1.5",)),
        (("/ip4/127.0.0.1/tcp/1",), ()),
        (("/ip6/::/tcp/1",), ("fe80::5", "fd00::5")),
        (("/ip4/10.0.0.5/tcp/1", "/ip6/fd00::5/tcp/1"), ("10.0.0.5", "fd00::5")),
    ],
)
def test_only_addresses_that_are_listened_on_are_left(listening: Sequence[str], left: Sequence[str]) -> None:
    found = narrowed(BOTH, tuple(map(Address, listening)))
    assert [str(one) for one in found.addresses] == list(left)


def test_a_link_local_address_is_dialled_in_its_zone() -> None:
    assert dialled_at(ip_address("fe80::5"), 4001, "eth0") == "/ip6/fe80::5%eth0/tcp/4001"
    assert dialled_at(ip_address("fd00::5"), 4001, "eth0") == "/ip6/fd00::5/tcp/4001"
    assert dialled_at(ip_address("10.0.0.5"), 1, "eth0") == "/ip4/10.0.0.5/tcp/1"


@pytest.mark.parametrize("nobody", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"])
def test_an_address_that_nobody_has_is_not_dialled(nobody: str) -> None:
    with pytest.raises(Malformed):
        dialled_at(ip_address(nobody), 4001, "eth0")


OPEN = Interface("eth1", 3, ((IPv4Address("8.8.4.200"), IPv4Address("8.8.4.255")),), ())


@pytest.mark.parametrize(
    ("source", "near"),
    [
        ("8.8.4.7", True),
        ("8.8.5.7", False),
        ("8.8.8.8", False),
        ("192.168.7.7", True),
        ("127.0.0.1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("2606:4700::1111", False),
    ],
)
def test_a_source_of_another_network_is_not_near(source: str, near: bool) -> None:
    assert is_near(ip_address(source), OPEN) is near
    assert not is_near(ip_address("8.8.4.7"), BOTH)
