"""What a node does with feeds by itself: reads others, hands out keys, writes again what is lost.

    an entry has come     -> it is read                      a contact, a tag, a rule is another -> keys are told
    our feed was set back -> it is written again             somebody shall read no more -> it goes on without him

Everything is found again after a restart, because it is compared with the database.
"""

from contextlib import suppress

from features.moments import feeds, handing, reading, view, writing
from features.moments.faults import FeedStopped
from features.moments.feeds import By
from node.core import Core
from protocol.grant import Role
from store import logs, people, remarks, spaces
from store.database import Tx, changes_after, newest_change
from store.faults import LogFrozen
from store.logs import State
from store.spaces import Space

TOPICS = frozenset({logs.TOPIC, spaces.CHANGED, people.CHANGED, remarks.CHANGED, view.RULES})
CHANGES_MAX = 1000
READ_AT_ONCE = 16  # feeds that are read in one transaction


class Clerk:
    """The clerk of a node's feeds. `run` works until cancelled."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self) -> None:
        """Does what is due whenever something is new, until cancelled."""
        database = self._core.database
        with database.watch(TOPICS) as changes:
            cursor = await database.transact(newest_change)
            await self._tend({one.log.number for one in await database.read(_feeds)})
            while True:
                await changes.receive()
                while rows := await database.read(changes_after, cursor, CHANGES_MAX):
                    cursor = rows[-1][0]
                    numbers = {key for _, topic, key in rows if topic == logs.TOPIC}
                    is_other = any(topic != logs.TOPIC for _, topic, _ in rows)
                    await self._tend(numbers, is_other)

    async def _tend(self, numbers: set[int], is_other: bool = True) -> None:
        """Deals with what is new of these logs. is_other: and of contacts, tags, rules or grants."""
        database, now_ms = self._core.database, self._core.ground.now_ms()
        due = await database.read(spaces.some, numbers, Role.FEED)
        theirs = [one for one in due if one.contact != spaces.OURS]
        for start in range(0, len(theirs), READ_AT_ONCE):
            await database.transact(_read, theirs[start : start + READ_AT_ONCE], now_ms)
        if is_other or len(theirs) < len(due):
            await self._hand()

    async def _hand(self) -> None:
        database = self._core.database
        ground = self._core.ground
        by = By(self._core.identity, ground.now_ms(), ground.entropy("logs"), ground.entropy("message"))
        for number, without in (await database.read(handing.barred)).items():
            await self._core.sync.desks.give_up(number, None, without)
        for number in await database.read(_unanchored, by.me.account):
            await self._core.sync.desks.give_up(number, None)
        await database.transact(_settle, by)
        for contact_id in sorted(by.told):
            self._core.delivery.stir(contact_id)


def _feeds(tx: Tx) -> tuple[Space, ...]:
    return tuple(one for one in spaces.every(tx) if one.role is Role.FEED)


def _read(tx: Tx, due: list[Space], now_ms: int) -> None:
    for one in due:
        reading.read(tx, one, now_ms)


def _settle(tx: Tx, by: By) -> None:
    with suppress(FeedStopped, LogFrozen):  # nothing can be written
        writing.settle(tx, by)
    handing.hand(tx, by)


def _unanchored(tx: Tx, account: bytes) -> list[int]:
    """Our feeds that began when there was no contact, and have readers now."""
    own = [one for one in feeds.every(tx) if one.log.own and one.log.state is State.OK and one.anchor == account]
    return [one.log.number for one in own if spaces.readers(tx, one.log.number)]
