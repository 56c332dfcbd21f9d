"""When our watches over keepers begin anew: our own disk was put back, so that we have forgotten what came.

docs/protocol/parcel.md 3.3. What is watched is in protocol/keeper_watch.py; the rows of keepers are in keepers.py.
"""

from protocol import keep_note, keeper_watch
from store import keepers
from store.database import Tx
from store.keepers import OWN, QueueState


def next_note(tx: Tx, keeper_id: int) -> bytes:
    """The note to leave with a keeper that is to delete something: on our disk first, so that it never knows more.

    Empty where the keeper is used no more.
    """
    row = tx.one(
        "UPDATE keeper SET notes = notes + 1 WHERE id = ? AND owner_seed != x'' RETURNING owner_seed, notes",
        (keeper_id,),
    )
    return b"" if row is None else keep_note.write(*row)


def reminded(tx: Tx, keeper_id: int, note: bytes) -> bool:
    """A keeper has shown our newest note: where this disk has forgotten that, it has forgotten what came, too.

    Returns whether it has.
    """
    row = tx.one("SELECT owner_seed, notes FROM keeper WHERE id = ? AND owner_seed != x''", (keeper_id,))
    if row is None or (count := keep_note.count_in(row[0], note)) <= row[1]:
        return False
    tx.execute("UPDATE keeper SET notes = ? WHERE id = ?", (count, keeper_id))
    _forget(tx, "keeper = ?", keeper_id)
    return True


def begin_anew(tx: Tx, contact_id: int | None = None) -> None:
    """Our disk may have been put back, and what came since is forgotten: no keeper is to be blamed for that.

    contact_id: whose queues, where only the session with him shows it; None for all, and then what keepers were found
    to do is forgotten too, since some of it may have been found because of that.
    """
    _forget(tx, *("contact != ?", OWN) if contact_id is None else ("contact = ?", contact_id))
    if contact_id is None:
        for (keeper_id,) in tx.all("SELECT id FROM keeper WHERE lie != ''"):
            keepers.caught(tx, keeper_id, "")


def _forget(tx: Tx, where: str, value: int) -> None:
    """Forgets the watches of these queues, also those by which nothing is known to have come: it may be forgotten."""
    rows = tx.all(
        f"SELECT id, watch FROM queue WHERE {where} AND contact != ? AND state != ?",
        (value, OWN, int(QueueState.WANTED)),
    )
    for queue_id, watch in rows:
        keepers.set_watch(tx, queue_id, keeper_watch.pack(keeper_watch.forgotten(keeper_watch.unpack(watch))))
