"""What a node does with feeds by itself: reads others, hands out keys, writes again what is lost.

    an entry has come     -> it is read                      a contact, a tag, a rule is another -> keys are told
    our feed was set back -> it is written again             somebody shall read no more -> it goes on without him

Everything is found again after a restart, because it is compared with the database.
"""

from contextlib import suppress

import outcome
import structlog

from features.moments import feeds, handing, past, pictures, reading, unread, view, writing
from features.moments.faults import FeedStopped
from features.moments.feeds import By
from node.core import Core
from protocol.grant import Role
from store import authoring, blobs, logs, people, remarks, spaces
from store.database import Tx, changes_after, newest_change
from store.faults import LogFrozen
from store.logs import State
from store.spaces import Space

TOPICS = frozenset({logs.TOPIC, spaces.CHANGED, people.CHANGED, remarks.CHANGED, view.RULES, blobs.CHANGED})
CHANGES_MAX = 1000
READ_AT_ONCE = 16  # feeds that are read in one transaction

log = structlog.get_logger("moments")


class Clerk:
    """The clerk of a node's feeds. `run` works until cancelled."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self) -> None:
        """Does what is due whenever something is new, until cancelled."""
        database = self._core.database
        with database.watch(TOPICS) as changes:
            cursor = await database.transact(newest_change)
            await self._tend(await database.read(unread.feeds))
            while True:
                await changes.receive()
                while rows := await database.read(changes_after, cursor, CHANGES_MAX):
                    cursor = rows[-1][0]
                    numbers = {key for _, topic, key in rows if topic == logs.TOPIC}
                    await self._moved([key for _, topic, key in rows if topic == blobs.CHANGED])
                    is_other = any(topic not in (logs.TOPIC, blobs.CHANGED) for _, topic, _ in rows)
                    await self._tend(numbers, is_other)

    async def _moved(self, numbers: list[int]) -> None:
        """More is here of these blobs: who looks at a moment with one is told."""
        if numbers and (rows := await self._core.database.read(_telling, numbers)):
            await self._core.database.transact(_tell, rows)

    async def _tend(self, numbers: set[int], is_other: bool = True) -> None:
        """Deals with what is new of these logs. is_other: and of contacts, tags, rules or grants."""
        database, now_ms = self._core.database, self._core.ground.now_ms()
        due = await database.read(spaces.some, numbers, Role.FEED)
        theirs = [one for one in due if one.contact != spaces.OURS]
        has_own = len(theirs) < len(due)
        while theirs:
            theirs = theirs[await database.transact(_read, theirs[:READ_AT_ONCE], now_ms) :]
        for one in due:
            is_due = one.contact == spaces.OURS and not one.log.own
            while is_due:
                is_due = await database.transact(past.read, one, self._by())
        if is_other or has_own:
            await self._hand()

    def _by(self) -> By:
        ground = self._core.ground
        entropies = ground.entropy("logs"), ground.entropy("message")
        return By(self._core.identity, ground.now_ms(), *entropies, here(self._core))

    async def _hand(self) -> None:
        database, by = self._core.database, self._by()
        for number, without in (await database.read(handing.barred)).items():
            await go_on(self._core, number, without)
        for number in await database.read(_unanchored, by.me.account):
            await go_on(self._core, number)
        await database.transact(_settle, by)
        for contact_id in sorted(by.told):
            self._core.delivery.stir(contact_id)


def _telling(tx: Tx, numbers: list[int]) -> list[int]:
    return sorted({row for number in numbers for row in pictures.moments_of(tx, number)})


def _tell(tx: Tx, rows: list[int]) -> None:
    for row in rows:
        tx.changed(view.CHANGED, row)


def here(core: Core) -> frozenset[int]:
    """The contacts who are connected."""
    return frozenset(one.contact for one in core.delivery.talks)


async def go_on(core: Core, number: int, without: frozenset[int] = frozenset()) -> None:
    """A feed of ours goes on in another, which these do not read. Its anchor is one who is here, where anybody is: for
    an anchor who is away all the others would have to wait."""
    anchor = await core.database.read(_anchor, number, here(core) - without)
    await core.sync.desks.give_up(number, anchor, without)


def _anchor(tx: Tx, number: int, here: frozenset[int]) -> bytes | None:
    """Who of those who are here is to have our feed before others, as before if he can be; None where nobody is."""
    of = spaces.space(tx, number)
    found = [people.contact(tx, one) for one in spaces.readers(tx, number) if one in here]
    best = max(found, key=lambda one: (one.account == of.anchor, one.seen_ms, -one.id), default=None)
    return None if best is None else best.account


def _read(tx: Tx, due: list[Space], now_ms: int) -> int:
    """Reads these feeds up to the first of which there is more; how many are done.

    One that cannot be read, by a mistake of ours, holds back none of the others.
    """
    for at, one in enumerate(due):
        read = tx.attempt(reading.read, tx, one, now_ms)
        if isinstance(read, outcome.Error):
            log.error("a feed cannot be read", log=one.log.number, exc_info=read.error)
        elif read.value:
            return at
    return len(due)


def _settle(tx: Tx, by: By) -> None:
    with suppress(FeedStopped, LogFrozen):  # nothing can be written: what was taken back stays to be written again
        tx.attempt(_write, tx, by).unwrap()
    handing.hand(tx, by)


def _write(tx: Tx, by: By) -> None:
    writing.settle(tx, by)
    of = feeds.newest(tx, by.me)
    if of is not None and of.previous and authoring.next_seq(tx, of) == 0:
        writing.set_window(tx, by, feeds.window_s(tx))  # an empty log is named by nobody, so not known to be known


def _unanchored(tx: Tx, account: bytes) -> list[int]:
    """Our feeds that began when there was no contact, and have readers now."""
    own = [one for one in feeds.every(tx) if one.log.own and one.log.state is State.OK and one.anchor == account]
    return [one.log.number for one in own if spaces.readers(tx, one.log.number)]
