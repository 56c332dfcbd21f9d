"""Collects what keepers have for us, opens the queues in which contacts leave it, and tells them where they are.

    beside each talk with a contact who keeps, or on a link of its own to a node of ours:
      stream 1: claim, fetch (waits for news) ──> one transaction: open, hear, receipt ──> done
      stream 2: claim, open and close queues, usage ──> contacts are told their lines

docs/protocol/mailbox.md 1, 2 and 4. Not here: what is left for others (courier.py), the rows (store/keepers.py).
"""

from dataclasses import dataclass, field

import structlog
import trio

from crypto.faults import Forged, Malformed
from node.bell import Bell
from node.delivery import Delivery
from node.ground import jitter
from node.inward import Inward
from node.keep import client, telling, watching
from node.keep.client import KeeperStream
from node.keep.reception import Reception
from node.keep.roads import Place, Roads
from node.network import Link
from node.supervisor import first
from protocol import keep
from protocol.faults import PeerFault, Unavailable
from protocol.keep import Status
from protocol.keeper_watch import Drains
from store import invitations, keeper_words, keepers, people, watches
from store.database import Tx
from store.keepers import Keeper, Queue, QueueState, State
from store.people import ContactState

ANSWER_S = 30.0  # for a request that is answered at once
WAIT_S = 300  # that a keeper holds a question open while nothing comes
WAITED = 0.9  # of it, at least: two clocks do not run at quite the same speed
PAGE_ITEMS = keep.FETCH_ITEMS_MAX
DONE_ITEMS = 512  # letters that are confirmed together while more come
TEND_S = 3600.0  # between two looks at how much a keeper has for us
EMPTIED_S = 10.0  # the same, once something was fetched from there: who looks then sees no full keeper that is empty
SETTLE_S = 0.2  # what changes together is dealt with together
RETRY_S = (5.0, 600.0)  # until a node of our own is dialled again, doubling
ENROL_S = 86_400.0  # until a node of our own is shown its permit again: who was pushed out does not push back at once
AWAY_S = 1800.0  # a contact's talk begins at any time, and rings; this is for what was missed
JITTER = 0.2
# Whoever we ask may have to leave us his answer.
WITH_QUEUES = (ContactState.ACTIVE, ContactState.ASKED, ContactState.WAITING, ContactState.PENDING)
TOPICS = frozenset({keepers.CHANGED, invitations.CHANGED})


log = structlog.get_logger("collector")


@dataclass(slots=True)
class _Desk:
    """A keeper that is attended. again: it is to be tried now; tend: queues or contacts have changed.

    permit: with which it was tried last, or is tried now; enrolled_at: when it took that last, and lost_at: when it had
    lost our queues and was tried again at once, trio's time; is_emptied: less of ours is there than was counted last.
    """

    contact: int
    permit: bytes
    again: Bell = field(default_factory=Bell)
    tend: Bell = field(default_factory=Bell)
    enrolled_at: float = -ENROL_S
    lost_at: float = -TEND_S
    is_reached: bool = False
    is_emptied: bool = False


@dataclass
class Collector:
    """The keepers of a node, each with a task. `run` works until cancelled."""

    inward: Inward
    delivery: Delivery
    roads: Roads
    reception: Reception
    network_changed: Bell = field(default_factory=Bell)  # rung from outside
    _desks: dict[int, _Desk] = field(default_factory=dict)

    def reached(self) -> frozenset[int]:
        """The keepers with which we are connected now."""
        return frozenset(keeper_id for keeper_id, desk in self._desks.items() if desk.is_reached)

    def met(self, contact_id: int) -> None:
        """A talk with a contact has begun: if he keeps for us, he is there."""
        for desk in self._desks.values():
            if desk.contact == contact_id:
                desk.again.ring()

    def used(self, keeper_id: int) -> None:
        """The person uses a node of our own, maybe again: it is shown the permit at once, whoever has its place."""
        if (desk := self._desks.get(keeper_id)) is not None:
            desk.enrolled_at = -ENROL_S
            desk.again.ring()

    def tend(self) -> None:
        """What strangers may do, or what shall lie at keepers, is something else now."""
        for desk in self._desks.values():
            desk.tend.ring()

    async def run(self) -> None:
        """Attends to every keeper that is used, or was left, until cancelled."""
        database = self.inward.database
        self._desks.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_network)
            nursery.start_soon(self._heed_people)
            with database.watch(TOPICS) as changes:
                while True:
                    for one in await database.read(keepers.known):
                        if one.owner_seed and one.id not in self._desks:
                            self._desks[one.id] = _Desk(one.contact, one.permit)
                            nursery.start_soon(self._attend, one.id)
                        elif one.owner_seed and self._desks[one.id].permit != one.permit:
                            self._desks[one.id].permit = one.permit
                            self.used(one.id)
                    self.tend()
                    await changes.receive()

    async def _heed_network(self) -> None:
        """Tries nodes of our own again whenever the network has changed."""
        while True:
            await self.network_changed.wait()
            self.met(keepers.OWN)

    async def _heed_people(self) -> None:
        """Has queues opened and closed where contacts come, go or are blocked: not whenever somebody is seen."""
        database = self.inward.database
        with database.watch(frozenset({people.CHANGED})) as changes:
            before = None
            while True:
                if (now := await database.transact(people.census)) != before:
                    before = now
                    self.tend()
                await changes.receive()
                await trio.sleep(SETTLE_S)

    async def _attend(self, keeper_id: int) -> None:
        """Keeps in touch with one keeper until it is gone, or has nothing of ours any more."""
        desk, failures = self._desks[keeper_id], 0
        try:
            while (one := await self.inward.database.read(keepers.find, keeper_id)) is not None and one.owner_seed:
                began = trio.current_time()
                try:
                    async with self.roads.to(place_of(one), self.inward.now() // 1000) as way:
                        await self._converse(one, desk, way.link)
                except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
                    log.info("keeper not reached", keeper=keeper_id, reason=str(first(faults)))
                failures = 0 if trio.current_time() - began > RETRY_S[1] else failures + 1
                chance = jitter(self.inward.ground.entropy("collector"))
                pause_s = min(RETRY_S[0] * 2.0 ** min(failures, 10), RETRY_S[1])
                if one.contact != keepers.OWN and not self.delivery.talks.online(one.contact):
                    pause_s = AWAY_S
                with trio.move_on_after(pause_s * (1 - JITTER + 2 * JITTER * chance)):
                    await desk.again.wait()
        finally:
            self._desks.pop(keeper_id, None)

    async def _converse(self, one: Keeper, desk: _Desk, link: Link) -> None:
        """Two streams on a link, until it ends or the keeper is gone. Raises: PeerFault, Unavailable, TooSlowError."""
        try:
            async with trio.open_nursery() as nursery:
                await self._tend_all(nursery, one, desk, link)
                nursery.cancel_scope.cancel()
        finally:
            desk.is_reached = False

    # --- what came

    async def _fetch(self, one: Keeper, desk: _Desk, link: Link) -> None:
        """Takes in what is there, and then whatever comes."""
        database, reception, drains = self.inward.database, self.reception, Drains()
        counter = reception.met(one.id)
        try:
            async with client.open_stream(link, self.roads.network.peer) as stream:
                await self._claim(one, desk, stream)
                await database.transact(watching.absent, one, self.inward.now())
                # From the first on: what was confirmed is not there any more, but where the keeper's disk was put back
                # its numbers are lower than what it has been confirmed.
                fetched = done = wait_s = 0
                while True:
                    drains.asked(self.inward.now())
                    page = await self._page(stream, fetched, wait_s)
                    wait_s = 0 if page.more else WAIT_S
                    await reception.push(counter, page.items, more=bool(page.more))
                    fetched = page.items[-1].seq if page.items else fetched
                    if not page.more:
                        await reception.settled(counter, fetched)
                    drains.committed(fetched, bool(page.more))
                    if (upto := counter.upto()) > done and (not page.more or upto >= done + DONE_ITEMS):
                        await self._confirm(one, stream, upto)
                        drains.done(done := upto)
                        desk.is_emptied = True
                        desk.tend.ring()
                    if not page.more:
                        await database.transact(watching.judge, one.id, drains.complete_ms, self.inward.now())
        finally:
            reception.lost(one.id)

    async def _page(self, stream: KeeperStream, after: int, wait_s: int) -> keep.Items:
        """What comes after a number. Raises: PeerFault, also where it says too early that nothing came; Unavailable."""
        began = trio.current_time()
        with trio.fail_after(ANSWER_S + wait_s):
            page = await stream.fetch(after, PAGE_ITEMS, wait_s)
        if isinstance(page, Status):
            raise Unavailable(f"the keeper refuses: {page.name}")
        if not page.items and trio.current_time() - began < wait_s * WAITED:
            raise Malformed("the keeper does not wait")  # else it could have us ask without end
        return page

    async def _confirm(self, one: Keeper, stream: KeeperStream, upto: int) -> None:
        """Has the keeper delete what is committed here."""
        note = await self.inward.database.transact(watches.next_note, one.id)
        with trio.fail_after(ANSWER_S):
            status = await stream.done(upto, note)
        if status is not Status.OK:
            raise Unavailable(f"the keeper deletes nothing: {status.name}")
        await self.inward.database.transact(keepers.done, one.id, upto)

    async def _claim(self, one: Keeper, desk: _Desk, stream: KeeperStream) -> None:
        """Shows whose stream it is, and that it leads to the keeper. Raises: Unavailable where it does not."""
        is_used, began = one.state is State.USED, trio.current_time()
        # A code that two accounts use would go from one to the other and back without end.
        enrols = is_used and (one.contact != keepers.OWN or began - desk.enrolled_at >= ENROL_S)
        try:
            with trio.fail_after(ANSWER_S):
                status = await stream.claim(one.owner_key, one.permit, enrols=enrols)
        except Forged:
            said = keeper_words.ANOTHER
        else:
            if status is Status.OK:
                desk.enrolled_at = began if enrols else desk.enrolled_at
                return
            if status is Status.REFUSED and not is_used:
                await self.inward.database.transact(_end, one.id)
                raise Unavailable(keeper_words.REFUSED)
            said = keeper_words.says(status)
        await self.inward.database.transact(keepers.blamed, one.id, said)
        raise Unavailable(said)

    # --- queues, and who is told

    async def _tend_all(self, nursery: trio.Nursery, one: Keeper, desk: _Desk, link: Link) -> None:
        """Opens and closes queues whenever something has changed; returns once the keeper is left and all is closed."""
        database = self.inward.database
        async with client.open_stream(link, self.roads.network.peer) as stream:
            await self._claim(one, desk, stream)
            where = self._where(one, link)
            await database.transact(keepers.met, one.id, link.peer, where, self.inward.now())
            desk.is_reached = True
            await self._count(one, desk, stream)  # first: who has lost our queues with all that was in them told no lie
            nursery.start_soon(self._fetch, one, desk, link)
            laid: dict[bytes, bytes] = {}
            while True:
                counted_at = trio.current_time()
                while trio.current_time() < (until := counted_at + (EMPTIED_S if desk.is_emptied else TEND_S)):
                    wanted, unwanted = await database.transact(self._plan, one.id)
                    await self._open(one, stream, wanted)
                    await self._close(one, stream, unwanted)
                    if await database.read(_has_doors, one.id):
                        with trio.fail_after(ANSWER_S):
                            await self.reception.strangers.lay(stream, laid)
                    if await database.transact(_is_over, one.id, one.owner_seed):
                        return
                    for contact_id in await database.transact(telling.tell, self.inward):
                        self.delivery.stir(contact_id)
                    await trio.sleep(SETTLE_S)
                    with trio.move_on_at(until):
                        await desk.tend.wait()
                desk.is_emptied = False
                await self._count(one, desk, stream)

    async def _count(self, one: Keeper, desk: _Desk, stream: KeeperStream) -> None:
        """Asks how much of ours is there. Raises: Unavailable where it does not say, for its reminder is needed before
        anything of it is judged, and where queues were lost: it is begun anew with others.
        """
        with trio.fail_after(ANSWER_S):
            used = await stream.usage()
        if isinstance(used, Status):
            raise Unavailable(f"the keeper does not say what it has: {used.name}")
        if await self.inward.database.transact(_has_lost, one.id, used):
            if (now := trio.current_time()) - desk.lost_at >= TEND_S:  # not whenever it says so: all contacts are told
                desk.lost_at = now
                desk.again.ring()
            raise Unavailable("the keeper has lost our queues")

    async def _close(self, one: Keeper, stream: KeeperStream, unwanted: tuple[Queue, ...]) -> None:
        """Has queues closed, with a note like what is deleted in another way."""
        if not unwanted:
            return
        note = await self.inward.database.transact(watches.next_note, one.id)
        with trio.fail_after(ANSWER_S):
            status = await stream.done(0, note)
        if status is not Status.OK:
            return
        with trio.fail_after(ANSWER_S):
            status = await stream.close_queues([each.reader for each in unwanted])
        if status is Status.OK:
            await self.inward.database.transact(keepers.forget_queues, [each.id for each in unwanted])

    async def _open(self, one: Keeper, stream: KeeperStream, wanted: tuple[Queue, ...]) -> None:
        """Has queues opened; those that are refused are drawn anew the next time."""
        limits = keep.OWN if one.contact == keepers.OWN else keep.FRIEND
        for start in range(0, len(wanted), keep.QUEUES_MAX):
            some = wanted[start : start + keep.QUEUES_MAX]
            with trio.fail_after(ANSWER_S):
                status = await stream.open_queues([self._asked(each, limits) for each in some])
            if status is not Status.OK:
                said = keeper_words.opens_nothing(status)
                await self.inward.database.transact(keepers.blamed, one.id, said)
                return
            await self.inward.database.transact(keepers.set_queues, [each.id for each in some], QueueState.OPEN)
            if any(each.contact == keepers.OWN for each in some):
                self.reception.strangers.moved.ring()

    def _asked(self, one: Queue, limits: keep.Limits) -> keep.Queue:
        if one.contact == keepers.OWN:
            return self.reception.strangers.asked(one)
        door = keep.Door(one.sender, one.put_key, limits.items, 0)
        return keep.Queue(one.reader, limits.items, limits.bytes, limits.ttl_s, (door,))

    def _where(self, one: Keeper, link: Link) -> tuple[str, ...]:
        """Where others can dial a keeper, as far as we know now; none leaves what is known."""
        if one.contact == keepers.OWN:
            return () if link.address in one.addresses else (link.address, *one.addresses)
        return self.delivery.talks.addresses_of(one.contact)

    def _plan(self, tx: Tx, keeper_id: int) -> tuple[tuple[Queue, ...], tuple[Queue, ...]]:
        """The queues to open and to close at a keeper, after those are added that are missing."""
        one = keepers.find(tx, keeper_id)
        if one is not None and any(used.id == keeper_id for used in keepers.used(tx)):
            active = [each.id for each in people.contacts(tx) if each.state in WITH_QUEUES and each.id != one.contact]
            there = {each.contact for each in keepers.queues(tx, keeper_id)}
            keepers.want_queues(
                tx, keeper_id, [c for c in active if c not in there], self.inward.ground.entropy("queues")
            )
            keepers.unwant(tx, keeper_id, [c for c in sorted(there) if c not in active and c != keepers.OWN])
        if one is not None:
            self.reception.strangers.plan(tx, one)
        return (
            keepers.queues(tx, keeper_id, QueueState.WANTED),
            keepers.queues(tx, keeper_id, QueueState.UNWANTED),
        )


def place_of(one: Keeper) -> Place:
    """Where a keeper of ours is."""
    if one.contact == keepers.OWN:
        return Place(one.peer, one.addresses, one.find, None)
    return Place(one.peer, one.addresses, one.find, one.contact, is_met=True)


def _has_lost(tx: Tx, keeper_id: int, used: keep.Used) -> bool:
    """Keeps how full it is; whether it has fewer queues than it should, which then are given up."""
    keepers.counted(tx, keeper_id, used.bytes, used.items, used.bytes_max)
    has_forgotten = watches.reminded(tx, keeper_id, used.note)
    if used.queues >= len(keepers.queues(tx, keeper_id, QueueState.OPEN)):
        return False
    keepers.lost(tx, keeper_id, by_us=has_forgotten)
    return True


def _has_doors(tx: Tx, keeper_id: int) -> bool:
    """Whether strangers may knock at this keeper."""
    return any(each.contact == keepers.OWN for each in keepers.queues(tx, keeper_id, QueueState.OPEN))


def _end(tx: Tx, keeper_id: int) -> None:
    """Nothing of ours is at a keeper that we have left: somebody else uses it, or it was made anew."""
    if keepers.find(tx, keeper_id) is not None:
        keepers.ended(tx, keeper_id)


def _is_over(tx: Tx, keeper_id: int, owner_seed: bytes) -> bool:
    """Whether nothing of ours is left at a keeper that we have left, or it is used anew with another key."""
    one = keepers.find(tx, keeper_id)
    if one is not None and one.owner_seed and one.owner_seed != owner_seed:
        return True
    if one is not None and one.state is not State.USED and not keepers.queues(tx, keeper_id):
        keepers.ended(tx, keeper_id)
        return True
    return one is None
