"""Where devices of contacts can be left mail: the lines that they told us, and how far we have filled each.

docs/protocol/mailbox.md. What is on its way to a line is in parcels.py, our own queues in keepers.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crypto import keys
from protocol import mailbox, parcel, record, wire
from protocol.mailbox import Line
from store import parcels
from store.database import Tx

CHANGED = "inbox.changed"  # topic of changes; the key is the contact
LINE_BYTES_MAX = 2 * 1024
ADDRESSES_BYTES_MAX = 4 * 1024
_COLUMNS = "id, device, raw, peer, addresses, number, kept"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A line of a device. peer, addresses: where its keeper is, newer than the line says where it was found since.

    number: of the newest parcel for it; kept: up to which number the keeper has answered.
    """

    id: int
    device: int
    line: Line
    peer: bytes
    addresses: tuple[str, ...]
    number: int
    kept: int


def take(tx: Tx, device_id: int, version: int, lines: Sequence[Line], entropy: keys.Entropy) -> None:
    """Keeps what a device told of itself, unless something newer is known. What was at a line that is gone counts as
    lost: it is left at another one.
    """
    row = tx.one("SELECT version FROM inbox WHERE device = ?", (device_id,))
    if row is not None and version <= row[0]:
        return
    run = entropy(parcel.RUN_BYTES)
    tx.execute(
        "INSERT INTO inbox (device, version, run, sealing) VALUES (?, ?, ?, 0)"
        " ON CONFLICT (device) DO UPDATE SET version = excluded.version",
        (device_id, version, run),
    )
    for one in of(tx, device_id):
        if all(line.sender != one.line.sender for line in lines):
            parcels.lose(tx, one.id)
            tx.execute("DELETE FROM inbox_line WHERE id = ?", (one.id,))
    for place, line in enumerate(lines):
        tx.execute(
            "INSERT INTO inbox_line (device, place, raw, peer, addresses, sender, number, kept)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (sender) DO UPDATE SET place = excluded.place,"
            " raw = excluded.raw, peer = excluded.peer, addresses = excluded.addresses WHERE device = excluded.device",
            (device_id, place, record.encode(line), line.peer, wire.encode(line.addresses), line.sender),
        )
    _tell(tx, device_id)


def of(tx: Tx, device_id: int) -> tuple[Mailbox, ...]:
    """The lines of a device, in its order of preference."""
    return tuple(map(_box, tx.all(f"SELECT {_COLUMNS} FROM inbox_line WHERE device = ? ORDER BY place", (device_id,))))


def version(tx: Tx, device_id: int) -> int:
    """Of what a device told last; 0 before the first time."""
    row = tx.one("SELECT version FROM inbox WHERE device = ?", (device_id,))
    return 0 if row is None else int(row[0])


def find(tx: Tx, box_id: int) -> Mailbox | None:
    """The line in this row, if there is one."""
    row = tx.one(f"SELECT {_COLUMNS} FROM inbox_line WHERE id = ?", (box_id,))
    return None if row is None else _box(row)


def by_sender(tx: Tx, sender: bytes) -> int | None:
    """The row of the line whose door has this id."""
    row = tx.one("SELECT id FROM inbox_line WHERE sender = ?", (sender,))
    return None if row is None else int(row[0])


def is_there(tx: Tx, box: Mailbox) -> bool:
    """Whether a line that was read before is there still: its row may be another's since."""
    found = tx.one("SELECT 1 FROM inbox_line WHERE id = ? AND sender = ?", (box.id, box.line.sender))
    return found is not None


def devices(tx: Tx) -> tuple[int, ...]:
    """The devices that can be left mail."""
    return tuple(device_id for (device_id,) in tx.all("SELECT DISTINCT device FROM inbox_line ORDER BY device"))


def devices_of(tx: Tx, contact_id: int) -> tuple[int, ...]:
    """The devices of a contact that can be left mail."""
    rows = tx.all(
        "SELECT id FROM device WHERE contact = ? AND revoked = 0"
        " AND EXISTS (SELECT 1 FROM inbox_line l WHERE l.device = device.id) ORDER BY id",
        (contact_id,),
    )
    return tuple(device_id for (device_id,) in rows)


def contacts(tx: Tx) -> tuple[int, ...]:
    """The contacts of whom a device can be left mail."""
    rows = tx.all(
        "SELECT DISTINCT d.contact FROM inbox_line l JOIN device d ON d.id = l.device WHERE d.revoked = 0 ORDER BY 1"
    )
    return tuple(contact_id for (contact_id,) in rows)


def moved(tx: Tx, box_id: int, peer: bytes, addresses: Sequence[str]) -> None:
    """The keeper of a line was found elsewhere."""
    told = wire.encode(tuple(addresses[: mailbox.ADDRESSES_MAX]))
    tx.execute("UPDATE inbox_line SET peer = ?, addresses = ? WHERE id = ?", (peer, told, box_id))


def useless(tx: Tx, box_id: int) -> None:
    """A line cannot take what is to be left on it: what was left there counts as lost."""
    parcels.lose(tx, box_id)
    row = tx.one("DELETE FROM inbox_line WHERE id = ? RETURNING device", (box_id,))
    if row is not None:
        _tell(tx, row[0])


def next_numbers(tx: Tx, box_id: int, count: int) -> int:
    """The first of so many numbers for parcels to a line."""
    row = tx.one("UPDATE inbox_line SET number = number + ? WHERE id = ? RETURNING number", (count, box_id))
    assert row is not None
    return int(row[0]) - count + 1


def kept(tx: Tx, box_id: int, number: int) -> None:
    """The keeper has answered up to this number."""
    tx.execute("UPDATE inbox_line SET kept = MAX(kept, ?) WHERE id = ?", (number, box_id))


def next_sealing(tx: Tx, device_id: int, now_ms: int) -> tuple[bytes, int]:
    """The run, and the time of a sealing, later than that of every one before (ms)."""
    row = tx.one(
        "UPDATE inbox SET sealing = MAX(sealing + 1, ?) WHERE device = ? RETURNING run, sealing", (now_ms, device_id)
    )
    assert row is not None
    return row[0], row[1]


def _tell(tx: Tx, device_id: int) -> None:
    row = tx.one("SELECT contact FROM device WHERE id = ?", (device_id,))
    assert row is not None
    tx.changed(CHANGED, row[0])


def _box(row: tuple[Any, ...]) -> Mailbox:
    box_id, device_id, raw, peer, addresses, number, kept_ = row
    texts: Any = wire.decode(addresses, ADDRESSES_BYTES_MAX)
    return Mailbox(box_id, device_id, record.decode(Line, raw, LINE_BYTES_MAX), peer, texts, number, kept_)
