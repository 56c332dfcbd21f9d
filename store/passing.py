"""Messages whose bytes stand elsewhere too, as entries of logs do: only so many wait, and none stays afterwards.

protocol/carrying.py says which kinds these are. Not here: what is carried (carrying.py), other messages (outbox.py).
"""

from collections.abc import Mapping

from protocol import carrying, content
from protocol import log as chains
from protocol.carrying import Carried
from store import whereabouts
from store.database import Tx
from store.whereabouts import Kept

PASSING_MAX = 256  # contents with entries of logs that wait for one contact: 14 MiB, whatever he says that he lacks
_KINDS = content.Kinds(carrying.CONTENTS)


Lying = Mapping[bytes, Mapping[int, tuple[Kept, ...]]]
"""Entries that lie at keepers: who has each and until when, by the id of the log and seq."""


def lying(tx: Tx, contact_id: int, now_ms: int) -> Lying:
    """What keepers have of our logs for a contact now."""
    found: dict[bytes, dict[int, tuple[Kept, ...]]] = {}
    for message, kept in whereabouts.lying(tx, contact_id, now_ms, lambda kind: kind in carrying.PASSING).items():
        row = tx.one("SELECT body FROM message WHERE seq = ? AND body != x''", (message,))
        if row is not None:
            said = _KINDS.hear(row[0], content.Channel.RATCHET).content
            assert isinstance(said, Carried)
            found.setdefault(said.log, {}).update((chains.recall(raw).body.seq, kept) for raw in said.entries)
    return found


def kept(found: Lying, log: bytes, first: int) -> tuple[int, str]:
    """How many entries of a log from this seq on are among these, and who has them until when, in one line."""
    of = [one for seq, one in found.get(log, {}).items() if seq >= first]
    return len(of), whereabouts.said_of(of)


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
