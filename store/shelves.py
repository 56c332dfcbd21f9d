"""What lies at a keeper: owners, their queues and doors, and the parcels in them (docs/protocol/keep.md 3 to 6).

Counts are kept, not counted, so that no request grows with what lies here. A parcel's place is its owner and its number
among all of that owner: what is fetched and what is deleted are rows in a row. What belongs to nobody any more, or
expired, is taken away in slices. Every function ends in one transaction; `age_s` is the keeper's clock (keeping.py).
Not here: permits (permits.py), records (laid.py), waiting for what comes (node/keep/server.py).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from crypto import hashing
from protocol import keep, keep_proof, work
from protocol.keep import Status
from store import keeping, laid
from store.database import Tx

SLICE = 500  # parcels that one transaction takes away at most, about 20 ms
SLICES_MAX = 20  # within one put that finds no room
NAME_BYTES = 16  # of the hash of an envelope: two that are the same could only be one sender's own
SEQ_BITS = 40  # of a parcel's place; above it stands its owner
PARCEL_BYTES = 16 * 1024  # what a parcel may take of the file beyond twice its size: pages of four trees that split
ROW_BYTES = 1024  # what a queue or a door may take
NOBODY = bytes(keep.PUT_KEY_BYTES)  # the key that a put with an unknown sender id is checked against


class Owner(NamedTuple):
    """Whose stream it is. is_own: of the person who runs the keeper."""

    id: int
    permit: int
    is_own: bool
    ttl_s: int


class Arriving(NamedTuple):
    """A put as it came: request n of a stream with this nonce. named: keep_proof.envelope_id."""

    put: keep.Put
    n: int
    nonce: bytes
    named: bytes


class Taken(NamedTuple):
    """What became of a put. key: of its door, b"" where it did not show that; kept_s: where it lies here; owner: who
    has something new, 0 for nobody.
    """

    status: Status
    key: bytes = b""
    kept_s: int = 0
    owner: int = 0


class _Door(NamedTuple):
    id: int
    queue: int
    put_key: bytes
    bits: int


class _Queue(NamedTuple):
    id: int
    owner: int
    bytes_max: int
    ttl_s: int


# --- owners


def owner(tx: Tx, key: bytes) -> Owner | None:
    """The owner of this key, while he has a permit."""
    row = tx.one(
        "SELECT o.id, p.id, p.contact = 0, p.ttl_s FROM owner o JOIN permit p ON p.id = o.permit WHERE o.key = ?",
        (key,),
    )
    return None if row is None else Owner(row[0], row[1], bool(row[2]), row[3])


def is_living(tx: Tx, owner_id: int) -> bool:
    """Whether this owner still has a permit."""
    return tx.one("SELECT 1 FROM owner WHERE id = ? AND permit > 0", (owner_id,)) is not None


def enrol(tx: Tx, permit: int, key: bytes) -> int | None:
    """From now on a permit serves this key. Returns whose key it served before, who is swept away by and by."""
    row = tx.one("SELECT permit FROM owner WHERE key = ?", (key,))
    if row == (permit,):
        return None
    ended = end(tx, permit)
    if row is not None:  # another permit was shown for it: it takes its things along
        tx.execute("UPDATE owner SET permit = ? WHERE key = ?", (permit, key))
    else:
        tx.execute(
            "INSERT INTO owner (key, permit, seq, bytes, items, queues) VALUES (?, ?, 0, 0, 0, 0)", (key, permit)
        )
    return ended


def end(tx: Tx, permit: int) -> int | None:
    """The owner of a permit is none any more: nothing reaches him, and he reaches nothing. Returns who it was."""
    row = tx.one("SELECT id FROM owner WHERE permit = ?", (permit,))
    if row is None:
        return None
    ended: int = row[0]
    # A key that nobody has, so that his own may come again with another permit; no permit is negative.
    tx.execute("UPDATE owner SET permit = ?, key = ? WHERE id = ?", (-ended, ended.to_bytes(8, "big"), ended))
    laid.forget(tx, ended)
    return ended


def used(tx: Tx, owner_id: int) -> keep.Used:
    """How much an owner uses of what he may have."""
    row = tx.one(
        "SELECT o.bytes, o.items, p.space, o.queues, o.note FROM owner o JOIN permit p ON p.id = o.permit"
        " WHERE o.id = ?",
        (owner_id,),
    )
    return keep.Used(*(row or (0, 0, 0, 0, b"")))


# --- queues and doors


def open_queues(tx: Tx, mine: Owner, queues: Sequence[keep.Queue]) -> Status:
    """Makes queues or changes them, all or none."""
    known = {reader: _queue_of(tx, mine.id, reader) for reader in (queue.reader for queue in queues)}
    (count,) = tx.one("SELECT queues FROM owner WHERE id = ?", (mine.id,)) or (0,)
    fresh = sum(number is None for number in known.values())
    if count + fresh > keep.QUEUES_OWNER_MAX:
        return Status.QUOTA
    for queue in queues:
        for door in queue.doors:
            elsewhere = tx.one(
                "SELECT d.queue FROM door d JOIN queue q ON q.id = d.queue JOIN owner o ON o.id = q.owner"
                " WHERE d.sender = ? AND o.permit > 0",
                (door.sender,),
            )
            if elsewhere is not None and elsewhere[0] != known[queue.reader]:
                return Status.REFUSED
    if not keeping.has_room(tx, PARCEL_BYTES + ROW_BYTES * sum(1 + len(queue.doors) for queue in queues)):
        return Status.QUOTA
    for queue in queues:
        _open(tx, mine, queue, known[queue.reader])
    tx.execute("UPDATE owner SET queues = queues + ? WHERE id = ?", (fresh, mine.id))
    return Status.OK


def close(tx: Tx, owner_id: int, reader: bytes) -> bool:
    """Closes a queue's doors and takes a slice of what lies in it away; returns whether there is more of it."""
    number = _queue_of(tx, owner_id, reader)
    if number is None:
        return False
    tx.execute("DELETE FROM door WHERE queue = ?", (number,))
    if _empty(tx, number):
        return True
    tx.execute("DELETE FROM queue WHERE id = ?", (number,))
    tx.execute("UPDATE owner SET queues = queues - 1 WHERE id = ?", (owner_id,))
    return False


# --- parcels


def put(tx: Tx, arriving: Sequence[Arriving], age_s: int, days: Sequence[int]) -> tuple[Taken, ...]:
    """What becomes of each put, in their order; those that are OK lie here. days: of which work counts."""
    return tuple(_put(tx, one, age_s, days) for one in arriving)


def turned_away(tx: Tx, arriving: Sequence[Arriving]) -> tuple[Taken, ...]:
    """The same where the disk takes nothing: FULL to those who show the key of their door."""
    return tuple(
        Taken(Status.GONE) if door is None else Taken(Status.FULL, door.put_key)
        for door in (_shown(tx, one) for one in arriving)
    )


def fetch(tx: Tx, owner_id: int, after: int, count: int) -> keep.Items:
    """What lies there for an owner after a number: at most so many, and at most 60,000 bytes, but one."""
    first, last = _places(owner_id)
    rows = tx.execute(
        "SELECT p.place, q.reader, p.envelope FROM parcel p CROSS JOIN queue q ON q.id = p.queue"
        " WHERE p.place > ? AND p.place <= ? ORDER BY p.place LIMIT ?",
        (first + after, last, count + 1),
    )
    items: list[keep.Item] = []
    size = 0
    for place, reader, envelope in rows:
        if len(items) == count or (items and size + len(envelope) > keep.FETCH_BYTES_MAX):
            return keep.Items(tuple(items), 1)
        items.append(keep.Item(place - first, reader, envelope))
        size += len(envelope)
    return keep.Items(tuple(items), 0)


def done(tx: Tx, owner_id: int, up_to: int, note: bytes = b"") -> bool:
    """Takes a slice of an owner's parcels up to a number away; returns whether there are more of them.

    note: what he is to be reminded of.
    """
    if note:
        tx.execute("UPDATE owner SET note = ? WHERE id = ?", (note, owner_id))
    first, last = _places(owner_id)
    return _take_away(tx, _WHERE_PLACE, (first, min(first + up_to, last)))


def expire(tx: Tx, age_s: int) -> bool:
    """Takes a slice of what is too old away; returns whether there is more of it."""
    return _take_away(tx, _WHERE_EXPIRED, (age_s,))


def sweep(tx: Tx) -> bool:
    """Takes a slice away of what belongs to nobody any more; returns whether there is more of it."""
    ended = tx.one("SELECT id FROM owner WHERE permit < 0 LIMIT 1")
    if ended is None:
        return False
    if _take_away(tx, _WHERE_PLACE, _places(ended[0])):
        return True
    for (number,) in tx.all("SELECT id FROM queue WHERE owner = ? LIMIT ?", (ended[0], SLICE)):
        tx.execute("DELETE FROM door WHERE queue = ?", (number,))
        tx.execute("DELETE FROM queue WHERE id = ?", (number,))
    if tx.one("SELECT 1 FROM queue WHERE owner = ?", ended) is None:
        tx.execute("DELETE FROM owner WHERE id = ?", ended)
    return True


_WHERE_PLACE = "place > ? AND place <= ?"
_WHERE_EXPIRED = "expires_s <= ?"
_WHERE_QUEUE = "queue = ?"


def _places(owner_id: int) -> tuple[int, int]:
    """The place before an owner's first, and his last."""
    first = owner_id << SEQ_BITS
    return first, first + (1 << SEQ_BITS) - 1


def _queue_of(tx: Tx, owner_id: int, reader: bytes) -> int | None:
    row = tx.one("SELECT id FROM queue WHERE owner = ? AND reader = ?", (owner_id, reader))
    return None if row is None else int(row[0])


def _open(tx: Tx, mine: Owner, queue: keep.Queue, number: int | None) -> None:
    most = keep.OWN if mine.is_own else keep.FRIEND
    limits = (min(queue.items, most.items), min(queue.bytes, most.bytes), min(queue.ttl_s, most.ttl_s, mine.ttl_s))
    if number is None:
        number = tx.insert(
            "INSERT INTO queue (owner, reader, items_max, bytes_max, ttl_s, items, bytes) VALUES (?, ?, ?, ?, ?, 0, 0)",
            (mine.id, queue.reader, *limits),
        )
    else:
        tx.execute("UPDATE queue SET items_max = ?, bytes_max = ?, ttl_s = ? WHERE id = ?", (*limits, number))
    wanted = {door.sender for door in queue.doors}
    for door_id, sender in tx.all("SELECT id, sender FROM door WHERE queue = ?", (number,)):
        if sender not in wanted:
            tx.execute("DELETE FROM door WHERE id = ?", (door_id,))
    for door in queue.doors:
        said = (door.put_key, door.items, door.bits, door.sender)
        changed = tx.execute(
            "UPDATE door SET put_key = ?, items_max = ?, bits = ? WHERE sender = ? AND queue = ?", (*said, number)
        )
        if not changed.rowcount:
            tx.execute("DELETE FROM door WHERE sender = ?", (door.sender,))  # of somebody who is no owner any more
            tx.execute(
                "INSERT INTO door (put_key, items_max, bits, sender, queue, items) VALUES (?, ?, ?, ?, ?, 0)",
                (*said, number),
            )


def _put(tx: Tx, one: Arriving, age_s: int, days: Sequence[int]) -> Taken:
    door = _shown(tx, one)
    queue = None if door is None else _queue(tx, door.queue)
    if door is None or queue is None:
        return Taken(Status.GONE)
    asked = one.put
    if not work.is_enough(asked, door.bits, days):
        return Taken(Status.WORK, door.put_key)
    name, size = one.named[:NAME_BYTES], len(asked.envelope)
    same = tx.one("SELECT place, expires_s FROM parcel WHERE queue = ? AND name = ?", (door.queue, name))
    if same is not None and same[1] > age_s:
        return Taken(Status.OK, door.put_key, same[1] - age_s)
    if size > queue.bytes_max:
        return Taken(Status.TOO_BIG, door.put_key)
    if same is not None:
        _take_away(tx, _WHERE_PLACE, (same[0] - 1, same[0]))
    if not _fits(tx, door.id, size):
        _take_old_away(tx, age_s)
        if not _fits(tx, door.id, size):
            return Taken(Status.QUOTA, door.put_key)
    kept_s = min(asked.ttl_s, queue.ttl_s)
    _lay_down(tx, queue, door.id, name, age_s + kept_s, asked.envelope)
    return Taken(Status.OK, door.put_key, kept_s, queue.owner)


def _lay_down(tx: Tx, queue: _Queue, door: int, name: bytes, expires_s: int, envelope: bytes) -> None:
    size = len(envelope)
    tx.execute("UPDATE owner SET seq = seq + 1, items = items + 1, bytes = bytes + ? WHERE id = ?", (size, queue.owner))
    tx.execute(
        "INSERT INTO parcel (place, queue, door, name, expires_s, envelope)"
        " VALUES ((SELECT (id << 40) + seq FROM owner WHERE id = ?), ?, ?, ?, ?, ?)",
        (queue.owner, queue.id, door, name, expires_s, envelope),
    )
    tx.execute("UPDATE queue SET items = items + 1, bytes = bytes + ? WHERE id = ?", (size, queue.id))
    tx.execute("UPDATE door SET items = items + 1 WHERE id = ?", (door,))


def _shown(tx: Tx, one: Arriving) -> _Door | None:
    """The door of a put, None where there is none or its key is not shown; after the same work."""
    asked = one.put
    door = _door(tx, asked.sender)
    key = NOBODY if door is None else door.put_key
    mac = keep_proof.put_mac(key, one.nonce, one.n, asked.sender, asked.ttl_s, one.named)
    return door if hashing.same(mac, asked.mac) else None


def _door(tx: Tx, sender: bytes) -> _Door | None:
    row = tx.one("SELECT id, queue, put_key, bits FROM door WHERE sender = ?", (sender,))
    return None if row is None else _Door(*row)


def _queue(tx: Tx, number: int) -> _Queue | None:
    """A queue, None where its owner is none any more."""
    row = tx.one(
        "SELECT q.id, q.owner, q.bytes_max, q.ttl_s FROM queue q JOIN owner o ON o.id = q.owner"
        " WHERE q.id = ? AND o.permit > 0",
        (number,),
    )
    return None if row is None else _Queue(*row)


def _fits(tx: Tx, door: int, size: int) -> bool:
    """Whether the door, the queue, the owner and the file have room for a parcel of this size."""
    row = tx.one(
        "SELECT d.items < d.items_max AND q.items < q.items_max AND q.bytes + ?1 <= q.bytes_max"
        " AND o.bytes + ?1 <= p.space FROM door d, queue q, owner o, permit p"
        " WHERE d.id = ?2 AND q.id = d.queue AND o.id = q.owner AND p.id = o.permit",
        (size, door),
    )
    return row == (1,) and keeping.has_room(tx, PARCEL_BYTES + 2 * size)


def _take_old_away(tx: Tx, age_s: int) -> None:
    """Makes room by what has expired, up to a limit: others wait for this transaction."""
    for _ in range(SLICES_MAX):
        if not expire(tx, age_s):
            return


def _empty(tx: Tx, number: int) -> bool:
    return _take_away(tx, _WHERE_QUEUE, (number,))


def _take_away(tx: Tx, where: str, params: Sequence[Any]) -> bool:
    """Deletes a slice of parcels and counts them off; returns whether it was a full one."""
    rows = tx.all(f"SELECT place, queue, door, LENGTH(envelope) FROM parcel WHERE {where} LIMIT ?", (*params, SLICE))
    if not rows:
        return False
    tx.executemany("DELETE FROM parcel WHERE place = ?", [(place,) for place, *_ in rows])
    owners = [(place >> SEQ_BITS, size) for place, _, _, size in rows]
    _count_off(tx, "owner", owners)
    _count_off(tx, "queue", [(queue, size) for _, queue, _, size in rows])
    doors = Counter(door for _, _, door, _ in rows)
    tx.executemany("UPDATE door SET items = items - ? WHERE id = ?", [(n, door) for door, n in doors.items()])
    return len(rows) == SLICE


def _count_off(tx: Tx, table: str, gone: Iterable[tuple[int, int]]) -> None:
    items: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for number, size in gone:
        items[number] += 1
        sizes[number] += size
    tx.executemany(
        f"UPDATE {table} SET items = items - ?, bytes = bytes - ? WHERE id = ?",
        [(items[number], sizes[number], number) for number in items],
    )
