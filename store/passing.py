"""Messages whose bytes stand elsewhere too, as entries of logs do: only so many wait, and none stays afterwards.

protocol/carrying.py says which kinds these are. Not here: what is carried (carrying.py), other messages (outbox.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol import carrying, content
from protocol import log as chains
from protocol.carrying import Carried
from store import whereabouts
from store.database import Tx
from store.whereabouts import Kept

PASSING_MAX = 256  # contents with entries of logs that wait for one contact: 14 MiB, whatever he says that he lacks
_KINDS = content.Kinds(carrying.CONTENTS)


@dataclass(frozen=True, slots=True)
class Lying:
    """Entries of our logs that lie at keepers now, looked up once for each contact, as it takes 0.2 s for who lacks
    most.
    """

    tx: Tx
    now_ms: int
    # contact -> id of a log -> seq -> who has it and until when
    _found: dict[int, Mapping[bytes, Mapping[int, tuple[Kept, ...]]]] = field(default_factory=dict)

    def kept(self, contact_id: int, log: bytes, first: int) -> tuple[int, str]:
        """How many entries of a log from here on lie there for a contact, and who has them until when, as a line."""
        if contact_id not in self._found:
            self._found[contact_id] = _lying(self.tx, contact_id, self.now_ms)
        of = [one for seq, one in self._found[contact_id].get(log, {}).items() if seq >= first]
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


def _lying(tx: Tx, contact_id: int, now_ms: int) -> Mapping[bytes, Mapping[int, tuple[Kept, ...]]]:
    found: dict[bytes, dict[int, tuple[Kept, ...]]] = {}
    for message, kept in whereabouts.lying(tx, contact_id, now_ms, lambda kind: kind in carrying.PASSING).items():
        row = tx.one("SELECT body FROM message WHERE seq = ? AND body != x''", (message,))
        if row is not None:
            said = _KINDS.hear(row[0], content.Channel.RATCHET).content
            assert isinstance(said, Carried)
            found.setdefault(said.log, {}).update((chains.recall(raw).body.seq, kept) for raw in said.entries)
    return found
