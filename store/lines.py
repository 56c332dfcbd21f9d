"""What each contact was told of where he can leave us mail, and what there is to tell him now.

docs/protocol/mailbox.md 2. The keepers and queues that it is made of are in keepers.py; where we can leave mail for
others is in inboxes.py.
"""

from collections.abc import Sequence

from protocol import ids, mailbox, record, wire
from protocol.mailbox import Line
from store import keepers
from store.database import Tx
from store.keepers import QueueState


def of(tx: Tx, contact_id: int, own: ids.AccountId, used: Sequence[keepers.Keeper] | None = None) -> tuple[Line, ...]:
    """Where this contact can leave mail for us now: his queues that are open at keepers that are used and were met.

    own: our account, which marks a node of ours. used: keepers.used, where it was asked already.
    """
    found = []
    for one in keepers.used(tx) if used is None else used:
        queue = keepers.queue_of(tx, one.id, contact_id)
        if queue is None or queue.state is not QueueState.OPEN or not one.peer:
            continue
        account = own if one.contact == keepers.OWN else _account(tx, one.contact)
        mark = mailbox.mark_of(queue.put_key, account)
        found.append(Line(one.peer, one.addresses, one.find, queue.sender, queue.put_key, queue.wrap_key, mark))
    return tuple(found)


def told(tx: Tx, contact_id: int) -> tuple[int, bytes]:
    """The version and the lines, encoded, that a contact was told last; 0 and nothing before the first."""
    row = tx.one("SELECT version, lines FROM inbox_told WHERE contact = ?", (contact_id,))
    return (0, b"") if row is None else (row[0], row[1])


def tell(tx: Tx, contact_id: int, version: int, told: bytes) -> None:
    """Keeps what a contact is told in this transaction. told: what `encoded` gives."""
    tx.execute(
        "INSERT INTO inbox_told (contact, version, lines) VALUES (?, ?, ?)"
        " ON CONFLICT (contact) DO UPDATE SET version = excluded.version, lines = excluded.lines",
        (contact_id, version, told),
    )


def encoded(lines: Sequence[Line], device_id: int) -> bytes:
    """Lines as bytes that are equal where they are, and are told to the same devices. device_id: the contact's newest.

    One that he has got since then, perhaps in place of one that he lost, was not told.
    """
    return wire.encode((device_id, *map(record.encode, lines))) if lines else b""


def _account(tx: Tx, contact_id: int) -> ids.AccountId:
    row = tx.one("SELECT account FROM contact WHERE id = ?", (contact_id,))
    assert row is not None
    return ids.AccountId(row[0])
