"""Keeps what belongs to no single log: our spine, who was granted what, cosignatures for others, and commitments.

Everything here is found again after a restart, because it is compared with the database: what is to be told was not
told, what is to be signed was not signed. docs/protocol/spine.md and grant.md. Not here: sessions (node/sync.py).
"""

from dataclasses import dataclass, field

import trio

from node import speech
from node.delivery import Delivery
from node.inward import Inward
from node.logs import patience, ushers
from node.logs.patience import Patience
from node.sync import Sync
from protocol import grant, spine
from protocol.grant import Role
from store import authoring, carrying, doubts, entries, handovers, logs, people, spaces, spines, witnessing
from store.database import Tx
from store.people import STOPS, Contact, ContactState
from store.spaces import Space

SPINE_S = 60.0  # between two entries of our spine
SETTLE_S = 0.2  # after something is new: what comes together is dealt with together
LAST_S = 1.0  # for the last entry of the spine, when the node ends
AWAY_MS = 3 * 86_400_000  # a spine does not wait longer for its anchor where another contact was here since
NAME = "spine"

Said = grant.Grant | grant.Handover | grant.Cosigned | grant.Committed


@dataclass
class Scribe:
    """Writes a node's spine. `run` works until cancelled."""

    inward: Inward
    delivery: Delivery
    sync: Sync
    _next_spine_at: float = field(default=0.0)
    _patience: Patience = field(default_factory=Patience)

    async def run(self) -> None:
        """Does what is due whenever something is new, until cancelled; and then writes the spine once more."""
        wait_s = 0.0
        try:
            while True:
                with trio.move_on_after(wait_s):
                    await self.sync.moved.wait()
                await trio.sleep(SETTLE_S)
                wait_s = await self._tend()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_S):
                await self.inward.database.transact(self._commit)

    async def _tend(self) -> float:
        """Does what is due; returns in how many seconds something will be."""
        database = self.inward.database
        for number, without in (await database.transact(self._lost)).items():
            await self.sync.desks.give_up(number, None, without)
        online = frozenset(talk.contact for talk in self.delivery.talks)
        waiting = await database.transact(patience.waiting, self.inward.now(), online)
        for number, anchor in self._patience.over(waiting, trio.current_time()):
            await self.sync.desks.give_up(number, anchor)
        stirred = {*await database.transact(self._grant), *await database.transact(self._sign)}
        passed, is_later = await database.transact(self._pass_on, online)
        stirred |= {*passed}
        now = trio.current_time()
        if now >= self._next_spine_at and await database.transact(self._commit):
            self._next_spine_at = now + SPINE_S
        stirred |= {*await database.transact(self._show)}
        for contact_id in sorted(stirred):
            self.delivery.stir(contact_id)
        wait_s = max(0.0, self._next_spine_at - now) or float("inf")
        wait_s = min(wait_s, patience.LOOK_S) if waiting else wait_s
        return min(wait_s, ushers.LOOK_S) if is_later else wait_s

    def _lost(self, tx: Tx) -> dict[int, frozenset[int]]:
        """Our logs that cannot go on as they are, with their readers who are no contacts any more."""
        found: dict[int, frozenset[int]] = {}
        for number, contact_id in spaces.gone(tx):
            found[number] = found.get(number, frozenset()) | {contact_id}
        own = spaces.newest_spine(tx, spaces.OURS, self.inward.identity.device)
        if own is not None and self._is_stuck(tx, own):
            found.setdefault(own.log.number, frozenset())
        return found

    def _is_stuck(self, tx: Tx, own: Space) -> bool:
        """Whether our spine waits for an anchor who was not here for days, and somebody else was."""
        head = entries.head(tx, own.log.number)
        if head is None or head.seq <= own.log.published:
            return False
        seen: dict[bytes, int] = {
            one.account: max(one.seen_ms, carrying.heard_ms(tx, own.log.number, one.id))
            for one in (people.contact(tx, c) for c in spaces.readers(tx, own.log.number))
        }
        return seen.get(own.anchor, 0) + AWAY_MS < min(self.inward.now(), max(seen.values(), default=0))

    def _grant(self, tx: Tx) -> tuple[int, ...]:
        """Begins our spine when there is a contact, lets all have it, and tells readers what they may have."""
        active = [one for one in people.contacts(tx) if one.state is ContactState.ACTIVE]
        own = spaces.newest_spine(tx, spaces.OURS, self.inward.identity.device)
        if own is None and active:
            own = self._begin(tx, active)
        if own is not None:
            readers = {*spaces.readers(tx, own.log.number)}
            for one in active:
                if one.id not in readers:
                    spaces.add_reader(tx, own.log.number, one.id)
        told = []
        for number, contact_id in spaces.untold(tx):
            self._say(tx, contact_id, spaces.grant(tx, number))
            handed = handovers.of(tx, number)
            if handed is not None:
                self._say(tx, contact_id, handed)
            spaces.told(tx, number, contact_id)
            told.append(contact_id)
        return tuple(told)

    def _pass_on(self, tx: Tx, online: frozenset[int]) -> tuple[tuple[int, ...], bool]:
        """Tells readers of feeds of others where these go on; and whether somebody is to be told later."""
        due, is_later = ushers.due(tx, self.inward.now(), online)
        for one in due:
            said = handovers.of(tx, one.number)
            assert said is not None
            self._say(tx, one.contact, said)
            handovers.paid(tx, one.number, one.contact)
        return tuple(one.contact for one in due), is_later

    def _begin(self, tx: Tx, active: list[Contact]) -> Space:
        """Our first spine, or, where all whom the last one had were gone, the one that goes it on."""
        me, now_ms, entropy = self.inward.identity, self.inward.now(), self.inward.ground.entropy("logs")
        anchor = max(active, key=lambda one: (one.seen_ms, -one.id)).account
        before = [one for one in spaces.of(tx, spaces.OURS) if one.role is Role.SPINE and one.log.author == me.device]
        if before:
            return authoring.succeed(tx, before[-1], anchor, me.device_key, now_ms, entropy)
        return spaces.begin(tx, me.device, Role.SPINE, NAME, entropy(authoring.SECRET_BYTES), 0, anchor, (), 0, now_ms)

    def _sign(self, tx: Tx) -> tuple[int, ...]:
        """Signs what others' spines have shown and is on the disk (spine 4.4)."""
        me, told = self.inward.identity, []
        for one in witnessing.unsigned(tx):
            if _may_hear(people.contact(tx, one.contact)):
                word = spine.cosign(me.account, self.inward.now(), one.id, me.device_key)
                self._say(tx, one.contact, grant.Cosigned(word))
                witnessing.signed(tx, one)
                told.append(one.contact)
        return tuple(told)

    def _commit(self, tx: Tx) -> bool:
        """Appends to our spine when a log has grown that its anchor holds; returns whether it did."""
        own = spaces.newest_spine(tx, spaces.OURS, self.inward.identity.device)
        if own is None:
            return False
        lines, doubted = [], doubts.every(tx)
        for other in _current(tx):
            is_out = other.role is Role.SPINE or other.log.number in doubted
            seq = None if is_out else self.sync.desks.committable(other.log.number)
            head = None if seq is None else authoring.head_shown(tx, other.log.number, seq)
            if head is not None:
                lines.append(spine.Line(spine.leaf_key(other.log.secret, other.log.id), other.log.id, head))
        return spines.commit(tx, own, lines, self.inward.identity.device_key, self.inward.now())

    def _show(self, tx: Tx) -> tuple[int, ...]:
        """Shows readers that our spine commits to what they have, once the spine's anchor holds it."""
        told = []
        own = spaces.newest_spine(tx, spaces.OURS, self.inward.identity.device)
        for number, said in () if own is None else spines.unshown(tx, own):
            for contact_id in spaces.readers(tx, number):
                if _may_hear(people.contact(tx, contact_id)):
                    self._say(tx, contact_id, said)
                    told.append(contact_id)
            spines.shown(tx, number, said)
        return tuple(told)

    def _say(self, tx: Tx, contact_id: int, said: Said) -> None:
        speech.say(tx, contact_id, (said,), self.inward.now(), self.inward.ground.entropy("message"))


def _current(tx: Tx) -> list[Space]:
    """Our own logs that go on."""
    return [one for one in spaces.of(tx, spaces.OURS) if one.log.own and one.log.state is logs.State.OK]


def _may_hear(one: Contact) -> bool:
    return one.state is ContactState.ACTIVE and one.alarm != STOPS
