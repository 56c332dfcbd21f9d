"""A page of what a keeper has for us, taken in by one transaction, and confirmed once the keeper has deleted it.

docs/protocol/mailbox.md 4. Who fetches it: collector.py; what is made of a parcel: store/collecting.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.inward import Inward
from node.keep.strangers import Strangers
from protocol import parcel
from protocol.faults import PeerFault
from protocol.keep import Item
from store import keepers
from store.collecting import Collected
from store.database import Tx


@dataclass(frozen=True, slots=True)
class Taken:
    """contacts: whose mail it was, to whom answers may wait now. readers: the queues it came from."""

    contacts: tuple[int, ...]
    readers: tuple[bytes, ...]


def take(tx: Tx, inward: Inward, strangers: Strangers, keeper_id: int, items: Sequence[Item]) -> Taken:
    """Takes in the items of a page: each contact's by the time of their sealing."""
    one, met = keepers.keeper(tx, keeper_id), dict[int, None]()
    queues = {
        reader: keepers.queue_by_reader(tx, keeper_id, reader) for reader in dict.fromkeys(i.reader for i in items)
    }
    by_contact: dict[int, list[Collected]] = {}
    for item in items:
        queue = queues[item.reader]
        if queue is None:
            continue  # closed meanwhile
        if queue.contact == keepers.OWN:
            if (contact_id := strangers.take(tx, one, item.envelope)) is not None:
                met[contact_id] = None
            continue
        try:
            said = parcel.unwrap(queue.wrap_key, queue.sender, item.envelope)
        except PeerFault:
            continue
        by_contact.setdefault(queue.contact, []).append(Collected(said.run, said.sealing, said.inner))
    for contact_id, parcels in by_contact.items():
        inward.collect(tx, contact_id, sorted(parcels, key=lambda one: one.sealing))
    return Taken(tuple(met | dict.fromkeys(by_contact)), tuple(queues))


def confirm(tx: Tx, keeper_id: int, up_to: int, _readers: Sequence[bytes]) -> None:
    """The keeper has answered that it has deleted everything up to here."""
    keepers.done(tx, keeper_id, up_to)
