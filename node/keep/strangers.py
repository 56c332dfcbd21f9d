"""What strangers leave for us at keepers: the doors through which they may, what is heard of them, records that tell.

A keeper has one queue for all strangers, in keepers.py a queue of nobody (OWN); its doors are those of our invitations
(store/doors.py). docs/protocol/parcel.md 4. Who decides about them is a room, which says so in `heard`; it also gives
the records that shall lie at keepers. Not here: how a keeper is spoken with (collector.py), knocking oneself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import outcome

from crypto import hashing
from crypto.hashing import Label
from node import config
from node.bell import Bell
from node.ground import Ground
from node.keep.client import KeeperStream
from protocol import keep, knock, record
from protocol.faults import PeerFault, Unavailable
from protocol.keep import Status
from protocol.knock import Knock
from store import doors, keepers, settings
from store.database import Tx
from store.invitations import Invitation
from store.keepers import Keeper, Queue, QueueState

Heard = Callable[[Tx, Invitation, Knock], int | None]
"""Decides about somebody who knocked; the contact to whom an answer may wait. Raises: PeerFault, Unavailable."""


@dataclass(slots=True)
class Strangers:
    """The doors of a node at its keepers.

    heard: None while no room listens; then what comes is dropped. records: name in the DHT -> what shall lie at them.
    moved: rung when where strangers may knock is another place.
    """

    ground: Ground
    heard: Heard | None = None
    records: Mapping[bytes, bytes] = field(default_factory=dict)
    moved: Bell = field(default_factory=Bell)
    _doors: dict[int, tuple[keep.Door, ...]] = field(default_factory=dict)

    def plan(self, tx: Tx, one: Keeper) -> None:
        """Has the queue of strangers at a keeper opened, changed or closed as our invitations are now."""
        wanted: tuple[keep.Door, ...] = ()
        if self.heard is not None and any(each.id == one.id for each in doors.keepers_of(tx)):
            wanted = doors.doors(tx, one.find, self.ground.now_ms(), bits_of(tx))
        queue = next((each for each in keepers.queues(tx, one.id) if each.contact == keepers.OWN), None)
        if not wanted:
            keepers.unwant(tx, one.id, [keepers.OWN] if queue is not None else [])
            return
        self._doors[one.id] = wanted
        if queue is None or queue.state is QueueState.UNWANTED:
            keepers.want_queues(tx, one.id, [keepers.OWN], self.ground.entropy("doors"))
            queue = next(each for each in keepers.queues(tx, one.id) if each.contact == keepers.OWN)
        named = hashing.hash_of(Label.KEEP, b"".join(map(record.encode, wanted)))
        if queue.watch != named:
            keepers.set_watch(tx, queue.id, named)
            keepers.set_queues(tx, [queue.id], QueueState.WANTED)

    def asked(self, queue: Queue) -> keep.Queue:
        """The queue of strangers as its keeper is asked for it, after `plan`."""
        wanted = self._doors[queue.keeper]
        return keep.Queue(queue.reader, knock.QUEUE_ITEMS, knock.QUEUE_BYTES, knock.TTL_S, wanted)

    def take(self, tx: Tx, one: Keeper, envelope: bytes) -> int | None:
        """Takes in what somebody left; the contact to whom an answer may wait. What is nonsense changes nothing."""
        result = tx.attempt(self._hear, tx, one, envelope)
        if isinstance(result, outcome.Error) and isinstance(result.error, PeerFault | Unavailable):
            return None
        return result.unwrap()

    async def lay(self, stream: KeeperStream, laid: dict[bytes, bytes]) -> None:
        """Has those of the records lie at a keeper that do not yet. laid: what does, since this stream began."""
        new = {name: raw for name, raw in self.records.items() if laid.get(name) != raw}
        if new and await stream.lay(tuple(new.values())) is Status.OK:
            laid.update(new)

    def _hear(self, tx: Tx, one: Keeper, envelope: bytes) -> int | None:
        door = doors.behind(tx, one.find, knock.sender_of(envelope), self.ground.now_ms())
        if door is None or self.heard is None:
            return None
        return self.heard(tx, door.invitation, knock.open_sealed(door.key, envelope))


def bits_of(tx: Tx) -> int:
    """How many bits of work who only knows the account id has to do to leave us something; 0: he may not."""
    values = config.effective(settings.all_set(tx))
    return int(values["find.work"]) if values["find.account"] is True else 0
