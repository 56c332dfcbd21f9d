"""The pinned messages of a conversation, the same for both sides: which they are.

Each is an act like others (acts.py), so what is recalled, deleted or has disappeared is pinned no more. Not here: when
one may be pinned (acting.py), the calls about them (pinning.py), the pinned conversations of one's own list
(conversations.py).
"""

from features.chat import overlay, view
from features.chat.acts import PINNED
from features.chat.view import Line
from protocol import ids
from store.database import Tx

PINS_MAX = 50  # of a conversation: more than one reads through
# Of two pins of one message, one of each side, the greater counts; those whose message is not here wait.
NEWEST = (
    "SELECT a.target FROM chat_act a INDEXED BY chat_act_pin WHERE a.contact = ? AND a.kind = 127 AND a.mark != ''"
    " AND a.waits = 0 AND NOT EXISTS (SELECT 1 FROM chat_act b WHERE b.contact = a.contact AND b.target = a.target"
    " AND b.mine = 1 - a.mine AND b.kind = 127 AND (b.turn, b.act) > (a.turn, a.act))"
    " ORDER BY a.hlc_ms DESC, a.act DESC LIMIT ?"
)


def newest(tx: Tx, contact_id: int) -> list[bytes]:
    """The ids of the messages that were pinned last, the newest pin first."""
    return [target for (target,) in tx.all(NEWEST, (contact_id, PINS_MAX))]


def standing(tx: Tx, contact_id: int, message_id: bytes) -> tuple[int, bool]:
    """The last turn of both sides for a message, 0: nobody has pinned it yet; and whether it is pinned."""
    rows = tx.all(
        "SELECT turn, act, mark FROM chat_act WHERE contact = ? AND target = ? AND kind = 127", (contact_id, message_id)
    )
    turn, _, mark = max(rows, default=(0, b"", ""))
    return turn, mark == PINNED


def listed(tx: Tx, contact_id: int, now_ms: int) -> list[Line]:
    """The pinned lines of a conversation, the newest pin first."""
    found: list[Line] = []
    for target in newest(tx, contact_id):
        rows = [overlay.row_of(tx, contact_id, ids.MessageId(target), mine) for mine in (True, False)]
        lines = [view.line(tx, seq, now_ms) for seq in rows if seq is not None]
        found += [one for one in lines if one is not None]
    return overlay.dressed(tx, found)
