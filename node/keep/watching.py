"""Watches over our keepers: what a page says of how honest they are, and what a person is told.

What is found is in protocol/keeper_watch.py, the rows in store/keepers.py; docs/protocol/parcel.md 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from protocol import keeper_watch
from protocol.keeper_watch import Finding, Kind, Watch
from protocol.parcel import Parcel
from store import keepers, people
from store.database import Tx
from store.keepers import Keeper, Queue


@dataclass(slots=True)
class Watching:
    """The watch over one page, in one transaction; `save` ends it."""

    tx: Tx
    now_ms: int
    _seen: dict[bytes, tuple[Queue, Watch] | None] = field(default_factory=dict)  # by the sender id of the queue
    _found: dict[int, tuple[Queue, list[Finding]]] = field(default_factory=dict)

    def came(self, queue: Queue, said: Parcel) -> None:
        """A parcel of a queue came; what it says of others."""
        _, watch = self._seen.get(queue.sender) or (queue, keeper_watch.unpack(queue.watch))
        watch, found = keeper_watch.came(watch, queue.sender, said, self.now_ms)
        self._seen[queue.sender] = (queue, watch)
        self._note(queue, found)
        for head in said.heads:
            if head.sender != queue.sender and (other := self._queue(head.sender, queue.contact)) is not None:
                told = keeper_watch.told(other[1], said.run, head.number, self.now_ms)
                self._seen[head.sender] = (other[0], told)

    def foreign(self, queue: Queue) -> None:
        """Something in a queue does not open under its key."""
        self._note(queue, (keeper_watch.FOREIGN,))

    def save(self) -> None:
        """Keeps what is known now, and tells the person what was found."""
        for queue, watch in filter(None, self._seen.values()):
            keepers.set_watch(self.tx, queue.id, keeper_watch.pack(watch))
        for queue, found in self._found.values():
            keepers.caught(self.tx, queue.keeper, _sentence(found, people.contact(self.tx, queue.contact).name))

    def _queue(self, sender: bytes, contact_id: int) -> tuple[Queue, Watch] | None:
        """A queue that a head names: only one of the contact who says it."""
        if sender not in self._seen:
            queue = keepers.queue_by_sender(self.tx, sender)
            is_his = queue is not None and queue.contact == contact_id
            self._seen[sender] = (queue, keeper_watch.unpack(queue.watch)) if queue is not None and is_his else None
        return self._seen[sender]

    def _note(self, queue: Queue, found: Sequence[Finding]) -> None:
        if found:
            self._found.setdefault(queue.id, (queue, []))[1].extend(found)


def judge(tx: Tx, keeper_id: int, complete_ms: int | None, now_ms: int) -> None:
    """Judges what contacts said that a keeper has, after all that it had was fetched and confirmed."""
    for queue in keepers.queues(tx, keeper_id):
        if not queue.watch or queue.contact == keepers.OWN:
            continue
        watch = keeper_watch.unpack(queue.watch)
        if watch.waits:
            watch, found = keeper_watch.judge(watch, complete_ms, now_ms)
            keepers.set_watch(tx, queue.id, keeper_watch.pack(watch))
            if found:
                keepers.caught(tx, keeper_id, _sentence(found, people.contact(tx, queue.contact).name))


def absent(tx: Tx, one: Keeper, now_ms: int) -> None:
    """We come back to a keeper: where something may have expired since we asked last, it is watched anew."""
    if not one.seen_ms or not keeper_watch.may_have_expired(one.seen_ms, now_ms, one.ttl_s):
        return
    for queue in keepers.queues(tx, one.id, keepers.QueueState.OPEN):
        if queue.contact != keepers.OWN:
            watch = keeper_watch.away(keeper_watch.unpack(queue.watch))
            keepers.set_watch(tx, queue.id, keeper_watch.pack(watch))


def _sentence(found: Sequence[Finding], name: str) -> str:
    """What a keeper did with a contact's mail, in one line; only the two of them can know which one it was."""
    one = found[0]
    match one.kind:
        case Kind.MISSING | Kind.BEHIND:
            missing = (Kind.MISSING, Kind.BEHIND)
            count = sum(each.last - each.first + 1 for each in found if each.kind in missing)
            return f"it lost {count:,} of what {name} left there, or {name} says falsely that it had them"
        case Kind.REPLAYED:
            return f"it gave again what {name} left long ago, or {name}'s node was put back to an older state"
        case Kind.REORDERED:
            return f"it held back what {name} left there, and gave later things first"
        case Kind.FOREIGN:
            return f"it gave something as {name}'s that does not open, or {name} left nonsense there"
        case _:
            assert_never(one.kind)
