"""Which of our contacts are contacts of each other, as far as they have shown it (docs/protocol/grant.md 2.5).

Everybody grants his spine to all his contacts. So who names the spine of another contact of ours, by a tag that takes
its secret, was granted it: the two are contacts. Not here: who names what (protocol/sync_session.py).
"""

from collections.abc import Iterable

from store.database import Tx
from store.logs import State
from store.people import ContactState
from store.spaces import OURS

RENEW_MS = 86_400_000  # when it was last seen is kept this coarsely: most sessions write nothing


def saw(tx: Tx, contact_id: int, spines: Iterable[int], now_ms: int) -> None:
    """A contact has named these spines of others, by their numbers; his own says nothing."""
    tx.executemany(
        "INSERT INTO mutual (contact, log, seen_ms) SELECT ?, log, ? FROM space WHERE log = ? AND contact NOT IN (?, ?)"
        " ON CONFLICT (contact, log) DO UPDATE SET seen_ms = excluded.seen_ms"
        " WHERE excluded.seen_ms NOT BETWEEN seen_ms AND seen_ms + ?",
        [(contact_id, now_ms, number, OURS, contact_id, RENEW_MS - 1) for number in spines],
    )


def missed(tx: Tx, contact_id: int, spines: Iterable[int]) -> None:
    """A contact has named all that he may name, and these spines were not among it: he has left their authors since."""
    known = {number for (number,) in tx.all("SELECT log FROM mutual WHERE contact = ?", (contact_id,))}
    gone = [(contact_id, number) for number in spines if number in known]
    tx.executemany("DELETE FROM mutual WHERE contact = ? AND log = ?", gone)


def of(tx: Tx, contact_id: int) -> tuple[int, ...]:
    """Contacts of ours that are also his, who is active now; the newest seen first, by the day.

    What was shown by a spine that is over counts no more: its author may have left out whom he blocked (grant 3.4).
    """
    rows = tx.all(
        "SELECT c.id FROM ("
        " SELECT s.contact AS other, m.log, m.seen_ms FROM mutual m JOIN space s ON s.log = m.log WHERE m.contact = ?"
        " UNION ALL"
        " SELECT m.contact AS other, m.log, m.seen_ms FROM space s JOIN mutual m ON m.log = s.log WHERE s.contact = ?"
        ") f JOIN log l ON l.number = f.log JOIN contact c ON c.id = f.other"
        " WHERE l.state != ? AND c.state = ? GROUP BY c.id ORDER BY MAX(f.seen_ms) DESC, c.id",
        (contact_id, contact_id, int(State.OVER), int(ContactState.ACTIVE)),
    )
    return tuple(other for (other,) in rows)
