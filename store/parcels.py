"""What we leave at keepers for devices of contacts: numbered before it is put, kept in mind until it was received.

    plan (mailing.py) ──> to put: the envelope ──answered──> kept: until when ──receipt──> gone
                                                                 └── queue gone, session over, time over ──> lost

A number is never left out: a parcel for a message that arrived meanwhile is put all the same, because a gap would look
as if the keeper had dropped something. docs/protocol/mailbox.md 3. Not here: what is sealed (mailing.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.delivery import State
from store.database import Tx

CHANGED = "delivery"  # the topic of outbox.py: where a message is has changed
SETTLED = -1  # in place of a message that needs its parcel no more


@dataclass(frozen=True, slots=True)
class ToPut:
    """A parcel whose keeper has not answered yet."""

    line: int
    number: int
    envelope: bytes


def add(tx: Tx, line: int, number: int, device_id: int, message: int, sealed_ms: int, envelope: bytes) -> None:
    """A parcel to be put."""
    tx.execute(
        "INSERT INTO parcel (line, number, device, message, sealed_ms, until_ms, envelope)"
        " VALUES (?, ?, ?, ?, ?, 0, ?)",
        (line, number, device_id, message, sealed_ms, envelope),
    )
    _touch(tx, ((device_id, message),))


def to_put(tx: Tx, line: int, count_max: int) -> tuple[ToPut, ...]:
    """What is to be put on a line, in the order of its numbers."""
    rows = tx.all(
        "SELECT number, envelope FROM parcel WHERE line = ? AND until_ms = 0 ORDER BY number LIMIT ?", (line, count_max)
    )
    return tuple(ToPut(line, number, envelope) for number, envelope in rows)


def answered(tx: Tx, line: int, number: int, until_ms: int, now_ms: int) -> int:
    """The keeper has it until then; returns the message, SETTLED where nothing waits for it."""
    row = tx.one("SELECT device, message FROM parcel WHERE line = ? AND number = ?", (line, number))
    if row is None:
        return SETTLED
    device_id, message = row
    if message == SETTLED:
        tx.execute("DELETE FROM parcel WHERE line = ? AND number = ?", (line, number))
        return SETTLED
    tx.execute("UPDATE parcel SET until_ms = ?, envelope = x'' WHERE line = ? AND number = ?", (until_ms, line, number))
    tx.execute(
        "UPDATE message SET state = ?, state_ms = ? WHERE seq = ? AND state IN (?, ?)",
        (int(State.KEPT), now_ms, message, int(State.QUEUED), int(State.SENT)),
    )
    _touch(tx, ((device_id, message),))
    _tell(tx, message)
    return int(message)


def any_for(tx: Tx, device_id: int) -> bool:
    """Whether there is any parcel for a device: mostly there is none."""
    return tx.one("SELECT 1 FROM parcel WHERE device = ? LIMIT 1", (device_id,)) is not None


def finish(tx: Tx, device_id: int, messages: Iterable[int]) -> None:
    """These messages need their parcels no more: they arrived, or were given up."""
    for message in messages:
        if message != SETTLED:
            tx.execute("DELETE FROM parcel WHERE device = ? AND message = ? AND until_ms > 0", (device_id, message))
            tx.execute("UPDATE parcel SET message = ? WHERE device = ? AND message = ?", (SETTLED, device_id, message))


def doubt(tx: Tx, line: int) -> None:
    """Whoever answered for the keeper of this line does not know it: what the keeper has may be lost, or reached again
    later. What it has not answered stays to be put.
    """
    _lost(tx, tx.all("DELETE FROM parcel WHERE line = ? AND until_ms > 0 RETURNING device, message", (line,)))


def lose(tx: Tx, line: int) -> None:
    """The queue of this line is no more."""
    rows = tx.all("DELETE FROM parcel WHERE line = ? RETURNING device, message", (line,))
    _lost(tx, rows)


def forget(tx: Tx, device_id: int) -> None:
    """What lies at keepers for a device is sealed in a session that is over: it is left there anew."""
    rows = tx.all("DELETE FROM parcel WHERE device = ? AND until_ms > 0 RETURNING device, message", (device_id,))
    _touch(tx, tx.all("SELECT device, message FROM parcel WHERE device = ?", (device_id,)))
    tx.execute("UPDATE parcel SET message = ? WHERE device = ?", (SETTLED, device_id))
    _lost(tx, rows)


def expire(tx: Tx, now_ms: int) -> None:
    """No keeper has any more what it had until now."""
    rows = tx.all("DELETE FROM parcel WHERE until_ms BETWEEN 1 AND ? RETURNING device, message", (now_ms,))
    _lost(tx, rows)


def copies(tx: Tx, device_id: int, message: int) -> tuple[tuple[int, int, int], ...]:
    """(line, sealed at, kept until: 0 where it is to be put) of each copy of a message, the oldest first."""
    rows = tx.all(
        "SELECT line, sealed_ms, until_ms FROM parcel WHERE device = ? AND message = ? ORDER BY sealed_ms, line",
        (device_id, message),
    )
    return tuple((line, sealed_ms, until_ms) for line, sealed_ms, until_ms in rows)


def where(tx: Tx, message: int, now_ms: int) -> tuple[tuple[int, int], ...]:
    """(line, until when, ms) of each keeper that has a message of ours now, the longest first.

    now_ms: 0 for those too that had it, as long as nothing has expired it.
    """
    rows = tx.all(
        "SELECT p.line, p.until_ms FROM message m JOIN device d ON d.contact = m.contact"
        " CROSS JOIN parcel p ON p.device = d.id AND p.message = m.seq"
        " WHERE m.seq = ? AND p.until_ms > ? ORDER BY p.until_ms DESC, p.line",
        (message, now_ms),
    )
    return tuple((line, until_ms) for line, until_ms in rows)


def _touch(tx: Tx, rows: Iterable[tuple[int, int]]) -> None:
    """What is known of the copies of these (device, message) is not true any more (lanes.due)."""
    tx.executemany("UPDATE delivery SET due_ms = 1 WHERE device = ? AND message = ?", rows)


def _lost(tx: Tx, rows: Sequence[tuple[int, int]]) -> None:
    _touch(tx, rows)
    for device_id, message in rows:
        still = tx.one(
            "SELECT 1 FROM parcel WHERE device = ? AND message = ? AND until_ms > 0 LIMIT 1", (device_id, message)
        )
        if message != SETTLED and still is None:
            tx.execute(
                "UPDATE message SET state = ? WHERE seq = ? AND state = ?",
                (int(State.QUEUED), message, int(State.KEPT)),
            )
            _tell(tx, message)


def _tell(tx: Tx, message: int) -> None:
    if message > 0:  # a carrier says nothing
        tx.changed(CHANGED, message)
