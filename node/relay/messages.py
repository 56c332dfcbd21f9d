"""The messages of libp2p's circuit relay v2 and hole punching, as records of ours.

Sources: https://github.com/libp2p/specs, relay/circuit-v2.md and relay/DCUtR.md. Not here: how they are cut out of a
stream (node/delimited.py), and what follows from them (hop.py, circuits.py, reservations.py, punching.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.peer.envelope import Envelope, make_unsigned
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Limit, Reservation, StopMessage, Voucher
from libp2p.relay.circuit_v2.pb.circuit_pb2 import PeerId as Named
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch

from crypto.faults import Malformed
from node import multiaddrs
from node.network import Address, PeerId, peer_key_of, peer_multihash

HOP, STOP, DCUTR = "/libp2p/circuit/relay/0.2.0/hop", "/libp2p/circuit/relay/0.2.0/stop", "/libp2p/dcutr"
MESSAGE_BYTES_MAX = 4096  # an answer with 8 addresses and a voucher has 900; the limit of DCUtR
ADDRESSES_MAX = 8  # said and read

_VOUCHER_DOMAIN, _VOUCHER_TYPE = "libp2p-relay-rsvp", b"\x03\x02"


class Status(IntEnum):
    """What a relay, or the other end, answers."""

    OK = 100
    RESERVATION_REFUSED = 200
    RESOURCE_LIMIT_EXCEEDED = 201
    PERMISSION_DENIED = 202
    CONNECTION_FAILED = 203
    NO_RESERVATION = 204
    MALFORMED_MESSAGE = 400
    UNEXPECTED_MESSAGE = 401


REASONS = {
    Status.RESERVATION_REFUSED: "the relay has no room for us",
    Status.RESOURCE_LIMIT_EXCEEDED: "the relay is at its limit",
    Status.PERMISSION_DENIED: "the relay does not allow it",
    Status.CONNECTION_FAILED: "the relay did not get through to the other end",
    Status.NO_RESERVATION: "the other end is not at that relay now",
    Status.MALFORMED_MESSAGE: "the relay did not understand us",
    Status.UNEXPECTED_MESSAGE: "the relay did not understand us",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a circuit may last and carry, both directions together; 0: no limit."""

    duration_s: int
    circuit_bytes: int


@dataclass(frozen=True, slots=True)
class Reserve:
    """Asks a relay to let others reach us through it."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Asks a relay for a circuit to `peer`; to the other end: a circuit from `peer`."""

    peer: PeerId
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a relay answers. expires_s: Unix time; addresses: where it can be dialled; both with a reservation only."""

    status: int
    limits: Limits | None = None
    expires_s: int = 0
    addresses: tuple[Address, ...] = ()
    voucher: bytes = b""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the sender of it can be dialled, and asks to be (DCUtR CONNECT)."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """Says that both dial now (DCUtR SYNC)."""


def reason(status: int) -> str:
    """Why a relay refused, for a person."""
    return REASONS.get(Status(status), "the relay refused") if status in {*Status} else "the relay refused"


def encode_request(request: Reserve | Connect) -> bytes:
    """Returns what is asked of a relay."""
    match request:
        case Reserve():
            return HopMessage(type=HopMessage.RESERVE).SerializeToString()
        case Connect():
            return HopMessage(type=HopMessage.CONNECT, peer=_named(request.peer)).SerializeToString()


def decode_request(raw: bytes) -> Reserve | Connect:
    """Returns what a peer asks of us as a relay. Raises: Malformed."""
    message = _parsed(HopMessage(), raw)
    match message.type if message.HasField("type") else None:
        case HopMessage.RESERVE:
            return Reserve()
        case HopMessage.CONNECT:
            return Connect(_peer(message))
        case _:
            raise Malformed("a peer asks for what no relay does")


def encode_answer(answer: Answer, relay: PeerId) -> bytes:
    """Returns the answer of a relay."""
    message: Any = HopMessage(type=HopMessage.STATUS, status=_status(answer.status), limit=_limit(answer.limits))
    if answer.expires_s:
        named = [multiaddrs.pack_named(address, relay) for address in answer.addresses[:ADDRESSES_MAX]]
        kept = Reservation(expire=answer.expires_s, addrs=named, voucher=answer.voucher)
        message.reservation.CopyFrom(kept)
    return _serialized(message)


def decode_answer(raw: bytes, relay: PeerId) -> Answer:
    """Returns what a relay answered. Addresses that we cannot dial are left out. Raises: Malformed."""
    message = _parsed(HopMessage(), raw)
    if not message.HasField("type") or message.type != HopMessage.STATUS or not message.HasField("status"):
        raise Malformed("a relay answers something else than a status")
    found = (multiaddrs.unpack(one, relay) for one in message.reservation.addrs[: 4 * ADDRESSES_MAX])
    addresses = tuple(dict.fromkeys(one for one in found if one is not None))[:ADDRESSES_MAX]
    return Answer(message.status, _limits(message), message.reservation.expire, addresses)


def encode_stop(message: Connect | Answer) -> bytes:
    """Returns what a relay says to the other end, or what that one answers."""
    match message:
        case Connect():
            peer = _named(message.peer)
            return _serialized(StopMessage(type=StopMessage.CONNECT, peer=peer, limit=_limit(message.limits)))
        case Answer():
            return _serialized(StopMessage(type=StopMessage.STATUS, status=_status(message.status)))


def decode_stop(raw: bytes) -> Connect | Answer:
    """Returns what a relay says to us, or what the other end answers us as a relay. Raises: Malformed."""
    message = _parsed(StopMessage(), raw)
    match message.type if message.HasField("type") else None:
        case StopMessage.CONNECT:
            return Connect(_peer(message), _limits(message))
        case StopMessage.STATUS if message.HasField("status"):
            return Answer(message.status)
        case _:
            raise Malformed("a peer says what belongs to no circuit")


def encode_punch(message: Meeting | Now) -> bytes:
    """Returns a message of hole punching."""
    match message:
        case Meeting():
            packed = [multiaddrs.pack(address) for address in message.addresses[:ADDRESSES_MAX]]
            return _serialized(HolePunch(type=HolePunch.CONNECT, ObsAddrs=packed))
        case Now():
            return _serialized(HolePunch(type=HolePunch.SYNC))


def decode_punch(raw: bytes, peer: PeerId) -> Meeting | Now:
    """Returns what `peer` says; addresses that cannot be dialled are left out. Raises: Malformed."""
    message = _parsed(HolePunch(), raw)
    match message.type:
        case HolePunch.CONNECT:
            found = (multiaddrs.unpack(one, peer) for one in message.ObsAddrs[: 4 * ADDRESSES_MAX])
            return Meeting(tuple(dict.fromkeys(one for one in found if one is not None))[:ADDRESSES_MAX])
        case HolePunch.SYNC:
            return Now()
        case _:
            raise Malformed("a peer says what belongs to no hole punching")


def seal_voucher(relay: PeerId, peer: PeerId, expires_s: int, sign: Callable[[bytes], bytes]) -> bytes:
    """Returns the signed envelope by which a relay says that it serves `peer` (advisory: nobody asks for it yet)."""
    said = Voucher(relay=peer_multihash(relay), peer=peer_multihash(peer), expiration=expires_s).SerializeToString()
    signature = sign(make_unsigned(_VOUCHER_DOMAIN, _VOUCHER_TYPE, said))
    return Envelope(Ed25519PublicKey.from_bytes(relay), _VOUCHER_TYPE, said, signature).marshal_envelope()


M = TypeVar("M", bound=Message)


def _parsed(message: M, raw: bytes) -> M:
    if len(raw) > MESSAGE_BYTES_MAX:
        raise Malformed("a message of a relay is too long")
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise Malformed("a message of a relay is no protobuf") from error
    return message


def _serialized(message: Message) -> bytes:
    raw = message.SerializeToString()
    assert len(raw) <= MESSAGE_BYTES_MAX
    return raw


def _named(peer: PeerId) -> Named:
    return Named(id=peer_multihash(peer))


def _peer(message: Any) -> PeerId:
    if not message.HasField("peer"):
        raise Malformed("a peer asks for a circuit to nobody")
    return peer_key_of(message.peer.id)


def _status(status: int) -> Any:
    return status


def _limit(limits: Limits | None) -> Limit | None:
    return None if limits is None else Limit(duration=limits.duration_s, data=limits.circuit_bytes)


def _limits(message: Any) -> Limits | None:
    return Limits(message.limit.duration, message.limit.data) if message.HasField("limit") else None
