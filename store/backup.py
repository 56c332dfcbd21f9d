"""What goes into a backup, read in short transactions, and how it comes back into an empty database.

The first transaction (`frame`) reads all but the messages, and up to which of these there are; the messages follow page
by page. Contacts, devices and messages are never deleted, so what a page refers to is in the frame. A page says what is
true when it is read: the state of a message may be newer than the frame, and is of one moment with what it waits for.

docs/protocol/backup.md 3 and 4. Not here: the file (protocol/backup.py, node/backup.py), what rooms keep and say.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from crypto import keys
from protocol import attestation, carrying, content, grant, ids, mailbox, receipt, record, wire
from protocol import backup_records as kept
from protocol.backup_records import Contact, Device, Head, Message, PairSecret, RoomNote, Setting
from protocol.delivery import State
from protocol.identity import Certificate, DeviceList, certificate_hash
from protocol.kinds import ROOMS
from store import devices, inbox, lanes, outbox, pairs, people, presence, settings
from store.database import Tx
from store.identity import CERTIFICATE_BYTES_MAX, LIST_BYTES_MAX, Identity, load_identity, restore_identity
from store.outbox import PAIR_KINDS

PAGE_MESSAGES = 500
PAGE_BYTES = 1 << 20  # of bodies: a page takes some milliseconds and is no burden in memory
NODE_KINDS = frozenset(
    one.KIND
    for one in (
        receipt.Receipt,
        *grant.CONTENTS,
        *mailbox.CONTENTS,
        *carrying.CONTENTS,
        *attestation.CONTENTS,
    )
)  # said again where they still matter
PASSING_KINDS = frozenset((*ROOMS["chat"], *ROOMS["media"]))  # what may disappear
EPOCH_MAX = 2**32 - 1  # what a content of the room contacts can say

Keep = Callable[[Tx, int], bytes | None]
"""What a room keeps beside messages of a contact, or of ourselves: at most 40 KiB, None for nothing."""


@dataclass(frozen=True, slots=True)
class Frame:
    """All of a backup but its messages, in order. top: the newest message there is; device_top: the newest device."""

    records: tuple[Head | Setting | Contact | PairSecret | Device | RoomNote, ...]
    top: int
    device_top: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages, and after which one the next page begins; after: 0 when this was the last."""

    messages: tuple[Message, ...]
    after: int


def frame(tx: Tx, names: Iterable[str], rooms: Iterable[tuple[str, bool, Keep]], now_ms: int) -> Frame:
    """Everything but messages at this moment. names: of the settings to keep; rooms: (name, of ourselves, keep)."""
    me = load_identity(tx)
    assert me is not None
    epoch, key = presence.own(tx)
    wanted = frozenset(names)
    set_by_hand = {name: value for name, value in settings.all_set(tx).items() if name in wanted}
    everybody = tuple(one.id for one in people.contacts(tx))
    notes = [
        RoomNote(room, contact_id, body)
        for room, is_own, keep in sorted(rooms, key=lambda one: (one[0], not one[1]))
        for contact_id in ((kept.OURSELVES,) if is_own else everybody)
        if (body := keep(tx, contact_id)) is not None
    ]
    newest = tx.one("SELECT (SELECT MAX(seq) FROM message), (SELECT MAX(id) FROM device)")
    assert newest is not None
    return Frame(
        (
            Head(me.account, now_ms, me.name, key, epoch, me.lists),
            *(Setting(name, value) for name, value in sorted(set_by_hand.items())),
            *(_contact(tx, contact_id) for contact_id in everybody),
            *_secrets(tx),
            *_devices(tx),
            *notes,
        ),
        newest[0] or 0,
        newest[1] or 0,
    )


def page(tx: Tx, seen: Frame, after: int) -> Page:
    """The next messages of the frame behind this row; 0 for the first."""
    found: list[Message] = []
    size = 0
    rows = tx.execute(
        "SELECT seq, message_id, contact, device, kind, state, at_ms, arrived_ms, state_ms, reason, body FROM message"
        " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after, seen.top, PAGE_MESSAGES),
    )
    last = 0
    for row in rows:  # one by one: the bodies of a whole page of long ones would be 30 MB
        last = row[0]
        if row[4] in PAIR_KINDS or row[4] in NODE_KINDS:
            continue  # about sessions and secrets that do not come back, or that stand in records of their own
        if row[4] in PASSING_KINDS and content.passes(row[-1]):
            continue  # a file that lies about for years does not hold what was to be gone in a day
        found.append(_message(tx, row, seen.device_top))
        size += len(row[-1])
        if size >= PAGE_BYTES:
            break
    rows.close()
    return Page(tuple(found), last)


def begin(tx: Tx, recovery: bytes, head: Head, now_ms: int, entropy: keys.Entropy) -> Identity:
    """A new device of the account, the only one, in an empty database. recovery: the 32 bytes of the words."""
    epoch = epoch_min(head.presence_epoch, now_ms)
    return restore_identity(tx, recovery, head.name, head.lists, head.presence, epoch, now_ms, entropy)


def epoch_min(highest_known: int, now_ms: int) -> int:
    """An epoch above all that others may hold of a secret that came back: the time, as in a recovered list."""
    return min(max(highest_known + 1, now_ms // 1000), EPOCH_MAX)


def put(tx: Tx, kinds: content.Kinds, records: Iterable[kept.Record]) -> tuple[RoomNote, ...]:
    """Writes records that were checked, in order; returns what is for rooms to put back. Raises: Malformed."""
    notes: list[RoomNote] = []
    for one in records:
        match one:
            case Setting():
                settings.put(tx, one.name, one.value)
            case Contact():
                people.put_back(tx, one)
                if one.presence is not None:
                    presence.keep(tx, one.number, one.presence_epoch, one.presence)
            case PairSecret():
                pairs.put_back(tx, one)
            case Device():
                devices.put_back(tx, one, _is_listed(tx, one))
            case Message(device=0):
                outbox.put_back(tx, one)
            case Message():
                inbox.put_back(tx, kinds, one)
            case RoomNote():
                notes.append(one)
            case _:
                pass  # the first record has made the identity, the last one says nothing to keep
    return tuple(notes)


def _is_listed(tx: Tx, one: Device) -> bool:
    newest = people.newest_list(tx, one.contact)
    return newest is None or certificate_hash(one.certificate) in newest.certificates


def _contact(tx: Tx, contact_id: int) -> Contact:
    one = people.contact(tx, contact_id)
    given = presence.of(tx, contact_id)
    raws = tx.all("SELECT raw FROM pinned_list WHERE contact = ? ORDER BY epoch", (contact_id,))
    return Contact(
        number=one.id,
        account=one.account,
        name=one.name,
        announced=one.announced,
        state=int(one.state),
        verified=int(one.verified),
        verified_ms=one.verified_ms,
        alarm=one.alarm,
        greeting=one.greeting,
        created_ms=one.created_ms,
        seen_ms=one.seen_ms,
        reason=_cut(one.reason),
        presence=None if given is None else given[1],
        presence_epoch=0 if given is None else given[0],
        lists=tuple(record.decode(DeviceList, raw, LIST_BYTES_MAX) for (raw,) in raws),
    )


def _secrets(tx: Tx) -> Iterable[PairSecret]:
    """The newest of each contact: he may have made any number of them."""
    rows = tx.all(
        "SELECT contact, epoch, secret, made, taken, since_ms, ended_ms FROM pair_secret ORDER BY contact, epoch"
    )
    for _, of_contact in groupby(rows, key=itemgetter(0)):
        yield from (PairSecret(*row) for row in deque(of_contact, kept.SECRETS_MAX))


def _devices(tx: Tx) -> Iterable[Device]:
    """All but the revoked ones that said nothing: a contact may have had any number of these."""
    rows = tx.all(
        "SELECT id, contact, certificate, peer, next_peer, addresses, revoked FROM device d"
        " WHERE revoked = 0 OR EXISTS (SELECT 1 FROM message m WHERE m.device = d.id) ORDER BY id"
    )
    for number, contact_id, raw, peer, next_peer, addresses, revoked in rows:
        known: Any = wire.decode(addresses, devices.ADDRESSES_BYTES_MAX)
        yield Device(
            number,
            contact_id,
            record.decode(Certificate, raw, CERTIFICATE_BYTES_MAX),
            peer or None,
            next_peer or None,
            tuple(one for one in known if len(one.encode()) <= kept.ADDRESS_BYTES_MAX),
            revoked,
        )


def _message(tx: Tx, row: tuple[Any, ...], device_top: int) -> Message:
    seq, message_id, contact_id, device_id, kind, state, at_ms, arrived_ms, state_ms, reason, body = row
    waits: tuple[int, ...] = ()
    if device_id == 0:
        waits = tuple(one for one in lanes.waits_for(tx, contact_id, seq) if one <= device_top)[-kept.WAITS_MAX :]
    return Message(
        number=seq,
        message_id=ids.MessageId(message_id),
        contact=contact_id,
        device=device_id,
        kind=kind,
        state=State(state),
        at_ms=at_ms,
        arrived_ms=arrived_ms,
        state_ms=state_ms,
        reason=_cut(reason),
        body=body,
        waits=waits,
    )


def _cut(reason: str) -> str:
    return reason.encode()[: kept.REASON_BYTES_MAX].decode(errors="ignore")
