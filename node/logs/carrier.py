"""Sends readers who are away what is new of our logs, by mail; and says what we hold of the logs of others.

docs/protocol/carrying.md. What is posted here waits in the outbox, and lies at keepers, like any message. Everything is
found again after a restart, because it is compared with the database. Not here: sessions (node/sync.py), what was
carried to us (store/carried.py), how far each reader was carried a log (store/carrying.py).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from node import speech
from node.delivery import Delivery
from node.inward import Inward
from node.logs.desks import Desks
from protocol import log as chains
from protocol.faults import PeerFault
from store import carried, carrying, doubts, inboxes, intake, logs, passing, people, spaces
from store.carried import Returned
from store.database import Tx
from store.intake import Took
from store.people import STOPS, ContactState

SETTLE_S = 1.0  # after something is new: what comes together is carried together
PATROL_S = 3600.0  # what only time makes due is looked at so often
DIALLED_S = 5.0  # while it is not known of somebody whether he is away: he is being dialled
CARRIED_MAX = 64  # readers of logs who are sent something in one transaction
TOPICS = frozenset({logs.TOPIC, spaces.CHANGED, people.CHANGED, inboxes.CHANGED, carried.CHANGED, carrying.CHANGED})


@dataclass
class Carrier:
    """The carrier of a node's logs. `run` works until cancelled."""

    inward: Inward
    delivery: Delivery
    desks: Desks

    async def run(self) -> None:
        """Does what is due whenever something is new, until cancelled."""
        with self.inward.database.watch(TOPICS) as changes:
            while True:
                wait_s = await self._tend()
                with trio.move_on_after(wait_s):
                    await changes.receive()
                await trio.sleep(SETTLE_S)

    async def _tend(self) -> float:
        """Does what is due; returns in how many seconds to look again."""
        database = self.inward.database
        await self.desks.load()
        if self.desks.unwritten:
            await database.transact(self._note)
        returned = await database.transact(carried.returned)
        for number in dict.fromkeys(one.piece.number for one in returned):
            await self._regain(number, tuple(one for one in returned if one.piece.number == number))
        stirred = {*await database.transact(self._answer)}
        reachable = await database.transact(inboxes.contacts)
        away = frozenset(one for one in reachable if self.delivery.away.is_away(one))
        while found := await database.transact(self._carry, away):
            stirred |= {*found}
        for contact_id in sorted(stirred):
            self.delivery.stir(contact_id)
        is_open = any(one not in away and not self.delivery.talks.online(one) for one in reachable)
        return DIALLED_S if is_open else PATROL_S

    def _note(self, tx: Tx) -> None:
        """Writes down what sessions have shown that readers hold."""
        for (number, contact_id), seq in self.desks.unwritten.items():
            carrying.known(tx, number, contact_id, seq + 1)
        self.desks.unwritten.clear()

    async def _regain(self, number: int, returned: tuple[Returned, ...]) -> None:
        """Takes in what the anchor of a log of ours gave back: this disk had forgotten it, or another machine wrote."""
        theirs = max(chains.recall(one.piece.raws[-1]).body.seq for one in returned)
        await self.desks.regain(number, partial(self._take_back, returned=returned, theirs=theirs), theirs)

    def _take_back(self, tx: Tx, returned: tuple[Returned, ...], theirs: int) -> tuple[Took | PeerFault, ...]:
        key, entropy = self.inward.identity.device_key, self.inward.ground.entropy("logs")
        took = intake.take(tx, [one.piece for one in returned], key, self.inward.now(), entropy)
        for one in returned:
            carried.done(tx, one)
            carrying.regained(tx, one.piece.number, one.contact, theirs + 1)
        return took

    def _answer(self, tx: Tx) -> tuple[int, ...]:
        """Says what we hold of what was carried to us."""
        told = []
        for debt in carried.owed(tx):
            if _may_hear(tx, debt.contact):
                self._say(tx, debt.contact, (debt.said, *debt.back))
                carried.paid(tx, debt)
                told.append(debt.contact)
        return tuple(told)

    def _carry(self, tx: Tx, away: frozenset[int]) -> tuple[int, ...]:
        """Posts what readers who are away lack, as far as there is room; returns to whom something was posted."""
        unasked = doubts.unasked(tx)
        told: list[int] = []
        if not (away or unasked):
            return ()
        for way in carrying.ways(tx):
            found = None
            if way.contact in away:
                upto = self.desks.offered_to(way.number, way.account) + 1
                found = carrying.due(tx, way, upto, self.inward.now())
            if found is None and way.is_anchor and way.number in unasked:
                found = ()
            if found is None or passing.is_laden(tx, way.contact):
                continue
            said = carrying.carry(tx, way, found, self.inward.ground.entropy("carrier"), self.inward.now())
            self._say(tx, way.contact, said)
            told.append(way.contact)
            if len(told) == CARRIED_MAX:
                break
        return tuple(told)

    def _say(self, tx: Tx, contact_id: int, said: tuple[Any, ...]) -> None:
        speech.say(tx, contact_id, said, self.inward.now(), self.inward.ground.entropy("message"))


def _may_hear(tx: Tx, contact_id: int) -> bool:
    one = people.contact(tx, contact_id)
    return one.state is ContactState.ACTIVE and one.alarm != STOPS
