"""What is in a backup: records in a fixed order, and the rules that hold between them (docs/protocol/backup.md 3).

Never in it: sessions, prekeys, keys of a device, the transport key, invitations of ours. Numbers are those of rows in
the database that was kept. Not here: the file around the records (backup.py), the tables (store/backup.py).
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from crypto.faults import Malformed
from protocol import content, identity, ids, record
from protocol.content import Channel
from protocol.delivery import State
from protocol.record import Bytes32, Counter, Flag, TimeMs

CONTACTS_MAX = 5000
DEVICES_MAX = 2**24 - 1  # as many as the lanes of the outbox can tell apart
MESSAGES_MAX = 2**39  # half of what the lanes can number: the other half is for what is said afterwards
KEPT_MAX = 100_000  # devices, secrets and settings, each: what a check keeps in memory stays small
WAITS_MAX = identity.DEVICES_MAX + 1  # before his first list an account may show any number of devices: the newest
SECRETS_MAX = 16  # of a contact, the newest: one who makes thousands of them is not to fill our backup
SETTING_BYTES_MAX = 4096
NOTE_BYTES_MAX = 40 * 1024  # a profile with its photo; stars and a draft
OURSELVES = 0  # in the place of a contact's number
REASON_BYTES_MAX = 1000
ADDRESSES_MAX = 8
ADDRESS_BYTES_MAX = 192

Row = Annotated[int, record.Range(1, CONTACTS_MAX * 1000)]
DeviceRow = Annotated[int, record.Range(1, DEVICES_MAX)]
Author = Annotated[int, record.Range(0, DEVICES_MAX)]
Reason = Annotated[str, record.Utf8(REASON_BYTES_MAX)]
Lists = Annotated[tuple[identity.DeviceList, ...], record.Count(identity.LISTS_MAX)]


_ANY = content.Kinds(())


class NewerContent(Malformed):
    """A message in the backup is of a kind that this version of weft does not know; update weft."""


@record.record
@dataclass(frozen=True, slots=True)
class Head:
    """Whose backup this is, and when it was made. lists: own device lists, oldest first."""

    KIND: ClassVar[int] = 1

    account: ids.Account
    made_ms: TimeMs
    name: Annotated[str, record.Line(identity.NAME_BYTES_MAX)]
    presence: Bytes32
    presence_epoch: Annotated[int, record.Range(1, 2**32 - 2)]
    lists: Annotated[tuple[identity.DeviceList, ...], record.Count(1, identity.LISTS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the node that was not left as it is."""

    KIND: ClassVar[int] = 2

    name: Annotated[str, record.Line(64)]
    value: Annotated[str, record.Utf8(SETTING_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Contact:
    """A contact, also one who is blocked. state, verified: numbers of store/people.py; lists: pinned, oldest first."""

    KIND: ClassVar[int] = 3

    number: Row
    account: ids.Account
    name: Annotated[str, record.Line(identity.NAME_BYTES_MAX)]
    announced: Annotated[str, record.Utf8(identity.NAME_BYTES_MAX)]
    state: Annotated[int, record.Range(0, 6)]
    verified: Annotated[int, record.Range(0, 3)]
    verified_ms: TimeMs
    alarm: Annotated[str, record.Utf8(32)]
    greeting: Annotated[str, record.Utf8(500)]
    created_ms: TimeMs
    seen_ms: TimeMs
    reason: Reason
    presence: Bytes32 | None
    presence_epoch: Counter
    lists: Lists


@record.record
@dataclass(frozen=True, slots=True)
class PairSecret:
    """An epoch of the secret of a pair. made: by us; taken: by both; ended_ms: 0 while it is the newest."""

    KIND: ClassVar[int] = 4

    contact: Row
    epoch: Annotated[int, record.Range(1, 2**32 - 1)]
    secret: Bytes32
    made: Flag
    taken: Flag
    since_ms: TimeMs
    ended_ms: TimeMs


@record.record
@dataclass(frozen=True, slots=True)
class Device:
    """A device of a contact, and where it was reached last."""

    KIND: ClassVar[int] = 5

    number: DeviceRow
    contact: Row
    certificate: identity.Certificate
    peer: Bytes32 | None
    next_peer: Bytes32 | None
    addresses: Annotated[tuple[Annotated[str, record.Utf8(ADDRESS_BYTES_MAX)], ...], record.Count(ADDRESSES_MAX)]
    revoked: Flag


@record.record
@dataclass(frozen=True, slots=True)
class RoomNote:
    """What a room keeps beside messages, in bytes of its own: of a contact, or of ourselves (0)."""

    KIND: ClassVar[int] = 6

    room: Annotated[str, record.Line(32)]
    contact: Annotated[int, record.Range(0, CONTACTS_MAX * 1000)]
    body: Annotated[bytes, record.Size(0, NOTE_BYTES_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Message:
    """A message. device: 0 for ours; body: the content as it was said or came; waits: devices that have not got it.

    0 among these stands for the first device of a contact who has none yet.
    """

    KIND: ClassVar[int] = 7

    number: Annotated[int, record.Range(1, MESSAGES_MAX)]
    message_id: ids.Message
    contact: Row
    device: Author
    kind: Counter
    state: State
    at_ms: Counter
    arrived_ms: TimeMs
    state_ms: TimeMs
    reason: Reason
    body: Annotated[bytes, record.Size(1, content.CONTENT_BYTES_MAX)]
    waits: Annotated[tuple[Author, ...], record.Count(WAITS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class End:
    """The last record: how many there were of each kind before it."""

    KIND: ClassVar[int] = 8

    settings: Counter
    contacts: Counter
    secrets: Counter
    devices: Counter
    notes: Counter
    messages: Counter


CLASSES: tuple[type, ...] = (Head, Setting, Contact, PairSecret, Device, RoomNote, Message, End)
KINDS: dict[int, type] = {cls.KIND: cls for cls in CLASSES}  # type: ignore[attr-defined]

Kept = Setting | Contact | PairSecret | Device | RoomNote | Message
Record = Head | Kept | End


def end_of(counts: dict[type, int]) -> End:
    """The last record of a backup with so many of each class."""
    return End(*(counts.get(cls, 0) for cls in (Setting, Contact, PairSecret, Device, RoomNote, Message)))


@dataclass(slots=True)
class Order:
    """Holds the records of one backup against the rules between them, as they come (backup 3.2).

    account: whose backup it must be. kinds: of the contents that this version knows.
    """

    account: ids.AccountId
    kinds: content.Kinds
    head: Head | None = None
    end: End | None = None
    counts: dict[type, int] = field(default_factory=dict)
    _last: tuple[Any, ...] = ()
    _accounts: dict[int, ids.AccountId] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _known: set[ids.AccountId] = field(default_factory=set)
    _devices: set[ids.DeviceId] = field(default_factory=set)
    _owners: dict[int, int] = field(default_factory=dict)

    def take(self, rec: Record) -> None:
        """Returns when this record may come next. Raises: PeerFault (Malformed, Forged, NewerContent)."""
        if self.end is not None or (self.head is None) != isinstance(rec, Head):
            raise Malformed
        place = self._place(rec)
        if place <= self._last:
            raise Malformed
        self._last = place
        self.counts[type(rec)] = self.counts.get(type(rec), 0) + 1
        match rec:
            case Head():
                self._take_head(rec)
            case Contact():
                self._take_contact(rec)
            case PairSecret():
                self._owner(rec.contact)
            case RoomNote():
                if rec.contact != OURSELVES:
                    self._owner(rec.contact)
            case Device():
                self._take_device(rec)
            case Message():
                self._take_message(rec)
            case End():
                if rec != end_of(self.counts):
                    raise Malformed
                self.end = rec
        if not isinstance(rec, Message | RoomNote) and self.counts[type(rec)] > KEPT_MAX:
            raise Malformed

    def _place(self, rec: Record) -> tuple[Any, ...]:
        """Where a record stands: by kind, then by what makes it one of its kind."""
        match rec:
            case Setting():
                return (rec.KIND, rec.name)
            case Contact() | Device() | Message():
                return (rec.KIND, rec.number)
            case PairSecret():
                return (rec.KIND, rec.contact, rec.epoch)
            case RoomNote():
                return (rec.KIND, rec.room, rec.contact)
            case _:
                return (rec.KIND,)

    def _take_head(self, head: Head) -> None:
        if head.account != self.account:
            raise Malformed
        _check_lists(head.lists, head.account)
        self.head = head

    def _take_contact(self, one: Contact) -> None:
        folded = one.name.casefold()
        if one.account == self.account or one.account in self._known or folded in self._names:
            raise Malformed
        if self.counts[Contact] > CONTACTS_MAX or (one.presence is None) != (one.presence_epoch == 0):
            raise Malformed
        _check_lists(one.lists, one.account)
        self._accounts[one.number] = one.account
        self._known.add(one.account)
        self._names.add(folded)

    def _take_device(self, one: Device) -> None:
        account = self._owner(one.contact)
        certificate = one.certificate
        if certificate.device in self._devices:  # a device may have the key of an account: nothing forbids it
            raise Malformed
        identity.check_certificate(certificate, account, certificate.not_before_s)
        self._devices.add(certificate.device)
        self._owners[one.number] = one.contact

    def _take_message(self, one: Message) -> None:
        self._owner(one.contact)
        is_ours = one.device == 0
        ascending = all(before < after for before, after in pairwise(one.waits))
        audience = all(device == 0 or self._owners.get(device) == one.contact for device in one.waits)
        if not (is_ours or self._owners.get(one.device) == one.contact) or not (ascending and audience):
            raise Malformed
        if one.waits and not is_ours:
            raise Malformed
        # What others said came as it is, perhaps before this version could tell what is wrong with it.
        said = (self.kinds if is_ours else _ANY).hear(one.body, Channel.RATCHET)
        if (said.message_id, said.kind, said.hlc_ms) != (one.message_id, one.kind, one.at_ms):
            raise Malformed
        if is_ours and said.content is None:
            raise NewerContent

    def _owner(self, contact: int) -> ids.AccountId:
        account = self._accounts.get(contact)
        if account is None:
            raise Malformed
        return account


def _check_lists(lists: tuple[identity.DeviceList, ...], account: ids.AccountId) -> None:
    """Returns when the account signed all of these lists and their epochs rise. Raises: Forged, Malformed."""
    for one in lists:
        identity.check_list(one, account)
    if any(newer.epoch <= older.epoch for older, newer in pairwise(lists)):
        raise Malformed
