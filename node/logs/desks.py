"""The desks of our own logs: what of each may be shown to whom now, and what is done when others hold something else.

The machine is protocol/publishing.py; here its effects are carried out, one at a time, each on the disk before the next
is visible. Not here: sessions (sitting.py), what is written into logs (store/authoring.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
import trio

from node.inward import Inward
from protocol import publishing
from protocol.faults import PeerFault
from protocol.publishing import Desk, Effect, Offer, Persist, Reopen, Retake, Step, Tell
from store import entries, handovers, logs, people, reissuing, spaces, troubles
from store.database import Tx
from store.intake import Took
from store.people import ContactState
from store.spaces import Space

log = structlog.get_logger("logs")


@dataclass
class Desks:
    """Number of a log -> its desk.

    news: called with the number of a log of which more may be shown now; ask: with the accounts that have to say anew
    what they hold of logs of which they are the anchors. held_by: (log, contact) -> up to where he has said to have it.
    """

    inward: Inward
    news: Callable[[int], None]
    ask: Callable[[frozenset[bytes]], None]
    held_by: dict[tuple[int, int], int] = field(default_factory=dict)
    unwritten: dict[tuple[int, int], int] = field(
        default_factory=dict
    )  # of held_by, not on the disk yet: the carrier's
    _desks: dict[int, Desk] = field(default_factory=dict)
    _retaking: dict[int, int] = field(default_factory=dict)  # log -> what its anchor has and we take in
    _lock: trio.Lock = field(default_factory=trio.Lock)  # one step is carried out before the next is taken

    async def load(self) -> None:
        """Takes up the logs of our own that there are now and were not known yet."""
        async with self._lock:
            for number, desk in (await self.inward.database.transact(_desks)).items():
                self._desks.setdefault(number, desk)

    def shown_to(self, number: int, account: bytes) -> int:
        """Up to which seq an account may be shown a log of ours; -1 for nothing."""
        desk = self._desks.get(number)
        return publishing.NONE if desk is None else publishing.shown_to(desk, account)

    def offered_to(self, number: int, account: bytes) -> int:
        """Up to which seq an account may be sent a log of ours by mail; -1 for nothing."""
        desk = self._desks.get(number)
        return publishing.NONE if desk is None else publishing.offered_to(desk, account)

    def is_open(self, number: int) -> bool:
        """Whether the anchor of a log has said since the start what he holds."""
        desk = self._desks.get(number)
        return desk is not None and desk.is_open

    def committable(self, number: int) -> int | None:
        """The seq to which a spine may commit, None where the log is to be left out."""
        desk = self._desks.get(number)
        return None if desk is None else publishing.committable(desk)

    async def close_for(self, account: bytes) -> None:
        """A stream to this account begins: what it holds of the logs of which it is the anchor has to be said anew."""
        async with self._lock:
            for number, desk in self._desks.items():
                if desk.anchor == account:
                    self._desks[number] = publishing.closed(desk)
                    self._retaking.pop(number, None)

    async def grew(self, number: int) -> None:
        """Something was written into a log of ours, or came into it."""
        if number not in self._desks:
            return
        async with self._lock:
            seq, published = await self.inward.database.transact(_extent, number)
            desk = self._desks[number]
            if seq < desk.seq:  # what was taken back came again under other places
                self._desks[number] = replace(desk, seq=seq)
                return
            if seq > desk.seq:
                await self._carry(number, publishing.appended(desk, seq))
            if published > self._desks[number].held:  # the anchor has said so by mail
                await self._carry(number, publishing.told(self._desks[number], published))

    async def compared(self, account: bytes, number: int, theirs: int, is_ours: bool) -> None:
        """A peer has said what he holds of a log of ours: a seq, or -1; and whether that entry is here too."""
        async with self._lock:
            desk = self._desks.get(number)
            if desk is None or desk.anchor != account or desk.is_over:
                return
            if not is_ours:
                self._retaking[number] = theirs
            await self._carry(number, publishing.compared(desk, theirs, is_ours))

    async def took(self, number: int, account: bytes) -> None:
        """Entries of a log of ours were taken in that a peer held and we had not."""
        async with self._lock:
            desk = self._desks.get(number)
            if desk is None:
                return
            seq, published = await self.inward.database.transact(_extent, number)
            theirs = self._retaking.get(number)
            if theirs is None or desk.anchor != account or seq < theirs:
                self._desks[number] = replace(desk, seq=seq, held=published)
                return
            del self._retaking[number]
            await self._carry(number, publishing.retaken(replace(desk, seq=seq, held=published), seq, theirs))

    async def regain(self, number: int, take: Callable[[Tx], Sequence[Took | PeerFault]], theirs: int) -> None:
        """Entries of a log of ours came by mail, which its anchor holds. take: takes them in; theirs: the last seq."""
        await self.load()
        async with self._lock:
            before = await self.inward.database.read(entries.head, number)
            took = await self.inward.database.transact(take)
            desk = self._desks.get(number)
            if desk is None or desk.is_over:
                return
            if any(isinstance(one, Took) and one.is_over for one in took):
                await self._carry(number, publishing.parted(desk))
            elif await self.inward.database.read(entries.head, number) != before:
                seq, published = await self.inward.database.transact(_extent, number)
                await self._carry(number, publishing.regained(desk, seq, min(theirs, published)))

    async def parted(self, number: int) -> None:
        """Somebody holds another entry of a log of ours than one that we had published: the log is over."""
        async with self._lock:
            desk = self._desks.get(number)
            if desk is not None and not desk.is_over:
                await self._carry(number, publishing.parted(desk))

    async def held(self, account: bytes, number: int, contact_id: int, seq: int) -> None:
        """A peer has a log of ours on his disk up to here."""
        self.held_by[number, contact_id] = self.unwritten[number, contact_id] = seq
        async with self._lock:
            desk = self._desks.get(number)
            if desk is not None and desk.anchor == account and seq <= desk.seq:
                await self._carry(number, publishing.held(desk, seq))

    async def give_up(self, number: int, anchor: bytes | None, without: frozenset[int] = frozenset()) -> None:
        """A log goes on in another: its anchor is not waited for, or these readers shall read on no more.

        anchor: an account, None for any.
        """
        await self.load()
        async with self._lock:
            desk = self._desks.get(number)
            if desk is not None and not desk.is_over:
                await self._carry(number, publishing.give_up(desk), anchor, without, is_handed=not without)

    async def _newest(self, number: int) -> int:
        newest = await self.inward.database.read(entries.head, number)
        return publishing.NONE if newest is None else newest.seq

    async def _carry(
        self,
        number: int,
        step: Step,
        anchor: bytes | None = None,
        without: frozenset[int] = frozenset(),
        is_handed: bool = False,
    ) -> None:
        """Carries out what a step asks for; its desk is seen once what must be on the disk is there.

        is_handed: all readers have it that the log goes on, from whoever knows.
        """
        desk, effects = step
        for effect in effects:
            await self._perform(number, effect, anchor, without, is_handed)
        self._desks[number] = desk
        for effect in effects:
            if isinstance(effect, Offer):
                self.news(number)
        if any(isinstance(effect, Tell) for effect in effects):
            self.ask(self._close_others(number))

    async def _perform(
        self, number: int, effect: Effect, anchor: bytes | None, without: frozenset[int], is_handed: bool
    ) -> None:
        database = self.inward.database
        match effect:
            case Persist(held):
                await database.transact(_publish, number, held)
            case Tell(trouble):
                log.warning("log in trouble", log=number, trouble=trouble.name)
                await database.transact(troubles.note, number, trouble, self.inward.now())
            case Reopen():
                begun = await database.transact(self._succeed, number, anchor, without, is_handed)
                if begun is not None:
                    self._desks[begun.log.number] = _desk(begun, await self._newest(begun.log.number))
            case Retake() | Offer():
                pass  # the session asks for his entries by itself; Offer is told once the desk is seen

    def _close_others(self, number: int) -> frozenset[bytes]:
        """What this device has forgotten of one log it may have forgotten of all; returns their anchors."""
        others = {other: desk for other, desk in self._desks.items() if other != number and not desk.is_over}
        for other, desk in others.items():
            self._desks[other] = publishing.closed(desk)
        return frozenset(desk.anchor for desk in others.values())

    def _succeed(
        self, tx: Tx, number: int, anchor: bytes | None, without: frozenset[int], is_handed: bool
    ) -> Space | None:
        """The successor of a log; None where nobody is left to read one, and then the log is over."""
        of = spaces.space(tx, number)
        for contact_id in sorted(without):  # together with the new secret: else he could read on after a kill
            spaces.drop_reader(tx, number, contact_id)
        found = anchor or other_anchor(tx, of)
        if found is None:
            logs.end(tx, number)
            return None
        me, entropy = self.inward.identity, self.inward.ground.entropy("logs")
        begun = reissuing.succeed(tx, of, found, me, self.inward.now(), entropy)
        if is_handed:
            handovers.make(tx, begun, me.device_key, entropy)
        return begun


def other_anchor(tx: Tx, of: Space) -> bytes | None:
    """Another reader than the anchor that a log has, the one who was here last; the same one where he is alone."""
    found = [people.contact(tx, one) for one in spaces.readers(tx, of.log.number)]
    active = [one for one in found if one.state is ContactState.ACTIVE]
    best = max(active, key=lambda one: (one.account != of.anchor, one.seen_ms, -one.id), default=None)
    return None if best is None else best.account


def _desks(tx: Tx) -> Mapping[int, Desk]:
    found = {}
    for own in spaces.of(tx, spaces.OURS):
        if own.log.own:
            newest = entries.head(tx, own.log.number)
            found[own.log.number] = _desk(own, publishing.NONE if newest is None else newest.seq)
    return found


def _desk(own: Space, seq: int) -> Desk:
    return Desk(own.anchor, seq, min(own.log.published, seq), is_over=own.log.state is not logs.State.OK)


def _extent(tx: Tx, number: int) -> tuple[int, int]:
    newest = entries.head(tx, number)
    seq = publishing.NONE if newest is None else newest.seq
    return seq, min(seq, logs.log(tx, number).published)


def _publish(tx: Tx, number: int, seq: int) -> None:
    logs.publish(tx, number, seq)
    tx.changed(logs.TOPIC, number)
