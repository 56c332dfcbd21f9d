"""Records of the DHT that lie at a keeper for its owners, so that they are found while the owner is away (keep.md 3.8).

They say themselves until when they hold; here they age by the keeper's clock, like everything else. Not here: what a
record is (protocol/rendezvous.py).
"""

from collections.abc import Sequence

from protocol import keep, record, rendezvous
from protocol.keep import Status
from protocol.rendezvous import Record
from store import keeping
from store.database import Tx

SLICE = 500
ROOM_BYTES = 16 * 1024  # that a record may take of the file


def lay(tx: Tx, owner_id: int, records: Sequence[bytes], now_s: int, age_s: int) -> Status:
    """Keeps records of an owner, all or none; of one name the newer stays. now_s: the machine's clock.

    Raises: PeerFault when one of them is no record, or may not lie anywhere now.
    """
    found = [_checked(raw, now_s) for raw in records]
    fresh = {one.name for one in found if _lying(tx, one.name, owner_id) is None}
    (count,) = tx.one("SELECT COUNT(*) FROM laid WHERE owner = ?", (owner_id,)) or (0,)
    if count + len(fresh) > keep.RECORDS_OWNER_MAX:
        return Status.QUOTA
    if not keeping.has_room(tx, ROOM_BYTES * len(found)):
        return Status.QUOTA
    for one in found:
        old = _lying(tx, one.name, owner_id)
        if old is None or rendezvous.newer(one, old):
            tx.execute(
                "INSERT OR REPLACE INTO laid (name, owner, sequence, expires_s, raw) VALUES (?, ?, ?, ?, ?)",
                (
                    rendezvous.dht_key(one.name),
                    owner_id,
                    one.sequence,
                    age_s + one.expiry_s - now_s,
                    record.encode(one),
                ),
            )
    return Status.OK


def look(tx: Tx, name: bytes, age_s: int) -> bytes:
    """The newest record that lies under a name, whoever laid it; b"" for none."""
    row = tx.one(
        "SELECT raw FROM laid WHERE name = ? AND expires_s > ? ORDER BY sequence DESC, raw DESC LIMIT 1", (name, age_s)
    )
    return b"" if row is None else bytes(row[0])


def forget(tx: Tx, owner_id: int) -> None:
    """Takes all records of an owner away: 600 at most."""
    tx.execute("DELETE FROM laid WHERE owner = ?", (owner_id,))


def expire(tx: Tx, age_s: int) -> bool:
    """Takes a slice of what is too old away; returns whether there is more of it."""
    rows = tx.all("SELECT name, owner FROM laid WHERE expires_s <= ? LIMIT ?", (age_s, SLICE))
    tx.executemany("DELETE FROM laid WHERE name = ? AND owner = ?", rows)
    return len(rows) == SLICE


def _checked(raw: bytes, now_s: int) -> Record:
    said = record.decode(Record, raw, rendezvous.RECORD_BYTES_MAX)
    return rendezvous.check(rendezvous.dht_key(said.name), raw, now_s, rendezvous.LAID_S_MAX)


def _lying(tx: Tx, name: bytes, owner_id: int) -> Record | None:
    row = tx.one("SELECT raw FROM laid WHERE name = ? AND owner = ?", (rendezvous.dht_key(name), owner_id))
    return None if row is None else record.decode(Record, row[0], rendezvous.RECORD_BYTES_MAX)
