"""Accounts and devices as signed structures: certificate, device list, prekey bundle, card (docs/protocol/identity.md).

Everything here is public to whoever a contact shows it to. Checks take the time in seconds as an argument. Not here:
keys (crypto/keys.py), what is remembered of a contact (store/people.py), invitations (invite.py).
"""

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from crypto import hashing, keys
from crypto.faults import Expired, Forged, Malformed, PeerFault
from crypto.hashing import Label
from protocol import ids, record, wire
from protocol.record import Bytes32, Counter, Flag, TimeMs, TimeS

DEVICES_MAX = 8  # of an account; a message is sealed once for each
REVOKED_MAX = 16  # newest revocations kept; an older one is still "not in the list"
LISTS_MAX = 8  # shown at once: how far back a contact who was away can follow
NAME_BYTES_MAX = 64
CLOCK_SKEW_S = 3600  # how wrong another's clock may be about "not yet"
BUNDLE_LIFE_S = 14 * 24 * 3600
FIRST_EPOCH = 1
LOST = 1  # the reason of a revocation

Signature = Annotated[bytes, record.Size(keys.SIGNATURE_BYTES)]
KemPublic = Annotated[bytes, record.Size(keys.KEM_PUBLIC_BYTES)]
Epoch = Annotated[int, record.Range(FIRST_EPOCH, record.SAFE_INT_MAX)]


class ListForked(PeerFault):
    """A contact has two device lists with the same number; somebody else may hold the account key."""


class ListRolledBack(PeerFault):
    """A contact showed an older device list than the one already known."""


class ListBroken(PeerFault):
    """A contact's new device list does not follow from the one already known."""


class Revoked(PeerFault):
    """A device that its account has revoked is still talking; nothing of it is accepted."""


class NotListed(PeerFault):
    """A device is not in the newest device list of its account; nothing of it is accepted."""


class StaleList(PeerFault):
    """Keys for first contact were made under another device list than the newest known one."""


class OtherTime(Expired):
    """By the clock of this machine the other side's certificate is not valid now; is one of the two clocks wrong?"""


class TooLongLived(PeerFault):
    """By the clock of this machine the other side's keys are valid for longer than such keys may be; is one of the two
    clocks wrong?"""


class BundleOver(Expired):
    """By the clock of this machine the time of the other side's keys is over; is one of the two clocks wrong?"""


@record.record
@dataclass(frozen=True, slots=True)
class Certificate:
    """The account's word that a device is one of its own. identity: the device's X25519 identity key."""

    KIND: ClassVar[int] = 10

    account: ids.Account
    device: ids.Device
    identity: Bytes32
    serial: Counter
    not_before_s: TimeS
    not_after_s: TimeS
    signature: Signature


@record.record
@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate, by its hash, that is void. reason: 0 unsaid, 1 lost, 2 replaced, 3 stolen."""

    KIND: ClassVar[int] = 12

    certificate: Bytes32
    at_s: TimeS
    reason: Annotated[int, record.Range(0, 255)]


@record.record
@dataclass(frozen=True, slots=True)
class DeviceList:
    """The devices of an account, by hashes of their certificates; each list names the hash of the one before.

    recovered: 1 when it was made from the words alone, by somebody who cannot know the list before.
    """

    KIND: ClassVar[int] = 11

    account: ids.Account
    epoch: Epoch
    previous: Bytes32 | None
    certificates: Annotated[tuple[Bytes32, ...], record.Count(1, DEVICES_MAX)]
    revoked: Annotated[tuple[Revocation, ...], record.Count(REVOKED_MAX)]
    time_s: TimeS
    recovered: Flag
    signature: Signature


@record.record
@dataclass(frozen=True, slots=True)
class OneTime:
    """The one-time set of an invitation: an X25519 and an ML-KEM key under one number, signed together."""

    KIND: ClassVar[int] = 13

    number: Counter
    key: Bytes32
    kem: KemPublic
    signature: Signature


@record.record
@dataclass(frozen=True, slots=True)
class Bundle:
    """What somebody needs to start a session with a device. The signature covers all but the one-time set."""

    KIND: ClassVar[int] = 14

    certificate: Certificate
    signed_number: Counter
    signed: Bytes32
    kem_number: Counter
    kem: KemPublic
    one_time: OneTime | None
    not_after_s: TimeS
    list_hash: Bytes32
    signature: Signature


@record.record
@dataclass(frozen=True, slots=True)
class Card:
    """How an account presents itself to a contact, from one of its devices. picture: hash of an image, or None."""

    KIND: ClassVar[int] = 15

    account: ids.Account
    devices: DeviceList
    certificate: Certificate
    name: Annotated[str, record.Line(NAME_BYTES_MAX)]
    picture: Bytes32 | None
    time_ms: TimeMs


class Standing(Enum):
    """How shown device lists stand to the pinned one."""

    SAME = "same"
    NEWER = "newer"
    RECOVERED = "recovered"  # announced to the person; nothing is dropped


def certify(
    account_key: keys.SigningKey,
    device: ids.DeviceId,
    identity: bytes,
    serial: int,
    not_before_s: int,
    not_after_s: int,
) -> Certificate:
    """A certificate for a device. identity: X25519 public key, 32 bytes. Raises: OverLimit."""
    account = ids.AccountId(account_key.public)
    said = (account, device, identity, serial, not_before_s, not_after_s)
    return Certificate(*said, account_key.sign(Label.DEVICE_CERT, wire.encode((Certificate.KIND, *said))))


def first_list(account_key: keys.SigningKey, certificates: tuple[Certificate, ...], time_s: int) -> DeviceList:
    """The first list of an account. Raises: OverLimit for none or more than 8 certificates."""
    return _list(account_key, FIRST_EPOCH, None, certificates, (), time_s, 0)


def next_list(
    account_key: keys.SigningKey,
    before: DeviceList,
    certificates: tuple[Certificate, ...],
    revoked: tuple[Revocation, ...],
    time_s: int,
) -> DeviceList:
    """The list that follows another. revoked: the new ones; those before are kept, the newest 16 in all.

    Raises: OverLimit for none or more than 8 certificates.
    """
    void = _newest(before.revoked, revoked)
    return _list(account_key, before.epoch + 1, list_hash(before), certificates, void, time_s, 0)


def recovered_list(
    account_key: keys.SigningKey, before: DeviceList | None, certificates: tuple[Certificate, ...], time_s: int
) -> DeviceList:
    """The list of who has the words, and perhaps an older list, whose devices are lost; not surely the newest one.

    Its epoch is the time, higher than any that was counted up, so that it is taken whatever list the contacts hold by
    now (identity 3.4). Raises: OverLimit for none or more than 8 certificates.
    """
    epoch = max(time_s, FIRST_EPOCH if before is None else before.epoch + 1)
    known, listed = ((), ()) if before is None else (before.revoked, before.certificates)
    void = _newest(known, tuple(Revocation(name, time_s, LOST) for name in listed))
    return _list(account_key, epoch, None, certificates, void, time_s, 1)


def certificate_hash(certificate: Certificate) -> bytes:
    """The name of a certificate in lists and in the transcript of PX3: 32 bytes over all its fields."""
    return hashing.hash_of(Label.DEVICE_CERT, record.encode(certificate))


def list_hash(devices: DeviceList) -> bytes:
    """The name of a device list: 32 bytes over all its fields."""
    return hashing.hash_of(Label.DEVICE_LIST, record.encode(devices))


def check_certificate(certificate: Certificate, account: ids.AccountId, now_s: int) -> None:
    """Returns when the account signed this certificate and its time is now (identity 2).

    Raises: Forged (another account, a bad signature), OtherTime (over, or not begun for an hour).
    """
    if certificate.account != account:
        raise Forged
    keys.verify(account, Label.DEVICE_CERT, _signed(certificate), certificate.signature)
    if not certificate.not_before_s - CLOCK_SKEW_S <= now_s <= certificate.not_after_s:
        raise OtherTime


def check_list(devices: DeviceList, account: ids.AccountId) -> None:
    """Returns when the account signed this list and it does not contradict itself (identity 3.1).

    Raises: Forged (another account, a bad signature), Malformed.
    """
    if devices.account != account:
        raise Forged
    keys.verify(account, Label.DEVICE_LIST, _signed(devices), devices.signature)
    is_start = devices.recovered == 1 or devices.epoch == FIRST_EPOCH
    void = {r.certificate for r in devices.revoked}
    listed = set(devices.certificates)
    if is_start != (devices.previous is None) or len(listed) != len(devices.certificates) or void & listed:
        raise Malformed


def check_listed(certificate: Certificate, newest: DeviceList, now_s: int | None) -> None:
    """Returns when a certificate is good and in the newest list of its account (identity 3.2).

    The list is checked already. now_s: None for a certificate whose time was checked when it was first met (3.2).
    Raises: Forged, OtherTime, Revoked, NotListed.
    """
    check_certificate(certificate, newest.account, certificate.not_before_s if now_s is None else now_s)
    name = certificate_hash(certificate)
    if any(r.certificate == name for r in newest.revoked):
        raise Revoked
    if name not in newest.certificates:
        raise NotListed


def follow(pinned: DeviceList, chain: tuple[DeviceList, ...]) -> Standing:
    """How lists that a contact shows, oldest first, stand to the one pinned for him (identity 3.3).

    The caller pins the last of the chain when the standing is not SAME. All signatures are checked here.
    Raises: Forged, Malformed, ListRolledBack, ListForked, ListBroken; none of them changes what is pinned.
    """
    if not 0 < len(chain) <= LISTS_MAX:
        raise Malformed
    for devices in chain:
        check_list(devices, pinned.account)
    if any(newer.epoch <= older.epoch for older, newer in pairwise(chain)):
        raise ListBroken
    newest = chain[-1]
    pinned_name = list_hash(pinned)
    if any(devices.epoch == pinned.epoch and list_hash(devices) != pinned_name for devices in chain):
        raise ListForked
    if newest.epoch < pinned.epoch:
        raise ListRolledBack
    if newest.epoch == pinned.epoch:
        return Standing.SAME
    after = tuple(devices for devices in chain if devices.epoch > pinned.epoch)
    for older, newer in pairwise((pinned, *after)):
        if not (newer.recovered or _chains(older, newer)):
            raise ListBroken
    return Standing.RECOVERED if any(devices.recovered for devices in after) else Standing.NEWER


def make_one_time(device_key: keys.SigningKey, number: int, key: bytes, kem: bytes) -> OneTime:
    """A signed one-time set. key: X25519 public, 32 bytes; kem: ML-KEM public, 1,184. Raises: OverLimit."""
    said = (number, key, kem)
    return OneTime(*said, device_key.sign(Label.ONE_TIME, wire.encode((OneTime.KIND, *said))))


def make_bundle(
    device_key: keys.SigningKey,
    certificate: Certificate,
    signed_number: int,
    signed_public: bytes,
    kem_number: int,
    kem_public: bytes,
    one_time: OneTime | None,
    not_after_s: int,
    list_hash: bytes,
) -> Bundle:
    """A signed bundle. signed_public: 32 bytes; kem_public: 1,184; not_after_s: at most 14 days from now.

    list_hash: of the newest device list. Raises: OverLimit.
    """
    first = (certificate, signed_number, signed_public, kem_number, kem_public)
    unsigned = Bundle(*first, None, not_after_s, list_hash, bytes(keys.SIGNATURE_BYTES))
    signature = device_key.sign(Label.PREKEYS, _signed_bundle(unsigned))
    return Bundle(*first, one_time, not_after_s, list_hash, signature)


def check_bundle(bundle: Bundle, account: ids.AccountId, now_s: int, newest: DeviceList | None) -> None:
    """Returns when a bundle may be used to start a session with a device of the account (identity 4).

    newest: the pinned list, or None when no list of the account is known yet (an invitation).
    Raises: Forged, Expired, TooLongLived, Revoked, NotListed, StaleList; all before any key agreement.
    """
    device = bundle.certificate.device
    check_certificate(bundle.certificate, account, now_s)
    keys.verify(device, Label.PREKEYS, _signed_bundle(bundle), bundle.signature)
    if bundle.one_time is not None:
        keys.verify(device, Label.ONE_TIME, _signed(bundle.one_time), bundle.one_time.signature)
    if now_s > bundle.not_after_s:
        raise BundleOver
    if bundle.not_after_s > now_s + BUNDLE_LIFE_S + CLOCK_SKEW_S:
        raise TooLongLived
    if newest is not None:
        check_listed(bundle.certificate, newest, now_s)
        if bundle.list_hash != list_hash(newest):
            raise StaleList


def check_card(card: Card, account: ids.AccountId, device: ids.DeviceId, now_s: int) -> None:
    """Returns when a card is of this account and of the device whose session it came through (identity 5).

    How its list stands to a pinned one is `follow`'s to say.
    Raises: Forged (names another account or device), Malformed, Expired, Revoked, NotListed.
    """
    if card.account != account or card.certificate.device != device:
        raise Forged
    check_list(card.devices, account)
    check_listed(card.certificate, card.devices, now_s)


def _list(
    account_key: keys.SigningKey,
    epoch: int,
    previous: bytes | None,
    certificates: tuple[Certificate, ...],
    revoked: tuple[Revocation, ...],
    time_s: int,
    recovered: int,
) -> DeviceList:
    said = (
        ids.AccountId(account_key.public),
        epoch,
        previous,
        tuple(map(certificate_hash, certificates)),
        revoked,
        time_s,
        recovered,
    )
    unsigned = DeviceList(*said, bytes(keys.SIGNATURE_BYTES))
    return DeviceList(*said, account_key.sign(Label.DEVICE_LIST, _signed(unsigned)))


def _newest(before: tuple[Revocation, ...], added: tuple[Revocation, ...]) -> tuple[Revocation, ...]:
    """The newest 16 revocations of both."""
    known = {r.certificate: r for r in (*before, *added)}
    return tuple(sorted(known.values(), key=lambda r: (r.at_s, r.certificate)))[-REVOKED_MAX:]


def _chains(older: DeviceList, newer: DeviceList) -> bool:
    return newer.epoch == older.epoch + 1 and newer.previous == list_hash(older)


def _signed(rec: Any) -> bytes:
    """The bytes under a signature: the array without its last field, which is the signature."""
    return wire.encode((rec.KIND, *record.fields(rec)[:-1]))


def _signed_bundle(bundle: Bundle) -> bytes:
    # identity 4.2: the one-time set has a signature of its own, so that one bundle serves with and without.
    certificate, signed_number, signed, kem_number, kem, _, not_after_s, devices, _ = record.fields(bundle)
    return wire.encode((Bundle.KIND, certificate, signed_number, signed, kem_number, kem, not_after_s, devices))
