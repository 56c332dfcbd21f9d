"""The messages of libp2p's Kademlia: its protobufs outside, small dataclasses inside, with every size bounded.

Of what a peer sends only the fields of the spec are read: records by key and value, peers by PeerId and addresses.
Signed peer records and the author of a record (py-libp2p's additions) are neither read nor sent: a link proves who is
asked, and who put a record is nobody's affair. Source: libp2p kad-dht spec, "RPC messages"; docs/protocol/dht.md 3.
Not here: framing (delimited.py), whether a record is good (shelf.py). Only this file imports libp2p's protobufs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from google.protobuf.message import DecodeError
from libp2p.kad_dht.pb import kademlia_pb2 as pb

from crypto.faults import Malformed
from node import ground, multiaddrs
from node.kad.space import WIRE_KEY_BYTES_MAX
from node.lookup import RECORD_BYTES_MAX
from node.network import Address, PeerId, peer_key_of, peer_multihash

PROTOCOL = "/weft/kad/1.0.0"
REQUEST_BYTES_MAX = 16 * 1024  # a record of 4 KiB, a key and what libp2p's programs add (signed peer records: 0.5 KB)
ANSWER_BYTES_MAX = 64 * 1024  # 40 peers with 8 addresses: 16 KB; of libp2p's programs with signed records 32 KB
PEERS_MAX = 20  # of either kind in one message: k of the spec, and what py-libp2p takes of providers
ADDRESSES_MAX = 8  # of one peer, as in a hello


class Kind(IntEnum):
    """What a message asks or answers; an answer has the kind of its question."""

    PUT_VALUE = 0
    GET_VALUE = 1
    ADD_PROVIDER = 2
    GET_PROVIDERS = 3
    FIND_NODE = 4
    PING = 5


@dataclass(frozen=True, slots=True)
class Peer:
    """A host of the DHT, and at most 8 addresses at which it is said to be."""

    id: PeerId
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A question or an answer. key: as on the wire. record: the bytes that lie, or shall lie, under the key."""

    kind: Kind
    key: bytes = b""
    record: bytes | None = None
    closer: tuple[Peer, ...] = ()
    providers: tuple[Peer, ...] = ()


def encode(message: Message, now_s: int) -> bytes:
    """Returns the protobuf of a message. now_s: the time at which a record is said to have been received."""
    packed = pb.Message(
        type=pb.Message.MessageType.Name(message.kind),
        key=message.key,
        closerPeers=[_pack(peer) for peer in message.closer[:PEERS_MAX]],
        providerPeers=[_pack(peer) for peer in message.providers[:PEERS_MAX]],
    )
    if message.record is not None:
        received = f"{ground.utc(now_s * 1000)}Z"  # RFC 3339; js-libp2p cannot read a record without
        packed.record.CopyFrom(pb.Record(key=message.key, value=message.record, timeReceived=received))
    return packed.SerializeToString()


def decode(raw: bytes) -> Message:
    """Returns the message of a protobuf, with its first 20 peers of each kind. Raises: Malformed."""
    packed = pb.Message()
    try:
        packed.ParseFromString(raw)
    except DecodeError as error:
        raise Malformed("a message of the DHT is no protobuf") from error
    if len(packed.key) > WIRE_KEY_BYTES_MAX:
        raise Malformed("a key of the DHT is too long")
    try:
        kind = Kind(packed.type)
    except ValueError as error:
        raise Malformed("a message of the DHT is of no kind that we know") from error
    record = None
    if packed.HasField("record") and packed.record.value:
        if packed.record.key != packed.key or len(packed.record.value) > RECORD_BYTES_MAX:
            raise Malformed("a record of the DHT lies under another key than its message, or is too large")
        record = packed.record.value
    return Message(kind, packed.key, record, _unpack(packed.closerPeers), _unpack(packed.providerPeers))


def _pack(peer: Peer) -> pb.Message.Peer:
    addresses = [multiaddrs.pack(address) for address in peer.addresses[:ADDRESSES_MAX]]
    return pb.Message.Peer(id=peer_multihash(peer.id), addrs=addresses, connection="CAN_CONNECT")


def _unpack(packed: Iterable[pb.Message.Peer]) -> tuple[Peer, ...]:
    """The peers that we could dial, each once: an Ed25519 key, and an address."""
    found: dict[PeerId, Peer] = {}
    for place, one in enumerate(packed):
        if place >= PEERS_MAX + 1:  # libp2p's programs add the peer that was asked for
            break
        try:
            peer = peer_key_of(one.id)
        except Malformed:
            continue
        read = (multiaddrs.unpack(raw, peer) for raw in one.addrs[: 4 * ADDRESSES_MAX])
        addresses = tuple(dict.fromkeys(address for address in read if address is not None))
        if addresses:
            found[peer] = Peer(peer, addresses[:ADDRESSES_MAX])
    return tuple(found.values())
