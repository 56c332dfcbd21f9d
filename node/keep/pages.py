"""Pages of what keepers have for us: opened and watched for lies by one transaction, taken in by another.

docs/protocol/mailbox.md 4. Who fetches them: collector.py; in which order they are taken in: reception.py; what is made
of a parcel: store/collecting.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crypto.faults import Forged
from node.inward import Inward
from node.keep.strangers import Strangers
from node.keep.watching import Watching
from protocol import parcel
from protocol.faults import PeerFault
from protocol.keep import Item
from protocol.parcel import Parcel
from store import keepers
from store.collecting import Collected
from store.database import Tx
from store.keepers import Queue


@dataclass(frozen=True, slots=True)
class Opened:
    """An item of a page. contact: OWN for a stranger's; parcel: None there, where the keeper and envelope stand."""

    seq: int
    contact: int
    parcel: Parcel | None
    keeper: int
    envelope: bytes


def open_all(tx: Tx, keeper_id: int, items: Sequence[Item], now_ms: int) -> tuple[Opened, ...]:
    """Opens the items of a page and notes what they tell of keepers; what is nonsense, or nobody's, is left out."""
    watching, queues = Watching(tx, now_ms), dict[bytes, Queue | None]()
    opened = []
    for item in items:
        if item.reader not in queues:
            queues[item.reader] = keepers.queue_by_reader(tx, keeper_id, item.reader)
        queue = queues[item.reader]
        if queue is None:
            continue  # closed meanwhile
        if queue.contact == keepers.OWN:
            opened.append(Opened(item.seq, keepers.OWN, None, keeper_id, item.envelope))
            continue
        try:
            said = parcel.unwrap(queue.wrap_key, queue.sender, item.envelope)
        except Forged:
            watching.foreign(queue)
            continue
        except PeerFault:
            continue
        watching.came(queue, said)
        opened.append(Opened(item.seq, queue.contact, said, keeper_id, b""))
    watching.save()
    return tuple(opened)


def take(tx: Tx, inward: Inward, strangers: Strangers, opened: Iterable[Opened]) -> tuple[int, ...]:
    """Takes in what was opened, each contact's in this order; the contacts to whom answers may wait now."""
    met: dict[int, None] = {}
    by_contact: dict[int, list[Collected]] = {}
    for one in opened:
        if one.parcel is None:
            contact_id = strangers.take(tx, keepers.keeper(tx, one.keeper), one.envelope)
            if contact_id is not None:
                met[contact_id] = None
        else:
            collected = Collected(one.parcel.run, one.parcel.sealing, one.parcel.inner)
            by_contact.setdefault(one.contact, []).append(collected)
    for contact_id, parcels in by_contact.items():
        inward.collect(tx, contact_id, parcels)
        met[contact_id] = None
    return tuple(met)
