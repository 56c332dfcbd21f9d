"""Feeds that go on in others for all their readers, and who is still to be told so by us (docs/protocol/grant.md 8).

A handover is kept as it came, for whoever lacks it: another reader cannot make one, and need not. Not here: grants
(spaces.py), when a log is handed over (node/logs/desks.py), when it is passed on (node/logs/ushers.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crypto.keys import Entropy, SigningKey
from protocol import grant, record
from protocol import log as chains
from protocol.grant import Handover, Role
from store import logs, people, spaces
from store.database import Migration, Tx
from store.inbox import Arrival
from store.logs import State
from store.people import ContactState
from store.spaces import Space, TooManyLogs

NONCE_BYTES = 24
RAW_BYTES_MAX = 512
SCHEMA = (
    Migration(
        "logs",
        5,
        """
        CREATE TABLE handover (log INTEGER NOT NULL PRIMARY KEY, raw BLOB NOT NULL) STRICT;
        CREATE TABLE handover_debt (
          log INTEGER NOT NULL, contact INTEGER NOT NULL, since_ms INTEGER NOT NULL, said INTEGER NOT NULL,
          PRIMARY KEY (log, contact)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX handover_debt_open ON handover_debt (contact, log) WHERE said = 0;
        """,
    ),
)
_LATER = (
    "WITH RECURSIVE later (log) AS (SELECT log FROM space WHERE previous = ?"
    " UNION SELECT s.log FROM later JOIN space s ON s.previous = later.log)"
)
_OUT = frozenset({ContactState.BLOCKED, ContactState.REFUSED})


@dataclass(frozen=True, slots=True)
class Debt:
    """A contact who perhaps has not heard that a feed of somebody else goes on in this log. author: a contact."""

    number: int
    contact: int
    author: int
    since_ms: int


def make(tx: Tx, begun: Space, key: SigningKey, entropy: Entropy) -> None:
    """Keeps the handover to a successor of a feed of ours, where all readers of the one before are its readers."""
    before = logs.log(tx, begun.previous)
    readers = spaces.readers(tx, before.number)
    is_all = set(readers) == set(spaces.readers(tx, begun.log.number))
    if begun.role is Role.FEED and before.own and is_all and not _OUT & {people.contact(tx, r).state for r in readers}:
        said = grant.hand_over(before.secret, spaces.grant(tx, begun.log.number), key, entropy(NONCE_BYTES))
        _keep(tx, begun.log.number, said)


def of(tx: Tx, number: int) -> Handover | None:
    """By which this log was handed what the log before was; None where it was not."""
    row = tx.one("SELECT raw FROM handover WHERE log = ?", (number,))
    return None if row is None else record.decode(Handover, row[0], RAW_BYTES_MAX)


def heard(tx: Tx, arrival: Arrival) -> None:
    """Somebody says that a feed goes on: its author, or another reader. Raises: Forged, Malformed, TooManyLogs.

    From its author it counts as a grant does. From others the first one does: two copies of a disk may each hand a
    feed over, and what its author says then he has to say by himself.
    """
    said = arrival.said.content
    assert isinstance(said, Handover)
    before = logs.by_id(tx, said.before)
    if before is None:
        return
    feed = spaces.space(tx, before.number)
    if feed.role is not Role.FEED or feed.contact == spaces.OURS:
        return
    if people.contact(tx, feed.contact).state is not ContactState.ACTIVE:
        return
    granted = grant.handed(said, before.author, before.secret)
    begun = logs.by_id(tx, chains.log_id(granted.secret, before.author, granted.epoch))
    if begun is None:
        is_his = arrival.contact.id == feed.contact
        if not is_his and before.state is not State.OK:
            return
        try:
            spaces.take(tx, feed.contact, before.author, granted, arrival.now_ms)
        except TooManyLogs:
            if is_his:
                raise
            return  # who passes it on is not to blame
        begun = logs.by_id(tx, chains.log_id(granted.secret, before.author, granted.epoch))
    if begun is not None and not begun.own and spaces.space(tx, begun.number).previous == before.number:
        _keep(tx, begun.number, said)


def later(tx: Tx, number: int) -> tuple[int, ...]:
    """The logs in which this one goes on, the oldest first."""
    return tuple(log for (log,) in tx.all(f"{_LATER} SELECT log FROM later ORDER BY log", (number,)))


def without(tx: Tx, number: int) -> tuple[int, ...]:
    """The logs in which this one goes on, from the last on that was granted to each reader alone.

    Who knows none of these was perhaps let go; where there are none, nobody was.
    """
    rows = tx.all(
        f"{_LATER} SELECT l.log, h.log IS NULL FROM later l LEFT JOIN handover h ON h.log = l.log ORDER BY l.log",
        (number,),
    )
    alone = [at for at, (_, is_alone) in enumerate(rows) if is_alone]
    return tuple(log for log, _ in rows[alone[-1] :]) if alone else ()


def lacks(tx: Tx, contact_id: int, theirs: Mapping[int, int], here: Mapping[int, int], now_ms: int) -> None:
    """Notes of which feeds a contact has shown that he may not have heard where they go on.

    theirs: the newest entries that he has of feeds of others, by number, -1 for none; here: those that he may have.
    """
    passing: dict[int, int] = {}  # log -> the one before
    for number, before in tx.all(
        "SELECT s.log, s.previous FROM handover h JOIN space s ON s.log = h.log ORDER BY s.log"
    ):
        if theirs.get(number, 0) < 0 and (before in passing or theirs.get(before, -1) >= 0):
            passing[number] = before
    worth: set[int] = set()  # with an entry in it, or on the way to one
    for number in sorted(passing, reverse=True):
        if here.get(number, -1) >= 0 or number in worth:
            worth |= {number, passing[number]}
    tx.executemany(
        "INSERT OR IGNORE INTO handover_debt (log, contact, since_ms, said) VALUES (?, ?, ?, 0)",
        [(number, contact_id, now_ms) for number in passing if number in worth],
    )
    for (number,) in tx.all("SELECT log FROM handover_debt WHERE contact = ? AND said = 0", (contact_id,)):
        if theirs.get(number, -1) >= 0:
            paid(tx, number, contact_id)
    if passing:
        tx.changed(spaces.CHANGED, min(passing))


def debts(tx: Tx) -> tuple[Debt, ...]:
    """Who is still to be told what, as long as they and the authors are contacts; the oldest logs first."""
    active = int(ContactState.ACTIVE)
    rows = tx.all(
        "SELECT d.log, d.contact, s.contact, d.since_ms FROM handover_debt d JOIN space s ON s.log = d.log"
        " JOIN contact c ON c.id = d.contact JOIN contact a ON a.id = s.contact"
        " WHERE d.said = 0 AND c.state = ? AND c.alarm != ? AND a.state = ? ORDER BY d.log, d.contact",
        (active, people.STOPS, active),
    )
    return tuple(Debt(*row) for row in rows)


def paid(tx: Tx, number: int, contact_id: int) -> None:
    """A contact was told, or knows."""
    tx.execute("UPDATE handover_debt SET said = 1 WHERE log = ? AND contact = ?", (number, contact_id))


def _keep(tx: Tx, number: int, said: Handover) -> None:
    if of(tx, number) is None:
        tx.execute("INSERT INTO handover (log, raw) VALUES (?, ?)", (number, record.encode(said)))
        tx.changed(logs.TOPIC, number)  # it may be opened now
