"""Messages of which only the newest counts: an older one is forgotten, read or not. Not here: what they say."""

from store import lanes
from store.database import Tx


def drop(tx: Tx, contact_id: int, message: int) -> None:
    """Forgets a message of a conversation, ours or the contact's; what of ours was not read yet is sent no more.

    A newer one stands in the table already, so that no number is given twice.
    """
    lanes.give_up(tx, contact_id, message)
    tx.execute("DELETE FROM message WHERE seq = ? AND contact = ?", (message, contact_id))
