"""Where a conversation stands: the number of our next message in it, its clock, and which messages are its heads.

The messages themselves are written by outbox.py and inbox.py; delivery is elsewhere.
"""

from dataclasses import dataclass

from protocol import content, ids
from store.database import Migration, Tx

PARENTS_MAX = 8  # docs/protocol/kinds.md: parents of a message
AHEAD_MS_MAX = 5 * 60_000  # a peer's clock further ahead than this does not drag ours along

SCHEMA = (
    Migration(
        "conversations",
        1,
        "CREATE TABLE conversation (contact INTEGER NOT NULL PRIMARY KEY, next_seq INTEGER NOT NULL) STRICT;",
    ),
)


@dataclass(frozen=True, slots=True)
class Position:
    """What a new message says of its place: hybrid clock (ms), our running number, and the heads seen before it.

    The clock is what people are shown, so one that was set wrong is left again; the number goes up whatever it says.
    Of several positions taken at once only the first has heads: each later message follows the one before it.
    """

    hlc_ms: int
    device_seq: int
    parents: tuple[ids.MessageId, ...]


def advance(tx: Tx, contact_id: int, count: int, now_ms: int) -> tuple[Position, ...]:
    """Positions for `count` new messages of ours to this contact, in order; the counter moves in this transaction.

    The hybrid clock is later than every message of the conversation that the last 8 rows show, so that sorting by it
    never puts an answer before its question (docs/protocol/delivery.md).
    """
    first = max(now_ms, _following(tx, contact_id))  # above all that this account has said by a lost device or disk
    latest = tx.all(
        "SELECT message_id, at_ms, device FROM message WHERE contact = ? ORDER BY seq DESC LIMIT ?",
        (contact_id, PARENTS_MAX),
    )
    clock = max([now_ms, *(at + 1 for _, at, _ in latest if at < now_ms + AHEAD_MS_MAX)])
    heads: list[ids.MessageId] = []
    for message_id, _, device in latest:
        heads.append(ids.MessageId(message_id))
        if device == 0:  # our own last message named everything before it
            break
    tx.execute(
        "INSERT INTO conversation (contact, next_seq) VALUES (?, ?) "
        "ON CONFLICT (contact) DO UPDATE SET next_seq = excluded.next_seq",
        (contact_id, first + count),
    )
    return tuple(Position(clock + n, first + n, tuple(heads) if n == 0 else ()) for n in range(count))


def _following(tx: Tx, contact_id: int) -> int:
    """The lowest number that we have not given, as far as is known here: of a lost device a backup has messages."""
    row = tx.one("SELECT next_seq FROM conversation WHERE contact = ?", (contact_id,))
    if row is not None:
        return int(row[0])
    row = tx.one(
        "SELECT body FROM message WHERE contact = ? AND device = 0 AND body != x'' ORDER BY seq DESC LIMIT 1",
        (contact_id,),
    )
    return 1 if row is None else content.device_seq_of(row[0]) + 1
