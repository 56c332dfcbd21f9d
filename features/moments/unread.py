"""What of feeds is still to be read, as the database tells it: a node asks when it starts.

Each function is one step of a transaction. How it is read: reading.py, past.py.
"""

from features.moments.content import Ref
from protocol import entry
from protocol.grant import Role
from store import entries, handovers, logs, spaces
from store.database import Tx
from store.entries import Kept
from store.logs import State
from store.spaces import Space


def feeds(tx: Tx) -> set[int]:
    """The feeds in which anything may be new, by their numbers: all but those that are over and read to the end."""
    rows = tx.all(
        "SELECT s.log FROM space s JOIN log l ON l.number = s.log LEFT JOIN moment_read r ON r.feed = l.id"
        " WHERE s.role = ?1 AND (s.contact = ?2 OR l.state != ?3"
        " OR EXISTS (SELECT 1 FROM entry e WHERE e.key BETWEEN (l.number << ?4) | COALESCE(r.next, 0)"
        " AND (l.number << ?4) | ?5)"
        " OR EXISTS (SELECT 1 FROM moment_key k WHERE k.feed = l.id AND k.contact = s.contact)"
        " OR EXISTS (SELECT 1 FROM moment_chain d WHERE d.feed = l.id AND d.contact = s.contact AND d.due = 1)"
        " OR (EXISTS (SELECT 1 FROM handover h WHERE h.log = s.log)"  # of which was perhaps heard a moment ago
        " AND NOT EXISTS (SELECT 1 FROM moment_chain c WHERE c.feed = l.id)))",
        (int(Role.FEED), spaces.OURS, int(State.OVER), logs.SEQ_BITS, entry.SEQ_MAX),
    )
    return {number for (number,) in rows}


def read_to(tx: Tx, of: Space) -> int:
    """The first place of a feed that was not read yet."""
    row = tx.one("SELECT next FROM moment_read WHERE feed = ?", (of.log.id,))
    return 0 if row is None else int(row[0])


def note(tx: Tx, of: Space, following: int) -> None:
    """A feed was read up to this place."""
    tx.execute("INSERT OR REPLACE INTO moment_read (feed, next) VALUES (?, ?)", (of.log.id, following))
    done = (of.contact, of.log.id, following)
    tx.execute("DELETE FROM moment_dropped WHERE contact = ? AND feed = ? AND seq < ?", done)


def dropped(tx: Tx, of: Space) -> set[int]:
    """The places of a feed whose contents were dropped before their entries came."""
    rows = tx.all("SELECT seq FROM moment_dropped WHERE contact = ? AND feed = ?", (of.contact, of.log.id))
    return {seq for (seq,) in rows}


def is_dropped(tx: Tx, contact_id: int, ref: Ref) -> bool:
    """Whether the author of this place has dropped what it says, whether or not its entry has come."""
    log = logs.by_id(tx, ref.log)
    if log is not None and entries.id_at(tx, log.number, ref.seq) is not None:
        return entries.kept(tx, log.number, ref.seq) is Kept.DELETED
    where = (contact_id, ref.log, ref.seq)
    return tx.one("SELECT 1 FROM moment_dropped WHERE contact = ? AND feed = ? AND seq = ?", where) is not None


def told(tx: Tx, numbers: set[int]) -> None:
    """Chains of these feeds have come: they are read again, and those in which they go on."""
    found: set[int] = set()
    for number in sorted(numbers):
        if number not in found:
            found |= {number, *handovers.later(tx, number)}
    for number in sorted(found):
        tx.changed(logs.TOPIC, number)


def late(tx: Tx, of: Space, count: int) -> list[tuple[int, bytes]]:
    """Places of a feed whose contents were waited for and are here by now, at most so many, each with what opens it;
    they are given once."""
    rows = tx.all(
        "SELECT k.seq, k.key FROM moment_key k JOIN entry e ON e.key = (?1 << ?2) | k.seq"
        " WHERE k.feed = ?3 AND k.contact = ?4 AND e.kept = ?5 ORDER BY k.seq LIMIT ?6",
        (of.log.number, logs.SEQ_BITS, of.log.id, of.contact, int(Kept.HERE), count),
    )
    tx.executemany(
        "DELETE FROM moment_key WHERE feed = ? AND contact = ? AND seq = ? AND key = ?",
        [(of.log.id, of.contact, seq, key) for seq, key in rows],
    )
    return [(seq, key) for seq, key in rows]
