"""Binary addresses against py-multiaddr's own, and whatever else comes in their place."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from crypto.faults import Malformed
from node import multiaddrs
from node.network import (
    Address,
    Circuit,
    PeerId,
    address_of,
    circuit_text,
    peer_key_of,
    peer_multihash,
    peer_text,
)

BO, RELAY = PeerId(b"b" * 32), PeerId(b"r" * 32)
DIRECT = [Address("/ip4/127.0.0.1/tcp/4001"), Address("/ip6/2001:db8::1/tcp/65535"), Address("/ip4/1.2.3.4/tcp/1")]
CIRCUITS = [circuit_text(Circuit(relay, RELAY, BO)) for relay in DIRECT]

ips = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(2**65, 2**128 - 1).map(IPv6Address),
)
direct = st.builds(address_of, ips, st.integers(1, 65535))
circuits = st.builds(lambda relay: circuit_text(Circuit(relay, RELAY, BO)), direct)


@given(st.one_of(direct, circuits))
def test_an_address_survives(address: Address) -> None:
    assert len(multiaddrs.pack(address)) <= multiaddrs.BYTES_MAX
    assert multiaddrs.unpack(multiaddrs.pack(address), BO) == address


@pytest.mark.parametrize("address", DIRECT + CIRCUITS)
def test_libp2ps_own_library_reads_and_writes_the_same(address: Address) -> None:
    own = f"/p2p/{peer_text(BO)}"
    assert Multiaddr(address.removesuffix(own)).to_bytes() == multiaddrs.pack(address)
    assert multiaddrs.unpack(Multiaddr(address).to_bytes(), BO) == address
    assert multiaddrs.unpack(Multiaddr(address.removesuffix(own) + own).to_bytes(), BO) == address


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/1.2.3.4/udp/4001/quic-v1",
        "/ip4/1.2.3.4/tcp/4001/ws",
        "/dns4/example.org/tcp/4001",
        "/ip4/1.2.3.4",
        "/ip4/1.2.3.4/tcp/0",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{peer_text(RELAY)}",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{peer_text(RELAY)}/p2p-circuit/p2p/{peer_text(RELAY)}",
    ],
)
def test_a_way_that_we_cannot_go_is_none(text: str) -> None:
    assert multiaddrs.unpack(Multiaddr(text).to_bytes(), BO) is None


@pytest.mark.parametrize("address", DIRECT)
@pytest.mark.parametrize(("behind", "is_read"), [("", True), ("/p2p/", True), ("/p2p-circuit/p2p/", False)])
def test_where_we_are_seen_is_direct_and_may_name_anybody(address: Address, behind: str, is_read: bool) -> None:
    text = address + (behind and f"{behind}{peer_text(RELAY)}")
    assert multiaddrs.unpack_observed(Multiaddr(text).to_bytes()) == (address if is_read else None)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_address_or_none(raw: bytes) -> None:
    found = multiaddrs.unpack(raw, BO)
    assert found is None or multiaddrs.unpack(multiaddrs.pack(found), BO) == found


@pytest.mark.parametrize(
    "raw", [b"", b"b" * 32, peer_multihash(BO)[:-1], peer_multihash(BO) + b"x", b"\x12 " + b"b" * 32]
)
def test_another_kind_of_peer_id_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        peer_key_of(raw)


def test_a_peer_id_survives() -> None:
    assert peer_key_of(peer_multihash(BO)) == BO
