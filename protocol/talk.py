"""The direct stream /weft/talk/1: the channel proof, then frames (docs/protocol/talk.md).

Pure: bytes in, bytes out. Not here: lengths on the stream (node/frames.py), windows, numbers and timeouts
(node/delivery.py), which keys to try (store/people.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar

from crypto import hashing, sealing
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from protocol import identity, record
from protocol.record import Bytes16, Bytes32, Counter

PROTOCOL = "/weft/talk/1"
FRAME_BYTES_MAX = 68 * 1024  # one envelope of the largest bucket and its frame
WINDOW_ENVELOPES = 512
WINDOW_BYTES = 1024 * 1024
NONCE_BYTES = 32
MAC_BYTES = 32
PROOF_BYTES_MAX = 16 * 1024 + MAC_BYTES + sealing.NONCE_BYTES + sealing.TAG_BYTES
ADDRESSES_MAX = 8
ADDRESS_BYTES_MAX = 192  # a way through a relay names two PeerIds: 176 with IPv6
ENVELOPES_MAX = 66  # of the smallest bucket in the largest frame
HELD_MAX = WINDOW_ENVELOPES
VERSIONS_MAX = 16
VERSIONS = (2, 1)  # that this node speaks, newest first
TYPING_SINCE = 2  # the version from which on a Typing is known; before it, a frame that is not known ends the stream
REASON_BYTES_MAX = 128

Number = Counter
"""Number of an envelope of one stream, from 1."""
Addresses = Annotated[tuple[Annotated[str, record.Utf8(ADDRESS_BYTES_MAX)], ...], record.Count(ADDRESSES_MAX)]
Envelope = Annotated[bytes, record.Sizes(*sealing.BUCKETS)]


@record.record
@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of both sides after the proof.

    versions: of this protocol, newest first. run: random, the same as long as the node runs. addresses: where the
    sender can be dialled, as multiaddrs. next_peer: the transport key it changes to, if known. counter: highest restart
    counter between the two devices. window: envelopes it takes before it acknowledges.
    """

    KIND: ClassVar[int] = 1

    versions: Annotated[tuple[Annotated[int, record.Range(1, 255)], ...], record.Count(1, VERSIONS_MAX)]
    run: Bytes16
    addresses: Addresses
    next_peer: Bytes32 | None
    counter: Counter
    window: Annotated[int, record.Range(1, WINDOW_ENVELOPES)]


@record.record
@dataclass(frozen=True, slots=True)
class Envelopes:
    """Envelopes in order. first: the number of the first."""

    KIND: ClassVar[int] = 2

    first: Number
    envelopes: Annotated[tuple[Envelope, ...], record.Count(1, ENVELOPES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to a number is on disk. held: those of them that could not be read yet."""

    KIND: ClassVar[int] = 3

    up_to: Number
    held: Annotated[tuple[Number, ...], record.Count(HELD_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class BundleWanted:
    """Please give a bundle: a session must be started anew and the stored one is too old."""

    KIND: ClassVar[int] = 4


@record.record
@dataclass(frozen=True, slots=True)
class BundleGiven:
    """A bundle of the sender's device, wanted or not."""

    KIND: ClassVar[int] = 5

    bundle: identity.Bundle


@record.record
@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? The answer carries the same number."""

    KIND: ClassVar[int] = 6

    n: Counter


@record.record
@dataclass(frozen=True, slots=True)
class Pong:
    """Here."""

    KIND: ClassVar[int] = 7

    n: Counter


@record.record
@dataclass(frozen=True, slots=True)
class Bye:
    """The last frame of a stream that ends in order. reason: for the log, never acted upon."""

    KIND: ClassVar[int] = 8

    reason: Annotated[str, record.Line(REASON_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Typing:
    """A person writes to the reader at this moment. Kept by nobody; only for who speaks version 2."""

    KIND: ClassVar[int] = 9


@record.record
@dataclass(frozen=True, slots=True)
class Introduction:
    """Who is at this end: inside the sealed half of a proof. lists: the newest 8 device lists, oldest first."""

    KIND: ClassVar[int] = 16

    certificate: identity.Certificate
    lists: Annotated[tuple[identity.DeviceList, ...], record.Count(1, identity.LISTS_MAX)]


Frame = Hello | Envelopes | Ack | BundleWanted | BundleGiven | Ping | Pong | Bye | Typing

_FRAMES: Mapping[int, type[Frame]] = {
    cls.KIND: cls for cls in (Hello, Envelopes, Ack, BundleWanted, BundleGiven, Ping, Pong, Bye, Typing)
}


class Side(Enum):
    """The two ends of a stream."""

    DIALLER = "dialler"
    LISTENER = "listener"


# talk 2.3: (byte of the MAC, byte of the sealing key) for each side
_TAGS = {Side.DIALLER: (b"\x01", b"\x02"), Side.LISTENER: (b"\x03", b"\x04")}


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, without the length before it; at most 68 KiB when the caller packed envelopes so."""
    return record.encode(frame)


def decode(raw: bytes) -> Frame:
    """The frame in the bytes. Raises: Malformed."""
    return record.decode_one_of(_FRAMES, raw, FRAME_BYTES_MAX)


def transcript(dialler_peer: bytes, listener_peer: bytes, dialler_nonce: bytes, listener_nonce: bytes) -> bytes:
    """T: both transport keys as Noise proved them, both nonces of this stream; 32 bytes each.

    Raises: Malformed when a nonce has another length.
    """
    assert len(dialler_peer) == len(listener_peer) == 32
    if len(dialler_nonce) != NONCE_BYTES or len(listener_nonce) != NONCE_BYTES:
        raise Malformed
    return dialler_peer + listener_peer + dialler_nonce + listener_nonce


def chan_key(secret: bytes) -> bytes:
    """The key of the channel proof, 32 bytes, of a pair secret or of `boot`."""
    return hashing.subkey(secret, Label.CHAN)


def prove(chan_key: bytes, side: Side, transcript: bytes, introduction: Introduction, nonce: bytes) -> bytes:
    """The proof of one side: 32 bytes that show the channel key, then the sealed and padded introduction.

    nonce: 24 random bytes.
    """
    mark, _ = _TAGS[side]
    padded = sealing.pad(record.encode(introduction))
    sealed = sealing.seal(_sealing_key(chan_key, side, transcript), nonce, padded, transcript)
    return hashing.mac(chan_key, mark + transcript) + sealed


def proven(chan_key: bytes, side: Side, transcript: bytes, proof: bytes) -> bool:
    """Whether the proof of that side was made with this key; two microseconds, for scanning many keys."""
    mark, _ = _TAGS[side]
    return hashing.same(hashing.mac(chan_key, mark + transcript), proof[:MAC_BYTES])


def introduced(chan_key: bytes, side: Side, transcript: bytes, proof: bytes) -> Introduction:
    """Who made the proof of that side. Whether his certificate and lists are good is identity.py's to say.

    Raises: Forged when the key is another, Malformed.
    """
    if not proven(chan_key, side, transcript, proof):
        raise Forged
    if len(proof) > PROOF_BYTES_MAX:
        raise Malformed
    padded = sealing.open_sealed(_sealing_key(chan_key, side, transcript), proof[MAC_BYTES:], transcript)
    return record.decode(Introduction, sealing.unpad(padded), PROOF_BYTES_MAX)


def _sealing_key(chan_key: bytes, side: Side, transcript: bytes) -> bytes:
    _, mark = _TAGS[side]
    return hashing.subkey(chan_key, Label.CHAN, mark + transcript)
