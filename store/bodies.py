"""The bodies of messages that are said, where what they say is to be gone: another one takes the place.

The row, its id and its deliveries stay: the same message never comes twice, and what was not delivered goes out with
the new body. What the old one said is overwritten on the disk (secure_delete, connection.py). Not here: the messages
themselves (inbox.py, outbox.py), what a room says instead.
"""

from protocol.delivery import State
from store import lanes
from store.database import Tx

_ON_THE_WAY = tuple(map(int, (State.QUEUED, State.SENT, State.HELD, State.KEPT)))


def put(tx: Tx, seq: int, body: bytes, kind: int) -> None:
    """Another body for a message, of the same id. kind: what stands in the body."""
    tx.execute("UPDATE message SET body = ?, kind = ? WHERE seq = ?", (body, kind, seq))
    tx.scrubs = True


def waits(tx: Tx, contact_id: int, seq: int) -> bool:
    """Whether a device of the contact has not got this message of ours yet, so that its body is still needed."""
    row = tx.one("SELECT state FROM message WHERE seq = ?", (seq,))
    assert row is not None
    return row[0] in _ON_THE_WAY or bool(lanes.waits_for(tx, contact_id, seq))
