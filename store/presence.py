"""Presence keys, ours and those of contacts, and how far the clocks of devices are off: what the LAN beacon needs.

Whoever holds an account's presence key recognises its devices on a local network. Not here: the beacon's bytes
(protocol/beacon.py); when a key is replaced (the room contacts).
"""

from collections.abc import Iterator

from protocol import ids
from store.database import Tx
from store.people import ContactState


def own(tx: Tx) -> tuple[int, bytes]:
    """Epoch and presence key (32 bytes) of ours now."""
    row = tx.one("SELECT presence_epoch, presence FROM identity")
    assert row is not None
    return int(row[0]), bytes(row[1])


def is_shared(tx: Tx) -> bool:
    """Whether any contact holds our presence key: without one nobody looks for us by it."""
    row = tx.one("SELECT EXISTS (SELECT 1 FROM contact WHERE state = ?)", (int(ContactState.ACTIVE),))
    assert row is not None
    return bool(row[0])


def renew(tx: Tx, presence: bytes) -> tuple[int, bytes]:
    """Replaces our presence key (32 random bytes); returns its epoch and the key. Contacts must be told."""
    tx.execute("UPDATE identity SET presence = ?, presence_epoch = presence_epoch + 1", (presence,))
    return own(tx)


def keep(tx: Tx, contact_id: int, epoch: int, key: bytes) -> None:
    """Keeps a contact's presence key (32 bytes) unless a later one is known."""
    tx.execute(
        "INSERT INTO presence (contact, epoch, key) VALUES (?, ?, ?) ON CONFLICT (contact) DO UPDATE"
        " SET epoch = excluded.epoch, key = excluded.key WHERE excluded.epoch >= presence.epoch",
        (contact_id, epoch, key),
    )


def of(tx: Tx, contact_id: int) -> tuple[int, bytes] | None:
    """Epoch and presence key of a contact, if he has given one."""
    row = tx.one("SELECT epoch, key FROM presence WHERE contact = ?", (contact_id,))
    return None if row is None else (int(row[0]), bytes(row[1]))


def recognisable(tx: Tx) -> Iterator[tuple[int, int, ids.DeviceId, bytes, int]]:
    """(contact, device, device key, presence key, offset of its clock in s) of the devices of all active contacts."""
    rows: Iterator[tuple[int, int, ids.DeviceId, bytes, int]] = tx.execute(
        "SELECT c.id, d.id, d.device, p.key, COALESCE(k.offset_s, 0) FROM contact c JOIN presence p ON p.contact = c.id"
        " JOIN device d ON d.contact = c.id AND d.revoked = 0 LEFT JOIN clock k ON k.device = d.id"
        " WHERE c.state = ? ORDER BY d.id",
        (int(ContactState.ACTIVE),),
    )
    return rows


def set_offset(tx: Tx, device_id: int, offset_s: int) -> None:
    """Keeps how many seconds a device's clock is ahead of ours: it was heard from while its channel was proven."""
    tx.execute("INSERT OR REPLACE INTO clock (device, offset_s) VALUES (?, ?)", (device_id, offset_s))
