"""The records that we leave in the DHT: one outer form for every purpose (docs/protocol/rendezvous.md).

    name K ── certifies ──> signer S ── signs ──> sequence, expiry, sealed content        DHT key = SHA-256(K)

Whoever may look a record up can compute K and the key of the seal: contacts from the presence key, strangers from the
account id, an asker from the secret of his link. Everybody else sees random names that live for one day, and two sizes.
Not here: the contents (presence_record.py, account_record.py, invitation_record.py, handle_record.py), who keeps
records (node/kad/), when ours are put and others' asked for (node/finder.py, features/contacts/publishing.py).
"""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, NoReturn, TypeVar

from crypto import hashing, keys, sealing
from crypto.blinding import BlindedKey
from crypto.faults import Expired, Forged, PeerFault
from crypto.hashing import Label
from protocol import record, wire
from protocol.record import Bytes32, Counter

RECORD_BYTES_MAX = 4096
EPOCH_S = 86_400  # a name lives for one day, the same for all: midnight to midnight in UTC
AHEAD_S = 2 * 3600  # before midnight, from when on tomorrow's record is published beside today's
EXPIRY_S_MAX = EPOCH_S + AHEAD_S  # ahead
LAID_EPOCH = 0  # in place of a day, in the name of a record that lies at keepers of its maker for many
LAID_DAYS = 14  # ahead: so long such a record holds, while its maker is away
LAID_S_MAX = (LAID_DAYS + 1) * EPOCH_S
CLOCK_S_MAX = 900  # how wrong the clock of whoever publishes, keeps or asks may be
SEQUENCE_STEP_S = 60  # sequences are whole minutes: to the millisecond they would tell one clock from another
PADDED_BYTES = (760, 3832)  # of a content: the records have 1,024 and 4,096 bytes at most
CONTENT_BYTES_MAX = PADDED_BYTES[-1] - 1
ADDRESSES_MAX = 8
ADDRESS_BYTES_MAX = 192  # an address through a relay

_OVERHEAD_BYTES = sealing.NONCE_BYTES + sealing.TAG_BYTES
_U32_MAX = 2**32 - 1

R = TypeVar("R")

U32 = Annotated[int, record.Range(0, _U32_MAX)]
AddressText = Annotated[str, record.Line(ADDRESS_BYTES_MAX)]
Addresses = Annotated[tuple[AddressText, ...], record.Count(ADDRESSES_MAX)]


class RecordOver(Expired):
    """The time of this record is over; whoever left it has left another one since, or is away."""


class RecordAhead(PeerFault):
    """By the clock of this machine this record comes from the future; is one of the two clocks wrong?"""


@record.record
@dataclass(frozen=True, slots=True)
class Record:
    """What a node of the DHT keeps. name: K. until_s: how long the certificate holds. sequence: the higher is newer.

    certificate: K's signature over K, S and until_s. signature: the signer's, over everything before it.
    """

    KIND: ClassVar[int] = 1

    name: Bytes32
    signer: Bytes32
    until_s: U32
    certificate: Annotated[bytes, record.Size(keys.SIGNATURE_BYTES)]
    sequence: Counter
    expiry_s: U32
    sealed: Annotated[bytes, record.Sizes(*(size + _OVERHEAD_BYTES for size in PADDED_BYTES))]
    signature: Annotated[bytes, record.Size(keys.SIGNATURE_BYTES)]


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A signing key that the key of a name has certified until the end of its day: with it, that name is published."""

    name: bytes
    key: keys.SigningKey
    until_s: int
    certificate: bytes

    def __repr__(self) -> str:
        return f"Signer({keys.fingerprint(self.key.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What a secret gives for one day: the key of the name, and that of the seal (32 bytes)."""

    name: keys.SigningKey
    seal: bytes = field(compare=False)
    epoch: int

    @property
    def ahead_s(self) -> int:
        """How far ahead a record under these keys may expire."""
        return LAID_S_MAX if self.epoch == LAID_EPOCH else EXPIRY_S_MAX

    def __repr__(self) -> str:
        return f"Keys({keys.fingerprint(self.name.public)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


def epoch_of(now_s: int) -> int:
    """The number of this day, since 1970 in UTC."""
    return now_s // EPOCH_S


def ends_s(epoch: int) -> int:
    """When a day ends: the expiry of every record of it, whoever left it and for whatever purpose."""
    return (epoch + 1) * EPOCH_S


def epochs_published(now_s: int) -> tuple[int, ...]:
    """The days for which a record should lie in the DHT now: today, and from 22:00 UTC on tomorrow."""
    today = epoch_of(now_s)
    return (today, today + 1) if ends_s(today) - now_s <= AHEAD_S else (today,)


def epochs_asked(now_s: int) -> tuple[int, ...]:
    """The days whose record may be there now, the likeliest first: today; in the last quarter of an hour, tomorrow too.

    Our clock may be late. That it may be early needs nothing: tomorrow's record lies there for two hours already.
    """
    today = epoch_of(now_s)
    return (today, today + 1) if ends_s(today) - now_s <= CLOCK_S_MAX else (today,)


def keys_of(secret: bytes, epoch: int) -> Keys:
    """The keys of a secret (32 bytes) for a day; of two days they have nothing in common for anybody without it.

    epoch: LAID_EPOCH for what lies at keepers, which is signed until another day.
    """
    day = _u32(epoch)
    name = keys.SigningKey(hashing.subkey(secret, Label.RENDEZVOUS, b"name" + day))
    return Keys(name, hashing.subkey(secret, Label.RENDEZVOUS, b"seal" + day), epoch)


def dht_key(name: bytes) -> bytes:
    """Where a record of this name lies: 32 bytes."""
    return hashlib.sha256(name).digest()


def appoint(name: keys.SigningKey | BlindedKey, epoch: int, seed: bytes) -> Signer:
    """A signer for a name until the end of the day. seed: 32 random bytes."""
    key, until_s = keys.SigningKey(seed), ends_s(epoch)
    certificate = name.sign(Label.RENDEZVOUS, _certified(name.public, key.public, until_s))
    return Signer(name.public, key, until_s, certificate)


def next_sequence(now_s: int, known: int | None) -> int:
    """The sequence of a record that is made now. known: that of the newest one under its name, if there is any."""
    minute = now_s - now_s % SEQUENCE_STEP_S
    # One that nobody would take was made while our own clock was wrong.
    return minute if known is None or known >= now_s + CLOCK_S_MAX else max(minute, known + 1)


def write(signer: Signer, seal_key: bytes, content: object, sequence: int, nonce: bytes) -> bytes:
    """The bytes of a record that lives to the end of the signer's day. content: a record; nonce: 24 random bytes."""
    padded = sealing.pad(record.encode(content), PADDED_BYTES)
    sealed = sealing.seal(seal_key, nonce, padded, _sealed_with(signer.name, sequence, signer.until_s))
    said = (signer.name, signer.key.public, signer.until_s, signer.certificate, sequence, signer.until_s, sealed)
    raw = record.encode(Record(*said, signer.key.sign(Label.DHT, wire.encode((Record.KIND, *said)))))
    assert len(raw) <= RECORD_BYTES_MAX
    return raw


def check(key: bytes, raw: bytes, now_s: int, ahead_s: int = EXPIRY_S_MAX) -> Record:
    """The record in the bytes, when it may lie under this DHT key now. What it says stays sealed.

    ahead_s: how far ahead it may expire; LAID_S_MAX at a keeper, where only whom it keeps for leaves any.
    Raises: Malformed (also for more than 4,096 bytes), Forged (another key's name, a bad certificate or signature),
    RecordOver, RecordAhead (a sequence, an expiry or a certificate from further ahead than any honest one).
    """
    found = record.decode(Record, raw, RECORD_BYTES_MAX)
    if not hashing.same(dht_key(found.name), key):
        raise Forged
    if found.expiry_s <= now_s or found.until_s < found.expiry_s:
        raise RecordOver
    latest = now_s + CLOCK_S_MAX
    if max(found.expiry_s, found.until_s) > latest + ahead_s or found.sequence > latest:
        raise RecordAhead
    keys.verify(found.name, Label.RENDEZVOUS, _certified(found.name, found.signer, found.until_s), found.certificate)
    signed = wire.encode((Record.KIND, *record.fields(found)[:-1]))
    keys.verify(found.signer, Label.DHT, signed, found.signature)
    return found


def newer(one: Record, other: Record) -> bool:
    """Whether `one` takes the place of `other`: a higher sequence; of two with the same one, the bytewise larger."""
    return (one.sequence, record.encode(one)) > (other.sequence, record.encode(other))


def open_sealed(found: Record, seal_key: bytes, cls: type[R]) -> R:
    """What a checked record says. Raises: Forged (sealed under another key or for another record), Malformed."""
    padded = sealing.open_sealed(seal_key, found.sealed, _sealed_with(found.name, found.sequence, found.expiry_s))
    return record.decode(cls, sealing.unpad(padded, PADDED_BYTES), CONTENT_BYTES_MAX)


def fits(content: object) -> bool:
    """Whether a content can be put into a record."""
    return len(record.encode(content)) <= CONTENT_BYTES_MAX


def _certified(name: bytes, signer: bytes, until_s: int) -> bytes:
    return name + signer + _u32(until_s)


def _sealed_with(name: bytes, sequence: int, expiry_s: int) -> bytes:
    return name + sequence.to_bytes(8, "big") + _u32(expiry_s)


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")
