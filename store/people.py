"""Contacts: who they are to us, how they are called, and which device lists are pinned for them.

Their devices are in devices.py and reach callers through here; the secrets that a pair shares in pairs.py.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from protocol import backup_records, ids, record
from protocol import identity as documents
from protocol.faults import OverLimit, PeerFault, quoted
from protocol.identity import DeviceList, Standing
from store import remarks
from store.database import Tx
from store.devices import (
    Device,
    add_device,
    announced_peers,
    device,
    device_by_key,
    devices_of,
    heard_hello,
    revoke_unlisted,
    set_route,
)
from store.faults import AmbiguousContact, BadName, NameTaken, UnknownContact
from store.identity import LIST_BYTES_MAX, Identity

__all__ = [
    "Contact",
    "ContactState",
    "Device",
    "Identity",
    "Refusal",
    "Verified",
    "add_contact",
    "add_device",
    "announced_peers",
    "by_account",
    "contact",
    "contacts",
    "count_requests",
    "device",
    "device_by_key",
    "devices_of",
    "find_contact",
    "free_name",
    "heard_hello",
    "meet",
    "newest_list",
    "newest_list_hash",
    "pin_lists",
    "put_back",
    "rename",
    "saw",
    "set_alarm",
    "set_announced",
    "set_greeting",
    "set_route",
    "set_state",
    "set_verified",
    "tell_restart",
]

NAME_BYTES_MAX = documents.NAME_BYTES_MAX
CONTACTS_MAX = 5000
CHANGED = "contacts.changed"
STOPS = "account_changed"  # the alarm under which nothing is sent until the person has decided
_NAMES_TRIED = 10_000
_COLUMNS = "id, account, name, announced, state, verified, verified_ms, alarm, greeting, created_ms, seen_ms, reason"


class ContactState(IntEnum):
    """How far the agreement with a contact is. The numbers are stored."""

    ASKED = 0  # we used a link, no answer yet
    WAITING = 1  # their node holds our request
    REQUEST = 2  # they ask us
    PENDING = 3  # agreed, but their card is not verified yet
    ACTIVE = 4
    BLOCKED = 5
    REFUSED = 6  # spent, expired or rejected; the reason is stored with it


class Verified(IntEnum):
    """How a contact's account was compared. The numbers are stored."""

    NO = 0
    WORDS = 1
    DIGITS = 2
    QR = 3


@dataclass(frozen=True, slots=True)
class Contact:
    """An account we know. name: our own for it, unique. announced: what it calls itself. greeting: its first words.

    alarm: "", "device_lists", "account_changed", "link_twice", "recovered", "new_device", "restarted" or "forked".
    reason: why the state is what it is.
    """

    id: int
    account: ids.AccountId
    name: str
    announced: str
    state: ContactState
    verified: Verified
    verified_ms: int
    alarm: str
    greeting: str
    created_ms: int
    seen_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody who holds a pair's key is not let in all the same. The alarm, if there is one, is stored."""

    reason: PeerFault


def add_contact(tx: Tx, account: ids.AccountId, name: str, state: ContactState, greeting: str, now_ms: int) -> Contact:
    """A new contact. name: "" for a name made of the account id; one that is taken gets a number: "Bo 2".

    Raises: BadName, OverLimit (5,000 contacts).
    """
    count = tx.one("SELECT COUNT(*) FROM contact")
    assert count is not None
    if count[0] >= CONTACTS_MAX:
        raise OverLimit("There are 5,000 contacts already, so nobody was added.")
    free = free_name(tx, name or ids.account_text(account)[:12])
    contact_id = tx.insert(
        "INSERT INTO contact (account, name, folded, announced, state, verified, verified_ms, alarm, greeting,"
        " created_ms, seen_ms, reason) VALUES (?, ?, ?, '', ?, 0, 0, '', ?, ?, 0, '')",
        (account, free, _fold(free), int(state), greeting, now_ms),
    )
    tx.changed(CHANGED, contact_id)
    return contact(tx, contact_id)


def put_back(tx: Tx, kept: backup_records.Contact) -> None:
    """The row of a contact and of his pinned lists as a backup has them, in empty tables."""
    tx.execute(
        f"INSERT INTO contact ({_COLUMNS}, folded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(kept.number, kept.account, kept.name, kept.announced, kept.state, kept.verified, kept.verified_ms),
            *(kept.alarm, kept.greeting, kept.created_ms, kept.seen_ms, kept.reason, _fold(kept.name)),
        ),
    )
    for one in kept.lists:
        _pin(tx, kept.number, one)


def contact(tx: Tx, contact_id: int) -> Contact:
    """The contact in this row. It exists."""
    row = tx.one(f"SELECT {_COLUMNS} FROM contact WHERE id = ?", (contact_id,))
    assert row is not None
    return _contact(row)


def by_account(tx: Tx, account: ids.AccountId) -> Contact | None:
    """The contact with this account."""
    row = tx.one(f"SELECT {_COLUMNS} FROM contact WHERE account = ?", (account,))
    return None if row is None else _contact(row)


def contacts(tx: Tx) -> tuple[Contact, ...]:
    """Everybody, in the order in which they were added."""
    return tuple(map(_contact, tx.all(f"SELECT {_COLUMNS} FROM contact ORDER BY id")))


def count_requests(tx: Tx) -> int:
    """How many wait for our decision."""
    row = tx.one("SELECT COUNT(*) FROM contact WHERE state = ?", (int(ContactState.REQUEST),))
    assert row is not None
    return int(row[0])


def find_contact(tx: Tx, text: str) -> Contact:
    """The contact with this name or remark (in any case), account id, or a beginning of one that nobody else has.

    Raises: UnknownContact, AmbiguousContact.
    """
    wanted = _fold(text.strip())
    called = "folded = ?1 OR id IN (SELECT contact FROM remark WHERE folded = ?1)"
    rows = sorted(tx.all(f"SELECT {_COLUMNS} FROM contact WHERE {called}", (wanted,)))  # by id
    found = [*map(_contact, rows)]
    if not found and wanted:
        remarked = remarks.names(tx)
        found = [one for one in contacts(tx) if _begins(one, remarked.get(one.id, ""), wanted)]
    if not found:
        raise UnknownContact(f"No contact is called {quoted(text)}.")
    if len(found) > 1:
        names = ", ".join(one.name for one in found[:8])
        raise AmbiguousContact(
            f"{quoted(text)} may be {names}; type more of the name.", names=[one.name for one in found[:8]]
        )
    return found[0]


def census(tx: Tx) -> tuple[object, ...]:
    """What differs where contacts or devices came, or are in another state or under another alarm than before."""
    states = "SELECT state, alarm, COUNT(*), SUM(id), SUM(id * id) FROM contact GROUP BY state, alarm ORDER BY 1, 2"
    return *tx.all(states), tx.one("SELECT COUNT(*), MAX(id) FROM device")


def free_name(tx: Tx, wanted: str, contact_id: int = 0) -> str:
    """This name, or with the first number behind it that makes it new: nobody but this contact is called so.

    Raises: BadName.
    """
    name = _checked_name(wanted)
    for number in range(2, _NAMES_TRIED):
        if not remarks.is_taken(tx, _fold(name), contact_id):
            return name
        name = _cut(wanted.strip(), NAME_BYTES_MAX - 6) + f" {number}"
    raise NameTaken


def rename(tx: Tx, contact_id: int, new: str) -> None:
    """Changes our name for a contact. Raises: NameTaken, BadName."""
    name = _checked_name(new)
    if remarks.is_taken(tx, _fold(name), contact_id):
        raise NameTaken(f"Another contact is called {quoted(name)} already; nothing was changed.")
    tx.execute("UPDATE contact SET name = ?, folded = ? WHERE id = ?", (name, _fold(name), contact_id))
    tx.changed(CHANGED, contact_id)


def set_state(tx: Tx, contact_id: int, state: ContactState, reason: str) -> None:
    """Moves the agreement on. reason: for a person, "" where there is nothing to say."""
    tx.execute("UPDATE contact SET state = ?, reason = ? WHERE id = ?", (int(state), reason, contact_id))
    tx.changed(CHANGED, contact_id)


def set_verified(tx: Tx, contact_id: int, how: Verified, now_ms: int) -> None:
    """Stores how the account was compared; it stays through new devices, because it is about the account."""
    tx.execute("UPDATE contact SET verified = ?, verified_ms = ? WHERE id = ?", (int(how), now_ms, contact_id))
    tx.changed(CHANGED, contact_id)


def set_alarm(tx: Tx, contact_id: int, alarm: str) -> None:
    """Raises an alarm that is shown until it is set to "".

    While "account_changed" stands nothing is sent (case 34): no other alarm takes its place, because the one who
    shows the other account could cause one at will.
    """
    tx.execute(
        "UPDATE contact SET alarm = ? WHERE id = ? AND (alarm != ? OR ? = '')", (alarm, contact_id, STOPS, alarm)
    )
    tx.changed(CHANGED, contact_id)


def tell_restart(tx: Tx, contact_id: int) -> None:
    """Raises the alarm "restarted", unless there is one already: a session was replaced by a new one (case 19)."""
    tx.execute("UPDATE contact SET alarm = 'restarted' WHERE id = ? AND alarm = ''", (contact_id,))
    tx.changed(CHANGED, contact_id)


def set_announced(tx: Tx, contact_id: int, name: str) -> None:
    """Keeps what the contact calls himself; ours stays."""
    tx.execute("UPDATE contact SET announced = ? WHERE id = ?", (name, contact_id))
    tx.changed(CHANGED, contact_id)


def set_greeting(tx: Tx, contact_id: int, greeting: str) -> None:
    """Keeps the first words of a request."""
    tx.execute("UPDATE contact SET greeting = ? WHERE id = ?", (greeting, contact_id))
    tx.changed(CHANGED, contact_id)


def saw(tx: Tx, contact_id: int, now_ms: int) -> None:
    """A device of the contact has proven itself now."""
    tx.execute("UPDATE contact SET seen_ms = ? WHERE id = ?", (now_ms, contact_id))


def newest_list(tx: Tx, contact_id: int) -> DeviceList | None:
    """The device list that is pinned for a contact, or None before the first was seen."""
    row = tx.one("SELECT raw FROM pinned_list WHERE contact = ? ORDER BY epoch DESC LIMIT 1", (contact_id,))
    return None if row is None else record.decode(DeviceList, row[0], LIST_BYTES_MAX)


def newest_list_hash(tx: Tx, contact_id: int) -> bytes:
    """The hash of the pinned list: 32 bytes, or empty before the first was seen."""
    row = tx.one("SELECT hash FROM pinned_list WHERE contact = ? ORDER BY epoch DESC LIMIT 1", (contact_id,))
    return b"" if row is None else bytes(row[0])


def pin_lists(tx: Tx, contact_id: int, lists: tuple[DeviceList, ...]) -> Standing | Refusal:
    """Takes the lists that a contact shows, oldest first, if they follow from the pinned one.

    docs/protocol/identity.md 3. The first list seen is pinned as it is. A fork, a rollback or a gap sets the alarm
    "device_lists" and changes nothing else; it is returned, not raised, so that the alarm is committed (case 32).
    """
    account = contact(tx, contact_id).account
    pinned = newest_list(tx, contact_id)
    try:
        if pinned is None:
            for one in lists:
                documents.check_list(one, account)
            standing = Standing.NEWER
        else:
            standing = documents.follow(pinned, lists)
    except (documents.ListForked, documents.ListRolledBack, documents.ListBroken) as fault:
        set_alarm(tx, contact_id, "device_lists")
        return Refusal(fault)
    except PeerFault as fault:
        return Refusal(fault)
    if standing is Standing.SAME:
        return standing
    newest = lists[-1]
    _pin(tx, contact_id, newest)
    tx.execute(
        "DELETE FROM pinned_list WHERE contact = ? AND epoch NOT IN"
        " (SELECT epoch FROM pinned_list WHERE contact = ? ORDER BY epoch DESC LIMIT ?)",
        (contact_id, contact_id, documents.LISTS_MAX),
    )
    if standing is Standing.RECOVERED:
        set_alarm(tx, contact_id, "recovered")
    revoke_unlisted(tx, contact_id, newest.certificates)
    tx.changed(CHANGED, contact_id)
    return standing


def meet(
    tx: Tx, contact_id: int, certificate: documents.Certificate, lists: tuple[DeviceList, ...], now_ms: int
) -> Device | Refusal:
    """The device that proves itself with this certificate and these lists, added if it is new (cases 32, 33, 39)."""
    pinned = pin_lists(tx, contact_id, lists)
    if isinstance(pinned, Refusal):
        return pinned
    newest = newest_list(tx, contact_id)
    assert newest is not None
    try:
        known = device_by_key(tx, certificate.device)
        met_before = known is not None and known.certificate == certificate
        documents.check_listed(certificate, newest, None if met_before else now_ms // 1000)
        is_another = bool(devices_of(tx, contact_id)) and known is None
        met = add_device(tx, contact_id, certificate)
    except PeerFault as fault:
        return Refusal(fault)
    if is_another and not contact(tx, contact_id).alarm:
        set_alarm(tx, contact_id, "new_device")  # announced; the verified mark is about the account and stays
    return met


def _pin(tx: Tx, contact_id: int, one: DeviceList) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO pinned_list (contact, epoch, hash, raw) VALUES (?, ?, ?, ?)",
        (contact_id, one.epoch, documents.list_hash(one), record.encode(one)),
    )


def _contact(row: tuple[Any, ...]) -> Contact:
    contact_id, account, name, announced, state, verified, *rest = row
    return Contact(contact_id, account, name, announced, ContactState(state), Verified(verified), *rest)


def _fold(name: str) -> str:
    return name.casefold()


def _begins(one: Contact, remarked: str, wanted: str) -> bool:
    names = (_fold(one.name), remarked, ids.account_text(one.account) if len(wanted) > 3 else "")
    return any(name.startswith(wanted) for name in names)


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX or not name.isprintable():
        raise BadName
    return name


def _cut(name: str, bytes_max: int) -> str:
    return name.encode()[:bytes_max].decode(errors="ignore").rstrip()
