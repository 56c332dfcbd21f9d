"""The messages of relays and hole punching: there and back, as libp2p's own classes read them, and hostile bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.envelope import unmarshal_envelope
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Voucher

from crypto.faults import Malformed, PeerFault
from node.network import Address, Circuit, PeerId, circuit_text
from node.relay import messages
from node.relay.messages import Answer, Connect, Limits, Meeting, Now, Reserve, Status

PEERS = st.binary(min_size=32, max_size=32).map(PeerId)
PORTS = st.integers(1, 65_535)
ADDRESSES = st.one_of(
    st.tuples(st.ip_addresses(v=4), PORTS).map(lambda p: Address(f"/ip4/{p[0]}/tcp/{p[1]}")),
    st.tuples(st.ip_addresses(v=6, network="2000::/3"), PORTS).map(lambda p: Address(f"/ip6/{p[0]}/tcp/{p[1]}")),
)
LIMITS = st.builds(Limits, st.integers(0, 2**32 - 1), st.integers(0, 2**63))


@given(PEERS)
def test_requests_come_back(peer: PeerId) -> None:
    for request in (Reserve(), Connect(peer)):
        assert messages.decode_request(messages.encode_request(request)) == request


@given(PEERS, st.sampled_from(Status), st.none() | LIMITS, st.lists(ADDRESSES, max_size=8, unique=True))
def test_answers_come_back(relay: PeerId, status: Status, limits: Limits | None, addresses: list[Address]) -> None:
    answer = Answer(status, limits, 1_800_000_000, tuple(addresses))
    assert messages.decode_answer(messages.encode_answer(answer, relay), relay) == answer


@given(PEERS, LIMITS)
def test_what_a_relay_and_a_holder_say_comes_back(peer: PeerId, limits: Limits) -> None:
    for said in (Connect(peer, limits), Answer(Status.OK)):
        assert messages.decode_stop(messages.encode_stop(said)) == said


@given(PEERS, st.lists(ADDRESSES, max_size=8, unique=True))
def test_what_hole_punchers_say_comes_back(peer: PeerId, addresses: list[Address]) -> None:
    for said in (Meeting(tuple(addresses)), Now()):
        assert messages.decode_punch(messages.encode_punch(said), peer) == said


@given(st.binary(max_size=200), PEERS)
def test_no_bytes_do_anything_but_decode_or_be_malformed(raw: bytes, peer: PeerId) -> None:
    for decode in (
        messages.decode_request,
        lambda raw: messages.decode_answer(raw, peer),
        messages.decode_stop,
        lambda raw: messages.decode_punch(raw, peer),
    ):
        try:
            decode(raw)
        except PeerFault:
            continue


def test_more_than_4_kib_are_not_parsed() -> None:
    padded = messages.encode_request(Reserve()) + b"\x7a" + b"\x80\x20" + bytes(4096)
    with pytest.raises(Malformed):
        messages.decode_request(padded)


def test_more_than_8_addresses_are_left_out() -> None:
    peer = PeerId(bytes(32))
    many = tuple(Address(f"/ip4/44.0.0.{n}/tcp/4001") for n in range(30))
    assert messages.decode_punch(messages.encode_punch(Meeting(many)), peer) == Meeting(many[:8])


def test_a_circuit_among_addresses_comes_back_as_one() -> None:
    peer = PeerId(bytes(32))
    way = circuit_text(Circuit(Address("/ip4/44.0.0.1/tcp/4001"), PeerId(b"r" * 32), peer))
    assert messages.decode_punch(messages.encode_punch(Meeting((way,))), peer) == Meeting((way,))


def test_libp2p_reads_a_voucher_and_finds_it_good() -> None:
    keys = create_new_key_pair(b"r" * 32)
    relay, peer = PeerId(keys.public_key.to_bytes()), PeerId(b"p" * 32)
    voucher = messages.seal_voucher(relay, peer, 1_800_000_000, keys.private_key.sign)
    raw = messages.encode_answer(Answer(Status.OK, Limits(3600, 10), 1_800_000_000, (), voucher), relay)
    read = HopMessage()
    read.ParseFromString(raw)
    envelope = unmarshal_envelope(read.reservation.voucher)
    envelope.validate("libp2p-relay-rsvp")
    said = Voucher()
    said.ParseFromString(envelope.raw_payload)
    assert (said.relay[-32:], said.peer[-32:], said.expiration) == (relay, peer, 1_800_000_000)


@pytest.mark.parametrize("status", [*Status, 0, 7, 999])
def test_every_status_has_words(status: int) -> None:
    assert messages.reason(status).startswith(("the relay", "the other end"))
