"""A message that is gone: its bytes are replaced, and nothing of it waits to be sent; the row and its id stay.

The id stays so that the same message, sent again, is known. Not here: when that is due, and what a room knows of it.
"""

from store import bodies, lanes
from store.database import Tx


def erase(tx: Tx, seq: int, kind: int, body: bytes) -> None:
    """Puts a body of this kind in place of what a message said, and scrubs the file of it once that is committed."""
    row = tx.one("SELECT contact, device FROM message WHERE seq = ?", (seq,))
    assert row is not None
    contact_id, device_id = row
    if device_id == 0:
        for waiting in lanes.waits_for(tx, contact_id, seq):
            lanes.finish(tx, waiting or lanes.shelf(contact_id), (seq,))
    bodies.put(tx, seq, body, kind)
    tx.execute("UPDATE message SET reason = '' WHERE seq = ?", (seq,))
