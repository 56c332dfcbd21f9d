"""Who shares which log: its author's contact, what it is for, its anchor, and who may have it.

docs/protocol/grant.md. A log of our own has readers, each of whom was granted it; a log of a contact's device was
granted to us. Not here: entries (entries.py), the logs themselves (logs.py), witnesses (witnessing.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from crypto.faults import Malformed
from protocol import identity as documents
from protocol import log as chains
from protocol.faults import PeerFault
from protocol.grant import Grant, Role
from protocol.identity import Certificate
from protocol.ids import AccountId
from store import logs
from store.database import Row, Tx
from store.inbox import Arrival
from store.logs import Log, State
from store.people import STOPS, ContactState

CHANGED = "space"  # a topic: who may have which log; its key is the number of the log
OURS = 0  # as a contact: we write it
LOGS_OF_CONTACT_MAX = 256  # that go on, granted by one contact: 64 of each of four devices would be many
LOGS_EVER_MAX = 4096  # with those that are over: a feed that goes on in another twice a day, for five years
_SPACE = "s.log, s.contact, s.role, s.name, s.anchor, s.epoch, s.previous, s.since_ms"
_LOG = "l.number, l.id, l.author, l.own, l.secret_ref, l.state, l.published"
_JOINED = f"SELECT {_SPACE}, {_LOG} FROM space s JOIN log l ON l.number = s.log"


class TooManyLogs(PeerFault):
    """A contact granted more logs than this node takes from one contact; this one was dropped."""


@dataclass(frozen=True, slots=True)
class Space:
    """A log and who shares it. contact: whose device writes it, 0 for ours; anchor: an account, 32 bytes.

    previous: number of the log that it goes on, 0 for none.
    """

    log: Log
    contact: int
    role: Role
    name: str
    anchor: bytes
    epoch: int
    previous: int
    since_ms: int


def begin(
    tx: Tx,
    author: bytes,
    role: Role,
    name: str,
    secret: bytes,
    epoch: int,
    anchor: bytes,
    readers: Iterable[int],
    previous: int,
    now_ms: int,
) -> Space:
    """A new log of our own, for these contacts; telling them is the caller's. secret: 32 bytes, anchor: an account."""
    begun = logs.begin(tx, chains.log_id(secret, author, epoch), author, secret, own=True)
    _put(tx, begun.number, OURS, role, name, anchor, epoch, previous, now_ms)
    for contact_id in readers:
        add_reader(tx, begun.number, contact_id)
    return space(tx, begun.number)


def granted(tx: Tx, arrival: Arrival) -> None:
    """A contact's device lets us have a log of its own, or a feed that a lost device of his wrote.

    Raises: TooManyLogs, Forged (the device was none of his), Malformed.
    """
    said = arrival.said.content
    assert isinstance(said, Grant)
    author: bytes = arrival.device.device
    if said.writer is not None:
        author = _writer(said, arrival.contact.account)
    take(tx, arrival.contact.id, author, said, arrival.now_ms)


def take(tx: Tx, contact_id: int, author: bytes, said: Grant, now_ms: int) -> None:
    """The log of this grant is a contact's. author: the device that writes it. Raises: TooManyLogs."""
    # Looked for first: a log that names itself is not there yet.
    before = None if said.previous is None else logs.by_id(tx, said.previous)
    if before is not None and (before.own or space(tx, before.number).contact != contact_id):
        before = None
    current, ever = _count(tx, contact_id)
    if before is not None and before.state is State.OK:  # it ends now
        current -= 1
    if current >= LOGS_OF_CONTACT_MAX or ever >= LOGS_EVER_MAX:
        raise TooManyLogs
    begun = logs.begin(tx, chains.log_id(said.secret, author, said.epoch), author, said.secret, own=False)
    if tx.one("SELECT 1 FROM space WHERE log = ?", (begun.number,)) is not None:
        return
    goes_on = 0
    if before is not None:
        goes_on = before.number
        logs.end(tx, goes_on)
    _put(tx, begun.number, contact_id, said.role, said.name, said.anchor, said.epoch, goes_on, now_ms)


def put_back(tx: Tx, number: int, contact_id: int, said: Grant) -> None:
    """The space of a log as a backup has it, where it is not there yet, and which log it goes on. since_ms is lost.

    What it goes on is over, where the backup has that too: of ledgers and feeds.
    """
    before = None if said.previous is None else logs.by_id(tx, said.previous)
    if tx.one("SELECT 1 FROM space WHERE log = ?", (number,)) is None:
        _put(tx, number, contact_id, said.role, said.name, said.anchor, said.epoch, before.number if before else 0, 0)
    elif before is not None:
        tx.execute("UPDATE space SET previous = ? WHERE log = ? AND previous = 0", (before.number, number))
    if before is not None:
        logs.end(tx, before.number)


def space(tx: Tx, number: int) -> Space:
    """The space of the log in this row. It exists."""
    row = tx.one(f"{_JOINED} WHERE s.log = ?", (number,))
    assert row is not None
    return _space(row)


def of(tx: Tx, contact_id: int) -> tuple[Space, ...]:
    """The logs that a contact's devices write, or, for OURS, our own; in the order in which they began."""
    return tuple(map(_space, tx.all(f"{_JOINED} WHERE s.contact = ? ORDER BY s.log", (contact_id,))))


def of_role(tx: Tx, contact_id: int, role: Role) -> tuple[Space, ...]:
    """As `of`, of this role alone."""
    rows = tx.all(f"{_JOINED} WHERE s.contact = ? AND s.role = ? ORDER BY s.log", (contact_id, int(role)))
    return tuple(map(_space, rows))


def some(tx: Tx, numbers: Iterable[int], role: Role) -> tuple[Space, ...]:
    """Those of these logs that have this role, in the order in which they began."""
    rows = (tx.one(f"{_JOINED} WHERE s.log = ? AND s.role = ?", (one, int(role))) for one in sorted(numbers))
    return tuple(_space(row) for row in rows if row is not None)


def every(tx: Tx) -> tuple[Space, ...]:
    """All logs, in the order in which they began."""
    return tuple(map(_space, tx.all(f"{_JOINED} ORDER BY s.log")))


def ledger(tx: Tx, contact_id: int) -> tuple[tuple[Space, ...], tuple[Space, ...]]:
    """The logs of the ledger with a contact, in the order in which they began: ours, and those of his devices."""
    ours = tx.all(
        f"{_JOINED} WHERE s.contact = ? AND s.role = ?"
        " AND s.log IN (SELECT log FROM reader WHERE contact = ?) ORDER BY s.log",
        (OURS, Role.LEDGER, contact_id),
    )
    theirs = tx.all(f"{_JOINED} WHERE s.contact = ? AND s.role = ? ORDER BY s.log", (contact_id, Role.LEDGER))
    return tuple(map(_space, ours)), tuple(map(_space, theirs))


def known_to(tx: Tx, contact_id: int, count_max: int) -> tuple[Space, ...]:
    """The logs of which a contact may know: ours that he was granted, his, and those of others, whom he may know too.

    What others write he is told only if he has the secret himself: a session shows tags, never ids (sync 2.1).
    """
    rows = tx.all(
        f"{_JOINED} LEFT JOIN contact c ON c.id = s.contact"
        " WHERE (s.contact = ? AND EXISTS (SELECT 1 FROM reader r WHERE r.log = s.log AND r.contact = ?))"
        " OR (s.contact != ? AND c.state = ?) ORDER BY s.contact != ?, s.contact != ?, l.state = ?, s.log DESC LIMIT ?",
        (OURS, contact_id, OURS, int(ContactState.ACTIVE), OURS, contact_id, State.OVER, count_max),
    )
    return tuple(map(_space, rows))


def add_reader(tx: Tx, number: int, contact_id: int) -> None:
    """Lets a contact have a log of ours; he is told soon (`untold`)."""
    tx.execute("INSERT INTO reader (log, contact, told) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", (number, contact_id))
    tx.changed(CHANGED, number)


def forgotten(tx: Tx, number: int, contact_id: int) -> None:
    """A reader of a log of ours does not know it any more: he is told again."""
    tx.execute("UPDATE reader SET told = 0 WHERE log = ? AND contact = ?", (number, contact_id))
    tx.changed(CHANGED, number)


def readers(tx: Tx, number: int) -> tuple[int, ...]:
    """The contacts who may have a log of ours."""
    return tuple(row[0] for row in tx.all("SELECT contact FROM reader WHERE log = ? ORDER BY contact", (number,)))


def untold(tx: Tx) -> tuple[tuple[int, int], ...]:
    """(log, contact) of the readers of our own logs who are contacts now and were not told yet; the oldest logs first.

    Of a feed also what is over: who joins may see what was before.
    """
    rows = tx.all(
        "SELECT r.log, r.contact FROM reader r JOIN contact c ON c.id = r.contact JOIN log l ON l.number = r.log"
        " JOIN space s ON s.log = r.log WHERE r.told = 0 AND l.own = 1 AND c.state = ? AND c.alarm != ?"
        " AND (l.state = ? OR (s.role = ? AND l.state = ?)) ORDER BY r.log, r.contact",
        (int(ContactState.ACTIVE), STOPS, State.OK, Role.FEED, State.OVER),
    )
    return tuple((number, contact_id) for number, contact_id in rows)


def gone(tx: Tx) -> tuple[tuple[int, int], ...]:
    """(log, contact) of the readers of our logs that go on who are blocked or refused.

    Of a ledger nobody else is a reader: it waits for who is blocked, and nothing goes on without him.
    """
    rows = tx.all(
        "SELECT r.log, r.contact FROM contact c JOIN reader r ON r.contact = c.id JOIN log l ON l.number = r.log"
        " JOIN space s ON s.log = l.number"
        " WHERE c.state IN (?, ?) AND l.state = ? AND l.own = 1 AND s.role != ? ORDER BY r.log, r.contact",
        (int(ContactState.BLOCKED), int(ContactState.REFUSED), logs.State.OK, Role.LEDGER),
    )
    return tuple((number, contact_id) for number, contact_id in rows)


def unaware(tx: Tx, number: int) -> frozenset[int]:
    """The contacts who may have a log of ours and were not told."""
    return frozenset(row[0] for row in tx.all("SELECT contact FROM reader WHERE log = ? AND told = 0", (number,)))


def told(tx: Tx, number: int, contact_id: int) -> None:
    """The grant of a log is in the outbox, in this transaction."""
    tx.execute("UPDATE reader SET told = 1 WHERE log = ? AND contact = ?", (number, contact_id))


def drop_reader(tx: Tx, number: int, contact_id: int) -> None:
    """From now on this contact is shown no more of a log of ours; what he has he keeps."""
    tx.execute("DELETE FROM reader WHERE log = ? AND contact = ?", (number, contact_id))
    tx.changed(CHANGED, number)


def grant(tx: Tx, number: int, writer: Certificate | None = None) -> Grant:
    """What a reader of a log of ours is told. writer: of the device that wrote it, where that is lost."""
    one = space(tx, number)
    previous = logs.log(tx, one.previous).id if one.previous else None
    return Grant(one.role, one.epoch, one.log.secret, one.anchor, one.name, previous, writer)


def newest_spine(tx: Tx, contact_id: int, author: bytes) -> Space | None:
    """The spine that a device writes now. contact_id: whose device, OURS for ours."""
    row = tx.one(
        f"{_JOINED} WHERE s.contact = ? AND s.role = ? AND l.author = ? AND l.state = ? ORDER BY s.log DESC LIMIT 1",
        (contact_id, Role.SPINE, author, State.OK),
    )
    return None if row is None else _space(row)


def _writer(said: Grant, account: AccountId) -> bytes:
    """The device that wrote what another one grants: without the account's word anybody's log could be claimed."""
    assert said.writer is not None
    if said.role is not Role.FEED:  # whoever restores writes all else anew
        raise Malformed
    documents.check_certificate(said.writer, account, said.writer.not_before_s)  # it wrote in its time
    return said.writer.device


def _count(tx: Tx, contact_id: int) -> tuple[int, int]:
    """How many logs of a contact go on, or were frozen; and how many there are."""
    row = tx.one(
        "SELECT COUNT(*) FILTER (WHERE l.state != ?), COUNT(*) FROM space s JOIN log l ON l.number = s.log"
        " WHERE s.contact = ?",
        (State.OVER, contact_id),
    )
    assert row is not None
    return int(row[0]), int(row[1])


def _put(
    tx: Tx,
    number: int,
    contact_id: int,
    role: Role,
    name: str,
    anchor: bytes,
    epoch: int,
    previous: int,
    now_ms: int,
) -> None:
    tx.execute(
        "INSERT INTO space (log, contact, role, name, anchor, epoch, previous, since_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, contact_id, int(role), name, anchor, epoch, previous, now_ms),
    )
    tx.changed(CHANGED, number)


def _space(row: Row) -> Space:
    _, contact_id, role, name, anchor, epoch, previous, since_ms, *rest = row
    return Space(logs.of_row(tuple(rest)), contact_id, Role(role), name, anchor, epoch, previous, since_ms)
