"""Pages of what keepers have for us: opened, watched for lies, and taken in, each by one transaction.

docs/protocol/mailbox.md 4. Who fetches them: collector.py; in which order they are taken in: reception.py; what is made
of a parcel: store/collecting.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from crypto.faults import Forged
from node.inward import Inward
from node.keep.strangers import Strangers
from protocol import keeper_watch, parcel
from protocol.faults import PeerFault
from protocol.keep import Item
from protocol.keeper_watch import Finding, Kind, Watch
from protocol.parcel import Parcel
from store import keepers, people
from store.collecting import Collected
from store.database import Tx
from store.keepers import Keeper, Queue

_SAID = {
    Kind.MISSING: "{count} of {name}'s letters that it had said it keeps never came",
    Kind.BEHIND: "{count} of {name}'s letters that it had said it keeps never came",
    Kind.REPLAYED: "it gave a letter of {name}'s again that it had deleted",
    Kind.REORDERED: "it gave {name}'s letters in another order than it got them",
    Kind.FOREIGN: "what it gave as a letter of {name}'s is none",
}

log = structlog.get_logger("pages")


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
    one = keepers.keeper(tx, keeper_id)
    watches = _Watches(tx, now_ms)
    opened = []
    for item in items:
        queue = watches.by_reader(one.id, item.reader)
        if queue is None:
            continue  # closed meanwhile
        if queue.contact == keepers.OWN:
            opened.append(Opened(item.seq, keepers.OWN, None, one.id, item.envelope))
            continue
        try:
            said = parcel.unwrap(queue.wrap_key, queue.sender, item.envelope)
        except Forged:
            watches.found(queue, (keeper_watch.FOREIGN,))
            continue
        except PeerFault:
            continue
        watches.came(queue, said)
        opened.append(Opened(item.seq, queue.contact, said, one.id, b""))
    watches.save()
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


def judge(tx: Tx, keeper_id: int, complete_ms: int | None, now_ms: int) -> None:
    """What a keeper was said to keep has come by now, or never will. complete_ms: of its Drains."""
    watches = _Watches(tx, now_ms)
    for queue in keepers.queues(tx, keeper_id):
        if queue.contact != keepers.OWN and keeper_watch.unpack(queue.watch).waits:
            watches.judge(queue, complete_ms)
    watches.save()


def absent(tx: Tx, one: Keeper, now_ms: int) -> None:
    """We come back to a keeper: after too long, what is missing may have expired."""
    if one.seen_ms and keeper_watch.may_have_expired(one.seen_ms, now_ms, one.ttl_s):
        for queue in keepers.queues(tx, one.id):
            if queue.contact != keepers.OWN:
                keepers.set_watch(tx, queue.id, keeper_watch.pack(keeper_watch.away(keeper_watch.unpack(queue.watch))))


class _Watches:
    """The watches of queues that one transaction looks at."""

    def __init__(self, tx: Tx, now_ms: int) -> None:
        self._tx = tx
        self._now_ms = now_ms
        self._readers: dict[bytes, Queue | None] = {}
        self._senders: dict[bytes, Queue | None] = {}
        self._before: dict[int, Watch] = {}
        self._watches: dict[int, Watch] = {}

    def by_reader(self, keeper_id: int, reader: bytes) -> Queue | None:
        """The queue at a keeper of this reader id."""
        if reader not in self._readers:
            self._readers[reader] = keepers.queue_by_reader(self._tx, keeper_id, reader)
        return self._readers[reader]

    def came(self, queue: Queue, said: Parcel) -> None:
        """A parcel came; its heads tell of this queue and of the sender's others."""
        watch, findings = keeper_watch.came(self._of(queue), queue.sender, said, self._now_ms)
        self._watches[queue.id] = watch
        self.found(queue, findings)
        for head in said.heads:
            other = self._by_sender(head.sender)
            if other is not None and other.id != queue.id and other.contact == queue.contact:
                self._watches[other.id] = keeper_watch.told(self._of(other), said.run, head.number, self._now_ms)

    def judge(self, queue: Queue, complete_ms: int | None) -> None:
        """Judges what waits to be."""
        self._watches[queue.id], findings = keeper_watch.judge(self._of(queue), complete_ms, self._now_ms)
        self.found(queue, findings)

    def found(self, queue: Queue, findings: Sequence[Finding]) -> None:
        """Names the keeper, to the person."""
        for one in findings:
            name = people.contact(self._tx, queue.contact).name
            count = one.last - one.first + 1
            said = _SAID[one.kind].format(count=f"{count:,}", name=name)
            log.warning("keeper caught", keeper=queue.keeper, kind=one.kind.value, count=count)
            keepers.catch(self._tx, queue.keeper, said, self._now_ms)

    def save(self) -> None:
        """Writes the watches that have changed."""
        for queue_id, watch in self._watches.items():
            if watch != self._before[queue_id]:
                keepers.set_watch(self._tx, queue_id, keeper_watch.pack(watch))

    def _of(self, queue: Queue) -> Watch:
        if queue.id not in self._watches:
            self._before[queue.id] = self._watches[queue.id] = keeper_watch.unpack(queue.watch)
        return self._watches[queue.id]

    def _by_sender(self, sender: bytes) -> Queue | None:
        if sender not in self._senders:
            self._senders[sender] = keepers.queue_by_sender(self._tx, sender)
        return self._senders[sender]
