"""What this room does once an account is back on a new device: new secrets with contacts, an end to half agreements.

Sessions and invitations are not in a backup, so an agreement that was under way cannot go on; one that we ask for by
a link begins anew. docs/protocol/backup.md 4.3.
"""

from crypto import keys
from features.contacts import cards, view
from features.contacts.content import Presence, Welcome
from node import speech
from store import backup, pairs, people
from store.database import Tx
from store.identity import Identity
from store.people import ContactState

UNFINISHED = "you were not contacts yet when the backup was made; add or invite them again"


def restored(tx: Tx, me: Identity, now_ms: int, entropy: keys.Entropy) -> None:
    """Tells every contact the new secret of the pair, and the presence key under its new epoch.

    The lost device knew the secrets of before, and another restore may have counted on from them. Who has counted to
    the last epoch there is keeps his secret: that is his affair, and no reason to restore nobody.
    """
    epoch_min = backup.epoch_min(0, now_ms)
    for one in people.contacts(tx):
        match one.state:
            case ContactState.ACTIVE:
                words: Welcome | Presence = Presence(me.presence_epoch, me.presence)
                if pairs.newest_epoch(tx, one.id) < backup.EPOCH_MAX:
                    words = cards.welcome(tx, me, one.id, now_ms, entropy, epoch_min)
                speech.say(tx, one.id, (words,), now_ms, entropy)
            case ContactState.ASKED | ContactState.WAITING if view.asking(tx, one.id) is not None:
                people.set_state(
                    tx, one.id, ContactState.ASKED, ""
                )  # whoever holds our request holds the lost device's
            case ContactState.ASKED | ContactState.WAITING | ContactState.PENDING | ContactState.REQUEST:
                people.set_state(tx, one.id, ContactState.REFUSED, UNFINISHED)
            case ContactState.BLOCKED | ContactState.REFUSED:
                continue
