"""The LAN beacon: 160 bytes by which a device's contacts, and nobody else, find it (docs/protocol/beacon.md).

    version 1 || id 16 || nonce 24 || sealed 103 + 16        id, seal: under the account's presence key

Pure. Not here: sockets (node/datagrams.py), when it is sent and what follows from one that was heard (node/beacon.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from crypto import hashing, sealing
from crypto.faults import Malformed
from crypto.hashing import Label
from protocol import ids

VERSION = 1
PACKET_BYTES = 160
ID_BYTES = 16
FRONT_BYTES = 1 + ID_BYTES + sealing.NONCE_BYTES  # of two packets no two are the same: the nonce is random
QUARTER_S = 900  # an id lives a quarter of an hour
IPV4_MAX = 2
IPV6_MAX = 3
CLOCK_S_MAX = 60  # a beacon this far from the receiver's clock is taken,
OFFSET_S_MAX = 900  # or from the offset that the device's clock is known to have, up to this

_BODY_BYTES = 103
_HEAD = Struct(">IH32sBB")  # time, port, transport key, count of IPv4, of IPv6
_VERSION_BYTE = bytes((VERSION,))

IP = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What a presence key (32 bytes) gives: the key of the ids and that of the seal, 32 bytes each."""

    ids: bytes
    seal: bytes


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a beacon says. time_s: the sender's clock. peer: its transport key, 32 bytes. addresses: at least one."""

    time_s: int
    port: int
    peer: bytes
    addresses: tuple[IP, ...]


def keys_of(presence: bytes) -> Keys:
    """The keys of a presence key (32 bytes)."""
    return Keys(hashing.subkey(presence, Label.BEACON, b"id"), hashing.subkey(presence, Label.BEACON, b"seal"))


def quarter(now_s: int) -> int:
    """The number of the quarter hour of this time (seconds since 1970)."""
    return now_s // QUARTER_S


def beacon_id(keys: Keys, device: ids.DeviceId, quarter: int) -> bytes:
    """The id of a device in a quarter hour, 16 bytes: nothing to anybody without the presence key."""
    moment = (quarter & 0xFFFFFFFF).to_bytes(4, "big")
    return hashlib.blake2b(device + moment, digest_size=ID_BYTES, key=keys.ids).digest()


def seal(keys: Keys, device: ids.DeviceId, said: Announcement, nonce: bytes) -> bytes:
    """The packet, 160 bytes, under the id of the announcement's quarter hour.

    nonce: 24 random bytes. Addresses beyond 2 of IPv4 and 3 of IPv6 are left out.
    """
    ipv4 = [one.packed for one in said.addresses if one.version == 4][:IPV4_MAX]
    ipv6 = [one.packed for one in said.addresses if one.version == 6][:IPV6_MAX]
    head = _HEAD.pack(said.time_s & 0xFFFFFFFF, said.port, said.peer, len(ipv4), len(ipv6))
    body = (head + b"".join((*ipv4, *ipv6))).ljust(_BODY_BYTES, b"\x00")
    front = _VERSION_BYTE + beacon_id(keys, device, quarter(said.time_s))
    return front + sealing.seal(keys.seal, nonce, body, front)


def id_of(packet: bytes) -> bytes:
    """The id in a packet, 16 bytes. Raises: Malformed when it is no beacon of this version."""
    if len(packet) != PACKET_BYTES or packet[0] != VERSION:
        raise Malformed
    return packet[1 : 1 + ID_BYTES]


def open_sealed(keys: Keys, packet: bytes) -> Announcement:
    """What a packet says. Raises: Malformed; Forged when it was sealed under other keys or changed."""
    id_of(packet)
    front = packet[: 1 + ID_BYTES]
    body = sealing.open_sealed(keys.seal, packet[len(front) :], front)
    time_s, port, peer, count4, count6 = _HEAD.unpack_from(body)
    rest = body[_HEAD.size :]
    if not (port and count4 <= IPV4_MAX and count6 <= IPV6_MAX and count4 + count6):
        raise Malformed
    end4, end6 = 4 * count4, 4 * count4 + 16 * count6
    if rest[end6:].strip(b"\x00"):
        raise Malformed
    ipv4: Sequence[IP] = [IPv4Address(rest[at : at + 4]) for at in range(0, end4, 4)]
    ipv6: Sequence[IP] = [IPv6Address(rest[at : at + 16]) for at in range(end4, end6, 16)]
    return Announcement(time_s, port, peer, (*ipv4, *ipv6))


def is_fresh(time_s: int, now_s: int, offset_s: int | None) -> bool:
    """Whether a beacon of this time is taken now: near our clock, or near what the device's clock is known to be off.

    offset_s: theirs less ours as last known, None when it is not. What is older was kept by somebody and played again.
    """
    ahead = time_s - now_s
    if abs(ahead) <= CLOCK_S_MAX:
        return True
    return offset_s is not None and abs(ahead) <= OFFSET_S_MAX and abs(ahead - offset_s) <= CLOCK_S_MAX
