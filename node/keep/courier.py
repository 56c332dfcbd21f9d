"""Leaves mail at the keepers of contacts who are away, until they have it: what was posted, receipts, all that waits.

    somebody is away (away.py), and something waits ──> plan: seal, number (store/mailing.py) ──> the keepers' offices
    office: reach the keeper ──> put ──> answers ──> kept; or not reached: planned for others, and tried again later

docs/protocol/mailbox.md 3. Not here: collecting our own (collector.py), which way leads to a keeper (roads.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
import trio

from node import speech
from node.bell import Bell
from node.delivery import Delivery
from node.ground import jitter
from node.inward import Inward
from node.keep import client
from node.keep.client import KeeperStream, Kept, Posting
from node.keep.roads import Place, Roads
from node.supervisor import first
from protocol import ids, keep, mailbox
from protocol.faults import PeerFault, Unavailable
from protocol.keep import Status
from protocol.presence_record import Whereabouts
from store import devices, inboxes, mailing, outbox, pairs, parcels, people, sessions
from store.database import Tx, changes_after, newest_change
from store.healing import Healing
from store.inboxes import Mailbox
from store.mailing import Answer, Planned
from store.people import STOPS

PUT_S = 60.0  # for a batch, over a slow link
BATCH = 32  # parcels under way at once
IDLE_S = 60.0  # that a way to a keeper is kept after the last parcel: what is said next goes at once
RETRY_S = (60.0, 300.0, 1800.0, 7200.0, 21_600.0)  # until a keeper that was not reached is tried again
FULL_S = 300.0  # until one that had no room is tried again
LOOK_S = 3600.0  # between two looks at a contact who is away: copies get old, sessions may be healed, keepers be back
HEAL_S = 60.0  # while something of his is unreadable
JITTER = 0.2
CHANGES_MAX = 1000

_MADE = {Status.OK: Answer.KEPT, Status.GONE: Answer.GONE, Status.TOO_BIG: Answer.USELESS}

log = structlog.get_logger("courier")


@dataclass(slots=True)
class _Office:
    """A keeper to which we put. work: line -> whose it is, for those that have something; failures: in a row;
    retry_at: trio's time.
    """

    place: Place
    work: dict[int, int] = field(default_factory=dict)
    bell: Bell = field(default_factory=Bell)
    failures: int = 0
    retry_at: float = 0.0

    def again(self) -> None:
        """It is worth a try now."""
        self.retry_at = 0.0
        self.bell.ring()


@dataclass(slots=True)
class _Plan:
    """What there is for a contact: his lines that wait, each with the place of its keeper."""

    boxes: list[tuple[Mailbox, Place]] = field(default_factory=list)
    has_lines: bool = False
    is_unreadable: bool = False


@dataclass
class Courier:
    """The mail of a node to those who are away. `run` works until cancelled."""

    inward: Inward
    delivery: Delivery
    roads: Roads
    network_changed: Bell = field(default_factory=Bell)  # rung from outside
    # By all that a line says of its keeper: who gives out another's record as his own gets nothing but his own mail.
    _offices: dict[Place, _Office] = field(default_factory=dict)
    _rounds: dict[int, Bell] = field(default_factory=dict)  # contact -> wakes the task that plans for him
    # line and PeerId -> until when its keeper takes nothing for it there
    _shut: dict[tuple[int, bytes], float] = field(default_factory=dict)

    def met(self, contact_id: int) -> None:
        """A talk with a contact has begun: if he is a keeper, he is there."""
        for office in self._offices.values():
            if office.place.contact == contact_id:
                office.again()

    async def run(self) -> None:
        """Plans for whoever is away, until cancelled."""
        self._offices.clear()
        self._rounds.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_inboxes)
            nursery.start_soon(self._heed_network)
            self.delivery.away.all_again()
            while True:
                for contact_id in await self.delivery.away.take():
                    if contact_id in self._rounds:
                        self._rounds[contact_id].ring()
                    else:
                        self._rounds[contact_id] = Bell()
                        nursery.start_soon(self._serve, contact_id, nursery)

    async def _heed_network(self) -> None:
        """Tries every keeper again whenever the network has changed."""
        while True:
            await self.network_changed.wait()
            for office in self._offices.values():
                office.again()

    async def _heed_inboxes(self) -> None:
        """Whoever has told us where he can be left mail is planned for, if he is away."""
        database = self.inward.database
        with database.watch(frozenset({inboxes.CHANGED})) as changes:
            cursor = await database.transact(newest_change)
            while True:
                await changes.receive()
                while rows := await database.transact(changes_after, cursor, CHANGES_MAX):
                    cursor = rows[-1][0]
                    for key in dict.fromkeys(key for _, topic, key in rows if topic == inboxes.CHANGED):
                        self.delivery.away.hint(key)

    # --- planning

    async def _serve(self, contact_id: int, nursery: trio.Nursery) -> None:
        """Plans for one contact while he is away; ends when he is here or has no keeper."""
        bell = self._rounds[contact_id]
        try:
            while self.delivery.away.is_away(contact_id):
                plan = await self._plan(contact_id)
                if not plan.has_lines:
                    return
                for box, place in plan.boxes:
                    office = self._offices.get(place)
                    if office is None:
                        office = self._offices[place] = _Office(place)
                        nursery.start_soon(self._run_office, office)
                    office.work[box.id] = contact_id
                    office.bell.ring()
                with trio.move_on_after(HEAL_S if plan.is_unreadable else LOOK_S):
                    await bell.wait()
        finally:
            self._rounds.pop(contact_id, None)

    async def _plan(self, contact_id: int) -> _Plan:
        """Seals and numbers what is to be left for the devices of a contact."""
        plan = _Plan()
        for device_id in await self.inward.database.read(inboxes.devices_of, contact_id):
            plan.has_lines = True
            if await self.inward.restart(device_id) is not Healing.READABLE:
                plan.is_unreadable = True
            while True:
                at = trio.current_time()  # which the thread of the database cannot ask
                planned, boxes = await self.inward.database.transact(self._plan_one, contact_id, device_id, at)
                if not (isinstance(planned, Planned) and planned.is_more and planned.count):
                    break
            plan.boxes += boxes
        return plan

    def _plan_one(
        self, tx: Tx, contact_id: int, device_id: int, at: float
    ) -> tuple[Planned | outbox.NeedBundle, list[tuple[Mailbox, Place]]]:
        """A step of planning for one device, and its lines for which there is something."""
        inward = self.inward
        if not may_be_left(tx, contact_id):
            return Planned(0, False), []
        boxes = [(box, place_of(tx, contact_id, box)) for box in inboxes.of(tx, device_id)]
        now_ms = inward.now()
        bundle = sessions.bundle_due(tx, inward.identity, device_id, now_ms, inward.entropy)
        if bundle is not None:
            speech.say(tx, contact_id, (mailbox.Prekeys(bundle),), now_ms, inward.ground.entropy("message"))
        reached = [box.id for box, place in boxes if self._is_open(box, place, at)]
        planned = mailing.plan(
            tx, inward.identity, device_id, reached, now_ms, inward.entropy, inward.ground.encapsulate
        )
        return planned, [
            (box, place) for box, place in boxes if self._has_room(box, at) and parcels.to_put(tx, box.id, 1)
        ]

    def _is_open(self, box: Mailbox, place: Place, at: float) -> bool:
        """Whether a line may be planned for: its keeper was reached last time, and has room at this time."""
        office = self._offices.get(place)
        return (office is None or not office.failures) and self._has_room(box, at)

    def _has_room(self, box: Mailbox, at: float) -> bool:
        """Whether a keeper may be put to at this time: it has not said a while ago that it takes nothing."""
        return self._shut.get((box.id, box.peer), 0.0) <= at

    # --- putting

    async def _run_office(self, office: _Office) -> None:
        """Puts what there is for one keeper, until there is nothing more."""
        try:
            while office.work:
                while trio.current_time() < office.retry_at:
                    with trio.move_on_at(office.retry_at):
                        await office.bell.wait()
                is_old = False  # a way that has served before is begun anew at once when it ends
                try:
                    async with (
                        self.roads.to(office.place, self.inward.now() // 1000) as way,
                        client.open_stream(way.link, self.roads.network.peer) as stream,
                    ):
                        await self._work_off(office, stream, way.moved)
                        office.failures, is_old = 0, True
                        while await self._is_rung(office):
                            await self._work_off(office, stream, way.moved)
                except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
                    if not is_old:
                        log.info("mail not left", reason=str(first(faults)))
                        self._failed(office)
        finally:
            del self._offices[office.place]

    async def _is_rung(self, office: _Office) -> bool:
        """Whether there is something more within a minute."""
        with trio.move_on_after(IDLE_S):
            await office.bell.wait()
            return True
        return False

    async def _work_off(self, office: _Office, stream: KeeperStream, moved: Whereabouts | None) -> None:
        """Puts what the lines have, each until it has nothing more. Raises: PeerFault, Unavailable, TooSlowError."""
        database = self.inward.database
        while office.work:
            box_id, contact_id = next(iter(office.work.items()))
            while (found := await database.read(_batch, box_id)) is not None:
                box, batch = found
                place = (box.id, box.peer)
                batch = batch[:1] if place in self._shut else batch  # a try, where it was not known or had no room
                with trio.fail_after(PUT_S):
                    answers = await stream.put([_posting(box, one) for one in batch])
                await database.transact(self._take, box, batch, answers, moved)
                refusal = next((answer.status for answer in answers if answer.status is not Status.OK), None)
                if refusal is not None:
                    self._shut[place] = trio.current_time() + (LOOK_S if refusal is Status.GONE else FULL_S)
                    break
                self._shut.pop(place, None)
            office.work.pop(box_id, None)
            self.delivery.away.hint(contact_id)

    def _take(
        self,
        tx: Tx,
        box: Mailbox,
        batch: Sequence[parcels.ToPut],
        answers: Sequence[Kept],
        moved: Whereabouts | None,
    ) -> None:
        """Writes what the keeper has answered, up to the first parcel that it did not take."""
        if not inboxes.is_there(tx, box):
            return
        for one, answer in zip(batch, answers, strict=False):  # where it ended the stream, of the first ones alone
            made = _MADE.get(answer.status)
            if made is not None:
                mailing.answered(tx, box, one.number, made, answer.kept_s, self.inward.now())
            if made is not Answer.KEPT:
                return
        if moved is not None:  # it has shown the key of the door, which a record does not
            inboxes.moved(tx, box.id, moved.peer, moved.addresses)

    def _failed(self, office: _Office) -> None:
        """The keeper was not reached: it is tried again later, and whoever waits for it is planned for without it."""
        chance = jitter(self.inward.ground.entropy("courier"))
        pause_s = RETRY_S[min(office.failures, len(RETRY_S) - 1)] * (1 - JITTER + 2 * JITTER * chance)
        office.failures += 1
        office.retry_at = trio.current_time() + pause_s
        for contact_id in dict.fromkeys(office.work.values()):
            self.delivery.away.hint(contact_id)


def place_of(tx: Tx, contact_id: int, box: Mailbox) -> Place:
    """Where the keeper of a line is: reached as a contact of ours where we know by the mark that he is one."""
    for keeper_id, account in tx.execute("SELECT id, account FROM contact WHERE id != ? ORDER BY id", (contact_id,)):
        if mailbox.mark_of(box.line.put_key, ids.AccountId(account)) == box.line.mark:
            return Place(box.peer, box.addresses, box.line.find, keeper_id)
    return Place(box.peer, box.addresses, box.line.find, None)


def may_be_left(tx: Tx, contact_id: int) -> bool:
    """Whether anything may be left for a contact: he was not turned away, and his account is the one he had."""
    contact = people.contact(tx, contact_id)
    return contact.state not in pairs.CLOSED and contact.alarm != STOPS


def _batch(tx: Tx, box_id: int) -> tuple[Mailbox, tuple[parcels.ToPut, ...]] | None:
    """A line, and what is to be put there next; None for nothing, or where nothing may be left now."""
    box = inboxes.find(tx, box_id)
    if box is None or not may_be_left(tx, devices.device(tx, box.device).contact):
        return None
    batch = parcels.to_put(tx, box_id, BATCH)
    return (box, batch) if batch else None


def _posting(box: Mailbox, one: parcels.ToPut) -> Posting:
    return Posting(box.line.sender, box.line.put_key, one.envelope, keep.TTL_S_MAX)
