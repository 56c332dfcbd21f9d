"""What of the feeds of others is still to be read, as the database tells it: a node asks when it starts.

Each function is one step of a transaction. How it is read: reading.py.
"""

from protocol import entry
from protocol.grant import Role
from store import logs, spaces
from store.database import Tx
from store.logs import State


def feeds(tx: Tx) -> set[int]:
    """The feeds in which anything may be new, by their numbers: all but those that are over and read to the end."""
    rows = tx.all(
        "SELECT s.log FROM space s JOIN log l ON l.number = s.log LEFT JOIN moment_read r ON r.feed = l.id"
        " WHERE s.role = ?1 AND (s.contact = ?2 OR l.state != ?3"
        " OR EXISTS (SELECT 1 FROM entry e WHERE e.key BETWEEN (l.number << ?4) | COALESCE(r.next, 0)"
        " AND (l.number << ?4) | ?5)"
        " OR EXISTS (SELECT 1 FROM moment_key k WHERE k.feed = l.id AND k.contact = s.contact)"
        " OR (EXISTS (SELECT 1 FROM handover h WHERE h.log = s.log)"  # of which was perhaps heard a moment ago
        " AND NOT EXISTS (SELECT 1 FROM moment_chain c WHERE c.feed = l.id)))",
        (int(Role.FEED), spaces.OURS, int(State.OVER), logs.SEQ_BITS, entry.SEQ_MAX),
    )
    return {number for (number,) in rows}
