"""Which of our contacts are contacts of each other, as far as they have shown it (docs/protocol/grant.md 2.5).

Everybody grants his spine to all his contacts. So who names the spine of another contact of ours, by a tag that takes
its secret, was granted it: the two are contacts. Who names a feed is its reader (sync 4.9). Not here: who names what
(protocol/sync_session.py).
"""

from collections.abc import Iterable

from protocol.grant import Role
from store.database import Tx
from store.logs import State
from store.people import ContactState
from store.spaces import OURS

RENEW_MS = 86_400_000  # when it was last seen is kept this coarsely: most sessions write nothing


def saw(tx: Tx, contact_id: int, named: Iterable[int], now_ms: int) -> None:
    """A contact has named these spines and feeds of others, by their numbers; his own say nothing.

    What one of them goes on says nothing any more.
    """
    named = [*named]
    tx.executemany(
        "INSERT INTO mutual (contact, log, seen_ms) SELECT ?, log, ? FROM space WHERE log = ? AND contact NOT IN (?, ?)"
        " ON CONFLICT (contact, log) DO UPDATE SET seen_ms = excluded.seen_ms"
        " WHERE excluded.seen_ms NOT BETWEEN seen_ms AND seen_ms + ?",
        [(contact_id, now_ms, number, OURS, contact_id, RENEW_MS - 1) for number in named],
    )
    tx.executemany(
        "DELETE FROM mutual WHERE contact = ? AND log = (SELECT previous FROM space WHERE log = ?)",
        [(contact_id, number) for number in named],
    )


def missed(tx: Tx, contact_id: int, unnamed: Iterable[int]) -> None:
    """A contact has named all that he may name, and these were not among it: he has left their authors since."""
    known = {number for (number,) in tx.all("SELECT log FROM mutual WHERE contact = ?", (contact_id,))}
    gone = [(contact_id, number) for number in unnamed if number in known]
    tx.executemany("DELETE FROM mutual WHERE contact = ? AND log = ?", gone)


def has_shown(tx: Tx, contact_id: int, number: int) -> bool:
    """Whether a contact has named this log of somebody else, and was not found without it since."""
    return tx.one("SELECT 1 FROM mutual WHERE contact = ? AND log = ?", (contact_id, number)) is not None


def of(tx: Tx, contact_id: int) -> tuple[int, ...]:
    """Contacts of ours that are also his, who is active now; the newest seen first, by the day.

    What was shown by a spine that is over counts no more: its author may have left out whom he blocked (grant 3.4).
    """
    rows = tx.all(
        "SELECT c.id FROM ("
        " SELECT s.contact AS other, s.role, m.log, m.seen_ms FROM mutual m JOIN space s ON s.log = m.log"
        " WHERE m.contact = ?"
        " UNION ALL"
        " SELECT m.contact AS other, s.role, m.log, m.seen_ms FROM space s JOIN mutual m ON m.log = s.log"
        " WHERE s.contact = ?"
        ") f JOIN log l ON l.number = f.log JOIN contact c ON c.id = f.other"
        " WHERE f.role = ? AND l.state != ? AND c.state = ? GROUP BY c.id ORDER BY MAX(f.seen_ms) DESC, c.id",
        (contact_id, contact_id, Role.SPINE, int(State.OVER), int(ContactState.ACTIVE)),
    )
    return tuple(other for (other,) in rows)
