"""What was left for us at keepers, taken in: each sealing once, whatever number of keepers had it.

docs/protocol/mailbox.md 4. What an envelope says is inbox.py's; who fetches is node/keep/collector.py.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from crypto import sealing
from protocol import envelope, mailbox
from protocol.envelope import Inner
from protocol.faults import PeerFault
from store import devices, inbox, pairs, people, session_rows, sessions
from store.database import Tx
from store.devices import Device
from store.identity import Identity
from store.inbox import Accepted, Rooms

REMEMBERED_MS = 2 * 90 * 86_400_000  # twice as long as any keeper keeps


@dataclass(frozen=True, slots=True)
class Collected:
    """A parcel of a contact. run, sealing: its place among all of its sender; inner: what it carries."""

    run: bytes
    sealing: int
    inner: bytes


def take(
    tx: Tx, rooms: Rooms, identity: Identity, contact_id: int, parcels: Sequence[Collected], now_ms: int
) -> tuple[tuple[int, Accepted], ...]:
    """Takes in parcels of one contact, in order: what became of them, by device. Never raises for what is in them.

    What was taken in before is passed over; a contact who is blocked says nothing.
    """
    if people.contact(tx, contact_id).state in pairs.CLOSED:
        return ()
    is_one = len(devices.devices_of(tx, contact_id)) == 1
    took: list[tuple[int, Accepted]] = []
    batch: list[bytes] = []
    author: Device | None = None

    def accept() -> None:
        if author is not None and batch:
            took.append((author.id, inbox.accept(tx, rooms, identity, author.id, tuple(batch), now_ms)))
            batch.clear()

    for one in parcels:
        row = tx.execute(
            "INSERT INTO collected (contact, run, sealing, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (contact_id, one.run, one.sealing, now_ms),
        )
        if row.rowcount == 0:
            continue
        if (wish := mailbox.anew(one.inner)) is not None:
            accept()  # a session that was begun before it is no answer to it
            with suppress(PeerFault):
                sessions.asked(tx, contact_id, wish.bundle, now_ms)
            continue
        if not is_one:
            accept()  # whose the next one is, may be known only then
        sender = _sender(tx, contact_id, one.inner, now_ms)
        if sender is None:
            continue
        if author is None or sender.id != author.id:
            accept()
        author = sender
        batch.append(sealing.pad(one.inner))
    accept()
    return tuple(took)


def forget_old(tx: Tx, now_ms: int) -> None:
    """Forgets what no keeper can have any more."""
    tx.execute("DELETE FROM collected WHERE at_ms < ?", (now_ms - REMEMBERED_MS,))


def _sender(tx: Tx, contact_id: int, raw: bytes, now_ms: int) -> Device | None:
    """The device that sealed this: the one in its certificate, or with whom a session opens it, else the newest.

    None for nonsense, and for what a revoked one has sealed (case 39).
    """
    try:
        inner: Inner = envelope.disclose(sealing.pad(raw))
    except PeerFault:
        return None
    known = devices.devices_of(tx, contact_id)
    living = [one for one in known if not one.revoked]
    match inner:
        case envelope.Message(header, body) if len(known) > 1:  # all of them leave what they have in one queue
            found = next((one for one in reversed(known) if session_rows.knows(tx, one.id, header, body, now_ms)), None)
            return next(reversed(living), None) if found is None else None if found.revoked else found
        case envelope.Message():
            return living[-1] if living else None
        case envelope.Init(certificate=certificate) | envelope.Restart(init=envelope.Init(certificate=certificate)):
            return next((one for one in living if one.device == certificate.device), None)
