"""Addresses and PeerIds as text."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Malformed
from node import network
from node.network import Address, Circuit, PeerId


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_is_read_back_as_it_was_written(ip: IPv4Address | IPv6Address, port: int) -> None:
    back, port_back = network.parts_of(network.address_of(ip, port))
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    assert (back, port_back) == (mapped or ip, port)


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/1.2.3.4/tcp/04001",
        "/ip4/1.2.3.4/tcp/-1",
        "/ip4/1.2.3.4/tcp/65536",
        "/ip4/1.2.3.4/tcp/١",  # a digit, but not ours
        "/ip4/01.2.3.4/tcp/1",
        "/ip4/::1/tcp/1",
        "/ip6/1.2.3.4/tcp/1",
        "/ip6/0:0::1/tcp/1",
        "/ip6/FE80::1/tcp/1",
        "/dns4/example.org/tcp/1",
        "/ip4/1.2.3.4/tcp/1/p2p/x",
        "ip4/1.2.3.4/tcp/1",
        "/ip4/1.2.3.4/tcp/1/",
        "/ip6/" + "1" * 100 + "/tcp/1",
    ],
)
def test_only_the_shortest_form_is_an_address(text: str) -> None:
    with pytest.raises(Malformed):
        network.parts_of(text)


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.binary(min_size=32, max_size=32))
def test_a_circuit_is_read_back_as_it_was_written(ip: IPv4Address, port: int, key: bytes) -> None:
    circuit = Circuit(network.address_of(ip, port), PeerId(key), PeerId(key[::-1]))
    text = network.circuit_text(circuit)
    assert network.circuit_of(text) == circuit
    assert network.circuit_of(circuit.relay) is None
    with pytest.raises(Malformed):
        network.parts_of(text)


def test_half_a_circuit_is_malformed() -> None:
    whole = network.circuit_text(Circuit(Address("/ip4/1.2.3.4/tcp/1"), PeerId(bytes(32)), PeerId(bytes(32))))
    relay = network.peer_text(PeerId(bytes(32)))
    for text in (whole[:-1], whole + "/", whole[1:], whole.replace("/p2p/" + relay, "", 1), whole + whole):
        with pytest.raises(Malformed):
            network.circuit_of(text)


@given(st.text(max_size=70))
def test_any_text_is_an_address_or_malformed(text: str) -> None:
    with suppress(Malformed):
        network.parts_of(text)


@given(st.binary(min_size=32, max_size=32))
def test_a_peer_id_is_read_back_as_it_was_written(key: bytes) -> None:
    text = network.peer_text(PeerId(key))
    assert text.startswith("12D3Koo")
    assert len(text) == 52
    assert network.peer_of_text(text) == key


def test_a_known_peer_id() -> None:
    """The vector of the libp2p peer-ids specification: an Ed25519 key, encoded by another program."""
    key = bytes.fromhex("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
    assert network.peer_text(PeerId(key)) == "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"


@given(st.text(alphabet="123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl", max_size=70))
def test_any_text_is_a_peer_id_or_malformed(text: str) -> None:
    with suppress(Malformed):
        assert network.peer_text(network.peer_of_text(text)) == text
