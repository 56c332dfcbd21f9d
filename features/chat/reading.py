"""What follows when a person has read a conversation: its mark, the life of what disappears, the word to who wrote it.

Nobody is told anything but by who has switched that on (`chat.receipts`). Not here: what is unread (view.py).
"""

from features.chat import lasting, view
from features.chat.content import SEEN_IDS_MAX, Seen
from node import config, speech
from node.core import Core
from node.till import is_open_to
from store import settings
from store.database import Tx
from store.people import Contact

SETTING = "chat.receipts"
TOLD_MAX = 8 * SEEN_IDS_MAX  # of one time, the newest: who was away for so long is not to send a flood


def read(tx: Tx, core: Core, contact: Contact) -> tuple[int, bool]:
    """Marks all that a contact has said as read; returns how many lines were new, and whether he is to be told."""
    now_ms = core.ground.now_ms()
    told = view.unread_ids(tx, contact.id, TOLD_MAX) if _tells(tx, contact) else ()
    said = tuple(Seen(told[start : start + SEEN_IDS_MAX]) for start in range(0, len(told), SEEN_IDS_MAX))
    if said:
        speech.say(tx, contact.id, said, now_ms, core.ground.entropy("message"))
    lasting.read(tx, contact.id, now_ms)
    return view.read(tx, contact.id), bool(said)


def _tells(tx: Tx, contact: Contact) -> bool:
    return is_open_to(contact) and config.effective(settings.all_set(tx))[SETTING] is True
