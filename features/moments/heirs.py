"""The chains of audiences where a feed was handed over to another: they go on by themselves, and nobody is told.

    root of a chain ──id of the next log──> its chain there, its root there        grant.md 8, moments.md

Author and readers do the same, each when the next log is first needed. Where a feed goes on without somebody it was not
handed over, and its chains begin anew. Each function is one step of a transaction.
"""

from collections.abc import Iterator
from contextlib import suppress

from crypto.faults import Malformed
from features.moments import feeds
from protocol import entry, moment
from protocol.moment import Spot
from store import entries, handovers, spaces
from store.database import Tx
from store.logs import State
from store.spaces import Space

NO_END = entry.SEQ_MAX + 1  # of a chain that goes on
BACK_MAX = 256  # feeds in a row that are looked back
LOST_MAX = 64  # of which nothing is here any more
LOOKED_AT = 64  # entries, until the content of one is here
LOOKED_AT_BYTES = 1 << 20
PASSED_MAX = 512  # chains of one contact that are kept of feeds further back than the one before


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
    """The chains of a feed of somebody else, from those of the one before; the new ones, each with its feed.

    heir: the ids of the feeds to which a chain went on. Two copies of a disk may each hand a feed over.
    """
    found = []
    for before, after in _steps(tx, of, "moment_chain"):
        rows = tx.all(
            "SELECT id, audience, root, heir FROM moment_chain"
            " WHERE contact = ? AND feed = ? AND until = ? AND instr(heir, ?) = 0 AND root != x'' ORDER BY id",
            (of.contact, before.log.id, NO_END, after.log.id),
        )
        for number, audience, root, heir in rows:
            found.append((after, _put(tx, after, audience, *moment.next_chain(root, after.log.id))))
            tx.execute("UPDATE moment_chain SET heir = ? WHERE id = ?", (heir + after.log.id, number))
        if rows and before.previous:  # what is two feeds back is needed no more
            older = spaces.space(tx, before.previous).log.id
            tx.execute("UPDATE moment_chain SET root = x'' WHERE contact = ? AND feed = ?", (of.contact, older))
            tx.execute(
                "DELETE FROM moment_chain WHERE id IN (SELECT id FROM moment_chain WHERE contact = ? AND root = x''"
                " ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (of.contact, PASSED_MAX),
            )
    return found


def make_room(tx: Tx, contact_id: int, count: int) -> None:
    """Lets so many chains of a contact go, where there are: the oldest of feeds that are over and were not handed over.

    With nothing in it that is not read yet such a feed needs them no more; whether that is so nobody knows for sure.
    """
    if count <= 0:
        return
    tx.execute(
        "DELETE FROM moment_chain WHERE id IN (SELECT c.id FROM moment_chain c JOIN log l ON l.id = c.feed"
        " WHERE c.contact = ? AND l.state = ? AND NOT EXISTS"
        " (SELECT 1 FROM space s JOIN handover h ON h.log = s.log WHERE s.previous = l.number)"
        " ORDER BY c.id LIMIT ?)",
        (contact_id, int(State.OVER), count),
    )


def regained(tx: Tx, of: Space, secret: bytes) -> tuple[bytes, bytes] | None:
    """The chain of all contacts at the beginning of a feed that a lost device of ours wrote, and its root.

    It began with the feed, or with one before from which the feed was handed over: a content says which, as each has a
    slot for all. None where no content is here. secret: of our posts.
    """
    for held in entries.read(tx, of.log.number, 0, LOOKED_AT, LOOKED_AT_BYTES):
        if held.content is not None:
            spot = Spot(of.log.author, of.log.id, held.seq)
            for chain, root in _first_ones(tx, of, secret):
                with suppress(Malformed):
                    if moment.held(moment.wrap_key(moment.stepped(chain, held.seq)), spot, held.content) is not None:
                        return chain, root
    return None


def _first_ones(tx: Tx, of: Space, secret: bytes) -> Iterator[tuple[bytes, bytes]]:
    """With what the chain of all contacts may begin in this feed."""
    ids = [of.log.id]
    yield moment.first_chain(secret, of.log.id), moment.first_root(secret, of.log.id)
    while of.previous and len(ids) <= LOST_MAX:
        of = spaces.space(tx, of.previous)
        row = tx.one(
            "SELECT root FROM moment_own_chain WHERE feed = ? AND audience = ? ORDER BY id DESC LIMIT 1",
            (of.log.id, feeds.EVERYBODY),
        )
        chain, root = b"", moment.first_root(secret, of.log.id) if row is None else bytes(row[0])
        for feed_id in reversed(ids):
            chain, root = moment.next_chain(root, feed_id)
        yield chain, root
        if row is not None:
            return
        ids.append(of.log.id)


def _put(tx: Tx, of: Space, audience: bytes, chain: bytes, root: bytes) -> int:
    """A chain at the beginning of a feed; up to the first that its author has told us for this audience."""
    row = tx.one(
        "SELECT MIN(begun) FROM moment_chain WHERE contact = ? AND feed = ? AND audience = ?",
        (of.contact, of.log.id, audience),
    )
    until = NO_END if row is None or row[0] is None else int(row[0])
    return tx.insert(
        "INSERT INTO moment_chain (contact, feed, audience, seq, chain, until, root, heir, begun)"
        " VALUES (?, ?, ?, 0, ?, ?, ?, x'', 0)",
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
