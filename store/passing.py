"""Messages whose bytes stand elsewhere too, as entries of logs do: only so many wait, and none stays afterwards.

protocol/carrying.py says which kinds these are. Not here: what is carried (carrying.py), other messages (outbox.py).
"""

from protocol import carrying
from store.database import Tx

PASSING_MAX = 256  # contents with entries of logs that wait for one contact: 14 MiB, whatever he says that he lacks


def is_laden(tx: Tx, contact_id: int) -> bool:
    """Whether so much that is kept elsewhere waits for a contact that no more of it is posted to him."""
    kinds = ", ".join(map(str, sorted(carrying.PASSING)))
    row = tx.one(
        f"SELECT COUNT(*) FROM message INDEXED BY message_passing WHERE kind IN ({kinds}) AND body != x''"
        " AND device = 0 AND contact = ?",
        (contact_id,),
    )
    assert row is not None
    return int(row[0]) >= PASSING_MAX


def empty(tx: Tx) -> None:
    """Empties messages whose bytes are kept elsewhere too (carrying.PASSING), where no device waits for them."""
    kinds = ", ".join(map(str, sorted(carrying.PASSING)))
    tx.execute(
        f"UPDATE message INDEXED BY message_passing SET body = x'' WHERE kind IN ({kinds}) AND body != x''"
        " AND device = 0 AND NOT EXISTS (SELECT 1 FROM device d JOIN delivery w ON w.device = d.id"
        " AND w.message = message.seq WHERE d.contact = message.contact)"
    )
