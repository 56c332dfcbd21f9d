"""What is inside an envelope: a message, or an init or restart that carries one (docs/protocol/envelope.md).

An envelope is `inner`, padded to a bucket. Not here: the seals inside (crypto/ratchet.py), what the plaintext says
(content.py), the wrap around it for keepers (parcel.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import header, keys, sealing
from protocol import ids, record
from protocol.content import CONTENT_BYTES_MAX
from protocol.identity import Certificate
from protocol.record import Bytes32, Counter

SEAL_BYTES = sealing.NONCE_BYTES + sealing.TAG_BYTES
ENVELOPE_BYTES_MAX = sealing.BUCKETS[-1]


@record.record
@dataclass(frozen=True, slots=True)
class Message:
    """A sealed message of a session: header (one of two sizes) and body, each nonce || ciphertext || tag."""

    KIND: ClassVar[int] = 2

    header: Annotated[bytes, record.Sizes(header.SMALL_BYTES + SEAL_BYTES, header.LARGE_BYTES + SEAL_BYTES)]
    body: Annotated[bytes, record.Size(SEAL_BYTES, CONTENT_BYTES_MAX + SEAL_BYTES)]


@record.record
@dataclass(frozen=True, slots=True)
class Init:
    """The start of a session by PX3, with its first message; repeated with each message until the first answer.

    list_hash: of the sender's newest device list. one_time_number: of the invitation's one-time set, whose KEM key is
    then the one used and whose number kem_number repeats; None: signed prekey and last KEM key only. counter: 0, or in
    a restart its place in the order of sessions.
    """

    KIND: ClassVar[int] = 1

    certificate: Certificate
    list_hash: Bytes32
    ephemeral: Bytes32
    ciphertext: Annotated[bytes, record.Size(keys.KEM_CIPHERTEXT_BYTES)]
    signed_number: Counter
    one_time_number: Counter | None
    kem_number: Counter
    counter: Counter
    message: Message


@record.record
@dataclass(frozen=True, slots=True)
class Restart:
    """A new session in place of one that could not be read. failed: its id, or zeros when none is known."""

    KIND: ClassVar[int] = 3

    failed: ids.Session
    init: Init


Inner = Init | Message | Restart

_INNERS: Mapping[int, type[Inner]] = {cls.KIND: cls for cls in (Init, Message, Restart)}


def enclose(inner: Inner) -> bytes:
    """The envelope: 1, 4, 16 or 64 KiB, whichever fits."""
    return sealing.pad(record.encode(inner))


def disclose(envelope: bytes) -> Inner:
    """What is inside an envelope. Raises: Malformed."""
    return record.decode_one_of(_INNERS, sealing.unpad(envelope), ENVELOPE_BYTES_MAX)
