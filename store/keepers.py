"""The keepers of this account, and the queues that it has at them: one for each contact and keeper.

docs/protocol/mailbox.md. Where contacts of ours can be left mail is in inboxes.py, what a keeper keeps for others in
shelves.py; who speaks with a keeper is node/keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from crypto import keys
from protocol import keeper_watch, mailbox, wire
from store import keeper_words
from store.database import Tx

CHANGED = "keepers.changed"  # topic of changes; the key is the keeper
OWN = 0  # in place of a contact: a node of our own
USED_MAX = mailbox.LINES_MAX
DAY_S = 86_400
KNOWN_MAX = 64  # offers that are remembered; more people than that keep for nobody
ADDRESSES_BYTES_MAX = 4 * 1024
LINES_BYTES_MAX = 4 * 1024
_COLUMNS = (
    "id, contact, name, state, version, permit, find, owner_seed, peer, addresses, space, ttl_s, since_ms, seen_ms,"
    " bytes, items, done, fault, lie"
)
_QUEUE_COLUMNS = "id, keeper, contact, reader, sender, put_key, wrap_key, state, watch"


class State(IntEnum):
    """How we stand to a keeper. The numbers are stored."""

    OFFERED = 0  # he would keep for us
    USED = 1
    LEFT = 2  # we want it no more: what is there is to be deleted
    DECLINED = 3  # the person wants no offer of his


class QueueState(IntEnum):
    """Whether a queue is there. The numbers are stored."""

    WANTED = 0  # the keeper has not answered yet
    OPEN = 1
    UNWANTED = 2  # the keeper is to close it


@dataclass(frozen=True, slots=True)
class Keeper:
    """A keeper. contact: OWN for a node of our own; name: of such a node. permit: 32 bytes; find: the secret of its
    record in the DHT. owner_seed: of the key that the queues there belong to. peer: its transport key, empty while
    unknown. bytes, items: what it had for us when it said so last. done: up to where we have confirmed. fault: what is
    wrong with it now; lie: what it was last found to do with our mail, until it is taken into use again.
    """

    id: int
    contact: int
    name: str
    state: State
    version: int
    permit: bytes = field(repr=False)
    find: bytes = field(repr=False)
    owner_seed: bytes = field(repr=False)
    peer: bytes
    addresses: tuple[str, ...]
    space: int
    ttl_s: int
    since_ms: int
    seen_ms: int
    bytes: int
    items: int
    done: int
    fault: str
    lie: str

    @property
    def is_brief(self) -> bool:
        """Whether it keeps for so short a time that no lie of it would be found (parcel 3.5); it is not used."""
        return self.ttl_s < keeper_watch.TTL_S_MIN

    @property
    def wrong(self) -> str:
        """What a person should know of it; "" for nothing."""
        brief = f"{self.briefly}; it is not used" if self.is_brief else ""
        return self.lie or keeper_words.wrong(self.fault, self.contact == OWN) or brief

    @property
    def full(self) -> str:
        """That it takes no more of ours, by what it said last; "" where it does."""
        return keeper_words.full(self.bytes, self.space)

    @property
    def briefly(self) -> str:
        """For how long it keeps, and for how long it should."""
        return f"it keeps for {self.ttl_s // DAY_S} days, and should for {keeper_watch.TTL_S_MIN // DAY_S} at least"

    @property
    def owner_key(self) -> keys.SigningKey:
        """The key to which the queues at this keeper belong."""
        return keys.SigningKey(self.owner_seed)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue at a keeper, for what one contact leaves. watch: what protocol/keeper_watch.py knows of it."""

    id: int
    keeper: int
    contact: int
    reader: bytes
    sender: bytes
    put_key: bytes = field(repr=False)
    wrap_key: bytes = field(repr=False)
    state: QueueState
    watch: bytes


def offered(
    tx: Tx, contact_id: int, permit: bytes, find: bytes, space: int, ttl_s: int, version: int, now_ms: int
) -> Keeper | None:
    """Keeps what a contact offers; None where it is older than what is known, or there are 64 offers already.

    space: 0 where he keeps for us no more: then his queues are unwanted, and the row goes with them.
    """
    known = of_contact(tx, contact_id)
    if known is not None and version <= known.version:
        return None
    if space == 0:
        if known is not None:
            forget(tx, known.id)
        return None
    if known is not None:
        tx.execute(
            "UPDATE keeper SET permit = ?, find = ?, space = ?, ttl_s = ?, version = ? WHERE id = ?",
            (permit, find, space, ttl_s, version, known.id),
        )
        tx.changed(CHANGED, known.id)
        return keeper(tx, known.id)
    count = tx.one("SELECT COUNT(*) FROM keeper")
    if count is not None and count[0] >= KNOWN_MAX:
        return None
    return _insert(tx, contact_id, "", State.OFFERED, version, permit, find, b"", (), space, ttl_s, now_ms)


def add_own(
    tx: Tx, name: str, permit: bytes, find: bytes, peer: bytes, addresses: Sequence[str], ttl_s: int, now_ms: int
) -> Keeper:
    """A keeper node of our own, not used yet; the same one again is the same row under this name."""
    row = tx.one("SELECT id FROM keeper WHERE contact = ? AND peer = ?", (OWN, peer))
    if row is None:
        return _insert(tx, OWN, name, State.OFFERED, 0, permit, find, peer, addresses, 0, ttl_s, now_ms)
    tx.execute(
        "UPDATE keeper SET name = ?, permit = ?, find = ?, addresses = ? WHERE id = ?",
        (name, permit, find, wire.encode(tuple(addresses)), row[0]),
    )
    tx.changed(CHANGED, row[0])
    return keeper(tx, row[0])


def use(tx: Tx, keeper_id: int, owner_seed: bytes) -> None:
    """From now on this keeper keeps for us, and what it was caught at is forgiven.

    owner_seed: 32 random bytes, of a key that no other keeper sees.
    """
    tx.execute(
        "UPDATE keeper SET state = ?, lie = '', owner_seed = CASE owner_seed WHEN x'' THEN ? ELSE owner_seed END"
        " WHERE id = ?",
        (int(State.USED), owner_seed, keeper_id),
    )
    tx.changed(CHANGED, keeper_id)


def leave(tx: Tx, keeper_id: int, state: State) -> None:
    """This keeper is to keep for us no more. state: LEFT or DECLINED."""
    tx.execute("UPDATE keeper SET state = ? WHERE id = ?", (int(state), keeper_id))
    tx.execute("UPDATE queue SET state = ? WHERE keeper = ?", (int(QueueState.UNWANTED), keeper_id))
    tx.changed(CHANGED, keeper_id)


def ended(tx: Tx, keeper_id: int) -> None:
    """Nothing of ours is left at a keeper that we have left. A contact's offer is remembered, and not taken again."""
    one = keeper(tx, keeper_id)
    if one.contact == OWN:
        forget(tx, keeper_id)
        return
    tx.execute("UPDATE keeper SET owner_seed = x'', done = 0, bytes = 0, items = 0 WHERE id = ?", (keeper_id,))
    tx.changed(CHANGED, keeper_id)


def forget(tx: Tx, keeper_id: int) -> None:
    """The keeper is gone, and all queues with it."""
    tx.execute("DELETE FROM keeper WHERE id = ?", (keeper_id,))
    tx.execute("DELETE FROM queue WHERE keeper = ?", (keeper_id,))
    tx.changed(CHANGED, keeper_id)


def keeper(tx: Tx, keeper_id: int) -> Keeper:
    """The keeper in this row. It exists."""
    found = find(tx, keeper_id)
    assert found is not None
    return found


def find(tx: Tx, keeper_id: int) -> Keeper | None:
    """The keeper in this row, if there is one."""
    row = tx.one(f"SELECT {_COLUMNS} FROM keeper WHERE id = ?", (keeper_id,))
    return None if row is None else _keeper(row)


def of_contact(tx: Tx, contact_id: int) -> Keeper | None:
    """What a contact offers."""
    row = tx.one(f"SELECT {_COLUMNS} FROM keeper WHERE contact = ? AND contact != ?", (contact_id, OWN))
    return None if row is None else _keeper(row)


def known(tx: Tx) -> tuple[Keeper, ...]:
    """All, our own nodes first, then in the order in which they came."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM keeper ORDER BY contact != ?, id", (OWN,))
    return tuple(map(_keeper, rows))


def used(tx: Tx) -> tuple[Keeper, ...]:
    """Those that keep for us, at most 3, our own nodes first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM keeper WHERE state = ? ORDER BY contact != ?, id LIMIT ?",
        (int(State.USED), OWN, USED_MAX),
    )
    return tuple(map(_keeper, rows))


def name(tx: Tx, one: Keeper) -> str:
    """How the person calls a keeper."""
    if one.contact == OWN:
        return one.name
    row = tx.one("SELECT name FROM contact WHERE id = ?", (one.contact,))
    assert row is not None
    return str(row[0])


def met(tx: Tx, keeper_id: int, peer: bytes, addresses: Sequence[str], now_ms: int) -> None:
    """The keeper was reached under this PeerId. addresses: where it can be dialled; none leaves what is known."""
    tx.execute("UPDATE keeper SET peer = ?, seen_ms = ?, fault = '' WHERE id = ?", (peer, now_ms, keeper_id))
    if addresses:
        told = wire.encode(tuple(addresses[: mailbox.ADDRESSES_MAX]))
        tx.execute("UPDATE keeper SET addresses = ? WHERE id = ?", (told, keeper_id))
    tx.changed(CHANGED, keeper_id)


def counted(tx: Tx, keeper_id: int, size: int, items: int, space: int) -> None:
    """What the keeper says that it has for us, and may have, in bytes."""
    tx.execute("UPDATE keeper SET bytes = ?, items = ?, space = ? WHERE id = ?", (size, items, space, keeper_id))


def blamed(tx: Tx, keeper_id: int, fault: str) -> None:
    """What is wrong with a keeper, as a sentence for a person; "" for nothing."""
    if (before := find(tx, keeper_id)) is not None and before.fault != fault:
        tx.execute("UPDATE keeper SET fault = ? WHERE id = ?", (fault, keeper_id))
        tx.changed(CHANGED, keeper_id)


def caught(tx: Tx, keeper_id: int, lie: str) -> None:
    """What a keeper was found to do with our mail, as a sentence for a person."""
    if tx.execute("UPDATE keeper SET lie = ? WHERE id = ? AND lie != ?", (lie, keeper_id, lie)).rowcount:
        tx.changed(CHANGED, keeper_id)


def done(tx: Tx, keeper_id: int, upto: int) -> None:
    """The keeper has answered that everything up to here is deleted."""
    tx.execute("UPDATE keeper SET done = MAX(done, ?) WHERE id = ?", (upto, keeper_id))


# --- queues


def want_queues(tx: Tx, keeper_id: int, contact_ids: Sequence[int], entropy: keys.Entropy) -> None:
    """Makes a queue for each of these contacts who has none at this keeper; ids and keys are random."""
    for contact_id in contact_ids:
        tx.execute(
            f"INSERT INTO queue ({_QUEUE_COLUMNS[4:]}) VALUES (?, ?, ?, ?, ?, ?, ?, x'')"
            " ON CONFLICT (contact, keeper) DO UPDATE SET state = MIN(state, ?)",
            (
                keeper_id,
                contact_id,
                entropy(mailbox.ID_BYTES),
                entropy(mailbox.ID_BYTES),
                entropy(mailbox.KEY_BYTES),
                entropy(mailbox.KEY_BYTES),
                int(QueueState.WANTED),
                int(QueueState.OPEN),
            ),
        )


def unwant(tx: Tx, keeper_id: int, contact_ids: Sequence[int]) -> None:
    """These contacts may leave nothing at this keeper any more."""
    unwanted = int(QueueState.UNWANTED)
    rows = [(unwanted, keeper_id, contact_id) for contact_id in contact_ids]
    tx.executemany("UPDATE queue SET state = ? WHERE keeper = ? AND contact = ?", rows)


def lost(tx: Tx, keeper_id: int, by_us: bool) -> None:
    """The keeper does not have our queues any more: others are made, and their contacts told.

    by_us: whether our own disk was put back, which has forgotten that we closed them.
    """
    tx.execute("DELETE FROM queue WHERE keeper = ?", (keeper_id,))
    tx.execute("UPDATE keeper SET done = 0 WHERE id = ?", (keeper_id,))
    if keeper(tx, keeper_id).contact == OWN and not by_us:
        caught(tx, keeper_id, keeper_words.LOST)
    tx.changed(CHANGED, keeper_id)


def set_queues(tx: Tx, queue_ids: Sequence[int], state: QueueState) -> None:
    """What the keeper has answered of these queues."""
    tx.executemany("UPDATE queue SET state = ? WHERE id = ?", [(int(state), one) for one in queue_ids])


def forget_queues(tx: Tx, queue_ids: Sequence[int]) -> None:
    """These are closed."""
    tx.executemany("DELETE FROM queue WHERE id = ?", [(one,) for one in queue_ids])


def set_watch(tx: Tx, queue_id: int, watch: bytes) -> None:
    """Keeps what is known of a queue."""
    tx.execute("UPDATE queue SET watch = ? WHERE id = ?", (watch, queue_id))


def queues(tx: Tx, keeper_id: int, *states: QueueState) -> tuple[Queue, ...]:
    """The queues at a keeper that are in one of these states, or all."""
    rows = tx.all(f"SELECT {_QUEUE_COLUMNS} FROM queue WHERE keeper = ? ORDER BY contact", (keeper_id,))
    return tuple(one for one in map(_queue, rows) if not states or one.state in states)


def queue_of(tx: Tx, keeper_id: int, contact_id: int) -> Queue | None:
    """The queue of a contact at a keeper."""
    row = tx.one(f"SELECT {_QUEUE_COLUMNS} FROM queue WHERE contact = ? AND keeper = ?", (contact_id, keeper_id))
    return None if row is None else _queue(row)


def queue_by_reader(tx: Tx, keeper_id: int, reader: bytes) -> Queue | None:
    """The queue at this keeper that we call by this id."""
    row = tx.one(f"SELECT {_QUEUE_COLUMNS} FROM queue WHERE reader = ? AND keeper = ?", (reader, keeper_id))
    return None if row is None else _queue(row)


def queue_by_sender(tx: Tx, sender: bytes) -> Queue | None:
    """The queue that its contact calls by this id."""
    row = tx.one(f"SELECT {_QUEUE_COLUMNS} FROM queue WHERE sender = ?", (sender,))
    return None if row is None else _queue(row)


def _insert(
    tx: Tx,
    contact_id: int,
    name: str,
    state: State,
    version: int,
    permit: bytes,
    find_secret: bytes,
    peer: bytes,
    addresses: Sequence[str],
    space: int,
    ttl_s: int,
    now_ms: int,
) -> Keeper:
    keeper_id = tx.insert(
        f"INSERT INTO keeper ({_COLUMNS[4:]}) VALUES (?, ?, ?, ?, ?, ?, x'', ?, ?, ?, ?, ?, 0, 0, 0, 0, '', '')",
        (
            *(contact_id, name, int(state), version, permit, find_secret, peer),
            *(wire.encode(tuple(addresses)), space, ttl_s, now_ms),
        ),
    )
    tx.changed(CHANGED, keeper_id)
    return keeper(tx, keeper_id)


def _keeper(row: tuple[Any, ...]) -> Keeper:
    keeper_id, contact_id, name, state, version, permit, find_secret, seed, peer, addresses, *rest = row
    texts: Any = wire.decode(addresses, ADDRESSES_BYTES_MAX)
    stands = (keeper_id, contact_id, name, State(state), version, permit, find_secret, seed, peer, texts)
    return Keeper(*stands, *rest)


def _queue(row: tuple[Any, ...]) -> Queue:
    queue_id, keeper_id, contact_id, reader, sender, put_key, wrap_key, state, watch = row
    return Queue(queue_id, keeper_id, contact_id, reader, sender, put_key, wrap_key, QueueState(state), watch)
