"""Addresses in the binary form that libp2p's protocols carry (https://github.com/multiformats/multiaddr).

Two shapes are known, those of node/network.py: IP and TCP, and a circuit through a relay. What others send beside them
(QUIC, names, WebSockets) is a way that we cannot go, and reads as None. Not here: the text (network.py).
"""

from ipaddress import IPv4Address, IPv6Address

from crypto.faults import Malformed
from node.network import (
    PEER_ID_BYTES,
    Address,
    Circuit,
    PeerId,
    address_of,
    circuit_of,
    circuit_text,
    parts_of,
    peer_key_of,
    peer_multihash,
)

BYTES_MAX = 128  # a circuit over IPv6 takes 104

_IP4, _IP6, _TCP = b"\x04", b"\x29", b"\x06"
_P2P, _CIRCUIT = b"\xa5\x03", b"\xa2\x02"
_MULTIHASH_BYTES = 38


def pack(address: Address) -> bytes:
    """Returns the binary form of an address, as the peer itself gives it: without a /p2p of its own at the end."""
    circuit = circuit_of(address)
    if circuit is None:
        return _pack_direct(address)
    relay = peer_multihash(circuit.relay_peer)
    return _pack_direct(circuit.relay) + _P2P + bytes([len(relay)]) + relay + _CIRCUIT


def pack_named(address: Address, peer: PeerId) -> bytes:
    """Returns the binary form of an address at which `peer` is, with its PeerId at the end."""
    return pack(address) + _P2P + bytes([_MULTIHASH_BYTES]) + peer_multihash(peer)


def unpack(raw: bytes, peer: PeerId) -> Address | None:
    """Returns an address at which `peer` is said to be; None for a kind that is not dialled here, or no address."""
    if len(raw) > BYTES_MAX:
        return None
    direct, rest = _unpack_direct(raw)
    if direct is None:
        return None
    own = _P2P + bytes([_MULTIHASH_BYTES]) + peer_multihash(peer)
    rest = rest.removesuffix(own)
    if not rest:
        return direct
    relay, mark = rest[: -len(_CIRCUIT)], rest[-len(_CIRCUIT) :]
    head = _P2P + bytes([_MULTIHASH_BYTES])
    if mark != _CIRCUIT or not relay.startswith(head):
        return None
    try:
        return circuit_text(Circuit(direct, peer_key_of(relay[len(head) :]), peer))
    except Malformed:
        return None


def unpack_observed(raw: bytes) -> Address | None:
    """Returns the direct address at which a peer sees us; js-libp2p puts our own PeerId behind it."""
    direct, rest = _unpack_direct(raw)
    named = rest.startswith(_P2P + bytes([_MULTIHASH_BYTES])) and len(rest) == len(_P2P) + 1 + _MULTIHASH_BYTES
    return direct if not rest or named else None


def _pack_direct(address: Address) -> bytes:
    ip, port = parts_of(address)
    return (_IP4 if ip.version == 4 else _IP6) + ip.packed + _TCP + port.to_bytes(2)


def _unpack_direct(raw: bytes) -> tuple[Address | None, bytes]:
    """The address that stands at the beginning, and what follows it."""
    kind, size = raw[:1], 4 if raw[:1] == _IP4 else 16
    packed, mark, port = raw[1 : 1 + size], raw[1 + size : 2 + size], raw[2 + size : 4 + size]
    if kind not in (_IP4, _IP6) or len(packed) != size or mark != _TCP or len(port) != 2 or port == b"\x00\x00":
        return None, b""
    ip = IPv4Address(packed) if size == 4 else IPv6Address(packed)
    return address_of(ip, int.from_bytes(port)), raw[4 + size :]


assert len(peer_multihash(PeerId(bytes(PEER_ID_BYTES)))) == _MULTIHASH_BYTES
