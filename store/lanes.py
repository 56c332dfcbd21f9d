"""The deliveries that are not finished: one lane for each device, messages in the order in which they were posted.

    message:   3   5   8 | 9  12  13        round 4, sealed up to 8: 9 is next
                 in flight   waiting

A lane is worked off in rounds. Within a round each message is sealed once; a new round begins with the oldest again,
because the stream or the session that carried the last one is gone. A ticket names one sealing: device, round, message.
What is sealed is outbox.py's business.
"""

from collections.abc import Iterable, Iterator

from protocol.delivery import State
from store import parcels
from store.database import Tx

CARRIER = 0  # the message number of a delivery that says nothing: it brings a new session to the other side
_MESSAGE_BITS = 40  # 10^12 messages
_DEVICE_BITS = 24
_MESSAGE_MASK = (1 << _MESSAGE_BITS) - 1
_DEVICE_MASK = (1 << _DEVICE_BITS) - 1
_NOTHING_SEALED = -1


def begin(tx: Tx, device_id: int, contact_id: int) -> None:
    """A lane for a new device; what was posted before the contact had any device moves into it."""
    tx.execute("INSERT INTO lane (device, round, sealed) VALUES (?, 1, ?)", (device_id, _NOTHING_SEALED))
    tx.execute("UPDATE delivery SET device = ? WHERE device = ?", (device_id, shelf(contact_id)))


def add(tx: Tx, device_id: int, messages: Iterable[int]) -> None:
    """More deliveries at the end of a lane."""
    queued = int(State.QUEUED)
    tx.executemany(
        "INSERT OR IGNORE INTO delivery (device, message, state, copies, due_ms) VALUES (?, ?, ?, '', ?)",
        # of a carrier that was there before there may be copies
        [(device_id, message, queued, int(message == CARRIER)) for message in messages],
    )


def add_for_first_device(tx: Tx, contact_id: int, messages: Iterable[int]) -> None:
    """Deliveries for a contact none of whose devices is known yet: the first one gets them."""
    add(tx, shelf(contact_id), messages)


def inherit(tx: Tx, lost_id: int, heir_id: int) -> None:
    """What a lost device has not acknowledged waits for the one in its place, which has a lane already."""
    under_way = new_round(tx, lost_id)
    parcels.forget(tx, lost_id)
    moved = tx.execute(
        "UPDATE OR IGNORE delivery SET device = ?, copies = '', due_ms = 0 WHERE device = ? AND message != 0",
        (heir_id, lost_id),
    )
    tx.execute("DELETE FROM delivery WHERE device = ?", (lost_id,))
    if moved.rowcount:
        new_round(tx, heir_id)  # what the heir has had sealed may be newer than what came to it now
    states = (int(State.SENT), int(State.HELD))
    for message in under_way:
        tx.execute(
            "UPDATE message SET state = ? WHERE seq = ? AND state IN (?, ?)", (int(State.QUEUED), message, *states)
        )
        tx.changed("delivery", message)


def waits_for(tx: Tx, contact_id: int, message: int) -> tuple[int, ...]:
    """The devices of a contact that a message waits for, in order; 0 for the first one of who has none yet."""
    on_shelf = tx.one("SELECT 1 FROM delivery WHERE device = ? AND message = ?", (shelf(contact_id), message))
    rows = tx.all(
        "SELECT d.id FROM device d CROSS JOIN delivery q ON q.device = d.id AND q.message = ?"
        " WHERE d.contact = ? AND d.revoked = 0 ORDER BY d.id",
        (message, contact_id),
    )
    return (*((0,) if on_shelf else ()), *(device_id for (device_id,) in rows))


def position(tx: Tx, device_id: int) -> tuple[int, int]:
    """The lane's round, and up to which message it has sealed."""
    row = tx.one("SELECT round, sealed FROM lane WHERE device = ?", (device_id,))
    assert row is not None
    return row[0], row[1]


def waiting(tx: Tx, device_id: int, sealed: int, count_max: int) -> Iterator[tuple[int, bytes | None]]:
    """(message, body) of deliveries after this one, in order; body is None for a carrier."""
    rows: Iterator[tuple[int, bytes | None]] = tx.execute(
        "SELECT d.message, m.body FROM delivery d LEFT JOIN message m ON m.seq = d.message"
        " WHERE d.device = ? AND d.message > ? ORDER BY d.message LIMIT ?",
        (device_id, sealed, count_max),
    )
    return rows


def seal_up_to(tx: Tx, device_id: int, message: int) -> None:
    """The lane has sealed up to this message."""
    tx.execute("UPDATE lane SET sealed = ? WHERE device = ?", (message, device_id))


def due(tx: Tx, device_id: int, count_max: int, now_ms: int) -> tuple[int, ...]:
    """Deliveries of which it must be looked again at which keepers they lie."""
    rows = tx.all(
        "SELECT message FROM delivery WHERE device = ? AND due_ms > 0 AND due_ms <= ? ORDER BY due_ms, message LIMIT ?",
        (device_id, now_ms, count_max),
    )
    return tuple(message for (message,) in rows)


def lie(tx: Tx, device_id: int, message: int, copies: str, due_ms: int) -> None:
    """Notes at which keepers a delivery lies, until when nothing of that changes by itself; 0: never."""
    tx.execute(
        "UPDATE delivery SET copies = ?, due_ms = ? WHERE device = ? AND message = ?",
        (copies, due_ms, device_id, message),
    )


def lying(tx: Tx, device_id: int) -> Iterator[str]:
    """All the ways in which deliveries to a device lie at keepers, as `lie` has noted them; few."""
    row = tx.one("SELECT MIN(copies) FROM delivery WHERE device = ?", (device_id,))
    while row is not None and row[0] is not None:
        yield row[0]
        row = tx.one("SELECT MIN(copies) FROM delivery WHERE device = ? AND copies > ?", (device_id, row[0]))


def lying_so(tx: Tx, device_id: int, copies: str, count_max: int, now_ms: int) -> tuple[int, ...]:
    """The oldest deliveries that lie at keepers in this way, in order; without those that are due."""
    rows = tx.all(
        "SELECT message FROM delivery INDEXED BY delivery_copies WHERE device = ? AND copies = ?"
        " AND due_ms NOT BETWEEN 1 AND ? ORDER BY message LIMIT ?",
        (device_id, copies, now_ms, count_max),
    )
    return tuple(message for (message,) in rows)


def new_round(tx: Tx, device_id: int) -> tuple[int, ...]:
    """Starts again with the oldest delivery; returns the messages that were shown as sent or held."""
    tx.execute("UPDATE lane SET round = round + 1, sealed = ? WHERE device = ?", (_NOTHING_SEALED, device_id))
    moved = tx.all("SELECT message FROM delivery WHERE device = ? AND state != ?", (device_id, int(State.QUEUED)))
    if moved:
        tx.execute(
            "UPDATE delivery SET state = ? WHERE device = ? AND state != ?",
            (int(State.QUEUED), device_id, int(State.QUEUED)),
        )
    return tuple(message for (message,) in moved)


def has_held(tx: Tx, device_id: int) -> bool:
    """Whether the other side has something of this lane that it cannot read."""
    row = tx.one("SELECT 1 FROM delivery WHERE device = ? AND state = ? LIMIT 1", (device_id, int(State.HELD)))
    return row is not None


def mark(tx: Tx, device_id: int, messages: Iterable[int], state: State) -> None:
    """Notes how far unfinished deliveries are."""
    rows = [(int(state), device_id, message) for message in messages]
    tx.executemany("UPDATE delivery SET state = ? WHERE device = ? AND message = ?", rows)


def finish(tx: Tx, device_id: int, messages: Iterable[int]) -> None:
    """Takes deliveries out of the lane, and what lies at keepers for them: they arrived, or are given up."""
    finished = [(device_id, message) for message in messages]
    tx.executemany("DELETE FROM delivery WHERE device = ? AND message = ?", finished)
    if parcels.any_for(tx, device_id):
        parcels.finish(tx, device_id, [message for _, message in finished])


def give_up(tx: Tx, contact_id: int, message: int) -> None:
    """Nobody of a contact's devices gets this message any more, the first one of who has none yet included."""
    devices = tx.all("SELECT id FROM device WHERE contact = ? ORDER BY id", (contact_id,))
    for device_id in (shelf(contact_id), *(device_id for (device_id,) in devices)):
        finish(tx, device_id, (message,))


def count(tx: Tx, device_id: int) -> int:
    """How many deliveries to a device are not finished, in flight or waiting."""
    row = tx.one("SELECT COUNT(*) FROM delivery WHERE device = ? AND message != ?", (device_id, CARRIER))
    assert row is not None
    return int(row[0])


def oldest(tx: Tx, before_ms: int) -> list[tuple[int, int]]:
    """(device, message) of deliveries that were posted before this time: lane by lane, from the oldest on."""
    found: list[tuple[int, int]] = []
    after = -(2**62)
    while (row := tx.one("SELECT MIN(device) FROM delivery WHERE device > ?", (after,))) and row[0] is not None:
        after = row[0]
        for message, posted_ms in tx.execute(
            "SELECT d.message, m.arrived_ms FROM delivery d JOIN message m ON m.seq = d.message"
            " WHERE d.device = ? ORDER BY d.message",
            (after,),
        ):
            if posted_ms >= before_ms:
                break
            found.append((after, message))
    return found


def ticket(device_id: int, round_: int, message: int) -> int:
    """The number of one sealing. Tickets of one device ascend with each sealing of a round, and with rounds."""
    return (round_ << _DEVICE_BITS | device_id) << _MESSAGE_BITS | message


def device_of(ticket_: int) -> int:
    """The device that a ticket is for."""
    return ticket_ >> _MESSAGE_BITS & _DEVICE_MASK


def message_of(ticket_: int) -> int:
    """The message that a ticket is for."""
    return ticket_ & _MESSAGE_MASK


def stamp(ticket_: int) -> int:
    """Round and message of a ticket in 63 bits: ascends with each sealing for a device."""
    return ticket_ >> (_MESSAGE_BITS + _DEVICE_BITS) << _MESSAGE_BITS | ticket_ & _MESSAGE_MASK


def shelf(contact_id: int) -> int:
    """The lane of who has no device yet."""
    return -contact_id
