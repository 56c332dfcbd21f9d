"""The messages against libp2p's own protobufs, and against whatever else comes in their place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.kad_dht.pb import kademlia_pb2 as pb
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from node.kad import messages, space
from node.kad.messages import Kind, Message, Peer
from node.network import Address, PeerId, address_of, peer_multihash
from protocol.faults import Malformed, PeerFault
from tests import depth
from tests.node.test_multiaddrs import direct

NOW_S = 1_800_000_000
KEY = bytes(range(32))

peers = st.builds(
    Peer,
    st.binary(min_size=32, max_size=32).map(PeerId),
    st.lists(direct, min_size=1, max_size=messages.ADDRESSES_MAX, unique=True).map(tuple),
)
some_peers = st.lists(peers, max_size=messages.PEERS_MAX, unique_by=lambda peer: peer.id).map(tuple)
said = st.builds(
    Message,
    st.sampled_from(Kind),
    st.binary(max_size=space.WIRE_KEY_BYTES_MAX),
    st.none() | st.binary(min_size=1, max_size=4096),
    some_peers,
    some_peers,
)


@given(said)
def test_a_message_survives(message: Message) -> None:
    raw = messages.encode(message, NOW_S)
    assert len(raw) <= messages.ANSWER_BYTES_MAX
    assert messages.decode(raw) == message


@given(st.binary(max_size=300))
@pytest.mark.parametrize("_", range(1 + depth.LEVEL))
def test_any_bytes_are_a_message_or_a_peers_fault(_: int, raw: bytes) -> None:
    with suppress(PeerFault):
        messages.decode(raw)


@given(said, st.data())
def test_a_bent_message_is_a_message_or_a_peers_fault(message: Message, draw: st.DataObject) -> None:
    raw = bytearray(messages.encode(message, NOW_S))
    if raw:
        place = draw.draw(st.integers(0, len(raw) - 1))
        raw[place] = draw.draw(st.integers(0, 255))
    with suppress(PeerFault):
        messages.decode(bytes(raw))


@pytest.mark.parametrize(
    "sent",
    [
        pb.Message(type="GET_VALUE", key=bytes(129)),
        pb.Message(type="PUT_VALUE", key=b"one", record=pb.Record(key=b"other", value=b"x")),
        pb.Message(type="PUT_VALUE", key=b"one", record=pb.Record(key=b"one", value=bytes(4097))),
    ],
    ids=["a key too long", "a record under another key", "a record too large"],
)
def test_what_is_too_large_or_lies_elsewhere_is_malformed(sent: pb.Message) -> None:
    with pytest.raises(Malformed):
        messages.decode(sent.SerializeToString())


def test_peers_that_we_cannot_dial_are_left_out_and_a_flood_is_cut() -> None:
    good = Address("/ip4/1.2.3.4/tcp/5")
    quic = Multiaddr("/ip4/1.2.3.4/udp/5/quic-v1").to_bytes()
    raw_good = Multiaddr(good).to_bytes()
    sent = pb.Message(type="FIND_NODE", key=b"k")
    sent.closerPeers.add(id=b"\x12\x20" + bytes(32), addrs=[raw_good])  # an RSA key
    sent.closerPeers.add(id=peer_multihash(PeerId(bytes(32))), addrs=[quic])
    for number in range(1, 100):
        sent.closerPeers.add(id=peer_multihash(PeerId(number.to_bytes(32))), addrs=[quic, *[raw_good] * 40])
    heard = messages.decode(sent.SerializeToString()).closer
    assert len(heard) <= messages.PEERS_MAX
    assert heard[0] == Peer(PeerId((1).to_bytes(32)), (good,))


def test_a_record_is_as_libp2p_reads_it() -> None:
    wire = space.record_key(KEY)
    read = pb.Message()
    read.ParseFromString(messages.encode(Message(Kind.PUT_VALUE, wire, b"r"), NOW_S))
    assert (read.key, read.record.key, read.record.value) == (wire, wire, b"r")
    assert read.record.timeReceived == "2027-01-15T08:00:00Z"
    assert not read.record.author
    assert not read.senderRecord


def test_a_peer_lies_where_libp2p_says() -> None:
    from libp2p.kad_dht.routing_table import peer_id_to_key

    peer = PeerId(KEY)
    assert space.position_of(peer) == int.from_bytes(peer_id_to_key(ID(peer_multihash(peer))))


@given(st.binary(min_size=32, max_size=32))
def test_keys_survive_and_are_short_enough_for_libp2p(key: bytes) -> None:
    assert space.key_of_record(space.record_key(key)) == key
    assert space.key_of_providers(space.provider_key(key)) == key
    assert len(space.record_key(key)) <= 50


@given(st.binary(max_size=60))
def test_other_keys_are_malformed(raw: bytes) -> None:
    for read in (space.key_of_record, space.key_of_providers):
        with pytest.raises(Malformed):
            read(raw)
        with pytest.raises(Malformed):
            read(space.RECORD_PREFIX + raw)


def test_an_address_inside_a_house_is_told_nobody_outside() -> None:
    from ipaddress import ip_address

    from node.kad.places import tellable

    machine, house, world = (address_of(ip_address(ip), 1) for ip in ("127.0.0.1", "192.168.1.2", "8.8.8.8"))
    every = (machine, house, world)
    assert tellable(every, machine) == every
    assert tellable(every, house) == (house, world)
    assert tellable(every, world) == (world,)
    assert tellable(every, None) == (world,)
