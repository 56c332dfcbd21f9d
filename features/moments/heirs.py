"""The chains of audiences where a feed was handed over to another: they go on by themselves, and nobody is told.

    root of a chain ──id of the next log──> its chain there, its root there        grant.md 8, moments.md

Author and readers do the same, each when the next log is first needed. Where a feed goes on without somebody it was not
handed over, and its chains begin anew. Each function is one step of a transaction.
"""

from features.moments import feeds
from protocol import entry, moment
from store import handovers, spaces
from store.database import Tx
from store.spaces import Space

NO_END = entry.SEQ_MAX + 1  # of a chain that goes on
BACK_MAX = 256  # feeds in a row that are looked back


def go_on(tx: Tx, of: Space) -> None:
    """The chains of a feed of ours, where it has none yet, from those of the one before; told to whom those were."""
    for before, after in _steps(tx, of, "moment_own_chain"):
        rows = tx.all(
            "SELECT MAX(id), audience FROM moment_own_chain WHERE feed = ? GROUP BY audience ORDER BY audience",
            (before.log.id,),
        )
        for number, tag in rows:
            chain, root = moment.next_chain(feeds.root(tx, number), after.log.id)
            begun = feeds.begin_chain(tx, after, tag, 0, chain, root)
            tx.execute("UPDATE moment_handed SET chain = ? WHERE chain = ?", (begun, number))


def inherit(tx: Tx, of: Space) -> list[tuple[Space, int]]:
    """The chains of a feed of somebody else, from those of the one before; the new ones, each with its feed."""
    found = []
    for before, after in _steps(tx, of, "moment_chain"):
        rows = tx.all(
            "SELECT id, audience, root FROM moment_chain"
            " WHERE contact = ? AND feed = ? AND until = ? AND heir != ? AND root != x'' ORDER BY id",
            (of.contact, before.log.id, NO_END, after.log.id),
        )
        for number, audience, root in rows:
            found.append((after, _put(tx, after, audience, *moment.next_chain(root, after.log.id))))
            tx.execute("UPDATE moment_chain SET heir = ? WHERE id = ?", (after.log.id, number))
        if rows and before.previous:  # what is two feeds back is needed no more
            older = spaces.space(tx, before.previous).log.id
            tx.execute("UPDATE moment_chain SET root = x'' WHERE contact = ? AND feed = ?", (of.contact, older))
    return found


def _put(tx: Tx, of: Space, audience: bytes, chain: bytes, root: bytes) -> int:
    """A chain at the beginning of a feed; up to the first that its author has told us for this audience."""
    row = tx.one(
        "SELECT MIN(seq) FROM moment_chain WHERE contact = ? AND feed = ? AND audience = ?",
        (of.contact, of.log.id, audience),
    )
    until = NO_END if row is None or row[0] is None else int(row[0])
    return tx.insert(
        "INSERT INTO moment_chain (contact, feed, audience, seq, chain, until, root, heir)"
        " VALUES (?, ?, ?, 0, ?, ?, ?, x'')",
        (of.contact, of.log.id, audience, chain, until, root),
    )


def _steps(tx: Tx, of: Space, table: str) -> list[tuple[Space, Space]]:
    """From which feeds to which, the oldest first, chains are to go on to this one."""
    found: list[tuple[Space, Space]] = []
    while of.previous and len(found) < BACK_MAX and handovers.of(tx, of.log.number) is not None:
        is_begun = tx.one(f"SELECT 1 FROM {table} WHERE feed = ?", (of.log.id,)) is not None
        if is_begun and (table == "moment_own_chain" or found):
            break
        before = spaces.space(tx, of.previous)
        found.insert(0, (before, of))
        of = before
    return found
